//! One participant: joining, declared state, voice out and in. docs/PROTOCOL.md, sections 4 to 7.
//!
//! | to change | open |
//! |---|---|
//! | states, back-off, resume | `session.rs` |
//! | rooms, channels, mutes | `declared.rs` |
//! | what is checked on every packet | `receive.rs` |
//! | what is sent, and in which order | `transmit.rs` |
//! | the own voice | `voice_out.rs` |
//! | how the own voice follows the network | `adaptation.rs` |
//! | others' voices | `voice_in.rs`, `playout/` |
//! | what is reported of others' voices | `reports.rs` |
//! | direct paths | `direct/` |
//! | who is there | `roster.rs` |

mod adaptation;
mod declared;
mod direct;
mod engine;
mod events;
mod heard;
mod keep_alive;
mod memory;
mod receive;
mod reports;
mod roster;
mod session;
mod tables;
mod text;
mod transmit;
mod voice_in;
mod voice_out;
mod words;

use core::time::Duration;

pub use crate::playout::{Pace, PlayoutConfig, Sound, SpeakerStats, playout_bytes};
pub use adaptation::{Adaptation, EncoderAdvice, EncoderLimits};
pub use direct::PeerLink;
use engine::{ClientState, Engine};
pub use events::ClientEvent;
pub use memory::{ClientMemory, ClientStorage};
pub use tables::{ChannelSlot, PersonSlot, RoomSlot, SpeakerSlot};
pub use words::{
    ChannelError, ChannelHandle, ClientConfig, CredentialTooLong, Frame, Message, PathsFull, Person, RoomError,
    RoomHandle, SendError, State, StateReason, TalkTo, TextError, UnknownPerson,
};

use crate::{
    types::{
        ChannelOptions, ClientId, Counters, Delivery, DropCounts, FrameLength, Instant, PathId, Priority, RoomId,
        RoomUse, SessionId, Source, Target, Transmit, Volume,
    },
    wire::{Lane, Packet, StateFlags, Summary, limits::MAX_CREDENTIAL_BYTES},
};

/// One participant of a session.
///
/// Getters look; `handle_*` takes input; commands change; `poll_*` drains output; [`Client::next_frame`] is pulled by the audio clock.
/// No order of calls is wrong. What the embedder wants (rooms, channels to rooms, mutes) is kept and declared again whenever the client comes back.
#[derive(Debug)]
#[repr(C)]
pub struct Client<M> {
    // Where the tables are is needed with every packet, and so is the front of the state: they lie together.
    memory: M,
    state: ClientState,
}

impl<M> Client<M> {
    /// Makes a client. On a real network the seed must come from the operating system.
    pub fn new(config: ClientConfig, seed: u64, memory: M) -> Self {
        Self { state: ClientState::new(config, seed), memory }
    }

    /// What the client is at.
    pub const fn state(&self) -> State {
        self.state.state
    }

    /// Why.
    pub const fn state_reason(&self) -> StateReason {
        self.state.reason
    }

    /// Whether the adapter should have a transport open: the number of the attempt. When the number changes, the transport of
    /// before is to be given up and another opened; when it is `None`, closed.
    pub fn transport_wanted(&self) -> Option<u32> {
        let leaving = self.state.state == State::Disconnected && self.state.phase_until.is_some();
        let open = !matches!(self.state.state, State::Disconnected | State::Reconnecting);
        (leaving || open).then_some(self.state.attempt)
    }

    /// The session; `None` before joining.
    pub fn session(&self) -> Option<SessionId> {
        self.state.seat.map(|seat| seat.session)
    }

    /// The own id; `None` before joining.
    pub fn id(&self) -> Option<ClientId> {
        self.state.seat.map(|seat| seat.id)
    }

