use crate::check::Violations;

/// No packet over the limit, no queue over its bound, no answer larger than its cause before joining.
#[derive(Debug, Default)]
pub struct LimitChecker;

impl LimitChecker {
    /// The most bytes a packet may have.
    pub const PACKET: usize = 1_200;

    /// Judges a packet that somebody sent.
    pub fn sent(&self, now: u64, by: &str, bytes: &[u8], violations: &mut Violations) {
        if bytes.is_empty() || bytes.len() > Self::PACKET {
            violations.push("limits", now, format!("{by} sent a packet of {} bytes", bytes.len()));
        }
    }

    /// Judges how full something is.
    pub fn level(&self, now: u64, what: &str, level: u64, most: u64, violations: &mut Violations) {
        if level > most {
            violations.push("limits", now, format!("{what} stands at {level}, over its bound of {most}"));
        }
    }

    /// Judges the answers to one packet from somebody who has not joined.
    pub fn answered(&self, now: u64, cause: usize, answer: usize, violations: &mut Violations) {
        if answer > cause {
            violations.push("limits", now, format!("a packet of {cause} bytes was answered with {answer} bytes"));
        }
    }
}
