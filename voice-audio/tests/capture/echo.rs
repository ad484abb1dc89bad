use voice_audio::{Activation, Capture, CaptureConfig, InputFormat, Stages};

use crate::microphone::{decibels, noise, power, silence, speech, to_float};

/// What a loudspeaker's sound becomes on its way to the microphone: `late_ms` later, through a room of 60 ms that takes 10 dB.
fn through_the_room(played: &[f32], late_ms: usize) -> Vec<f32> {
    let mut room = noise(60 * 48, 1.0);
    for (n, tap) in room.iter_mut().enumerate() {
        *tap *= (-(n as f32) / (12.0 * 48.0)).exp();
    }
    let strength = (power(&room) * room.len() as f64).sqrt() as f32;
    let late = late_ms * 48;
    let mut heard = vec![0.0; played.len()];
    // Every eighth tap is enough for a room, and an eighth of the work.
    for (n, tap) in room.iter().enumerate().step_by(8) {
        let tap = tap / strength * 8f32.sqrt() * 0.316;
        for (to, from) in heard.iter_mut().skip(late + n).zip(played) {
            *to += tap * from;
        }
    }
    heard
}

struct Room {
    capture: Capture,
    delay: usize,
}

impl Room {
    fn new(stages: Stages) -> Self {
        let render = Some(InputFormat::default());
        let config = CaptureConfig { render, stages, activation: Activation::Open, ..CaptureConfig::default() };
        let capture = Capture::new(config).unwrap();
        Self { delay: capture.latency(), capture }
    }

    /// What is sent while that is played and that reaches the microphone, aligned with the microphone.
    fn sent(&mut self, played: &[f32], microphone: &[f32]) -> Vec<f32> {
        let mut sent = Vec::new();
        for (played, microphone) in played.chunks(480).zip(microphone.chunks(480)) {
            self.capture.push_render_f32(played);
            self.capture.push_f32(microphone);
            while let Some(frame) = self.capture.pull() {
                sent.extend(to_float(frame.samples));
            }
        }
        sent[self.delay..].to_vec()
    }
}

fn only_echo() -> Stages {
    Stages { echo: true, ..Stages::NONE }
}

fn far_end() -> Vec<f32> {
    [speech(1, 0.5), speech(2, 0.5), speech(5, 0.5)].concat()
}

#[test]
fn the_echo_of_speech_falls_by_more_than_30_decibels() {
    let played = far_end();
    for late_ms in [10, 40, 150] {
        let echo = through_the_room(&played, late_ms);
        let sent = Room::new(only_echo()).sent(&played, &echo);
        // From the third second on, when it has got to know the room.
        let fell = decibels(power(&echo[96_000..sent.len()]) / power(&sent[96_000..]));
        assert!(fell > 30.0, "{late_ms} ms: {fell} dB");
        let at_first = decibels(power(&echo[24_000..96_000]) / power(&sent[24_000..96_000]));
        assert!(at_first > 10.0, "{late_ms} ms: {at_first} dB in the first two seconds");
    }
}

#[test]
fn the_near_speaker_is_kept_while_nobody_else_speaks() {
    let far = far_end();
    let near = speech(3, 0.4);
    let played = [far.clone(), silence(500), vec![0.0; near.len()]].concat();
    let echo = through_the_room(&played, 40);
    let at = far.len() + 500 * 48;
    let mut microphone = echo.clone();
    microphone[at..].iter_mut().zip(&near).for_each(|(to, from)| *to += from);
    let sent = Room::new(only_echo()).sent(&played, &microphone);
    let part = at..sent.len();
    let kept = decibels(power(&sent[part.clone()]) / power(&microphone[part]));
    assert!(kept.abs() < 1.5, "{kept} dB");
}

#[test]
fn the_near_speaker_is_heard_while_both_speak() {
    let played = far_end();
    let echo = through_the_room(&played, 40);
    let near = speech(3, 0.4);
    let at = 8 * 48_000;
    let mut microphone = echo.clone();
    microphone[at..].iter_mut().zip(&near).for_each(|(to, from)| *to += from);
    let sent = Room::new(only_echo()).sent(&played, &microphone);
    let part = at..at + near.len() - 4_800;
    let kept = decibels(power(&sent[part.clone()]) / power(&near[..near.len() - 4_800]));
    assert!(kept > -6.0, "{kept} dB of the near speaker");
    let left = likeness(&near[..near.len() - 4_800], &sent[part]);
    assert!(left > 0.6, "{left}");
}

fn likeness(a: &[f32], b: &[f32]) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>() / a.len() as f64;
    dot / (power(a) * power(b)).sqrt()
}

#[test]
fn with_nothing_played_or_the_stage_off_speech_is_only_delayed() {
    let near = speech(4, 0.4);
    for (stages, wanted) in [(only_echo(), 0.95), (Stages::NONE, 0.999_999)] {
        let sent = Room::new(stages).sent(&vec![0.0; near.len()], &near);
        let alike = likeness(&near[4_800..96_000], &sent[4_800..96_000]);
        assert!(alike > wanted, "{stages:?}: {alike}");
    }
}

#[test]
fn it_is_switched_without_a_click() {
    let tone: Vec<f32> = (0..4 * 48_000).map(|n| (n as f32 * 0.03).sin() * 0.3).collect();
    let mut room = Room::new(Stages::NONE);
    let mut sent = Vec::new();
    for (n, part) in tone.chunks(24_000).enumerate() {
        room.capture.set_stages(if n % 2 == 1 { only_echo() } else { Stages::NONE });
        room.delay = 0;
        sent.extend(room.sent(&vec![0.0; part.len()], part));
    }
    let step = sent[2_000..].windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    assert!(step < 0.3 * 0.03 * 1.3, "{step}");
}

#[test]
fn stalls_and_floods_of_what_is_played_do_no_harm() {
    let mut room = Room::new(Stages::ALL);
    let near = speech(4, 0.4);
    room.sent(&near[..48_000], &near[..48_000]);
    room.capture.push_render_f32(&vec![f32::NAN; 60 * 48_000]);
    room.capture.push_render_i16(&[i16::MIN; 48_000]);
    // Nothing played for two seconds, and then all of it with nothing in between.
    for block in near[..96_000].chunks(480) {
        room.capture.push_f32(block);
        while room.capture.pull().is_some() {}
    }
    room.capture.push_render_f32(&near);
    room.delay = 0;
    let sent = room.sent(&near, &near);
    assert!(sent.iter().all(|sample| sample.abs() < 1.0));
}
