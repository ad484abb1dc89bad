//! A listener allocates nothing once it is made.

#![cfg(feature = "encode")]

#[path = "../../voice-core/tests/armed/mod.rs"]
mod armed;

use armed::{armed, taken};
use voice_audio::{
    EncoderConfig, MAX_FRAME_BYTES, OpusEncoder,
    listen::{Channels, Ducking, Ears, Listener, ListenerConfig, Presence, Space},
};
use voice_core::{ClientId, Frame, Pace, Sound};

/// Only libopus 1.6 has DRED.
const DEEP: bool = cfg!(feature = "opus16");

fn packets() -> Vec<Vec<u8>> {
    // Half of them with in-band FEC, and half with DRED where libopus has it.
    let fec = EncoderConfig { expected_loss_percent: 20, ..EncoderConfig::default() };
    let mut encoder = OpusEncoder::new(fec).unwrap();
    let hum = |n: usize| if (n / 150).is_multiple_of(2) { 9_000 } else { -9_000 };
    let encoded = (0..50).map(|frame| {
        let pcm: Vec<i16> = (frame * 960..(frame + 1) * 960).map(hum).collect();
        let mut packet = [0; MAX_FRAME_BYTES];
        if frame == 25 {
            encoder.reconfigure(EncoderConfig { fec: false, dred_ms: 200, ..fec }).unwrap();
        }
        let len = encoder.encode(&pcm, &mut packet).unwrap();
        packet[..len].to_vec()
    });
    encoded.collect()
}

/// Every kind of sound and pace, in turn.
fn frame(packets: &[Vec<u8>], turn: usize) -> Frame<'_> {
    let packet = &packets[turn % packets.len()][..];
    let sound = match turn % 11 {
        3 => Sound::Conceal,
        5 => Sound::Recover { packet, back: 1 },
        6 => Sound::Recover { packet, back: (turn / 11 % 8) as u8 },
        7 => Sound::Play(&[0xFF; 200]),
        9 => Sound::Silence,
        _ => Sound::Play(packet),
    };
    let pace = match turn % 12 {
        1 => Pace::Stretch(15_000),
        6 => Pace::Shorten(15_000),
        _ => Pace::Steady,
    };
    let volume_percent = [100, 0, 400, 37][turn / 5 % 4];
    Frame {
        sound,
        length_us: 20_000,
        pace,
        volume_percent,
        positional: !turn.is_multiple_of(4),
        audible: turn % 17 < 12,
    }
}

#[test]
fn hearing_allocates_nothing_whatever_is_heard() {
    let packets = packets();
    for (rate, channels) in
        [(48_000, Channels::Mono), (48_000, Channels::Stereo), (44_100, Channels::Stereo), (8_000, Channels::Mono)]
    {
        let config = ListenerConfig { voices: 4, rate, channels, ..ListenerConfig::default() };
        let mut listener = Listener::new(config).unwrap();
        let (mut block, mut floats) = ([0_i16; 2_048], [0.0_f32; 960]);
        let (mut turn, mut tapped, mut redundancy) = (0, 0, 0);
        armed(|| {
            for tick in 0..150_u16 {
                change(&mut listener, tick);
                for number in 1..=6 {
                    // Two more than there are voices, and others after a while.
                    let speaker = ClientId::new(number + tick / 50 * 3).unwrap();
                    let position = Some([f32::from(tick) - 75.0, f32::from(number), 0.0]);
                    let _ = listener.attend(speaker, Presence { gain: 0.5, position });
                }
                let block = &mut block[..usize::from(tick) * 53 % 2_048];
                listener.render_tapped(
                    block,
                    |pull| {
                        turn += 1;
                        redundancy = redundancy.max(pull.redundancy());
                        pull.give(frame(&packets, turn));
                    },
                    |tap| tapped += tap.pcm.len(),
                );
                listener.render(&mut floats, |_| {});
            }
        });
        let stats = listener.stats();
        assert!(turn > 300 && tapped > 100_000, "{turn} pulls, {tapped} samples tapped");
        assert!(stats.recovered_by_fec > 0, "{stats:?}");
        assert_eq!((redundancy > 1, stats.recovered_by_dred > 0), (DEEP, DEEP), "{stats:?}");
        assert!(stats.given_way > 0 && stats.refused > 0 && stats.bad_packets > 0 && stats.ignored > 0, "{stats:?}");
    }
}

fn change(listener: &mut Listener, tick: u16) {
    listener.set_speaking((tick / 15).is_multiple_of(2));
    listener.set_ducking((tick / 30).is_multiple_of(2).then(Ducking::default));
    listener.set_ears(Ears { position: [0.0, f32::from(tick), f32::NAN], ..Ears::default() });
    listener.set_space(Space { rolloff: f32::from(tick % 3), ..Space::default() }).unwrap();
}

#[test]
fn a_voice_costs_what_is_said() {
    let taken = |voices| {
        let before = taken();
        let listener = Listener::new(ListenerConfig { voices, ..ListenerConfig::default() }).unwrap();
        drop(listener);
        taken() - before
    };
    // libopus takes its own memory, about 18 KiB for a decoder; opus-rs takes it here.
    let each = (taken(11) - taken(1)) / 10;
    let decoder = if cfg!(feature = "prefer-opus-rs") { 200_000 } else { 0 };
    assert!((16_000 + decoder..26_000 + decoder * 6 / 5).contains(&each), "{each} B for each voice");
}
