//! `consonance load`: many clients in one spinning thread, so that no wake-up of theirs is charged to the server, and what the server's work came to.

mod browser;
mod client;
mod cost;
mod figures;
mod line;
mod offers;
mod sockets;

use std::{cmp::Reverse, collections::BinaryHeap, process::ExitCode, time::Duration};

use voice_core::Instant;

use crate::{cli::LoadArgs, clock::Clock, fail::Fail};
use client::LoadClient;
use cost::Process;
use figures::{Came, Delays, Figures};
use line::Lines;
use sockets::Sockets;

/// Clients that join at a time: a server that is built up by hundreds at once is another test.
const JOINING: usize = 20;
/// A client that isn't in by then isn't coming.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long people talk with pauses before anything counts.
const WARM_UP: Duration = Duration::from_millis(3_500);
/// Each client has its turn at least so often.
const NAP: Duration = Duration::from_millis(500);
/// How long frames that are under way are waited for.
const AFTERWARDS: Duration = Duration::from_millis(500);

pub(crate) fn run(args: &LoadArgs) -> Result<ExitCode, Fail> {
    let lines = Lines::find(args)?;
    let process = args.pid.map(Process::find).transpose()?;
    if usize::from(args.rooms) * usize::from(args.speakers) > usize::from(args.clients) {
        let what = format!(
            "{} rooms with {} speakers each need more than {} clients",
            args.rooms, args.speakers, args.clients
        );
        return Err(Fail::new(what, "ask for more --clients or fewer --speakers"));
    }
    let memory_before = process.as_ref().and_then(Process::memory);
    let mut crowd = Crowd::new(lines)?;
    crowd.join(args)?;
    complain!("{} clients are in; measuring for {} s", args.clients, args.seconds);
    let memory = process.as_ref().and_then(Process::memory).zip(memory_before);
    let figures = measure(args, &mut crowd, process.as_ref(), memory);
    crowd.leave();
    if args.json {
        say!("{}", figures.json())
    } else {
        crate::say::text(format_args!("{figures}"))
    }
    Ok(ExitCode::SUCCESS)
}

/// All clients, in one thread that never sleeps.
struct Crowd {
    lines: Lines,
    clock: Clock,
    sockets: Sockets,
    clients: Vec<LoadClient>,
    /// When each has something to do, the next first; one that something came for meanwhile may stand here twice.
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Those for whom something came, each once.
    woken: Vec<usize>,
    is_woken: Vec<bool>,
    delays: Option<Delays>,
}

impl Crowd {
    fn new(lines: Lines) -> Result<Self, Fail> {
        let sockets = Sockets::for_server(lines.server())
            .map_err(|error| Fail::new(format!("no UDP socket: {error}"), "look whether this machine has a network"))?;
        Ok(Self {
            lines,
            clock: Clock::start(),
            sockets,
            clients: Vec::new(),
            due: BinaryHeap::new(),
            woken: Vec::new(),
            is_woken: Vec::new(),
            delays: None,
        })
    }

    fn join(&mut self, args: &LoadArgs) -> Result<(), Fail> {
        let (wanted, begin) = (usize::from(args.clients), self.clock.now().real);
        while self.clients.len() < wanted || self.clients.iter().any(|client| !client.is_in()) {
            let waiting = self.clients.iter().filter(|client| !client.is_in()).count();
            if waiting < JOINING && self.clients.len() < wanted {
                self.open(args)?;
            }
            self.turn();
            if self.clock.now().real.saturating_duration_since(begin) > PATIENCE {
                return Err(self.too_few(wanted));
            }
        }
        Ok(())
    }

    fn too_few(&self, wanted: usize) -> Fail {
        let got = self.clients.iter().filter(|client| client.is_in()).count();
        let refusal = self.clients.iter().find_map(LoadClient::refusal).map(|why| format!(" (refused: {why})"));
        let (server, refusal) = (self.lines.server(), refusal.unwrap_or_default());
        Fail::new(
            format!("{server}: {got} of {wanted} clients got in within {} s{refusal}", PATIENCE.as_secs()),
            "look whether the server runs, wants a password (--password), or is full (serve --clients)",
        )
    }

