//! What a speaker does about what its listeners report.

use proptest::prelude::*;
use voice_core::{
    Adaptation, EncoderLimits, FrameLength, Instant, SessionId,
    wire::{Hearing, Summary},
};

const LIMITS: EncoderLimits = EncoderLimits {
    most_bitrate: 24_000,
    least_bitrate: 6_000,
    shortest_frame: FrameLength::Ms20,
    longest_frame: FrameLength::Ms60,
    dred: true,
};

fn summary(loss: u8, growth: u8) -> Summary {
    let hearing = Hearing { loss, growth, ..Hearing::default() };
    Summary { session: SessionId::new(1).unwrap(), listeners: 1, hearing }
}

/// A speaker to whom a summary comes every second.
struct Talk {
    adaptation: Adaptation,
    second: u64,
}

impl Talk {
    fn new(seed: u64) -> Self {
        Self { adaptation: Adaptation::new(LIMITS, seed), second: 10 }
    }

    fn hear(&mut self, seconds: u64, loss: u8, growth: u8) {
        for _ in 0..seconds {
            self.second += 1;
            self.adaptation.handle_summary(Instant::from_ms(self.second * 1_000), &summary(loss, growth));
        }
    }

    /// Bitrate and frame length.
    fn rate(&self) -> (u32, u8) {
        let advice = self.adaptation.advice();
        (advice.bitrate, advice.frame_length.ms())
    }

    /// With headers, bit/s.
    fn whole(&self) -> u32 {
        let (bitrate, ms) = self.rate();
        bitrate + 320_000 / u32::from(ms)
    }
}

#[test]
fn without_trouble_the_encoder_does_its_best() {
    let mut talk = Talk::new(1);
    talk.hear(600, 0, 0);
    let advice = talk.adaptation.advice();
    assert_eq!((talk.rate(), advice.fec, advice.expected_loss_percent, advice.dred_ms), ((24_000, 20), false, 0, 0));
}

#[test]
fn loss_asks_for_redundancy_by_steps_and_leaves_the_rate_alone() {
    for (loss, percent, fec, dred_ms) in [
        (0, 0, false, 0),
        (3, 2, false, 0),
        (5, 2, true, 200),
        (13, 6, true, 500),
        (26, 11, true, 1_000),
        (255, 30, true, 1_000),
    ] {
        let mut talk = Talk::new(1);
        talk.hear(30, loss, 12);
        let advice = talk.adaptation.advice();
        assert_eq!((advice.expected_loss_percent, advice.fec, advice.dred_ms), (percent, fec, dred_ms), "{loss}");
        assert_eq!(talk.rate(), (24_000, 20));
    }
}

#[test]
fn an_encoder_without_dred_is_not_asked_for_it() {
    let mut adaptation = Adaptation::new(EncoderLimits { dred: false, ..LIMITS }, 1);
    adaptation.handle_summary(Instant::from_ms(1), &summary(102, 0));
    assert_eq!(adaptation.advice().dred_ms, 0);
}

#[test]
fn loss_that_is_over_is_forgotten_by_halves() {
    let mut talk = Talk::new(1);
    talk.hear(3, 51, 0);
    assert_eq!(talk.adaptation.advice().expected_loss_percent, 20);
    talk.hear(5, 0, 0);
    assert_eq!(talk.adaptation.advice().expected_loss_percent, 10);
    talk.hear(30, 0, 0);
    assert_eq!(talk.adaptation.advice().expected_loss_percent, 0);
}

#[test]
fn a_queue_that_grows_takes_an_eighth_and_one_that_floods_up_to_a_half() {
    let mut mild = Talk::new(1);
    mild.hear(1, 0, 18);
    assert_eq!(mild.rate(), (24_000, 20), "once may be chance");
    mild.hear(1, 0, 18);
    assert_eq!(mild.whole(), 40_000 / 8 * 7);
    for (loss, keep) in [(0, 192), (102, 134), (255, 128)] {
        let mut flood = Talk::new(1);
        flood.hear(1, loss, 90);
        assert_eq!(flood.whole(), 40_000 / 256 * keep + 40_000 % 256 * keep / 256, "{loss}");
    }
}

#[test]
fn bitrate_goes_first_then_frames_get_longer_down_to_the_floor() {
    let mut talk = Talk::new(1);
    let mut seen = vec![talk.rate()];
    for _ in 0..60 {
        talk.hear(1, 0, 18);
        if seen.last() != Some(&talk.rate()) {
            seen.push(talk.rate());
        }
    }
    assert_eq!(seen[..3], [(24_000, 20), (19_000, 20), (14_625, 20)]);
    assert!(seen.iter().is_sorted_by_key(|(_, ms)| *ms), "{seen:?}");
    assert_eq!(seen.last(), Some(&(6_000, 60)));
}

#[test]
fn a_queue_that_drains_is_given_time() {
    let mut talk = Talk::new(1);
    talk.hear(1, 0, 255);
    let after = talk.whole();
    for growth in [200, 150, 100, 60, 30, 20, 14] {
        talk.hear(1, 0, growth);
    }
    assert_eq!(talk.whole(), after);
}

