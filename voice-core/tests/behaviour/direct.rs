use voice_core::{
    ChannelOptions, ClientEvent, ClientId, ConnectionId, Delivery, DropReason, Instant, Route, Secret, Server,
    ServerConfig, Source, State, TalkTo, server_storage_vec,
    wire::{FEATURE_DIRECT, Hello, Kind, Lane, Packet},
};

use crate::harness::{End, Fate, Sent, Stage, TestServer, encoded, hello, path_to};

fn connected(people: usize) -> Stage {
    let mut stage = Stage::new(people);
    stage.join_directly(0, 1);
    stage.run(500);
    let (one, two) = (stage.id(0), stage.id(1));
    assert!(stage.client(0).is_direct(two) && stage.client(1).is_direct(one));
    stage.log.clear();
    stage
}

fn voice(from: End, direct: bool) -> impl Fn(&Sent) -> bool {
    move |sent| sent.from == from && sent.direct == direct && sent.kind() == Kind::Voice
}

#[test]
fn on_a_proven_path_voice_goes_straight_and_the_server_sees_none_of_it() {
    let mut stage = connected(2);
    stage.speak(&[0]);
    assert!(stage.hears(1, 0));
    assert_eq!(stage.sent(voice(End::Person(0), true)), 20);
    assert_eq!(stage.sent(voice(End::Person(0), false)), 0);
}

#[test]
fn who_has_no_path_hears_by_the_relay_and_who_has_one_hears_nothing_twice() {
    let mut stage = connected(3);
    stage.speak(&[0]);
    assert!(stage.hears(1, 0) && stage.hears(2, 0));
    let relayed = |who| stage.sent(|sent| voice(End::Server, false)(sent) && sent.to == End::Person(who));
    assert_eq!((relayed(1), relayed(2)), (0, 20));
    assert_eq!(stage.people[1].client.drops().get(DropReason::Duplicate), 0);
}

#[test]
fn a_path_that_dies_in_the_middle_of_a_word_costs_no_frame() {
    let mut stage = connected(2);
    stage.people[0].says = true;
    stage.run(400);
    stage.network = Box::new(|sent| if sent.direct { Fate::Drop } else { Fate::Deliver });
    stage.run(400);
    stage.people[0].says = false;
    stage.run(3_000);
    assert_eq!(stage.heard(1, 0).len(), 40);
    assert!(stage.people[0].events.contains(&ClientEvent::DirectDown(stage.id(1))));
    stage.network = Box::new(|_| Fate::Deliver);
    stage.run(2_000);
    let two = stage.id(1);
    assert!(stage.client(0).is_direct(two), "and it is used again when it works again");
}

#[test]
fn voice_on_a_path_that_is_not_proven_is_not_heard() {
    let mut stage = Stage::new(2);
    // Greetings never arrive.
    stage.network =
        Box::new(|sent| if matches!(sent.kind(), Kind::Greet | Kind::GreetAck) { Fate::Drop } else { Fate::Deliver });
    stage.join_directly(0, 1);
    stage.run(500);
    stage.speak(&[0]);
    assert!(stage.hears(1, 0), "the relay carries it");
    let packet = stage.log.iter().rfind(|sent| voice(End::Server, false)(sent)).unwrap().bytes.clone();
    stage.people[1].heard.clear();
    for sequence in 200..220_u8 {
        let mut forged = packet.clone();
        forged[6] = sequence;
        stage.act(1, |now, client| client.handle_packet(now, Source::Path(path_to(0)), Delivery::Unreliable, &forged));
    }
    stage.run(500);
    assert_eq!(stage.heard(1, 0), []);
    assert_eq!(stage.people[1].client.drops().get(DropReason::UnprovenPath), 20);
}

#[test]
fn a_greeting_caught_and_sent_from_elsewhere_proves_nothing() {
    let mut stage = connected(3);
    stage.run(1_500);
    let two = stage.id(1);
    stage.act(0, |now, client| client.handle_path_lost(now, path_to(1)));
    assert!(!stage.client(0).is_direct(two));
    // What was caught comes by another path of the same client's.
    let caught: Vec<_> = stage
        .log
        .iter()
        .filter(|sent| sent.to == End::Person(0) && matches!(sent.kind(), Kind::Greet | Kind::GreetAck))
        .map(|sent| sent.bytes.clone())
        .collect();
    assert!(caught.len() >= 2);
    stage.network = Box::new(|sent| if sent.direct { Fate::Drop } else { Fate::Deliver });
    for bytes in caught {
        stage.act(0, |now, client| client.handle_packet(now, Source::Path(path_to(2)), Delivery::Unreliable, &bytes));
    }
    stage.run(100);
    assert!(!stage.client(0).is_direct(two));
}

