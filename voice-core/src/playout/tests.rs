//! The playout pulled by an ear in blocks of 10 ms, with a queue, as a listener does.

extern crate std;

use super::*;
use std::vec::Vec as List;

const CONFIG: PlayoutConfig = PlayoutConfig { frame_bytes: 16, ..PlayoutConfig::DEFAULT };

struct Ear {
    playout: Playout,
    memory: List<u8>,
}

impl Ear {
    fn new() -> Self {
        Self { playout: Playout::NEW, memory: std::vec![0xEE; playout_bytes(16, 16)] }
    }

    fn insert(&mut self, ms: u64, number: u16, payload: &[u8]) -> Inserted {
        let packet = Incoming {
            sequence: number,
            media_time: number.to_le_bytes()[0],
            frame_length: FrameLength::Ms20,
            mark: number == 0,
            end: false,
            payload,
        };
        self.playout.insert(Instant::from_ms(ms), &CONFIG, &mut self.memory, &packet)
    }

    fn number(&mut self, ms: u64, number: u16) -> Inserted {
        self.insert(ms, number, &number.to_be_bytes())
    }

    /// Pulls from 0 ms on whenever the last frame is over; packets come at their times. The numbers played.
    fn hear(&mut self, arrivals: &[(u64, u16)], until_ms: u64) -> List<u16> {
        let (mut played, mut arrivals, mut free_us) = (List::new(), arrivals.iter().peekable(), 0);
        for now in (0..until_ms).step_by(10) {
            while let Some((at, number)) = arrivals.next_if(|(at, _)| *at <= now) {
                self.number(*at, *number);
            }
            while free_us <= now * 1_000 {
                let pulled = self.playout.next_frame(Instant::from_ms(now), Duration::ZERO, &CONFIG, &self.memory);
                assert!(pulled.length_us > 0);
                free_us += u64::from(pulled.length_us);
                if let Sound::Play(payload) = pulled.sound {
                    played.push(u16::from_be_bytes(payload.try_into().unwrap()));
                }
            }
        }
        played
    }
}

#[test]
fn frames_are_played_in_order_and_once_although_packets_swap_and_come_twice() {
    let mut ear = Ear::new();
    let played = ear.hear(&[(0, 0), (20, 1), (20, 1), (50, 3), (50, 2), (80, 4)], 400);
    assert!(played.windows(2).all(|pair| pair[0] < pair[1]), "{played:?}");
    assert_eq!(played.first(), Some(&0));
    assert_eq!(ear.playout.stats().duplicates, 1);
}

#[test]
fn every_frame_of_a_steady_network_is_played_although_numbers_wrap() {
    let mut ear = Ear::new();
    let sent: List<_> = (0..66_000u64).map(|n| (n * 20, n as u16)).collect();
    let played = ear.hear(&sent, 66_000 * 20 + 200);
    assert!(played.iter().copied().eq(sent.iter().map(|(_, number)| *number)));
}

#[test]
fn a_payload_that_is_too_long_and_a_speaker_without_memory_are_refused() {
    let mut ear = Ear::new();
    assert_eq!(ear.insert(0, 0, &[0; 17]).dropped, Some(DropReason::TableFull));
    ear.memory.clear();
    assert_eq!(ear.number(0, 0).dropped, Some(DropReason::TableFull));
}

#[test]
fn what_waits_when_a_speaker_is_silenced_is_never_played() {
    let mut ear = Ear::new();
    ear.number(0, 0);
    assert!(ear.playout.silence());
    assert_eq!(ear.number(5, 0).dropped, Some(DropReason::Duplicate));
    assert!(ear.hear(&[], 200).is_empty());
}

#[test]
fn a_talkspurt_times_out_400_ms_after_its_last_packet() {
    let mut ear = Ear::new();
    assert!(ear.number(7, 0).started);
    assert_eq!(ear.playout.poll_timeout(), Some(Instant::from_ms(407)));
    assert!(!ear.playout.handle_timeout(Instant::from_ms(406)));
    assert!(ear.playout.handle_timeout(Instant::from_ms(407)));
    assert_eq!(ear.playout.poll_timeout(), None);
}

#[test]
fn a_talkspurt_starts_with_the_first_packet_that_holds_sound() {
    let mut ear = Ear::new();
    let empty = ear.insert(0, 0, &[]);
    assert!(empty.newest && !empty.started && !ear.playout.is_talking());
    assert_eq!(ear.playout.poll_timeout(), None);
    assert!(ear.number(20, 1).started);
}