#[test]
fn after_the_trouble_the_rate_comes_back_step_by_step_within_three_minutes() {
    for seed in 0..50 {
        let mut talk = Talk::new(seed);
        talk.hear(40, 50, 90);
        assert_eq!(talk.rate(), (6_000, 60));
        let mut before = talk.whole();
        for _ in 0..200 {
            talk.hear(1, 0, 0);
            assert!(talk.whole() >= before, "never down without trouble");
            assert!(talk.whole() <= before + before / 16 + 1, "never by more than a sixteenth");
            before = talk.whole();
        }
        assert_eq!(talk.rate(), (24_000, 20), "seed {seed}");
    }
}

#[test]
fn the_rate_at_which_a_queue_grew_is_let_alone_for_a_while() {
    let mut talk = Talk::new(1);
    talk.hear(2, 0, 18);
    talk.hear(19, 0, 0);
    assert!(talk.whole() < 40_000 && talk.whole() >= 37_000, "{}", talk.whole());
    talk.hear(30, 0, 0);
    assert_eq!(talk.rate(), (24_000, 20));
}

#[test]
fn speakers_on_one_link_climb_at_different_times() {
    let climbs = |seed| {
        let mut talk = Talk::new(seed);
        talk.hear(1, 0, 255);
        (0..60)
            .map(|_| {
                talk.hear(1, 0, 0);
                talk.whole()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(climbs(7), climbs(7));
    let mut all: Vec<_> = (0..5).map(|seed| climbs(seed * 0x1357_9BDF)).collect();
    all.sort();
    all.dedup();
    assert!(all.len() >= 4, "a summary a second leaves few moments to choose from");
}

#[test]
fn listeners_who_fall_silent_while_there_is_something_to_hear_are_trouble() {
    let mut talk = Talk::new(1);
    let frames = |talk: &mut Talk, from: u64, to: u64| {
        for ms in (from..to).step_by(20) {
            talk.adaptation.handle_frame(Instant::from_ms(ms));
        }
    };
    frames(&mut talk, 0, 20_000);
    assert_eq!(talk.rate(), (24_000, 20), "nobody ever reported");
    talk.second = 20;
    talk.hear(1, 0, 0);
    frames(&mut talk, 21_000, 25_980);
    assert_eq!(talk.rate(), (24_000, 20));
    frames(&mut talk, 25_980, 27_000);
    assert_eq!(talk.whole(), 30_000);
    frames(&mut talk, 27_000, 30_900);
    assert_eq!(talk.whole(), 30_000);
    frames(&mut talk, 60_000, 64_900);
    assert_eq!(talk.whole(), 30_000, "a pause says nothing");
    frames(&mut talk, 64_900, 66_000);
    assert!(talk.whole() < 30_000);
}

fn limits() -> impl Strategy<Value = EncoderLimits> {
    let frame =
        || prop::sample::select(vec![FrameLength::Ms10, FrameLength::Ms20, FrameLength::Ms40, FrameLength::Ms60]);
    let bitrate = || prop_oneof![0..100_000_u32, any::<u32>()];
    (bitrate(), bitrate(), frame(), frame(), any::<bool>()).prop_map(|(most, least, shortest, longest, dred)| {
        EncoderLimits {
            most_bitrate: most,
            least_bitrate: least,
            shortest_frame: shortest,
            longest_frame: longest,
            dred,
        }
    })
}

proptest! {
    #[test]
    fn advice_stays_within_its_limits_whatever_is_reported(
        limits in limits(),
        seed in any::<u64>(),
        calls in prop::collection::vec((0..10_000_u64, any::<Option<(u8, u8, u8)>>()), 0..200),
    ) {
        let mut adaptation = Adaptation::new(limits, seed);
        let mut now = 0;
        for (later, heard) in calls {
            now += later;
            match heard {
                None => adaptation.handle_frame(Instant::from_ms(now)),
                Some((loss, late, growth)) => {
                    let hearing = Hearing { loss, late: late.min(255 - loss), growth, ..Hearing::default() };
                    let told = Summary { hearing, ..summary(0, 0) };
                    adaptation.handle_summary(Instant::from_ms(now), &told);
                }
            }
            let advice = adaptation.advice();
            let most = limits.most_bitrate.max(limits.least_bitrate);
            prop_assert!((limits.least_bitrate..=most).contains(&advice.bitrate));
            let longest = limits.longest_frame.max(limits.shortest_frame);
            prop_assert!((limits.shortest_frame..=longest).contains(&advice.frame_length));
            prop_assert!(advice.expected_loss_percent <= 30 && advice.dred_ms <= 1_000);
            prop_assert!(limits.dred || advice.dred_ms == 0);
        }
    }

    /// More growth never leaves more, and neither does more loss.
    #[test]
    fn a_worse_report_never_leaves_a_higher_rate(growth in any::<u8>(), loss in any::<u8>(), more in any::<(u8, u8)>()) {
        let whole = |loss, growth| {
            let mut talk = Talk::new(3);
            talk.hear(2, loss, growth);
            talk.whole()
        };
        prop_assert!(whole(loss.saturating_add(more.0), growth.saturating_add(more.1)) <= whole(loss, growth));
    }
}
