use voice_core::{
    ClientEvent, Delivery, DropReason, RoomUse, TalkTo, Target, TextError,
    wire::{Packet, TextRefuseReason},
};

use crate::harness::{End, Fate, Sent, Stage, Stranger};

fn texts(stage: &Stage, who: usize) -> Vec<&str> {
    stage.people[who].texts.iter().map(|(_, _, text)| text.as_str()).collect()
}

fn say(stage: &mut Stage, who: usize, text: &str) -> Result<u16, TextError> {
    let lobby = stage.people[who].lobby;
    stage.act(who, |now, client| client.send_text(now, TalkTo::Room(lobby), text))
}

fn refusals(stage: &Stage, who: usize) -> Vec<(u16, TextRefuseReason)> {
    let events = stage.people[who].events.iter();
    events
        .filter_map(|event| match event {
            ClientEvent::TextRefused { number, reason } => Some((*number, *reason)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_text_to_a_room_comes_once_to_all_who_listen_there_with_the_servers_word_on_who_wrote_it() {
    let mut stage = Stage::new(4);
    stage.act(3, |now, client| client.use_room(now, "Lobby", RoomUse::Speak)).unwrap();
    stage.act(2, |now, client| client.set_deafened(now, true));
    stage.run(100);
    let (writer, lobby) = (stage.id(0), stage.people[0].lobby);
    let room = stage.people[0].client.room_id(lobby).unwrap();
    say(&mut stage, 0, "Grüße 👋").unwrap();
    stage.run(200);
    let expected = [(writer, Target::Room(room), "Grüße 👋".to_owned())];
    assert_eq!((&stage.people[1].texts[..], &stage.people[2].texts[..]), (&expected[..], &expected[..]));
    assert_eq!((texts(&stage, 0), texts(&stage, 3)), (vec![], vec![]), "not its writer, nor who only speaks there");
}

#[test]
fn a_text_to_one_person_comes_to_nobody_else() {
    let mut stage = Stage::new(3);
    let (from, to) = (stage.id(0), stage.id(2));
    stage.act(0, |now, client| client.send_text(now, TalkTo::Client(to), "psst")).unwrap();
    stage.run(200);
    assert_eq!(stage.people[2].texts, [(from, Target::Client(to), "psst".to_owned())]);
    assert_eq!((texts(&stage, 0), texts(&stage, 1)), (vec![], vec![]));
}

#[test]
fn long_texts_of_several_writers_come_whole_and_each_writers_in_order() {
    let mut stage = Stage::new(3);
    // The part boundary at 1,000 B falls into a character of four bytes.
    let text = |who: usize, n: usize| format!("{who}{n} {}", "🎧".repeat(400));
    for n in 0..6 {
        for who in [0, 1] {
            say(&mut stage, who, &text(who, n)).unwrap();
        }
        stage.run(15);
    }
    stage.run(1_000);
    for who in [0, 1] {
        let expected: Vec<_> = (0..6).map(|n| text(who, n)).collect();
        let got: Vec<_> = texts(&stage, 2).into_iter().filter(|text| text.starts_with(&who.to_string())).collect();
        assert_eq!(got, expected);
        assert_eq!(texts(&stage, 1 - who), expected);
    }
}

#[test]
fn texts_keep_their_order_however_slow_the_way_is() {
    let mut stage = Stage::new(2);
    let mut n = 0;
    stage.network = Box::new(move |sent| {
        n += 1;
        if matches!(sent.to, End::Person(1) | End::Server) { Fate::DelayMs(n * 37 % 150) } else { Fate::Deliver }
    });
    let all: Vec<String> = (0..15).map(|n| n.to_string()).collect();
    for text in &all {
        say(&mut stage, 0, text).unwrap();
        stage.run(20);
    }
    stage.run(1_000);
    assert_eq!(texts(&stage, 1), all);
}

#[test]
fn a_text_of_2000_bytes_goes_and_one_more_or_none_is_refused_where_it_is_written() {
    let mut stage = Stage::new(2);
    let longest = "x".repeat(2_000);
    say(&mut stage, 0, &longest).unwrap();
    assert_eq!(say(&mut stage, 0, &"x".repeat(2_001)), Err(TextError::BadLength));
    assert_eq!(say(&mut stage, 0, ""), Err(TextError::BadLength));
    stage.run(200);
    assert_eq!(texts(&stage, 1), [longest]);
}

#[test]
fn a_text_that_nobody_gets_is_refused_by_its_number_with_the_reason() {
    let mut stage = Stage::new(2);
    let (here, gone) = (stage.id(0), stage.id(1));
    stage.act(1, |now, client| client.set_client_muted(now, here, true)).unwrap();
    stage.run(100);
    let muted = say(&mut stage, 0, "do you hear?").unwrap();
    stage.run(100);
    stage.act(1, |now, client| client.disconnect(now));
    stage.run(200);
    let left = stage.act(0, |now, client| client.send_text(now, TalkTo::Client(gone), "and now?")).unwrap();
    stage.run(100);
    let expected = [(muted, TextRefuseReason::NobodyThere), (left, TextRefuseReason::UnknownTarget)];
    assert_eq!(refusals(&stage, 0), expected);
}

#[test]
fn who_writes_too_much_is_refused_and_the_others_are_not() {
    let mut stage = Stage::new(3);
    let numbers: Vec<_> = (0..26).map(|_| say(&mut stage, 0, "spam").unwrap()).collect();
    say(&mut stage, 1, "ham").unwrap();
    stage.run(500);
    assert_eq!(texts(&stage, 2).iter().filter(|text| **text == "spam").count(), 20, "as many as at once");
    let refused: Vec<_> = numbers[20..].iter().map(|number| (*number, TextRefuseReason::RateLimited)).collect();
    assert_eq!(refusals(&stage, 0), refused);
    assert_eq!(texts(&stage, 0), ["ham"]);
    stage.run(1_000);
    say(&mut stage, 0, "later").unwrap();
    stage.run(100);
    assert_eq!(texts(&stage, 1).last(), Some(&"later"));
}

#[test]
fn of_every_text_its_writer_hears_if_it_was_refused() {
    let mut stage = Stage::new(2);
    (0..40).for_each(|_| _ = say(&mut stage, 0, "spam").unwrap());
    stage.run(2_000);
    assert_eq!(texts(&stage, 1).len() + refusals(&stage, 0).len(), 40);
}

/// A part of a text to a client.
fn part(stage: &mut Stage, stranger: &mut Stranger, to: usize, number: u16, bytes: &'static [u8]) {
    let (target, last) = (Target::Client(stage.id(to)), bytes.len() < 1_000);
    stranger.say(stage, |lane| Packet::SendText { lane, number, last, target, bytes });
}

fn refused(stage: &Stage, stranger: &Stranger) -> Vec<(u16, TextRefuseReason)> {
    let told = stranger.told(stage);
    told.filter_map(|packet| match packet {
        Packet::TextRefused { number, reason, .. } => Some((number, reason)),
        _ => None,
    })
    .collect()
}

#[test]
fn the_end_of_a_text_over_the_rate_is_not_sent_on_and_the_text_is_refused_once() {
    let mut stage = Stage::new(1);
    let mut stranger = Stranger::join(&mut stage);
    (0..20).for_each(|number| part(&mut stage, &mut stranger, 0, number, b"short"));
    part(&mut stage, &mut stranger, 0, 20, &[b'a'; 1_000]);
    stage.run(250);
    part(&mut stage, &mut stranger, 0, 20, b"the end of it");
    part(&mut stage, &mut stranger, 0, 21, b"whole");
    stage.run(100);
    assert_eq!(refused(&stage, &stranger), [(20, TextRefuseReason::RateLimited)]);
    let mut expected = vec!["short"; 20];
    expected.push("whole");
    assert_eq!(texts(&stage, 0), expected);
}

#[test]
fn of_long_texts_over_the_rate_each_is_refused_once_however_many() {
    let mut stage = Stage::new(1);
    let mut stranger = Stranger::join(&mut stage);
    (0..20).for_each(|number| part(&mut stage, &mut stranger, 0, number, b"short"));
    for number in 20..60 {
        part(&mut stage, &mut stranger, 0, number, &[b'a'; 1_000]);
        part(&mut stage, &mut stranger, 0, number, b"the end of it");
    }
    stage.run(100);
    let expected: Vec<_> = (20..60).map(|number| (number, TextRefuseReason::RateLimited)).collect();
    assert_eq!((refused(&stage, &stranger), texts(&stage, 0)), (expected, vec!["short"; 20]));
}

#[test]
fn a_text_for_which_the_server_has_no_room_is_refused_whole_even_if_its_end_would_fit() {
    let mut stage = Stage::with_posts(1, 1);
    let (mut one, mut two) = (Stranger::join(&mut stage), Stranger::join(&mut stage));
    part(&mut stage, &mut one, 0, 7, &[b'a'; 1_000]);
    part(&mut stage, &mut two, 0, 3, &[b'b'; 1_000]);
    part(&mut stage, &mut one, 0, 7, b"!");
    stage.run(100);
    part(&mut stage, &mut two, 0, 3, b"the end of it");
    stage.run(100);
    assert_eq!(texts(&stage, 0), [format!("{}!", "a".repeat(1_000))]);
    assert_eq!((refused(&stage, &one), refused(&stage, &two)), (vec![], vec![(3, TextRefuseReason::StoreFull)]));
}

#[test]
fn who_is_slow_to_finish_a_text_hears_that_its_place_was_needed_and_the_end_alone_is_not_sent_on() {
    let mut stage = Stage::with_posts(1, 1);
    let (mut slow, mut other) = (Stranger::join(&mut stage), Stranger::join(&mut stage));
    part(&mut stage, &mut slow, 0, 7, &[b'a'; 1_000]);
    stage.run(2_100);
    part(&mut stage, &mut other, 0, 3, b"something else");
    stage.run(100);
    part(&mut stage, &mut slow, 0, 7, b"the end of it");
    part(&mut stage, &mut slow, 0, 8, b"another");
    stage.run(100);
    assert_eq!(texts(&stage, 0), ["something else", "another"]);
    assert_eq!(refused(&stage, &slow), [(7, TextRefuseReason::StoreFull)]);
}

#[test]
fn a_text_of_too_many_parts_is_refused_once_and_nothing_of_it_is_sent_on() {
    let mut stage = Stage::new(1);
    let mut stranger = Stranger::join(&mut stage);
    (0..4).for_each(|_| part(&mut stage, &mut stranger, 0, 1, &[b'a'; 1_000]));
    part(&mut stage, &mut stranger, 0, 1, b"the end of it");
    stage.run(100);
    assert_eq!((refused(&stage, &stranger), texts(&stage, 0).len()), (vec![(1, TextRefuseReason::BadText)], 0));
}

#[test]
fn a_text_that_a_reader_has_no_room_for_is_left_out_whole() {
    let mut stage = Stage::new(1);
    let reader = stage.add_storing(8, 624, |_| {});
    stage.run(300);
    say(&mut stage, 0, &"x".repeat(1_200)).unwrap();
    say(&mut stage, 0, "a short one").unwrap();
    stage.run(200);
    assert_eq!(texts(&stage, reader), ["a short one"]);
    assert_eq!(stage.people[reader].client.drops().get(DropReason::TableFull), 2, "both parts");
}

#[test]
fn who_does_not_use_a_room_or_was_taken_out_of_it_can_not_write_to_it() {
    let mut stage = Stage::new(1);
    let lobby = stage.people[0].lobby;
    let room = stage.people[0].client.room_id(lobby).unwrap();
    let mut stranger = Stranger::join(&mut stage);
    let write = |stage: &mut Stage, stranger: &mut Stranger, number, bytes| {
        let target = Target::Room(room);
        stranger.say(stage, |lane| Packet::SendText { lane, number, last: true, target, bytes });
        stage.run(100);
    };
    write(&mut stage, &mut stranger, 1, b"from outside");
    stranger.say(&mut stage, |lane| Packet::UseRoom { lane, room_use: RoomUse::Speak, name: "Lobby" });
    write(&mut stage, &mut stranger, 2, b"from inside");
    let (now, id) = (stage.now(), stranger.id(&stage));
    stage.server.remove_from_room(now, id, room).unwrap();
    write(&mut stage, &mut stranger, 3, b"from outside again");
    assert_eq!(texts(&stage, 0), ["from inside"]);
    let unknown = TextRefuseReason::UnknownTarget;
    assert_eq!(refused(&stage, &stranger), [(1, unknown), (3, unknown)]);
}

#[test]
fn a_mute_by_the_server_is_of_voice_and_who_is_muted_may_write() {
    let mut stage = Stage::new(2);
    let (now, id) = (stage.now(), stage.id(0));
    stage.server.set_server_mute(now, id, true).unwrap();
    stage.run(100);
    say(&mut stage, 0, "why?").unwrap();
    stage.run(100);
    assert_eq!(texts(&stage, 1), ["why?"]);
}

/// Somebody in the Lobby who acknowledges nothing, and whose lane is full.
fn silent(stage: &mut Stage) -> Stranger {
    let mut silent = Stranger::join(stage);
    for n in 0..64 {
        let room_use = if n % 2 == 0 { RoomUse::Both } else { RoomUse::Listen };
        silent.say(stage, |lane| Packet::UseRoom { lane, room_use, name: "Lobby" });
        stage.run(1);
    }
    silent
}

#[test]
fn one_who_acknowledges_nothing_can_not_have_the_store_filled_for_the_others() {
    let mut stage = Stage::new(2);
    let silent = silent(&mut stage);
    let mut writer = Stranger::join(&mut stage);
    let to = silent.id(&stage);
    for number in 0..20 {
        let target = Target::Client(to);
        writer.say(&mut stage, |lane| Packet::SendText { lane, number, last: true, target, bytes: b"to nobody" });
        writer.say(&mut stage, |lane| Packet::SendRendezvous { lane, to, bytes: b"to nobody" });
    }
    for text in ["one", "two", "three"] {
        say(&mut stage, 0, text).unwrap();
        stage.run(100);
    }
    assert_eq!((texts(&stage, 1), refusals(&stage, 0)), (vec!["one", "two", "three"], vec![]));
    let refused = refused(&stage, &writer);
    let dropped = stage.server.drops().get(DropReason::TableFull);
    assert!(refused.iter().all(|(_, reason)| *reason == TextRefuseReason::StoreFull));
    assert!(refused.len() >= 4 && refused.len() as u64 + dropped == 8 + 3, "{refused:?}, {dropped}");
    assert!(refused.iter().map(|(number, _)| *number).eq(0..refused.len() as u16), "the oldest give way");
}

#[test]
fn a_text_that_gave_way_is_refused_only_if_nobody_has_got_it() {
    let mut stage = Stage::new(2);
    let _silent = silent(&mut stage);
    for n in 0..36 {
        say(&mut stage, n % 2, &n.to_string()).unwrap();
        stage.run(100);
    }
    assert_eq!((texts(&stage, 0).len(), texts(&stage, 1).len()), (18, 18));
    assert_eq!((refusals(&stage, 0), refusals(&stage, 1)), (vec![], vec![]));
    assert_eq!(stage.server.drops().get(DropReason::TableFull), 4);
}

#[test]
fn a_long_text_begins_only_when_its_reader_can_be_sent_all_of_it() {
    let mut stage = Stage::new(2);
    let mut silent = Stranger::join(&mut stage);
    let to = silent.id(&stage);
    let end = End::Stranger(silent.connection);
    let on_lane = |sent: &Sent| sent.to == end && sent.delivery == Delivery::Reliable;
    while stage.sent(on_lane) < 63 {
        silent.say(&mut stage, |lane| Packet::UseRoom { lane, room_use: RoomUse::Speak, name: "Lobby" });
        stage.run(1);
    }
    stage.act(0, |now, client| client.send_text(now, TalkTo::Client(to), &"x".repeat(1_500))).unwrap();
    stage.run(100);
    assert_eq!(stage.sent(on_lane), 63, "one place of the window is left");
}
