//! Who is woken: the tokens that the world gives to the network's clock.

use crate::world::PersonId;

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    Client(PersonId),
    Audio(PersonId),
    Server,
}

impl Wake {
    /// Of what is due at one time, sound comes first: then it is no matter whether a client's earlier ticks were made up for at theirs or now.
    pub(crate) const fn rank(self) -> u8 {
        match self {
            Self::Audio(_) => 1,
            Self::Client(_) | Self::Server => 2,
        }
    }

    /// The token that the network gives back.
    pub(crate) fn to_token(self) -> u64 {
        match self {
            Self::Server => 0,
            Self::Client(person) => 1 << 16 | u64::from(person),
            Self::Audio(person) => 2 << 16 | u64::from(person),
        }
    }

    pub(crate) fn from_token(token: u64) -> Self {
        let person = (token & 0xFFFF) as PersonId;
        match token >> 16 {
            0 => Self::Server,
            1 => Self::Client(person),
            _ => Self::Audio(person),
        }
    }
}
