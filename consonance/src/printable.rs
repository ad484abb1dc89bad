//! Text from others on a terminal.

use std::fmt::{self, Write};

/// Shows text so that it stays within its line and steers nothing: what would begin another line, move the cursor, change the direction of the
/// writing or not be seen at all is shown by its number, as in `\u{1b}`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .try_for_each(|c| if is_harmless(c) { f.write_char(c) } else { write!(f, "{}", c.escape_unicode()) })
    }
}

/// Whether a character stays where it is put. Not so: controls, line and paragraph separators, marks and overrides of direction (UAX #9), what has no
/// width, and tags.
pub(crate) fn is_harmless(c: char) -> bool {
    let odd = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !odd
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_languages_are_shown_as_they_are_and_what_steers_a_terminal_is_not() {
        for name in ["Scout", "Zoë d'Arc \\o/", "日本", "हिन्दी", "عمر", "e\u{301}", "👩\u{200d}🚀"]
        {
            assert_eq!(Printable(name).to_string(), name);
        }
        assert_eq!(
            Printable("a\nb\u{1b}[2J\u{9b}m\u{202e}c\u{2028}").to_string(),
            "a\\u{a}b\\u{1b}[2J\\u{9b}m\\u{202e}c\\u{2028}"
        );
    }
}
