//! A session that gets three times what it can pass on, on a clock of its own: each copy of voice takes 10 µs.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use adapter_udp::{Fingerprint, Flush, LinkId};
use voice_core::{
    ChannelOptions, ChannelSlot, Client, ClientConfig, ClientStorage, Delivery, FrameLength, PeerLink, PersonSlot,
    Priority, RoomSlot, RoomUse, Source, SpeakerSlot, State, TalkTo, client_storage_vec,
};

use super::{
    adapter::{Adapter, Counts, Event},
    admission::Admission,
    session::Session,
    settings::Settings,
};
use crate::{
    clock::{Clock, Now},
    log::Level,
};

type Core =
    Client<ClientStorage<Vec<PersonSlot>, Vec<RoomSlot>, Vec<ChannelSlot>, Vec<SpeakerSlot>, Vec<PeerLink>, Vec<u8>>>;

const COPY_US: u64 = 10;
const FRAME_US: u64 = 10_000;

/// What is between the people and the server: nothing but queues.
#[derive(Default)]
struct Between {
    to_server: VecDeque<(Event, Vec<u8>)>,
    to_people: VecDeque<(usize, Delivery, Vec<u8>)>,
    copies: u64,
    /// Who stands for all that hear.
    last: usize,
    /// By how much more a copy costs than over UDP.
    dearer_by: usize,
}

struct Wire(Rc<RefCell<Between>>);

impl Adapter for Wire {
    fn receive(&mut self, _: Now) {}
    fn handle_timeout(&mut self, _: Now) {}

    fn poll_event(&mut self, packet: &mut Vec<u8>) -> Option<Event> {
        let (event, bytes) = self.0.borrow_mut().to_server.pop_front()?;
        *packet = bytes;
        Some(event)
    }

    fn send(&mut self, _: Now, link: LinkId, delivery: Delivery, packet: &[u8]) -> bool {
        self.0.borrow_mut().to_people.push_back((link.index(), delivery, packet.to_vec()));
        true
    }

    fn send_to_all(&mut self, _: Now, links: &[LinkId], packet: &[u8], _: Flush) {
        let mut between = self.0.borrow_mut();
        between.copies += links.len() as u64;
        // All hear the same: one stands for them.
        if let Some(one) = links.iter().find(|link| link.index() == between.last) {
            between.to_people.push_back((one.index(), Delivery::Unreliable, packet.to_vec()));
        }
    }

    fn copy_cost(&self) -> usize {
        1 + self.0.borrow().dearer_by
    }

    fn flush(&mut self, _: LinkId) {}
    fn close(&mut self, _: Now, _: LinkId) {}
    fn transmit(&mut self, _: Now) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn peer(&self, _: LinkId) -> Option<SocketAddr> {
        Some(SocketAddr::from(([10, 0, 0, 1], 5)))
    }

    fn name(&self) -> &'static str {
        "wire"
    }

    fn counts(&self) -> Counts {
        Counts::default()
    }

    #[cfg(unix)]
    fn watch<'a>(&'a self, _: &mut Vec<std::os::fd::BorrowedFd<'a>>) {}

    #[cfg(not(unix))]
    fn wait(&self, _: Duration) -> std::io::Result<()> {
        Ok(())
    }
}

struct Crowd {
    clock: Clock,
    begin: Instant,
    us: u64,
    session: Session,
    between: Rc<RefCell<Between>>,
    people: Vec<Core>,
    next_frame: Vec<u64>,
    speakers: usize,
    /// Of the last person: how many frames of each speaker it got, and how old the oldest was, µs.
    heard: BTreeMap<u16, u64>,
    oldest_us: u64,
    /// How long each answer to a text took, µs.
    answers: Vec<u64>,
    asked: Option<u64>,
}

fn key(_: usize) -> Option<Fingerprint> {
    None
}

