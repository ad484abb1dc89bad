extern crate std;

use super::*;
use crate::types::RoomId;
use proptest::prelude::*;
use std::vec::Vec as List;

const SETTINGS: Settings = Settings { delay: Duration::from_millis(60), frame_bytes: 16 };
const FRAME_MS: u64 = 20;

/// A speaker with its memory, and a packet whose payload is its own number.
struct Ear {
    speaker: Speaker,
    settings: Settings,
    memory: List<u8>,
}

#[derive(Clone, Copy)]
struct Packet {
    sequence: u16,
    media_time: u8,
    mark: bool,
    end: bool,
    empty: bool,
}

fn packet(sequence: u16, media_time: u8) -> Packet {
    Packet { sequence, media_time, mark: false, end: false, empty: false }
}

fn mark(sequence: u16, media_time: u8) -> Packet {
    Packet { mark: true, ..packet(sequence, media_time) }
}

fn end(sequence: u16, media_time: u8) -> Packet {
    Packet { end: true, empty: true, ..packet(sequence, media_time) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Frame(u16),
    Conceal,
    Silence,
}
use Heard::{Conceal, Frame, Silence};

impl Ear {
    fn new() -> Self {
        Self::with(SETTINGS, 16)
    }

    fn with(settings: Settings, frames: usize) -> Self {
        Self { speaker: Speaker::EMPTY, settings, memory: std::vec![0xEE; playout_bytes(settings.frame_bytes, frames)] }
    }

    fn insert(&mut self, ms: u64, packet: Packet) -> Inserted {
        let payload = packet.sequence.to_be_bytes();
        let payload = if packet.empty { &[][..] } else { &payload[..] };
        self.insert_payload(ms, packet, payload)
    }

    fn insert_payload(&mut self, ms: u64, packet: Packet, payload: &[u8]) -> Inserted {
        let incoming = Incoming {
            sequence: packet.sequence,
            media_time: packet.media_time,
            mark: packet.mark,
            end: packet.end,
            payload,
        };
        let room = Target::Room(RoomId::new(1).unwrap());
        self.speaker.insert(
            Instant::from_ms(ms),
            self.settings,
            &mut self.memory,
            &incoming,
            &[(room, ChannelOptions::DEFAULT)],
        )
    }

    fn pull(&mut self, ms: u64) -> Heard {
        let now = Instant::from_ms(ms);
        match self.speaker.next_frame(now, self.settings, &self.memory) {
            Sound::Play(&[high, low]) => Frame(u16::from_be_bytes([high, low])),
            Sound::Play(other) => panic!("a payload nobody sent: {other:?}"),
            Sound::Conceal => Conceal,
            Sound::Silence => Silence,
        }
    }

    /// Pulls once every frame length, from `ms` on.
    fn pull_many(&mut self, ms: u64, pulls: u64) -> List<Heard> {
        (0..pulls).map(|i| self.pull(ms + i * FRAME_MS)).collect()
    }

    /// Feeds packets as they are sent, media time 0 at 0 ms, and pulls at the same pace from `from_ms` on.
    fn run(&mut self, packets: &[Packet], from_ms: u64, pulls: u64) -> List<Heard> {
        let mut packets = packets.iter().peekable();
        let mut heard = List::new();
        for i in 0..pulls {
            let now = from_ms + i * FRAME_MS;
            while let Some(p) = packets.next_if(|p| u64::from(p.media_time) * FRAME_MS <= now) {
                self.insert(u64::from(p.media_time) * FRAME_MS, *p);
            }
            heard.push(self.pull(now));
        }
        heard
    }
}

#[test]
fn a_talkspurt_is_played_after_the_delay_and_ends_at_the_end_flag() {
    let mut ear = Ear::new();
    let packets = [mark(1, 0), packet(2, 1), packet(3, 2), end(4, 3)];
    let heard = ear.run(&packets, 0, 8);
    let expected = [Silence, Silence, Silence, Frame(1), Frame(2), Frame(3), Silence, Silence];
    assert_eq!(heard, expected);
    assert!(!ear.speaker.is_active());
}

#[test]
fn a_lost_frame_is_concealed() {
    let mut ear = Ear::new();
    let packets = [mark(1, 0), packet(2, 1), packet(4, 3), packet(5, 4)];
    let heard = ear.run(&packets, 60, 5);
    assert_eq!(heard, [Frame(1), Frame(2), Conceal, Frame(4), Frame(5)]);
    assert_eq!(ear.speaker.stats().lost, 1);
    assert_eq!(ear.speaker.stats().concealed, 1);
}

#[test]
fn a_pause_without_a_packet_is_silence_and_not_loss() {
    let mut ear = Ear::new();
    let packets = [mark(1, 0), packet(2, 1), packet(3, 7), packet(4, 8)];
    let heard = ear.run(&packets, 60, 9);
    let silence = [Silence; 5];
    assert_eq!(heard[..2], [Frame(1), Frame(2)]);
    assert_eq!(heard[2..7], silence);
    assert_eq!(heard[7..], [Frame(3), Frame(4)]);
    assert_eq!(ear.speaker.stats().lost, 0);
}

#[test]
fn loss_and_pause_in_one_gap_are_told_apart_by_their_number() {
    let mut ear = Ear::new();
    ear.insert(0, mark(1, 0));
    ear.insert(10, packet(4, 6));
    let heard = ear.pull_many(60, 7);
    let gap = [Conceal, Conceal, Silence, Silence, Silence];
    assert_eq!(heard[1..6], gap);
    assert_eq!(heard[6], Frame(4));
}

#[test]
fn at_most_five_frames_in_a_row_are_concealed() {
    let mut ear = Ear::with(Settings { delay: Duration::from_millis(200), ..SETTINGS }, 16);
    ear.insert(0, mark(1, 0));
    ear.insert(10, packet(10, 9));
    let heard = ear.pull_many(200, 10);
    assert_eq!(heard[1..6], [Conceal; 5]);
    assert_eq!(heard[6..9], [Silence; 3]);
    assert_eq!(heard[9], Frame(10));
}

#[test]
fn a_copy_by_another_way_is_a_duplicate() {
    let mut ear = Ear::new();
    assert_eq!(ear.insert(0, mark(1, 0)).dropped, None);
    let copy = ear.insert(5, mark(1, 0));
    assert_eq!(copy.dropped, Some(DropReason::Duplicate));
    assert_eq!(ear.pull_many(60, 2), [Frame(1), Silence]);
    assert_eq!(ear.insert(90, mark(1, 0)).dropped, copy.dropped);
    assert_eq!(ear.speaker.stats().duplicates, 2);
}

#[test]
fn frames_out_of_order_are_played_in_order() {
    let mut ear = Ear::new();
    ear.insert(20, packet(2, 1));
    ear.insert(21, mark(1, 0));
    ear.insert(50, packet(4, 3));
    ear.insert(55, packet(3, 2));
    let expected = [Frame(1), Frame(2), Frame(3), Frame(4)];
    assert_eq!(ear.pull_many(60, 4), expected);
}

#[test]
fn a_late_frame_is_dropped_and_counted() {
    let mut ear = Ear::new();
    ear.insert(0, mark(1, 0));
    ear.insert(40, packet(3, 2));
    let heard = ear.pull_many(60, 2);
    assert_eq!(heard, [Frame(1), Conceal]);
    let late = ear.insert(90, packet(2, 1));
    assert_eq!(late.dropped, Some(DropReason::Late));
    assert_eq!(ear.pull(100), Frame(3));
    assert_eq!(ear.speaker.stats().late, 1);
    assert_eq!(ear.speaker.stats().lost, 0);
}

#[test]
fn when_the_network_has_become_slower_the_timeline_is_laid_anew() {
    let mut ear = Ear::new();
    let mut heard = List::new();
    for i in 0..40u16 {
        let now = u64::from(i) * FRAME_MS;
        if i < 10 {
            ear.insert(now, packet(i, i as u8));
        } else if i >= 20 {
            ear.insert(now, packet(i - 10, (i - 10) as u8));
        }
        heard.push(ear.pull(now));
    }
    assert_eq!(ear.speaker.stats().late, 2);
    assert_eq!(heard[39], Frame(26));
}

#[test]
fn when_pulls_stop_the_oldest_frames_are_skipped_and_the_delay_stays_bounded() {
    let mut ear = Ear::new();
    for i in 0..200u16 {
        ear.insert(u64::from(i) * FRAME_MS, packet(i, i as u8));
    }
    let Frame(first) = ear.pull(4_000) else {
        panic!("there are frames to play");
    };
    assert!((190..200).contains(&first), "{first}");
    assert!(ear.speaker.stats().skipped >= 180);
}

#[test]
fn pulls_in_bursts_of_the_delay_play_every_frame() {
    let mut ear = Ear::new();
    let mut heard = List::new();
    for i in 0..60u16 {
        let now = u64::from(i) * FRAME_MS;
        ear.insert(now, packet(i, i as u8));
        if i % 3 == 2 {
            heard.extend((0..3).map(|_| ear.pull(now + 1)));
        }
    }
    heard.retain(|h| *h != Silence);
    let expected: List<_> = (0..heard.len() as u16).map(Frame).collect();
    assert_eq!(heard, expected);
    assert!(heard.len() >= 54);
}

#[test]
fn a_marked_frame_after_a_pause_lays_the_timeline_anew() {
    let mut ear = Ear::new();
    ear.insert(0, mark(1, 0));
    assert_eq!(ear.pull_many(60, 3), [Frame(1), Silence, Silence]);
    ear.insert(230, mark(2, 8));
    assert_eq!(ear.pull(280), Silence);
    assert_eq!(ear.pull(300), Frame(2));
}

#[test]
fn numbers_missing_before_a_marked_frame_are_not_concealed() {
    let mut ear = Ear::new();
    ear.insert(0, mark(1, 0));
    ear.insert(10, mark(4, 6));
    let heard = ear.pull_many(60, 7);
    assert_eq!(heard[1..6], [Silence; 5]);
    assert_eq!(heard[6], Frame(4));
}

#[test]
fn a_talkspurt_starts_with_its_first_packet_and_stops_with_the_end_flag() {
    let mut ear = Ear::new();
    assert!(ear.insert(0, mark(1, 0)).started);
    assert!(!ear.insert(20, packet(2, 1)).started);
    let last = ear.insert(40, end(3, 2));
    assert!(last.stopped && !last.started);
    assert_eq!(ear.speaker.poll_timeout(), None);
}

#[test]
fn a_talkspurt_without_packets_ends_after_400_ms() {
    let mut ear = Ear::new();
    ear.insert(100, mark(1, 0));
    assert_eq!(ear.speaker.poll_timeout(), Some(Instant::from_ms(500)));
    assert!(!ear.speaker.handle_timeout(Instant::from_ms(499)));
    assert!(ear.speaker.handle_timeout(Instant::from_ms(500)));
    assert!(!ear.speaker.handle_timeout(Instant::from_ms(501)));
    ear.pull_many(500, 2);
    assert!(!ear.speaker.is_active());
}

#[test]
fn a_packet_from_before_the_end_does_not_start_a_talkspurt() {
    let mut ear = Ear::new();
    ear.insert(0, mark(1, 0));
    ear.insert(40, end(3, 2));
    let older = ear.insert(41, packet(2, 1));
    assert_eq!(older, Inserted::default());
    assert_eq!(ear.pull_many(60, 3), [Frame(1), Frame(2), Silence]);
}

#[test]
fn a_straggler_after_a_silenced_speaker_is_late() {
    let mut ear = Ear::new();
    ear.run(&[mark(10, 0), packet(11, 1), packet(13, 3)], 0, 8);
    ear.speaker.silence();
    assert_eq!(ear.insert(200, packet(12, 2)).dropped, Some(DropReason::Late));
    assert_eq!(ear.pull(300), Silence);
}

#[test]
fn a_payload_longer_than_a_slot_is_refused() {
    let mut ear = Ear::new();
    let long = ear.insert_payload(0, mark(1, 0), &[0; 17]);
    assert_eq!(long.dropped, Some(DropReason::TableFull));
    assert_eq!(ear.insert(1, mark(1, 0)).dropped, None);
}

#[test]
fn without_memory_every_frame_is_refused() {
    let mut ear = Ear::with(SETTINGS, 0);
    assert_eq!(ear.insert(0, mark(1, 0)).dropped, Some(DropReason::TableFull));
    assert_eq!(ear.pull(60), Silence);
}

#[test]
fn on_a_lossy_network_an_empty_buffer_is_concealed_and_on_a_clean_one_it_is_silence() {
    for (keep_every, expected) in [(1, Silence), (4, Conceal)] {
        let mut ear = Ear::new();
        for i in 0..120u16 {
            if keep_every == 1 || i % keep_every != 0 {
                ear.insert(u64::from(i) * FRAME_MS, packet(i, i as u8));
            }
            ear.pull(u64::from(i) * FRAME_MS);
        }
        let heard = ear.pull_many(120 * FRAME_MS, 5);
        assert_eq!(heard[4], expected);
    }
}

#[test]
fn channels_merge_to_positional_if_all_are_the_highest_priority_and_the_loudest_volume() {
    use crate::types::{RoomId, Volume};
    let target = |n| Target::Room(RoomId::new(n).unwrap());
    let options =
        |positional, priority, percent| ChannelOptions { positional, priority, volume: Volume::new(percent).unwrap() };
    let a = (target(1), options(true, Priority::None, 50));
    let b = (target(2), options(true, Priority::Low, 150));
    let c = (target(3), options(false, Priority::High, 10));
    let two = Merged::of(&[a, b], Priority::Medium);
    assert!(two.positional);
    assert_eq!((two.priority, two.volume.percent()), (Priority::Medium, 150));
    let three = Merged::of(&[a, b, c], Priority::Medium);
    assert!(!three.positional);
    assert_eq!((three.priority, three.volume.percent()), (Priority::High, 150));
}

/// What lies between two frames that are played: lost frames, then silence.
fn gap() -> impl Strategy<Value = (u16, u8)> {
    prop_oneof![3 => Just((0, 0)), 1 => (0u16..=7, 0u8..=5)]
}

#[derive(Debug, Clone)]
enum Op {
    Insert { sequence: u16, media: u8, flags: u8 },
    Pull,
    Wait(u64),
    Timeout,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0u16..300, 0u8..8).prop_map(|(s, flags)| Op::Insert { sequence: s, media: s as u8, flags }),
        4 => (any::<u16>(), any::<u8>(), 0u8..8)
            .prop_map(|(sequence, media, flags)| Op::Insert { sequence, media, flags }),
        8 => Just(Op::Pull),
        3 => (0u64..100).prop_map(Op::Wait),
        1 => (0u64..5_000).prop_map(Op::Wait),
        1 => Just(Op::Timeout),
    ]
}

