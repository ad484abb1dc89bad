use voice_core::{DropReason, State, TalkTo};

use crate::party::Party;

#[test]
fn a_flood_of_voice_is_cut_to_its_limit_and_harms_nobody() {
    let mut party = Party::new(3);
    for _ in 0..40 {
        party.command(2, |now, client| (0..50).for_each(|_| _ = client.send_frame(now, &[9; 40])));
        party.run(20);
    }
    party.run(200);
    let dropped = party.server(|_, server| server.drops().get(DropReason::RateLimited));
    assert!(dropped > 100, "{dropped} dropped");
    party.speak(&[0]);
    assert!(party.hears(1, 0) && party.hears(2, 0));
    assert!((0..3).all(|person| party.world.client(person).state() == State::Connected));
}

#[test]
fn a_flood_of_texts_is_refused_and_the_others_texts_arrive() {
    let mut party = Party::new(3);
    let (spammer, honest) = (party.lobby[2], party.lobby[0]);
    for _ in 0..20 {
        party.command(2, |now, client| (0..10).for_each(|_| _ = client.send_text(now, TalkTo::Room(spammer), "spam")));
        party.run(50);
    }
    party.command(0, |now, client| client.send_text(now, TalkTo::Room(honest), "hello")).unwrap();
    party.run(1_000);
    assert!(party.texts(1).contains(&"hello"));
    assert!(party.texts(1).len() < 60, "{} texts", party.texts(1).len());
}

#[test]
fn who_sends_rubbish_is_ignored_while_the_others_talk() {
    let mut party = Party::new(2);
    let stranger = party.server(|now, server| server.handle_connected(now)).unwrap();
    let before = party.record.server_sent_bytes;
    for n in 0..200_u16 {
        let mut rubbish = vec![n as u8; usize::from(n)];
        party.server(|now, server| {
            _ = server.handle_packet(now, stranger, voice_core::Delivery::Unreliable, &mut rubbish);
        });
    }
    party.speak(&[0]);
    assert!(party.hears(1, 0));
    let answered = party.server(|_, server| server.drops().total());
    assert!(answered >= 200 && party.record.server_sent_bytes - before < 20_000);
}
