//! Sound that waits to be heard, with a little of what was heard last before it: splices look back.

/// Heard sound that is kept: 15 ms, the longest pitch period.
pub(super) const HISTORY: usize = 720;

/// Mono samples in one fixed piece of memory: heard ones, then waiting ones.
#[derive(Debug)]
pub(super) struct Buffer {
    samples: Vec<i16>,
    /// The first waiting sample.
    start: usize,
    /// The end of the waiting samples.
    end: usize,
}

impl Buffer {
    /// Room for so many waiting samples; never more.
    pub(super) fn new(capacity: usize) -> Self {
        Self { samples: vec![0; HISTORY + capacity], start: HISTORY, end: HISTORY }
    }

    /// Forgets all sound.
    pub(super) fn clear(&mut self) {
        self.samples.fill(0);
        (self.start, self.end) = (HISTORY, HISTORY);
    }

    pub(super) fn waiting(&self) -> usize {
        self.end - self.start
    }

    /// How many more samples may wait before some are given up.
    pub(super) fn free(&self) -> usize {
        self.samples.len() - HISTORY - self.waiting()
    }

    /// Space for so many more samples at the end, to be filled by `fill`, which says how many it wrote. Without enough room the oldest waiting
    /// sound is given up.
    pub(super) fn append(&mut self, samples: usize, fill: impl FnOnce(&mut [i16]) -> usize) {
        self.make_room(samples);
        let free = &mut self.samples[self.end..];
        let space = samples.min(free.len());
        let written = fill(&mut free[..space]);
        self.end += written.min(space);
    }

    /// Moves waiting sound out; what isn't there stays silent. Returns how much there was.
    pub(super) fn read(&mut self, out: &mut [i16]) -> usize {
        let count = self.waiting().min(out.len());
        let (sound, silence) = out.split_at_mut(count);
        sound.copy_from_slice(&self.samples[self.start..self.start + count]);
        silence.fill(0);
        self.start += count;
        count
    }

    /// The newest waiting samples, at most so many.
    pub(super) fn tail(&mut self, samples: usize) -> &mut [i16] {
        let from = self.start.max(self.end.saturating_sub(samples));
        &mut self.samples[from..self.end]
    }

    /// All samples kept, and where the waiting ones begin.
    pub(super) fn all(&self) -> (&[i16], usize) {
        (&self.samples[..self.end], self.start)
    }

    /// Takes `lag` samples out at `at`, fading over `fade` samples from what is there to what comes `lag` later.
    pub(super) fn cut(&mut self, at: usize, lag: usize, fade: usize) {
        crossfade_forward(&mut self.samples[at..], lag, fade);
        self.samples.copy_within(at + lag + fade..self.end, at + fade);
        self.end -= lag;
    }

    /// Puts `lag` samples in after `at + lag`: what follows is faded over `lag` samples into what was from `at` on, and then follows once more.
    pub(super) fn repeat(&mut self, at: usize, lag: usize) {
        let before = self.start;
        self.make_room(lag);
        let at = at - (before - self.start);
        let seam = at + lag;
        self.samples.copy_within(seam..self.end, seam + lag);
        self.end += lag;
        for i in 0..lag {
            let following = self.samples[seam + lag + i];
            self.samples[seam + i] = blend(following, self.samples[at + i], i, lag);
        }
    }

    fn make_room(&mut self, samples: usize) {
        if self.end + samples <= self.samples.len() {
            return;
        }
        let capacity = self.samples.len() - HISTORY;
        let excess = (self.waiting() + samples).saturating_sub(capacity).min(self.waiting());
        let from = self.start + excess - HISTORY;
        self.samples.copy_within(from..self.end, 0);
        self.end -= from;
        self.start = HISTORY;
    }
}

fn crossfade_forward(samples: &mut [i16], lag: usize, fade: usize) {
    for i in 0..fade {
        samples[i] = blend(samples[i], samples[lag + i], i, fade);
    }
}

/// From `a` at 0 to `b` at `len`.
fn blend(a: i16, b: i16, i: usize, len: usize) -> i16 {
    let (i, len) = (i as i64, len as i64);
    let mixed = (i64::from(a) * (len - i) + i64::from(b) * i) / len.max(1);
    mixed as i16
}
