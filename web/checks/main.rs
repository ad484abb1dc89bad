//! What a page relies on: engines talk to each other through a real server.

mod harness;

use consonance_web::{Engine, Refusal, Settings};
use harness::Stage;
use voice_audio::Activation;
use voice_core::{ClientId, Priority};

#[test]
fn two_people_hear_each_other() {
    let mut stage = Stage::new(2);
    stage.speak(&[0, 1], 1_000);
    assert!(stage.hears(0, 1) && stage.hears(1, 0));
    assert!(!stage.hears(0, 0), "nobody hears oneself");
    assert_eq!((stage.unheard(0, 1), stage.unheard(1, 0)), ("heard".into(), "heard".into()));
    assert_eq!(stage.people[0].state["me"]["speaking"], true);
    assert_eq!(stage.person(0, 1)["name"], "person-1");
    stage.speak(&[], 600);
    stage.people.iter_mut().for_each(|person| person.microphone = false);
    stage.run(600);
    assert_eq!(stage.unheard(0, 1), "silent");
    assert_eq!(stage.people[1].state["me"]["speaking"], false);
}

#[test]
fn a_whisper_is_heard_by_one_and_rooms_hear_nothing_meanwhile() {
    let mut stage = Stage::new(3);
    let to = stage.id(1);
    stage.act(0, |now, engine| engine.whisper(now, to, true)).unwrap();
    stage.speak(&[0], 1_000);
    assert!(stage.hears(1, 0) && !stage.hears(2, 0));
    assert_eq!(stage.person(1, 0)["whispering"], true);
    assert_eq!(stage.people[0].state["me"]["whisperingTo"][0], to.get());
    stage.act(0, |now, engine| engine.whisper(now, to, false)).unwrap();
    stage.speak(&[0], 1_000);
    assert!(stage.hears(1, 0) && stage.hears(2, 0));
    assert_eq!(stage.person(1, 0)["whispering"], false);
    let oneself = stage.id(0);
    let strangers = [oneself, ClientId::new(777).unwrap()];
    for stranger in strangers {
        assert_eq!(stage.act(0, |now, engine| engine.whisper(now, stranger, true)), Err(Refusal::Unknown));
    }
}

#[test]
fn a_whisper_ends_when_its_listener_leaves() {
    let mut stage = Stage::new(3);
    let to = stage.id(1);
    stage.act(0, |now, engine| engine.whisper(now, to, true)).unwrap();
    stage.run(200);
    stage.act(1, |now, engine| engine.disconnect(now));
    stage.speak(&[0], 200);
    assert_eq!(stage.people[0].state["me"]["whisperingTo"], serde_json::json!([]));
    assert!(!stage.hears(2, 0), "what was meant for one, and still comes, isn't for the room");
    stage.speak(&[0], 1_000);
    assert!(stage.hears(2, 0), "the room hears again");
}

#[test]
fn whoever_is_muted_is_not_heard_and_it_is_said_why() {
    let mut stage = Stage::new(2);
    let speaker = stage.id(1);
    let why = |stage: &mut Stage, what: &dyn Fn(&mut Stage, bool)| {
        what(stage, true);
        stage.speak(&[1], 800);
        let (heard, reason) = (stage.hears(0, 1), stage.unheard(0, 1));
        what(stage, false);
        stage.speak(&[1], 800);
        assert!(!heard && stage.hears(0, 1), "{reason}");
        reason
    };
    let themselves = |stage: &mut Stage, on| stage.act(1, |now, engine| engine.set_muted(now, on));
    assert_eq!(why(&mut stage, &themselves), "muted-themselves");
    let by_me = |stage: &mut Stage, on| stage.act(0, |now, engine| engine.mute_person(now, speaker, on));
    assert_eq!(why(&mut stage, &by_me), "muted-by-me");
    let deafened = |stage: &mut Stage, on| stage.act(0, |now, engine| engine.set_deafened(now, on));
    assert_eq!(why(&mut stage, &deafened), "deafened");
    let volume = |stage: &mut Stage, on| stage.act(0, |_, engine| engine.set_volume(speaker, if on { 0 } else { 100 }));
    assert_eq!(why(&mut stage, &volume), "turned-down");
    let far = |stage: &mut Stage, on: bool| {
        stage.act(0, |_, engine| engine.place(speaker, on.then_some([0.0, 60.0])));
    };
    assert_eq!(why(&mut stage, &far), "too-far");
    let server = |stage: &mut Stage, on| {
        let now = voice_core::Instant::from_us(stage.time() as u64 + 1_000);
        stage.server.set_server_mute(now, speaker, on).unwrap();
    };
    assert_eq!(why(&mut stage, &server), "muted-by-server");
    let elsewhere = |stage: &mut Stage, on| {
        if on {
            stage.act(1, |now, engine| engine.leave(now, "Lobby"));
            stage.act(1, |now, engine| engine.join(now, "Cave")).unwrap();
        } else {
            stage.act(1, |now, engine| engine.join(now, "Lobby")).unwrap();
        }
    };
    assert_eq!(why(&mut stage, &elsewhere), "not-in-my-room");
}

