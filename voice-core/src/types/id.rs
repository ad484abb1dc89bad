use core::num::{NonZeroU16, NonZeroU32};

macro_rules! id16 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(NonZeroU16);

        impl $name {
            /// Makes an id of its number on the wire; `None` for 0, which is never given.
            pub const fn new(number: u16) -> Option<Self> {
                match NonZeroU16::new(number) {
                    Some(number) => Some(Self(number)),
                    None => None,
                }
            }

            /// The number on the wire, 1 to 65,535.
            pub const fn get(self) -> u16 {
                self.0.get()
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id16! {
    /// A client of a session, given by the server and not reused soon.
    ClientId
}
id16! {
    /// A room of a session, given by the server while the room exists.
    RoomId
}

/// One run of a server: random, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(NonZeroU32);

impl SessionId {
    /// Makes a session number; `None` for 0.
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number on the wire.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The low 16 bits, which voice packets carry.
    pub const fn tag(self) -> u16 {
        let [_, _, high, low] = self.get().to_be_bytes();
        u16::from_be_bytes([high, low])
    }
}

/// A transport connection to a server, issued by the server core.
///
/// The index is dense, so that an adapter can keep its connections in an array; the generation tells a new connection from
/// an old one at the same index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u32);

impl ConnectionId {
    /// Makes an id of an index and a generation.
    pub const fn new(index: u16, generation: u16) -> Self {
        Self((generation as u32) << 16 | index as u32)
    }

    /// The place in the server's connection table, less than its capacity.
    pub const fn index(self) -> usize {
        (self.0 & 0xFFFF) as usize
    }

    /// How often the place was used before, modulo 65,536.
    pub const fn generation(self) -> u16 {
        let [high, low, _, _] = self.0.to_be_bytes();
        u16::from_be_bytes([high, low])
    }
}

/// A direct path to another client: a number that the adapter chooses, unique among the paths of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u32);

/// Who a client is to the embedder (an account number, a hash of a key): bans go by it. 0 means unknown and can't be banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Identity(pub u64);
