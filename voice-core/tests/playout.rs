//! A playout as its callers see it: where speech ends, and that no order of calls is wrong and no network or embedder makes it worse for longer than
//! it lasts. An [`Ear`] judges every call: it knows by a naive list which frames may sound.

use std::time::Duration;

use consonance_fuzz::ear::{Ear, Heard, Packet};
use proptest::{collection::vec, prelude::*};
use voice_core::{
    DropReason, FrameLength, Instant,
    playout::{Pace, PlayoutConfig},
};

const LENGTHS: [FrameLength; 4] = [FrameLength::Ms10, FrameLength::Ms20, FrameLength::Ms40, FrameLength::Ms60];
const CONFIG: PlayoutConfig = PlayoutConfig { frame_bytes: 8, ..PlayoutConfig::DEFAULT };
const SLOTS: usize = 32;

#[derive(Debug, Clone)]
enum Call {
    Wait(u64),
    GoBack(u64),
    Insert(Packet),
    /// The next number, so many left out, so many frames of silence before it.
    Follow(u16, u8),
    /// As many that follow.
    Burst(u16),
    Pull(u64),
    Timeout,
    Silence,
    Bounds(u64, u64, u8),
}

fn packet() -> impl Strategy<Value = Packet> {
    (any::<u16>(), any::<u8>(), 0..4_usize, prop::bool::weighted(0.2), prop::bool::weighted(0.2), 0..10_usize).prop_map(
        |(sequence, media, length, mark, end, bytes)| {
            let sequence = if sequence % 4 == 0 { sequence } else { sequence % 80 };
            Packet { sequence, media, length: LENGTHS[length], mark, end, bytes }
        },
    )
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        6 => prop_oneof![8 => 0..60_u64, 1 => 0..100_000_u64].prop_map(Call::Wait),
        1 => (0..100_u64).prop_map(Call::GoBack),
        3 => packet().prop_map(Call::Insert),
        6 => (0..4_u16, 0..6_u8).prop_map(|(out, silence)| Call::Follow(out, silence.saturating_sub(3))),
        1 => (0..50_u16).prop_map(Call::Burst),
        8 => prop_oneof![8 => 0..30_u64, 1 => any::<u64>()].prop_map(Call::Pull),
        1 => Just(Call::Timeout),
        1 => Just(Call::Silence),
        1 => (0..2_000_u64, 0..2_000_u64, any::<u8>()).prop_map(|(min, max, redundancy)| Call::Bounds(min, max, redundancy)),
    ]
}

fn following(ear: &Ear, media: u8, left_out: u16) -> Packet {
    let sequence = ear.next_number().wrapping_add(left_out);
    Packet { sequence, media, length: FrameLength::Ms20, mark: false, end: false, bytes: 2 }
}

fn make(ear: &mut Ear, media: &mut u8, call: Call) {
    match call {
        Call::Wait(ms) => ear.wait(Duration::from_millis(ms)),
        Call::GoBack(ms) => ear.now = ear.now.before(Duration::from_millis(ms)),
        Call::Insert(packet) => insert(ear, media, packet),
        Call::Follow(left_out, silence) => {
            let [low, _] = left_out.to_le_bytes();
            let next = following(ear, media.wrapping_add(low).wrapping_add(silence), left_out);
            insert(ear, media, next);
        }
        Call::Burst(count) => {
            for _ in 0..count {
                let next = following(ear, *media, 0);
                insert(ear, media, next);
            }
        }
        Call::Pull(ms) => _ = ear.pull(Duration::from_millis(ms)),
        Call::Timeout => ear.timeout(),
        Call::Silence => ear.silence(),
        Call::Bounds(min, max, redundancy) => {
            let (min_delay, max_delay) = (Duration::from_millis(min), Duration::from_millis(max));
            ear.config = PlayoutConfig { min_delay, max_delay, redundancy, ..ear.config };
        }
    }
}

fn insert(ear: &mut Ear, media: &mut u8, packet: Packet) {
    if ear.insert(packet).newest {
        *media = packet.media.wrapping_add(1);
    }
}

/// When a packet comes, µs.
type Arrival = (u64, Packet);