    /// The next event. Poll after each packet, until there is none: at most 64 wait. Then the oldest news of others is dropped and counted in
    /// [`Counters::events_dropped`]; when that has risen, read [`Client::roster`] or [`Client::person`] anew, and [`Client::speakers`] for who speaks. Only if
    /// there is no such news does the oldest event of any kind go.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.state.events.pop_front()
    }

    /// How often input was dropped, and why.
    pub const fn drops(&self) -> &DropCounts {
        &self.state.drops
    }

    /// Packets and bytes.
    pub const fn counters(&self) -> &Counters {
        &self.state.counters
    }

    /// Round-trip time to the server; `None` until it is known.
    pub fn rtt(&self) -> Option<Duration> {
        let us = self.state.link.rtt_us;
        (us > 0).then(|| Duration::from_micros(us.into()))
    }

    /// Variation of the round-trip time.
    pub fn rtt_variation(&self) -> Duration {
        Duration::from_micros(self.state.link.jitter_us.into())
    }

    /// Mutes and deafening as declared.
    pub const fn flags(&self) -> StateFlags {
        self.state.declared.flags
    }

    /// Whether the server has muted this client.
    pub const fn is_server_muted(&self) -> bool {
        self.state.server_muted
    }

    /// Whether nobody would hear, so that nothing is sent.
    pub const fn is_unheard(&self) -> bool {
        self.state.voice.unheard
    }

    /// What the encoder should do now. It follows the reports of those who listen, within what [`ClientConfig`] allows;
    /// [`ClientEvent::AdviceChanged`] says when to look.
    pub fn encoder_advice(&self) -> EncoderAdvice {
        self.state.adaptation.advice()
    }

    /// How this client's voice arrived at the worst tenth of its listeners, by the last summary of their reports; `None` before the first. It comes
    /// about once a second while the client speaks and is heard.
    pub const fn summary(&self) -> Option<Summary> {
        self.state.summary
    }

    /// By how much later all frames should begin from now on, up to 20 ms, so that they reach the server together with those of the others in the
    /// room. Zero while a talkspurt is on: frames are moved in pauses, by leaving out so much of what the microphone gives. What is taken
    /// counts as done.
    pub const fn take_frame_shift(&mut self) -> Duration {
        let voice = &mut self.state.voice;
        if voice.talking || voice.later_us == 0 {
            return Duration::ZERO;
        }
        voice.moved_at = voice.sequence.wrapping_add(1);
        Duration::from_micros(core::mem::replace(&mut voice.later_us, 0) as u64)
    }

    /// Writes the packet that would say good-bye now, for who may be ended without a moment to say it: kept at hand, it is sent reliably as the very last
    /// packet of a connection. It holds until [`Client::poll_transmit`] has given another reliable packet. `None` outside the session, or if `out` is too
    /// short (8 bytes suffice).
    pub fn farewell(&self, out: &mut [u8]) -> Option<usize> {
        let seat = self.state.seat.filter(|_| self.state.is_joined())?;
        Packet::Leave { lane: Lane { session: seat.session, number: self.state.link.out_next } }.encode(out)
    }

    /// How long this client's frames are.
    pub const fn frame_length(&self) -> FrameLength {
        self.state.voice.frame_length
    }

    /// When [`Client::handle_timeout`] or [`Client::poll_transmit`] has something to do; `None` if only input can change anything.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.state.pending {
            return Some(self.state.now);
        }
        let direct = self.state.links.poll_timeout().filter(|_| self.state.is_joined());
        Instant::earlier(self.state.session_due(), Instant::earlier(self.state.talk_due, direct))
    }
}

