//! What the page is told besides state: texts, notices, what became of texts. In order, each an object of JSON with a `kind`.

use std::collections::VecDeque;

use voice_core::ClientId;

use crate::json::Json;

/// What waits at most; then the oldest is dropped. A page that takes nothing is asleep or gone.
const MOST: usize = 64;

/// Tidings that wait, and the one that was taken last.
#[derive(Debug, Default)]
pub(crate) struct Tidings {
    waiting: VecDeque<String>,
    taken: String,
}

impl Tidings {
    /// The oldest, and no longer waiting.
    pub(crate) fn take(&mut self) -> Option<&str> {
        self.taken = self.waiting.pop_front()?;
        Some(&self.taken)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Something that people should know, in words.
    pub(crate) fn notice(&mut self, text: &str) {
        self.tell("notice", |json| json.key("text").string(text));
    }

    /// A text that came in; `room` is the server's number, `None` to this person alone.
    pub(crate) fn text(&mut self, from: ClientId, name: &str, room: Option<u16>, text: &str) {
        self.tell("text", |json| {
            json.key("from").number(from);
            json.key("name").string(name);
            json.key("room").optional(room, Json::number);
            json.key("text").string(text);
        });
    }

    /// A text of this number wasn't sent on.
    pub(crate) fn text_refused(&mut self, number: u16, why: &str) {
        self.tell("refused", |json| {
            json.key("number").number(number);
            json.key("why").string(why);
        });
    }

    fn tell(&mut self, kind: &str, fields: impl FnOnce(&mut Json)) {
        if self.waiting.len() >= MOST {
            self.waiting.pop_front();
        }
        let mut json = Json::default();
        json.object(|json| {
            json.key("kind").string(kind);
            fields(json);
        });
        self.waiting.push_back(json.as_str().to_owned());
    }
}
