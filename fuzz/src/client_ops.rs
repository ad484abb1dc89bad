use voice_core::{ClientId, Counters, Delivery, Instant, PathId, ServerConfig, Source, TalkTo};

use crate::{
    draw::packet_after,
    embedder::{Handles, options, paths, speak},
    input::Input,
    session::{FuzzServer, Guest, MOST_PACKETS, dropped, new_server, settle},
};

/// Makes any sequence of public calls on a client, with any packets in between: raw ones, built ones of its session, ones that its server
/// really sent, and those with bytes changed. Another client joins, talks and greets on a direct path when the bytes say so.
pub fn client_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let mut caller = Caller::new();
    if input.flag() {
        caller.begin_joined();
    }
    input.steps(|input| {
        caller.call(input);
        caller.check();
    });
    caller.drain();
}

struct Caller {
    now: u64,
    latest: u64,
    server: FuzzServer,
    guest: Guest,
    other: Guest,
    handles: Handles,
    other_handles: Handles,
    drops: u64,
}

impl Caller {
    fn new() -> Self {
        let (mut guest, mut other) = (Guest::new("one", 1), Guest::new("two", 2));
        (guest.reachable, other.reachable) = (true, true);
        Self {
            now: 0,
            latest: 0,
            server: new_server(ServerConfig::DEFAULT),
            guest,
            other,
            handles: Handles::default(),
            other_handles: Handles::default(),
            drops: 0,
        }
    }

    /// Two in a room, who may talk.
    fn begin_joined(&mut self) {
        let now = Instant::ORIGIN;
        self.guest.client.connect(now);
        self.other.client.connect(now);
        self.handles.speak_in(now, &mut self.guest.client, "a");
        self.other_handles.speak_in(now, &mut self.other.client, "a");
        self.settle(now);
        (self.now, self.latest) = (60, 60);
        self.settle(Instant::from_ms(60));
    }

    fn call(&mut self, input: &mut Input<'_>) {
        let (now, person) = (Instant::from_ms(self.now), self.person(input));
        match input.below(14) {
            0 => self.now += u64::from(input.byte()) * 40,
            1 => self.now = self.now.saturating_sub(u64::from(input.byte())),
            2 => self.now += 20,
            3 => self.life(now, input),
            4 | 5 => self.packet(now, input),
            6 => self.settle(now),
            7 => self.drain(),
            8 => self.handles.declare(now, input, &mut self.guest.client, person),
            9 => speak(now, input, &mut self.guest.client),
            10 => self.handles.hear(now, &mut self.guest.client, person),
            11 => paths(now, input, &mut self.guest, person),
            12 => self.handles.write(now, input, &mut self.guest.client, person),
            _ => self.other(now, input),
        }
        self.latest = self.latest.max(self.now);
    }

    /// What must be true after every call.
    fn check(&mut self) {
        let client = &self.guest.client;
        assert!(client.roster().count() <= 3 && client.speakers().count() <= 2);
        let drops = client.drops().total();
        assert!(drops >= self.drops, "drops were forgotten");
        self.drops = drops;
        if client.id().is_some() {
            assert!(client.session().is_some());
        }
    }

    /// Lets the client and its server, and another client, talk.
    fn settle(&mut self, now: Instant) {
        settle(now, &mut self.server, &mut [&mut self.guest, &mut self.other], |_, _, _| {});
        while self.guest.client.poll_event().is_some() {}
        while self.other.client.poll_event().is_some() {}
        while self.server.poll_event().is_some() {}
    }

    fn life(&mut self, now: Instant, input: &mut Input<'_>) {
        let client = &mut self.guest.client;
        match input.below(8) {
            0 | 1 => client.connect(now),
            2 => client.disconnect(now),
            3 => client.handle_connected(now),
            4 => client.handle_disconnected(now),
            5 => client.handle_timeout(now),
            6 => {
                let mut out = [0; 64];
                let len = input.below(65);
                assert!(client.poll_transmit(now, &mut out[..len]).is_none(), "less than 1,200 bytes is no buffer");
            }
            _ => self.server = new_server(ServerConfig::DEFAULT),
        }
    }

    /// Gives the client a packet.
    fn packet(&mut self, now: Instant, input: &mut Input<'_>) {
        let from =
            if input.below(4) < 3 { Source::Server } else { Source::Path(PathId(1 + u32::from(input.byte() % 4))) };
        if input.below(5) == 0 {
            return self.guest.bend = Some((input.byte(), input.byte()));
        }
        let drawn = packet_after(input, self.server.session(), &self.guest.received);
        let Some((delivery, packet)) = drawn else { return };
        if from == Source::Server && delivery == Delivery::Reliable {
            self.guest.received.note(&packet);
        }
        let client = &mut self.guest.client;
        let before = (dropped(client.drops()), packets_in(client.counters()));
        client.handle_packet(now, from, delivery, &packet);
        let after = (dropped(client.drops()), packets_in(client.counters()));
        let most = match packet.first() {
            // Everybody on a page for whom there is no place is counted.
            Some(0x25) => 255,
            _ => 1,
        };
        assert!(after.0 <= before.0 + most, "one packet was dropped more than once");
        assert_eq!(after.1, before.1 + 1, "a packet is counted once");
    }

    /// Everything out that has to go, and then nothing may be left that is due.
    fn drain(&mut self) {
        let now = Instant::from_ms(self.now);
        self.send(now);
        self.guest.client.handle_timeout(now);
        self.send(now);
        let client = &mut self.guest.client;
        for event in 0.. {
            assert!(event <= 64, "the client always has another event");
            if client.poll_event().is_none() {
                break;
            }
        }
        // A caller's time that went back is taken as the latest seen.
        assert!(client.poll_timeout().is_none_or(|at| at > now), "the client asks to be woken for nothing");
    }

    fn send(&mut self, now: Instant) {
        let (client, latest) = (&mut self.guest.client, Instant::from_ms(self.latest));
        let mut out = [0; 1_200];
        for _ in 0..MOST_PACKETS {
            let due = client.poll_timeout();
            let Some(transmit) = client.poll_transmit(now, &mut out) else { return };
            assert!((1..=1_200).contains(&transmit.len));
            assert!(due.is_some_and(|at| at <= latest), "a packet waits, and nobody is woken");
            self.guest.sent.note(&out[..transmit.len]);
        }
        panic!("the client always has more to send");
    }

    fn other(&mut self, now: Instant, input: &mut Input<'_>) {
        let to = self.guest.client.id().unwrap_or(ClientId::new(1).expect("not 0"));
        let client = &mut self.other.client;
        match input.below(10) {
            0 => client.connect(now),
            1 => client.disconnect(now),
            2 => self.other_handles.speak_in(now, client, "a"),
            3 | 4 => _ = client.send_frame(now, &[2; 40]),
            5 => _ = client.open_channel(now, TalkTo::Client(to), options(input)),
            6 => _ = client.send_text(now, TalkTo::Client(to), &String::from_utf8_lossy(input.packet())),
            7 => _ = client.send_rendezvous(now, to, &[3; 20]),
            8 => client.set_deafened(now, input.flag()),
            _ => self.other.reachable = input.flag(),
        }
    }

    /// The other client, or anybody.
    fn person(&self, input: &mut Input<'_>) -> ClientId {
        let drawn = input.byte() % 16;
        let anybody = ClientId::new(1 + u16::from(drawn)).expect("not 0");
        self.other.client.id().filter(|_| drawn >= 8).unwrap_or(anybody)
    }
}

fn packets_in(counters: &Counters) -> u64 {
    counters.reliable_in.packets + counters.unreliable_in.packets + counters.direct_in.packets
}
