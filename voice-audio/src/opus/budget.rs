use super::EncoderConfig;

/// How much of a processor core one encoder or decoder may take.
///
/// What is known of the costs behind it is in docs/CODEC.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CpuBudget {
    /// Phones, and machines that the game keeps busy.
    Low,
    /// A middle way.
    Medium,
    /// The best sound.
    High,
}

impl CpuBudget {
    /// All budgets, least first.
    pub const ALL: [CpuBudget; 3] = [CpuBudget::Low, CpuBudget::Medium, CpuBudget::High];

    /// Returns the complexity that an encoder can afford: for [`EncoderConfig::complexity`].
    pub const fn encoder_complexity(self) -> u8 {
        match self {
            CpuBudget::Low => 2,
            CpuBudget::Medium => 5,
            CpuBudget::High => 10,
        }
    }

    /// Returns the complexity that a decoder can afford: for [`OpusDecoder::set_complexity`](super::OpusDecoder::set_complexity).
    pub const fn decoder_complexity(self) -> u8 {
        match self {
            CpuBudget::Low => 0,
            CpuBudget::Medium | CpuBudget::High => 5,
        }
    }
}

impl EncoderConfig {
    /// Returns the same settings with the complexity that `budget` allows.
    #[must_use]
    pub const fn within(self, budget: CpuBudget) -> Self {
        Self { complexity: budget.encoder_complexity(), ..self }
    }
}
