use voice_core::{ClientEvent, TalkTo, TextError};

use crate::party::Party;

#[test]
fn a_text_to_a_room_reaches_all_others_in_it() {
    let mut party = Party::new(3);
    let lobby = party.lobby[0];
    party.command(0, |now, client| client.send_text(now, TalkTo::Room(lobby), "Grüße")).unwrap();
    party.run(300);
    assert_eq!(party.texts(1), ["Grüße"]);
    assert_eq!(party.texts(2), ["Grüße"]);
    assert!(party.texts(0).is_empty());
}

#[test]
fn a_text_to_one_person_reaches_nobody_else_and_is_stamped_by_the_server() {
    let mut party = Party::new(3);
    let (zero, one) = (party.id(0), party.id(1));
    party.command(0, |now, client| client.send_text(now, TalkTo::Client(one), "psst")).unwrap();
    party.run(300);
    assert_eq!(party.texts(1), ["psst"]);
    assert!(party.texts(2).is_empty());
    assert_eq!(party.record.texts[&1][0].0, zero);
}

#[test]
fn texts_come_once_and_in_order_however_long() {
    let mut party = Party::new(2);
    let lobby = party.lobby[0];
    let texts: Vec<String> = (0..12).map(|n| format!("{n} {}", "x".repeat(n * 180))).collect();
    for text in &texts {
        party.command(0, |now, client| client.send_text(now, TalkTo::Room(lobby), text)).unwrap();
        party.run(20);
    }
    party.run(2_000);
    assert_eq!(party.texts(1), texts);
}

#[test]
fn a_text_that_is_too_long_or_empty_is_refused_where_it_is_written() {
    let mut party = Party::new(2);
    let lobby = party.lobby[0];
    for text in ["", "x".repeat(2_001).as_str()] {
        let sent = party.command(0, |now, client| client.send_text(now, TalkTo::Room(lobby), text));
        assert_eq!(sent, Err(TextError::BadLength));
    }
}

#[test]
fn a_text_to_nobody_comes_back_as_refused_with_its_number() {
    let mut party = Party::new(1);
    let lobby = party.lobby[0];
    let number = party.command(0, |now, client| client.send_text(now, TalkTo::Room(lobby), "hello?")).unwrap();
    party.run(300);
    assert!(
        party.events(0).iter().any(|event| matches!(event, ClientEvent::TextRefused { number: n, .. } if *n == number))
    );
}

#[test]
fn who_mutes_somebody_does_not_get_its_texts_either() {
    let mut party = Party::new(3);
    let (zero, lobby) = (party.id(0), party.lobby[0]);
    party.command(1, |now, client| client.set_client_muted(now, zero, true)).unwrap();
    party.run(200);
    party.command(0, |now, client| client.send_text(now, TalkTo::Room(lobby), "spam")).unwrap();
    party.run(300);
    assert!(party.texts(1).is_empty() && party.texts(2) == ["spam"]);
}

#[test]
fn a_rendezvous_message_reaches_the_one_it_is_for_with_its_sender() {
    let mut party = Party::direct(3);
    let (zero, one) = (party.id(0), party.id(1));
    party.command(0, |now, client| client.send_rendezvous(now, one, &[1, 2, 3])).unwrap();
    party.run(300);
    assert_eq!(party.record.rendezvous.get(&1), Some(&vec![(zero, vec![1, 2, 3])]));
    assert_eq!(party.record.rendezvous.get(&2), None);
}

#[test]
fn who_gets_a_text_knows_its_writer_even_if_they_wrote_it_on_joining() {
    let mut party = Party::new(3);
    let newcomer = party.add(false);
    let lobby = party.lobby[usize::from(newcomer)];
    while party.command(newcomer, |now, client| client.send_text(now, TalkTo::Room(lobby), "hello")).is_err() {
        party.run(1);
    }
    party.run(300);
    let id = party.id(newcomer);
    for other in 0..3 {
        assert_eq!(party.texts(other), ["hello"]);
        let events = party.events(other).iter();
        let order: Vec<_> = events
            .filter(|event| matches!(event, ClientEvent::TextReceived) || **event == ClientEvent::Joined(id))
            .collect();
        assert_eq!(order, [&ClientEvent::Joined(id), &ClientEvent::TextReceived]);
    }
}
