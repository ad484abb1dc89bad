use voice_audio::{Activation, Capture, CaptureConfig, Stages};

use crate::microphone::{capture_all, decibels, noise, power, silence, speech, to_float, voice, with_stages};

fn open(stages: Stages) -> Capture {
    Capture::new(CaptureConfig { activation: Activation::Open, ..with_stages(stages) }).unwrap()
}

fn heard(stages: Stages, pcm: &[f32]) -> Vec<f32> {
    let mut capture = open(stages);
    let delay = capture.latency();
    let padded = [pcm, &vec![0.0; delay + 960]].concat();
    to_float(&voice(&capture_all(&mut capture, &padded)))[delay..][..pcm.len()].to_vec()
}

/// How much of `heard` is not `wanted`, in dB below it, whatever factor is between them.
fn signal_to_rest(wanted: &[f32], heard: &[f32]) -> f64 {
    let dot: f64 = wanted.iter().zip(heard).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    let factor = dot / (power(wanted) * wanted.len() as f64);
    let rest: Vec<f32> = wanted.iter().zip(heard).map(|(&a, &b)| b - a * factor as f32).collect();
    decibels(factor * factor * power(wanted) / power(&rest))
}

fn only(switch: fn(&mut Stages)) -> Stages {
    let mut stages = Stages::NONE;
    switch(&mut stages);
    stages
}

