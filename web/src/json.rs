//! What the page is told, in JSON (RFC 8259).

use std::fmt::{Display, Write};

/// Writes JSON into a text that is used again and again, so that telling something allocates only when it is longer than ever before.
#[derive(Debug, Default)]
pub(crate) struct Json(String);

impl Json {
    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// An object, of what `fields` writes.
    pub(crate) fn object(&mut self, fields: impl FnOnce(&mut Self)) {
        self.between('{', '}', fields);
    }

    /// An array, of what `elements` writes.
    pub(crate) fn array(&mut self, elements: impl FnOnce(&mut Self)) {
        self.between('[', ']', elements);
    }

    /// The name of a field; its value follows. Names need no escapes.
    pub(crate) fn key(&mut self, name: &str) -> &mut Self {
        self.comma();
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
        self
    }

    pub(crate) fn string(&mut self, text: &str) {
        self.comma();
        self.0.push('"');
        for c in text.chars() {
            match c {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                c if c < ' ' => _ = write!(self.0, "\\u{:04x}", u32::from(c)),
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }

    pub(crate) fn number(&mut self, number: impl Display) {
        self.comma();
        _ = write!(self.0, "{number}");
    }

    /// A number of thousands, with up to three decimals: milliseconds of microseconds.
    pub(crate) fn thousandths(&mut self, number: u32) {
        self.number(number / 1_000);
        if !number.is_multiple_of(1_000) {
            _ = write!(self.0, ".{:03}", number % 1_000);
        }
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.comma();
        self.0.push_str(if value { "true" } else { "false" });
    }

    fn null(&mut self) {
        self.comma();
        self.0.push_str("null");
    }

    /// What `write` makes of a value, or null.
    pub(crate) fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }

    fn between(&mut self, open: char, close: char, inside: impl FnOnce(&mut Self)) {
        self.comma();
        self.0.push(open);
        inside(self);
        self.0.push(close);
    }

    /// A comma, unless what comes is the first of its kind. The last character tells: texts end in a quote.
    fn comma(&mut self) {
        if !matches!(self.0.chars().next_back(), None | Some('{' | '[' | ':')) {
            self.0.push(',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_json() {
        let mut json = Json::default();
        json.object(|json| {
            json.key("a").array(|json| [1, -2].iter().for_each(|n| json.number(n)));
            json.key("b").string("q\"\\\n{é");
            json.key("c").array(|_| {});
            json.key("d").object(|json| json.key("e").bool(true));
            json.key("f").optional(None, Json::bool);
            json.key("g").thousandths(12_045);
            json.key("h").thousandths(3_000);
        });
        let wanted = r#"{"a":[1,-2],"b":"q\"\\\u000a{é","c":[],"d":{"e":true},"f":null,"g":12.045,"h":3}"#;
        assert_eq!(json.as_str(), wanted);
    }
}