/// What was heard, and when it began, ms.
struct Notes {
    heard: Vec<(u64, Heard, u64)>,
    delays: Vec<(u64, u32, u32)>,
}

impl Notes {
    /// Time without speech in a span, ms.
    fn hole(&self, from: u64, to: u64) -> u64 {
        let within = self.heard.iter().filter(|(at, heard, _)| {
            (from..to).contains(at) && matches!(heard, Heard::Concealed | Heard::Silent | Heard::Recovered(_))
        });
        within.map(|(_, _, ms)| ms).sum()
    }

    fn concealed(&self, from: u64, to: u64) -> u64 {
        let within = self.heard.iter().filter(|(at, heard, _)| (from..to).contains(at) && *heard == Heard::Concealed);
        within.map(|(_, _, ms)| ms).sum()
    }

    fn played(&self, from: u64) -> Vec<i64> {
        let played = self.heard.iter().filter(|(at, ..)| *at >= from).filter_map(|(_, heard, _)| match heard {
            Heard::Played(number) => Some(*number),
            _ => None,
        });
        played.collect()
    }

    /// By how much the delay was over its target at a time, µs.
    fn over_target(&self, ms: u64) -> u32 {
        let (_, delay, target) = self.delays.iter().rev().find(|(at, ..)| *at <= ms).expect("something was pulled");
        delay.saturating_sub(*target)
    }
}

/// Frames of 20 ms from a number on, each with what its way takes, ms.
fn steady(first: u16, count: u16, way: impl Fn(u16) -> u64) -> Vec<Arrival> {
    let frame = |n: u16| {
        let sequence = first.wrapping_add(n);
        let [media, _] = n.to_le_bytes();
        let packet = Packet { sequence, media, length: FrameLength::Ms20, mark: n == 0, end: false, bytes: 4 };
        ((u64::from(n) * 20 + way(n)) * 1_000, packet)
    };
    let mut sent: Vec<_> = (0..count).map(frame).collect();
    sent.sort_by_key(|(at, _)| *at);
    sent
}

/// Pulls a block every 10 ms and follows the pace; `pulls` says how many times over, 0 while the embedder hangs.
fn hear(ear: &mut Ear, sent: &[Arrival], until_ms: u64, pulls: impl Fn(u64) -> u32) -> Notes {
    let mut notes = Notes { heard: Vec::new(), delays: Vec::new() };
    let (mut sent, mut ends_us) = (sent.iter().peekable(), 0_u64);
    for now in (0..until_ms).step_by(10) {
        while let Some((at, packet)) = sent.next_if(|(at, _)| *at <= now * 1_000) {
            ear.now = Instant::from_us(*at);
            ear.insert(*packet);
        }
        ear.now = Instant::from_ms(now);
        ear.timeout();
        for _ in 0..pulls(now) {
            let begins = if pulls(now) > 1 { now * 1_000 } else { ends_us.max(now * 1_000) };
            ends_us = begins;
            while ends_us < (now + 10) * 1_000 {
                let answer = ear.pull(Duration::from_micros(ends_us - now * 1_000));
                let (at, stats) = (ends_us / 1_000, ear.playout.stats());
                notes.heard.push((at, answer.heard, u64::from(answer.length_us) / 1_000));
                notes.delays.push((at, stats.delay_us, stats.target_us));
                ends_us += u64::from(answer.length_us);
                match answer.pace {
                    Pace::Steady => {}
                    Pace::Stretch(us) => ends_us += u64::from(us.min(15_000)),
                    Pace::Shorten(us) => ends_us -= u64::from(us.min(15_000).min(answer.length_us / 2)),
                }
            }
        }
    }
    notes
}

fn always(_: u64) -> u32 {
    1
}

/// All from the first one on without a gap.
fn is_whole(played: &[i64]) -> bool {
    played.windows(2).all(|pair| pair[1] == pair[0] + 1)
}

