//! `consonance load`: many clients in one spinning thread, so that no wake-up of theirs is charged to the server, and what the server's work came to.

mod asker;
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
use figures::{Came, Delays, Figures, Frames, Heard};
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
    if args.surge >= args.rooms {
        let what = format!(
            "--surge {}: there are {} rooms, and one at least has to speak all the time",
            args.surge, args.rooms
        );
        return Err(Fail::new(what, "ask for more --rooms, or for fewer of them to surge"));
    }
    if args.important > args.speakers {
        let what = format!("--important {}: only {} of each room speak", args.important, args.speakers);
        return Err(Fail::new(what, "ask for more --speakers, or fewer of them"));
    }
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
    heard: Option<Heard>,
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
            heard: None,
        })
    }

    fn join(&mut self, args: &LoadArgs) -> Result<(), Fail> {
        let (wanted, begin) = (usize::from(args.clients) + usize::from(args.ask), self.clock.now().real);
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
        let asks = number == usize::from(args.clients);
        let (room, seat) = (number % usize::from(args.rooms), number / usize::from(args.rooms));
        let role = client::Role {
            number,
            // The one who asks has a room to itself, after those of the others.
            room: if asks { args.rooms.into() } else { room },
            speaks: !asks && seat < usize::from(args.speakers),
            is_important: seat < usize::from(args.important),
            asks,
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
        let Self { clock, sockets, clients, due, woken, is_woken, heard, .. } = self;
        let now = clock.now();
        sockets.receive(|number, from, datagram| {
            let Some(client) = clients.get_mut(number) else { return };
            client.handle_datagram(now, from, datagram, heard.as_mut());
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

    /// Those who speak in these rooms begin to.
    fn begin_to_talk(&mut self, is_one: impl Fn(usize) -> bool) {
        let now = self.clock.now();
        for (number, client) in self.clients.iter_mut().enumerate().filter(|(_, client)| is_one(client.room())) {
            client.begin_to_talk();
            self.due.push(Reverse((now.core, number)));
        }
    }

    fn stop_talking(&mut self, is_one: impl Fn(usize) -> bool) {
        self.clients.iter_mut().filter(|client| is_one(client.room())).for_each(LoadClient::stop_talking);
    }

    fn count(&self, process: Option<&Process>) -> Counted {
        let mut members = vec![0_u64; self.clients.len()];
        self.clients.iter().for_each(|client| members[client.room()] += 1);
        let mut expected = Frames::default();
        for client in &self.clients {
            let all = client.spoken() * (members[client.room()] - 1);
            expected.add(Frames { all, important: if client.is_important() { all } else { 0 } });
        }
        let came = self.clients.iter().map(LoadClient::came).fold(Came::default(), Came::and);
        Counted { at: self.clock.now().real, expected, came, busy: process.and_then(Process::busy) }
    }

    /// What was heard in the part of the time that ends now; another begins.
    fn take_heard(&mut self) -> Heard {
        let now_us = self.clock.now().core.as_us();
        self.heard.replace(Heard::since(now_us)).unwrap_or_default()
    }

    fn take_answers(&mut self) -> Option<Delays> {
        let now = self.clock.now();
        self.clients.iter_mut().find_map(|client| client.take_answers(now))
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
    // The last rooms are those of the surge; who asks is in a room after them.
    let calm = usize::from(args.rooms - args.surge);
    crowd.begin_to_talk(|room| room < calm);
    crowd.turn_until(crowd.clock.now().real + WARM_UP);
    crowd.clients.iter_mut().filter(|client| client.room() < calm).for_each(LoadClient::end_warm_up);
    crowd.turn_until(crowd.clock.now().real + Duration::from_millis(500));
    crowd.take_answers();
    crowd.clients.iter_mut().for_each(LoadClient::begin_count);
    crowd.take_heard();
    let begin = crowd.count(process);
    let (mut heard, mut delays) = (Frames::default(), Delays::default());
    let third = Duration::from_secs(args.seconds) / 3;
    let (end, [surge, calmed]) = (begin.at + 3 * third, [1, 2].map(|thirds| begin.at + thirds * third));
    let mut answers: Option<Delays> = None;
    // A part is told when the next one has ended: by then its last frames have come.
    let mut untold: Option<(f64, Figures)> = None;
    let mut before = begin;
    while before.at < end {
        let mut next = args.every.map_or(end, |every| end.min(before.at + Duration::from_secs(every)));
        // A part of the time is all calm or all surge.
        if args.surge > 0 && before.at < surge {
            next = next.min(surge);
        } else if args.surge > 0 && before.at < calmed {
            next = next.min(calmed);
            crowd.begin_to_talk(|room| room >= calm);
        } else if args.surge > 0 {
            crowd.stop_talking(|room| room >= calm);
        }
        crowd.turn_until(next);
        let (after, part, answered) = (crowd.count(process), crowd.take_heard(), crowd.take_answers());
        if let Some(answered) = &answered {
            answers.get_or_insert_default().add(answered);
        }
        heard.add(finish(args, untold.take(), &part));
        let (from, of_this) = ((before.at - begin.at).as_secs_f64(), part.of_this());
        let part = part.into_delays();
        delays.add(&part);
        untold = Some((from, figures(crowd, before, after, of_this, part, answered)));
        before = after;
    }
    let in_time = delays.count();
    crowd.stop_talking(|_| true);
    crowd.turn_until(before.at + AFTERWARDS);
    let late = crowd.take_heard();
    heard.add(finish(args, untold, &late));
    delays.add(&late.into_delays());
    let memory = memory.map(|(after, before)| after.saturating_sub(before) / crowd.clients.len() as u64);
    Figures { in_time, memory, ..figures(crowd, begin, before, heard, delays, answers) }
}

/// Adds to a part what was still heard of it in the one after, and tells it if parts are to be told; what was heard of it in all.
fn finish(args: &LoadArgs, part: Option<(f64, Figures)>, after: &Heard) -> Frames {
    let Some((from, mut part)) = part else { return Frames::default() };
    part.heard.add(after.of_last());
    if args.every.is_some() {
        if args.json { say!("{}", part.json()) } else { say!("{}", part.line(from)) }
    }
    part.heard
}

/// What is counted all the time.
#[derive(Clone, Copy)]
struct Counted {
    at: std::time::Instant,
    expected: Frames,
    came: Came,
    busy: Option<u64>,
}

/// What happened between two counts.
fn figures(
    crowd: &Crowd,
    before: Counted,
    after: Counted,
    heard: Frames,
    delays: Delays,
    answers: Option<Delays>,
) -> Figures {
    Figures {
        clients: crowd.clients.len(),
        seconds: after.at.duration_since(before.at).as_secs_f64(),
        expected: after.expected.since(before.expected),
        in_time: delays.count(),
        heard,
        delays,
        came: after.came.since(before.came),
        answers,
        busy: after.busy.zip(before.busy).map(|(after, before)| after - before),
        memory: None,
    }
}
