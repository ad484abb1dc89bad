//! Texts and rendezvous, out and in.

use super::{Message, TextError, engine::Engine, events::ClientEvent};
use crate::{
    storage::packet_ring::{Full, RingState},
    types::{ClientId, DropReason, Target},
    wire::{
        Lane, Packet,
        limits::{MAX_RENDEZVOUS_BYTES, MAX_TEXT_BYTES, TEXT_PART_BYTES},
    },
};

const TEXT: u16 = 0;
const RENDEZVOUS: u16 = 1;

/// What stands before the bytes of a text in the outbox: number, kind of target, target. In the inbox: sender, the same.
const HEAD: usize = 5;

impl Engine<'_> {
    pub(super) fn send_text(&mut self, target: Target, text: &str) -> Result<u16, TextError> {
        if !self.s.is_joined() {
            return Err(TextError::NotConnected);
        }
        if text.is_empty() || text.len() > MAX_TEXT_BYTES {
            return Err(TextError::BadLength);
        }
        let number = self.s.text_number.wrapping_add(1);
        let head = head(number, target);
        let mut outbox = self.s.outbox.over(self.t.outbox);
        outbox.push(TEXT, &[&head, text.as_bytes()]).map_err(|_| TextError::QueueFull)?;
        self.s.text_number = number;
        self.s.pending = true;
        Ok(number)
    }

    pub(super) fn send_rendezvous(&mut self, to: ClientId, bytes: &[u8]) -> Result<(), TextError> {
        if !self.s.is_joined() {
            return Err(TextError::NotConnected);
        }
        if bytes.is_empty() || bytes.len() > MAX_RENDEZVOUS_BYTES {
            return Err(TextError::BadLength);
        }
        let head = head(0, Target::Client(to));
        let mut outbox = self.s.outbox.over(self.t.outbox);
        outbox.push(RENDEZVOUS, &[&head, bytes]).map_err(|_| TextError::QueueFull)?;
        self.s.pending = true;
        Ok(())
    }

    /// Writes the next packet of the outbox.
    pub(super) fn write_outbox(&mut self, lane: Lane, out: &mut [u8]) -> Option<usize> {
        let sent = usize::from(self.s.outbox_sent);
        let mut outbox = self.s.outbox.over(self.t.outbox);
        let (kind, record) = outbox.front()?;
        let Some((head, bytes)) = record.split_first_chunk::<HEAD>() else {
            outbox.pop();
            return None;
        };
        let Some((number, target)) = read_head(head) else {
            outbox.pop();
            return None;
        };
        let rest = bytes.get(sent..).unwrap_or_default();
        let last = rest.len() <= TEXT_PART_BYTES;
        let part = rest.get(..rest.len().min(TEXT_PART_BYTES)).unwrap_or_default();
        let packet = match (kind, target) {
            (RENDEZVOUS, Target::Client(to)) => Packet::SendRendezvous { lane, to, bytes: part },
            _ => Packet::SendText { lane, number, last, target, bytes: part },
        };
        let len = packet.encode(out)?;
        if last {
            outbox.pop();
            self.s.outbox_sent = 0;
        } else {
            self.s.outbox_sent = u16::try_from(sent + part.len()).unwrap_or(0);
        }
        Some(len)
    }

    pub(super) fn on_text(&mut self, from: ClientId, last: bool, target: Target, part: &[u8]) {
        let wanted = head(from.get(), target);
        if !self.s.skips_text && self.append_text(&wanted, part).is_err() {
            // What is left of it may fit, and is no text.
            self.s.skips_text = true;
        }
        if self.s.skips_text {
            self.s.skips_text = !last;
            return self.drop(DropReason::TableFull);
        }
        if !last {
            return;
        }
        let mut inbox = self.s.inbox.over(self.t.inbox);
        let text = inbox.open_bytes().and_then(|open| open.get(HEAD..)).unwrap_or_default();
        if text.len() > MAX_TEXT_BYTES || core::str::from_utf8(text).is_err() {
            inbox.abort();
            return self.drop(DropReason::Malformed);
        }
        inbox.commit();
        self.s.event(ClientEvent::TextReceived);
    }

    /// Adds a part to the text of this head, or begins it. With no room, nothing of it is left.
    fn append_text(&mut self, head: &[u8; HEAD], part: &[u8]) -> Result<(), Full> {
        let mut inbox = self.s.inbox.over(self.t.inbox);
        let continued = inbox.open_bytes().is_some_and(|open| open.starts_with(head));
        let began = if continued { Ok(()) } else { inbox.begin(TEXT).and_then(|()| inbox.append(head)) };
        let appended = began.and_then(|()| inbox.append(part));
        if appended.is_err() {
            inbox.abort();
        }
        appended
    }

    pub(super) fn on_rendezvous(&mut self, from: ClientId, bytes: &[u8]) {
        if !self.s.config.direct {
            // Whoever wants no direct paths looks for none, and the inbox is for texts.
            return self.drop(DropReason::NotPermitted);
        }
        let head = head(from.get(), Target::Client(from));
        match self.s.inbox.over(self.t.inbox).push(RENDEZVOUS, &[&head, bytes]) {
            Ok(()) => self.s.event(ClientEvent::RendezvousReceived),
            Err(_) => self.drop(DropReason::TableFull),
        }
    }

    pub(super) fn abort_incoming_text(&mut self) {
        self.s.skips_text = false;
        self.s.inbox.over(self.t.inbox).abort();
    }
}

/// Takes the oldest message out of an inbox.
pub(super) fn take_message<'a>(inbox: &'a mut RingState, bytes: &'a mut [u8]) -> Option<Message<'a>> {
    let (kind, record) = inbox.over(bytes).take()?;
    let (head, bytes) = record.split_first_chunk::<HEAD>()?;
    let (from, target) = read_head(head)?;
    let from = ClientId::new(from)?;
    if kind == RENDEZVOUS {
        return Some(Message::Rendezvous { from, bytes });
    }
    Some(Message::Text { from, target, text: core::str::from_utf8(bytes).unwrap_or_default() })
}

fn head(number: u16, target: Target) -> [u8; HEAD] {
    let (kind, id) = match target {
        Target::Room(room) => (0, room.get()),
        Target::Client(client) => (1, client.get()),
    };
    let ([a, b], [c, d]) = (number.to_be_bytes(), id.to_be_bytes());
    [a, b, kind, c, d]
}

fn read_head(head: &[u8; HEAD]) -> Option<(u16, Target)> {
    let [a, b, kind, c, d] = *head;
    let id = u16::from_be_bytes([c, d]);
    let target = match kind {
        0 => Target::Room(crate::types::RoomId::new(id)?),
        _ => Target::Client(ClientId::new(id)?),
    };
    Some((u16::from_be_bytes([a, b]), target))
}