#[test]
fn the_highest_priority_is_heard_and_the_others_know_why_not() {
    let mut stage = Stage::new(3);
    stage.act(1, |now, engine| engine.set_priority(now, Priority::High));
    stage.speak(&[1, 2], 1_000);
    assert!(stage.hears(0, 1) && !stage.hears(0, 2));
    assert_eq!((stage.unheard(0, 1), stage.unheard(0, 2)), ("heard".into(), "lower-priority".into()));
}

#[test]
fn what_gets_lost_is_said_to_be_lost() {
    let mut stage = Stage::new(2);
    stage.speak(&[1], 1_000);
    let mut count = 0;
    stage.loses = Box::new(move |to, packet| {
        count += 1;
        to == 0 && packet[0] >= 0x80 && count % 5 != 0
    });
    stage.run(6_000);
    assert_eq!(stage.unheard(0, 1), "lost");
    stage.loses = Box::new(|_, _| false);
    stage.run(3_000);
    assert_eq!(stage.unheard(0, 1), "heard");
}

#[test]
fn a_placed_person_is_heard_from_there() {
    let mut stage = Stage::new(2);
    let speaker = stage.id(1);
    stage.speak(&[1], 1_000);
    let [left, right] = stage.loudness(0, 1);
    assert!((left / right - 1.0).abs() < 0.05, "{left} {right}");
    stage.act(0, |_, engine| engine.place(speaker, Some([3.0, 0.0])));
    stage.speak(&[1], 1_000);
    let [near_left, near_right] = stage.loudness(0, 1);
    assert!(near_right > 3.0 * near_left, "{near_left} {near_right}");
    stage.act(0, |_, engine| engine.place(speaker, Some([30.0, 0.0])));
    stage.speak(&[1], 1_000);
    assert!(stage.loudness(0, 1)[1] < near_right / 3.0);
    stage.act(0, |_, engine| engine.set_space(50.0, 100.0));
    stage.speak(&[1], 1_000);
    assert!(stage.loudness(0, 1)[1] > near_right);
}

#[test]
fn volume_is_a_factor() {
    let mut stage = Stage::new(2);
    let speaker = stage.id(1);
    stage.speak(&[1], 1_000);
    let [full, _] = stage.loudness(0, 1);
    stage.act(0, |_, engine| engine.set_volume(speaker, 50));
    stage.speak(&[1], 1_000);
    let [half, _] = stage.loudness(0, 1);
    assert!((half / full - 0.5).abs() < 0.05, "{half} of {full}");
    assert_eq!(stage.person(0, 1)["volume"], 50);
}

#[test]
fn the_key_sends_while_it_is_held_and_voice_activation_while_one_is_loud() {
    let mut stage = Stage::new(2);
    stage.act(1, |_, engine| engine.set_activation(Activation::PushToTalk));
    stage.speak(&[1], 800);
    assert!(!stage.hears(0, 1));
    stage.act(1, |_, engine| engine.set_pressed(true));
    stage.speak(&[1], 800);
    assert!(stage.hears(0, 1));
    stage.act(1, |_, engine| engine.set_pressed(false));
    stage.act(1, |_, engine| engine.set_activation(Activation::Voice));
    stage.act(1, |_, engine| engine.set_threshold(-10.0));
    stage.speak(&[1], 800);
    assert!(!stage.hears(0, 1), "a tone of -17 dBFS is below -10");
    stage.act(1, |_, engine| engine.set_threshold(-40.0));
    // What lasts is noise: speech comes and goes.
    stage.speak(&[], 300);
    stage.speak(&[1], 400);
    assert!(stage.hears(0, 1));
}

