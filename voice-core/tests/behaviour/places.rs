//! More people speak than a listener has places for.

use voice_core::{ClientEvent, Priority};

use crate::harness::Stage;

const PRIORITIES: [Priority; 4] = [Priority::Low, Priority::Medium, Priority::High, Priority::None];

/// Somebody with two places, and speakers of these priorities, who are added in this order.
fn stage(priorities: &[Priority]) -> (Stage, usize, Vec<usize>) {
    let mut stage = Stage::new(0);
    let listener = stage.add_hearing(2, |_| {});
    let speakers = priorities.iter().map(|priority| stage.add_with(|config| config.priority = *priority)).collect();
    stage.run(500);
    (stage, listener, speakers)
}

fn frames(stage: &Stage, listener: usize, speaker: usize) -> usize {
    stage.heard(listener, speaker).len()
}

#[test]
fn the_one_of_lowest_priority_gives_its_place_to_one_of_higher_and_it_is_counted() {
    let (mut stage, listener, speakers) = stage(&PRIORITIES[..3]);
    for who in &speakers[..2] {
        stage.people[*who].says = true;
    }
    stage.run(400);
    stage.people[speakers[2]].says = true;
    stage.run(400);
    let low = frames(&stage, listener, speakers[0]);
    stage.run(400);
    assert_eq!(frames(&stage, listener, speakers[0]), low, "the place of low priority is gone");
    assert!(frames(&stage, listener, speakers[1]) >= 50 && frames(&stage, listener, speakers[2]) >= 30);
    let client = stage.client(listener);
    assert_eq!(client.counters().speakers_displaced, 1);
    assert!(client.drops().get(voice_core::DropReason::TableFull) > 10, "what it says on is counted");
    let gone = stage.id(speakers[0]);
    let stops = stage.people[listener].events.iter().filter(|event| **event == ClientEvent::StoppedSpeaking(gone));
    assert_eq!(stops.count(), 1);
}

#[test]
fn a_newcomer_of_no_higher_priority_waits_until_somebody_is_silent() {
    let (mut stage, listener, speakers) = stage(&[Priority::Medium, Priority::Medium, Priority::Medium]);
    for who in &speakers[..2] {
        stage.people[*who].says = true;
    }
    stage.run(400);
    stage.people[speakers[2]].says = true;
    stage.run(400);
    assert_eq!(frames(&stage, listener, speakers[2]), 0);
    assert_eq!(stage.client(listener).counters().speakers_displaced, 0);
    stage.people[speakers[0]].says = false;
    stage.act(speakers[0], |now, client| client.end_talkspurt(now));
    stage.run(400);
    assert!(frames(&stage, listener, speakers[2]) >= 10, "it has the place of the one who is silent");
    assert!(frames(&stage, listener, speakers[1]) >= 50);
    assert_eq!(stage.client(listener).counters().speakers_displaced, 0, "a silent one loses nothing");
}

#[test]
fn who_gave_way_is_heard_again_when_a_place_is_free() {
    let (mut stage, listener, speakers) = stage(&PRIORITIES[..3]);
    for who in &speakers {
        stage.people[*who].says = true;
    }
    stage.run(600);
    stage.people[speakers[2]].says = false;
    stage.act(speakers[2], |now, client| client.end_talkspurt(now));
    let before = frames(&stage, listener, speakers[0]);
    // Numbers up to 64 after the last one heard may be stragglers.
    stage.run(2_500);
    assert!(frames(&stage, listener, speakers[0]) > before + 20, "{before}");
}

#[test]
fn who_is_not_pulled_keeps_neither_its_place_nor_others_silent_for_ever() {
    let (mut stage, listener, speakers) = stage(&[Priority::High, Priority::Low]);
    stage.people[listener].ignores = Some(stage.id(speakers[0]));
    for who in &speakers {
        stage.people[*who].says = true;
    }
    stage.run(400);
    stage.people[speakers[0]].says = false;
    stage.act(speakers[0], |now, client| client.end_talkspurt(now));
    stage.run(500);
    assert_eq!(stage.client(listener).top_priority(), Some(Priority::High), "it may still be pulled");
    stage.run(2_500);
    assert_eq!(stage.client(listener).top_priority(), Some(Priority::Low));
    assert!(stage.heard(listener, speakers[1]).last().is_some_and(|frame| frame.audible));
}
