//! `consonance load`: many clients in one spinning thread, so that no wake-up of theirs is charged to the server, and what the server's work came to.

mod client;
mod cost;
mod figures;

use std::{process::ExitCode, time::Duration};

use adapter_udp::{Config, Endpoint, Identity, Socket};

use crate::{
    cli::LoadArgs,
    clock::{Clock, Now},
    fail::Fail,
    join::resolve,
};
use client::LoadClient;
use cost::Process;
use figures::{Delays, Figures};

/// Clients that join at a time: a server that is built up by hundreds at once is another test.
const JOINING: usize = 20;
/// A client that isn't in by then isn't coming.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long frames that are under way are waited for.
const AFTERWARDS: Duration = Duration::from_millis(500);

pub(crate) fn run(args: &LoadArgs) -> Result<ExitCode, Fail> {
    let server = resolve(&args.server)?;
    let process = args.pid.map(Process::find).transpose()?;
    if usize::from(args.rooms) * usize::from(args.speakers) > usize::from(args.clients) {
        let what = format!(
            "{} rooms with {} speakers each need more than {} clients",
            args.rooms, args.speakers, args.clients
        );
        return Err(Fail::new(what, "ask for more --clients or fewer --speakers"));
    }
    let clock = Clock::start();
    let identity =
        Identity::generate().map_err(|error| Fail::new(format!("no identity can be made: {error}"), "try again"))?;
    let mut clients = Vec::new();
    let memory_before = process.as_ref().and_then(Process::memory);
    let begin = clock.now().real;
    while clients.len() < usize::from(args.clients) || clients.iter().any(|client: &LoadClient| !client.is_in()) {
        let now = clock.now();
        let waiting = clients.iter().filter(|client| !client.is_in()).count();
        if waiting < JOINING && clients.len() < usize::from(args.clients) {
            clients.push(open(args, clients.len(), server, identity.clone(), now)?);
        }
        clients.iter_mut().for_each(|client| client.turn(now, None));
        if now.real.saturating_duration_since(begin) > PATIENCE {
            let (got, all) = (clients.iter().filter(|client| client.is_in()).count(), args.clients);
            let what = format!("{}: {got} of {all} clients got in within {} s", args.server, PATIENCE.as_secs());
            return Err(Fail::new(
                what,
                "look whether the server runs, wants a password (--password), or is full (serve --clients)",
            ));
        }
    }
    eprintln!("{} clients are in; measuring for {} s", clients.len(), args.seconds);
    let memory = process.as_ref().and_then(Process::memory).zip(memory_before);
    let figures = measure(args, &mut clients, clock, process.as_ref(), memory);
    leave(&mut clients, clock);
    if args.json {
        println!("{}", figures.json())
    } else {
        print!("{figures}")
    }
    Ok(ExitCode::SUCCESS)
}

fn open(
    args: &LoadArgs,
    number: usize,
    server: std::net::SocketAddr,
    identity: Identity,
    now: Now,
) -> Result<LoadClient, Fail> {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = Socket::bind(any.parse().expect("an address")).map_err(|error| {
        Fail::new(
            format!("client {number} has no UDP socket: {error}"),
            "raise the limit of open files (ulimit -n), or ask for fewer --clients",
        )
    })?;
    let transport = Endpoint::client(Config { links: 4, ..Config::DEFAULT }, identity);
    let (room, seat) = (number % usize::from(args.rooms), number / usize::from(args.rooms));
    // Nobody's frames are in step with another's, unless that is asked for.
    let phase = if args.aligned { 0 } else { number as u64 * 7_919 % 20_000 };
    let speaks = seat < usize::from(args.speakers);
    Ok(LoadClient::new(
        transport,
        server,
        socket,
        now,
        client::Role { number, room, speaks, phase },
        args.password.as_deref(),
    ))
}

fn measure(
    args: &LoadArgs,
    clients: &mut [LoadClient],
    clock: Clock,
    process: Option<&Process>,
    memory: Option<(u64, u64)>,
) -> Figures {
    let mut delays = Delays::default();
    // Talkspurts begin, and the server learns who hears whom, before anything counts.
    let start = clock.now().real + Duration::from_secs(1);
    spin(clients, clock, start, None);
    let before: Vec<_> = clients.iter().map(LoadClient::traffic).collect();
    let (busy, from) = (process.and_then(Process::busy), clock.now().real);
    clients.iter_mut().for_each(LoadClient::begin_count);
    spin(clients, clock, from + Duration::from_secs(args.seconds), Some(&mut delays));
    let (busy, to) = (process.and_then(Process::busy).zip(busy), clock.now().real);
    let spoken: u64 = clients.iter().map(LoadClient::spoken).sum();
    let datagrams: u64 = clients.iter().zip(&before).map(|(c, b)| c.traffic().datagrams_in - b.datagrams_in).sum();
    let heard = delays.count();
    clients.iter_mut().for_each(LoadClient::stop_talking);
    spin(clients, clock, to + AFTERWARDS, Some(&mut delays));
    let per_room = usize::from(args.clients) / usize::from(args.rooms);
    Figures {
        clients: clients.len(),
        seconds: to.duration_since(from).as_secs_f64(),
        expected: spoken * (per_room as u64 - 1),
        heard,
        heard_in_all: delays.count(),
        datagrams,
        delays,
        busy: busy.map(|(after, before)| after - before),
        memory: memory.map(|(after, before)| after.saturating_sub(before) / clients.len() as u64),
    }
}

fn spin(clients: &mut [LoadClient], clock: Clock, until: std::time::Instant, mut delays: Option<&mut Delays>) {
    loop {
        for client in &mut *clients {
            client.turn(clock.now(), delays.as_deref_mut());
        }
        if clock.now().real >= until {
            return;
        }
    }
}

fn leave(clients: &mut [LoadClient], clock: Clock) {
    clients.iter_mut().for_each(|client| client.leave(clock.now()));
    spin(clients, clock, clock.now().real + Duration::from_millis(200), None);
}