#[test]
fn what_the_adapter_could_not_send_is_relayed_to_that_listener_alone() {
    let mut stage = connected(3);
    stage.network = Box::new(|sent| if voice(End::Person(0), true)(sent) { Fate::Drop } else { Fate::Deliver });
    stage.act(0, |now, client| client.send_frame(now, &[0; 40])).unwrap();
    stage.run(1);
    let packet = stage.log.iter().find(|sent| voice(End::Person(0), true)(sent)).unwrap().bytes.clone();
    stage.act(0, |now, client| client.handle_unsent(now, path_to(1), &packet));
    stage.run(11);
    let relayed = |who| stage.sent(|sent| voice(End::Server, false)(sent) && sent.to == End::Person(who));
    assert_eq!((relayed(1), relayed(2)), (1, 1));
    stage.run(500);
    assert_eq!((stage.heard(1, 0).len(), stage.heard(2, 0).len()), (1, 1));
}

#[test]
fn a_whisper_on_a_path_is_seen_by_nobody_else_and_a_local_mute_ends_the_path() {
    let mut stage = connected(3);
    let (one, two, channel) = (stage.id(0), stage.id(1), stage.people[0].channel);
    stage.act(0, |now, client| {
        client.close_channel(now, channel).unwrap();
        client.open_channel(now, TalkTo::Client(two), ChannelOptions::DEFAULT).unwrap();
    });
    stage.speak(&[0]);
    assert!(stage.hears(1, 0) && !stage.hears(2, 0));
    assert_eq!(stage.sent(|sent| sent.kind() == Kind::Voice && sent.to != End::Person(1)), 0);
    stage.act(1, |now, client| client.set_client_muted(now, one, true)).unwrap();
    stage.run(200);
    assert!(stage.people[0].events.contains(&ClientEvent::DirectDown(two)));
    stage.speak(&[0]);
    assert!(!stage.hears(1, 0));
}

#[test]
fn the_server_relays_no_greeting() {
    let mut stage = connected(2);
    stage.run(1_500);
    let greeting = stage.log.iter().find(|sent| sent.kind() == Kind::Greet).unwrap().bytes.clone();
    let connection = stage.people[0].connection.unwrap();
    let before = stage.log.len();
    stage.give(connection, Delivery::Unreliable, &greeting);
    assert_eq!(stage.server.drops().get(DropReason::GreetingAtServer), 1);
    assert_eq!(stage.log.len(), before);
    assert!(matches!(Packet::decode(&greeting), Ok(Packet::Greet(_))));
}

#[test]
fn after_a_quarter_of_an_hour_on_a_direct_path_alone_others_hear_the_speaker_at_once() {
    let mut stage = Stage::new(2);
    stage.join_directly(0, 1);
    stage.run(1_000);
    stage.people[0].says = true;
    stage.run(1_000);
    stage.log.clear();
    stage.run(15 * 60_000);
    let to_server = |sent: &Sent| sent.from == End::Person(0) && sent.to == End::Server && sent.kind() == Kind::Voice;
    assert_eq!(stage.sent(to_server), 0, "all went directly");
    let third = stage.add();
    stage.run(500);
    assert!(stage.heard(third, 0).len() > 8, "{} frames", stage.heard(third, 0).len());
}

#[test]
fn two_who_were_told_different_secrets_come_to_have_one() {
    let mut stage = Stage::new(2);
    let mut bent = false;
    stage.network = Box::new(move |sent| {
        if sent.kind() == Kind::Pair && sent.to == End::Person(1) && !bent {
            bent = true;
            *sent.bytes.last_mut().unwrap() ^= 1;
        }
        Fate::Deliver
    });
    let (two, now) = (stage.id(1), stage.now());
    stage.client(0).handle_path_available(now, two, path_to(1)).unwrap();
    stage.run(5_000);
    assert!(!stage.client(0).is_direct(two));
    stage.run(10_000);
    let one = stage.id(0);
    assert!(stage.client(0).is_direct(two) && stage.client(1).is_direct(one));
    assert_eq!(stage.sent(|sent| sent.kind() == Kind::PairRequest), 2);
}

