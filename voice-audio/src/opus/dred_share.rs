//! Whether DRED is worth turning on. libopus 1.6 gives it a share of the bitrate, and where that is too small for anything useful it
//! still sends one piece of 40 ms, which reaches back not even a frame, and overshoots the bitrate by a third.

use super::EncoderConfig;

impl EncoderConfig {
    /// Whether packets carry DRED with these settings and the linked library.
    pub(super) fn has_dred(&self) -> bool {
        cfg!(feature = "opus16") && dred_steps(self) > 0
    }
}

/// What it costs at least to be of use, in bits per packet: two pieces, the state that they go on from, and the extension's header. The
/// more bitrate there is beyond the speech's, the finer libopus makes them.
const LEAST_BITS: [(u32, u32); 5] = [(4_096, 110), (8_192, 118), (16_384, 148), (32_768, 203), (u32::MAX, 241)];

/// How far back DRED is to reach, in steps of 10 ms: as configured, or 0 where it can't be afforded.
pub(super) fn dred_steps(config: &EncoderConfig) -> u16 {
    let spare = spare_bitrate(config);
    let least = LEAST_BITS.iter().find(|(below, _)| spare < *below).map_or(u32::MAX, |(_, bits)| *bits);
    let bits = spare / 10 * share_permille(config) / 100_000 * config.frame_length.millis();
    if bits < least { 0 } else { config.dred_ms / 10 }
}

/// What is left of the bitrate once speech, and in-band FEC, have theirs.
fn spare_bitrate(config: &EncoderConfig) -> u32 {
    config.bitrate.saturating_sub(if config.fec { 20_000 } else { 12_000 })
}

/// The share of that which DRED gets. Longer frames need it less often.
fn share_permille(config: &EncoderConfig) -> u32 {
    let loss = u32::from(config.expected_loss_percent);
    let share = match (config.fec, loss) {
        (true, _) => (30 * loss).min(700),
        (false, 0..=5) => 120 * loss,
        (false, _) => (550 + 10 * loss).min(800),
    };
    let rest = (1_000 - share) * config.frame_length.millis() / 20;
    (1_000 * share).checked_div(share + rest).unwrap_or(0)
}
