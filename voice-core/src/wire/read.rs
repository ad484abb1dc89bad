use crate::{
    types::{ClientId, DropReason, Priority, RoomId, SessionId, Target},
    wire::limits::MAX_NAME_BYTES,
};

/// Takes fields off the front of a packet. Nothing else in the crate indexes received bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

pub(super) type Read<T> = Result<T, DropReason>;

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn bytes(&mut self, len: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(DropReason::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(DropReason::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Read<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Read<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Read<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Read<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn flag(&mut self) -> Read<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DropReason::Malformed),
        }
    }

    pub(super) fn session(&mut self) -> Read<SessionId> {
        SessionId::new(self.u32()?).ok_or(DropReason::Malformed)
    }

    pub(super) fn client(&mut self) -> Read<ClientId> {
        ClientId::new(self.u16()?).ok_or(DropReason::Malformed)
    }

    pub(super) fn room(&mut self) -> Read<RoomId> {
        RoomId::new(self.u16()?).ok_or(DropReason::Malformed)
    }

    pub(super) fn priority(&mut self) -> Read<Priority> {
        Priority::from_number(self.u8()?).ok_or(DropReason::Malformed)
    }

    pub(super) fn target(&mut self) -> Read<Target> {
        match self.u8()? {
            0 => self.room().map(Target::Room),
            1 => self.client().map(Target::Client),
            _ => Err(DropReason::Malformed),
        }
    }

    /// A name of `least` to 64 bytes with its length.
    pub(super) fn name(&mut self, least: usize) -> Read<&'a str> {
        let len = usize::from(self.u8()?);
        if len < least || len > MAX_NAME_BYTES {
            return Err(DropReason::Malformed);
        }
        core::str::from_utf8(self.bytes(len)?).map_err(|_| DropReason::Malformed)
    }

    /// All that is left, of which there must be `least` to `most` bytes.
    pub(super) fn rest(&mut self, least: usize, most: usize) -> Read<&'a [u8]> {
        let rest = core::mem::take(&mut self.0);
        match rest.len() {
            len if len < least => Err(DropReason::Truncated),
            len if len > most => Err(DropReason::Malformed),
            _ => Ok(rest),
        }
    }

    pub(super) fn end(&self) -> Read<()> {
        if self.0.is_empty() { Ok(()) } else { Err(DropReason::Malformed) }
    }
}