#[test]
fn a_speaker_needs_at_most_1_kib_besides_the_frames() {
    assert!(size_of::<Playout>() <= 1_024);
}

/// What an ear notes of a run.
#[derive(Default)]
struct Notes {
    /// When each number began to be heard, ms.
    played: List<(u64, u16)>,
    recovered: List<u16>,
    /// Concealed ms, by time.
    concealed: List<(u64, u64)>,
    delay_us: List<(u64, u32)>,
}

impl Notes {
    fn numbers(&self) -> List<u16> {
        self.played.iter().map(|(_, number)| *number).collect()
    }

    fn concealed_between(&self, from: u64, to: u64) -> u64 {
        self.concealed.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, ms)| ms).sum()
    }

    fn delay_at(&self, ms: u64) -> u32 {
        self.delay_us.iter().rev().find(|(at, _)| *at <= ms).map_or(0, |(_, delay)| *delay)
    }
}

#[derive(Clone, Copy)]
struct Sent {
    at_us: u64,
    packet: (u16, u8),
    length: FrameLength,
    mark: bool,
}

/// Frames of 20 ms, sent all the time; each comes after what `transit` says, ms, or never.
fn steady(count: u16, transit: impl Fn(u64) -> Option<u64>) -> List<Sent> {
    let sent = (0..count).filter_map(|n| {
        let at_ms = u64::from(n) * 20;
        let packet = (n, n.to_le_bytes()[0]);
        Some(Sent { at_us: (at_ms + transit(at_ms)?) * 1_000, packet, length: FrameLength::Ms20, mark: n == 0 })
    });
    let mut sent: List<_> = sent.collect();
    sent.sort_by_key(|sent| sent.at_us);
    sent
}

/// An ear that asks every 10 ms, unless `hangs` says that its loop does, and makes up to 15 ms a frame longer or shorter when told.
fn run(sent: &[Sent], until_ms: u64, config: PlayoutConfig, hangs: impl Fn(u64) -> bool) -> (Playout, Notes) {
    let mut playout = Playout::NEW;
    let mut memory = std::vec![0xEE; playout_bytes(16, 32)];
    let (mut notes, mut sent, mut ends_us) = (Notes::default(), sent.iter().peekable(), 0_u64);
    for now in (0..until_ms).step_by(10).filter(|now| !hangs(*now)) {
        while let Some(s) = sent.next_if(|s| s.at_us <= now * 1_000) {
            let (sequence, media_time) = s.packet;
            let payload = &sequence.to_be_bytes()[..];
            let packet = Incoming { sequence, media_time, frame_length: s.length, mark: s.mark, end: false, payload };
            playout.insert(Instant::from_us(s.at_us), &config, &mut memory, &packet);
        }
        ends_us = ends_us.max(now * 1_000);
        while ends_us < now * 1_000 + 10_000 {
            let queued = Duration::from_micros(ends_us - now * 1_000);
            let pulled = playout.next_frame(Instant::from_ms(now), queued, &config, &memory);
            let at = ends_us / 1_000;
            match pulled.sound {
                Sound::Play(payload) => notes.played.push((at, u16::from_be_bytes(payload.try_into().unwrap()))),
                Sound::Recover { packet, back } => {
                    notes.recovered.push(u16::from_be_bytes(packet.try_into().unwrap()) - u16::from(back));
                }
                Sound::Conceal => notes.concealed.push((at, u64::from(pulled.length_us) / 1_000)),
                Sound::Silence => {}
            }
            ends_us += u64::from(pulled.length_us);
            match pulled.pace {
                Pace::Steady => {}
                Pace::Stretch(us) => ends_us += u64::from(us.min(15_000)),
                Pace::Shorten(us) => ends_us -= u64::from(us.min(15_000).min(pulled.length_us / 2)),
            }
            notes.delay_us.push((at, playout.stats().delay_us));
        }
    }
    (playout, notes)
}

fn never(_: u64) -> bool {
    false
}

#[test]
fn on_a_calm_network_the_delay_is_short_and_nothing_is_concealed() {
    let (playout, notes) = run(&steady(500, |_| Some(20)), 10_000, CONFIG, never);
    assert!(notes.concealed.is_empty());
    assert!(notes.delay_at(9_000) <= 35_000, "{}", notes.delay_at(9_000));
    assert!(notes.numbers().into_iter().eq(0..498), "all that was due");
    assert_eq!((playout.stats().late, playout.stats().lost), (0, 0));
}

