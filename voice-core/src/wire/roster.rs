use super::{
    Lane, Read,
    hello::{read_codec, write_codec},
    limits::{MAX_PACKET_BYTES, MAX_ROOMS_PER_CLIENT},
    read::Reader,
    write::Writer,
};
use crate::types::{ClientId, CodecSettings, DropReason, Priority, RoomId};

/// What is known of a person besides name and rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PersonFlags {
    /// Muted by itself.
    pub muted: bool,
    /// Deafened.
    pub deafened: bool,
    /// Muted by the server.
    pub server_muted: bool,
    /// Without a connection, but its seat is kept.
    pub reconnecting: bool,
}

const GONE: u8 = 0x80;

impl PersonFlags {
    pub(crate) const NONE: Self = Self { muted: false, deafened: false, server_muted: false, reconnecting: false };

    const fn number(self) -> u8 {
        self.muted as u8 | (self.deafened as u8) << 1 | (self.server_muted as u8) << 2 | (self.reconnecting as u8) << 3
    }

    const fn from_number(number: u8) -> Option<Self> {
        if number > 15 {
            return None;
        }
        Some(Self {
            muted: number & 1 != 0,
            deafened: number & 2 != 0,
            server_muted: number & 4 != 0,
            reconnecting: number & 8 != 0,
        })
    }
}

/// Ids of rooms, strictly ascending, at most 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoomList<'a>(&'a [u8]);

impl RoomList<'_> {
    /// The ids, ascending.
    pub fn iter(&self) -> impl Iterator<Item = RoomId> + Clone + '_ {
        self.0.as_chunks::<2>().0.iter().filter_map(|id| RoomId::new(u16::from_be_bytes(*id)))
    }

    /// How many.
    pub const fn len(&self) -> usize {
        self.0.len() / 2
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A person's whole state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present<'a> {
    /// Mutes and connection.
    pub flags: PersonFlags,
    /// How its voice is encoded.
    pub codec: CodecSettings,
    /// Own default priority.
    pub priority: Priority,
    /// Display name, at most 64 bytes.
    pub name: &'a str,
    /// Rooms it listens to.
    pub rooms: RoomList<'a>,
}

/// What a roster page says of one id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Whom it is about.
    pub client: ClientId,
    /// Its state; `None` when it is gone.
    pub present: Option<Present<'a>>,
}

impl<'a> Record<'a> {
    fn read(reader: &mut Reader<'a>) -> Read<Self> {
        let client = reader.client()?;
        let flags = reader.u8()?;
        if flags == GONE {
            return Ok(Self { client, present: None });
        }
        let flags = PersonFlags::from_number(flags).ok_or(DropReason::Malformed)?;
        let present = Present {
            flags,
            codec: read_codec(reader)?,
            priority: reader.priority()?,
            name: reader.name(0)?,
            rooms: read_rooms(reader)?,
        };
        Ok(Self { client, present: Some(present) })
    }
}

fn read_rooms<'a>(reader: &mut Reader<'a>) -> Read<RoomList<'a>> {
    let count = usize::from(reader.u8()?);
    if count > MAX_ROOMS_PER_CLIENT {
        return Err(DropReason::Malformed);
    }
    let bytes = reader.bytes(count * 2)?;
    let mut before = 0;
    for id in bytes.as_chunks::<2>().0 {
        let id = u16::from_be_bytes(*id);
        if id <= before {
            return Err(DropReason::Malformed);
        }
        before = id;
    }
    Ok(RoomList(bytes))
}

/// A page of the roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roster<'a> {
    /// Lane header.
    pub lane: Lane,
    /// Whether a sweep begins.
    pub first: bool,
    /// Whether a sweep ends.
    pub last: bool,
    records: &'a [u8],
}

