//! Browsers' offers: `POST /offer` with the offer in SDP, answered with the server's (docs/WEBRTC.md, 1). What answers HTTP reads the offer and prepares
//! its connection, which is nearly all of the work; the server's loop only takes it in when its turn comes. So no offer holds up a frame.

use std::{
    io::{self, Read},
    net::{IpAddr, SocketAddr},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::Duration,
};

use adapter_webrtc::{BadOffer, Desk, LONGEST_OFFER, Offer, Prepared, Refusal};
use hyper::{
    Method,
    body::Body,
    header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

use super::http::{self, NoBody, Reply, Request};
use crate::clock::Clock;

/// Offers that are read and answered at once. More are told to come again.
const MOST: usize = 64;
/// Connections that are taken in before anything else gets its turn: each takes some 0.1 ms.
const AT_ONCE: usize = 8;
/// How long the loop may take for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

type Answer = Result<String, Refusal>;

struct Posted {
    prepared: Prepared,
    answer: oneshot::Sender<Answer>,
}

/// Offers that wait for the loop.
pub(super) struct Inbox {
    posted: Receiver<Posted>,
    #[cfg(unix)]
    woken: std::os::unix::net::UnixStream,
}

impl Inbox {
    /// Answers the offers that have come, a bounded number of them.
    pub(super) fn answer(&mut self, mut accept: impl FnMut(Prepared) -> Answer) {
        for _ in 0..self.come() {
            let Ok(posted) = self.posted.try_recv() else { return };
            // Whoever has lost patience needs no answer, and no connection.
            if !posted.answer.is_closed() {
                let _ = posted.answer.send(accept(posted.prepared));
            }
        }
    }

    /// How many have come: with each comes a byte, so that the loop doesn't sleep as long as any is left.
    #[cfg(unix)]
    fn come(&mut self) -> usize {
        self.woken.read(&mut [0; AT_ONCE]).unwrap_or(0)
    }

    #[cfg(not(unix))]
    fn come(&mut self) -> usize {
        AT_ONCE
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for Inbox {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.woken)
    }
}

/// What those who offer have of the loop.
pub(super) struct Outbox {
    desk: Desk,
    clock: Clock,
    posted: SyncSender<Posted>,
    busy: Semaphore,
    #[cfg(unix)]
    wake: std::os::unix::net::UnixStream,
}

/// Both ends of the way that offers take.
pub(super) fn pair(desk: Desk) -> io::Result<(Outbox, Inbox)> {
    let (posted, inbox) = sync_channel(MOST);
    #[cfg(unix)]
    let (wake, woken) = std::os::unix::net::UnixStream::pair()?;
    #[cfg(unix)]
    for end in [&wake, &woken] {
        end.set_nonblocking(true)?;
    }
    let outbox = Outbox {
        desk,
        clock: Clock::start(),
        posted,
        busy: Semaphore::new(MOST),
        #[cfg(unix)]
        wake,
    };
    let inbox = Inbox {
        posted: inbox,
        #[cfg(unix)]
        woken,
    };
    Ok((outbox, inbox))
}

impl Outbox {
    /// The answer to an offer.
    pub(super) async fn reply(&self, request: Request, from: SocketAddr) -> Reply {
        match self.exchange(request, from).await {
            Ok(answer) => {
                let mut reply = http::text(200, answer);
                reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/sdp"));
                reply
            }
            Err(refused) => refused.into(),
        }
    }

    async fn exchange(&self, request: Request, from: SocketAddr) -> Result<String, Refused> {
        check(&request)?;
        let busy = self.busy.try_acquire();
        let _busy = busy.map_err(|_| Refused::new(503, "too many offers at once; try again"))?;
        let from = whose(&request, from.ip());
        let sdp = http::body(request, LONGEST_OFFER).await.map_err(|error| match error {
            NoBody::TooLong => Refused::new(413, BadOffer::TooLong),
            NoBody::Lost => Refused::new(408, "the offer did not come whole"),
        })?;
        let sdp = str::from_utf8(&sdp).map_err(|_| Refused::new(400, "the offer is not text"))?;
        let offer = Offer::parse(sdp).map_err(|bad| match bad {
            BadOffer::TooLong => Refused::new(413, bad),
            _ => Refused::new(400, bad),
        })?;
        let prepared = self.desk.prepare(self.clock.now().real, offer, from).map_err(Refused::from)?;
        let (answer, answered) = oneshot::channel();
        let busy = || Refused::new(503, "the server is busy; try again");
        self.posted.try_send(Posted { prepared, answer }).map_err(|_| busy())?;
        self.wake();
        let answer = timeout(PATIENCE, answered).await.ok().and_then(Result::ok).ok_or_else(busy)?;
        answer.map_err(Refused::from)
    }

    /// Ends the loop's sleep.
    #[cfg(unix)]
    fn wake(&self) {
        let _ = io::Write::write(&mut &self.wake, &[1]);
    }

    #[cfg(not(unix))]
    fn wake(&self) {}
}

/// Whether it is an offer, as far as its head tells.
fn check(request: &Request) -> Result<(), Refused> {
    if request.method() != Method::POST {
        return Err(Refused::new(405, "only POST"));
    }
    // A page of another site can't set this without being allowed to (CORS), and nobody is: offers come from the server's own pages.
    let kind = http::value(request, CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/sdp") {
        return Err(Refused::new(415, "the offer has to be application/sdp"));
    }
    match request.body().size_hint().exact() {
        None => Err(Refused::new(411, "the length has to be said")),
        Some(length) if length > LONGEST_OFFER as u64 => Err(Refused::new(413, BadOffer::TooLong)),
        Some(_) => Ok(()),
    }
}

/// Who offers. A proxy on this machine is believed about that; whoever else says so isn't.
fn whose(request: &Request, own: IpAddr) -> IpAddr {
    // The last one of the last line: what is before it came from whom the proxy was asked by.
    let lines = request.headers().get_all("x-forwarded-for");
    let said = lines.iter().next_back().filter(|_| own.is_loopback()).and_then(|line| line.to_str().ok());
    said.and_then(|said| said.rsplit(',').next()?.trim().parse().ok()).unwrap_or(own)
}

/// Why an offer isn't answered: the status, and for people.
struct Refused(u16, String);

impl Refused {
    fn new(status: u16, why: impl ToString) -> Self {
        Self(status, why.to_string())
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unusable => Self::new(400, refusal),
            Refusal::TooOften => Self::new(429, refusal),
            _ => Self::new(503, refusal),
        }
    }
}

impl From<Refused> for Reply {
    fn from(refused: Refused) -> Self {
        let mut reply = http::text(refused.0, refused.1 + "\n");
        match refused.0 {
            405 => drop(reply.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"))),
            429 | 503 => drop(reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"))),
            _ => {}
        }
        reply
    }
}