impl<M: ClientMemory> Client<M> {
    fn engine(&mut self) -> Engine<'_> {
        Engine::new(&mut self.state, self.memory.tables_mut())
    }

    /// Wants to be in a session.
    pub fn connect(&mut self, now: Instant) {
        let now = self.state.tick(now);
        self.engine().connect(now);
    }

    /// Wants no longer; says good-bye if it can.
    pub fn disconnect(&mut self, now: Instant) {
        let now = self.state.tick(now);
        self.engine().disconnect(now);
    }

    /// The transport that was wanted is up.
    pub fn handle_connected(&mut self, now: Instant) {
        let now = self.state.tick(now);
        self.engine().transport_up(now);
    }

    /// The transport is down, or can't come up.
    pub fn handle_disconnected(&mut self, now: Instant) {
        let now = self.state.tick(now);
        self.engine().transport_down(now);
    }

    /// The network is there again, or another one: the next attempt needn't wait, and one who is joined asks the server at once whether it hears, which shows it a
    /// new address. Does nothing otherwise.
    pub fn handle_network_back(&mut self, now: Instant) {
        let now = self.state.tick(now);
        self.engine().network_back(now);
    }

    /// Takes a packet.
    pub fn handle_packet(&mut self, now: Instant, from: Source, delivery: Delivery, packet: &[u8]) {
        let now = self.state.tick(now);
        let counters = &mut self.state.counters;
        match (from, delivery) {
            (Source::Path(_), _) => counters.direct_in.add(packet.len()),
            (_, Delivery::Reliable) => counters.reliable_in.add(packet.len()),
            (_, Delivery::Unreliable) => counters.unreliable_in.add(packet.len()),
        }
        if from == Source::Server && packet.first().is_some_and(|first| *first >= 0x80) {
            counters.voice_in.add(packet.len());
        }
        self.engine().on_packet(now, from, delivery, packet);
        self.tell_direct_changes(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.state.tick(now);
        let mut engine = self.engine();
        engine.session_timeout(now);
        engine.talk_timeout(now);
        self.tell_direct_changes(now);
        // After the changes: what was sent to a link that has just gone down goes another way.
        self.engine().relay_overdue(now);
    }

    /// Writes the next packet into `out`, which has to hold 1,200 bytes: nothing is written into less, and the packet waits.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        let now = self.state.tick(now);
        self.engine().poll_transmit(now, out)
    }

    fn tell_direct_changes(&mut self, now: Instant) {
        if self.state.links.poll_timeout().is_none_or(|due| due > now) {
            return;
        }
        let mut engine = self.engine();
        while let Some((client, up)) = engine.direct().poll_change(now) {
            engine.s.event(if up { ClientEvent::DirectUp(client) } else { ClientEvent::DirectDown(client) });
        }
    }

    /// Uses a room, or uses it in another way. It can be spoken to after [`ClientEvent::RoomGranted`].
    ///
    /// # Errors
    /// [`RoomError::BadName`], [`RoomError::TooMany`].
    pub fn use_room(&mut self, now: Instant, name: &str, room_use: RoomUse) -> Result<RoomHandle, RoomError> {
        self.state.tick(now);
        self.engine().use_room(name, room_use)
    }

    /// Uses a room no longer; closes the channels to it.
    ///
    /// # Errors
    /// [`RoomError::NoSuchRoom`].
    pub fn leave_room(&mut self, now: Instant, room: RoomHandle) -> Result<(), RoomError> {
        self.state.tick(now);
        self.engine().leave_room(room)
    }

    /// The number of a used room, once the server gave it.
    pub fn room_id(&self, room: RoomHandle) -> Option<RoomId> {
        let slot = self.memory.tables().rooms.get(usize::from(room.at))?;
        slot.id.filter(|_| slot.used && slot.generation == room.generation)
    }

    /// The name of a used room.
    pub fn room_name(&self, room: RoomId) -> Option<&str> {
        let slot = self.memory.tables().rooms.iter().find(|slot| slot.used && slot.id == Some(room))?;
        Some(slot.name.as_str())
    }

    /// Opens a channel.
    ///
    /// # Errors
    /// Every [`ChannelError`] but [`ChannelError::NoSuchChannel`].
    pub fn open_channel(
        &mut self,
        now: Instant,
        to: TalkTo,
        options: ChannelOptions,
    ) -> Result<ChannelHandle, ChannelError> {
        self.state.tick(now);
        self.engine().open_channel(to, options)
    }

    /// Changes the options of an open channel.
    ///
    /// # Errors
    /// [`ChannelError::NoSuchChannel`].
    pub fn change_channel(
        &mut self,
        now: Instant,
        channel: ChannelHandle,
        options: ChannelOptions,
    ) -> Result<(), ChannelError> {
        self.state.tick(now);
        let mut engine = self.engine();
        engine.channel(channel).ok_or(ChannelError::NoSuchChannel)?.options = options;
        Ok(())
    }

    /// Closes a channel. With the last one the talkspurt ends.
    ///
    /// # Errors
    /// [`ChannelError::NoSuchChannel`].
    pub fn close_channel(&mut self, now: Instant, channel: ChannelHandle) -> Result<(), ChannelError> {
        self.state.tick(now);
        let mut engine = self.engine();
        engine.channel(channel).ok_or(ChannelError::NoSuchChannel)?;
        if engine.open_channels().len() == 1 {
            engine.stop_talking();
        }
        if let Some(slot) = engine.channel(channel) {
            slot.line = None;
        }
        Ok(())
    }

    /// Mutes this client, or no longer.
    pub fn set_muted(&mut self, now: Instant, muted: bool) {
        self.state.tick(now);
        let flags = StateFlags { muted, ..self.state.declared.flags };
        let priority = self.state.declared.priority;
        self.engine().set_state(flags, priority);
    }

    /// Deafens this client, or no longer. A deafened client costs the server nothing.
    pub fn set_deafened(&mut self, now: Instant, deafened: bool) {
        self.state.tick(now);
        let flags = StateFlags { deafened, ..self.state.declared.flags };
        let priority = self.state.declared.priority;
        self.engine().set_state(flags, priority);
    }

    /// Sets the priority of channels that have none of their own.
    pub fn set_default_priority(&mut self, now: Instant, priority: Priority) {
        self.state.tick(now);
        let flags = self.state.declared.flags;
        self.engine().set_state(flags, priority);
    }

    /// Mutes somebody for this client, at the server, or no longer.
    ///
    /// # Errors
    /// [`UnknownPerson`] if the roster doesn't have it.
    pub fn set_client_muted(&mut self, now: Instant, client: ClientId, muted: bool) -> Result<(), UnknownPerson> {
        self.state.tick(now);
        let mut engine = self.engine();
        let person = engine.person(client).ok_or(UnknownPerson)?;
        if person.blocked != muted {
            (person.blocked, person.tell_blocked) = (muted, true);
            engine.s.declared.tell_blocks = true;
            engine.s.pending = true;
            engine.tell_speaker(client);
        }
        Ok(())
    }

    /// Sets how loud somebody is for this client.
    ///
    /// # Errors
    /// [`UnknownPerson`] if the roster doesn't have it.
    pub fn set_client_volume(&mut self, client: ClientId, volume: Volume) -> Result<(), UnknownPerson> {
        let mut engine = self.engine();
        engine.person(client).ok_or(UnknownPerson)?.volume = volume;
        engine.tell_speaker(client);
        Ok(())
    }

    /// Makes frames of another length from the next one on, as [`Client::encoder_advice`] says or otherwise. Listeners learn it from the frames.
    pub fn set_frame_length(&mut self, now: Instant, length: FrameLength) {
        self.state.tick(now);
        self.engine().set_frame_length(length);
    }

    /// Sets what the embedder of the server wants to see at the next joining. Empty at first.
    ///
    /// # Errors
    /// [`CredentialTooLong`] if it is longer than 512 bytes, or than [`ClientStorage::credential`]; the one before stays.
    pub fn set_credential(&mut self, credential: &[u8]) -> Result<(), CredentialTooLong> {
        let room = self.memory.tables_mut().credential.get_mut(..credential.len());
        let room = room.filter(|room| room.len() <= MAX_CREDENTIAL_BYTES).ok_or(CredentialTooLong)?;
        room.copy_from_slice(credential);
        self.state.credential_len = u16::try_from(credential.len()).map_err(|_| CredentialTooLong)?;
        Ok(())
    }

    /// Sends one encoded frame to the open channels. Call it once per frame length while speaking; a gap between calls is silence.
    ///
    /// # Errors
    /// Each [`SendError`] says why nothing was sent.
    pub fn send_frame(&mut self, now: Instant, payload: &[u8]) -> Result<(), SendError> {
        let now = self.state.tick(now);
        self.engine().send_frame(now, payload)
    }

    /// Ends the talkspurt, so that listeners know at once.
    pub fn end_talkspurt(&mut self, now: Instant) {
        let now = self.state.tick(now);
        self.engine().end_talkspurt(now);
    }

    /// Sends a text of at most 2,000 bytes; gives its number, by which [`ClientEvent::TextRefused`] names it.
    ///
    /// # Errors
    /// Each [`TextError`] says why it isn't sent.
    pub fn send_text(&mut self, now: Instant, to: TalkTo, text: &str) -> Result<u16, TextError> {
        self.state.tick(now);
        let target = match to {
            TalkTo::Client(client) => Target::Client(client),
            TalkTo::Room(room) => Target::Room(self.room_id(room).ok_or(TextError::NoSuchRoom)?),
        };
        self.engine().send_text(target, text)
    }

    /// Sends a message of an adapter's to the same adapter of another client.
    ///
    /// # Errors
    /// Each [`TextError`] says why it isn't sent.
    pub fn send_rendezvous(&mut self, now: Instant, to: ClientId, bytes: &[u8]) -> Result<(), TextError> {
        self.state.tick(now);
        self.engine().send_rendezvous(to, bytes)
    }

    /// Takes the oldest text or rendezvous out of the inbox. When it is full, the newest is dropped and counted.
    pub fn take_message(&mut self) -> Option<Message<'_>> {
        text::take_message(&mut self.state.inbox, self.memory.tables_mut().inbox)
    }

    /// The adapter can reach a client directly on this path.
    ///
    /// # Errors
    /// [`PathsFull`] if the table is full of paths that are there; voice goes over the server. People without a path any more make room.
    pub fn handle_path_available(&mut self, now: Instant, client: ClientId, path: PathId) -> Result<(), PathsFull> {
        let now = self.state.tick(now);
        if !self.state.config.direct {
            return Ok(());
        }
        self.state.pending = true;
        let done = self.engine().direct().path_available(now, client, path).map_err(|_| PathsFull);
        self.tell_direct_changes(now);
        done
    }

    /// A direct path is no more.
    pub fn handle_path_lost(&mut self, now: Instant, path: PathId) {
        let now = self.state.tick(now);
        let mut engine = self.engine();
        engine.direct().path_lost(now, path);
        engine.relay_overdue(now);
        self.tell_direct_changes(now);
    }

    /// The adapter could not send this packet on its path: the server relays it.
    pub fn handle_unsent(&mut self, now: Instant, path: PathId, packet: &[u8]) {
        let now = self.state.tick(now);
        self.engine().relay_unsent(now, path, packet);
    }

    /// Whether voice goes straight to this client.
    pub fn is_direct(&mut self, client: ClientId) -> bool {
        let now = self.state.now;
        self.engine().direct().is_up(now, client)
    }

    /// Everybody in the session whom the roster has room for, this client included.
    pub fn roster(&self) -> impl Iterator<Item = Person<'_>> {
        self.memory.tables().roster.iter().filter(|person| person.id != 0).map(Person)
    }

    /// A person of the session.
    pub fn person(&self, client: ClientId) -> Option<Person<'_>> {
        let slots = self.memory.tables().roster;
        slots.get(roster::find(slots, self.state.displaced, client)?).map(Person)
    }

    /// Those of whom there is, or soon will be, something to hear.
    pub fn speakers(&self) -> impl Iterator<Item = ClientId> + '_ {
        let slots = voice_in::used(self.memory.tables().speakers);
        slots.filter(|slot| slot.playout.is_active()).filter_map(|slot| slot.client)
    }

    /// What is to be heard next of a speaker. To be asked for when less sound of it is `queued` than the listener is about to need:
    /// what was pulled of it and has not been heard yet.
    pub fn next_frame(&mut self, now: Instant, queued: Duration, speaker: ClientId) -> Frame<'_> {
        let now = self.state.tick(now);
        self.engine().next_frame(now, queued, speaker)
    }

    /// Says how many lost frames before it a packet of this speaker brings back, as the listener finds: from the next packet on the playout
    /// waits for redundancy that deep, where it pays. It stays until said otherwise, or until another speaker takes the slot;
    /// [`PlayoutConfig::redundancy`] holds for a speaker of whom nothing was said. A speaker who isn't heard is ignored.
    pub fn set_speaker_redundancy(&mut self, speaker: ClientId, frames: u8) {
        let slots = self.memory.tables_mut().speakers;
        if let Some(slot) = slots.iter_mut().find(|slot| slot.client == Some(speaker)) {
            slot.redundancy = Some(frames);
        }
    }

    /// How long a speaker's frames are, by the newest packet.
    pub fn speaker_frame_length(&self, speaker: ClientId) -> Option<FrameLength> {
        let slot = self.memory.tables().speakers.iter().find(|slot| slot.client == Some(speaker))?;
        Some(slot.playout.frame_length())
    }

    /// The channels by which a speaker is heard now.
    pub fn heard_channels(&self, speaker: ClientId) -> &[(Target, ChannelOptions)] {
        let slot = self.memory.tables().speakers.iter().find(|slot| slot.client == Some(speaker));
        slot.map_or(&[], |slot| slot.heard.channels())
    }

    /// Jitter, loss and counts of a speaker.
    pub fn speaker_stats(&self, speaker: ClientId) -> Option<SpeakerStats> {
        let slot = self.memory.tables().speakers.iter().find(|slot| slot.client == Some(speaker))?;
        Some(slot.playout.stats())
    }

    /// The highest priority among those heard now.
    pub const fn top_priority(&self) -> Option<Priority> {
        self.state.top
    }
}
