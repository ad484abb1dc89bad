//! `consonance join`: somebody in a server's session, who says and records files, or speaks and hears by sound devices.

#[cfg_attr(not(feature = "audio"), path = "no_devices.rs")]
mod devices;
mod ear;
mod mouth;
mod participant;
mod people;
mod place;
#[cfg(any(feature = "audio", test))]
mod sound;
mod trust;

use std::{fs, path::Path, process::ExitCode, time::Duration};

use adapter_udp::{Config, Endpoint, Socket};

use crate::{
    cli::JoinArgs,
    clock::{Clock, Now},
    fail::Fail,
    home::{self, KnownServers},
    out_dir::OutDir,
};
use devices::Devices;
use ear::Ear;
use mouth::Mouth;
use participant::{Participant, Wishes};
pub(crate) use place::resolve;

/// The loudspeaker's block.
const TICK: Duration = Duration::from_millis(10);
/// What was said is under way for so long at most, and what others say ends softly.
const AFTERWARDS: Duration = Duration::from_millis(1_500);
/// Who doesn't get in at the first time gives up after so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_millis(300);

pub(crate) fn run(args: &JoinArgs) -> Result<ExitCode, Fail> {
    let out = args.record.as_deref().map(|folder| OutDir::find(folder, |name| name.ends_with(".wav"))).transpose()?;
    let mouth = Mouth::new(read_all(&args.say)?);
    let folder = home::folder()?;
    let identity = home::identity(&folder, "client.pem")?;
    let known = KnownServers::read(&folder)?;
    let server = resolve(&args.server)?;
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = Socket::bind(any.parse().expect("an address"))
        .map_err(|error| Fail::new(format!("no UDP socket: {error}"), "look whether this machine has a network"))?;
    let transport = Endpoint::client(Config { links: 4, ..Config::DEFAULT }, identity);
    let mut devices = Devices::open(args)?;
    let live = devices.has_microphone();
    let mut somebody = Participant::new(transport, server, known, Wishes::of(args)?, mouth, live)?;
    let clock = Clock::start();
    let seconds = args.seconds.map(Duration::from_secs);
    println!("{}: trying for up to {} s", args.server, PATIENCE.as_secs());
    let mut ear = Ear::new();
    take_part(&socket, &mut somebody, &mut ear, &mut devices, clock, seconds)?;
    somebody.leave(clock.now());
    let until = clock.now().real + GOODBYE;
    while clock.now().real < until {
        turn(&socket, &mut somebody, clock, clock.now(), Duration::from_millis(20))?;
    }
    println!("{}", somebody.summary());
    devices.summary().iter().for_each(|line| println!("{line}"));
    if let (Some(out), Some(folder)) = (out, &args.record) {
        out.publish(&ear.files(|id| somebody.name_of(id))?)?;
        println!("what was heard is in {}", folder.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Talks and listens until all is said, or the time is over.
fn take_part(
    socket: &Socket,
    somebody: &mut Participant,
    ear: &mut Ear,
    devices: &mut Devices,
    clock: Clock,
    seconds: Option<Duration>,
) -> Result<(), Fail> {
    let begin = clock.now().real;
    let mut next_tick = begin;
    let mut done_at = None;
    loop {
        let now = clock.now();
        let since = now.real.saturating_duration_since(begin);
        if seconds.is_some_and(|most| since >= most) {
            return Ok(());
        }
        if !somebody.was_connected() && since >= PATIENCE {
            return Err(Fail::new(
                format!("no session after {} s: {}", PATIENCE.as_secs(), somebody.last_trouble()),
                "look whether the server runs and its UDP port can be reached",
            ));
        }
        while next_tick <= now.real {
            if !devices.has_loudspeaker() {
                ear.tick(clock.core(next_tick), TICK, somebody.client());
            }
            somebody.talk(Now { real: now.real, core: clock.core(next_tick) });
            next_tick += TICK;
        }
        devices.turn(now, somebody)?;
        if done_at.is_none() && somebody.has_said_all() {
            done_at = Some(now.real + AFTERWARDS);
        }
        if seconds.is_none() && done_at.is_some_and(|at| now.real >= at) {
            return Ok(());
        }
        turn(socket, somebody, clock, now, next_tick.saturating_duration_since(now.real).min(devices::NAP))?;
    }
}

/// `consonance devices`.
pub(crate) fn list_devices() -> Result<ExitCode, Fail> {
    print!("{}", devices::list()?);
    Ok(ExitCode::SUCCESS)
}

/// The loop: in, due, out, sleep.
fn turn(socket: &Socket, somebody: &mut Participant, clock: Clock, now: Now, most: Duration) -> Result<(), Fail> {
    let mut buffer = [0; 2_048];
    while let Some((len, from)) = socket.receive(&mut buffer) {
        somebody.handle_datagram(now, from, &mut buffer[..len]);
    }
    somebody.turn(now)?;
    let mut out = Vec::new();
    while let Some(to) = somebody.poll_datagram(now, &mut out) {
        socket.send(to, &out);
    }
    let most = somebody.until(clock.now(), most);
    socket.wait(most).map_err(|error| Fail::new(format!("the socket: {error}"), "join again"))
}

fn read_all<P: AsRef<Path>>(files: &[P]) -> Result<Vec<i16>, Fail> {
    let mut pcm = Vec::new();
    for file in files {
        let shown = file.as_ref().display();
        let bytes = fs::read(file).map_err(|error| {
            Fail::new(format!("--say {shown}: can't be read ({error})"), "name a WAV file that you may read")
        })?;
        let clip = voice_audio::read_wav(&bytes)
            .map_err(|error| Fail::new(format!("--say {shown}: can't be used as speech"), error))?;
        pcm.extend(clip);
    }
    Ok(pcm)
}