#[test]
fn a_frame_that_comes_when_later_ones_fill_the_memory_is_recovered_from_the_next() {
    let mut ear = Ear::new(CONFIG, 2);
    let insert = |ear: &mut Ear, (sequence, media)| {
        ear.insert(Packet { sequence, media, length: FrameLength::Ms20, mark: false, end: false, bytes: 2 }).dropped
    };
    insert(&mut ear, (1, 1));
    ear.wait(Duration::from_millis(45));
    assert_eq!(ear.pull(Duration::ZERO).heard, Heard::Played(1));
    // The fourth is due no later than the third: otherwise both would be due before a memory of two is full.
    assert_eq!([(3, 3), (4, 3), (2, 2)].map(|place| insert(&mut ear, place)), [None, None, Some(DropReason::Late)]);
    let heard: Vec<_> = (0..3).map(|_| ear.pull(Duration::ZERO).heard).collect();
    assert_eq!(heard, [Heard::Recovered(2), Heard::Played(3), Heard::Played(4)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_calls_plays_each_frame_at_most_once_and_in_order(
        calls in vec(call(), 1..200), slots in 0..40_usize, first in any::<u16>(),
    ) {
        let mut ear = Ear::new(CONFIG, slots);
        let (mut media, start) = (7, Packet { sequence: first, ..following(&ear, 7, 0) });
        ear.insert(start);
        for call in calls {
            make(&mut ear, &mut media, call);
        }
        for _ in 0..6_000 {
            ear.timeout();
            ear.pull(Duration::ZERO);
            ear.wait(Duration::from_millis(100));
            if !ear.playout.is_active() {
                break;
            }
        }
        prop_assert!(!ear.playout.is_active() && !ear.is_waiting(), "all is heard or left out after a while");
    }

    #[test]
    fn jitter_below_the_target_conceals_nothing_after_the_first_second_wherever_numbers_wrap(
        jitter in vec(0..41_u64, 300), first in prop_oneof![any::<u16>(), 65_230..=u16::MAX],
    ) {
        let config = PlayoutConfig { min_delay: Duration::from_millis(60), ..CONFIG };
        let mut ear = Ear::new(config, SLOTS);
        let notes = hear(&mut ear, &steady(first, 300, |n| 20 + jitter[usize::from(n)]), 5_900, always);
        prop_assert_eq!(notes.hole(1_000, 5_900), 0, "{:?}", notes.heard);
        let played = notes.played(0);
        // If the second packet came first and its number wrapped, the ear counts the first one as -1.
        let began_with = played.first().map(|number| number.rem_euclid(1 << 16));
        prop_assert!(is_whole(&played) && began_with == Some(first.into()), "{:?}", played);
        prop_assert_eq!((ear.playout.stats().late, ear.playout.stats().skipped), (0, 0));
    }

    #[test]
    fn after_media_time_has_jumped_all_is_played_within_ten_seconds(
        jumps in vec((1..100_u16, any::<u8>(), 0..20_000_u64), 1..4),
    ) {
        let (mut sent, mut media, mut at_us, mut sequence) = (Vec::new(), 0_u8, 20_000, 0_u16);
        for (count, jump, pause_ms) in jumps.into_iter().chain([(700, 0, 0)]) {
            for _ in 0..count {
                sent.push((at_us, Packet { sequence, media, length: FrameLength::Ms20, mark: false, end: false, bytes: 4 }));
                (sequence, media, at_us) = (sequence + 1, media.wrapping_add(1), at_us + 20_000);
            }
            (media, at_us) = (media.wrapping_add(jump), at_us + pause_ms * 1_000);
        }
        let until = at_us / 1_000 - 100;
        let mut ear = Ear::new(CONFIG, SLOTS);
        let notes = hear(&mut ear, &sent, until, always);
        prop_assert_eq!(notes.hole(until - 3_500, until), 0, "{:?}", notes.heard);
        prop_assert_eq!(ear.playout.stats().lost, 0);
        prop_assert_eq!(ear.playout.stats().late, 0);
    }

    #[test]
    fn an_embedder_who_pulled_ten_times_too_fast_hears_everything_half_a_second_later(
        from in 1_000..3_000_u64, span in 20..3_000_u64, way in 0..100_u64,
    ) {
        let hurry = |now: u64| if (from..from + span).contains(&now) { 10 } else { 1 };
        let end = from + span;
        let mut ear = Ear::new(CONFIG, SLOTS);
        let notes = hear(&mut ear, &steady(0, 400, |_| way), 7_900, hurry);
        prop_assert!(notes.over_target(end + 500) <= 20_000, "{}", notes.over_target(end + 500));
        prop_assert_eq!(notes.hole(end + 500, 7_900), 0);
        prop_assert_eq!(ear.playout.stats().skipped, 0);
    }

    #[test]
    fn an_embedder_who_hung_for_a_minute_is_at_the_target_half_a_second_later(
        from in 1_000..3_000_u64, span in 100..60_000_u64, way in 0..100_u64, slots in 8..40_usize,
    ) {
        let end = from + span;
        let mut ear = Ear::new(CONFIG, slots);
        let count = u16::try_from((end + 3_000) / 20).unwrap();
        let hang = |now: u64| u32::from(!(from..end).contains(&now));
        let notes = hear(&mut ear, &steady(0, count, |_| way), end + 2_900, hang);
        prop_assert!(notes.over_target(end + 500) <= 20_000, "{}", notes.over_target(end + 500));
        prop_assert_eq!(notes.hole(end + 500, end + 2_900), 0);
        prop_assert!(is_whole(&notes.played(end + 500)));
    }

    #[test]
    fn a_stall_is_heard_as_a_gap_of_no_more_than_itself(from in 1_500..4_000_u64, stall in 20..150_u64, way in 0..60_u64) {
        let late = |n: u16| {
            let at = u64::from(n) * 20 + way;
            if (from..from + stall).contains(&at) { way + from + stall - at } else { way }
        };
        let mut ear = Ear::new(CONFIG, SLOTS);
        let notes = hear(&mut ear, &steady(0, 400, late), 7_900, always);
        // A pull is 10 ms long, and one that was begun is ended.
        prop_assert!(notes.hole(1_000, 7_900) <= stall.div_ceil(10) * 10, "{}", notes.hole(1_000, 7_900));
        prop_assert_eq!(notes.hole(from + stall + 500, 7_900), 0);
    }

    #[test]
    fn an_encoder_that_sends_nothing_for_400_ms_is_silent_and_not_lost(from in 50..150_u16, frames in 5..21_u16, jitter in vec(0..15_u64, 300)) {
        let mut sent = steady(0, 300, |n| 20 + jitter[usize::from(n)]);
        for (at, packet) in &mut sent {
            let n = packet.sequence;
            if n >= from {
                *at += u64::from(frames) * 20_000;
                packet.media = packet.media.wrapping_add(frames.to_le_bytes()[0]);
            }
        }
        let mut ear = Ear::new(CONFIG, SLOTS);
        let notes = hear(&mut ear, &sent, 5_900 + u64::from(frames) * 20, always);
        let stats = ear.playout.stats();
        prop_assert_eq!((stats.lost, stats.late, stats.skipped, stats.recovered), (0, 0, 0, 0));
        prop_assert!(is_whole(&notes.played(0)));
        let pause = u64::from(from) * 20;
        prop_assert!(notes.concealed(1_000, 7_000) <= 100, "then it fades to silence");
        let silent = notes.hole(pause, pause + u64::from(frames) * 20 + 500);
        prop_assert!(silent <= u64::from(frames) * 20 + 20, "{silent}");
    }
}

/// 20 frames and an end without sound that follows the last at once, each after 20 ms, unless lost, or later by so many ms.
fn talkspurt(change: impl Fn(u16) -> Option<u64>) -> Vec<Arrival> {
    let packet = |n: u16| {
        let [media, _] = n.to_le_bytes();
        let (end, bytes) = (n == 20, if n == 20 { 0 } else { 4 });
        let packet = Packet { sequence: n, media, length: FrameLength::Ms20, mark: n == 0, end, bytes };
        let sent_ms = if end { 381 } else { u64::from(n) * 20 };
        Some(((sent_ms + 20 + change(n)?) * 1_000, packet))
    };
    let mut sent: Vec<_> = (0..21).filter_map(packet).collect();
    sent.sort_by_key(|(at, _)| *at);
    sent
}

#[test]
fn a_talkspurt_with_an_end_conceals_nothing_and_is_over_when_it_has_been_played() {
    let mut ear = Ear::new(CONFIG, SLOTS);
    let notes = hear(&mut ear, &talkspurt(|_| Some(0)), 500, always);
    assert!(notes.played(0).into_iter().eq(0..20));
    assert_eq!(notes.concealed(0, 500), 0);
    assert!(!ear.playout.is_active());
}

#[test]
fn a_talkspurt_whose_end_is_lost_fades_out_and_is_over_400_ms_after_its_last_packet() {
    let mut ear = Ear::new(CONFIG, SLOTS);
    let notes = hear(&mut ear, &talkspurt(|n| (n != 20).then_some(0)), 790, always);
    assert!(notes.played(0).into_iter().eq(0..20));
    assert_eq!(notes.concealed(0, 790), 100);
    assert!(ear.playout.is_talking());
    ear.wait(Duration::from_millis(20));
    ear.timeout();
    ear.pull(Duration::ZERO);
    assert!(!ear.playout.is_talking() && !ear.playout.is_active());
    let next = Packet { mark: true, ..following(&ear, 60, 1) };
    assert!(ear.insert(next).started);
    assert_eq!(ear.playout.stats().lost, 0, "what was before a beginning is none of its losses");
}

#[test]
fn a_frame_that_the_end_has_overtaken_is_still_played() {
    let mut ear = Ear::new(CONFIG, SLOTS);
    let notes = hear(&mut ear, &talkspurt(|n| Some(if n == 19 { 15 } else { 0 })), 600, always);
    assert!(notes.played(0).into_iter().eq(0..20), "{:?}", notes.played(0));
    assert!(!ear.playout.is_active());
}

#[test]
fn frames_lost_before_the_end_are_concealed_and_the_talkspurt_is_over() {
    let mut ear = Ear::new(CONFIG, SLOTS);
    let notes = hear(&mut ear, &talkspurt(|n| (!matches!(n, 18 | 19)).then_some(0)), 600, always);
    assert!(notes.played(0).into_iter().eq(0..18));
    assert!((20..=60).contains(&notes.concealed(0, 600)), "{}", notes.concealed(0, 600));
    let stats = ear.playout.stats();
    assert_eq!((stats.lost, stats.recovered), (2, 0), "an end holds no copy");
    assert!(!ear.playout.is_active());
}

#[test]
fn a_frame_without_sound_and_end_is_passed_over_and_speech_goes_on() {
    let mut sent = talkspurt(|_| Some(0));
    sent.retain(|(_, packet)| !packet.end);
    sent[10].1.bytes = 0;
    let mut ear = Ear::new(CONFIG, SLOTS);
    let notes = hear(&mut ear, &sent, 440, always);
    let speech = (0..10).chain(11..20);
    assert!(notes.played(0).into_iter().eq(speech.take(notes.played(0).len())), "{:?}", notes.played(0));
    assert!(notes.played(0).len() > 17);
    let stats = ear.playout.stats();
    assert_eq!((stats.lost, stats.late, stats.skipped, stats.concealed_ms), (0, 0, 0, 0));
}

#[test]
fn media_time_that_has_run_ahead_for_hours_silences_nobody() {
    for silence in (0..=255).step_by(51) {
        let mut ear = Ear::new(CONFIG, SLOTS);
        let (mut media, mut packet) = (0_u8, following(&ear, 0, 0));
        for _ in 0..900 {
            packet = Packet { media, length: FrameLength::Ms60, ..following(&ear, media, 0) };
            ear.insert(packet);
            media = media.wrapping_add(127);
        }
        let steady = (0..200_u8).map(|n| {
            let (sequence, media) = (packet.sequence + 1 + u16::from(n), media.wrapping_add(silence).wrapping_add(n));
            (u64::from(n) * 60_000 + 20_000, Packet { sequence, media, ..packet })
        });
        let notes = hear(&mut ear, &steady.collect::<Vec<_>>(), 11_000, always);
        assert_eq!(notes.hole(9_000, 11_000), 0, "{silence}");
    }
}
