//! How far back a speaker's packets reach, from a few of them: what the playout may wait for.

/// One packet of so many is asked: settings change seldom, and reading what DRED holds takes a fifteenth of decoding.
const ASKED: u8 = 8;
/// The share of what is new, one part in so many: with frames of 20 ms most of it is from the last second.
const SLOWNESS: u16 = 4;
/// Fractions of a frame.
const FINE: u16 = 64;

/// The usual reach of a speaker's packets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// In fractions of a frame.
    usual: u16,
    /// Packets until one is asked.
    until: u8,
}

impl Reach {
    /// Of whom nothing was heard.
    pub(super) const NEW: Self = Self { usual: 0, until: 0 };

    /// A packet has come; `reach` says how many frames before it it brings back, and is asked seldom.
    pub(super) fn follow(&mut self, reach: impl FnOnce() -> usize) {
        if let Some(until) = self.until.checked_sub(1) {
            self.until = until;
            return;
        }
        self.until = ASKED - 1;
        let reach = u16::try_from(reach()).unwrap_or(u16::MAX).min(u8::MAX.into()) * FINE;
        self.usual = (self.usual * (SLOWNESS - 1) + reach) / SLOWNESS;
    }

    /// In whole frames, and never less than 1: whether a single packet has in-band FEC is chance.
    pub(super) fn frames(self) -> u8 {
        u8::try_from((self.usual + FINE / 2) / FINE).unwrap_or(u8::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(packets: usize, reach: usize) -> Reach {
        let mut all = Reach::NEW;
        (0..packets).for_each(|_| all.follow(|| reach));
        all
    }

    #[test]
    fn a_second_of_packets_tells_the_reach() {
        assert_eq!(after(50, 6).frames(), 5);
        assert_eq!(after(150, 6).frames(), 6);
        assert_eq!(after(400, 1_000_000).frames(), u8::MAX);
    }

    #[test]
    fn one_packet_is_always_counted_on() {
        assert_eq!(Reach::NEW.frames(), 1);
        assert_eq!(after(100, 0).frames(), 1);
    }

    #[test]
    fn redundancy_that_stops_is_forgotten() {
        let mut reach = after(200, 10);
        (0..200).for_each(|_| reach.follow(|| 0));
        assert_eq!(reach.frames(), 1);
    }

    #[test]
    fn one_packet_of_eight_is_asked() {
        let (mut reach, mut asked) = (Reach::NEW, 0);
        for _ in 0..80 {
            reach.follow(|| {
                asked += 1;
                5
            });
        }
        assert_eq!(asked, 10);
    }
}
