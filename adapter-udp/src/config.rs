//! What a port is told.

use std::time::Duration;

/// What a port is used for, and its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Links at once, those that are being made included. More are refused.
    pub links: usize,
    /// With so many links being made, who begins one has to show first that what is sent to its address gets there (QUIC Retry). At a server so has who comes from
    /// an address that has used up what follows, and everybody when so many at once, or in the time of a `handshake`, have begun without.
    pub retry_above: usize,
    /// A server's links at once of one IPv4 address or one IPv6 network of 64 bits, behind which many people may be. From the loopback there may be any number of
    /// links and handshakes.
    pub links_per_address: usize,
    /// Links that such an address may begin at once, and one more after each `handshake_every`.
    pub handshakes_per_address: usize,
    /// See `handshakes_per_address`.
    pub handshake_every: Duration,
    /// A handshake that takes longer is given up.
    pub handshake: Duration,
    /// How long a packet sent with [`Flush::Soon`](crate::Flush::Soon) waits at most for others to the same link; 0: not at all.
    pub window: Duration,
}

impl Config {
    /// 4,096 links, 256 of an address; Retry with 32 being made; 128 handshakes of an address at once and then 8 a second; 10 s for each; a window of 5 ms.
    pub const DEFAULT: Self = Self {
        links: 4_096,
        retry_above: 32,
        links_per_address: 256,
        handshakes_per_address: 128,
        handshake_every: Duration::from_millis(125),
        handshake: Duration::from_secs(10),
        window: Duration::from_millis(5),
    };
}
