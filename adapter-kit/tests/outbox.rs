//! Outboxes against a model that keeps each link's packets in a list of its own.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use adapter_kit::{Flush, Item, Outboxes, unpack};
use proptest::prelude::*;

const LINKS: u32 = 5;
const WINDOW: Duration = Duration::from_millis(5);
/// Packets that may wait for a link.
const MOST: usize = 64;

#[derive(Debug, Clone)]
enum Step {
    /// The same packet to some links, of these many bytes.
    Send {
        links: Vec<u32>,
        len: usize,
        flush: Flush,
    },
    Flush(u32),
    Forget(u32),
    /// Time passes, and what is due leaves.
    Wait(u64),
    /// What is ready leaves, in datagrams of so many bytes.
    Transmit(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let flush = prop_oneof![2 => Just(Flush::Soon), 1 => Just(Flush::Now)];
    let len = prop_oneof![4 => 1..120_usize, 1 => 120..700_usize];
    let step = prop_oneof![
        8 => (prop::collection::btree_set(0..LINKS, 0..5), len, flush)
            .prop_map(|(links, len, flush)| Step::Send { links: links.into_iter().collect(), len, flush }),
        1 => (0..LINKS).prop_map(Step::Flush),
        1 => (0..LINKS).prop_map(Step::Forget),
        3 => (0..4_u64).prop_map(Step::Wait),
        3 => (720..1_200_usize).prop_map(Step::Transmit),
    ];
    prop::collection::vec(step, 1..300)
}

#[derive(Debug, Clone, Default)]
struct Queue {
    packets: VecDeque<Vec<u8>>,
    /// Since when its oldest waits unflushed.
    since: Option<u64>,
    ready: bool,
}

/// Any time will do: from there on the test's own clock goes on.
#[expect(clippy::disallowed_methods, reason = "the standard library's clock has no other beginning")]
fn begin() -> Instant {
    Instant::now()
}

struct World {
    begin: Instant,
    ms: u64,
    sent: u32,
    dropped: u64,
    outboxes: Outboxes,
    model: Vec<Queue>,
}

impl World {
    fn now(&self) -> Instant {
        self.begin + Duration::from_millis(self.ms)
    }

    fn apply(&mut self, step: &Step) {
        let now = self.now();
        match step {
            Step::Send { links, len, flush } => {
                self.sent += 1;
                let mut packet = vec![0x55; *len];
                packet.iter_mut().zip(self.sent.to_be_bytes().iter().rev()).for_each(|(to, from)| *to = *from);
                let kept = self.outboxes.keep(&packet);
                for link in links {
                    self.outboxes.add(now, *link, kept, *flush);
                    self.note(*link, &packet, *flush);
                }
            }
            Step::Flush(link) => {
                self.outboxes.flush(*link);
                let queue = &mut self.model[*link as usize];
                queue.ready |= !queue.packets.is_empty();
            }
            Step::Forget(link) => {
                let gone = self.outboxes.forget(*link);
                assert_eq!(gone, self.model[*link as usize].packets.len());
                // Its turn to leave stays: whoever has the link next leaves with it, sooner than need be.
                let queue = &mut self.model[*link as usize];
                *queue = Queue { ready: queue.ready, ..Queue::default() };
            }
            Step::Wait(ms) => {
                self.ms += ms;
                let due = self.model.iter().filter(|queue| !queue.ready).filter_map(|queue| queue.since).min();
                let told = self.outboxes.poll_timeout();
                if let Some(since) = due {
                    assert!(told.is_some_and(|at| at <= self.begin + Duration::from_millis(since) + WINDOW));
                }
                let now = self.now();
                self.outboxes.handle_timeout(now);
                for queue in &mut self.model {
                    queue.ready |= queue.since.is_some_and(|since| since + WINDOW.as_millis() as u64 <= self.ms);
                }
            }
            Step::Transmit(room) => self.transmit(*room),
        }
    }

    fn note(&mut self, link: u32, packet: &[u8], flush: Flush) {
        let queue = &mut self.model[link as usize];
        if queue.packets.len() >= MOST {
            queue.packets.pop_front();
            self.dropped += 1;
        }
        queue.packets.push_back(packet.to_vec());
        queue.ready |= flush == Flush::Now;
        queue.since.get_or_insert(self.ms);
    }

    fn transmit(&mut self, room: usize) {
        while let Some(link) = self.outboxes.next_ready() {
            let queue = &mut self.model[link as usize];
            match self.outboxes.take(link, room) {
                Some((plain, count)) => {
                    assert!(queue.ready, "a link that has to wait leaves");
                    assert!(plain.len() <= room);
                    let packets: Vec<Vec<u8>> = unpack(plain)
                        .map(|item| if let Item::Packet(packet) = item { packet.to_vec() } else { panic!("a word") })
                        .collect();
                    assert_eq!(packets.len(), count);
                    let wanted: Vec<Vec<u8>> = queue.packets.drain(..count).collect();
                    assert_eq!(packets, wanted, "the same packets in the same order");
                }
                None => {
                    assert!(queue.packets.is_empty(), "something stays behind");
                    (queue.ready, queue.since) = (false, None);
                    self.outboxes.pop_ready();
                }
            }
        }
        assert!(self.model.iter().all(|queue| !queue.ready || queue.packets.is_empty()), "a ready link stays behind");
    }
}

proptest! {
    #[test]
    fn every_link_gets_its_packets_in_order_and_none_waits_for_longer_than_the_window(steps in steps()) {
        let mut outboxes = Outboxes::new(WINDOW);
        outboxes.grow(LINKS as usize);
        let model = vec![Queue::default(); LINKS as usize];
        let mut world = World { begin: begin(), ms: 0, sent: 0, dropped: 0, outboxes, model };
        for step in &steps {
            world.apply(step);
        }
        // And at the end everything leaves.
        world.apply(&Step::Wait(6));
        world.apply(&Step::Transmit(1_200));
        prop_assert!(world.model.iter().all(|queue| queue.packets.is_empty()));
        prop_assert!((0..LINKS).all(|link| world.outboxes.is_empty(link)));
        prop_assert_eq!(world.outboxes.dropped(), world.dropped);
    }
}
