//! Texts that came in. The roster is told a moment later who has just joined, so a text of theirs may come before their name: it waits for it, and those
//! behind it wait, too.

use std::{collections::VecDeque, time::Duration};

use voice_core::{Client, ClientId, ClientMemory, Instant, Message, Target};

use crate::tidings::Tidings;

/// How long a text waits for a name: there may be more people than are known by name.
const PATIENCE: Duration = Duration::from_secs(1);
/// Texts that wait at most; then the oldest goes without a name.
const MOST: usize = 32;

#[derive(Debug)]
struct Text {
    came: Instant,
    from: ClientId,
    /// `None`: to this person alone.
    room: Option<u16>,
    text: String,
}

/// Those that the page hasn't been told.
#[derive(Debug, Default)]
pub(crate) struct Texts(VecDeque<Text>);

impl Texts {
    /// Takes what the core has.
    pub(crate) fn take<M: ClientMemory>(&mut self, now: Instant, client: &mut Client<M>) {
        while let Some(Message::Text { from, target, text }) = client.take_message() {
            let room = match target {
                Target::Room(room) => Some(room.get()),
                Target::Client(_) => None,
            };
            self.0.push_back(Text { came: now, from, room, text: text.to_owned() });
        }
    }

    /// Tells those whose names are known, or who have waited long enough.
    pub(crate) fn tell<M: ClientMemory>(&mut self, now: Instant, client: &Client<M>, tidings: &mut Tidings) {
        while let Some(first) = self.0.front() {
            let name = client.person(first.from).map(|person| person.name());
            if name.is_none() && now < first.came.after(PATIENCE) && self.0.len() <= MOST {
                return;
            }
            tidings.text(first.from, name.unwrap_or(""), first.room, &first.text);
            self.0.pop_front();
        }
    }
}
