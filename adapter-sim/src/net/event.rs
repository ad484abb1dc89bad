use super::{ConnId, EndpointId, PacketBytes, Side, endpoint::Address, lane::Ack};

/// Something that reaches a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetEvent {
    /// The connection is up at this side.
    Up(ConnId, Side),
    /// The connection is down at this side: refused, closed by the other, or dead.
    Down(ConnId, Side),
    /// A packet came in at this side.
    Packet {
        /// By which connection.
        conn: ConnId,
        /// At which end.
        at: Side,
        /// Whether on the reliable lane.
        reliable: bool,
        /// The packet.
        bytes: PacketBytes,
    },
    /// A direct packet came in.
    Direct {
        /// From whom.
        from: EndpointId,
        /// To whom.
        to: EndpointId,
        /// The packet.
        bytes: PacketBytes,
    },
    /// The time asked for by [`Network::wake`] has come: its token.
    ///
    /// [`Network::wake`]: super::Network::wake
    Wake(u64),
}

/// What travels.
#[derive(Debug, Clone)]
pub(super) enum Load {
    Syn,
    SynAck,
    Reset,
    Message { number: u64, bytes: PacketBytes },
    Ack(Ack),
    Datagram(PacketBytes),
}

/// Bytes of a lane's own header, and of the bits of an acknowledgement.
const LANE_HEADER: u64 = 12;
const ACK_BITS: u64 = 8;

impl Load {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Syn | Self::SynAck | Self::Reset => LANE_HEADER,
            Self::Ack(_) => LANE_HEADER + ACK_BITS,
            Self::Message { bytes, .. } => LANE_HEADER + bytes.len() as u64,
            Self::Datagram(bytes) => bytes.len() as u64,
        }
    }
}

/// A packet on its way.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    pub(super) from: EndpointId,
    pub(super) to: EndpointId,
    pub(super) source: Address,
    pub(super) target: Address,
    /// The connection and the end it goes to; `None` for direct packets.
    pub(super) conn: Option<(ConnId, Side)>,
    pub(super) damaged: bool,
    pub(super) load: Load,
}

/// Where a packet is: before the sender's uplink, or before the receiver's downlink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hop {
    Up,
    Down,
}

/// One datagram on its way to many, before their downlinks.
#[derive(Debug)]
pub(super) struct Fan {
    pub(super) from: EndpointId,
    pub(super) source: Address,
    /// The end of the connections that it goes to.
    pub(super) side: Side,
    pub(super) bytes: PacketBytes,
    /// The connections, each with the address that it goes to.
    pub(super) to: Vec<(ConnId, Address)>,
}

/// What the network does comes before all who asked to be woken at the same time.
pub(super) const NETWORK: u8 = 0;

/// Something that is due; packets and fans by their numbers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Due {
    Fan(u32),
    Downlink(u32),
    Arrival(u32),
    LaneTimer(ConnId, Side),
    Connect(ConnId),
    Wake(u64),
}
