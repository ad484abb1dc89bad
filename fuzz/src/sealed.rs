use std::collections::BTreeSet;

use adapter_udp::fuzzing::{OneWay, repacked};

use crate::input::Input;

/// Numbers that are told from replays.
const WINDOW: u64 = 1_024;
/// So far ahead a number is told by its low half, with room to spare.
const TOLD: u64 = 30_000;

/// Parses any bytes as a sealed datagram and as what is in one, and lets datagrams be lost, repeated, reordered, cut and bent.
pub fn sealed(data: &[u8]) {
    take_apart(data);
    let mut bytes = data.to_vec();
    assert!(OneWay::new([1; 32]).open(&mut bytes).is_none(), "bytes that nobody sealed are opened");
    let mut input = Input::new(data);
    let mut stage = Stage::new();
    input.steps(|input| match input.below(4) {
        0 => stage.seal(input),
        1 => stage.way.skip(input.u16()),
        2 => stage.deliver(input),
        _ => stage.deliver_bent(input),
    });
    stage.deliver_all();
}

fn take_apart(plain: &[u8]) {
    let (packets, again) = repacked(plain);
    assert!(packets.iter().all(|packet| !packet.is_empty()), "a packet of nothing");
    assert!(plain.starts_with(&again), "two encodings of the same packets");
}

struct Sealed {
    number: u64,
    plain: Vec<u8>,
    datagram: Vec<u8>,
}

struct Stage {
    way: OneWay,
    sealed: Vec<Sealed>,
    opened: BTreeSet<u64>,
}

impl Stage {
    fn new() -> Self {
        Self { way: OneWay::new([1; 32]), sealed: Vec::new(), opened: BTreeSet::new() }
    }

    fn seal(&mut self, input: &mut Input<'_>) {
        let id = input.flag().then(|| input.u32());
        let plain = input.packet().to_vec();
        let (number, datagram) = self.way.seal(id, &plain).expect("numbers are left");
        assert!(self.sealed.last().is_none_or(|last| last.number < number), "a number used twice");
        self.sealed.push(Sealed { number, plain, datagram });
    }

    fn chosen(&self, input: &mut Input<'_>) -> Option<usize> {
        // Mostly a late one: those are within the window.
        let back = input.below(16);
        (self.sealed.len()).checked_sub(1 + back)
    }

    fn deliver(&mut self, input: &mut Input<'_>) {
        if let Some(at) = self.chosen(input) {
            self.open(at);
        }
    }

    fn deliver_all(&mut self) {
        (0..self.sealed.len()).rev().for_each(|at| self.open(at));
    }

    fn open(&mut self, at: usize) {
        let Self { way, sealed, opened } = self;
        let Sealed { number, plain, datagram } = &sealed[at];
        let mut datagram = datagram.clone();
        let got = way.open(&mut datagram);
        let highest = opened.last().copied();
        let old = opened.contains(number) || highest.is_some_and(|highest| number + WINDOW <= highest);
        let far = *number > highest.map_or(0, |highest| highest + 1) + TOLD;
        match got {
            Some(got) => {
                assert!(!old, "number {number} is opened after {highest:?}");
                assert_eq!(got, plain, "number {number}");
                opened.insert(*number);
            }
            None => assert!(old || far, "number {number} isn't opened after {highest:?}"),
        }
    }

    fn deliver_bent(&mut self, input: &mut Input<'_>) {
        let Some(at) = self.chosen(input) else { return };
        let datagram = &self.sealed[at].datagram;
        let mut bent = input.bent(datagram);
        if input.flag() {
            bent.truncate(input.below(256));
        }
        if bent != *datagram {
            assert!(self.way.open(&mut bent).is_none(), "a changed datagram is opened");
        }
    }
}