#[test]
fn without_stages_sound_is_the_same_but_for_the_stated_delay() {
    let pcm = speech(1, 0.5);
    let heard = heard(Stages::NONE, &pcm);
    let error = pcm[240..].iter().zip(&heard[240..]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(error <= 1.0 / 65_536.0 + 1e-6, "{error}");
}

#[test]
fn without_a_limiter_sound_comes_sooner_and_is_cut_off_at_full_scale() {
    let config = CaptureConfig { activation: Activation::Open, has_limiter: false, ..with_stages(Stages::ALL) };
    let (mut without, with) = (Capture::new(config).unwrap(), open(Stages::ALL));
    assert_eq!(without.latency() + 120, with.latency());
    without.set_stages(only(|stages| stages.limiter = true));
    let loud: Vec<f32> = (0..9_600).map(|at| (at as f32 * 0.05).sin() * 2.0).collect();
    let heard = voice(&capture_all(&mut without, &loud));
    assert!(heard.contains(&i16::MAX) && heard.contains(&i16::MIN));
}

#[test]
fn no_stage_shifts_sound_beyond_the_stated_delay() {
    let pcm = [silence(200), speech(2, 0.2)[..144_000].to_vec()].concat();
    let alone = [only(|s| s.denoise = true), only(|s| s.gain = true), only(|s| s.limiter = true), Stages::ALL];
    for stages in alone {
        let heard = heard(stages, &pcm);
        let at = |shift: usize| signal_to_rest(&pcm[..pcm.len() - 2_000], &heard[shift..][..pcm.len() - 2_000]);
        let behind = |shift: usize| signal_to_rest(&pcm[shift..][..pcm.len() - 2_000], &heard[..pcm.len() - 2_000]);
        let here = at(0);
        assert!(here > 6.0, "{stages:?}: {here}");
        assert!(
            [2, 4, 8, 16, 48, 120, 240, 480].into_iter().all(|shift| at(shift) < here && behind(shift) < here),
            "{stages:?}"
        );
    }
}

#[cfg(feature = "denoise")]
#[test]
fn noise_suppression_improves_speech_in_noise() {
    for number in [1, 4, 5] {
        let clean = [silence(1_000), speech(number, 0.4), silence(2_000)].concat();
        let noisy: Vec<f32> =
            clean.iter().zip(crate::microphone::room_noise(clean.len(), 0.02)).map(|(a, b)| a + b).collect();
        let heard = heard(only(|stages| stages.denoise = true), &noisy);
        let (before, after) = (signal_to_rest(&clean, &noisy), signal_to_rest(&clean, &heard));
        assert!(after > before + 3.0, "clip {number}: {before} became {after}");
        let pause = clean.len() - 48_000..clean.len();
        let pause = decibels(power(&noisy[pause.clone()]) / power(&heard[pause]));
        assert!(pause > 15.0, "clip {number}: the noise in a pause fell by {pause}");
    }
}

#[cfg(feature = "denoise")]
#[test]
fn quiet_and_loud_speakers_come_out_alike() {
    let loudness: Vec<f64> = [(1, 0.03), (1, 0.9), (4, 0.05), (6, 0.5)]
        .into_iter()
        .map(|(number, height)| {
            let said = speech(number, height);
            let heard = heard(Stages::ALL, &[said.clone(), said.clone(), said.clone()].concat());
            decibels(power(&heard[2 * said.len()..]))
        })
        .collect();
    let (low, high) = loudness.iter().fold((0f64, -100f64), |(low, high), &db| (low.min(db), high.max(db)));
    assert!(high - low < 4.0, "{loudness:?}");
    assert!((-27.0..-19.0).contains(&low), "{loudness:?}");
}

#[test]
fn nothing_is_amplified_but_speech() {
    let mut capture = open(Stages::ALL);
    capture_all(&mut capture, &[silence(5_000), noise(20 * 48_000, 0.001)].concat());
    assert_eq!(capture.gain_db(), 0.0);
}

#[test]
fn the_limiter_keeps_peaks_whole_that_would_be_cut_off() {
    let pcm: Vec<f32> = (0..48_000).map(|n| (n as f32 * 0.02).sin() * 1.8).collect();
    let cut = heard(Stages::NONE, &pcm);
    let limited = heard(only(|stages| stages.limiter = true), &pcm);
    assert!(cut.iter().any(|sample| sample.abs() > 0.999));
    assert!(limited.iter().all(|sample| sample.abs() < 0.9));
    let (cut, limited) =
        (signal_to_rest(&pcm[9_600..], &cut[9_600..]), signal_to_rest(&pcm[9_600..], &limited[9_600..]));
    assert!(limited > 30.0 && cut < 20.0, "{limited} {cut}");
}

#[test]
fn a_stage_can_be_switched_without_a_click_or_a_shift() {
    // A steady vowel-like tone, which any jump would show in.
    let pcm: Vec<f32> = (0..6 * 48_000).map(|n| (n as f32 * 0.03).sin() * 0.3).collect();
    let stages = [only(|s| s.denoise = true), only(|s| s.gain = true), only(|s| s.limiter = true), Stages::ALL];
    for stage in stages {
        let mut capture = open(Stages::NONE);
        let mut pulled = Vec::new();
        for (n, second) in pcm.chunks(24_000).enumerate() {
            capture.set_stages(if n % 2 == 1 { stage } else { Stages::NONE });
            pulled.extend(capture_all(&mut capture, second));
        }
        let heard = to_float(&voice(&pulled));
        let step = heard[1_000..].windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(step < 0.3 * 0.03 * 1.3, "{stage:?}: {step}");
        let delay = capture.latency();
        let last = 10 * 24_000 + 12_000;
        let rest = signal_to_rest(&pcm[last..][..9_600], &heard[last + delay..][..9_600]);
        assert!(rest > 60.0, "{stage:?}: {rest}");
    }
}

#[test]
fn the_meters_show_the_input_and_the_voice() {
    let mut capture = open(Stages::ALL);
    let tone: Vec<f32> = (0..96_000).map(|n| (n as f32 * 0.03).sin() * 2.0).collect();
    capture_all(&mut capture, &tone);
    let (input, voice) = (capture.input_level(), capture.voice_level());
    assert!((input.peak_dbfs() - 6.0).abs() < 0.1 && (input.rms_dbfs() - 3.0).abs() < 0.1, "{input:?}");
    assert!(voice.peak_dbfs() < -0.9, "{voice:?}");
    capture_all(&mut capture, &silence(6_000));
    assert!(capture.input_level().rms_dbfs() < -90.0 && capture.voice_level().peak_dbfs() < -90.0);
}