#[test]
fn a_lost_frame_is_recovered_from_the_next_packet_and_a_longer_hole_concealed() {
    let lost = |at: u64| !matches!(at / 20, 30 | 60 | 61 | 62);
    let sent = steady(200, |at| lost(at).then_some(20));
    let (playout, notes) = run(&sent, 4_200, CONFIG, never);
    assert_eq!(notes.recovered, [30, 62], "in-band redundancy reaches one frame back");
    assert!((20..=60).contains(&notes.concealed_between(1_100, 1_500)), "{:?}", notes.concealed);
    assert_eq!((playout.stats().lost, playout.stats().recovered), (4, 2));
    let without = PlayoutConfig { redundancy: 0, ..CONFIG };
    assert!(run(&sent, 4_200, without, never).1.recovered.is_empty());
}

#[test]
fn speech_goes_on_in_its_time_after_every_hole_however_long_it_was_and_whatever_filled_it() {
    // From one to four frames at a time, with jitter of 10 ms; the packet that ends a hole comes when up to half of it has been filled.
    let lost = |at: u64| at >= 1_000 && matches!(at / 20 % 25, 3 | 8 | 9 | 14..=16 | 20..=23);
    let sent = steady(1_000, |at| (!lost(at)).then_some(25 + at / 20 * 7 % 10));
    for redundancy in [0, 1, 3] {
        let config = PlayoutConfig { redundancy, ..CONFIG };
        let (playout, notes) = run(&sent, 20_000, config, never);
        let mouth_to_ear: List<u64> = notes
            .played
            .iter()
            .filter(|(at, _)| *at >= 10_000)
            .map(|(at, number)| at - u64::from(*number) * 20)
            .collect();
        let (least, most) = (mouth_to_ear.iter().min().unwrap(), mouth_to_ear.iter().max().unwrap());
        assert!(most - least <= 1, "{redundancy}: from {least} to {most} ms");
        assert_eq!(playout.stats().recovered > 0, redundancy > 0);
    }
}

#[test]
fn no_more_than_100_ms_in_a_row_are_concealed_even_of_frames_of_60_ms() {
    let fixed = Duration::from_millis(250);
    let config = PlayoutConfig { min_delay: fixed, max_delay: fixed, redundancy: 0, ..CONFIG };
    let sent = (0..40_u16).filter(|n| !(20..24).contains(n)).map(|n| {
        let at_us = u64::from(n) * 60_000 + 20_000;
        Sent { at_us, packet: (n, n.to_le_bytes()[0]), length: FrameLength::Ms60, mark: n == 0 }
    });
    let (playout, notes) = run(&sent.collect::<List<_>>(), 2_500, config, never);
    assert_eq!(notes.concealed.iter().map(|(_, ms)| *ms).collect::<List<_>>(), [60, 40]);
    assert_eq!((playout.stats().lost, playout.stats().skipped), (4, 0));
    let began = |number: u16| notes.played.iter().find(|(_, played)| *played == number).unwrap().0;
    assert!((270..=300).contains(&(began(24) - began(19))), "silence takes up the rest of the hole");
}

#[test]
fn a_frame_without_sound_is_no_reason_to_conceal_anew() {
    let mut ear = Ear::new();
    ear.number(0, 0);
    for now in (0..500).step_by(10) {
        if now == 220 {
            ear.insert(now, 1, &[]);
        }
        ear.playout.next_frame(Instant::from_ms(now), Duration::ZERO, &CONFIG, &ear.memory);
    }
    assert_eq!(ear.playout.stats().concealed_ms, 100);
}

#[test]
fn a_spike_makes_the_delay_longer_at_once_and_it_becomes_shorter_slowly() {
    let sent = steady(1_000, |at| Some(if (3_000..3_200).contains(&at) { 120 } else { 20 }));
    let (playout, notes) = run(&sent, 20_100, CONFIG, never);
    assert_eq!(playout.stats().received, 1_000);
    assert!(notes.delay_at(3_400) > notes.delay_at(2_900), "{} {}", notes.delay_at(2_900), notes.delay_at(3_400));
    assert!(notes.delay_at(19_900) <= 40_000, "{}", notes.delay_at(19_900));
    assert!(notes.numbers().is_sorted());
}

