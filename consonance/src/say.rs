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
    put(&mut std::io::stdout(), &words.to_string());
}

pub(crate) fn line(to: &mut impl Write, words: Arguments<'_>) {
    put(to, &format!("{words}\n"));
}

/// In one piece, so that lines of several threads don't mix.
fn put(to: &mut impl Write, text: &str) {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
