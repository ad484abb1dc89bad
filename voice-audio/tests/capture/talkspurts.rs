use std::time::Duration;

use voice_audio::{Activation, Capture, CaptureConfig, FrameKind, FrameLength, Stages};

use crate::common::{correlation, energy};
use crate::microphone::{Pulled, TONE_STEP, capture_all, noise, room_noise, silence, speech, tone, voice, with_stages};

/// The pipeline's own sound without any gate.
fn ungated(pcm: &[f32], stages: Stages) -> Vec<i16> {
    let config = CaptureConfig { activation: Activation::Open, ..with_stages(stages) };
    voice(&capture_all(&mut Capture::new(config).unwrap(), pcm))
}

fn talkspurts(pulled: &[Pulled]) -> usize {
    let (begun, ended) = pulled.iter().fold((0, 0), |(begun, ended), frame| {
        assert!(frame.kind.is_speech() || frame.samples.iter().all(|&sample| sample == 0));
        (begun + usize::from(frame.kind.is_first()), ended + usize::from(frame.kind.is_last()))
    });
    assert!(begun == ended || begun == ended + 1, "{begun} began, {ended} ended");
    begun
}

#[test]
fn the_first_syllable_is_not_clipped() {
    for number in 1..=8 {
        for frame_length in FrameLength::ALL {
            let pcm = [silence(1_000), speech(number, 0.3), silence(1_000)].concat();
            let config = CaptureConfig { frame_length, ..with_stages(Stages::NONE) };
            let sent = voice(&capture_all(&mut Capture::new(config).unwrap(), &pcm));
            let whole = ungated(&pcm, Stages::NONE);
            // What is heard of the first 30 ms from where the clip rises above -50 dB.
            let begin = whole.iter().position(|sample| sample.unsigned_abs() > 100).unwrap();
            let kept = energy(&sent[begin..][..1_440]) / energy(&whole[begin..][..1_440]);
            assert!(kept > 0.95, "clip {number}, {frame_length:?}: {kept}");
            let all = energy(&sent[..whole.len() - 48_000]) / energy(&whole[..whole.len() - 48_000]);
            assert!(all > 0.99, "clip {number}, {frame_length:?}: {all}");
        }
    }
}

/// Loudness alone is quicker.
#[cfg(feature = "denoise")]
#[test]
fn without_the_pre_roll_it_would_be_clipped() {
    let kept: Vec<f64> = (1..=8)
        .map(|number| {
            let pcm = [silence(1_000), speech(number, 0.3)].concat();
            let config = CaptureConfig { pre_roll: Duration::ZERO, ..with_stages(Stages::NONE) };
            let sent = voice(&capture_all(&mut Capture::new(config).unwrap(), &pcm));
            let whole = ungated(&pcm, Stages::NONE);
            let begin = whole.iter().position(|sample| sample.unsigned_abs() > 100).unwrap();
            energy(&sent[begin..][..1_440]) / energy(&whole[begin..][..1_440])
        })
        .collect();
    assert!(kept.iter().filter(|&&kept| kept < 0.95).count() >= 4, "{kept:?}");
}

#[test]
fn silence_and_steady_noise_send_nothing() {
    let white = |rms| noise(10 * 48_000, rms);
    for pcm in [silence(10_000), white(0.003), white(0.03), room_noise(10 * 48_000, 0.03)] {
        let pulled = capture_all(&mut Capture::new(CaptureConfig::default()).unwrap(), &pcm);
        assert!(pulled.len() > 490);
        assert!(pulled.iter().all(|frame| frame.kind == FrameKind::Silence));
    }
}

#[test]
fn a_pause_ends_the_talkspurt_and_a_breath_does_not() {
    let pcm = [silence(500), speech(1, 0.3), silence(1_500), speech(2, 0.3), silence(1_500)].concat();
    let pulled = capture_all(&mut Capture::new(CaptureConfig::default()).unwrap(), &pcm);
    let spurts = talkspurts(&pulled);
    assert!((2..=6).contains(&spurts), "{spurts}");
    assert!(pulled.last().is_some_and(|frame| frame.kind == FrameKind::Silence));
    let sent = pulled.iter().filter(|frame| frame.kind.is_speech()).count();
    assert!(sent * 20 < pcm.len() / 48 - 2_000, "{sent} frames of {}", pulled.len());
}

#[test]
fn a_pre_roll_comes_at_once_and_says_how_much_of_it_is_waiting() {
    let pcm = [silence(1_000), speech(1, 0.3)].concat();
    let pulled = capture_all(&mut Capture::new(CaptureConfig::default()).unwrap(), &pcm);
    let first = pulled.iter().position(|frame| frame.kind.is_first()).unwrap();
    let waiting: Vec<usize> = pulled[first..first + 5].iter().map(|frame| frame.waiting).collect();
    assert_eq!(waiting, [4, 3, 2, 1, 0]);
}