impl Crowd {
    fn new(people: usize) -> Self {
        let clock = Clock::start();
        let begin = clock.now().real;
        let between = Rc::new(RefCell::new(Between::default()));
        let settings = Settings {
            listen: SocketAddr::from(([0, 0, 0, 0], 0)),
            name: None,
            password: None,
            clients: 128,
            links_per_address: 128,
            rooms: 8,
            http: None,
            web: None,
            web_tls: None,
            web_address: Vec::new(),
            window: Duration::from_millis(5),
            log: Level::default(),
            certificate: None,
        };
        let wire: Box<dyn Adapter> = Box::new(Wire(between.clone()));
        let mut session = Session::new(vec![wire], Admission::new(None).unwrap(), &settings);
        session.copies = 100;
        let mut crowd = Self {
            clock,
            begin,
            us: 0,
            session,
            between,
            people: Vec::new(),
            next_frame: Vec::new(),
            speakers: 0,
            heard: BTreeMap::new(),
            oldest_us: 0,
            answers: Vec::new(),
            asked: None,
        };
        crowd.between.borrow_mut().last = people - 1;
        (0..people).for_each(|who| crowd.add(who));
        crowd.run(2_000);
        assert!(crowd.people.iter().all(|person| person.state() == State::Connected));
        crowd
    }

    fn now(&self) -> Now {
        let real = self.begin + Duration::from_micros(self.us);
        Now { real, core: self.clock.core(real) }
    }

    fn add(&mut self, who: usize) {
        let now = self.now().core;
        let mut config = ClientConfig::new(&format!("person-{who}")).unwrap();
        config.codec.frame_length = FrameLength::Ms10;
        config.direct = false;
        let mut core = Client::new(config, who as u64 + 1, client_storage_vec!(people: 4, speakers: 2));
        let room = core.use_room(now, "hall", RoomUse::Both).unwrap();
        // Every tenth is somebody who should be heard whatever happens.
        let priority = if who.is_multiple_of(10) { Priority::High } else { Priority::Default };
        core.open_channel(now, TalkTo::Room(room), ChannelOptions { priority, ..ChannelOptions::DEFAULT }).unwrap();
        core.connect(now);
        core.handle_connected(now);
        let link = LinkId::from_parts(who as u32, 0);
        self.between.borrow_mut().to_server.push_back((Event::Up(link, key(who)), Vec::new()));
        self.people.push(core);
        self.next_frame.push(who as u64 * 173);
    }

    fn run(&mut self, ms: u64) {
        let end = self.us + ms * 1_000;
        while self.us < end {
            self.people_act();
            let before = self.between.borrow().copies;
            let now = self.now();
            self.session.turn(now);
            self.deliver();
            let copies = self.between.borrow().copies - before;
            self.us += (copies * COPY_US).max(100);
        }
    }

    fn people_act(&mut self) {
        let (now, mut out) = (self.now().core, [0; 1_200]);
        for who in 0..self.people.len() {
            let core = &mut self.people[who];
            if who < self.speakers && self.next_frame[who] <= self.us {
                self.next_frame[who] += FRAME_US;
                let _ = core.send_frame(now, &self.us.to_be_bytes());
            }
            self.next_frame[who] = self.next_frame[who].max(self.us.saturating_sub(FRAME_US));
            core.handle_timeout(now);
            let link = LinkId::from_parts(who as u32, 0);
            while let Some(transmit) = core.poll_transmit(now, &mut out) {
                let packet = (Event::Packet(link, transmit.delivery), out[..transmit.len].to_vec());
                self.between.borrow_mut().to_server.push_back(packet);
            }
        }
    }

    fn deliver(&mut self) {
        let now = self.now().core;
        while let Some((who, delivery, packet)) = { self.between.borrow_mut().to_people.pop_front() } {
            if packet[0] >= 0x80 {
                let speaker = u16::from_be_bytes([packet[3], packet[4]]);
                *self.heard.entry(speaker).or_default() += 1;
                let said = packet.last_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
                self.oldest_us = self.oldest_us.max(self.us.saturating_sub(said));
                continue;
            }
            // RoomGranted or RoomClosed answers the question below.
            if who == self.people.len() - 1
                && matches!(packet[0], 0x23 | 0x24)
                && let Some(asked) = self.asked.take()
            {
                self.answers.push(self.us - asked);
            }
            self.people[who].handle_packet(now, Source::Server, delivery, &packet);
        }
    }

    /// The last person wants to use another room.
    fn ask(&mut self, name: &str) {
        let now = self.now().core;
        self.people.last_mut().unwrap().use_room(now, name, RoomUse::Listen).unwrap();
        self.asked = Some(self.us);
    }

