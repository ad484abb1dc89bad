use std::fmt;

use crate::printable::is_harmless;

/// What a person did that can't work: what is wrong, where, and how to mend it, in one line.
#[derive(Debug)]
pub(crate) struct Fail(String);

impl Fail {
    pub(crate) fn new(what: impl fmt::Display, cure: impl fmt::Display) -> Self {
        Self(format!("{what}; {cure}"))
    }
}

impl fmt::Display for Fail {
    /// Line breaks and what else steers a terminal, which file names and servers may hold, becomes a space: it stays one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.replace(|c| !is_harmless(c), " "))
    }
}