proptest! {
    #[test]
    fn on_a_steady_network_every_frame_length_is_what_the_model_says(
        start in any::<u16>(),
        gaps in proptest::collection::vec(gap(), 1..40),
    ) {
        // The delay is longer than any gap, so that its far side is always there in time.
        let settings = Settings { delay: Duration::from_millis(300), ..SETTINGS };
        let mut ear = Ear::with(settings, 40);
        let mut packets = List::new();
        let mut expected = List::new();
        let (mut sequence, mut at) = (start, 0u64);
        for (lost, silent) in gaps {
            packets.push((at, packet(sequence, at as u8)));
            expected.push(Frame(sequence));
            let concealed = lost.min(CONCEAL_LIMIT.into());
            expected.extend((0..concealed).map(|_| Conceal));
            expected.extend((0..lost - concealed).map(|_| Silence));
            expected.extend((0..silent).map(|_| Silence));
            sequence = sequence.wrapping_add(lost + 1);
            at += u64::from(lost) + u64::from(silent) + 1;
        }
        packets.push((at, packet(sequence, at as u8)));
        expected.push(Frame(sequence));
        let mut packets = packets.into_iter().peekable();
        for (pull, expected) in expected.into_iter().enumerate() {
            let now = 300 + pull as u64 * FRAME_MS;
            while let Some((at, p)) = packets.next_if(|(at, _)| at * FRAME_MS <= now) {
                prop_assert_eq!(ear.insert(at * FRAME_MS, p).dropped, None);
            }
            prop_assert_eq!(ear.pull(now), expected, "pull {}", pull);
        }
    }

    #[test]
    fn in_any_order_of_calls_a_frame_is_played_at_most_once_and_in_order(
        slots in 0usize..70,
        delay in 0u64..500,
        ops in proptest::collection::vec(op(), 0..400),
    ) {
        let settings = Settings { delay: Duration::from_millis(delay), ..SETTINGS };
        let mut ear = Ear::with(settings, slots);
        let mut now = 0;
        let mut last = None;
        let mut concealed = 0;
        for op in ops {
            match op {
                Op::Insert { sequence, media, flags } => {
                    let mut packet = packet(sequence, media);
                    packet.mark = flags & 1 != 0;
                    packet.end = flags & 2 != 0;
                    packet.empty = flags & 6 == 6;
                    let was_talking = ear.speaker.is_talking();
                    let inserted = ear.insert(now, packet);
                    prop_assert!(!(was_talking && inserted.started));
                    prop_assert!(!inserted.stopped || was_talking || inserted.started);
                    let talks = (was_talking || inserted.started) && !inserted.stopped;
                    prop_assert_eq!(ear.speaker.is_talking(), talks);
                }
                Op::Pull => match ear.pull(now) {
                    Frame(number) => {
                        let played = ear.speaker.floor - 1;
                        prop_assert_eq!(played & 0xFFFF, u64::from(number));
                        prop_assert!(last < Some(played), "{:?} then {}", last, played);
                        last = Some(played);
                        concealed = 0;
                    }
                    Conceal => concealed += 1,
                    Silence => concealed = 0,
                },
                Op::Wait(ms) => now += ms,
                Op::Timeout => {
                    ear.speaker.handle_timeout(Instant::from_ms(now));
                }
            }
            prop_assert!(concealed <= CONCEAL_LIMIT);
        }
    }
}