    fn open(&mut self, args: &LoadArgs) -> Result<(), Fail> {
        let number = self.clients.len();
        let own = self.sockets.add(number, self.lines.server()).map_err(|error| {
            Fail::new(
                format!("client {number} has no UDP socket: {error}"),
                "raise the limit of open files (ulimit -n), or ask for fewer --clients",
            )
        })?;
        let (room, seat) = (number % usize::from(args.rooms), number / usize::from(args.rooms));
        let role = client::Role {
            number,
            room,
            speaks: seat < usize::from(args.speakers),
            // Nobody's frames are in step with another's, unless that is asked for.
            phase: if args.aligned { 0 } else { number as u64 * 7_919 % 20_000 },
            jitter: args.jitter,
            follows_hints: !args.unmoved,
        };
        let now = self.clock.now();
        let client = LoadClient::new(now, role, args.password.as_deref(), |core| self.lines.open(core, own));
        self.clients.push(client);
        self.is_woken.push(false);
        self.due.push(Reverse((now.core, number)));
        Ok(())
    }

    /// In, due, out.
    fn turn(&mut self) {
        let Self { clock, sockets, clients, due, woken, is_woken, delays, .. } = self;
        let now = clock.now();
        sockets.receive(|number, from, datagram| {
            let Some(client) = clients.get_mut(number) else { return };
            client.handle_datagram(now, from, datagram, delays.as_mut());
            if !std::mem::replace(&mut is_woken[number], true) {
                woken.push(number);
            }
        });
        while let Some(&Reverse((at, number))) = due.peek()
            && at <= now.core
        {
            due.pop();
            if !std::mem::replace(&mut is_woken[number], true) {
                woken.push(number);
            }
        }
        for number in woken.drain(..) {
            is_woken[number] = false;
            let client = &mut clients[number];
            client.turn(now);
            sockets.send(number, |out| client.poll_datagram(now, out));
            due.push(Reverse((now.core.after(client.until(now, NAP)), number)));
        }
    }

    fn turn_until(&mut self, until: std::time::Instant) {
        while self.clock.now().real < until {
            self.turn();
        }
    }

    fn leave(&mut self) {
        let now = self.clock.now();
        for (number, client) in self.clients.iter_mut().enumerate() {
            client.leave(now);
            self.due.push(Reverse((now.core, number)));
        }
        self.turn_until(now.real + Duration::from_millis(200));
    }
}

fn measure(args: &LoadArgs, crowd: &mut Crowd, process: Option<&Process>, memory: Option<(u64, u64)>) -> Figures {
    // Talkspurts begin, frames are moved to where the server wants them, and the server learns who hears whom, before anything counts.
    crowd.turn_until(crowd.clock.now().real + WARM_UP);
    crowd.clients.iter_mut().for_each(LoadClient::end_warm_up);
    crowd.turn_until(crowd.clock.now().real + Duration::from_millis(500));
    let before: Vec<_> = crowd.clients.iter().map(LoadClient::came).collect();
    let (busy, from) = (process.and_then(Process::busy), crowd.clock.now().real);
    crowd.clients.iter_mut().for_each(LoadClient::begin_count);
    crowd.delays = Some(Delays::default());
    crowd.turn_until(from + Duration::from_secs(args.seconds));
    let (busy, to) = (process.and_then(Process::busy).zip(busy), crowd.clock.now().real);
    let heard = crowd.delays.as_ref().map_or(0, Delays::count);
    let came = crowd.clients.iter().zip(&before).map(|(client, before)| client.came().since(*before));
    let came = came.fold(Came::default(), Came::and);
    let mut members = vec![0_u64; usize::from(args.rooms)];
    crowd.clients.iter().for_each(|client| members[client.room()] += 1);
    let expected = crowd.clients.iter().map(|client| client.spoken() * (members[client.room()] - 1)).sum();
    crowd.clients.iter_mut().for_each(LoadClient::stop_talking);
    crowd.turn_until(to + AFTERWARDS);
    let delays = crowd.delays.take().unwrap_or_default();
    Figures {
        clients: crowd.clients.len(),
        seconds: to.duration_since(from).as_secs_f64(),
        expected,
        heard,
        heard_in_all: delays.count(),
        came,
        delays,
        busy: busy.map(|(after, before)| after - before),
        memory: memory.map(|(after, before)| after.saturating_sub(before) / crowd.clients.len() as u64),
    }
}
