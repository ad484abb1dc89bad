//! One participant: joining, declared state, voice out and in. docs/PROTOCOL.md, sections 4 to 7.
//!
//! | to change | open |
//! |---|---|
//! | states, back-off, resume | `session.rs` |
//! | rooms, channels, mutes | `declared.rs` |
//! | what is checked on every packet | `receive.rs` |
//! | what is sent, and in which order | `transmit.rs` |
//! | the own voice | `voice_out.rs` |
//! | others' voices | `voice_in.rs`, `playout/` |
//! | direct paths | `direct.rs` |
//! | who is there | `roster.rs` |

mod declared;
mod direct;
mod engine;
mod events;
mod memory;
mod playout;
mod receive;
mod roster;
mod session;
mod tables;
mod text;
mod transmit;
mod voice_in;
mod voice_out;

use core::time::Duration;

pub use direct::PeerLink;
use engine::{ClientState, Engine};
pub use events::ClientEvent;
pub use memory::{ClientMemory, ClientStorage};
pub use playout::{Sound, SpeakerStats, playout_bytes};
pub use tables::{ChannelSlot, PersonSlot, RoomSlot, SpeakerSlot};

use crate::{
    storage::name::Name,
    types::{
        ChannelOptions, ClientId, CodecSettings, Counters, Delivery, DropCounts, Instant, PathId, Priority, RoomId,
        RoomUse, SessionId, Source, Target, Transmit, Volume,
    },
    wire::{CloseReason, PersonFlags, RefuseReason, StateFlags, limits::MAX_CREDENTIAL_BYTES},
};

/// What a client is told once.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    name: Name,
    credential: heapless::Vec<u8, MAX_CREDENTIAL_BYTES>,
    /// How its voice is encoded.
    pub codec: CodecSettings,
    /// Own default priority at the start.
    pub priority: Priority,
    /// From the arrival of a talkspurt's first frame until it is played.
    pub playout_delay: Duration,
    /// Bytes of the longest frame that is taken for playing.
    pub frame_bytes: u16,
    /// Whether direct paths are used.
    pub direct: bool,
    /// Uplink that voice may use, bit/s; `None` for no limit. What doesn't fit directly goes over the server.
    pub uplink_bits_per_second: Option<u32>,
}

impl ClientConfig {
    /// Opus at 24 kbit/s in frames of 20 ms, 60 ms of playout delay, direct paths without limit. `None` if the name is longer
    /// than 64 bytes.
    pub fn new(name: &str) -> Option<Self> {
        Some(Self {
            name: Name::new(name)?,
            credential: heapless::Vec::new(),
            codec: CodecSettings::DEFAULT,
            priority: Priority::None,
            playout_delay: Duration::from_millis(60),
            frame_bytes: 240,
            direct: true,
            uplink_bits_per_second: None,
        })
    }

    /// With what the embedder of the server wants to see. `None` if it is longer than 512 bytes.
    pub fn with_credential(mut self, credential: &[u8]) -> Option<Self> {
        self.credential.clear();
        self.credential.extend_from_slice(credential).ok()?;
        Some(self)
    }

    fn name(&self) -> &str {
        self.name.as_str()
    }

    fn credential(&self) -> &[u8] {
        &self.credential
    }
}

/// What a client is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Not wanted, or thrown out.
    Disconnected,
    /// The transport is coming up.
    Connecting,
    /// The server is being asked for a seat.
    Joining,
    /// In the session.
    Connected,
    /// Sending, hearing nothing back.
    Degraded,
    /// Waiting to try again.
    Reconnecting,
}

/// Why the state is what it is. May grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StateReason {
    /// Nothing happened yet.
    NotStarted,
    /// The embedder wants it so.
    Wanted,
    /// The transport came up.
    TransportUp,
    /// The transport went down.
    TransportDown,
    /// The transport or the server didn't answer in time.
    NoAnswer,
    /// A fresh seat.
    Joined,
    /// The seat of before.
    Resumed,
    /// Nothing was heard for too long.
    Silence,
    /// Something was heard again.
    HeardAgain,
    /// The server refused the client.
    Refused(RefuseReason),
    /// The server closed the connection.
    Closed(CloseReason),
    /// The reliable lane lost or repeated a packet.
    LaneBroken,
    /// The server runs another session, or has no seat for this client.
    WrongSession,
}

/// A room that the embedder uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoomHandle {
    at: u16,
    generation: u16,
}

/// A channel that the embedder opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChannelHandle {
    at: u16,
    generation: u16,
}

/// Whom to speak to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TalkTo {
    /// All who listen to this room.
    Room(RoomHandle),
    /// This client alone.
    Client(ClientId),
}

/// Why a room can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomError {
    /// The name is empty or longer than 64 bytes.
    BadName,
    /// The table of rooms is full.
    TooMany,
    /// The handle is of a room that is no longer used.
    NoSuchRoom,
}

/// Why a channel can't be opened or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelError {
    /// The table of channels is full.
    TooMany,
    /// There is one already.
    AlreadyOpen,
    /// The handle is of a room that is no longer used.
    NoSuchRoom,
    /// The room is used for listening only.
    NotSpeaking,
    /// Nobody speaks to itself.
    Oneself,
    /// The handle is of a channel that is closed.
    NoSuchChannel,
}

