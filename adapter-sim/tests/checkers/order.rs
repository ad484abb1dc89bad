use adapter_sim::world::PersonId;
use voice_core::{ClientId, wire};

use crate::{
    assert_caught,
    node::{Heard, Node, Packet, TextRead},
};

const TALK: &str = "
    500 open-room 0 0 none
    600 speak 0 on
    2600 speak 0 off
    3500
";

const TEXTS: &str = "
    500 text-room 0 0
    600 text-room 0 0
    700 text-person 0 1
    800 text-room 0 0
    1500
";

/// Plays every frame twice.
struct Echo;

impl Node for Echo {
    fn ear(&mut self, _: u64, heard: Heard) -> Vec<Heard> {
        vec![heard.clone(), heard]
    }
}

#[test]
fn a_core_that_plays_a_frame_twice_is_caught() {
    assert_caught(TALK, &mut Echo, "order", "frame 1 of 0 twice (after 1)");
}

/// Plays the frames of one listener in pairs, the later one first.
#[derive(Default)]
struct Swap {
    kept: Option<Heard>,
}

impl Node for Swap {
    fn ear(&mut self, _: u64, heard: Heard) -> Vec<Heard> {
        if heard.listener != 1 {
            return vec![heard];
        }
        match self.kept.take() {
            Some(kept) => vec![heard, kept],
            None => {
                self.kept = Some(heard);
                Vec::new()
            }
        }
    }
}

#[test]
fn a_core_that_plays_frames_out_of_order_is_caught() {
    assert_caught(TALK, &mut Swap::default(), "order", "person 1 got frame 1 of 0 out of order (after 2)");
}

/// Sends a packet's sound again under the next numbers, so that no core can know.
#[derive(Default)]
struct Replay {
    count: u32,
    kept: Option<Packet>,
    after: u32,
}

impl Node for Replay {
    fn up(&mut self, _: u64, _: PersonId, packet: Packet) -> Vec<Packet> {
        let Some(voice) = packet.voice() else { return vec![packet] };
        self.count += 1;
        if self.count == 10 {
            self.kept = Some(packet.clone());
        }
        let channels: Vec<_> = voice.channels.iter().collect();
        match &self.kept {
            Some(kept) if self.count == 10 + self.after => {
                vec![packet.voice_with(&channels, kept.voice().expect("voice").payload)]
            }
            _ => vec![packet],
        }
    }
}

#[test]
fn a_replay_under_new_numbers_is_caught() {
    let replay = |after| Replay { after, ..Replay::default() };
    assert_caught(TALK, &mut replay(1), "order", "frame 10 of 0 twice (after 10)");
    assert_caught(TALK, &mut replay(20), "order", "frame 10 of 0 out of order (after 29)");
}

/// Shows every text twice.
struct TwiceRead;

impl Node for TwiceRead {
    fn eye(&mut self, _: u64, read: TextRead) -> Vec<TextRead> {
        vec![read.clone(), read]
    }
}

#[test]
fn a_core_that_shows_a_text_twice_is_caught() {
    assert_caught(TEXTS, &mut TwiceRead, "order", "text 1 of 0 twice (after 1)");
}

/// Puts other words, or another writer, into the texts to person 1.
struct Forger {
    number: usize,
    /// The texts so far, and what becomes of the next.
    seen: Vec<Vec<u8>>,
    how: fn(usize, &[Vec<u8>]) -> Vec<u8>,
    by_2: bool,
    id_of_2: Option<ClientId>,
}

impl Forger {
    fn new(how: fn(usize, &[Vec<u8>]) -> Vec<u8>) -> Self {
        Self { number: 0, seen: Vec::new(), how, by_2: false, id_of_2: None }
    }
}

impl Node for Forger {
    fn down(&mut self, _: u64, to: PersonId, packet: Packet) -> Vec<(PersonId, Packet)> {
        if let (Ok(wire::Packet::Welcome(welcome)), 2) = (wire::Packet::decode(&packet.bytes), to) {
            self.id_of_2 = Some(welcome.client);
        }
        let (Ok(wire::Packet::Text { lane, from, last, target, bytes }), 1) = (wire::Packet::decode(&packet.bytes), to)
        else {
            return vec![(to, packet)];
        };
        self.seen.push(bytes.to_vec());
        let forged = (self.how)(self.number, &self.seen);
        self.number += 1;
        let from = self.id_of_2.filter(|_| self.by_2).unwrap_or(from);
        let mut buffer = [0; 1_200];
        let text = wire::Packet::Text { lane, from, last, target, bytes: &forged };
        let len = text.encode(&mut buffer).expect("a text");
        vec![(to, Packet { bytes: buffer[..len].to_vec(), ..packet })]
    }
}

#[test]
fn a_text_that_comes_in_place_of_another_is_caught() {
    let mut again = Forger::new(|number, seen| seen[number.saturating_sub(1)].clone());
    assert_caught(TEXTS, &mut again, "order", "person 1 got text 1 of 0 twice (after 1)");
    let mut first_at_last = Forger::new(|number, seen| seen[if number == 3 { 0 } else { number }].clone());
    assert_caught(TEXTS, &mut first_at_last, "order", "person 1 got text 1 of 0 out of order (after 3)");
}

#[test]
fn a_text_of_which_a_letter_was_changed_is_caught() {
    let mut forger = Forger::new(|number, seen| {
        let mut text = seen[number].clone();
        text[0] ^= 1;
        text
    });
    assert_caught(TEXTS, &mut forger, "order", "person 1 read a text that 0 didn't write: 'uext 1");
}

#[test]
fn a_text_under_another_name_is_caught() {
    let mut forger = Forger { by_2: true, ..Forger::new(|number, seen| seen[number].clone()) };
    assert_caught(TEXTS, &mut forger, "order", "person 1 read a text that 2 didn't write");
}
