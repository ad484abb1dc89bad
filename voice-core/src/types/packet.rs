use core::time::Duration;

use super::{ConnectionId, PathId};

/// How a packet has to travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Delivery {
    /// In order, exactly once, or the connection is at an end.
    Reliable,
    /// As soon as possible or not at all.
    Unreliable,
}

/// Where a packet has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// From a client to its server.
    Server,
    /// From a server to the client at this connection.
    Client(ConnectionId),
    /// From a client straight to another.
    Path(PathId),
}

/// Where a packet came from, for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The connection to the server.
    Server,
    /// A direct path.
    Path(PathId),
}

/// One packet to send: its bytes are the first `len` of the buffer that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transmit {
    /// Where to.
    pub to: Route,
    /// How.
    pub delivery: Delivery,
    /// Bytes written, 1 to 1,200.
    pub len: usize,
}

/// How long one frame of encoded sound is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum FrameLength {
    /// 10 ms: for wired local networks.
    Ms10 = 10,
    /// 20 ms: the usual one.
    #[default]
    Ms20 = 20,
    /// 40 ms.
    Ms40 = 40,
    /// 60 ms: the fewest packets.
    Ms60 = 60,
}

impl FrameLength {
    /// The length of a number of milliseconds on the wire.
    pub const fn from_ms(ms: u8) -> Option<Self> {
        Some(match ms {
            10 => Self::Ms10,
            20 => Self::Ms20,
            40 => Self::Ms40,
            60 => Self::Ms60,
            _ => return None,
        })
    }

    /// Milliseconds.
    pub const fn ms(self) -> u8 {
        self as u8
    }

    /// Microseconds.
    pub const fn us(self) -> u64 {
        self as u64 * 1_000
    }

    /// Microseconds, as a number that fits arithmetic of 32 bit.
    pub(crate) const fn us_u32(self) -> u32 {
        self as u32 * 1_000
    }

    /// As a span.
    pub const fn span(self) -> Duration {
        Duration::from_micros(self.us())
    }
}

/// How a client's voice is encoded, announced when it joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CodecSettings {
    /// 1 is Opus; 128 to 255 are the embedder's.
    pub codec: u8,
    /// Length of every frame.
    pub frame_length: FrameLength,
    /// Nominal bitrate, bit/s, 1 to 1,000,000.
    pub bitrate: u32,
}

impl CodecSettings {
    /// Opus, 20 ms, 24 kbit/s.
    pub const DEFAULT: Self = Self { codec: 1, frame_length: FrameLength::Ms20, bitrate: 24_000 };
}

impl Default for CodecSettings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Packets and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrafficCount {
    /// Packets.
    pub packets: u64,
    /// Bytes of packets, without those of the transport.
    pub bytes: u64,
}

impl TrafficCount {
    pub(crate) const ZERO: Self = Self { packets: 0, bytes: 0 };

    pub(crate) fn add(&mut self, bytes: usize) {
        self.add_many(1, bytes);
    }

    pub(crate) fn add_many(&mut self, packets: usize, bytes: usize) {
        self.packets = self.packets.wrapping_add(packets as u64);
        self.bytes = self.bytes.wrapping_add((packets as u64).wrapping_mul(bytes as u64));
    }
}

/// Traffic of one client or server, by delivery and route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Sent reliably to the other end of connections.
    pub reliable_out: TrafficCount,
    /// Sent unreliably to the other end of connections, voice included.
    pub unreliable_out: TrafficCount,
    /// Received reliably.
    pub reliable_in: TrafficCount,
    /// Received unreliably from the other end of connections.
    pub unreliable_in: TrafficCount,
    /// Voice sent by way of the server, or by it.
    pub voice_out: TrafficCount,
    /// Voice received by way of the server, or by it.
    pub voice_in: TrafficCount,
    /// Sent on direct paths, voice and greetings.
    pub direct_out: TrafficCount,
    /// Received on direct paths.
    pub direct_in: TrafficCount,
    /// Events that nobody fetched in time.
    pub events_dropped: u64,
    /// Speakers who were heard and gave their place to one of higher priority, since all places were taken. Of a client only.
    pub speakers_displaced: u64,
}

impl Counters {
    pub(crate) const ZERO: Self = Self {
        reliable_out: TrafficCount::ZERO,
        unreliable_out: TrafficCount::ZERO,
        reliable_in: TrafficCount::ZERO,
        unreliable_in: TrafficCount::ZERO,
        voice_out: TrafficCount::ZERO,
        voice_in: TrafficCount::ZERO,
        direct_out: TrafficCount::ZERO,
        direct_in: TrafficCount::ZERO,
        events_dropped: 0,
        speakers_displaced: 0,
    };
}
