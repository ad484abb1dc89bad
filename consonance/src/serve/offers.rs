//! Browsers' offers: `POST /offer` with the offer in SDP, answered with the server's (docs/WEBRTC.md, 1). A thread takes the requests, a short-lived
//! one reads each offer, and the server's loop answers it when its turn comes; so nobody who is slow holds up a frame.

use std::{
    io::{self, Read},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use adapter_webrtc::{BadOffer, LONGEST_OFFER, Offer, Refusal};
use tiny_http::{Header, Method, Request, Response, Server};

/// Requests that are read and answered at once. More are told to come again.
const MOST: usize = 64;
/// Offers that are answered before anything else gets its turn: to make a connection takes some 2 ms.
const AT_ONCE: usize = 1;
/// How long the loop may take for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

type Answer = Result<String, Refusal>;

struct Posted {
    offer: Offer,
    from: IpAddr,
    answer: SyncSender<Answer>,
}

/// Offers that wait for the loop.
pub(super) struct Inbox {
    posted: Receiver<Posted>,
    #[cfg(unix)]
    woken: std::os::unix::net::UnixStream,
}

impl Inbox {
    /// Answers an offer, if one has come.
    pub(super) fn answer(&mut self, mut accept: impl FnMut(Offer, IpAddr) -> Answer) {
        for _ in 0..self.come() {
            let Ok(posted) = self.posted.try_recv() else { return };
            // Whoever has lost patience needs no answer.
            let _ = posted.answer.try_send(accept(posted.offer, posted.from));
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

/// What each request's thread has of the loop.
#[derive(Clone)]
struct Outbox {
    posted: SyncSender<Posted>,
    busy: Arc<AtomicUsize>,
    #[cfg(unix)]
    wake: Arc<std::os::unix::net::UnixStream>,
}

/// Takes offers at this address until the program ends.
pub(super) fn listen(address: SocketAddr) -> io::Result<Inbox> {
    let server = Server::http(address).map_err(|error| match error.downcast::<io::Error>() {
        Ok(error) => *error,
        Err(other) => io::Error::other(other),
    })?;
    let (posted, inbox) = sync_channel(MOST);
    #[cfg(unix)]
    let (wake, woken) = std::os::unix::net::UnixStream::pair()?;
    #[cfg(unix)]
    for end in [&wake, &woken] {
        end.set_nonblocking(true)?;
    }
    let outbox = Outbox {
        posted,
        busy: Arc::default(),
        #[cfg(unix)]
        wake: Arc::new(wake),
    };
    std::thread::spawn(move || {
        for request in server.incoming_requests() {
            outbox.take(request);
        }
    });
    Ok(Inbox {
        posted: inbox,
        #[cfg(unix)]
        woken,
    })
}

impl Outbox {
    fn take(&self, request: Request) {
        if let Err(refused) = check(&request) {
            return refused.send(request);
        }
        if self.busy.fetch_add(1, Ordering::Relaxed) >= MOST {
            self.busy.fetch_sub(1, Ordering::Relaxed);
            return Refused::new(503, "too many offers at once; try again").send(request);
        }
        let own = self.clone();
        let read = std::thread::Builder::new().spawn(move || {
            own.read(request);
            own.busy.fetch_sub(1, Ordering::Relaxed);
        });
        if read.is_err() {
            // The request went with the thread that there isn't.
            self.busy.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn read(&self, mut request: Request) {
        match self.exchange(&mut request) {
            Ok(answer) => {
                let response = Response::from_string(answer);
                // Whoever hung up needs no answer.
                let _ = request.respond(response.with_header(header("Content-Type", "application/sdp")));
            }
            Err(refused) => refused.send(request),
        }
    }

    fn exchange(&self, request: &mut Request) -> Result<String, Refused> {
        let from = whose(request).ok_or(Refused::new(400, "no address"))?;
        let mut sdp = String::new();
        let read = request.as_reader().take(LONGEST_OFFER as u64 + 1).read_to_string(&mut sdp);
        read.map_err(|_| Refused::new(400, "the offer is not text"))?;
        let offer = Offer::parse(&sdp).map_err(|bad| match bad {
            BadOffer::TooLong => Refused::new(413, bad),
            _ => Refused::new(400, bad),
        })?;
        let (answer, answered) = sync_channel(1);
        let busy = || Refused::new(503, "the server is busy; try again");
        self.posted.try_send(Posted { offer, from, answer }).map_err(|_| busy())?;
        self.wake();
        answered.recv_timeout(PATIENCE).map_err(|_| busy())?.map_err(|refusal| match refusal {
            Refusal::Unusable => Refused::new(400, refusal),
            Refusal::TooOften => Refused::new(429, refusal),
            _ => Refused::new(503, refusal),
        })
    }

    /// Ends the loop's sleep.
    #[cfg(unix)]
    fn wake(&self) {
        let _ = io::Write::write(&mut &*self.wake, &[1]);
    }

    #[cfg(not(unix))]
    fn wake(&self) {}
}

/// Whether it is an offer, as far as its head tells.
fn check(request: &Request) -> Result<(), Refused> {
    if request.url() != "/offer" {
        return Err(Refused::new(404, "there is /offer"));
    }
    if *request.method() != Method::Post {
        return Err(Refused::new(405, "only POST"));
    }
    // A page of another site can't set this without being allowed to (CORS), and nobody is: offers come from the server's own pages.
    let kind = value(request, "Content-Type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/sdp") {
        return Err(Refused::new(415, "the offer has to be application/sdp"));
    }
    match request.body_length() {
        None => Err(Refused::new(411, "the length has to be said")),
        Some(length) if length > LONGEST_OFFER => Err(Refused::new(413, BadOffer::TooLong)),
        Some(_) => Ok(()),
    }
}

/// Who offers. A proxy on this machine is believed about that; whoever else says so isn't.
fn whose(request: &Request) -> Option<IpAddr> {
    let own = request.remote_addr()?.ip();
    let said = value(request, "X-Forwarded-For").filter(|_| own.is_loopback());
    Some(said.and_then(|said| said.rsplit(',').next()?.trim().parse().ok()).unwrap_or(own))
}

fn value<'a>(request: &'a Request, name: &'static str) -> Option<&'a str> {
    request.headers().iter().find(|header| header.field.equiv(name)).map(|header| header.value.as_str())
}

/// Why an offer isn't answered: the status, and for people.
struct Refused(u16, String);

impl Refused {
    fn new(status: u16, why: impl ToString) -> Self {
        Self(status, why.to_string())
    }

    fn send(self, request: Request) {
        let response = Response::from_string(self.1 + "\n").with_status_code(self.0);
        let response = response.with_header(header("Content-Type", "text/plain"));
        let response = match self.0 {
            405 => response.with_header(header("Allow", "POST")),
            429 | 503 => response.with_header(header("Retry-After", "2")),
            _ => response,
        };
        let _ = request.respond(response);
    }
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("a header")
}
