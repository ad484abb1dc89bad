//! One connection: a QUIC connection with one stream, and the two directions of sealed datagrams beside it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use adapter_kit::{Item, Packets, Source, Word};
use bytes::Bytes;
use quinn_proto::{
    Connection, ConnectionError, ConnectionHandle, Dir, Event as QuicEvent, Side, StreamEvent, StreamId,
    TransportErrorCode, VarInt,
};

use crate::{
    identity::Fingerprint,
    lane::{LaneIn, LaneOut},
    media::{Header, Opener, Refused, Sealer, Secret},
    trust::{CertificateProblem, Refusal},
};

/// Most bytes of a datagram.
pub(crate) const DATAGRAM: usize = 1_200;
/// A client that has sent something and hears nothing for so long asks by QUIC.
const SILENCE: Duration = Duration::from_secs(1);
/// A link that is closed gives what is on its lane so long to be acknowledged: some repetitions, and no more than a server that stops can wait.
const LINGER: Duration = Duration::from_millis(300);
/// Bytes that a stream gives up at a time.
const READ: usize = 4_096;

/// Why a link is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownReason {
    /// The other end closed it.
    ClosedByPeer,
    /// This end closed it.
    Closed,
    /// The other end isn't there, or stopped to answer.
    NoAnswer,
    /// The server's key isn't the one that was pinned: this is the one it showed.
    WrongServer(Fingerprint),
    /// The server's certificate, of this fingerprint, doesn't prove its name.
    BadCertificate(Fingerprint, CertificateProblem),
    /// Something else was wrong: in words.
    Failed(String),
}

/// What a link tells its endpoint.
pub(crate) enum Happened {
    Up(Option<Fingerprint>),
    Reliable(Bytes),
}

/// The keys of a link that is up.
struct Media {
    sealer: Sealer,
    opener: Opener,
    /// What the datagrams to the server begin with.
    id: u32,
}

/// In this order in memory: what each datagram touches lies together at the front, and QUIC's state, which is kilobytes, after it.
#[repr(C)]
pub(crate) struct Link {
    pub(crate) is_up: bool,
    is_client: bool,
    /// Something was opened since it was last looked at.
    heard: bool,
    /// Where datagrams go.
    pub(crate) peer: SocketAddr,
    /// A word that has to leave, and where to.
    word: Option<(SocketAddr, Word)>,
    media: Option<Media>,
    /// A new address that the peer seems to have, and what was asked there.
    candidate: Option<(SocketAddr, [u8; 8])>,
    pub(crate) handle: ConnectionHandle,
    /// Among whose links it counts, at a server: its address of the beginning, once that is proven.
    pub(crate) counts_for: Option<Source>,
    refusal: Refusal,
    stream: Option<StreamId>,
    /// Something was sent on the lane.
    has_spoken: bool,
    out: LaneOut,
    into: LaneIn,
    /// A client's own address, as the server last said.
    pub(crate) outside: Option<SocketAddr>,
    down: Option<DownReason>,
    /// The end has been told.
    is_over: bool,
    /// Until when what is on the lane may still be acknowledged, though the end has been told.
    linger_until: Option<Instant>,
    /// Until when the handshake has to be over.
    handshake_until: Option<Instant>,
    /// A client's: when it looks whether anything has come since it sent something, or since the last time. `None` when it has sent nothing since something came.
    look_at: Option<Instant>,
    pub(crate) quic: Connection,
}

impl Link {
    pub(crate) fn new(handle: ConnectionHandle, quic: Connection, refusal: Refusal, until: Instant) -> Self {
        let peer = quic.remote_address();
        Self {
            is_client: quic.side() == Side::Client,
            quic,
            handle,
            counts_for: None,
            refusal,
            stream: None,
            has_spoken: false,
            out: LaneOut::default(),
            into: LaneIn::default(),
            media: None,
            peer,
            candidate: None,
            word: None,
            outside: None,
            down: None,
            is_up: false,
            is_over: false,
            linger_until: None,
            handshake_until: Some(until),
            look_at: None,
            heard: false,
        }
    }

    /// Takes what QUIC has to say.
    pub(crate) fn drive(&mut self, now: Instant, mut tell: impl FnMut(Happened)) {
        while let Some(event) = self.quic.poll() {
            match event {
                QuicEvent::Connected => match self.come_up(now) {
                    Some(()) => tell(Happened::Up(Fingerprint::of_peer(self.quic.crypto_session().peer_identity()))),
                    None => self.fail("no keys for voice"),
                },
                QuicEvent::Stream(StreamEvent::Opened { dir: Dir::Bi }) => self.accept_stream(),
                // All that was on the lane has been acknowledged.
                QuicEvent::Stream(StreamEvent::Finished { .. }) => self.shut(now),
                QuicEvent::Stream(_) => {}
                QuicEvent::ConnectionLost { reason } => {
                    let reason = self.reason(reason);
                    self.down.get_or_insert(reason);
                }
                _ => {}
            }
        }
        self.write();
        if !self.is_over {
            self.read(&mut tell);
        }
    }

