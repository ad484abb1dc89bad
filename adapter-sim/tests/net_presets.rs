//! The named access links are what they say.

use adapter_sim::net::{LinkProfile, NatKind, NetEvent, Network, PacketBytes, Preset};

const PACKETS: u32 = 50_000;
const FRAME_US: u64 = 20_000;

/// Sends voice-sized packets over a link, 50 in a second: the share that arrived, and their mean delay, µs.
fn send_over(preset: &Preset, up: bool, seed: u64) -> (f64, f64) {
    let mut net = Network::new(seed);
    let perfect = Preset { name: "", about: "", up: LinkProfile::PERFECT, down: LinkProfile::PERFECT };
    let person = net.add(preset, NatKind::Open);
    let other = net.add(&perfect, NatKind::Open);
    let (from, to) = if up { (person, other) } else { (other, person) };
    let (mut seen, mut delays) = (vec![false; PACKETS as usize], 0);
    for number in 0..PACKETS + 100 {
        if number < PACKETS {
            net.send_direct(from, to, PacketBytes::from(number.to_be_bytes().repeat(20)));
        }
        while let Some(event) = net.poll(u64::from(number + 1) * FRAME_US) {
            let NetEvent::Direct { bytes, .. } = event else { continue };
            let sent = u32::from_be_bytes(bytes[..4].try_into().unwrap());
            if !std::mem::replace(&mut seen[sent as usize], true) {
                delays += net.now() - u64::from(sent) * FRAME_US;
            }
        }
    }
    let arrived = seen.iter().filter(|seen| **seen).count() as f64;
    (arrived / f64::from(PACKETS), delays as f64 / arrived)
}

#[test]
fn presets_lose_and_delay_as_their_numbers_say() {
    for preset in &Preset::ALL {
        for (up, link) in [(true, preset.up), (false, preset.down)] {
            let (arrived, delay) = send_over(preset, up, 7);
            // A damaged packet is dropped by its checksum.
            let lost = f64::from(link.mean_loss_ppm() + link.corrupt_ppm) / 1e6;
            assert!(
                (1.0 - arrived - lost).abs() < 0.003 + lost / 10.0,
                "{}: {arrived} arrived, {lost} to lose",
                preset.name
            );
            // The mean jitter is a third of its most; keeping order and reordering add to it.
            let least = link.delay_us as f64 + link.jitter_us as f64 / 3.0;
            assert!(
                delay > 0.99 * least && delay < 1.1 * least + 2_000.0,
                "{}: {delay} µs, {least} at least",
                preset.name
            );
        }
    }
}

#[test]
fn presets_are_found_by_name_and_tell_their_numbers() {
    for preset in &Preset::ALL {
        assert_eq!(Preset::from_name(preset.name), Some(preset));
        assert!(!preset.about.contains('\n') && !preset.about.contains("  "), "{}", preset.about);
    }
    assert_eq!(Preset::from_name("LAN"), None);
    assert_eq!(
        Preset::LTE.describe(),
        "lte: up 25 ms + up to 18 ms, 0.987 % loss partly in bursts, 13600 kbit/s; \
         down 18 ms + up to 12 ms, 0.888 % loss partly in bursts, 14700 kbit/s"
    );
}

#[test]
fn presets_have_the_round_trips_of_their_sources() {
    let round_trip = |preset: &Preset| {
        let way = |link: LinkProfile| link.delay_us + link.jitter_us / 3;
        (way(preset.up) + way(preset.down)) / 1_000
    };
    assert_eq!(round_trip(&Preset::LAN), 0);
    assert_eq!(round_trip(&Preset::HOME_WIFI), 20);
    assert_eq!(round_trip(&Preset::LTE), 53);
    assert!((560..=600).contains(&round_trip(&Preset::SATELLITE)));
}