#[test]
fn one_hears_oneself_alone_and_without_a_session() {
    let mut stage = Stage::new(1);
    stage.speak(&[0], 500);
    assert!(!stage.hears(0, 0));
    stage.act(0, |_, engine| engine.set_hear_self(true));
    stage.speak(&[0], 1_000);
    assert!(stage.hears(0, 0));
    stage.act(0, |now, engine| engine.set_muted(now, true));
    stage.speak(&[0], 1_000);
    assert!(!stage.hears(0, 0), "as the others would");
}

#[test]
fn texts_reach_a_room_or_a_person() {
    let mut stage = Stage::new(3);
    let to = stage.id(2);
    stage.act(0, |now, engine| engine.write_to_room(now, "Lobby", "quote \" and ü")).unwrap();
    stage.act(0, |now, engine| engine.write_to_person(now, to, "secret")).unwrap();
    stage.run(200);
    let texts = |who: usize| -> Vec<String> {
        stage.people[who].tidings.iter().map(|tiding| tiding["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts(1), ["quote \" and ü"]);
    assert_eq!(texts(2), ["quote \" and ü", "secret"]);
    let last = stage.people[2].tidings.last().unwrap();
    assert_eq!((last["name"].as_str(), last["room"].is_null()), (Some("person-0"), true));
    let refused = [
        stage.act(0, |now, engine| engine.write_to_room(now, "Cave", "x")),
        stage.act(0, |now, engine| engine.write_to_room(now, "Lobby", "")),
        stage.act(0, |now, engine| engine.write_to_person(now, ClientId::new(777).unwrap(), "x")),
    ];
    assert_eq!(refused, [Err(Refusal::Unknown), Err(Refusal::BadText), Err(Refusal::Unknown)]);
}

#[test]
fn a_text_of_somebody_who_has_just_joined_has_their_name() {
    let mut stage = Stage::new(2);
    let newcomer = stage.add();
    let mut written = false;
    for _ in 0..100 {
        stage.run(10);
        written = written || stage.act(newcomer, |now, engine| engine.write_to_room(now, "Lobby", "hello")).is_ok();
    }
    let names: Vec<_> = [0, 1].map(|who| stage.people[who].tidings[0]["name"].clone()).into();
    assert_eq!(names, ["person-2", "person-2"]);
}

#[test]
fn a_room_is_left_alone_or_spoken_to_as_one_likes() {
    let mut stage = Stage::new(2);
    stage.act(1, |_, engine| engine.talk_to("Lobby", false));
    stage.speak(&[0, 1], 800);
    assert!(stage.hears(1, 0) && !stage.hears(0, 1));
    assert_eq!(stage.people[1].state["rooms"][0]["talking"], false);
    stage.act(1, |_, engine| engine.talk_to("Lobby", true));
    stage.speak(&[1], 800);
    assert!(stage.hears(0, 1));
    assert_eq!(stage.act(0, |now, engine| engine.join(now, "")), Err(Refusal::BadText));
}

#[test]
fn a_cut_network_heals_and_meanwhile_it_is_said() {
    let mut stage = Stage::new(2);
    let id = stage.id(1);
    stage.people[1].cut = true;
    stage.act(1, |now, engine| engine.transport_down(now));
    stage.run(1_000);
    assert_eq!(stage.people[1].state["status"], "connecting");
    stage.people[1].cut = false;
    stage.act(1, |now, engine| engine.transport_down(now));
    stage.run(4_000);
    assert_eq!((&stage.people[1].state["status"], stage.id(1)), (&"connected".into(), id));
    assert_eq!(stage.people[1].state["reason"], "resumed");
    stage.speak(&[0, 1], 1_000);
    assert!(stage.hears(0, 1) && stage.hears(1, 0));
}

#[test]
fn somebody_whose_connection_is_lost_is_reconnecting() {
    let mut stage = Stage::new(2);
    stage.people[1].cut = true;
    stage.run(20_000);
    assert_eq!(stage.unheard(0, 1), "reconnecting");
    stage.people[0].cut = true;
    stage.act(0, |now, engine| engine.transport_down(now));
    stage.run(500);
    assert_eq!(stage.unheard(0, 1), "not-connected");
}

#[test]
fn state_is_told_when_it_changes_and_not_else() {
    let mut stage = Stage::new(2);
    stage.run(1_000);
    let told = stage.people[0].states_told;
    stage.run(5_000);
    assert_eq!(stage.people[0].states_told, told);
    for step in 0..100_u8 {
        stage.act(0, |_, engine| engine.set_threshold(-f32::from(step)));
        stage.run(10);
    }
    let told = stage.people[0].states_told - told;
    assert!((10..=21).contains(&told), "{told} in a second");
}

#[test]
fn levels_show_who_sounds() {
    let mut stage = Stage::new(2);
    stage.speak(&[1], 500);
    let mut levels = [0.0; 16];
    assert_eq!(stage.people[0].engine.levels(&mut levels), 4);
    let [microphone, open, id, level, ..] = levels;
    assert_eq!((microphone, open, id), (-100.0, 1.0, f32::from(stage.id(1).get())));
    assert!((-20.0..-14.0).contains(&level), "{level}");
    assert_eq!(stage.people[1].engine.levels(&mut levels), 2);
    assert!((levels[0] + 17.0).abs() < 1.0, "{levels:?}");
    assert_eq!(stage.people[0].engine.levels(&mut levels[..1]), 0);
}

#[test]
fn stats_are_json_with_everybody_who_was_heard() {
    let mut stage = Stage::new(2);
    stage.speak(&[1], 2_000);
    let stats: serde_json::Value = serde_json::from_str(stage.people[0].engine.stats()).unwrap();
    assert!(stats["rttMs"].as_f64().unwrap() > 5.0, "{stats}");
    assert_eq!(stats["people"][0]["id"], stage.id(1).get());
    assert!(stats["people"][0]["received"].as_u64().unwrap() > 90, "{stats}");
    assert!(stats["people"][0]["playoutMs"].as_f64().unwrap() < 60.0, "{stats}");
    assert_eq!((&stats["underruns"], &stats["drops"]), (&0.into(), &serde_json::json!({})), "{stats}");
}

#[test]
fn blocks_that_are_asked_for_in_bunches_cost_little_more_than_the_bunch() {
    let mut stage = Stage::new(2);
    let mut figures = |bunch| {
        stage.bunch = bunch;
        stage.speak(&[1], 6_000);
        let before: serde_json::Value = serde_json::from_str(stage.people[0].engine.stats()).unwrap();
        stage.run(6_000);
        let after: serde_json::Value = serde_json::from_str(stage.people[0].engine.stats()).unwrap();
        let [before, after] = [before, after].map(|stats| stats["people"][0].clone());
        let concealed = after["concealedMs"].as_u64().unwrap() - before["concealedMs"].as_u64().unwrap();
        (after["playoutMs"].as_f64().unwrap(), concealed)
    };
    for (bunch, most_ms) in [(1, 50.0), (4, 65.0), (8, 90.0)] {
        let (playout_ms, concealed_ms) = figures(bunch);
        assert!(playout_ms < most_ms && concealed_ms == 0, "{bunch}: {playout_ms} {concealed_ms}");
    }
}

#[test]
fn garbage_does_no_harm() {
    let mut stage = Stage::new(2);
    let mut bytes = Vec::new();
    for round in 0..2_000_u32 {
        bytes.clear();
        bytes.extend((0..round % 97).map(|at| (round.wrapping_mul(2_654_435_761) >> (at % 24)) as u8));
        stage.act(0, |now, engine| {
            engine.receive(now, voice_core::Delivery::Unreliable, &bytes);
            engine.take_encoded(now, consonance_web::FrameFor { others: true, oneself: true, last: false }, &bytes);
        });
    }
    stage.speak(&[1], 1_000);
    assert!(stage.hears(0, 1));
}

#[test]
fn names_and_passwords_have_their_limits() {
    let make =
        |name: &str, password: &[u8]| Engine::new(Settings { name, password, bitrate: u32::MAX, seed: 1 }).is_some();
    assert!(make("a", b"") && make(&"a".repeat(64), &[0; 512]));
    assert!(!make("", b"") && !make(&"a".repeat(65), b"") && !make("a", &[0; 513]));
}
