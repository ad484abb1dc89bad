use std::time::Duration;

use voice_audio::{
    Activation, CAPTURE_RATES, Capture, CaptureConfig, CaptureError, Detection, GainControl, InputFormat, Stages,
    resample,
};

use crate::common::{clip, correlation};
use crate::microphone::{TONE_STEP, capture_all, noise, pull_all, speech, tone, voice, with_stages};

fn open(input: InputFormat) -> CaptureConfig {
    CaptureConfig { input, activation: Activation::Open, ..with_stages(Stages::NONE) }
}

#[test]
fn every_rate_and_any_number_of_channels_gives_the_same_speech() {
    let spoken = clip(3);
    for (rate, channels) in [(8_000, 1), (16_000, 2), (22_050, 1), (44_100, 2), (48_000, 6), (96_000, 1), (192_000, 2)]
    {
        let device = at_rate(&spoken, rate);
        let interleaved: Vec<i16> =
            device.iter().flat_map(|&sample| std::iter::repeat_n(sample, usize::from(channels))).collect();
        let mut capture = Capture::new(open(InputFormat { rate, channels })).unwrap();
        let delay = capture.latency();
        let mut pulled = Vec::new();
        for block in interleaved.chunks(777) {
            capture.push_i16(block);
            pull_all(&mut capture, &mut pulled);
        }
        let heard = voice(&pulled);
        // Of 8 kHz the upper half of the band is missing.
        let wanted = if rate == 8_000 { 0.9 } else { 0.99 };
        let likeness = correlation(&spoken[4_800..96_000], &heard[4_800 + delay..96_000 + delay]);
        assert!(likeness > wanted, "{rate} Hz, {channels} channels: {likeness}");
        assert_eq!(capture.dropped(), 0);
    }
}

/// The clip at another rate: as if recorded at 48 kHz x 48 / rate, and so on, since only the way to 48 kHz is public.
fn at_rate(pcm: &[i16], rate: u32) -> Vec<i16> {
    let samples = pcm.len() as u64 * u64::from(rate) / 48_000;
    let smooth = if rate < 48_000 { lowpass(pcm, rate) } else { pcm.to_vec() };
    (0..samples).map(|n| at(&smooth, n as f64 * 48_000.0 / f64::from(rate))).collect()
}

/// Halves the band by going through the resampler at a rate that it takes for a higher one.
fn lowpass(pcm: &[i16], rate: u32) -> Vec<i16> {
    let low: Vec<i16> = resample(pcm, 96_000).unwrap();
    let band = if rate < 16_000 { &low } else { pcm };
    if rate < 16_000 { resample(band, 24_000).unwrap() } else { band.to_vec() }
}

/// Between two samples, by a cubic through four.
fn at(pcm: &[i16], place: f64) -> i16 {
    let (whole, part) = (place as usize, place.fract());
    let sample = |n: usize| f64::from(*pcm.get(n).unwrap_or(&0));
    let (a, b, c, d) = (sample(whole.saturating_sub(1)), sample(whole), sample(whole + 1), sample(whole + 2));
    let (p, q, r) = ((d - a + 3.0 * (b - c)) / 2.0, a - 2.5 * b + 2.0 * c - d / 2.0, (c - a) / 2.0);
    (((p * part + q) * part + r) * part + b).round() as i16
}

#[test]
fn the_size_of_blocks_changes_nothing() {
    let pcm = &speech(4, 0.4)[..96_000];
    let heard = |block: usize| {
        let mut capture = Capture::new(CaptureConfig::default()).unwrap();
        let mut pulled = Vec::new();
        for block in pcm.chunks(block) {
            capture.push_f32(&[]);
            capture.push_f32(block);
            pull_all(&mut capture, &mut pulled);
        }
        voice(&pulled)
    };
    let whole = heard(4_800);
    for block in [1, 63, 480, 1_024] {
        assert_eq!(heard(block), whole, "{block}");
    }
}

