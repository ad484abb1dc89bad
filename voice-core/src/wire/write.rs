use crate::{types::Target, wire::limits::MAX_NAME_BYTES};

/// Puts fields into a buffer, which it never reads. Once something doesn't fit, nothing more is written.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    out: &'a mut [u8],
    at: Option<usize>,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: Some(0) }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.at = self.at.and_then(|at| {
            let end = at.checked_add(bytes.len())?;
            self.out.get_mut(at..end)?.copy_from_slice(bytes);
            Some(end)
        });
        self
    }

    pub(super) fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    pub(super) fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn target(&mut self, target: Target) -> &mut Self {
        match target {
            Target::Room(room) => self.u8(0).u16(room.get()),
            Target::Client(client) => self.u8(1).u16(client.get()),
        }
    }

    /// A name of `least` to 64 bytes with its length; another one doesn't fit.
    pub(super) fn name(&mut self, name: &[u8], least: usize) -> &mut Self {
        match u8::try_from(name.len()) {
            Ok(len) => self.u8(len).rest(name, least, MAX_NAME_BYTES),
            Err(_) => self.fail(),
        }
    }

    /// `least` to `most` bytes; more or fewer don't fit.
    pub(super) fn rest(&mut self, bytes: &[u8], least: usize, most: usize) -> &mut Self {
        if (least..=most).contains(&bytes.len()) { self.bytes(bytes) } else { self.fail() }
    }

    pub(super) fn fail(&mut self) -> &mut Self {
        self.at = None;
        self
    }

    /// Bytes written, `None` if not all fitted.
    pub(super) const fn finish(&self) -> Option<usize> {
        self.at
    }
}
