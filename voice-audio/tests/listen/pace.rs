//! When a voice is made shorter or longer, and when it waits for a pause.

use voice_audio::listen::RemoteVoice;
use voice_core::{Pace, Sound};

use crate::harness::{Speech, tone};

const FRAME: usize = 960;

/// A voice that has just said a second of a vowel, and the packets with which it goes on.
fn singing() -> (RemoteVoice, Speech) {
    let mut voice = RemoteVoice::new().unwrap();
    let vowel = tone(200.0, 8_000.0, 4);
    say(&mut voice, &vowel.packets[..50], Pace::Steady);
    (voice, vowel)
}

/// Says frames that the playout wants in this pace. Returns after how many frames it was first made shorter.
fn say(voice: &mut RemoteVoice, packets: &[Vec<u8>], pace: Pace) -> Option<usize> {
    let mut out = [0; FRAME];
    let mut first = None;
    for (number, packet) in packets.iter().enumerate() {
        voice.push(Sound::Play(packet), 20_000, pace);
        if first.is_none() && voice.shortened() > 0 {
            first = Some(number);
        }
        let queued = voice.queued().min(FRAME);
        voice.read(&mut out[..queued]);
    }
    first
}

#[test]
fn a_delay_that_is_100_ms_too_long_waits_for_a_pause_for_a_second_and_a_half() {
    let (mut voice, vowel) = singing();
    assert_eq!(say(&mut voice, &vowel.packets[50..], Pace::Shorten(100_000)), Some(75 - 1));
}

#[test]
fn a_pause_is_used_at_once() {
    let (mut voice, _) = singing();
    let silence = tone(200.0, 0.0, 1);
    // It is a pause, and not a consonant, after 120 ms of silence.
    let first = say(&mut voice, &silence.packets, Pace::Shorten(100_000)).unwrap();
    assert!((6..=9).contains(&first), "{first}");
    assert!(voice.shortened() >= 80 * 48);
}

#[test]
fn waiting_begins_anew_when_the_delay_was_right_meanwhile() {
    let (mut voice, vowel) = singing();
    assert_eq!(say(&mut voice, &vowel.packets[50..120], Pace::Shorten(100_000)), None);
    assert_eq!(say(&mut voice, &vowel.packets[120..121], Pace::Steady), None);
    assert_eq!(say(&mut voice, &vowel.packets[121..195], Pace::Shorten(100_000)), None);
}

#[test]
fn a_delay_that_is_far_too_long_doesnt_wait_and_one_that_is_hardly_too_long_never_splices_speech() {
    let (mut voice, vowel) = singing();
    assert_eq!(say(&mut voice, &vowel.packets[50..], Pace::Shorten(300_000)), Some(0));
    let (mut voice, vowel) = singing();
    assert_eq!(say(&mut voice, &vowel.packets[50..], Pace::Shorten(50_000)), None);
}
