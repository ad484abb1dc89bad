//! What the server is at: `/healthz`, `/metrics` in the text format of Prometheus, `/state` as JSON, and `/status` for people. It is answered from what
//! the server's loop leaves, so a slow reader never holds up a frame. Metrics are written once a second; the state, which names everybody, only when
//! somebody asks for it.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::{
    Method,
    header::{CONTENT_TYPE, HeaderValue},
};
use tokio::{sync::oneshot, time::timeout};

use super::{
    history::{History, Reading},
    http::{self, Answers, Reply, Request},
};
use crate::{fail::Fail, server_state::ServerState};

/// The state is taken at most so often, however many ask.
const STATE_EVERY: Duration = Duration::from_millis(250);
/// How long who asks for the state waits for the loop.
const PATIENCE: Duration = Duration::from_secs(2);

/// The page for people, its style and its script.
const STATUS: [(&str, &str, &[u8]); 3] = [
    ("/status", "text/html; charset=utf-8", include_bytes!("status/status.html")),
    ("/status.css", "text/css; charset=utf-8", include_bytes!("status/status.css")),
    ("/status.js", "text/javascript; charset=utf-8", include_bytes!("status/status.js")),
];

/// What that page may do: nothing but to show itself, and to ask this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the loop leaves, shared by who writes and who answers.
#[derive(Clone, Default)]
pub(super) struct Page(Arc<Shared>);

#[derive(Default)]
struct Shared {
    pages: Mutex<Pages>,
    /// Somebody waits for the state.
    asked: AtomicBool,
}

#[derive(Default)]
struct Pages {
    metrics: String,
    history: History,
    /// Who waits for the state.
    waiting: Vec<oneshot::Sender<Arc<ServerState>>>,
    /// When the state was taken last.
    taken_at: Option<Instant>,
}

impl Page {
    pub(super) fn put(&self, metrics: String, reading: Reading) {
        let mut pages = self.lock();
        pages.metrics = metrics;
        pages.history.add(reading);
    }

    /// Takes the state if somebody waits for it; costs next to nothing else.
    pub(super) fn offer_state(&self, now: Instant, state: impl FnOnce() -> ServerState) {
        if !self.0.asked.load(Ordering::Relaxed) {
            return;
        }
        let mut pages = self.lock();
        if pages.taken_at.is_some_and(|at| now.saturating_duration_since(at) < STATE_EVERY) {
            return;
        }
        pages.taken_at = Some(now);
        self.0.asked.store(false, Ordering::Relaxed);
        let state = Arc::new(state());
        for waiting in pages.waiting.drain(..) {
            // Who has lost patience needs no answer.
            let _ = waiting.send(Arc::clone(&state));
        }
    }

    /// The state after this call; `None` if the loop is too busy to give it.
    async fn state(&self) -> Option<Arc<ServerState>> {
        let (taken, state) = oneshot::channel();
        {
            let mut pages = self.lock();
            pages.waiting.retain(|waiting| !waiting.is_closed());
            pages.waiting.push(taken);
            self.0.asked.store(true, Ordering::Relaxed);
        }
        timeout(PATIENCE, state).await.ok()?.ok()
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers at this address until the program ends; the address it got.
pub(super) fn answer(address: SocketAddr, page: Page) -> Result<SocketAddr, Fail> {
    let fail = |error| Fail::new(format!("--http {address}: {error}"), "name another address by --http ADDRESS:PORT");
    let listener = TcpListener::bind(address).map_err(fail)?;
    let bound = listener.local_addr().unwrap_or(address);
    http::serve(listener, None, Operator { page, is_private: bound.ip().is_loopback() }).map_err(fail)?;
    Ok(bound)
}

struct Operator {
    page: Page,
    /// Only this machine can ask.
    is_private: bool,
}

impl Answers for Operator {
    async fn answer(&self, request: Request, _: SocketAddr) -> Reply {
        const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");
        if *request.method() != Method::GET && *request.method() != Method::HEAD {
            return http::text(405, "only GET\n");
        }
        // What is borrowed from a request can't be kept over a wait.
        let path = request.uri().path().to_owned();
        match path.as_str() {
            "/healthz" => http::text(200, "ok\n"),
            "/metrics" => {
                let mut reply = http::text(200, self.page.lock().metrics.clone());
                reply.headers_mut().insert(CONTENT_TYPE, METRICS);
                reply
            }
            _ if self.is_private && !http::names_this_machine(&request) => {
                http::text(403, "ask for it by an IP address or localhost\n")
            }
            "/state" => match self.page.state().await {
                Some(state) => http::json(self.told(state).to_json()),
                None => http::text(503, "the server is too busy\n"),
            },
            "/status/history" => {
                let after = request.uri().query().and_then(|query| query.strip_prefix("after=")?.parse().ok());
                let part = self.page.lock().history.after(after.unwrap_or(0));
                http::json(serde_json::to_vec(&part).unwrap_or_default())
            }
            path => match STATUS.iter().find(|(at, ..)| *at == path) {
                Some((_, kind, bytes)) => status_file(&request, kind, bytes),
                None => http::text(404, "there are /status, /healthz, /metrics and /state\n"),
            },
        }
    }
}

impl Operator {
    /// The state as far as everybody who can ask may know it: where people are is for this machine alone.
    fn told(&self, state: Arc<ServerState>) -> ServerState {
        let mut state = Arc::unwrap_or_clone(state);
        if !self.is_private {
            state.people.iter_mut().for_each(|person| person.address = None);
        }
        state
    }
}

fn status_file(request: &Request, kind: &'static str, bytes: &'static [u8]) -> Reply {
    let mut reply = http::file(request, kind, bytes);
    reply.headers_mut().insert("content-security-policy", HeaderValue::from_static(POLICY));
    reply
}
