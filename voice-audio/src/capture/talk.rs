//! Hops become frames, and frames become talkspurts with a pre-roll.
//!
//! A frame that isn't known to be speech is held back for the time of the pre-roll. If a talkspurt begins meanwhile, all that is held
//! is its beginning and is released at once; else the frame leaves as silence. So frames leave in order, none is missing and none is
//! given twice, in speech and in silence.

use super::gate::{FADE, fade};
use super::{HOP, Hop};

/// One frame of the own voice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CaptureFrame<'a> {
    /// The samples to encode, of the frame's whole length; zeros in silence.
    pub samples: &'a [i16],
    /// Whether to send it.
    pub kind: FrameKind,
    /// How many more frames can be pulled now without new input: those that a pre-roll has released.
    pub waiting: usize,
}

/// What to do with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// Nothing to send.
    Silence,
    /// To be encoded and sent.
    Speech {
        /// The first of a talkspurt.
        first: bool,
        /// The last of a talkspurt, maybe the first as well: after it the talkspurt is over, and said to be.
        last: bool,
    },
}

impl FrameKind {
    /// Says whether the frame is to be sent.
    pub fn is_speech(self) -> bool {
        self != Self::Silence
    }

    /// Says whether the frame begins a talkspurt.
    pub fn is_first(self) -> bool {
        matches!(self, Self::Speech { first: true, .. })
    }

    /// Says whether the frame ends a talkspurt.
    pub fn is_last(self) -> bool {
        matches!(self, Self::Speech { last: true, .. })
    }
}

/// Cuts sound into frames and talkspurts.
#[derive(Debug, Clone)]
pub(super) struct Talk {
    frame: usize,
    /// A ring of whole frames: first those that are released, then those held back.
    frames: Box<[i16]>,
    kinds: Box<[FrameKind]>,
    start: usize,
    released: usize,
    held: usize,
    /// The frame begun.
    filling: Box<[f32]>,
    filled: usize,
    active: bool,
    talking: bool,
}

impl Talk {
    /// Makes room for frames of `frame` samples, a whole number of hops, and `pre_roll` frames held back.
    pub(super) fn new(frame: usize, pre_roll: usize) -> Self {
        // The frame that begins a talkspurt, and one that is out while the next comes.
        let places = pre_roll + 2;
        Self {
            frame,
            frames: vec![0; places * frame].into_boxed_slice(),
            kinds: vec![FrameKind::Silence; places].into_boxed_slice(),
            start: 0,
            released: 0,
            held: 0,
            filling: vec![0.0; frame].into_boxed_slice(),
            filled: 0,
            active: false,
            talking: false,
        }
    }

    pub(super) fn has_released(&self) -> bool {
        self.released > 0
    }

    /// Samples of the frame begun.
    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    /// Says whether a talkspurt has begun and not ended.
    pub(super) fn is_talking(&self) -> bool {
        self.talking
    }

    /// Appends a hop; at most `pre_roll` frames are held back from now on. What was released must have been taken.
    ///
    /// `heard` says that the hop is speech in any part, `goes_on` that it is at its end.
    pub(super) fn push(&mut self, hop: &Hop, heard: bool, goes_on: bool, pre_roll: usize) {
        self.filling[self.filled..self.filled + HOP].copy_from_slice(hop);
        self.filled += HOP;
        self.active |= heard;
        if self.filled == self.frame {
            self.complete(goes_on, pre_roll);
        }
    }

    /// Ends the frame begun and a talkspurt under way with silence.
    pub(super) fn finish(&mut self, pre_roll: usize) {
        if self.filled == 0 && !self.talking {
            return;
        }
        let fading = self.filled.saturating_sub(FADE);
        fade(&mut self.filling[fading..self.filled], 1.0, 0.0);
        self.filling[self.filled..].fill(0.0);
        self.complete(false, pre_roll);
    }

