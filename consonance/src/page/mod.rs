//! Pages that need nothing from elsewhere: one file with its style and drawings inside.

mod svg;

pub(crate) use svg::{Svg, TimeAxis, escape};

const STYLE: &str = include_str!("style.css");

/// A whole page of sections.
pub(crate) fn document(title: &str, sections: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{sections}</main>\n</body>\n</html>\n",
        escape(title)
    )
}

/// A card with a headline.
pub(crate) fn section(title: &str, body: &str) -> String {
    format!("<section>\n<h2>{title}</h2>\n{body}</section>\n")
}

/// What the colours of a drawing mean: classes of the style without their `k-`, and words.
pub(crate) fn keys(keys: &[(&str, &str)]) -> String {
    let keys: String =
        keys.iter().map(|(class, words)| format!("<span><i class=\"k-{class}\"></i>{words}</span>\n")).collect();
    format!("<div class=\"keys\">\n{keys}</div>\n")
}

/// The end of an axis: the next round number, at least 20. Its first digit is even or it is a power of ten.
pub(crate) fn round_up(value: u64) -> u64 {
    let mut unit = 10;
    loop {
        for factor in [2, 4, 6, 8, 10] {
            if value <= unit * factor {
                return unit * factor;
            }
        }
        unit *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!(round_up(0), 20);
        assert_eq!(round_up(21), 40);
        assert_eq!(round_up(151_000), 200_000);
        assert_eq!(round_up(450_000), 600_000);
    }
}