#[test]
fn a_request_for_a_pair_that_is_due_is_woken_for_whatever_else_comes_at_that_time() {
    let mut stage = Stage::new(2);
    stage.network = Box::new(|sent| if sent.kind() == Kind::Pair { Fate::Drop } else { Fate::Deliver });
    let (two, now) = (stage.id(1), stage.now());
    stage.client(0).handle_path_available(now, two, path_to(1)).unwrap();
    stage.run(10);
    assert_eq!(stage.sent(|sent| sent.kind() == Kind::PairRequest), 1);
    let due = Instant::from_us((stage.now().as_us() / 1_000_000 + 5) * 1_000_000);
    stage.run((due.as_us() - stage.now().as_us()) / 1_000 - 1);
    assert_eq!(stage.client(0).poll_timeout(), Some(due));
    stage.client(0).handle_path_lost(due, path_to(7));
    assert_eq!(stage.client(0).poll_timeout(), Some(due));
}

#[test]
fn a_pair_with_somebody_who_is_away_is_told_when_they_are_back() {
    let mut stage = Stage::new(2);
    stage.people[1].cut = true;
    stage.lose_transport(1);
    stage.run(100);
    let (one, two, now) = (stage.id(0), stage.id(1), stage.now());
    stage.client(0).handle_path_available(now, two, path_to(1)).unwrap();
    stage.run(200);
    stage.people[1].cut = false;
    stage.run(2_500);
    assert_eq!(stage.people[1].client.state(), State::Connected);
    assert!(stage.client(0).is_direct(two) && stage.client(1).is_direct(one));
    assert_eq!(stage.sent(|sent| sent.kind() == Kind::PairRequest), 1);
}

#[test]
fn whom_somebody_mutes_here_and_no_longer_has_a_direct_path_again() {
    let mut stage = connected(2);
    let (one, two) = (stage.id(0), stage.id(1));
    stage.act(1, |now, client| client.set_client_muted(now, one, true)).unwrap();
    stage.run(8_000);
    assert!(!stage.client(0).is_direct(two));
    stage.act(1, |now, client| client.set_client_muted(now, one, false)).unwrap();
    stage.run(20_000);
    assert!(stage.client(0).is_direct(two) && stage.client(1).is_direct(one));
}

/// People of a server who joined by hand, and what the server has for each.
struct Hands {
    server: TestServer,
    connections: Vec<ConnectionId>,
    lane: Lane,
}

impl Hands {
    fn new(people: usize) -> Self {
        let mut server = Server::new(ServerConfig::DEFAULT, 11, server_storage_vec!(clients: people, rooms: 1));
        let connections = (0..people).map(|_| server.handle_connected(Instant::ORIGIN).unwrap()).collect();
        let lane = Lane { session: server.session(), number: 0 };
        let mut hands = Self { server, connections, lane };
        for who in 0..people {
            hands.give(who, &Packet::Hello(Hello { features: FEATURE_DIRECT, name: "p", ..hello() }));
        }
        hands
    }

    fn give(&mut self, who: usize, packet: &Packet<'_>) {
        let mut bytes = encoded(packet);
        let from = self.connections[who];
        while self.server.handle_packet(Instant::ORIGIN, from, Delivery::Reliable, &mut bytes).next().is_some() {}
    }

    /// The pairs that the server tells now: whom, with whom, and the secret.
    fn pairs(&mut self) -> Vec<(ClientId, ClientId, Secret)> {
        let mut out = [0; 1_200];
        let mut pairs = Vec::new();
        while let Some(transmit) = self.server.poll_transmit(Instant::ORIGIN, &mut out) {
            let Route::Client(to) = transmit.to else { panic!("a server sends to clients") };
            if let Ok(Packet::Pair { client, secret, .. }) = Packet::decode(&out[..transmit.len]) {
                let to = self.server.clients().find(|client| client.connection() == Some(to)).unwrap().id();
                pairs.push((to, client, secret));
            }
        }
        pairs
    }
}

#[test]
fn a_client_with_too_many_pairs_to_be_told_and_the_other_end_have_the_same_secrets() {
    let mut hands = Hands::new(20);
    hands.pairs();
    let ids: Vec<ClientId> = hands.server.clients().map(|client| client.id()).collect();
    let me = hands.server.clients().find(|client| client.connection() == Some(hands.connections[0])).unwrap().id();
    for (number, client) in (1..).zip(ids.into_iter().filter(|id| *id != me)) {
        hands.give(0, &Packet::PairRequest { lane: Lane { number, ..hands.lane }, client });
    }
    let pairs = hands.pairs();
    let mine = pairs.iter().filter(|(to, ..)| *to == me);
    assert_eq!((mine.clone().count(), pairs.len()), (16, 32));
    assert!(mine.clone().all(|(_, other, secret)| pairs.contains(&(*other, me, *secret))));
    assert_eq!(hands.server.drops().get(DropReason::TableFull), 3);
}
