//! What an offer must be before anything is made for it.

use std::fmt;

use str0m::change::SdpOffer;

/// Most bytes of an offer: those of browsers have some 500, and 100 more for each of their addresses.
pub const LONGEST_OFFER: usize = 16 * 1_024;

/// Lines that the server has no use for. It is ICE-lite: it learns where a browser is from what comes, so candidates are only work, and names that
/// only the browser's own network knows. The shortcut of SCTP's handshake isn't taken.
const UNUSED: [&str; 3] = ["a=candidate:", "a=end-of-candidates", "a=sctp-init:"];

/// A browser's offer that can be read. To read it is most of the work that a stranger can cause, so it needs no [`Endpoint`](crate::Endpoint) and
/// may be done in another thread.
#[derive(Debug)]
pub struct Offer(pub(crate) SdpOffer);

impl Offer {
    /// Reads an offer in SDP (RFC 8866, RFC 8829).
    ///
    /// # Errors
    /// Each [`BadOffer`].
    pub fn parse(sdp: &str) -> Result<Self, BadOffer> {
        if sdp.len() > LONGEST_OFFER {
            return Err(BadOffer::TooLong);
        }
        let lines = || sdp.lines().map(str::trim_end).filter(|line| !line.is_empty());
        let mut media = lines().filter(|line| line.starts_with("m="));
        if !media.next().is_some_and(|line| line.starts_with("m=application ")) || media.next().is_some() {
            return Err(BadOffer::NotData);
        }
        let mut used = String::with_capacity(sdp.len());
        for line in lines().filter(|line| !UNUSED.iter().any(|unused| line.starts_with(unused))) {
            used.push_str(line);
            used.push_str("\r\n");
        }
        SdpOffer::from_sdp_string(&used).map(Self).map_err(|_| BadOffer::Unreadable)
    }
}

/// Why an offer is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadOffer {
    /// It has more than [`LONGEST_OFFER`] bytes.
    TooLong,
    /// It isn't for data channels alone.
    NotData,
    /// It isn't SDP.
    Unreadable,
}

impl fmt::Display for BadOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the offer is too long: 16,384 bytes at most",
            Self::NotData => "the offer is not for data channels alone: add no audio and no video to the connection",
            Self::Unreadable => "the offer is not SDP",
        })
    }
}

impl std::error::Error for BadOffer {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Chromium offers for two data channels.
    const OFFER: &str = "v=0\r\no=- 4215775240449105457 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
        a=extmap-allow-mixed\r\na=msid-semantic: WMS\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
        c=IN IP4 0.0.0.0\r\na=candidate:1 1 udp 2113937151 6e5b6d4e-7f0a-4f0e-9d43-8ad0b2b5a0b5.local 51234 typ host\r\n\
        a=ice-ufrag:RXvx\r\na=ice-pwd:gZRY1rVoQgDEPLvWpLSfUVdx\r\na=ice-options:trickle\r\n\
        a=fingerprint:sha-256 6B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r\n\
        a=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";

    #[test]
    fn what_a_browser_offers_is_read_whatever_its_addresses_are_called() {
        let offer = Offer::parse(OFFER).expect("an offer");
        assert!(!offer.0.to_sdp_string().contains("candidate"));
        assert!(Offer::parse(&OFFER.replace("\r\n", "\n")).is_ok());
    }

    #[test]
    fn what_is_no_offer_for_data_channels_is_refused_for_its_reason() {
        let audio =
            OFFER.replace("m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "m=audio 9 UDP/TLS/RTP/SAVPF 111");
        let both = format!("{OFFER}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n");
        let long = format!("{OFFER}{}", "a=x\r\n".repeat(LONGEST_OFFER / 5));
        let broken = OFFER.replace("v=0\r\n", "");
        let cases = [
            (audio.as_str(), BadOffer::NotData),
            (&both, BadOffer::NotData),
            ("", BadOffer::NotData),
            (&long, BadOffer::TooLong),
            (&broken, BadOffer::Unreadable),
        ];
        for (sdp, wanted) in cases {
            assert_eq!(Offer::parse(sdp).map(|_| ()), Err(wanted), "{sdp}");
        }
    }

    proptest! {
        #[test]
        fn an_offer_that_was_changed_is_read_or_refused(at in 0..OFFER.len(), to in any::<char>(), cut in any::<bool>()) {
            let mut sdp = OFFER[..at].to_owned();
            if !cut {
                sdp.push(to);
                sdp.push_str(&OFFER[at + 1..]);
            }
            let _ = Offer::parse(&sdp);
        }
    }
}
