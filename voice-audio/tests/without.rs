//! The crate with as little as a browser needs: what is left out is refused, and the rest goes on without it.
//!
//! Runs whole with `--no-default-features --features opus-rs`.

use voice_audio::{
    OpusDecoder, Recovery, has_fec,
    listen::{Listener, ListenerConfig, Presence},
};
use voice_core::{ClientId, Frame, Pace, Sound};

/// Half a second of a clip's speech at 24 kbit/s with in-band FEC: packets of 20 ms, each after its length in two bytes, the low one first.
const SPEECH: &[u8] = include_bytes!("common/speech.packets");

fn packets() -> Vec<&'static [u8]> {
    let mut rest = SPEECH;
    let mut next = || {
        let (length, behind) = rest.split_first_chunk()?;
        let (packet, behind) = behind.split_at(u16::from_le_bytes(*length).into());
        rest = behind;
        Some(packet)
    };
    std::iter::from_fn(&mut next).collect()
}

fn loudest(pcm: &[i16]) -> u16 {
    pcm.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
}

#[test]
fn speech_plays_and_its_losses_are_recovered_and_concealed() {
    let (packets, mut out) = (packets(), [0; 960]);
    assert_eq!(packets.len(), 25);
    let mut decoder = OpusDecoder::new().unwrap();
    let mut recovered = 0;
    for (n, packet) in packets.iter().enumerate() {
        if n % 4 == 2 {
            recovered += usize::from(decoder.recover(packets[n + 1], 1, &mut out) == Ok(Recovery::Fec));
            assert_eq!(has_fec(packets[n + 1]), decoder.redundancy(packets[n + 1]) > 0);
        } else if n % 8 == 4 {
            decoder.conceal(&mut out).unwrap();
        } else {
            assert_eq!(decoder.decode(packet, &mut out), Ok(960));
        }
        assert!(n < 2 || loudest(&out) > 200, "{n}: {}", loudest(&out));
    }
    assert!(recovered > 3, "{recovered}");
    assert!(decoder.decode(&[0xFF; 200], &mut out).is_err());
}

#[test]
fn a_hole_of_any_number_of_steps_of_a_decoder_is_filled_to_its_end_and_speech_goes_on() {
    let packets = packets();
    let (before, after) = packets.split_at(12);
    for steps in 1..=24 {
        let (mut decoder, mut out) = (OpusDecoder::new().unwrap(), [0; 2_880]);
        let hear = |decoder: &mut OpusDecoder, packets: &[&[u8]]| {
            let mut out = [0; 960];
            packets.iter().for_each(|packet| assert_eq!(decoder.decode(packet, &mut out), Ok(960), "{steps} steps"));
            out
        };
        let speech = hear(&mut decoder, before);
        let hole = &mut out[..steps * 120];
        decoder.conceal(hole).unwrap();
        assert!(loudest(&hole[(steps - 1) * 120..]) > 0, "{steps} steps: the last one is empty");
        assert!(loudest(hole) < 2 * loudest(&speech), "{steps} steps: {} after {}", loudest(hole), loudest(&speech));
        let jump = i32::from(speech[959]).abs_diff(i32::from(hole[0]));
        assert!(jump < u32::from(loudest(&speech)) / 2, "{steps} steps: from {} to {}", speech[959], hole[0]);
        assert!(loudest(&hear(&mut decoder, after)) > 0);
    }
}

#[test]
fn a_listener_hears_it() {
    let packets = packets();
    let mut listener = Listener::new(ListenerConfig { voices: 2, ..ListenerConfig::default() }).unwrap();
    let mut heard = vec![0_i16; 2 * 25 * 960];
    let mut turn = 0;
    for block in heard.chunks_mut(256) {
        listener.attend(ClientId::new(1).unwrap(), Presence::default()).unwrap();
        listener.render(block, |pull| {
            let packet = packets[turn % packets.len()];
            let sound = if turn % 5 == 3 { Sound::Recover { packet, back: 1 } } else { Sound::Play(packet) };
            turn += 1;
            let pace = Pace::Steady;
            pull.give(Frame { sound, length_us: 20_000, pace, volume_percent: 100, positional: false, audible: true });
        });
    }
    assert!((25..=27).contains(&turn), "{turn}");
    assert!(loudest(&heard) > 2_000 && listener.stats().bad_packets == 0, "{:?}", listener.stats());
}

#[cfg(not(feature = "resample"))]
#[test]
fn only_48_khz_go_in_and_out() {
    use voice_audio::{Capture, CaptureConfig, CaptureError, InputFormat};
    let input = InputFormat { rate: 44_100, channels: 1 };
    let error = Capture::new(CaptureConfig { input, ..CaptureConfig::default() }).err();
    assert_eq!(error, Some(CaptureError::Rate(44_100)));
    let error = Listener::new(ListenerConfig { rate: 44_100, ..ListenerConfig::default() }).err();
    assert!(error.is_some_and(|error| error.to_string().contains("48000")));
}

#[cfg(not(feature = "denoise"))]
#[test]
fn loudness_alone_makes_a_talkspurt() {
    use voice_audio::{Capture, CaptureConfig, FrameKind};
    let mut capture = Capture::new(CaptureConfig::default()).unwrap();
    let mut kinds = Vec::new();
    let mut push = |capture: &mut Capture, height: f32, ms: usize| {
        let tone: Vec<f32> = (0..ms * 48).map(|n| (n as f32 * 0.05).sin() * height).collect();
        capture.push_f32(&tone);
        while let Some(frame) = capture.pull() {
            kinds.push(frame.kind);
        }
    };
    for _ in 0..5 {
        push(&mut capture, 0.000_1, 200);
    }
    for _ in 0..10 {
        push(&mut capture, 0.01, 200);
        assert!(capture.is_talking());
    }
    assert_eq!(capture.gain_db(), 0.0);
    for _ in 0..5 {
        push(&mut capture, 0.000_1, 200);
    }
    let (first, last) = (kinds.iter().position(|kind| kind.is_first()), kinds.iter().position(|kind| kind.is_last()));
    // A pre-roll of four frames before the sound, and a hang-over of 250 ms after it.
    assert!(first.is_some_and(|first| (45..=50).contains(&first)), "{first:?}");
    assert!(last.is_some_and(|last| (160..=165).contains(&last)), "{last:?}");
    assert_eq!(kinds.last(), Some(&FrameKind::Silence));
}
