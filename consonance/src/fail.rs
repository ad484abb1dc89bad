use std::fmt;

/// What a person did that can't work: what is wrong, where, and how to mend it, in one line.
#[derive(Debug)]
pub(crate) struct Fail(String);

impl Fail {
    pub(crate) fn new(what: impl fmt::Display, cure: impl fmt::Display) -> Self {
        Self(format!("{what}; {cure}"))
    }
}

impl fmt::Display for Fail {
    /// Line breaks and control characters, which file names may hold, become spaces: it stays one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.replace(char::is_control, " "))
    }
}