impl<'a> Roster<'a> {
    /// The records.
    pub fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let mut reader = Reader::new(self.records);
        core::iter::from_fn(move || if reader.len() == 0 { None } else { Record::read(&mut reader).ok() })
    }

    pub(super) fn read(lane: Lane, reader: &mut Reader<'a>) -> Read<Self> {
        let flags = reader.u8()?;
        if flags > 3 {
            return Err(DropReason::Malformed);
        }
        let records = reader.rest(0, MAX_PACKET_BYTES)?;
        let mut check = Reader::new(records);
        while check.len() > 0 {
            Record::read(&mut check)?;
        }
        Ok(Self { lane, first: flags & 1 != 0, last: flags & 2 != 0, records })
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) {
        writer.u8(u8::from(self.first) | u8::from(self.last) << 1).bytes(self.records);
    }
}

/// Builds one roster page record by record.
#[derive(Debug)]
pub struct RosterWriter<'a> {
    out: &'a mut [u8],
    len: usize,
}

const HEADER_BYTES: usize = 8;

impl<'a> RosterWriter<'a> {
    /// Begins a page of at most 1,200 bytes in `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        let most = out.len().min(MAX_PACKET_BYTES);
        let out = out.get_mut(..most).unwrap_or_default();
        Self { out, len: HEADER_BYTES }
    }

    /// Adds that `client` is gone. False if the page is full.
    pub fn push_gone(&mut self, client: ClientId) -> bool {
        self.push_with(|writer| {
            writer.u16(client.get()).u8(GONE);
        })
    }

    /// Adds a person; `rooms` strictly ascending, at most 32. False if the page is full or something is out of its range.
    pub fn push_present(
        &mut self,
        client: ClientId,
        flags: PersonFlags,
        codec: &CodecSettings,
        priority: Priority,
        name: &str,
        rooms: impl Iterator<Item = RoomId> + Clone,
    ) -> bool {
        self.push_named(client, flags, codec, priority, name.as_bytes(), rooms)
    }

    /// The same with a name that is known to be UTF-8.
    pub(crate) fn push_named(
        &mut self,
        client: ClientId,
        flags: PersonFlags,
        codec: &CodecSettings,
        priority: Priority,
        name: &[u8],
        rooms: impl Iterator<Item = RoomId> + Clone,
    ) -> bool {
        self.push_with(|writer| {
            writer.u16(client.get()).u8(flags.number());
            write_codec(codec, writer);
            writer.u8(priority as u8).name(name, 0);
            write_rooms(rooms, writer);
        })
    }

    /// Adds a record as it was read. False if the page is full.
    pub fn push(&mut self, record: &Record<'_>) -> bool {
        match &record.present {
            None => self.push_gone(record.client),
            Some(p) => self.push_present(record.client, p.flags, &p.codec, p.priority, p.name, p.rooms.iter()),
        }
    }

    /// Whether nothing was added yet.
    pub const fn is_empty(&self) -> bool {
        self.len == HEADER_BYTES
    }

    /// Writes the header; gives the packet's length, `None` if not even that fits.
    pub fn finish(self, lane: Lane, first: bool, last: bool) -> Option<usize> {
        let mut writer = Writer::new(self.out);
        lane.write(writer.u8(super::Kind::Roster as u8));
        Roster { lane, first, last, records: &[] }.write_body(&mut writer);
        writer.finish().map(|_| self.len)
    }

    fn push_with(&mut self, write: impl FnOnce(&mut Writer<'_>)) -> bool {
        let mut writer = Writer::new(self.out.get_mut(self.len..).unwrap_or_default());
        write(&mut writer);
        match writer.finish() {
            Some(len) if len > 0 => {
                self.len += len;
                true
            }
            _ => false,
        }
    }
}

fn write_rooms(rooms: impl Iterator<Item = RoomId> + Clone, writer: &mut Writer<'_>) {
    let count = u8::try_from(rooms.clone().take(MAX_ROOMS_PER_CLIENT + 1).count()).unwrap_or(u8::MAX);
    if usize::from(count) > MAX_ROOMS_PER_CLIENT || !rooms.clone().is_sorted_by(|a, b| a < b) {
        writer.fail();
    }
    writer.u8(count);
    for room in rooms {
        writer.u16(room.get());
    }
}
