//! The numbers of a network preset in words.

use adapter_sim::net::{LinkProfile, Preset};

use super::record::Network;

/// What the report says of a preset.
pub(crate) fn network(preset: &Preset) -> Network {
    let row =
        |what: &str, number: fn(&LinkProfile) -> String| [what.to_owned(), number(&preset.up), number(&preset.down)];
    Network {
        name: preset.name,
        about: preset.about.to_owned(),
        numbers: vec![
            row("delay of every packet", |link| ms(link.delay_us)),
            row("more at random, up to", |link| ms(link.jitter_us)),
            row("loss on average", |link| percent(link.mean_loss_ppm())),
            row("chance that a burst of loss begins", |link| percent(link.burst_begin_ppm)),
            row("loss within a burst", |link| percent(link.burst_loss_ppm)),
            row("mean length of a burst", burst),
            row("duplicated", |link| percent(link.duplicate_ppm)),
            row("overtaken", |link| percent(link.reorder_ppm)),
            row("damaged", |link| percent(link.corrupt_ppm)),
            row("bandwidth", bandwidth),
            row("queue before it", |link| format!("{} kB", link.queue_bytes / 1_000)),
        ],
        faults: Vec::new(),
    }
}

fn ms(us: u64) -> String {
    if us.is_multiple_of(1_000) { format!("{} ms", us / 1_000) } else { format!("{}.{} ms", us / 1_000, us / 100 % 10) }
}

fn percent(ppm: u32) -> String {
    if ppm == 0 { "none".into() } else { format!("{}.{:03} %", ppm / 10_000, ppm / 10 % 1_000) }
}

fn burst(link: &LinkProfile) -> String {
    match (link.burst_begin_ppm, 1_000_000u32.checked_div(link.burst_end_ppm)) {
        (1.., Some(packets)) => format!("{packets} packets"),
        _ => "none".into(),
    }
}

fn bandwidth(link: &LinkProfile) -> String {
    match link.bits_per_second {
        0 => "without limit".into(),
        bits => format!("{} Mbit/s", bits / 1_000_000),
    }
}
