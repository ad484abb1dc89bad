//! Independent judges of a run. They see what people wanted ([`Truth`](crate::truth::Truth)), the bytes on the wire, and what came out at
//! the ear; they share no code with the core. Each judges one rule and says when it was broken.

mod audience;
mod limits;
mod order;
mod recovery;
mod roster;

pub use audience::AudienceChecker;
pub use limits::{LaneChecker, LimitChecker};
pub use order::OrderChecker;
pub use recovery::{ExpectedListener, RecoveryChecker};
pub use roster::{PersonSeen, RosterChecker};

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The checker that says so.
    pub checker: &'static str,
    /// True time, µs.
    pub at: u64,
    /// Who did what.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {:.3} s: {}", self.checker, self.at as f64 / 1e6, self.what)
    }
}

/// What broke, at most [`Violations::MOST`] of them; the rest are counted.
#[derive(Debug, Clone, Default)]
pub struct Violations {
    list: Vec<Violation>,
    more: u64,
}

impl Violations {
    /// How many are kept in words.
    pub const MOST: usize = 50;

    /// Notes one.
    pub fn push(&mut self, checker: &'static str, at: u64, what: String) {
        if self.list.len() < Self::MOST {
            self.list.push(Violation { checker, at, what });
        } else {
            self.more += 1;
        }
    }

    /// Those kept.
    pub fn list(&self) -> &[Violation] {
        &self.list
    }

    /// All, kept or not.
    pub fn count(&self) -> u64 {
        self.list.len() as u64 + self.more
    }
}
