//! Who gets a voice.

use voice_audio::listen::{ListenerConfig, VoicesBusy};

use crate::harness::{DELAY, MONO, ONSET, Room, Talker, assert_same, id, largest, loudness, speech};

const FRAME: usize = 960;

fn brief(number: u16, from: usize, frames: usize) -> Talker<'static> {
    Talker { packets: &speech(usize::from(number) % 3).packets[from..from + frames], ..Talker::new(number, speech(0)) }
}

#[test]
fn the_longest_silent_gives_way_and_leaves_nothing_behind() {
    let mut room = Room::new(ListenerConfig { voices: 2, ..MONO }, [brief(1, 0, 30), brief(2, 0, 10)]);
    room.hear(50 * FRAME);
    // Both are silent, the second has been for longer.
    room.talkers = vec![Talker::new(3, speech(0))];
    let heard = room.hear(20 * FRAME);
    assert_eq!(room.listener.stats().given_way, 1);
    assert!(room.listener.level(id(1)).is_some() && room.listener.level(id(2)).is_none());
    // With a decoder as new, it sounds like the first voice of all.
    assert_same(&heard[DELAY + ONSET..], &speech(0).whole[ONSET..20 * FRAME - DELAY]);
}

#[test]
fn with_more_speakers_than_voices_the_first_are_heard_and_the_others_counted() {
    let speakers = || [Talker::new(1, speech(0)), Talker::new(2, speech(1)), Talker::new(3, speech(2))];
    let config = ListenerConfig { voices: 2, ..MONO };
    let heard = Room::new(config, speakers().into_iter().take(2)).hear(50 * FRAME);
    let mut room = Room::new(config, speakers());
    assert_same(&room.hear(50 * FRAME), &heard);
    assert_eq!(room.listener.stats().refused, 100);
    assert_eq!(room.listener.attend(id(3), Default::default()), Err(VoicesBusy));
    assert_eq!(room.listener.stats().given_way, 0);
    assert_eq!(room.listener.level(id(3)), None);
}

#[test]
fn whoever_still_sounds_keeps_the_voice_although_nobody_asks_for_it() {
    let mut room = Room::new(ListenerConfig { voices: 1, ..MONO }, [Talker::new(1, speech(0))]);
    let mut heard = room.hear(10 * FRAME);
    // Its playout has given its last frame, which is heard to the end.
    room.talkers = vec![Talker::new(2, speech(1))];
    assert!(room.listener.is_sounding(id(1)));
    let after = room.hear(40 * FRAME);
    assert!(!room.listener.is_sounding(id(1)) && room.listener.is_sounding(id(2)));
    heard.extend(after);
    assert_same(&heard[DELAY + ONSET..10 * FRAME], &speech(0).whole[ONSET..10 * FRAME - DELAY]);
    assert!((1..=3).contains(&room.listener.stats().refused), "{:?}", room.listener.stats());
    assert!(loudness(&heard[20 * FRAME..]) > 100.0);
}

#[test]
fn a_listener_without_voices_hears_nothing() {
    let mut room = Room::new(ListenerConfig { voices: 0, ..MONO }, [Talker::new(1, speech(0))]);
    assert_eq!(largest(&room.hear(10 * FRAME)), 0);
    assert_eq!((room.pulls, room.listener.stats().refused), (0, 20));
}

#[test]
fn whoever_is_silent_and_not_asked_for_costs_nothing() {
    let mut room = Room::new(MONO, [brief(1, 0, 5)]);
    room.hear(50 * FRAME);
    room.talkers.clear();
    room.pulls = 0;
    room.hear(50 * FRAME);
    assert_eq!(room.pulls, 0);
}

#[test]
fn a_listener_can_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<voice_audio::listen::Listener>();
}