#[test]
fn after_a_stall_of_150_ms_no_more_than_the_stall_is_missing_and_all_is_played() {
    // Everything of 2,000 to 2,150 ms comes at its end.
    let stall = |at: u64| Some(if (1_980..2_130).contains(&at) { 2_150 - at } else { 20 });
    let (_, notes) = run(&steady(400, stall), 8_100, CONFIG, never);
    assert!(notes.concealed_between(0, 8_000) <= 150, "{:?}", notes.concealed);
    assert!(notes.numbers().is_sorted());
    assert!(notes.concealed_between(2_650, 8_000) == 0, "half a second later nothing is missing any more");
}

#[test]
fn a_loop_that_hung_for_150_ms_goes_on_without_a_second_of_silence() {
    let (_, notes) = run(&steady(400, |_| Some(20)), 8_000, CONFIG, |now| (2_000..2_150).contains(&now));
    let after: List<_> = notes.played.iter().filter(|(at, _)| *at >= 2_150).collect();
    assert!(after[0].0 <= 2_170, "{:?}", after[0]);
    assert!(
        notes.delay_at(2_650) <= notes.delay_at(1_950) + 20_000,
        "{} {}",
        notes.delay_at(1_950),
        notes.delay_at(2_650)
    );
}

#[test]
fn a_step_of_the_delay_settles_within_two_seconds_both_ways() {
    let step = |at: u64| Some(if (5_000..10_000).contains(&at) { 120 } else { 20 });
    let (_, notes) = run(&steady(800, step), 16_000, CONFIG, never);
    let mouth_to_ear = |ms: u64| {
        let (at, number) = notes.played.iter().rev().find(|(at, _)| *at <= ms).unwrap();
        at - u64::from(*number) * 20
    };
    assert!((120..=180).contains(&mouth_to_ear(7_100)), "{}", mouth_to_ear(7_100));
    assert!(mouth_to_ear(12_100) <= 80, "{}", mouth_to_ear(12_100));
    assert_eq!(notes.concealed_between(7_100, 10_000) + notes.concealed_between(12_100, 15_900), 0);
}

#[test]
fn clocks_that_drift_by_300_ppm_are_followed_for_ten_minutes_without_a_hole() {
    for ppm in [-300_i64, 300] {
        let sent = (0..30_000_u16).map(|n| {
            let sent_us = u64::from(n) * 20_000;
            let at_us = sent_us.saturating_add_signed(i64::try_from(sent_us).unwrap() * ppm / 1_000_000) + 20_000;
            Sent { at_us, packet: (n, n.to_le_bytes()[0]), length: FrameLength::Ms20, mark: n == 0 }
        });
        let (playout, notes) = run(&sent.collect::<List<_>>(), 599_000, CONFIG, never);
        assert!(notes.concealed_between(1_000, 599_000) <= 20, "{ppm}: {:?}", notes.concealed);
        assert!(notes.delay_us.iter().all(|(_, delay)| *delay <= 60_000), "{ppm}");
        assert_eq!(playout.stats().skipped, 0);
    }
}

#[test]
fn equal_bounds_keep_the_delay_fixed() {
    let fixed = Duration::from_millis(80);
    let config = PlayoutConfig { min_delay: fixed, max_delay: fixed, ..CONFIG };
    let (_, notes) = run(&steady(300, |at| Some(20 + at % 40)), 6_000, config, never);
    assert!((300..5_900).step_by(100).all(|ms| (75_000..=105_000).contains(&notes.delay_at(ms))));
}

#[test]
fn a_delay_that_the_memory_has_no_room_for_silences_nobody() {
    let fixed = Duration::from_millis(200);
    let config = PlayoutConfig { min_delay: fixed, max_delay: fixed, ..CONFIG };
    let (mut playout, mut memory) = (Playout::NEW, std::vec![0xEE; playout_bytes(16, 5)]);
    let mut played = List::new();
    for n in 0..100_u16 {
        let payload = &n.to_be_bytes()[..];
        let (media_time, mark) = (n.to_le_bytes()[0], n == 0);
        let packet = Incoming { sequence: n, media_time, frame_length: FrameLength::Ms20, mark, end: false, payload };
        let now = Instant::from_ms(u64::from(n) * 20);
        playout.insert(now, &config, &mut memory, &packet);
        if let Sound::Play(payload) = playout.next_frame(now, Duration::ZERO, &config, &memory).sound {
            played.push(u16::from_be_bytes(payload.try_into().unwrap()));
        }
    }
    assert!(played.iter().copied().eq(0..96), "{played:?}");
}