#[test]
fn all_frames_in_a_row_are_the_whole_time_in_order() {
    let pcm = [silence(700), speech(3, 0.3), silence(900), speech(4, 0.3), silence(900)].concat();
    for frame_length in FrameLength::ALL {
        let config = CaptureConfig { frame_length, ..with_stages(Stages::NONE) };
        let mut capture = Capture::new(config).unwrap();
        let delay = capture.latency();
        let heard = voice(&capture_all(&mut capture, &pcm));
        let held = 80 * 48 + 2 * frame_length.samples();
        assert!(heard.len() <= pcm.len() && heard.len() + held > pcm.len());
        let wanted = ungated(&pcm, Stages::NONE);
        // The second speaker is as far from the start as in the input: nothing is missing or repeated between them.
        let from = pcm.len() - 900 * 48 - 3 * 48_000;
        let likeness = correlation(&heard[from + delay..][..96_000], &wanted[from + delay..][..96_000]);
        assert!(likeness > 0.99, "{frame_length:?}: {likeness}");
    }
}

#[test]
fn push_to_talk_sends_while_pressed_and_fades() {
    let config = CaptureConfig { activation: Activation::PushToTalk, ..with_stages(Stages::NONE) };
    let mut capture = Capture::new(config).unwrap();
    let tone = tone(1_000, 0.5);
    let before = capture_all(&mut capture, &tone);
    assert!(before.iter().all(|frame| frame.kind == FrameKind::Silence));
    capture.set_pressed(true);
    let mut pulled = capture_all(&mut capture, &tone);
    assert_eq!(talkspurts(&pulled), 1);
    assert!(pulled.iter().all(|frame| frame.kind.is_speech()));
    capture.set_pressed(false);
    pulled.extend(capture_all(&mut capture, &tone));
    assert_eq!(talkspurts(&pulled), 1);
    let sent = pulled.iter().filter(|frame| frame.kind.is_speech()).count();
    assert!((50..=53).contains(&sent), "{sent}");
    assert_no_click(&voice(&before), &voice(&pulled), 0.5 * TONE_STEP);
}

/// Neighbouring samples never differ by much more than a sine of that slope makes them.
fn assert_no_click(before: &[i16], after: &[i16], slope: f32) {
    let all: Vec<i16> = before.iter().chain(after).copied().collect();
    let step = all.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap();
    assert!(f32::from(step) < slope * 32_768.0 * 1.2 + 100.0, "a step of {step}");
}

#[test]
fn muting_ends_the_talkspurt_at_once_and_nothing_said_while_muted_is_sent() {
    for activation in [Activation::Open, Activation::Voice, Activation::PushToTalk] {
        let config = CaptureConfig { activation, ..with_stages(Stages::NONE) };
        let mut capture = Capture::new(config).unwrap();
        capture.set_pressed(true);
        let said = speech(1, 0.3);
        let mut pulled = capture_all(&mut capture, &said[..96_000]);
        assert!(pulled.last().unwrap().kind.is_speech());
        capture.set_muted(true);
        // The secret is a tone, so that it can be told from speech.
        let secret: Vec<f32> = (0..48_000).map(|n| if n / 24 % 2 == 0 { 0.9 } else { -0.9 }).collect();
        pulled.extend(capture_all(&mut capture, &secret));
        capture.set_muted(false);
        pulled.extend(capture_all(&mut capture, &said[96_000..]));
        let loudest = voice(&pulled).iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!(loudest < 15_000, "{activation:?}: {loudest}");
        assert!(talkspurts(&pulled) >= 2, "{activation:?}");
        let after_mute = &pulled[100..148];
        assert!(after_mute.iter().skip(2).all(|frame| frame.kind == FrameKind::Silence), "{activation:?}");
    }
}

#[test]
fn what_waits_while_muted_and_unpulled_is_not_sent_either() {
    let config = CaptureConfig { activation: Activation::Open, ..with_stages(Stages::NONE) };
    let mut capture = Capture::new(config).unwrap();
    capture.set_muted(true);
    capture.push_f32(&[0.9; 9_700]);
    capture.set_muted(false);
    let pulled = capture_all(&mut capture, &silence(500));
    assert!(voice(&pulled).iter().all(|&sample| sample == 0));
    assert!(pulled.last().unwrap().kind.is_speech());
}

#[test]
fn permission_and_activation_are_separate_gates() {
    let config = CaptureConfig { activation: Activation::Open, ..CaptureConfig::default() };
    let mut capture = Capture::new(config).unwrap();
    let mut sends = |change: fn(&mut Capture)| {
        change(&mut capture);
        capture_all(&mut capture, &speech(5, 0.3)[..48_000]).last().unwrap().kind.is_speech()
    };
    assert!(sends(|_| {}));
    assert!(!sends(|capture| capture.set_permitted(false)));
    assert!(!sends(|capture| capture.set_activation(Activation::PushToTalk)));
    assert!(!sends(|capture| capture.set_pressed(true)));
    assert!(sends(|capture| capture.set_permitted(true)));
    assert!(!sends(|capture| capture.set_muted(true)));
    assert!(sends(|capture| capture.set_muted(false)));
}

#[test]
fn a_device_that_stops_ends_the_talkspurt() {
    let config = CaptureConfig { frame_length: FrameLength::Ms60, ..CaptureConfig::default() };
    let mut capture = Capture::new(config).unwrap();
    let mut pulled = capture_all(&mut capture, &speech(6, 0.3)[..100_000]);
    assert!(pulled.last().unwrap().kind.is_speech() && capture.is_talking());
    capture.finish();
    pulled.extend(capture_all(&mut capture, &[]));
    capture.push_f32(&[]);
    assert!(capture.pull().is_none_or(|frame| frame.kind.is_last()));
    assert!(!capture.is_talking());
}
