//! Where offers are looked at: whether their address may make one, and what they would be answered. It is most of the work of a new connection, so it
//! may be done by another thread than the one that moves packets.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use adapter_kit::{Limits, Source};
use str0m::{Candidate, Rtc, config::DtlsCert};

use crate::{endpoint::Config, link::Link, offer::Offer};

/// Why an offer gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// What it offers can't be used.
    Unusable,
    /// Its address has made too many, or has too many links.
    TooOften,
    /// There is no room for another link.
    Full,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unusable => "the offer lacks what a data channel needs",
            Self::TooOften => "too many connections from this address; try again in some seconds",
            Self::Full => "the server is full; try again later",
        })
    }
}

impl std::error::Error for Refusal {}

/// A connection that is ready to begin, with the answer to its offer. One that isn't used costs nothing but its memory.
pub struct Prepared {
    pub(crate) rtc: Box<Rtc>,
    pub(crate) answer: String,
    pub(crate) source: Source,
    /// When it was made.
    pub(crate) at: Instant,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("source", &self.source).finish_non_exhaustive()
    }
}

/// The part of an [`Endpoint`](crate::Endpoint) that looks at offers. Its copies are the same desk.
#[derive(Clone)]
pub struct Desk(Arc<Shared>);

struct Shared {
    certificate: DtlsCert,
    candidates: Vec<Candidate>,
    limits: Mutex<Limits>,
    /// There is no room for another connection.
    is_full: AtomicBool,
    /// Offers while there was none.
    full: AtomicU64,
    /// Offers of addresses that had made too many.
    too_often: AtomicU64,
}

impl Desk {
    pub(crate) fn new(config: &Config, certificate: DtlsCert, candidates: Vec<Candidate>) -> Self {
        let limits = Limits::new(config.offers_per_address, config.offer_every, config.links_per_address);
        Self(Arc::new(Shared {
            certificate,
            candidates,
            limits: Mutex::new(limits),
            is_full: AtomicBool::new(false),
            full: AtomicU64::new(0),
            too_often: AtomicU64::new(0),
        }))
    }

    /// Prepares the connection that an offer asks for, if its address may have one more: some milliseconds of work. Refused ones cost next to nothing.
    /// [`Endpoint::accept`](crate::Endpoint::accept) begins it.
    ///
    /// # Errors
    /// Each [`Refusal`].
    pub fn prepare(&self, now: Instant, offer: Offer, from: IpAddr) -> Result<Prepared, Refusal> {
        let source = Source::of(from);
        if !self.limits().begin(now, source) {
            return self.refuse();
        }
        self.may_link(source)?;
        if self.0.is_full.load(Ordering::Relaxed) {
            return Err(self.refuse_as_full());
        }
        let mut rtc = Link::config().set_dtls_cert(self.0.certificate.clone()).build(now);
        for candidate in &self.0.candidates {
            rtc.add_local_candidate(candidate.clone());
        }
        let answer = rtc.sdp_api().accept_offer(offer.0).map_err(|_| Refusal::Unusable)?.to_sdp_string();
        Ok(Prepared { rtc: Box::new(rtc), answer, source, at: now })
    }

    pub(crate) fn may_link(&self, source: Source) -> Result<(), Refusal> {
        let may = self.limits().may_link(source);
        if may { Ok(()) } else { self.refuse() }
    }

    /// Whether there is room for another connection. It may come a little late: the endpoint looks again.
    pub(crate) fn tell_room(&self, is_full: bool) {
        self.0.is_full.store(is_full, Ordering::Relaxed);
    }

    pub(crate) fn refuse_as_full(&self) -> Refusal {
        self.0.full.fetch_add(1, Ordering::Relaxed);
        Refusal::Full
    }

    pub(crate) fn begin(&self, source: Source) {
        self.limits().add_link(source);
    }

    pub(crate) fn end(&self, source: Source) {
        self.limits().remove_link(source);
    }

    /// Offers that were refused: while there was no room, and of addresses that had made too many.
    pub(crate) fn refused(&self) -> (u64, u64) {
        (self.0.full.load(Ordering::Relaxed), self.0.too_often.load(Ordering::Relaxed))
    }

    /// What browsers are told to send to.
    pub(crate) fn candidates(&self) -> &[Candidate] {
        &self.0.candidates
    }

    fn refuse<T>(&self) -> Result<T, Refusal> {
        self.0.too_often.fetch_add(1, Ordering::Relaxed);
        Err(Refusal::TooOften)
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.0.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
