//! A whole session on the net of this program's own: cores, links to the server, direct paths; and what the listener hears while the way changes.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use adapter_udp::{Config, Direct, DirectConfig, Endpoint, Event, Flush, Identity, LinkId, Trust};
use voice_core::{
    ChannelOptions, ChannelSlot, Client, ClientConfig, ClientId, ClientStorage, ConnectionId, Delivery, Message,
    PeerLink, PersonSlot, RoomSlot, RoomUse, Route, Server, ServerConfig, ServerMemory, Sound, Source, SpeakerSlot,
    TalkTo, client_storage_vec, server_storage_vec,
};

use super::{
    lab::SERVER,
    net::{Kind, Net, begin},
};

type Core =
    Client<ClientStorage<Vec<PersonSlot>, Vec<RoomSlot>, Vec<ChannelSlot>, Vec<SpeakerSlot>, Vec<PeerLink>, Vec<u8>>>;

struct Person {
    core: Core,
    endpoint: Endpoint,
    direct: Direct,
    link: Option<LinkId>,
    attempt: Option<u32>,
    wants: bool,
    /// Numbers of the frames that were played.
    played: Vec<u32>,
}

struct ServerEnd<M> {
    core: Server<M>,
    endpoint: Endpoint,
    links: Vec<(LinkId, ConnectionId)>,
}

/// Machine 0 is the server, 1 the speaker, 2 the listener.
struct World<M> {
    begin: Instant,
    ms: u64,
    net: Net,
    server: ServerEnd<M>,
    people: Vec<Person>,
    spoken: u32,
    /// Voice that the server sent on.
    relayed: u64,
}

fn person(name: &str) -> Person {
    let now = voice_core::Instant::ORIGIN;
    let mut core: Core = Client::new(ClientConfig::new(name).unwrap(), 1, client_storage_vec!(people: 8, speakers: 4));
    let room = core.use_room(now, "Lobby", RoomUse::Both).unwrap();
    core.open_channel(now, TalkTo::Room(room), ChannelOptions::DEFAULT).unwrap();
    core.connect(now);
    let endpoint = Endpoint::client(Config::DEFAULT, Identity::generate().unwrap());
    let direct = Direct::new(DirectConfig::DEFAULT);
    Person { core, endpoint, direct, link: None, attempt: None, wants: false, played: Vec::new() }
}

fn world(kinds: [Kind; 2]) -> World<impl ServerMemory> {
    let mut net = Net::new();
    net.add(SERVER, Kind::Open);
    net.add("192.168.0.2:5000".parse().unwrap(), kinds[0]);
    net.add("192.168.1.2:5000".parse().unwrap(), kinds[1]);
    let server = ServerEnd {
        core: Server::new(ServerConfig::DEFAULT, 7, server_storage_vec!(clients: 8, rooms: 4)),
        endpoint: Endpoint::server(Config::DEFAULT, Identity::generate().unwrap()),
        links: Vec::new(),
    };
    let people = vec![person("Speaker"), person("Listener")];
    World { begin: begin(), ms: 0, net, server, people, spoken: 0, relayed: 0 }
}

impl<M: ServerMemory> World<M> {
    fn now(&self) -> (Instant, voice_core::Instant) {
        (self.begin + Duration::from_millis(self.ms), voice_core::Instant::from_ms(self.ms))
    }

    fn want(&mut self) {
        self.people.iter_mut().for_each(|person| person.wants = true);
    }

