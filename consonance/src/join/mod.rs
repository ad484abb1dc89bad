//! `consonance join`: somebody in a server's session, who says and records files, or speaks and hears by sound devices.

#[cfg_attr(not(feature = "audio"), path = "no_devices.rs")]
mod devices;
mod ear;
mod mouth;
mod own_addresses;
mod participant;
mod people;
mod place;
mod recording;
#[cfg(any(feature = "audio", test))]
mod sound;
mod trust;

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    process::ExitCode,
    sync::atomic::Ordering,
    time::Duration,
};

use adapter_udp::{Config, Endpoint, Families, Incoming, Outgoing, Socket};

use crate::{
    cli::JoinArgs,
    clock::{Clock, Now},
    direct_paths::DirectPaths,
    fail::Fail,
    home::{self, KnownServers},
    out_dir::OutDir,
    stop::stop_flag,
};
use devices::Devices;
use ear::Ear;
use mouth::Mouth;
use participant::{Participant, Wishes};
pub(crate) use place::resolve;
use recording::Recording;

/// The socket, and room for what goes through it.
struct Wire {
    socket: Socket,
    incoming: Incoming,
    outgoing: Outgoing,
}

/// The loudspeaker's block.
const TICK: Duration = Duration::from_millis(10);
/// What was said is under way for so long at most, and what others say ends softly.
const AFTERWARDS: Duration = Duration::from_millis(1_500);
/// Who doesn't get in at the first time gives up after so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_millis(300);

pub(crate) fn run(args: &JoinArgs) -> Result<ExitCode, Fail> {
    let out = args
        .record
        .as_deref()
        .map(|folder| OutDir::find("--record", folder, |name| name.ends_with(".wav")))
        .transpose()?;
    let mouth = Mouth::new(read_all(&args.say)?);
    let folder = home::folder()?;
    let identity = home::identity(&folder, "client.pem")?;
    let known = KnownServers::read(&folder)?;
    let server = resolve(&args.server)?;
    let (socket, server, direct) = open_socket(server, !args.no_direct)?;
    let mut wire = Wire { socket, incoming: Incoming::default(), outgoing: Outgoing::default() };
    let transport = Endpoint::client(Config { links: 4, ..Config::DEFAULT }, identity);
    let mut devices = Devices::open(args)?;
    let live = devices.has_microphone();
    let mut somebody = Participant::new(transport, server, direct, known, Wishes::of(args)?, mouth, live)?;
    let clock = Clock::start();
    let seconds = args.seconds.map(Duration::from_secs);
    say!("{}: trying for up to {} s", args.server, PATIENCE.as_secs());
    let mut ear = Ear::new(out.map(Recording::begin).transpose()?);
    let mut ended = take_part(&mut wire, &mut somebody, &mut ear, &mut devices, clock, seconds);
    if !somebody.was_connected() {
        ended?;
        return Err(no_session(clock.seconds(), &somebody));
    }
    let voices = somebody.voices();
    somebody.leave(clock.now());
    let until = clock.now().real + GOODBYE;
    while ended.is_ok() && clock.now().real < until {
        ended = turn(&mut wire, &mut somebody, clock, clock.now(), Duration::from_millis(20));
    }
    say!("{}", somebody.summary());
    voices.iter().for_each(|line| say!("{line}"));
    somebody.ways().iter().for_each(|line| say!("{line}"));
    devices.summary().iter().for_each(|line| say!("{line}"));
    // Also when it ended badly: what was heard until then is worth keeping.
    if let (Some(recording), Some(folder)) = (ear.into_recording(), &args.record) {
        recording.finish(|id| somebody.name_of(id))?;
        say!("what was heard is in {}", folder.display());
    }
    ended.map(|()| ExitCode::SUCCESS)
}

/// A socket of a free port, the server's address as it writes it, and direct paths if they are wanted: then of both families, if the system
/// can, so that others are reached by either, whichever the server has.
fn open_socket(server: SocketAddr, direct: bool) -> Result<(Socket, SocketAddr, Option<DirectPaths>), Fail> {
    let bind = |any: IpAddr| Socket::bind(SocketAddr::new(any, 0));
    let both = bind(Ipv6Addr::UNSPECIFIED.into()).ok().filter(|socket| direct && socket.has_both_families());
    let (families, any) = match server {
        _ if both.is_some() => (Families::Both, Ipv6Addr::UNSPECIFIED.into()),
        SocketAddr::V4(_) => (Families::V4, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        SocketAddr::V6(_) => (Families::V6, Ipv6Addr::UNSPECIFIED.into()),
    };
    let socket = both.map_or_else(|| bind(any), Ok);
    let socket = socket
        .map_err(|error| Fail::new(format!("no UDP socket: {error}"), "look whether this machine has a network"))?;
    let paths = match socket.address() {
        Ok(address) if direct => Some(DirectPaths::new(server, address.port(), families)),
        _ => None,
    };
    let server = match (families, server) {
        (Families::Both, SocketAddr::V4(v4)) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
        _ => server,
    };
    Ok((socket, server, paths))
}

/// Talks and listens until all is said, the time is over, or somebody presses Ctrl-C.
fn take_part(
    wire: &mut Wire,
    somebody: &mut Participant,
    ear: &mut Ear,
    devices: &mut Devices,
    clock: Clock,
    seconds: Option<Duration>,
) -> Result<(), Fail> {
    let begin = clock.now().real;
    let mut next_tick = begin;
    let mut done_at = None;
    let stop = stop_flag();
    while !stop.load(Ordering::Relaxed) {
        let now = clock.now();
        let since = now.real.saturating_duration_since(begin);
        if seconds.is_some_and(|most| since >= most) {
            return Ok(());
        }
        if !somebody.was_connected() && since >= PATIENCE {
            return Err(no_session(since.as_secs_f64(), somebody));
        }
        while next_tick <= now.real {
            if !devices.has_loudspeaker() {
                ear.tick(clock.core(next_tick), TICK, somebody.client());
            }
            next_tick += TICK;
        }
        somebody.talk(now);
        devices.turn(now, somebody)?;
        if done_at.is_none() && somebody.has_said_all() {
            done_at = Some(now.real + AFTERWARDS);
        }
        if seconds.is_none() && done_at.is_some_and(|at| now.real >= at) {
            return Ok(());
        }
        turn(wire, somebody, clock, now, next_tick.saturating_duration_since(now.real).min(devices::NAP))?;
    }
    Ok(())
}

fn no_session(after_s: f64, somebody: &Participant) -> Fail {
    Fail::new(
        format!("no session after {after_s:.0} s: {}", somebody.last_trouble()),
        "look whether the server runs and its UDP port can be reached",
    )
}

/// `consonance devices`.
pub(crate) fn list_devices() -> Result<ExitCode, Fail> {
    crate::say::text(format_args!("{}", devices::list()?));
    Ok(ExitCode::SUCCESS)
}

/// The loop: in, due, out, sleep.
fn turn(wire: &mut Wire, somebody: &mut Participant, clock: Clock, now: Now, most: Duration) -> Result<(), Fail> {
    let Wire { socket, incoming, outgoing } = wire;
    while socket.receive(incoming, |from, datagram| somebody.handle_datagram(now, from, datagram)) {}
    somebody.turn(now)?;
    socket.send_all(outgoing, |out| somebody.poll_datagram(now, out));
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