    fn forget(&mut self) {
        self.heard.clear();
        self.oldest_us = 0;
    }
}

#[test]
fn of_three_times_what_it_can_pass_on_the_important_and_those_who_spoke_first_are_heard_whole_and_nothing_comes_late() {
    let mut crowd = Crowd::new(60);
    // 51 speakers, 100 frames a second each, 59 listeners: 300,900 copies, where 100,000 can be made.
    crowd.speakers = 51;
    crowd.run(1_000);
    crowd.forget();
    for (at, name) in ["one", "two", "three"].iter().enumerate() {
        crowd.ask(name);
        crowd.run(1_000);
        assert_eq!(crowd.answers.len(), at + 1, "an answer within a second");
    }
    assert!(crowd.answers.iter().all(|us| *us < 50_000), "{:?}", crowd.answers);
    let (high, rest): (Vec<_>, Vec<_>) = (0..51)
        .map(|who| (who, crowd.heard.get(&crowd.people[who].id().unwrap().get()).copied().unwrap_or(0)))
        .partition(|(who, _)| who % 10 == 0);
    assert!(high.iter().all(|(_, frames)| *frames >= 297), "of 300 each: {high:?}");
    let whole = rest.iter().filter(|(_, frames)| *frames >= 297).count();
    assert!((9..=12).contains(&whole), "of the 17 who can be heard, 6 are the high ones: {rest:?}");
    let all: u64 = crowd.heard.values().sum();
    assert!(all > 4_800, "{all} of the 5,085 that could be passed on");
    assert!(crowd.oldest_us < 115_000, "{} µs", crowd.oldest_us);

    crowd.speakers = 10;
    crowd.run(200);
    crowd.forget();
    crowd.run(800);
    assert!((0..10).all(|who| crowd.heard[&crowd.people[who].id().unwrap().get()] >= 79), "{:?}", crowd.heard);
    assert!(crowd.oldest_us < 25_000, "{} µs, a second after", crowd.oldest_us);
}

#[test]
fn whoever_asks_is_answered_within_the_turn_however_many_others_spoke_in_it() {
    let mut crowd = Crowd::new(120);
    crowd.session.copies = usize::MAX;
    crowd.speakers = 119;
    for name in ["one", "two", "three"] {
        crowd.run(100);
        crowd.us += FRAME_US;
        crowd.next_frame.fill(crowd.us);
        crowd.ask(name);
        crowd.people_act();
        let before = crowd.between.borrow().copies;
        crowd.session.turn(crowd.now());
        crowd.deliver();
        assert!(crowd.between.borrow().copies - before >= 119 * 119, "all of them spoke");
        assert_eq!(crowd.answers.pop(), Some(0));
    }
}

#[test]
fn what_is_important_and_comes_last_is_passed_on_in_the_turn_whose_work_the_others_have_used_up() {
    let mut crowd = Crowd::new(41);
    crowd.run(1_000);
    crowd.session.copies = 40 * 20;
    crowd.speakers = 41;
    crowd.us += FRAME_US;
    // All 41 speak in one turn, those of high priority last.
    crowd.next_frame = (0..41).map(|who| crowd.us + if who % 10 == 0 { 1 } else { 0 }).collect();
    crowd.forget();
    crowd.people_act();
    crowd.us += 1;
    crowd.people_act();
    crowd.session.turn(crowd.now());
    crowd.deliver();
    let heard = |who: usize| crowd.heard.get(&crowd.people[who].id().unwrap().get()).copied().unwrap_or(0);
    assert_eq!([0, 10, 20, 30].map(heard), [1; 4]);
}

#[test]
fn where_a_copy_costs_more_a_turn_makes_fewer_of_them() {
    let mut crowd = Crowd::new(41);
    crowd.run(1_000);
    crowd.speakers = 1;
    let mut made = |dearer_by| {
        crowd.between.borrow_mut().dearer_by = dearer_by;
        crowd.us += FRAME_US;
        crowd.people_act();
        crowd.session.turn(crowd.now());
        crowd.session.made
    };
    made(0);
    assert_eq!([0, 2].map(made), [40, 120], "one frame to 40 people");
}