#[test]
fn odd_rates_channels_and_times_are_refused_with_what_is_allowed() {
    let refused = |config: CaptureConfig| Capture::new(config).unwrap_err();
    for rate in [0, 7_999, 192_001, u32::MAX] {
        let error = refused(open(InputFormat { rate, channels: 1 }));
        assert_eq!(error, CaptureError::Rate(rate));
        assert!(error.to_string().contains("8000 to 192000 Hz"), "{error}");
    }
    for channels in [0, 33, u16::MAX] {
        let error = refused(open(InputFormat { rate: 48_000, channels }));
        assert!(error.to_string().contains("1 to 32"), "{error}");
    }
    let long = Duration::from_millis(2_001);
    let error = refused(CaptureConfig { pre_roll: long, ..CaptureConfig::default() });
    assert!(error.to_string().contains("at most 2000 ms"), "{error}");
    assert_eq!(refused(CaptureConfig { backlog: long, ..CaptureConfig::default() }), CaptureError::Backlog(long));
    if cfg!(not(feature = "echo")) {
        let error = refused(CaptureConfig { render: Some(InputFormat::default()), ..CaptureConfig::default() });
        assert_eq!(error, CaptureError::NoEcho);
    }
    for rate in [*CAPTURE_RATES.start(), 11_025, 44_099, 96_001, *CAPTURE_RATES.end()] {
        assert!(Capture::new(open(InputFormat { rate, channels: 32 })).is_ok(), "{rate}");
    }
}

#[test]
fn samples_that_are_no_numbers_and_full_scale_noise_leave_speech_unharmed() {
    let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, -1.0, 1.0, f32::MIN_POSITIVE];
    let mut capture = Capture::new(CaptureConfig::default()).unwrap();
    let mut pulled = capture_all(&mut capture, &bad.repeat(12_000));
    pulled.extend(capture_all(&mut capture, &speech(1, 0.3).repeat(2)));
    let heard = voice(&pulled);
    assert!(heard.iter().all(|sample| sample.unsigned_abs() < 32_000));
    let mut untouched = Capture::new(CaptureConfig::default()).unwrap();
    let wanted = voice(&capture_all(&mut untouched, &speech(1, 0.3).repeat(2)));
    let likeness = correlation(&wanted[wanted.len() - 96_000..], &heard[heard.len() - 96_000..]);
    assert!(likeness > 0.9, "{likeness}");
    assert!(capture.gain_db().is_finite() && capture.input_level().rms.is_finite());
}

#[test]
fn settings_that_are_no_numbers_do_no_harm() {
    let mut capture = Capture::new(CaptureConfig::default()).unwrap();
    let odd = Detection { probability: f32::NAN, quietest_dbfs: f32::INFINITY, hangover: Duration::MAX };
    capture.set_detection(odd);
    capture.set_gain(GainControl { target_dbfs: f32::NAN, most_db: f32::MAX, noise_dbfs: f32::NEG_INFINITY });
    capture_all(&mut capture, &speech(1, 0.3));
    assert!(capture.gain_db().is_finite());
}

#[test]
fn a_caller_that_pushes_nothing_goes_on_where_it_was() {
    let config = open(InputFormat::default());
    let mut capture = Capture::new(config).unwrap();
    let pcm = speech(2, 0.3);
    let mut pulled = capture_all(&mut capture, &pcm[..48_000]);
    assert!((0..6_000).all(|_| capture.pull().is_none()));
    pulled.extend(capture_all(&mut capture, &pcm[48_000..]));
    let delay = capture.latency();
    let wanted: Vec<i16> = pcm.iter().map(|sample| (sample * 32_768.0).round() as i16).collect();
    assert_eq!(voice(&pulled)[4_800 + delay..96_000 + delay], wanted[4_800..96_000]);
}

