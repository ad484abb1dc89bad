//! The fuzzer's bytes, read as choices.

/// Reads choices from bytes; past the end everything is 0.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes steps until the bytes are used up, at most 200.
    pub(crate) fn steps(&mut self, mut step: impl FnMut(&mut Self)) {
        for _ in 0..200 {
            if self.is_empty() {
                return;
            }
            step(self);
        }
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// A number below `end`, which is at most 256.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 != 0
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from(self.u32()) << 32 | u64::from(self.u32())
    }

    /// The next bytes, at most `len`.
    pub(crate) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        front
    }

    /// Bytes of a drawn length, mostly short.
    pub(crate) fn packet(&mut self) -> &'a [u8] {
        let len = match self.byte() {
            255 => 1_400,
            len => usize::from(len),
        };
        self.bytes(len)
    }

    /// Bytes with up to three of them changed.
    pub(crate) fn bent(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bent = bytes.to_vec();
        for _ in 0..self.below(4) {
            let at = self.below(256);
            if let Some(byte) = bent.get_mut(at) {
                *byte = self.byte();
            }
        }
        bent
    }
}
