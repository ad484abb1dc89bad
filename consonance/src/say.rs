//! Lines for people. Who reads them may go away, as behind `| head`, a pager or a connection that ends: then nothing more is said, and the work goes on. The
//! standard library's macros would end it with a panic.

use std::{fmt::Arguments, io::Write};

/// Writes a line to standard output.
macro_rules! say {
    ($($words:tt)*) => { $crate::say::line(&mut std::io::stdout(), format_args!($($words)*)) };
}

/// Writes a line to standard error.
macro_rules! complain {
    ($($words:tt)*) => { $crate::say::line(&mut std::io::stderr(), format_args!($($words)*)) };
}

/// Writes to standard output what has its own ends of lines.
pub(crate) fn text(words: Arguments<'_>) {
    let mut out = std::io::stdout();
    let _ = out.write_all(words.to_string().as_bytes()).and_then(|()| out.flush());
}

pub(crate) fn line(to: &mut impl Write, words: Arguments<'_>) {
    // In one piece, so that lines of several threads don't mix.
    let _ = to.write_all(format!("{words}\n").as_bytes()).and_then(|()| to.flush());
}
