macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $number:literal,)* } $($embedder:ident)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$each])* $variant,)*
            $(
                /// A reason of the embedder's own, 128 to 255; a smaller number is taken with 128 added.
                $embedder(u8),
            )?
        }

        impl $name {
            /// The number on the wire.
            pub const fn number(self) -> u8 {
                match self {
                    $(Self::$variant => $number,)*
                    $(Self::$embedder(number) => number | 128,)?
                }
            }

            /// The reason of a number on the wire.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    $(128..=255 => Some(Self::$embedder(number)),)?
                    _ => None,
                }
            }
        }
    };
}

reasons! {
    /// Why a Hello was refused.
    RefuseReason {
        /// Another version is spoken here.
        Version = 1,
        /// No seat is free.
        Full = 2,
        /// The identity is banned.
        Banned = 3,
        /// Too many are joining; try again later.
        Busy = 4,
        /// The embedder said no.
        NotAdmitted = 5,
    } Embedder
}

reasons! {
    /// Why the server closed a connection.
    CloseReason {
        /// Thrown out.
        Kicked = 1,
        /// Thrown out for good.
        Banned = 2,
        /// The server stops.
        ServerStopping = 3,
        /// A gap or repeat on the reliable lane.
        LaneBroken = 4,
        /// The seat was resumed on another connection.
        Replaced = 5,
        /// Too many reliable packets.
        Flood = 6,
        /// Nothing acknowledged for too long.
        LaneStalled = 7,
        /// The client left.
        Left = 8,
    } Embedder
}

reasons! {
    /// Why a room is not, or no longer, used.
    RoomCloseReason {
        /// The server has no room free.
        NoRoomFree = 1,
        /// The client uses as many rooms as it may.
        TooMany = 2,
        /// The server took the client out.
        Removed = 3,
        /// The client may not.
        NotPermitted = 4,
    }
}

reasons! {
    /// Why a text was not sent on.
    TextRefuseReason {
        /// Nobody was there to get it.
        NobodyThere = 1,
        /// Too many texts.
        RateLimited = 2,
        /// The server's store is full.
        StoreFull = 3,
        /// No such room or client.
        UnknownTarget = 4,
        /// Not UTF-8, empty or too long.
        BadText = 5,
    }
}
