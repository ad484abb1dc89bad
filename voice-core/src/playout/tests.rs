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
fn a_speaker_needs_at_most_1_kib_besides_the_frames() {
    assert!(size_of::<Playout>() <= 1_024);
}