/// Why a frame isn't sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// Not in the session.
    NotConnected,
    /// Muted, by itself or by the server.
    Muted,
    /// No channel is open, or its room isn't granted yet.
    NoChannel,
    /// Nobody would hear.
    NobodyHears,
    /// More than 1,000 bytes.
    TooLong,
    /// No bytes.
    Empty,
    /// Not even the queue's whole memory holds it.
    QueueFull,
}

/// Why a text or rendezvous isn't sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextError {
    /// Not in the session.
    NotConnected,
    /// Empty, or longer than 2,000 bytes (a rendezvous: 1,000).
    BadLength,
    /// The room isn't granted yet, or no longer used.
    NoSuchRoom,
    /// Too much waits already.
    QueueFull,
}

/// A person of the session whom the roster doesn't know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownPerson;

/// The table of direct paths is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathsFull;

/// Something that waited in the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text.
    Text {
        /// Who wrote it, as the server says.
        from: ClientId,
        /// Where to: a room, or this client.
        target: Target,
        /// At most 2,000 bytes.
        text: &'a str,
    },
    /// A rendezvous message, for the adapter.
    Rendezvous {
        /// Who sent it, as the server says.
        from: ClientId,
        /// At most 1,000 bytes.
        bytes: &'a [u8],
    },
}

/// What is to be heard of one speaker for one frame length, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Play, conceal or be silent.
    pub sound: Sound<'a>,
    /// The channel's volume times the local one, 0 to 400.
    pub volume_percent: u16,
    /// Whether to place it in space.
    pub positional: bool,
    /// Whether its priority is the highest heard now; otherwise decode it and play nothing.
    pub audible: bool,
}

impl Frame<'_> {
    const SILENCE: Self = Self { sound: Sound::Silence, volume_percent: 100, positional: false, audible: false };
}

/// A person of the session.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a>(&'a PersonSlot);

impl<'a> Person<'a> {
    /// Its id.
    pub fn id(&self) -> ClientId {
        ClientId::new(self.0.id).unwrap_or(const { ClientId::new(1).unwrap() })
    }

    /// Its display name.
    pub fn name(&self) -> &'a str {
        self.0.name.as_str()
    }

    /// Mutes and connection.
    pub fn flags(&self) -> PersonFlags {
        self.0.flags
    }

    /// How its voice is encoded.
    pub fn codec(&self) -> CodecSettings {
        self.0.codec
    }

    /// Its own default priority.
    pub fn priority(&self) -> Priority {
        self.0.priority
    }

    /// The rooms it listens to, ascending.
    pub fn rooms(&self) -> &'a [RoomId] {
        &self.0.rooms
    }

    /// Whether this client mutes it.
    pub fn is_muted_here(&self) -> bool {
        self.0.blocked
    }

    /// How loud this client plays it.
    pub fn volume(&self) -> Volume {
        self.0.volume
    }
}

/// One participant of a session.
///
/// Getters look; `handle_*` takes input; commands change; `poll_*` drains output; [`Client::next_frame`] is pulled by the audio clock.
/// No order of calls is wrong. What the embedder wants (rooms, channels to rooms, mutes) is kept and declared again whenever the client comes back.
#[derive(Debug)]
pub struct Client<M> {
    state: ClientState,
    memory: M,
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

    /// The next event; at most 64 wait, then the oldest is dropped and counted.
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

    /// When [`Client::handle_timeout`] or [`Client::poll_transmit`] has something to do; `None` if only input can change anything.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.state.pending {
            return Some(self.state.now);
        }
        let direct = self.state.links.poll_timeout().filter(|_| self.state.is_joined());
        [self.state.session_due(), self.state.talk_due, direct].into_iter().flatten().min()
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
        if engine.s.links.poll_timeout().is_some_and(|due| due <= now) {
            engine.s.pending = true;
        }
        self.tell_direct_changes(now);
    }

    /// Writes the next packet into `out`, which should hold 1,200 bytes; a packet that doesn't fit waits for a larger one.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        let now = self.state.tick(now);
        self.engine().poll_transmit(now, out)
    }

    fn tell_direct_changes(&mut self, now: Instant) {
        if self.state.links.poll_timeout().is_none() {
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
            engine.s.pending = true;
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
    /// [`PathsFull`] if the table of direct paths is full; voice goes over the server.
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
        self.engine().direct().path_lost(now, path);
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
        let slots = self.memory.tables().speakers.iter();
        slots.filter(|slot| slot.speaker.is_active()).filter_map(|slot| slot.client)
    }

    /// What is to be heard of a speaker for the next frame length; every call moves on by one.
    pub fn next_frame(&mut self, now: Instant, speaker: ClientId) -> Frame<'_> {
        let now = self.state.tick(now);
        self.engine().next_frame(now, speaker)
    }

    /// The channels by which a speaker is heard now.
    pub fn heard_channels(&self, speaker: ClientId) -> &[(Target, ChannelOptions)] {
        let slot = self.memory.tables().speakers.iter().find(|slot| slot.client == Some(speaker));
        slot.map_or(&[], |slot| slot.speaker.channels())
    }

    /// Jitter, loss and counts of a speaker.
    pub fn speaker_stats(&self, speaker: ClientId) -> Option<SpeakerStats> {
        let slot = self.memory.tables().speakers.iter().find(|slot| slot.client == Some(speaker))?;
        Some(slot.speaker.stats())
    }

    /// The highest priority among those heard now.
    pub fn top_priority(&mut self) -> Option<Priority> {
        self.engine().top_priority()
    }
}
