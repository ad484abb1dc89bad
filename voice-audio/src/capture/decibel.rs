/// The factor on amplitudes that `db` decibels are.
pub(super) fn amplitude(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

/// The factor on powers that `db` decibels are.
pub(super) fn power(db: f32) -> f32 {
    10f32.powf(db / 10.0)
}

/// The mean square of `hop`; 0 if it is empty.
pub(super) fn mean_square(hop: &[f32]) -> f32 {
    hop.iter().map(|sample| sample * sample).sum::<f32>() / hop.len().max(1) as f32
}