    /// Takes the oldest released frame; before there is one, silence.
    pub(super) fn take(&mut self) -> CaptureFrame<'_> {
        let place = self.start;
        if self.released > 0 {
            self.released -= 1;
            self.start = self.place(1);
        }
        let samples = &self.frames[place * self.frame..][..self.frame];
        CaptureFrame { samples, kind: self.kinds[place], waiting: self.released }
    }

    fn complete(&mut self, goes_on: bool, pre_roll: usize) {
        let speaks = self.talking || self.active;
        let last = speaks && !goes_on;
        if last {
            fade(&mut self.filling[self.frame - FADE..], 1.0, 0.0);
        }
        self.hold_back();
        if speaks {
            self.release_speech(last);
        } else {
            self.release_silence(pre_roll);
        }
        self.talking = speaks && goes_on;
        (self.filled, self.active) = (0, false);
    }

    fn hold_back(&mut self) {
        let place = self.place(self.released + self.held);
        let frame = &mut self.frames[place * self.frame..][..self.frame];
        for (to, from) in frame.iter_mut().zip(&self.filling) {
            // A float-to-integer `as` saturates.
            *to = (from * 32_768.0).round() as i16;
        }
        self.held += 1;
    }

    fn release_speech(&mut self, last: bool) {
        let (from, until) = (self.released, self.released + self.held);
        for n in from..until {
            let place = self.place(n);
            let first = n == from && !self.talking;
            self.kinds[place] = FrameKind::Speech { first, last: last && n + 1 == until };
            if first {
                fade_in(&mut self.frames[place * self.frame..][..FADE]);
            }
        }
        (self.released, self.held) = (until, 0);
    }

    fn release_silence(&mut self, pre_roll: usize) {
        while self.held > pre_roll {
            let place = self.place(self.released);
            self.kinds[place] = FrameKind::Silence;
            self.frames[place * self.frame..][..self.frame].fill(0);
            self.held -= 1;
            self.released += 1;
        }
    }

    fn place(&self, n: usize) -> usize {
        (self.start + n) % self.kinds.len()
    }
}

fn fade_in(samples: &mut [i16]) {
    for (n, sample) in samples.iter_mut().enumerate() {
        *sample = (i32::from(*sample) * (n as i32 + 1) / FADE as i32) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 2 * HOP;
    const NO: FrameKind = FrameKind::Silence;

    fn speech(first: bool, last: bool) -> FrameKind {
        FrameKind::Speech { first, last }
    }

    /// Pushes one hop each, numbered by its samples, and returns what left: kind and the frame's number.
    fn run(pre_roll: usize, active: &[bool]) -> Vec<(FrameKind, i16)> {
        let mut talk = Talk::new(FRAME, pre_roll);
        let mut left = Vec::new();
        for (n, &active) in active.iter().enumerate() {
            let hop = [(n / 2 + 1) as f32 / 32_768.0; HOP];
            talk.push(&hop, active, active, pre_roll);
            while talk.has_released() {
                let frame = talk.take();
                left.push((frame.kind, frame.samples[FADE]));
            }
        }
        left
    }

    #[test]
    fn a_talkspurt_begins_with_its_pre_roll_and_nothing_is_lost_or_repeated() {
        let active = [[false; 12].as_slice(), &[false, true, true, true, true, false], &[false; 8]].concat();
        let silent = |n| (NO, if n > 0 { 0 } else { n });
        assert_eq!(
            run(2, &active),
            [
                silent(0),
                silent(0),
                silent(0),
                silent(0),
                (speech(true, false), 5),
                (speech(false, false), 6),
                (speech(false, false), 7),
                (speech(false, false), 8),
                (speech(false, true), 9),
                silent(0),
                silent(0),
            ]
        );
    }

    #[test]
    fn without_pre_roll_a_frame_leaves_when_it_is_complete() {
        assert_eq!(run(0, &[false, false, true, false]), [(NO, 0), (speech(true, true), 2)]);
        let whole = [(speech(true, false), 1), (speech(false, false), 2), (speech(false, true), 3)];
        assert_eq!(run(0, &[true, true, true, true, false, false]), whole);
    }

    #[test]
    fn a_shorter_pre_roll_lets_go_what_was_held_longer() {
        let mut talk = Talk::new(FRAME, 3);
        (0..6).for_each(|_| talk.push(&[0.1; HOP], false, false, 3));
        assert!(!talk.has_released());
        (0..2).for_each(|_| talk.push(&[0.1; HOP], false, false, 0));
        assert_eq!(talk.take().waiting, 3);
    }

    #[test]
    fn a_finished_talkspurt_has_a_last_frame_and_the_rest_of_it_is_silent() {
        let mut talk = Talk::new(FRAME, 0);
        talk.push(&[0.5; HOP], true, true, 0);
        talk.finish(0);
        let frame = talk.take();
        assert_eq!(frame.kind, speech(true, true));
        assert!(frame.samples[HOP - 1] < 100 && frame.samples[HOP..].iter().all(|&sample| sample == 0));

        (0..2).for_each(|_| talk.push(&[0.5; HOP], true, true, 0));
        assert!(!talk.take().kind.is_last());
        talk.finish(0);
        assert_eq!(talk.take().kind, speech(false, true));
        talk.finish(0);
        assert!(!talk.has_released());
    }
}
