use std::collections::BTreeSet;

use voice_core::{
    ChannelError, ChannelOptions, ClientEvent, DropReason, RoomError, RoomHandle, RoomUse, ServerEvent, TalkTo,
    wire::{CloseReason, Kind, Packet, RoomCloseReason},
};

use crate::harness::{End, Fate, Sent, Stage, Stranger};

fn names(stage: &Stage) -> BTreeSet<String> {
    stage.server.rooms().map(|room| room.name().to_owned()).collect()
}

fn closed(stage: &Stage, who: usize) -> Vec<(RoomHandle, RoomCloseReason)> {
    let events = stage.people[who].events.iter();
    events
        .filter_map(|event| match event {
            ClientEvent::RoomClosed { room, reason } => Some((*room, *reason)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_room_is_made_by_its_first_user_and_goes_with_its_last() {
    let mut stage = Stage::new(2);
    let den = |stage: &mut Stage, who, room_use| {
        let room = stage.act(who, |now, client| client.use_room(now, "Den", room_use)).unwrap();
        stage.run(100);
        room
    };
    let first = den(&mut stage, 0, RoomUse::Speak);
    let id = stage.people[0].client.room_id(first).unwrap();
    assert!(stage.server_events.contains(&ServerEvent::RoomCreated { room: id }));
    let second = den(&mut stage, 1, RoomUse::Listen);
    assert_eq!(stage.people[1].client.room_id(second), Some(id), "one room for one name");
    let room = stage.server.room(id).unwrap();
    assert_eq!((room.users(), room.listeners()), (2, 1));
    stage.act(0, |now, client| client.leave_room(now, first)).unwrap();
    stage.run(100);
    assert!(names(&stage).contains("Den"), "one still uses it");
    stage.act(1, |now, client| client.leave_room(now, second)).unwrap();
    stage.run(100);
    assert!(!names(&stage).contains("Den"));
    assert!(stage.server_events.contains(&ServerEvent::RoomRemoved { room: id }));
}

#[test]
fn rooms_of_somebody_who_vanished_go_with_its_seat() {
    let mut stage = Stage::new(2);
    stage.act(1, |now, client| client.use_room(now, "Den", RoomUse::Both)).unwrap();
    stage.run(100);
    stage.people[1].cut = true;
    stage.lose_transport(1);
    stage.run(29_000);
    assert!(names(&stage).contains("Den"), "it may come back");
    stage.run(2_000);
    assert_eq!(names(&stage), ["Lobby".to_owned()].into());
}

#[test]
fn names_are_of_1_to_64_bytes_and_differ_by_every_letter() {
    let mut stage = Stage::new(1);
    let longest = "ü".repeat(32);
    let mut room = |name: &str| stage.act(0, |now, client| client.use_room(now, name, RoomUse::Both));
    assert_eq!(room(""), Err(RoomError::BadName));
    assert_eq!(room(&"n".repeat(65)), Err(RoomError::BadName));
    assert_ne!(room("den").unwrap(), room("Den").unwrap());
    room(&longest).unwrap();
    stage.run(100);
    assert_eq!(names(&stage), ["Lobby", "den", "Den", &longest].map(String::from).into());
}

#[test]
fn a_use_can_be_changed_while_the_room_is_used() {
    let mut stage = Stage::new(2);
    let (lobby, channel) = (stage.people[0].lobby, stage.people[0].channel);
    let id = stage.people[0].client.room_id(lobby);
    let change = |stage: &mut Stage, room_use| {
        assert_eq!(stage.act(0, |now, client| client.use_room(now, "Lobby", room_use)), Ok(lobby));
        stage.run(100);
    };
    change(&mut stage, RoomUse::Speak);
    stage.speak(&[0, 1]);
    assert!(stage.hears(1, 0) && !stage.hears(0, 1));
    change(&mut stage, RoomUse::Listen);
    stage.speak(&[0, 1]);
    assert!(!stage.hears(1, 0) && stage.hears(0, 1));
    stage.act(0, |now, client| client.close_channel(now, channel)).unwrap();
    let open = stage.act(0, |now, client| client.open_channel(now, TalkTo::Room(lobby), ChannelOptions::DEFAULT));
    assert_eq!(open, Err(ChannelError::NotSpeaking));
    assert_eq!(stage.people[0].client.room_id(lobby), id, "it was never left");
}

#[test]
fn voice_for_a_room_that_one_does_not_use_to_speak_ends_at_the_server() {
    let mut stage = Stage::new(3);
    let lobby = stage.people[0].lobby;
    // The server takes somebody out, and what it says is still under way.
    let (id, room) = (stage.id(0), stage.people[0].client.room_id(lobby).unwrap());
    stage.people[0].says = true;
    stage.run(100);
    let now = stage.now();
    stage.server.remove_from_room(now, id, room).unwrap();
    let passed = stage.server.counters().voice_out;
    stage.act(0, |now, client| client.send_frame(now, &[0; 40])).unwrap();
    stage.run(1_000);
    assert!((1..=2).contains(&stage.server.drops().get(DropReason::NotPermitted)));
    assert_eq!(stage.server.counters().voice_out, passed);
    assert_eq!(closed(&stage, 0), [(lobby, RoomCloseReason::Removed)]);
}

#[test]
fn a_server_without_a_free_room_says_so_and_the_rest_goes_on() {
    let mut stage = Stage::new(2);
    let rooms: Vec<_> = (0..6)
        .map(|n| stage.act(0, |now, client| client.use_room(now, &format!("room {n}"), RoomUse::Both)).unwrap())
        .collect();
    stage.run(200);
    assert_eq!(closed(&stage, 0), [(rooms[5], RoomCloseReason::NoRoomFree)]);
    assert!(rooms[..5].iter().all(|room| stage.people[0].client.room_id(*room).is_some()));
    stage.speak(&[1]);
    assert!(stage.hears(0, 1));
}

#[test]
fn every_room_that_is_not_to_be_had_is_told_of() {
    let mut stage = Stage::new(1);
    let rooms: Vec<_> = (0..20)
        .map(|n| stage.act(0, |now, client| client.use_room(now, &format!("room {n}"), RoomUse::Both)).unwrap())
        .collect();
    stage.run(20_000);
    assert_eq!(stage.server.rooms().count(), 6);
    let granted = rooms.iter().filter(|room| stage.people[0].client.room_id(**room).is_some()).count();
    assert_eq!((granted, closed(&stage, 0).len()), (5, 15));
}

/// Somebody in the Lobby, and no room is free.
fn crowded() -> (Stage, Stranger) {
    let mut stage = Stage::new(1);
    for n in 0..5 {
        stage.act(0, |now, client| client.use_room(now, &format!("room {n}"), RoomUse::Both)).unwrap();
    }
    let mut stranger = Stranger::join(&mut stage);
    stranger.say(&mut stage, |lane| Packet::UseRoom { lane, room_use: RoomUse::Both, name: "Lobby" });
    stage.run(100);
    (stage, stranger)
}

#[test]
fn a_removal_is_told_even_if_as_many_refusals_wait_as_can_be_kept() {
    let (mut stage, mut stranger) = crowded();
    for name in ["a", "b", "c", "d"] {
        stranger.say(&mut stage, |lane| Packet::UseRoom { lane, room_use: RoomUse::Both, name });
    }
    let lobby = stage.people[0].client.room_id(stage.people[0].lobby).unwrap();
    let (now, id) = (stage.now(), stranger.id(&stage));
    stage.server.remove_from_room(now, id, lobby).unwrap();
    stage.run(100);
    let closed = stranger.told(&stage).filter_map(|packet| match packet {
        Packet::RoomClosed { name, reason, .. } => Some((name, reason)),
        _ => None,
    });
    let full = |name| (name, RoomCloseReason::NoRoomFree);
    let expected = [("Lobby", RoomCloseReason::Removed), full("a"), full("b"), full("c"), full("d")];
    assert_eq!(closed.collect::<Vec<_>>(), expected);
}

#[test]
fn a_room_that_is_asked_for_again_before_the_answer_is_answered_by_the_last_word_on_it_alone() {
    let (mut stage, mut stranger) = crowded();
    stranger.say(&mut stage, |lane| Packet::UseRoom { lane, room_use: RoomUse::Both, name: "a" });
    // The rooms of somebody who is thrown out are free.
    let (now, other) = (stage.now(), stage.id(0));
    stage.server.kick(now, other, 0).unwrap();
    stranger.say(&mut stage, |lane| Packet::UseRoom { lane, room_use: RoomUse::Both, name: "a" });
    stage.run(100);
    let of_a = stranger.told(&stage).filter_map(|packet| match packet {
        Packet::RoomClosed { name: "a", .. } => Some(false),
        Packet::RoomGranted { name: "a", .. } => Some(true),
        _ => None,
    });
    assert_eq!(of_a.collect::<Vec<_>>(), [true]);
}

#[test]
fn who_asks_for_more_rooms_than_it_may_without_an_answer_is_closed() {
    let (mut stage, mut stranger) = crowded();
    for name in ["a", "b", "c", "c", "d", "e"] {
        stranger.say(&mut stage, |lane| Packet::UseRoom { lane, room_use: RoomUse::Both, name });
    }
    stage.run(100);
    let last = stranger.told(&stage).last().unwrap();
    assert!(matches!(last, Packet::Closed { reason: CloseReason::Flood, .. }), "{last:?}");
    assert_eq!(stage.server.drops().get(DropReason::TableFull), 1);
}

fn asked(stage: &Stage, who: usize) -> usize {
    stage.sent(|sent: &Sent| sent.from == End::Person(who) && sent.kind() == Kind::UseRoom)
}

#[test]
fn a_room_that_was_left_before_the_answer_counts_as_unanswered() {
    let mut stage = Stage::new(1);
    let mut last = stage.people[0].lobby;
    for n in 0..9 {
        if n > 0 {
            stage.act(0, |now, client| client.leave_room(now, last)).unwrap();
        }
        last = stage.act(0, |now, client| client.use_room(now, &format!("room {n}"), RoomUse::Both)).unwrap();
        stage.run(1);
        assert!(asked(&stage, 0) <= 4, "no answer has come after {n} ms");
    }
    stage.run(500);
    let id = stage.people[0].client.room_id(last).expect("asked for in the end");
    assert_eq!(names(&stage), ["Lobby".to_owned(), "room 8".to_owned()].into());
    assert_eq!(stage.server.room(id).unwrap().name(), "room 8");
}

#[test]
fn a_use_that_changes_before_the_answer_is_told_after_it() {
    let mut stage = Stage::new(1);
    let use_den = |stage: &mut Stage, room_use| {
        let room = stage.act(0, |now, client| client.use_room(now, "Den", room_use)).unwrap();
        stage.run(1);
        room
    };
    use_den(&mut stage, RoomUse::Listen);
    use_den(&mut stage, RoomUse::Both);
    let den = use_den(&mut stage, RoomUse::Speak);
    assert_eq!(asked(&stage, 0), 1);
    stage.run(100);
    let (id, seat) = (stage.people[0].client.room_id(den).unwrap(), stage.server.client(stage.id(0)).unwrap());
    assert!(seat.rooms().any(|used| used == (id, RoomUse::Speak)));
    assert_eq!(asked(&stage, 0), 2);
}

/// Numbers that look random, the same for the same seed.
fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

#[test]
fn whatever_crosses_on_the_way_both_ends_agree_on_rooms_in_the_end() {
    for seed in 0..60 {
        let mut stage = Stage::new(2);
        let (mut delay, mut draw) = (numbers(seed + 1_000), numbers(seed));
        stage.network = Box::new(move |_| Fate::DelayMs(1 + delay(60)));
        let mut rooms = vec![stage.people[1].lobby];
        for _ in 0..60 {
            let any = draw(rooms.len() as u64) as usize;
            match draw(12) {
                0..5 => {
                    let (name, room_use) = (draw(8), RoomUse::from_number(1 + draw(3) as u8).unwrap());
                    let used = stage.act(1, |now, client| client.use_room(now, &format!("room {name}"), room_use));
                    rooms.extend(used);
                }
                5..7 => _ = stage.act(1, |now, client| client.leave_room(now, rooms[any])),
                7..11 => {
                    let (now, id) = (stage.now(), stage.id(1));
                    let seat = stage.server.client(id);
                    let used: Vec<_> = seat.map(|seat| seat.rooms().collect()).unwrap_or_default();
                    for (room, _) in used.into_iter().filter(|_| draw(2) == 0) {
                        stage.server.remove_from_room(now, id, room).unwrap();
                    }
                }
                _ if draw(4) == 0 => stage.lose_transport(1),
                _ => {}
            }
            stage.run(draw(80));
        }
        stage.run(20_000);
        let seat = stage.server.client(stage.id(1)).unwrap();
        let there: BTreeSet<_> = seat.rooms().map(|(room, _)| room).collect();
        let here: BTreeSet<_> = rooms.iter().filter_map(|room| stage.people[1].client.room_id(*room)).collect();
        assert_eq!(here, there, "seed {seed}");
        for room in rooms {
            let is_granted = stage.people[1].client.room_id(room).is_some();
            let is_wanted = stage.act(1, |now, client| client.leave_room(now, room)).is_ok();
            assert_eq!(is_granted, is_wanted, "seed {seed}: nothing waits for an answer");
        }
    }
}
