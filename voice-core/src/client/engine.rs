//! A client's state and its tables together, for the length of one call. Not generic: what is here exists once in a program.

use heapless::{Deque, Vec};

use super::{
    Adaptation, ClientConfig, EncoderLimits, State, StateReason,
    direct::{Direct, Links, Me},
    events::ClientEvent,
    memory::ClientTablesMut,
    reports::RoundTrips,
};
use crate::{
    rng::Rng,
    storage::packet_ring::RingState,
    types::{ClientId, Counters, DropCounts, DropReason, FrameLength, Instant, Priority, RoomId, Secret, SessionId},
    wire::{
        StateFlags, Summary,
        limits::{LANE_STALL, LANE_WINDOW, MAX_ROOMS_PER_CLIENT},
    },
};

const EVENTS: usize = 64;

/// The seat that the server gave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub(super) session: SessionId,
    pub(super) id: ClientId,
    pub(super) secret: Secret,
}

/// What the connection to the server is at.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) nonce: u32,
    pub(super) say_hello: bool,
    pub(super) say_leave: bool,
    /// When the next Ping is due.
    pub(super) ping_at: Instant,
    /// When the first Ping was due since something was last heard.
    pub(super) asked_at: Instant,
    /// From then on it is idle.
    pub(super) lively_until: Instant,
    /// Stamp of the last Ping, and of the last one that was answered: those between them may still be.
    pub(super) pinged: Option<u32>,
    pub(super) ponged: Option<u32>,
    pub(super) ack: bool,
    pub(super) out_next: u16,
    pub(super) out_acked: u16,
    /// When something was last acknowledged, or sent with nothing before it unacknowledged.
    pub(super) progress_at: Instant,
    pub(super) in_next: u16,
    pub(super) in_acked: u16,
    pub(super) rtt_us: u32,
    pub(super) jitter_us: u32,
    pub(super) round_trips: RoundTrips,
}

impl Link {
    pub(super) const NEW: Self = Self {
        nonce: 0,
        say_hello: false,
        say_leave: false,
        ping_at: Instant::NEVER,
        asked_at: Instant::NEVER,
        lively_until: Instant::ORIGIN,
        pinged: None,
        ponged: None,
        ack: false,
        out_next: 0,
        out_acked: 0,
        progress_at: Instant::ORIGIN,
        in_next: 0,
        in_acked: 0,
        rtt_us: 0,
        jitter_us: 0,
        round_trips: RoundTrips::NONE,
    };

    /// When the lane has failed unless something is acknowledged until then: what was sent last may be lost, and no gap will ever show it.
    pub(super) fn stalled_at(&self) -> Option<Instant> {
        (self.out_next != self.out_acked).then(|| self.progress_at.after(LANE_STALL))
    }

    /// Whether the lane to the server takes nothing until something is acknowledged.
    pub(super) const fn is_full(&self) -> bool {
        self.out_next.wrapping_sub(self.out_acked) >= LANE_WINDOW
    }
}

/// What the embedder declared, apart from rooms and blocks.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) flags: StateFlags,
    pub(super) priority: Priority,
    pub(super) tell: bool,
    /// Whether somebody of the roster may be marked to be told of as blocked or not; keeps the roster from being searched for every packet.
    pub(super) tell_blocks: bool,
    /// Rooms that the server believes are used, and are not.
    pub(super) leave: Vec<RoomId, MAX_ROOMS_PER_CLIENT>,
}

/// The own voice.
#[derive(Debug)]
pub(super) struct VoiceOut {
    pub(super) sequence: u16,
    pub(super) media_time: u8,
    pub(super) frame_length: FrameLength,
    pub(super) last_at: Option<Instant>,
    pub(super) talking: bool,
    pub(super) unheard: bool,
    /// The first sequence number that goes to the channels of now: what the server says of those before doesn't hold for them.
    pub(super) audience_from: u16,
    /// By how much the server wants frames to begin later, µs; 0: not at all.
    pub(super) later_us: u16,
    /// The first sequence number since the frames last began later.
    pub(super) moved_at: u16,
    pub(super) ring: RingState,
    pub(super) retained: RingState,
}

/// Everything that doesn't grow with the tables.
///
/// In this order in memory: what every packet and every frame touches lies together at the front, so that a machine with a thousand
/// clients waits for memory less often.
#[derive(Debug)]
#[repr(C)]
pub(super) struct ClientState {
    pub(super) now: Instant,
    /// When connecting, joining, backing off or taking leave has lasted long enough.
    pub(super) phase_until: Option<Instant>,
    pub(super) talk_due: Option<Instant>,
    /// When the next report of what is heard is due; `None` while nothing is.
    pub(super) report_at: Option<Instant>,
    pub(super) attempt: u32,
    pub(super) features: u32,
    pub(super) state: State,
    pub(super) wanted: bool,
    /// Something may wait to be sent.
    pub(super) pending: bool,
    pub(super) server_muted: bool,
    /// The highest priority among the speakers who are heard.
    pub(super) top: Option<Priority>,
    pub(super) reason: StateReason,
    pub(super) attempts_in_a_row: u8,
    /// Whether the session has people for whom the roster had no room.
    pub(super) strangers: bool,
    /// The same, of the sweep that is going on.
    pub(super) sweep_strangers: bool,
    /// A place has become free that a stranger may take: the server is to be asked for everybody again.
    pub(super) ask_roster: bool,
    pub(super) sweep: u8,
    /// The furthest that a person of the roster is from its place.
    pub(super) displaced: u16,
    /// The speaker's slot with which the next report begins.
    pub(super) report_from: u16,
    pub(super) seat: Option<Seat>,
    pub(super) link: Link,
    pub(super) links: Links,
    pub(super) counters: Counters,
    pub(super) config: ClientConfig,
    pub(super) declared: Declared,
    pub(super) voice: VoiceOut,
    pub(super) events: Deque<ClientEvent, EVENTS>,
    pub(super) inbox: RingState,
    pub(super) outbox: RingState,
    /// Bytes of the first text in the outbox that are sent already.
    pub(super) outbox_sent: u16,
    pub(super) text_number: u16,
    pub(super) connected_at: Instant,
    pub(super) asked_roster_at: Option<Instant>,
    /// The session that the roster is of, and with it the wishes about its people.
    pub(super) roster_of: Option<SessionId>,
    /// Whether the next Hello asks for the seat again.
    pub(super) resumes: bool,
    /// The text that is coming in had no room: the rest of it is passed over.
    pub(super) skips_text: bool,
    /// Bytes of the credential that the memory holds.
    pub(super) credential_len: u16,
    /// What listeners said last.
    pub(super) summary: Option<Summary>,
    pub(super) adaptation: Adaptation,
    pub(super) rng: Rng,
    pub(super) drops: DropCounts,
}

