use super::{Kind, Read, limits::MAX_CREDENTIAL_BYTES, read::Reader, reason::RefuseReason, write::Writer};
use crate::types::{ClientId, CodecSettings, DropReason, FrameLength, Priority, Secret, SessionId};

/// First bytes of a Hello after its kind.
pub const MAGIC: u32 = 0x434E_5356;
/// The version of this page.
pub const VERSION: u8 = 1;
/// Direct paths.
pub const FEATURE_DIRECT: u32 = 1;
/// Listeners' reports, and summaries of them for speakers.
pub const FEATURE_REPORTS: u32 = 2;
/// Phase.
pub const FEATURE_PHASE: u32 = 4;

/// What a client tells of itself for all to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateFlags {
    /// Sends no voice.
    pub muted: bool,
    /// Hears no voice.
    pub deafened: bool,
}

impl StateFlags {
    pub(crate) const NONE: Self = Self { muted: false, deafened: false };

    pub(crate) const fn number(self) -> u8 {
        self.muted as u8 | (self.deafened as u8) << 1
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        match reader.u8()? {
            flags @ 0..=3 => Ok(Self { muted: flags & 1 != 0, deafened: flags & 2 != 0 }),
            _ => Err(DropReason::Malformed),
        }
    }
}

/// A seat that a client had and wants back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    /// Session of the seat.
    pub session: SessionId,
    /// Its client id.
    pub client: ClientId,
    /// Its resume secret.
    pub secret: Secret,
}

/// A client wants to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello<'a> {
    /// Version spoken.
    pub version: u8,
    /// Features offered.
    pub features: u32,
    /// Drawn anew for each Hello; its answer repeats it.
    pub nonce: u32,
    /// How its voice is encoded.
    pub codec: CodecSettings,
    /// Muted, deafened.
    pub flags: StateFlags,
    /// Own default priority.
    pub priority: Priority,
    /// The seat it wants back.
    pub resume: Option<Resume>,
    /// Display name, at most 64 bytes.
    pub name: &'a str,
    /// At most 512 bytes for the embedder.
    pub credential: &'a [u8],
}

impl<'a> Hello<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Read<Self> {
        if reader.u32()? != MAGIC {
            return Err(DropReason::Malformed);
        }
        let version = reader.u8()?;
        let features = reader.u32()?;
        let nonce = reader.u32()?;
        if version != VERSION {
            // What follows is the other version's business; the nonce is there to be answered.
            return Err(DropReason::WrongVersion);
        }
        let hello = Self {
            version,
            features,
            nonce,
            codec: read_codec(reader)?,
            flags: StateFlags::read(reader)?,
            priority: reader.priority()?,
            resume: Resume::read(reader)?,
            name: reader.name(0)?,
            credential: read_credential(reader)?,
        };
        reader.end().map(|()| hello)
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.u32(MAGIC).u8(self.version).u32(self.features).u32(self.nonce);
        write_codec(&self.codec, writer);
        writer.u8(self.flags.number()).u8(self.priority as u8);
        match &self.resume {
            None => writer.u8(0),
            Some(resume) => writer.u8(1).u32(resume.session.get()).u16(resume.client.get()).bytes(&resume.secret.0),
        };
        writer.name(self.name.as_bytes(), 0);
        write_credential(self.credential, writer);
    }
}

impl Resume {
    fn read(reader: &mut Reader<'_>) -> Read<Option<Self>> {
        if !reader.flag()? {
            return Ok(None);
        }
        let (session, client) = (reader.session()?, reader.client()?);
        Ok(Some(Self { session, client, secret: Secret(reader.array()?) }))
    }
}

fn read_credential<'a>(reader: &mut Reader<'a>) -> Read<&'a [u8]> {
    let len = usize::from(reader.u16()?);
    if len > MAX_CREDENTIAL_BYTES { Err(DropReason::Malformed) } else { reader.bytes(len) }
}

fn write_credential(credential: &[u8], writer: &mut Writer<'_>) {
    match u16::try_from(credential.len()) {
        Ok(len) => writer.u16(len).rest(credential, 0, MAX_CREDENTIAL_BYTES),
        Err(_) => writer.fail(),
    };
}

pub(super) fn read_codec(reader: &mut Reader<'_>) -> Read<CodecSettings> {
    let settings = CodecSettings {
        codec: reader.u8()?,
        frame_length: FrameLength::from_ms(reader.u8()?).ok_or(DropReason::Malformed)?,
        bitrate: reader.u32()?,
    };
    if is_in_range(&settings) { Ok(settings) } else { Err(DropReason::Malformed) }
}

pub(super) fn write_codec(settings: &CodecSettings, writer: &mut Writer<'_>) {
    if !is_in_range(settings) {
        writer.fail();
    }
    writer.u8(settings.codec).u8(settings.frame_length.ms()).u32(settings.bitrate);
}

fn is_in_range(settings: &CodecSettings) -> bool {
    (settings.codec == 1 || settings.codec >= 128) && (1..=1_000_000).contains(&settings.bitrate)
}

/// A client has a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Welcome {
    /// The session.
    pub session: SessionId,
    /// Nonce of the Hello.
    pub nonce: u32,
    /// Version the session uses.
    pub version: u8,
    /// Features in use.
    pub features: u32,
    /// The client's id.
    pub client: ClientId,
    /// Whether it is a seat that the client had before.
    pub resumed: bool,
    /// For the next resume.
    pub secret: Secret,
    /// How long a seat without connection is kept, s.
    pub grace_s: u16,
    /// Most rooms per client.
    pub max_rooms: u8,
}

impl Welcome {
    pub(super) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let welcome = Self {
            session: reader.session()?,
            nonce: reader.u32()?,
            version: reader.u8()?,
            features: reader.u32()?,
            client: reader.client()?,
            resumed: reader.flag()?,
            secret: Secret(reader.array()?),
            grace_s: reader.u16()?,
            max_rooms: reader.u8()?,
        };
        if welcome.version != VERSION {
            // Only a Hello can be of another version; nobody may answer ours with one that it didn't name.
            return Err(DropReason::Malformed);
        }
        reader.end().map(|()| welcome)
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.u32(self.session.get()).u32(self.nonce).u8(self.version).u32(self.features).u16(self.client.get());
        writer.u8(self.resumed.into()).bytes(&self.secret.0).u16(self.grace_s).u8(self.max_rooms);
    }
}

pub(super) fn read_refused(reader: &mut Reader<'_>) -> Read<(u32, RefuseReason)> {
    let nonce = reader.u32()?;
    let reason = RefuseReason::from_number(reader.u8()?).ok_or(DropReason::Malformed)?;
    reader.end().map(|()| (nonce, reason))
}

/// The join nonce of a Hello of whatever version, to refuse it by.
pub(crate) fn hello_nonce(bytes: &[u8]) -> Option<u32> {
    let mut reader = Reader::new(bytes);
    (reader.u8().ok()? == Kind::Hello as u8 && reader.u32().ok()? == MAGIC).then_some(())?;
    reader.bytes(5).ok()?;
    reader.u32().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nonce_of_a_hello_of_another_version_can_be_read() {
        let hello = [1, 0x43, 0x4E, 0x53, 0x56, 2, 0, 0, 0, 1, 0x11, 0x22, 0x33, 0x44];
        assert_eq!(hello_nonce(&hello), Some(0x1122_3344));
        assert_eq!(hello_nonce(&hello[..13]), None);
        let mut other_magic = hello;
        other_magic[4] = 0x57;
        assert_eq!(hello_nonce(&other_magic), None);
    }
}
