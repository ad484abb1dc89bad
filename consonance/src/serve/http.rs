//! What the server is at: `/healthz`, `/metrics` in the text format of Prometheus, and `/state` as JSON. A thread of its own answers from pages that the
//! server's loop fills, so a slow reader never holds up a frame. Metrics are written once a second; the state, which names everybody, only when somebody
//! asks for it.

use std::{
    fmt::Write,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tiny_http::{Header, Method, Request, Response, Server};

use crate::{fail::Fail, server_state::ServerState};

/// The state is taken at most so often, however many ask.
const STATE_EVERY: Duration = Duration::from_millis(250);
/// How long who asks for the state waits for the loop.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pages, shared by who writes and who answers.
#[derive(Clone, Default)]
pub(super) struct Page(Arc<Shared>);

#[derive(Default)]
struct Shared {
    pages: Mutex<Pages>,
    /// Somebody waits for the state.
    asked: AtomicBool,
    taken: Condvar,
}

#[derive(Default)]
struct Pages {
    metrics: String,
    state: Option<Arc<ServerState>>,
    /// When the state was taken last.
    taken_at: Option<Instant>,
}

impl Page {
    pub(super) fn put(&self, text: String) {
        self.lock().metrics = text;
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
        pages.state = Some(Arc::new(state()));
        pages.taken_at = Some(now);
        self.0.asked.store(false, Ordering::Relaxed);
        self.0.taken.notify_all();
    }

    fn metrics(&self) -> String {
        self.lock().metrics.clone()
    }

    /// The state after this call; `None` if the loop is too busy to give it.
    fn state(&self) -> Option<Arc<ServerState>> {
        let mut pages = self.lock();
        pages.state = None;
        self.0.asked.store(true, Ordering::Relaxed);
        let waited = self.0.taken.wait_timeout_while(pages, PATIENCE, |pages| pages.state.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.state.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers at this address until the program ends; the address it got.
pub(super) fn answer(address: SocketAddr, page: Page) -> Result<SocketAddr, Fail> {
    let server = Server::http(address).map_err(|error| {
        Fail::new(format!("--http {address}: {error}"), "name another address by --http ADDRESS:PORT")
    })?;
    let bound = server.server_addr().to_ip().unwrap_or(address);
    std::thread::spawn(move || {
        for request in server.incoming_requests() {
            let (status, kind, text) = respond(&request, bound, &page);
            let kind = Header::from_bytes("Content-Type", kind).expect("a header");
            // Whoever hung up needs no answer.
            let _ = request.respond(Response::from_string(text).with_status_code(status).with_header(kind));
        }
    });
    Ok(bound)
}

/// Status, kind and text.
fn respond(request: &Request, bound: SocketAddr, page: &Page) -> (u16, &'static str, String) {
    const TEXT: &str = "text/plain; version=0.0.4";
    match (request.method(), request.url()) {
        (Method::Get, "/healthz") => (200, TEXT, "ok\n".to_owned()),
        (Method::Get, "/metrics") => (200, TEXT, page.metrics()),
        (Method::Get, "/state") if bound.ip().is_loopback() && !names_this_machine(request) => {
            (403, TEXT, "ask for it by an IP address or localhost\n".to_owned())
        }
        (Method::Get, "/state") => match page.state() {
            Some(state) => (200, "application/json", state.to_json()),
            None => (503, TEXT, "the server is too busy\n".to_owned()),
        },
        (Method::Get, _) => (404, TEXT, "there are /healthz, /metrics and /state\n".to_owned()),
        _ => (405, TEXT, "only GET\n".to_owned()),
    }
}

/// Whether the request was made to an address and no name: a page in somebody's browser could let a name of its own point here, and read who is there
/// (DNS rebinding).
fn names_this_machine(request: &Request) -> bool {
    let host = request.headers().iter().find(|header| header.field.equiv("Host")).map(|header| header.value.as_str());
    let Some(host) = host else { return true };
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.contains(']') { host } else { name });
    name == "localhost" || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

/// Builds the text format: each metric with its kind and what it is.
#[derive(Default)]
pub(super) struct Metrics(String);

impl Metrics {
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.one("gauge", name, help, &[("", value)]);
    }

    /// A counter, with a value for each label such as `reason="late"`, or one for no label.
    pub(super) fn counter(&mut self, name: &str, help: &str, values: &[(&str, u64)]) {
        self.one("counter", name, help, values);
    }

    /// A counter of what was dropped, by reason.
    pub(super) fn drops<'a>(&mut self, of: &str, help: &str, values: impl IntoIterator<Item = (&'a str, u64)>) {
        let values: Vec<_> =
            values.into_iter().map(|(reason, count)| (format!("reason=\"{reason}\""), count)).collect();
        let values: Vec<(&str, u64)> = values.iter().map(|(label, count)| (label.as_str(), *count)).collect();
        self.counter(&format!("{of}_dropped_total"), help, &values);
    }

    fn one(&mut self, kind: &str, name: &str, help: &str, values: &[(&str, u64)]) {
        let _ = writeln!(self.0, "# HELP consonance_{name} {help}\n# TYPE consonance_{name} {kind}");
        for (label, value) in values {
            let label = if label.is_empty() { String::new() } else { format!("{{{label}}}") };
            let _ = writeln!(self.0, "consonance_{name}{label} {value}");
        }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}