    /// Lets time pass; the speaker speaks and the listener listens every 20 ms.
    fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.ms += 1;
            if self.ms.is_multiple_of(20) {
                self.tick();
            }
            let (now, core_now) = self.now();
            while let Some((node, from, mut bytes)) = self.net.arrived(now) {
                match node {
                    0 => self.server.take(now, core_now, from, &mut bytes, &mut self.relayed),
                    at => {
                        let person = &mut self.people[at - 1];
                        if !person.direct.handle_datagram(now, from, &mut bytes) {
                            let received = person.endpoint.handle_datagram(now, from, &mut bytes);
                            for packet in received.into_iter().flat_map(|received| received.packets) {
                                let how = Delivery::Unreliable;
                                person.core.handle_packet(core_now, Source::Server, how, packet);
                            }
                        }
                    }
                }
            }
            self.server.turn(now, core_now, &mut self.net);
            for at in 1..=self.people.len() {
                let address = self.net.address(at);
                self.people[at - 1].direct.set_local(now, &[address]);
                self.people[at - 1].turn(now, core_now, at, &mut self.net);
            }
        }
    }

    fn tick(&mut self) {
        let (_, now) = self.now();
        let mut frame = [0; 60];
        frame[..4].copy_from_slice(&self.spoken.to_be_bytes());
        if self.people[0].core.send_frame(now, &frame).is_ok() {
            self.spoken += 1;
        }
        let listener = &mut self.people[1];
        let speakers: Vec<ClientId> = listener.core.speakers().collect();
        for speaker in speakers {
            if let Sound::Play(frame) = listener.core.next_frame(now, Duration::ZERO, speaker).sound {
                listener.played.push(u32::from_be_bytes(frame[..4].try_into().unwrap()));
            }
        }
    }

    fn is_direct(&mut self) -> bool {
        let other = self.people[1].core.id().unwrap();
        self.people[0].core.is_direct(other)
    }

    /// Frames of all that was played in between that were not, after a check that none was played twice.
    fn lost(&self) -> usize {
        let played = &self.people[1].played;
        assert!(played.is_sorted_by(|one, next| one < next), "twice, or out of order");
        (played[played.len() - 1] - played[0]) as usize + 1 - played.len()
    }
}

impl<M: ServerMemory> ServerEnd<M> {
    fn take(
        &mut self,
        now: Instant,
        core_now: voice_core::Instant,
        from: SocketAddr,
        datagram: &mut [u8],
        relayed: &mut u64,
    ) {
        let Some(received) = self.endpoint.handle_datagram(now, from, datagram) else { return };
        let Some((_, from)) = self.links.iter().find(|(at, _)| *at == received.link).copied() else { return };
        for packet in received.packets {
            let mut forward = self.core.handle_packet(core_now, from, Delivery::Unreliable, packet);
            while let Some((bytes, to)) = forward.next() {
                *relayed += to.len() as u64;
                let to = to.iter().filter_map(|to| self.links.iter().find(|(_, at)| at == to));
                self.endpoint.send_to_all(now, to.map(|(link, _)| *link), bytes, Flush::Now);
            }
        }
    }

    fn turn(&mut self, now: Instant, core_now: voice_core::Instant, net: &mut Net) {
        self.endpoint.handle_timeout(now);
        self.core.handle_timeout(core_now);
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Up(link, _) => self.links.push((link, self.core.handle_connected(core_now).unwrap())),
                Event::Packet(link, bytes) => {
                    let Some((_, from)) = self.links.iter().find(|(at, _)| *at == link).copied() else { continue };
                    self.core.handle_packet(core_now, from, Delivery::Reliable, &mut bytes.to_vec());
                }
                Event::Down(..) => {}
            }
        }
        let mut buffer = [0; 1_200];
        while let Some(transmit) = self.core.poll_transmit(core_now, &mut buffer) {
            let Route::Client(to) = transmit.to else { continue };
            let Some((link, _)) = self.links.iter().find(|(_, at)| *at == to) else { continue };
            let _ = self.endpoint.send(now, *link, transmit.delivery, &buffer[..transmit.len]);
        }
        let mut out = Vec::new();
        while let Some(transmit) = self.endpoint.poll_transmit(now, &mut out) {
            net.send(now, 0, transmit.to, &out);
        }
    }
}

