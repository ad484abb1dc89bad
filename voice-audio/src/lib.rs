//! PCM to frames and back: Opus, mixing, resampling. Sans-IO.
