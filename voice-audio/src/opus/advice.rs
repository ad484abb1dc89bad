//! A client's advice as settings of an encoder.

use voice_core::{EncoderAdvice, PlayoutConfig};

use super::{EncoderConfig, FrameLength};

/// From this bitrate on there is room for in-band FEC and DRED together; below, libopus leaves FEC too little or DRED nothing.
const ROOM_FOR_BOTH: u32 = 40_000;
/// From this loss on, percent, DRED beside FEC is worth what it takes from the voice.
const LOSS_FOR_BOTH_PERCENT: u8 = 5;
/// From this loss on, percent, DRED instead of FEC is: worse for losses one by one, but bursts are no longer gaps.
const LOSS_FOR_DRED_PERCENT: u8 = 10;
/// DRED is made for at least this loss, percent: for less it reaches back two frames, and that is no burst.
const LEAST_WITH_DRED_PERCENT: u8 = 20;

impl EncoderConfig {
    /// Returns the same settings as `Client::encoder_advice` wants them: bitrate, frame length, expected loss, FEC and DRED.
    ///
    /// DRED is for clients with `ClientConfig::dred`, whose advice has it from 2 % of loss on. It is used from 5 % on, with an expected loss of at least 20 %
    /// and no further back than a listener waits; below 40 kbit/s it takes the place of in-band FEC, from 10 % on. What that is worth is in docs/CODEC.md.
    #[must_use]
    pub fn advised(self, advice: &EncoderAdvice) -> Self {
        let frame_length = FrameLength::from_millis(advice.frame_length.ms().into()).unwrap_or(self.frame_length);
        let plain = Self {
            frame_length,
            bitrate: advice.bitrate,
            expected_loss_percent: advice.expected_loss_percent,
            fec: advice.fec,
            dred_ms: 0,
            ..self
        };
        let both = advice.bitrate >= ROOM_FOR_BOTH;
        let enough = if both { LOSS_FOR_BOTH_PERCENT } else { LOSS_FOR_DRED_PERCENT };
        let deep = Self {
            expected_loss_percent: advice.expected_loss_percent.max(LEAST_WITH_DRED_PERCENT),
            fec: advice.fec && both,
            dred_ms: advice.dred_ms.min(longest_wait_ms()),
            ..plain
        };
        // Where the library or the bitrate has no room for it, FEC isn't given up for it.
        if advice.expected_loss_percent >= enough && deep.has_dred() { deep } else { plain }
    }
}

/// What is further back than a listener waits comes too late, and costs bits.
fn longest_wait_ms() -> u16 {
    u16::try_from(PlayoutConfig::DEFAULT.max_delay.as_millis()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEEP: bool = cfg!(feature = "opus16");

    fn advised(bitrate: u32, loss: u8, dred_ms: u16) -> EncoderConfig {
        EncoderConfig::default().advised(&EncoderAdvice {
            bitrate,
            expected_loss_percent: loss,
            fec: loss >= 2,
            frame_length: voice_core::FrameLength::Ms20,
            dred_ms,
        })
    }

    #[test]
    fn advice_without_dred_is_taken_as_it_is() {
        let config = advised(24_000, 12, 0);
        assert_eq!((config.bitrate, config.expected_loss_percent, config.fec, config.dred_ms), (24_000, 12, true, 0));
        assert!(!advised(24_000, 0, 0).fec);
    }

    #[test]
    fn below_40_kbit_per_second_dred_takes_the_place_of_fec() {
        for bitrate in [24_000, 39_999] {
            let config = advised(bitrate, 10, 1_000);
            assert_eq!((config.fec, config.dred_ms), if DEEP { (false, 300) } else { (true, 0) }, "{bitrate}");
            assert_eq!(config.expected_loss_percent, if DEEP { 20 } else { 10 });
        }
        for loss in [5, 26] {
            let config = advised(40_000, loss, 500);
            assert_eq!((config.fec, config.dred_ms), (true, if DEEP { 300 } else { 0 }));
            assert_eq!(config.expected_loss_percent, if DEEP { loss.max(20) } else { loss });
        }
    }

    #[test]
    fn fec_is_not_given_up_for_dred_that_brings_nothing() {
        for (bitrate, loss) in [(24_000, 9), (48_000, 4)] {
            let config = advised(bitrate, loss, 500);
            assert_eq!((config.fec, config.dred_ms, config.expected_loss_percent), (true, 0, loss), "little loss");
        }
        assert!(advised(14_000, 10, 1_000).fec, "little bitrate");
    }

    #[test]
    fn the_frame_length_is_followed() {
        let advice = EncoderAdvice {
            bitrate: 6_000,
            expected_loss_percent: 0,
            fec: false,
            frame_length: voice_core::FrameLength::Ms60,
            dred_ms: 0,
        };
        assert_eq!(EncoderConfig::default().advised(&advice).frame_length, FrameLength::Ms60);
    }
}
