use super::{Link, NatKind, clock::Clock};

/// A machine of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(pub(crate) u16);

impl EndpointId {
    /// A dense number, for arrays.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A machine's address: +1 with every change.
pub(super) type Address = u32;

/// What the network knows of a machine, with its downlink. What arrives there needs all of it, and finds it in one line of the cache; the uplink
/// lies apart.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct Endpoint {
    pub(super) alive: bool,
    pub(super) dark: bool,
    pub(super) clogged_up: bool,
    pub(super) clogged_down: bool,
    pub(super) nat: NatKind,
    pub(super) address: Address,
    pub(super) down: Link,
    pub(super) clock: Clock,
}

impl Endpoint {
    pub(super) fn new(down: Link, nat: NatKind) -> Self {
        Self {
            alive: true,
            dark: false,
            clogged_up: false,
            clogged_down: false,
            nat,
            address: 0,
            down,
            clock: Clock::default(),
        }
    }
}
