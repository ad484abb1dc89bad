use super::{
    Read,
    limits::{MAX_CHANNELS, MAX_PACKET_BYTES, MAX_PAYLOAD_BYTES, MAX_RELAY_LIST},
    read::Reader,
    write::Writer,
};
use crate::types::{ChannelOptions, ClientId, DropReason, FrameLength, Priority, RoomId, Target, Volume};

/// One open line of a speaker, as its voice packets name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel {
    /// Whom it reaches.
    pub target: Target,
    /// Its options.
    pub options: ChannelOptions,
}

const VOICE: u8 = 0x80;
const MARK: u8 = 0x40;
const END: u8 = 0x20;
const RELAY: u8 = 0x10;
const FRAME_LENGTH: u8 = 0x0C;
const FRAME_LENGTH_SHIFT: u32 = 2;
const RESERVED: u8 = 0x03;

const MORE: u8 = 0x80;
const TO_CLIENT: u8 = 0x40;
const POSITIONAL: u8 = 0x20;
const CHANNEL_RESERVED: u8 = 0x18;
const PRIORITY: u8 = 0x07;

const FIXED_BYTES: usize = 8;
const CHANNEL_BYTES: usize = 4;

const ONLY: u8 = 0x80;
const RELAY_COUNT: u8 = 0x3F;

impl Channel {
    fn read(bytes: [u8; CHANNEL_BYTES]) -> Read<(Self, bool)> {
        let [flags, volume, high, low] = bytes;
        let number = u16::from_be_bytes([high, low]);
        let target = if flags & TO_CLIENT == 0 {
            RoomId::new(number).map(Target::Room)
        } else {
            ClientId::new(number).map(Target::Client)
        };
        let (Some(target), Some(priority), Some(volume), 0) =
            (target, Priority::from_number(flags & PRIORITY), Volume::new(volume), flags & CHANNEL_RESERVED)
        else {
            return Err(DropReason::Malformed);
        };
        let options = ChannelOptions { positional: flags & POSITIONAL != 0, priority, volume };
        Ok((Self { target, options }, flags & MORE != 0))
    }

    fn write(&self, more: bool, writer: &mut Writer<'_>) {
        let (kind, number) = match self.target {
            Target::Room(room) => (0, room.get()),
            Target::Client(client) => (TO_CLIENT, client.get()),
        };
        let positional = if self.options.positional { POSITIONAL } else { 0 };
        let more = if more { MORE } else { 0 };
        writer.u8(more | kind | positional | self.options.priority as u8);
        writer.u8(self.options.volume.percent()).u16(number);
    }
}

/// The channels of a packet: 1 to 8, strictly ascending by target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channels<'a>(&'a [u8]);

impl Channels<'_> {
    /// The channels in their order.
    pub fn iter(&self) -> impl Iterator<Item = Channel> + Clone + '_ {
        self.0.as_chunks().0.iter().filter_map(|bytes| Channel::read(*bytes).ok()).map(|(channel, _)| channel)
    }

    /// How many, 1 to 8.
    pub const fn len(&self) -> usize {
        self.0.len() / CHANNEL_BYTES
    }

    /// Never.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whom the server shall take away from those that a packet goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayList<'a> {
    /// All but these (false), or only these (true).
    pub only: bool,
    clients: &'a [u8],
}

impl RelayList<'_> {
    /// The clients, strictly ascending, 1 to 32.
    pub fn iter(&self) -> impl Iterator<Item = ClientId> + '_ {
        self.clients.as_chunks().0.iter().filter_map(|id| ClientId::new(u16::from_be_bytes(*id)))
    }
}

/// What a voice packet says besides whom it reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoiceHeader {
    /// First frame of a talkspurt.
    pub mark: bool,
    /// Last frame of a talkspurt.
    pub end: bool,
    /// Low 16 bits of the session.
    pub tag: u16,
    /// Who speaks.
    pub speaker: ClientId,
    /// +1 for every voice packet of the speaker, modulo 65,536.
    pub sequence: u16,
    /// In frame lengths, modulo 256.
    pub media_time: u8,
    /// How long the frame is. Another one than before only with a mark.
    pub frame_length: FrameLength,
}

impl VoiceHeader {
    /// Writes a packet up to its payload; gives the length. `None` if there is no room, no channel, too many of anything, or
    /// something is not ascending.
    pub fn write(&self, out: &mut [u8], channels: &[Channel], relay: Option<(bool, &[ClientId])>) -> Option<usize> {
        let ascending = channels.is_sorted_by(|a, b| a.target < b.target);
        if channels.is_empty() || channels.len() > MAX_CHANNELS || !ascending {
            return None;
        }
        let mut writer = Writer::new(out);
        self.write_fixed(relay.is_some(), &mut writer);
        for (at, channel) in channels.iter().enumerate() {
            channel.write(at + 1 < channels.len(), &mut writer);
        }
        if let Some((only, clients)) = relay {
            let count =
                u8::try_from(clients.len()).ok().filter(|count| (1..=MAX_RELAY_LIST).contains(&usize::from(*count)))?;
            if !clients.is_sorted_by(|a, b| a < b) {
                return None;
            }
            writer.u8(count | if only { ONLY } else { 0 });
            for client in clients {
                writer.u16(client.get());
            }
        }
        writer.finish()
    }

