use voice_core::{
    ChannelOptions, ClientEvent, Delivery, DropReason, Source, TalkTo,
    wire::{Kind, Packet},
};

use crate::harness::{End, Fate, Sent, Stage, path_to};

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
