//! `consonance serve`: a server on one UDP port, and one more for browsers.

mod adapter;
mod admission;
mod browsers;
mod certificate;
mod history;
mod http;
mod ingress;
mod metrics;
mod offers;
mod operator;
#[cfg(test)]
mod overload;
mod pages;
mod session;
mod settings;
mod state;
mod udp;
mod wait;
mod web;
mod webrtc;

use std::{process::ExitCode, sync::atomic::Ordering, time::Duration};

use adapter_udp::{Endpoint, Socket};

use crate::{cli::ServeArgs, clock::Clock, fail::Fail, home, log, stop::stop_flag};
use adapter::Adapter;
use admission::Admission;
pub(crate) use admission::{TOO_MANY_TRIES, WRONG_PASSWORD};
use certificate::Files;
use operator::Page;
use session::Session;
pub(crate) use session::seed;
use settings::Settings;
use udp::Udp;

/// The port, if none is said.
pub(crate) const PORT: u16 = 7757;
/// The loop looks at least so often whether it is to stop.
const NAP: Duration = Duration::from_millis(100);
/// The page of metrics is written so often.
const PAGE_EVERY: Duration = Duration::from_secs(1);
/// How long clients are given to take the goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

pub(crate) fn run(args: &ServeArgs) -> Result<ExitCode, Fail> {
    let settings = Settings::of(args)?;
    let _log = log::start(settings.log);
    let identity = match &settings.certificate {
        Some((certificate, key)) => {
            let (certificate_flag, key_flag) = ("--certificate", "--key");
            let harm = "whoever joins with --verify is turned away";
            certificate::identity(&Files { certificate_flag, certificate, key_flag, key, harm })?
        }
        None => home::identity(&home::folder()?, "server.pem")?,
    };
    let admission = Admission::new(settings.password.as_deref())?;
    let socket = Socket::bind(settings.listen).map_err(|error| {
        let cure = match error.kind() {
            std::io::ErrorKind::AddrInUse => "stop the other program, or name another port by --listen ADDRESS:PORT",
            std::io::ErrorKind::AddrNotAvailable => "name an address of this machine, or 0.0.0.0 for all of them",
            std::io::ErrorKind::PermissionDenied => "name a port from 1024 on",
            _ => "name another address by --listen ADDRESS:PORT",
        };
        Fail::new(format!("--listen {}: {error}", settings.listen), cure)
    })?;
    let address = socket.address().unwrap_or(settings.listen);
    let endpoint = Endpoint::server(settings.udp(), identity);
    say!("consonance serve: listening on {address}");
    say!("fingerprint {}", endpoint.fingerprint());
    say!("{}", admission.about());
    let page = Page::default();
    if let Some(address) = settings.http {
        say!(
            "what it is at: http://{}/status, /metrics, /healthz and /state",
            operator::answer(address, page.clone())?
        );
    }
    let stop = stop_flag();
    let mut adapters: Vec<Box<dyn Adapter>> = vec![Box::new(Udp::new(socket, endpoint))];
    adapters.extend(browsers::let_in(&settings)?);
    say!("join with: consonance join {} --name NAME --room ROOM", joinable(address));
    let mut server = Session::new(adapters, admission, &settings);
    let clock = Clock::start();
    serve(&mut server, &page, clock, || stop.load(Ordering::Relaxed))?;
    tracing::info!("stopping: telling everybody");
    server.say_goodbye(clock.now());
    let until = clock.now().real + GOODBYE;
    serve(&mut server, &page, clock, || clock.now().real >= until)?;
    say!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// The loop: in, due, out, sleep.
fn serve(server: &mut Session, page: &Page, clock: Clock, is_over: impl Fn() -> bool) -> Result<(), Fail> {
    let mut page_at = clock.now().real;
    while !is_over() {
        let now = clock.now();
        if now.real >= page_at {
            let reading = server.reading(clock.seconds());
            page.put(server.metrics(&reading), reading);
            page_at = now.real + PAGE_EVERY;
        }
        page.offer_state(now.real, || server.state(clock.seconds()));
        server.turn(now);
        let waited = server.wait(clock.now(), NAP);
        waited.map_err(|error| Fail::new(format!("the socket: {error}"), "start the server again"))?;
    }
    Ok(())
}

fn joinable(address: std::net::SocketAddr) -> String {
    let ip = if address.ip().is_unspecified() { "localhost".to_owned() } else { address.ip().to_string() };
    if address.port() == PORT { ip } else { format!("{ip}:{}", address.port()) }
}