    fn write_fixed(&self, relay: bool, writer: &mut Writer<'_>) {
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        let length = frame_code(self.frame_length) << FRAME_LENGTH_SHIFT;
        writer.u8(VOICE | flag(self.mark, MARK) | flag(self.end, END) | flag(relay, RELAY) | length);
        writer.u16(self.tag).u16(self.speaker.get()).u16(self.sequence).u8(self.media_time);
    }
}

/// A voice packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voice<'a> {
    /// Marks, numbers, speaker.
    pub header: VoiceHeader,
    /// Whom it reaches.
    pub channels: Channels<'a>,
    /// Whom the server shall leave out; only from client to server.
    pub relay: Option<RelayList<'a>>,
    /// The frame, at most 1,000 bytes; empty only at an end.
    pub payload: &'a [u8],
}

impl<'a> Voice<'a> {
    /// Reads a packet whose first byte has its highest bit set.
    ///
    /// # Errors
    /// Empty, TooLong, UnknownKind (it is no voice), Truncated or Malformed.
    pub fn decode(bytes: &'a [u8]) -> Read<Self> {
        if bytes.len() > MAX_PACKET_BYTES {
            return Err(DropReason::TooLong);
        }
        let mut reader = Reader::new(bytes);
        let flags = reader.u8().map_err(|_| DropReason::Empty)?;
        if flags & VOICE == 0 {
            return Err(DropReason::UnknownKind);
        }
        let header = VoiceHeader {
            mark: flags & MARK != 0,
            end: flags & END != 0,
            tag: reader.u16()?,
            speaker: reader.client()?,
            sequence: reader.u16()?,
            media_time: reader.u8()?,
            frame_length: frame_length((flags & FRAME_LENGTH) >> FRAME_LENGTH_SHIFT),
        };
        if flags & RESERVED != 0 {
            return Err(DropReason::Malformed);
        }
        let channels = read_channels(&mut reader)?;
        let relay = if flags & RELAY == 0 { None } else { Some(read_relay(&mut reader)?) };
        let payload = reader.rest(usize::from(!header.end), MAX_PAYLOAD_BYTES)?;
        Ok(Self { header, channels, relay, payload })
    }

    /// Writes the packet; `None` if `out` is too small, or the payload is too long or empty without an end.
    pub fn encode(&self, out: &mut [u8]) -> Option<usize> {
        let mut writer = Writer::new(out);
        self.header.write_fixed(self.relay.is_some(), &mut writer);
        writer.bytes(self.channels.0);
        if let Some(relay) = &self.relay {
            let count = u8::try_from(relay.clients.len() / 2).ok()?;
            writer.u8(count | if relay.only { ONLY } else { 0 }).bytes(relay.clients);
        }
        writer.rest(self.payload, usize::from(!self.header.end), MAX_PAYLOAD_BYTES).finish()
    }
}

/// The usual length is 0.
const fn frame_code(length: FrameLength) -> u8 {
    match length {
        FrameLength::Ms20 => 0,
        FrameLength::Ms10 => 1,
        FrameLength::Ms40 => 2,
        FrameLength::Ms60 => 3,
    }
}

const fn frame_length(code: u8) -> FrameLength {
    match code {
        0 => FrameLength::Ms20,
        1 => FrameLength::Ms10,
        2 => FrameLength::Ms40,
        _ => FrameLength::Ms60,
    }
}

fn read_channels<'a>(reader: &mut Reader<'a>) -> Read<Channels<'a>> {
    let mut ahead = *reader;
    let mut before = None;
    for count in 1..=MAX_CHANNELS {
        let (channel, more) = Channel::read(ahead.array()?)?;
        if before.is_some_and(|before| before >= channel.target) {
            return Err(DropReason::Malformed);
        }
        before = Some(channel.target);
        if !more {
            return reader.bytes(count * CHANNEL_BYTES).map(Channels);
        }
    }
    Err(DropReason::Malformed)
}

