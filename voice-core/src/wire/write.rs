use crate::types::Target;

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

    /// Text with a length of one byte; what is longer than 255 bytes doesn't fit.
    pub(super) fn name(&mut self, name: &str) -> &mut Self {
        match u8::try_from(name.len()) {
            Ok(len) => self.u8(len).bytes(name.as_bytes()),
            Err(_) => self.fail(),
        }
    }

    /// Bytes with a length of two bytes.
    pub(super) fn blob(&mut self, bytes: &[u8]) -> &mut Self {
        match u16::try_from(bytes.len()) {
            Ok(len) => self.u16(len).bytes(bytes),
            Err(_) => self.fail(),
        }
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
