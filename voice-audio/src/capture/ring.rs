/// A queue of samples with a bound: what doesn't fit pushes the oldest out, counted.
///
/// Where samples were pushed out, two that don't belong together follow one another. The step between them is spread over about
/// 10 ms by an offset that dies away, so that the gap makes no click.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    samples: Box<[f32]>,
    start: usize,
    len: usize,
    dropped: u64,
    last: f32,
    gap: bool,
    offset: f32,
    decay: f32,
}

/// How fast the offset dies away, in seconds to 1/e.
const SPREAD: f32 = 0.002_5;
const INAUDIBLE: f32 = 1e-5;

impl Ring {
    /// Makes an empty ring for `capacity` samples (at least one) of `rate` hertz.
    pub(super) fn new(capacity: usize, rate: u32) -> Self {
        Self {
            samples: vec![0.0; capacity.max(1)].into_boxed_slice(),
            start: 0,
            len: 0,
            dropped: 0,
            last: 0.0,
            gap: false,
            offset: 0.0,
            decay: (-1.0 / (SPREAD * rate as f32)).exp(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Samples pushed out so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn push(&mut self, sample: f32) {
        if self.len == self.samples.len() {
            self.start = self.following(self.start);
            self.len -= 1;
            self.dropped += 1;
            self.gap = true;
        }
        let end = self.start + self.len;
        let end = if end < self.samples.len() { end } else { end - self.samples.len() };
        self.samples[end] = sample;
        self.len += 1;
    }

    /// Fills `out` and says so, or takes nothing if there aren't enough samples.
    pub(super) fn pop(&mut self, out: &mut [f32]) -> bool {
        if self.len < out.len() {
            return false;
        }
        for place in out.iter_mut() {
            *place = self.samples[self.start];
            self.start = self.following(self.start);
        }
        self.len -= out.len();
        self.smooth(out);
        true
    }

    /// Leaves out the next `count` samples, as far as there are so many; gives how many they were.
    pub(super) fn skip(&mut self, count: usize) -> usize {
        let skipped = count.min(self.len);
        self.start = (self.start + skipped) % self.samples.len();
        self.len -= skipped;
        self.gap |= skipped > 0;
        skipped
    }

    fn following(&self, at: usize) -> usize {
        if at + 1 == self.samples.len() { 0 } else { at + 1 }
    }

    fn smooth(&mut self, out: &mut [f32]) {
        let Some(&first) = out.first() else { return };
        if std::mem::take(&mut self.gap) {
            self.offset = self.last - first;
        }
        if self.offset != 0.0 {
            for sample in out.iter_mut() {
                *sample += self.offset;
                self.offset *= self.decay;
            }
            if self.offset.abs() < INAUDIBLE {
                self.offset = 0.0;
            }
        }
        self.last = out[out.len() - 1];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_out_in_order_and_unchanged() {
        let mut ring = Ring::new(4, 48_000);
        let mut out = [0.0; 2];
        for n in 0..50 {
            ring.push(n as f32);
            ring.push(n as f32 + 0.5);
            assert!(ring.pop(&mut out));
            assert_eq!(out, [n as f32, n as f32 + 0.5]);
        }
        assert_eq!(ring.dropped(), 0);
    }

    #[test]
    fn too_few_samples_stay_where_they_are() {
        let mut ring = Ring::new(4, 48_000);
        ring.push(1.0);
        assert!(!ring.pop(&mut [0.0; 2]));
        assert_eq!(ring.len(), 1);
        assert!(ring.pop(&mut []));
    }

    #[test]
    fn the_oldest_give_way_and_leave_no_step() {
        let mut ring = Ring::new(480, 48_000);
        let mut out = [0.0; 480];
        (0..480).for_each(|_| ring.push(0.5));
        assert!(ring.pop(&mut out));
        (0..1_000).for_each(|_| ring.push(-0.5));
        assert_eq!((ring.len(), ring.dropped()), (480, 520));
        assert!(ring.pop(&mut out));
        assert_eq!(out[0], 0.5);
        assert!(out.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.01));
        assert!((out[479] + 0.5).abs() < 0.05);
    }
}