fn read_relay<'a>(reader: &mut Reader<'a>) -> Read<RelayList<'a>> {
    let flags = reader.u8()?;
    let count = usize::from(flags & RELAY_COUNT);
    if flags & !(ONLY | RELAY_COUNT) != 0 || !(1..=MAX_RELAY_LIST).contains(&count) {
        return Err(DropReason::Malformed);
    }
    let clients = reader.bytes(count * 2)?;
    let mut before = 0;
    for id in clients.as_chunks().0 {
        let id = u16::from_be_bytes(*id);
        if id <= before {
            return Err(DropReason::Malformed);
        }
        before = id;
    }
    Ok(RelayList { only: flags & ONLY != 0, clients })
}

/// A voice packet taken apart by value, so that its bytes can be rewritten.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ParsedVoice {
    pub(crate) header: VoiceHeader,
    channels: [Channel; MAX_CHANNELS],
    count: usize,
    payload_at: usize,
    relayed: bool,
}

impl ParsedVoice {
    pub(crate) fn new(voice: &Voice<'_>, packet_len: usize) -> Self {
        let nobody = Channel { target: Target::Client(voice.header.speaker), options: ChannelOptions::DEFAULT };
        let mut channels = [nobody; MAX_CHANNELS];
        let mut count = 0;
        for (slot, channel) in channels.iter_mut().zip(voice.channels.iter()) {
            *slot = channel;
            count += 1;
        }
        let payload_at = packet_len.saturating_sub(voice.payload.len());
        Self { header: voice.header, channels, count, payload_at, relayed: voice.relay.is_some() }
    }

    pub(crate) fn channels(&self) -> &[Channel] {
        self.channels.get(..self.count).unwrap_or_default()
    }

    /// The packet with just the channels whose bit is set in `keep`, and without a relay list: the header is written anew right
    /// before the payload, which stays where it is. Can be done again with other channels.
    pub(crate) fn rewrite<'p>(&self, packet: &'p mut [u8], keep: u8) -> &'p [u8] {
        // With one channel every listener gets the packet as it came.
        if self.count == 1 && !self.relayed {
            return packet;
        }
        let kept = keep.count_ones() as usize;
        let Some(start) = self.payload_at.checked_sub(FIXED_BYTES + kept * CHANNEL_BYTES) else { return &[] };
        let Some(room) = packet.get_mut(start..self.payload_at) else { return &[] };
        let mut writer = Writer::new(room);
        self.header.write_fixed(false, &mut writer);
        let mut left = kept;
        for (at, channel) in self.channels().iter().enumerate() {
            if keep >> at & 1 != 0 {
                left -= 1;
                channel.write(left > 0, &mut writer);
            }
        }
        packet.get(start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: [u8; 3] = [1, 2, 3];

    fn channel(room: u16) -> Channel {
        Channel { target: Target::Room(RoomId::new(room).unwrap()), options: ChannelOptions::DEFAULT }
    }

    /// Writes a voice packet to these rooms; gives its length.
    fn write(out: &mut [u8], rooms: &[Channel], relay: Option<(bool, &[ClientId])>) -> usize {
        let speaker = ClientId::new(258).unwrap();
        let header = VoiceHeader {
            mark: true,
            end: false,
            tag: 9,
            speaker,
            sequence: 3,
            media_time: 4,
            frame_length: FrameLength::Ms40,
        };
        let start = header.write(out, rooms, relay).unwrap();
        out[start..start + PAYLOAD.len()].copy_from_slice(&PAYLOAD);
        start + PAYLOAD.len()
    }

    #[test]
    fn a_packet_can_be_rewritten_for_every_choice_of_channels_in_turn() {
        let rooms = [channel(1), channel(2), channel(3)];
        let mut out = [0xAA; 64];
        let len = write(&mut out, &rooms, Some((false, &[ClientId::new(7).unwrap()])));
        let packet = &mut out[..len];
        let parsed = ParsedVoice::new(&Voice::decode(packet).unwrap(), len);
        for keep in [7_u8, 1, 6, 5, 2, 7] {
            let kept = Voice::decode(parsed.rewrite(packet, keep)).unwrap();
            let wanted = rooms.iter().enumerate().filter(|(at, _)| keep >> at & 1 != 0).map(|(_, channel)| *channel);
            assert!(kept.channels.iter().eq(wanted), "{keep}");
            assert_eq!((kept.header, kept.relay, kept.payload), (parsed.header, None, PAYLOAD.as_slice()));
        }
    }

    #[test]
    fn a_relay_list_is_taken_away_from_a_packet_with_one_channel() {
        let mut out = [0xAA; 64];
        let len = write(&mut out, &[channel(1)], Some((true, &[ClientId::new(7).unwrap()])));
        let parsed = ParsedVoice::new(&Voice::decode(&out[..len]).unwrap(), len);
        let mut plain = [0xAA; 64];
        let plain_len = write(&mut plain, &[channel(1)], None);
        assert_eq!(parsed.rewrite(&mut out[..len], 1), &plain[..plain_len]);
    }
}