    fn come_up(&mut self, now: Instant) -> Option<()> {
        let session = self.quic.crypto_session();
        let secret = |label: &[u8]| {
            let mut bytes = [0; 32];
            session.export_keying_material(&mut bytes, b"EXPORTER-consonance-media", label).ok()?;
            Some(Secret::new(bytes))
        };
        let (up, down) = (secret(b"client to server")?, secret(b"server to client")?);
        let mut id = [0; 4];
        session.export_keying_material(&mut id, b"EXPORTER-consonance-media", b"id").ok()?;
        let (out, into) = if self.is_client { (up, down) } else { (down, up) };
        self.media = Some(Media { sealer: Sealer::new(out), opener: Opener::new(into), id: u32::from_be_bytes(id) });
        if self.is_client {
            self.stream = Some(self.quic.streams().open(Dir::Bi)?);
            self.expect_answer(now);
        }
        self.peer = self.quic.remote_address();
        self.is_up = true;
        // A client waits on for the server's word that it has seen the end of the handshake.
        self.handshake_until = self.handshake_until.filter(|_| self.quic.side() == Side::Client);
        Some(())
    }

    /// What datagrams to this server begin with; `None` until it is up.
    pub(crate) fn media_id(&self) -> Option<u32> {
        self.media.as_ref().map(|media| media.id)
    }

    fn accept_stream(&mut self) {
        if let Some(stream) = self.quic.streams().accept(Dir::Bi) {
            self.stream.get_or_insert(stream);
        }
    }

    fn reason(&self, error: ConnectionError) -> DownReason {
        match error {
            ConnectionError::ConnectionClosed(close) if close.error_code == TransportErrorCode::CONNECTION_REFUSED => {
                DownReason::Failed("the server takes no more connections now".to_owned())
            }
            ConnectionError::ApplicationClosed(_) | ConnectionError::ConnectionClosed(_) => DownReason::ClosedByPeer,
            ConnectionError::LocallyClosed => DownReason::Closed,
            ConnectionError::TimedOut | ConnectionError::Reset => DownReason::NoAnswer,
            // The verifier of the server's key has noted it before it refused it.
            other => self.refusal.get().cloned().unwrap_or_else(|| DownReason::Failed(other.to_string())),
        }
    }

    fn fail(&mut self, why: &str) {
        self.down.get_or_insert_with(|| DownReason::Failed(why.to_owned()));
    }

    pub(crate) fn close(&mut self, reason: DownReason) {
        self.down.get_or_insert(reason);
    }

    /// Ends it if it has to end: why, the first time.
    pub(crate) fn end(&mut self, now: Instant) -> Option<DownReason> {
        let reason = self.down.clone().filter(|_| !self.is_over)?;
        (self.is_over, self.is_up, self.handshake_until, self.look_at) = (true, false, None, None);
        if reason == DownReason::Closed && self.has_spoken {
            // What was said last, as why it ends, has to get there: after its `close` QUIC sends nothing but that.
            self.linger_until = Some(now + LINGER);
            self.write();
        } else {
            self.shut(now);
        }
        Some(reason)
    }

    fn shut(&mut self, now: Instant) {
        self.linger_until = None;
        if !self.quic.is_closed() {
            let in_order = matches!(self.down, Some(DownReason::Closed | DownReason::ClosedByPeer));
            self.quic.close(now, VarInt::from_u32(u32::from(!in_order)), Bytes::new());
        }
    }