impl Person {
    fn turn(&mut self, now: Instant, core_now: voice_core::Instant, node: usize, net: &mut Net) {
        self.endpoint.handle_timeout(now);
        self.core.handle_timeout(core_now);
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Up(..) => self.core.handle_connected(core_now),
                Event::Packet(_, bytes) => {
                    self.core.handle_packet(core_now, Source::Server, Delivery::Reliable, &bytes);
                }
                Event::Down(..) => self.core.handle_disconnected(core_now),
            }
        }
        while let Some(Message::Rendezvous { from, bytes }) = self.core.take_message() {
            self.direct.handle_rendezvous(now, from, bytes);
        }
        if self.wants {
            let all: Vec<ClientId> = self.core.roster().map(|who| who.id()).collect();
            self.direct.set_wanted(now, &all);
        }
        self.direct.drive(now, core_now, &mut self.core, (&mut self.endpoint, self.link), |_, _, _| {});
        self.send(now, core_now);
        let mut out = Vec::new();
        while let Some(transmit) =
            self.endpoint.poll_transmit(now, &mut out).or_else(|| self.direct.poll_transmit(&mut out))
        {
            net.send(now, node, transmit.to, &out);
        }
    }

    fn send(&mut self, now: Instant, core_now: voice_core::Instant) {
        let mut buffer = [0; 1_200];
        while let Some(transmit) = self.core.poll_transmit(core_now, &mut buffer) {
            let packet = &buffer[..transmit.len];
            if let Route::Path(path) = transmit.to {
                if self.direct.send(path, packet).is_err() {
                    self.core.handle_unsent(core_now, path, packet);
                }
            } else if let Some(link) = self.link {
                let _ = self.endpoint.send(now, link, transmit.delivery, packet);
            }
        }
        if self.core.transport_wanted() != self.attempt {
            self.attempt = self.core.transport_wanted();
            self.link = self.endpoint.connect(now, SERVER, Trust::FirstUse).ok();
        }
    }
}

/// Frames lost when the path fails in mid-talk, with datagrams that take so many milliseconds and a path that fails so long after the whole second.
fn lost_by_a_change(way: u64, fails_after: u64) -> usize {
    let mut world = world([Kind::PortCone, Kind::PortCone]);
    world.net.way = Duration::from_millis(way);
    world.run(4_000);
    assert!(!world.is_direct() && world.relayed > 100);
    world.want();
    world.run(2_000);
    assert!(world.is_direct());
    assert_eq!(world.lost(), 0, "from the server to the path");
    let relayed = world.relayed;
    world.run(3_000 + fails_after);
    assert_eq!(world.relayed, relayed, "the server has nothing to do");
    // Something in between lets nothing through any more.
    world.net.loses = Box::new(|_, bytes| bytes[0] == 0xB0);
    world.run(8_000);
    assert!(!world.is_direct() && world.relayed > relayed + 380);
    let lost = world.lost();
    world.net.loses = Box::new(|_, _| false);
    world.run(20_000);
    assert!(world.is_direct());
    assert_eq!(world.lost(), lost, "and back to the path");
    lost
}

#[test]
fn the_change_from_the_server_to_the_direct_path_and_back_loses_one_frame_at_most_and_plays_none_twice() {
    for (way, fails_after) in [(1, 3), (2, 17), (5, 0), (5, 6), (5, 11), (5, 17)] {
        let lost = lost_by_a_change(way, fails_after);
        assert!(lost <= 1, "{lost} frames lost: {way} ms, {fails_after} ms");
    }
}

#[test]
fn where_the_path_takes_longer_so_does_the_change_and_three_frames_are_lost_at_most() {
    for (way, fails_after) in [(10, 17), (20, 0), (20, 9), (40, 0)] {
        let lost = lost_by_a_change(way, fails_after);
        assert!(lost <= 3, "{lost} frames lost: {way} ms, {fails_after} ms");
    }
}

#[test]
fn where_one_learns_late_that_the_other_is_there_the_offer_waits_for_it() {
    let mut world = world([Kind::PortCone, Kind::PortCone]);
    world.run(4_000);
    // Who offers first is client 1, whichever of them that is.
    let first = usize::from(world.people[1].core.id() < world.people[0].core.id());
    world.people[first].wants = true;
    world.run(500);
    world.people[1 - first].wants = true;
    world.run(600);
    assert!(world.is_direct());
}

#[test]
fn where_no_path_can_be_the_server_goes_on_and_nothing_is_lost() {
    let mut world = world([Kind::Symmetric, Kind::PortCone]);
    world.want();
    world.run(30_000);
    assert!(!world.is_direct());
    assert!(world.relayed > 1_300, "{}", world.relayed);
    assert_eq!(world.lost(), 0);
}