#[test]
fn a_minute_pushed_at_once_keeps_the_latest_counts_the_rest_and_resets_nothing() {
    let mut capture = Capture::new(open(InputFormat::default())).unwrap();
    let tone = tone(60_000, 0.3);
    let mut pulled = capture_all(&mut capture, &tone[..48_000]);
    capture.push_f32(&tone);
    let before = pulled.len();
    pull_all(&mut capture, &mut pulled);
    assert_eq!(pulled.len() - before, 13, "250 ms, and the hop that was begun");
    assert_eq!(capture.dropped(), tone.len() as u64 - 260 * 48);
    pulled.extend(capture_all(&mut capture, &tone[..48_000]));
    let heard = voice(&pulled);
    let step = heard[1_000..].windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap();
    assert!(f32::from(step) < 0.3 * 32_768.0 * TONE_STEP * 1.5, "a click of {step}");
    // One talkspurt all the way.
    assert_eq!(pulled.iter().filter(|frame| frame.kind.is_first()).count(), 1);
}

#[test]
fn a_second_of_speech_at_once_is_one_talkspurt_still() {
    let mut capture =
        Capture::new(CaptureConfig { backlog: Duration::from_secs(1), ..CaptureConfig::default() }).unwrap();
    let pcm = speech(1, 0.3);
    let mut pulled = capture_all(&mut capture, &pcm[..60_000]);
    assert!(capture.is_talking());
    capture.push_f32(&pcm[60_000..108_000]);
    pull_all(&mut capture, &mut pulled);
    assert_eq!(capture.dropped(), 0);
    assert!(pulled.iter().map(|frame| frame.samples.len()).sum::<usize>() + 960 > 108_000 - 4 * 960);
}

/// After how many 1 ms blocks each frame came out.
fn frame_ends(capture: &mut Capture, blocks: usize, leave_out: impl Fn(usize, &mut Capture)) -> Vec<usize> {
    let mut ends = Vec::new();
    for block in 0..blocks {
        leave_out(block, capture);
        capture.push_f32(&noise(48, 0.001));
        let mut pulled = Vec::new();
        pull_all(capture, &mut pulled);
        ends.extend(pulled.iter().map(|_| block));
    }
    ends
}

#[test]
fn what_is_left_out_in_a_pause_makes_all_later_frames_end_later() {
    let ends = |shift| {
        let mut capture = Capture::new(CaptureConfig::default()).unwrap();
        frame_ends(&mut capture, 400, |block, capture| {
            if block == 100 {
                capture.leave_out(Duration::from_millis(shift));
            }
        })
    };
    let (usual, later) = (ends(0), ends(7));
    for (usual, later) in usual.iter().zip(&later) {
        assert_eq!(*later, if *usual <= 100 { *usual } else { usual + 7 });
    }
    assert!(later.len() > 8, "{later:?}");
}

#[test]
fn what_is_begun_of_the_next_frame_is_told_and_left_out_it_ends_with_the_piece() {
    let mut capture = Capture::new(CaptureConfig::default()).unwrap();
    let push = |capture: &mut Capture, samples: usize| {
        capture.push_f32(&noise(samples, 0.001));
        pull_all(capture, &mut Vec::new());
        capture.begun()
    };
    assert_eq!([push(&mut capture, 100), push(&mut capture, 480), push(&mut capture, 480)], [100, 580, 100]);
    capture.leave_out(Duration::from_micros(2_084));
    assert_eq!([push(&mut capture, 480), push(&mut capture, 480), push(&mut capture, 480)], [480, 0, 480]);
}

#[test]
fn nothing_is_left_out_while_somebody_speaks() {
    let frames = |shift| {
        let config = CaptureConfig { activation: Activation::Open, ..CaptureConfig::default() };
        let mut capture = Capture::new(config).unwrap();
        frame_ends(&mut capture, 300, |block, capture| {
            if block >= 100 {
                capture.leave_out(Duration::from_millis(shift));
            }
        })
    };
    assert_eq!(frames(5), frames(0));
    assert!(frames(0).len() > 8);
}
