//! Which frames are lost: the same ones for every case and back end.

/// A pattern of loss.
#[derive(Clone, Copy)]
pub(crate) struct Loss {
    pub(crate) name: &'static str,
    pub(crate) percent: u8,
    /// Frames lost in a row.
    pub(crate) burst: u32,
}

pub(crate) const PATTERNS: [Loss; 6] = [
    Loss { name: "none", percent: 0, burst: 1 },
    Loss { name: "5 %", percent: 5, burst: 1 },
    Loss { name: "10 %", percent: 10, burst: 1 },
    Loss { name: "20 %", percent: 20, burst: 1 },
    Loss { name: "10 % in bursts of 5", percent: 10, burst: 5 },
    Loss { name: "20 % in bursts of 5", percent: 20, burst: 5 },
];

/// A decoder starts with what it knows nothing of, so the first frames come.
const SAFE: usize = 5;

impl Loss {
    /// Says for each of `frames` frames whether it is lost. The seed is the clip's number.
    pub(crate) fn lost(self, frames: usize, seed: u64) -> Vec<bool> {
        let mut state = seed << 32 | u64::from(self.percent) << 8 | u64::from(self.burst);
        let mut lost = vec![false; frames];
        let mut at = SAFE;
        while at < frames {
            // Between bursts the chance that one begins, so that `percent` of all frames are lost.
            let begins = u64::from(self.percent) * 1_000_000
                / (u64::from(self.percent) + u64::from(self.burst) * (100 - u64::from(self.percent)));
            if random(&mut state) % 1_000_000 < begins {
                let end = frames.min(at + self.burst as usize);
                lost[at..end].fill(true);
                at = end + usize::from(self.burst > 1);
            } else {
                at += 1;
            }
        }
        lost
    }
}

/// SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