    /// When [`Link::handle_timeout`] has something to do besides QUIC's.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.handshake_until, self.look_at, self.linger_until].into_iter().flatten().min()
    }

    /// Gives up a handshake that takes too long, and a last word that isn't acknowledged. A client that hears nothing lets QUIC ask: a server that has forgotten the connection, as
    /// after a restart, answers that with a reset.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.handshake_until.take_if(|until| *until <= now).is_some() {
            // Without it QUIC sends nothing but the end of its handshake, which a server that has started anew doesn't answer.
            let confirmed = self.is_up && self.quic.stats().frame_rx.handshake_done > 0;
            if !confirmed {
                self.close(DownReason::NoAnswer);
            }
        }
        if self.look_at.is_some_and(|at| at <= now) {
            self.look_at = None;
            if !self.heard {
                self.quic.ping();
                self.expect_answer(now);
            }
        }
        if self.linger_until.is_some_and(|until| until <= now) {
            self.shut(now);
        }
    }

    /// Notes that something is sent that has an answer sooner or later. Returns whether there is a new time to look.
    pub(crate) fn expect_answer(&mut self, now: Instant) -> bool {
        let looks_anew = self.is_client && self.look_at.is_none();
        if looks_anew {
            (self.look_at, self.heard) = (Some(now + SILENCE), false);
        }
        looks_anew
    }

    /// Sends a packet on the lane; false if too many wait.
    pub(crate) fn send_reliable(&mut self, packet: &[u8]) -> bool {
        let taken = self.out.push(packet);
        self.has_spoken |= taken;
        self.write();
        taken
    }

    fn write(&mut self) {
        let has_work = !self.out.is_empty() || self.linger_until.is_some();
        let Some(id) = self.stream.filter(|_| has_work) else { return };
        let mut stream = self.quic.send_stream(id);
        // Blocked by flow control: QUIC tells when there is room, and then it is asked again.
        let _ = self.out.write(|bytes| stream.write(bytes));
        if self.linger_until.is_some() && self.out.is_empty() {
            // Once; then it is an error that means nothing.
            let _ = stream.finish();
        }
    }

    fn read(&mut self, tell: &mut impl FnMut(Happened)) {
        let Some(id) = self.stream else { return };
        let mut stream = self.quic.recv_stream(id);
        let mut over = false;
        if let Ok(mut chunks) = stream.read(true) {
            while let Ok(chunk) = chunks.next(READ) {
                match chunk {
                    Some(chunk) => self.into.read(&chunk.bytes),
                    None => {
                        over = true;
                        break;
                    }
                }
            }
            let _ = chunks.finalize();
        }
        loop {
            match self.into.next() {
                Ok(Some(packet)) => tell(Happened::Reliable(packet)),
                Ok(None) => break,
                Err(_) => return self.fail("a packet on the lane that can't be"),
            }
        }
        if over && self.is_up {
            self.close(DownReason::ClosedByPeer);
        }
    }

    /// Bytes that packets may take in a datagram, each with its length; `None` while it isn't up.
    pub(crate) fn room(&self) -> Option<usize> {
        (self.is_up && self.media.is_some()).then(|| DATAGRAM - Sealer::overhead(self.sealed_id()))
    }

    fn sealed_id(&self) -> Option<u32> {
        self.media_id().filter(|_| self.is_client)
    }

    /// Seals the word that has to leave, appended to `out`; gives where it goes.
    pub(crate) fn poll_word(&mut self, out: &mut Vec<u8>) -> Option<SocketAddr> {
        let (to, word) = self.word.take()?;
        let mut plain = Vec::new();
        adapter_kit::pack_word(word, &mut plain);
        self.seal(&plain, out)?;
        Some(to)
    }

    /// Seals packets, appended to `out`; gives where they go.
    pub(crate) fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Option<SocketAddr> {
        let id = self.sealed_id();
        let media = self.media.as_mut().filter(|_| self.is_up)?;
        if media.sealer.seal(id, plain, out).is_none() {
            self.fail("all numbers have been used");
            return None;
        }
        Some(self.peer)
    }

    /// Opens a datagram; gives its packets, and how many they are.
    pub(crate) fn handle_datagram<'d>(
        &mut self,
        from: SocketAddr,
        header: Header,
        datagram: &'d mut [u8],
        challenge: impl FnOnce() -> [u8; 8],
    ) -> Result<(Packets<'d>, u64), Refused> {
        let media = self.media.as_mut().filter(|_| self.is_up).ok_or(Refused::Forged)?;
        let (plain, newest) = media.opener.open(header, datagram)?;
        self.heard = true;
        let (mut answered, mut asked, mut asked_address, mut packets) = (None, None, false, 0);
        for item in adapter_kit::unpack(plain) {
            match item {
                Item::Packet(_) => packets += 1,
                Item::Word(Word::Challenge(bytes)) => asked = Some(bytes),
                Item::Word(Word::Response(bytes)) => answered = Some(bytes),
                Item::Word(Word::AskAddress(_)) => asked_address = true,
                Item::Word(Word::Address(address)) => self.outside = Some(address),
            }
        }
        if let Some(bytes) = asked {
            self.word = Some((from, Word::Response(bytes)));
            // The server has seen a new address: QUIC has to show itself from there, too.
            self.quic.ping();
        }
        // Whoever answers from there gets what is sent there.
        if self.candidate.is_some_and(|(address, bytes)| address == from && answered == Some(bytes)) {
            (self.peer, self.candidate) = (from, None);
        }
        let moved = from != self.peer && newest && !self.is_client;
        if moved {
            // Asked again with each of its datagrams until it answers: what is sent is never more than what came.
            let asked = self.candidate.filter(|(address, _)| *address == from);
            let (_, bytes) = *self.candidate.insert(asked.unwrap_or_else(|| (from, challenge())));
            self.word = Some((from, Word::Challenge(bytes)));
        } else if asked_address && from == self.peer && !self.is_client {
            // Only there: the answer is longer than the question.
            self.word = Some((from, Word::Address(from)));
        }
        Ok((Packets::new(plain), packets))
    }

    /// Whether it would open a datagram, which stays as it is.
    pub(crate) fn opens(&self, header: Header, datagram: &[u8]) -> bool {
        self.media.as_ref().is_some_and(|media| media.opener.opens(header, &mut datagram.to_vec()))
    }

    /// Asks the server which address it sees; not while another word has to leave.
    pub(crate) fn ask_address(&mut self) {
        self.word.get_or_insert((self.peer, Word::AskAddress([0; 8])));
    }

    /// Whether a word has to leave.
    pub(crate) const fn has_word(&self) -> bool {
        self.word.is_some()
    }
}
