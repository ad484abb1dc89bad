//! What the server is at, for machines: `/healthz`, and `/metrics` in the text format of Prometheus. A thread of its own answers from a page that the
//! server's loop writes anew once a second, so a slow reader never holds up a frame.

use std::{
    fmt::Write,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tiny_http::{Header, Method, Response, Server};

use crate::fail::Fail;

/// The page, shared by who writes and who answers.
#[derive(Clone, Default)]
pub(super) struct Page(Arc<Mutex<String>>);

impl Page {
    pub(super) fn put(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
            let (status, text) = match (request.method(), request.url()) {
                (Method::Get, "/healthz") => (200, "ok\n".to_owned()),
                (Method::Get, "/metrics") => (200, page.get()),
                (Method::Get, _) => (404, "there are /healthz and /metrics\n".to_owned()),
                _ => (405, "only GET\n".to_owned()),
            };
            let kind = Header::from_bytes("Content-Type", "text/plain; version=0.0.4").expect("a header");
            // Whoever hung up needs no answer.
            let _ = request.respond(Response::from_string(text).with_status_code(status).with_header(kind));
        }
    });
    Ok(bound)
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
