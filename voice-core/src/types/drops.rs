macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why input was dropped; section 11 of docs/PROTOCOL.md. May grow.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum DropReason { $($(#[$doc])* $variant,)* }

        impl DropReason {
            /// All reasons, in the order of the document.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in the document.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

reasons! {
    /// No bytes.
    Empty = "empty",
    /// More than 1,200 bytes.
    TooLong = "too_long",
    /// A first byte that no packet has, or a kind not meant for this side.
    UnknownKind = "unknown_kind",
    /// Shorter than its fields say.
    Truncated = "truncated",
    /// Trailing bytes, reserved bits, unknown values, wrong order, bad UTF-8.
    Malformed = "malformed",
    /// Came reliably and should have come unreliably, or the other way round.
    WrongDelivery = "wrong_delivery",
    /// A Hello of another version.
    WrongVersion = "wrong_version",
    /// Of another session.
    WrongSession = "wrong_session",
    /// Needs a joined session.
    NotJoined = "not_joined",
    /// A connection or path that is not open.
    UnknownConnection = "unknown_connection",
    /// A gap or repeat on the reliable lane.
    LaneBroken = "lane_broken",
    /// The claimed sender is not who sent it.
    WrongSender = "wrong_sender",
    /// Names a client that isn't there.
    UnknownClient = "unknown_client",
    /// Names a room that isn't there.
    UnknownRoom = "unknown_room",
    /// The room isn't used that way.
    NotPermitted = "not_permitted",
    /// Voice of a muted speaker.
    Muted = "muted",
    /// Sequence number already seen.
    Duplicate = "duplicate",
    /// Sequence number too old, or its time to be played has passed.
    Late = "late",
    /// Over a rate limit.
    RateLimited = "rate_limited",
    /// A table or queue is full.
    TableFull = "table_full",
    /// A greeting with a wrong proof, nonce or receiver.
    WrongProof = "wrong_proof",
    /// Direct voice on a path that isn't proven.
    UnprovenPath = "unproven_path",
    /// A greeting sent to the server.
    GreetingAtServer = "greeting_at_server",
    /// Voice that reached nobody.
    NobodyHears = "nobody_hears",
    /// An answer to an older join, ping or greeting, or an acknowledgement of what wasn't sent.
    StaleAnswer = "stale_answer",
    /// A call with an earlier time than one before.
    TimeWentBack = "time_went_back",
}

/// How often input was dropped for each reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropCounts([u64; DropReason::ALL.len()]);

impl DropCounts {
    pub(crate) const ZERO: Self = Self([0; DropReason::ALL.len()]);

    /// How often input was dropped for this reason.
    pub const fn get(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// All reasons with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.iter().map(|&reason| (reason, self.get(reason)))
    }

    /// The sum over all reasons.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    pub(crate) fn add(&mut self, reason: DropReason) {
        let count = &mut self.0[reason as usize];
        *count = count.wrapping_add(1);
    }
}
