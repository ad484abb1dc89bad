//! Why somebody isn't heard.

use crate::arrivals::Trouble;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why somebody isn't heard, the first that holds in this order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Unheard { $($(#[$doc])* $variant,)* }

        impl Unheard {
            /// The name in `consonance.d.ts`.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

reasons! {
    /// There is no connection by which anybody could be heard.
    NotConnected = "not-connected",
    /// The listener hears nobody.
    Deafened = "deafened",
    /// The listener has muted them.
    MutedByMe = "muted-by-me",
    /// Their connection is lost.
    Reconnecting = "reconnecting",
    /// The server has muted them.
    MutedByServer = "muted-by-server",
    /// They have muted themselves.
    MutedThemselves = "muted-themselves",
    /// Their volume is zero here, or they asked for none.
    TurnedDown = "turned-down",
    /// They are placed too far away.
    TooFar = "too-far",
    /// So many speak that no voice is free for them.
    NoVoiceFree = "no-voice-free",
    /// Somebody of higher priority speaks.
    LowerPriority = "lower-priority",
    /// Most of their packets don't come.
    Lost = "lost",
    /// Most of their packets come too late.
    Late = "late",
    /// They are in none of the listener's rooms, and don't whisper to it.
    NotInMyRoom = "not-in-my-room",
    /// They say nothing.
    Silent = "silent",
}

/// What is known of somebody and of the listener.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Facts {
    pub(crate) connected: bool,
    pub(crate) deafened: bool,
    pub(crate) muted_here: bool,
    pub(crate) reconnecting: bool,
    pub(crate) server_muted: bool,
    pub(crate) muted: bool,
    pub(crate) volume_percent: u16,
    pub(crate) too_far: bool,
    pub(crate) no_voice_free: bool,
    pub(crate) outranked: bool,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) shares_a_room: bool,
    /// Their voice comes in.
    pub(crate) speaking: bool,
    pub(crate) audible: bool,
}

impl Facts {
    /// Why they aren't heard; `None` while they are.
    pub(crate) fn unheard(&self) -> Option<Unheard> {
        // Shreds of speech are no speech.
        if self.audible && self.trouble.is_none() {
            return None;
        }
        let speaking = self.speaking;
        let holds = [
            (!self.connected, Unheard::NotConnected),
            (self.deafened, Unheard::Deafened),
            (self.muted_here, Unheard::MutedByMe),
            (self.reconnecting, Unheard::Reconnecting),
            (self.server_muted, Unheard::MutedByServer),
            (self.muted, Unheard::MutedThemselves),
            (self.volume_percent == 0, Unheard::TurnedDown),
            (self.too_far, Unheard::TooFar),
            (speaking && self.no_voice_free, Unheard::NoVoiceFree),
            (speaking && self.outranked, Unheard::LowerPriority),
            (speaking && self.trouble == Some(Trouble::Lost), Unheard::Lost),
            (speaking && self.trouble == Some(Trouble::Late), Unheard::Late),
            (!speaking && !self.audible && !self.shares_a_room, Unheard::NotInMyRoom),
            (!speaking && !self.audible, Unheard::Silent),
        ];
        // Somebody who speaks and will sound in a moment needs no reason.
        holds.iter().find(|(holds, _)| *holds).map(|(_, reason)| *reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARD: Facts = Facts {
        connected: true,
        deafened: false,
        muted_here: false,
        reconnecting: false,
        server_muted: false,
        muted: false,
        volume_percent: 100,
        too_far: false,
        no_voice_free: false,
        outranked: false,
        trouble: None,
        shares_a_room: true,
        speaking: true,
        audible: false,
    };

    #[test]
    fn every_reason_is_found_from_what_is_known() {
        let cases = [
            (HEARD, None),
            (Facts { audible: true, speaking: false, ..HEARD }, None),
            (Facts { connected: false, ..HEARD }, Some(Unheard::NotConnected)),
            (Facts { deafened: true, muted: true, ..HEARD }, Some(Unheard::Deafened)),
            (Facts { muted_here: true, ..HEARD }, Some(Unheard::MutedByMe)),
            (Facts { reconnecting: true, ..HEARD }, Some(Unheard::Reconnecting)),
            (Facts { server_muted: true, ..HEARD }, Some(Unheard::MutedByServer)),
            (Facts { muted: true, speaking: false, ..HEARD }, Some(Unheard::MutedThemselves)),
            (Facts { volume_percent: 0, ..HEARD }, Some(Unheard::TurnedDown)),
            (Facts { too_far: true, ..HEARD }, Some(Unheard::TooFar)),
            (Facts { no_voice_free: true, ..HEARD }, Some(Unheard::NoVoiceFree)),
            (Facts { outranked: true, ..HEARD }, Some(Unheard::LowerPriority)),
            (Facts { trouble: Some(Trouble::Lost), ..HEARD }, Some(Unheard::Lost)),
            (Facts { trouble: Some(Trouble::Late), ..HEARD }, Some(Unheard::Late)),
            (Facts { trouble: Some(Trouble::Lost), audible: true, ..HEARD }, Some(Unheard::Lost)),
            (Facts { shares_a_room: false, ..HEARD }, None),
            (Facts { shares_a_room: false, speaking: false, ..HEARD }, Some(Unheard::NotInMyRoom)),
            (Facts { speaking: false, outranked: true, ..HEARD }, Some(Unheard::Silent)),
        ];
        for (facts, wanted) in cases {
            assert_eq!(facts.unheard(), wanted, "{facts:?}");
        }
    }
}