#[test]
fn a_frame_that_is_late_because_the_network_has_become_slower_is_heard_whole_and_the_delay_is_longer() {
    let sent = steady(500, |at| Some(if at >= 2_000 { 90 } else { 20 }));
    let (playout, notes) = run(&sent, 10_200, CONFIG, never);
    assert_eq!(notes.numbers(), (0..500).collect::<List<_>>());
    assert_eq!((playout.stats().late, playout.stats().skipped), (0, 0));
    assert_eq!(notes.concealed_between(2_500, 10_000), 0);
}

#[test]
fn a_delay_that_is_too_short_for_the_network_is_not_left_so_however_long_nobody_pauses() {
    // Every fifth packet comes 30 to 58 ms later than the others, and those after it behind it. This ear never stretches.
    for late in (30..60).step_by(4) {
        let transit = |n: u64| if n < 50 { 20 } else { 20 + u64::saturating_sub(late, n % 5 * 20) };
        let arrivals: List<_> = (0..1_000).map(|n| (n * 20 + transit(n), n as u16)).collect();
        let [soon, all] = [5_000, 20_000].map(|until_ms| {
            let mut ear = Ear::new();
            ear.hear(&arrivals, until_ms);
            ear.playout.stats().concealed_ms
        });
        assert!(soon <= 60 && all <= soon + 20, "{late}: {soon} ms within 5 s, {all} ms within 20 s");
    }
}

#[test]
fn a_delay_that_may_not_be_as_long_as_a_block_costs_a_hole_or_two_and_then_none() {
    let config = PlayoutConfig { min_delay: Duration::ZERO, max_delay: Duration::from_millis(3), ..CONFIG };
    for phase in 0..20 {
        let (playout, notes) = run(&steady(1_000, |_| Some(20 + phase)), 20_000, config, never);
        assert!(playout.stats().concealed_ms <= 30, "{phase}: {:?}", playout.stats());
        assert_eq!(notes.concealed_between(2_500, 20_000), 0, "{phase}");
    }
}

#[test]
fn a_packet_that_comes_after_its_place_is_late_and_not_played() {
    let mut sent = steady(100, |at| (at != 600).then_some(20));
    sent.push(Sent { at_us: 1_200_000, packet: (30, 30), length: FrameLength::Ms20, mark: false });
    sent.sort_by_key(|sent| sent.at_us);
    let (playout, notes) = run(&sent, 2_100, CONFIG, never);
    assert_eq!((playout.stats().late, playout.stats().lost), (1, 0));
    assert!(!notes.numbers().contains(&30));
}

#[test]
fn frames_of_three_lengths_after_one_another_are_all_played_in_order() {
    let lengths = [(0, FrameLength::Ms20), (10, FrameLength::Ms60), (12, FrameLength::Ms10)];
    let (mut sent, mut at_us) = (List::new(), 0);
    for n in 0..30_u16 {
        let (first, length) = *lengths.iter().rev().find(|(first, _)| *first <= n).unwrap();
        at_us += length.us();
        sent.push(Sent { at_us, packet: (n, n.to_le_bytes()[0]), length, mark: n == first });
    }
    let (_, notes) = run(&sent, 2_000, CONFIG, never);
    assert!(notes.numbers().into_iter().eq(0..30), "{:?}", notes.numbers());
}

#[test]
fn an_end_without_sound_ends_the_speech_although_it_has_another_frame_length() {
    let mut ear = Ear::new();
    ear.number(0, 0);
    let end =
        Incoming { sequence: 1, media_time: 1, frame_length: FrameLength::Ms60, mark: false, end: true, payload: &[] };
    ear.playout.insert(Instant::from_ms(20), &CONFIG, &mut ear.memory, &end);
    assert_eq!(ear.hear(&[], 300), [0]);
    assert!(!ear.playout.is_active());
}

#[test]
fn hours_between_two_packets_are_a_pause() {
    let mut sent = steady(50, |_| Some(20));
    let later = steady(50, |_| Some(20)).into_iter().map(|mut s| {
        s.at_us += 1_200_000_000;
        (s.packet.0, s.packet.1) = (s.packet.0 + 50, s.packet.1.wrapping_add(77));
        s
    });
    sent.extend(later);
    let (playout, notes) = run(&sent, 1_201_500, CONFIG, never);
    assert_eq!(playout.stats().lost, 0);
    assert_eq!(notes.played.len(), 100);
    assert_eq!(notes.concealed_between(2_000, 1_200_000), 0);
}