impl ClientState {
    pub(super) fn new(config: ClientConfig, seed: u64) -> Self {
        let (flags, priority) = (StateFlags::NONE, config.priority);
        let frame_length = config.codec.frame_length;
        let limits = EncoderLimits {
            most_bitrate: config.codec.bitrate,
            least_bitrate: config.least_bitrate,
            shortest_frame: frame_length,
            longest_frame: config.longest_frame,
            dred: config.dred,
        };
        Self {
            credential_len: 0,
            report_at: None,
            report_from: 0,
            summary: None,
            adaptation: Adaptation::new(limits, seed),
            config,
            now: Instant::ORIGIN,
            rng: Rng::new(seed),
            drops: DropCounts::ZERO,
            counters: Counters::ZERO,
            events: Deque::new(),
            state: State::Disconnected,
            reason: StateReason::NotStarted,
            wanted: false,
            attempt: 0,
            attempts_in_a_row: 0,
            phase_until: None,
            connected_at: Instant::ORIGIN,
            seat: None,
            roster_of: None,
            resumes: false,
            features: 0,
            link: Link::NEW,
            declared: Declared { flags, priority, tell: false, tell_blocks: false, leave: Vec::new() },
            voice: VoiceOut {
                sequence: 0,
                media_time: 0,
                frame_length,
                last_at: None,
                talking: false,
                unheard: false,
                audience_from: 1,
                later_us: 0,
                moved_at: 0,
                ring: RingState::EMPTY,
                retained: RingState::EMPTY,
            },
            links: Links::EMPTY,
            inbox: RingState::EMPTY,
            outbox: RingState::EMPTY,
            outbox_sent: 0,
            text_number: 0,
            skips_text: false,
            sweep: 0,
            server_muted: false,
            displaced: 0,
            strangers: false,
            sweep_strangers: false,
            ask_roster: false,
            asked_roster_at: None,
            talk_due: None,
            top: None,
            pending: false,
        }
    }

    /// Takes the caller's time; one that went back is counted and taken as the latest seen.
    pub(super) fn tick(&mut self, now: Instant) -> Instant {
        if now < self.now {
            self.drops.add(DropReason::TimeWentBack);
        }
        self.now = self.now.max(now);
        // Before the links look at the time, in whatever call: a request for a pair that has become due is no more waited for.
        self.pending |= self.links.is_due(self.now);
        self.now
    }

    /// When there is no room, the oldest news of others gives way: a page of the roster alone may bring more of it than fits, and it can be read in the
    /// roster. What can't be read anywhere stays.
    pub(super) fn event(&mut self, event: ClientEvent) {
        if self.events.is_full() {
            self.counters.events_dropped += 1;
            match self.events.iter().position(ClientEvent::is_news_of_others) {
                Some(at) => self.forget_event(at),
                None if event.is_news_of_others() => return,
                None => _ = self.events.pop_front(),
            }
        }
        _ = self.events.push_back(event);
    }

    /// Takes an event out; the others keep their order.
    fn forget_event(&mut self, at: usize) {
        let Some(mut before) = self.events.front().copied() else { return };
        for event in self.events.iter_mut().take(at + 1) {
            before = core::mem::replace(event, before);
        }
        self.events.pop_front();
    }

    pub(super) const fn is_joined(&self) -> bool {
        matches!(self.state, State::Connected | State::Degraded)
    }
}

/// State and tables.
pub(super) struct Engine<'a> {
    pub(super) s: &'a mut ClientState,
    pub(super) t: ClientTablesMut<'a>,
}

impl<'a> Engine<'a> {
    pub(super) fn new(s: &'a mut ClientState, t: ClientTablesMut<'a>) -> Self {
        Self { s, t }
    }

    pub(super) fn drop(&mut self, reason: DropReason) {
        self.s.drops.add(reason);
    }

    pub(super) fn me(&self) -> Option<Me> {
        let seat = self.s.seat.filter(|_| self.s.is_joined())?;
        Some(Me { session: seat.session, id: seat.id })
    }

    pub(super) fn direct(&mut self) -> Direct<'_> {
        Direct { peers: self.t.peers, links: &mut self.s.links }
    }
}
