//! The arguments, and what is done with them.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use voice_core::playout::PlayoutConfig;

use crate::{fail::Fail, log::Level};

/// Voice chat for games: shown and tried on a simulated network, and served over UDP and to browsers.
///
/// Without a command it runs the demonstration: people talking through a server on a bad network, written to a folder as sound,
/// a report and numbers.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    demo: DemoArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Let people talk through a server on a bad network, then hear and see the result
    Demo(DemoArgs),
    /// Run scenarios of the simulator, or many random ones
    Sim(SimArgs),
    /// Measure how speech sounds after bad networks, beside buffers of a fixed delay
    Quality(QualityArgs),
    /// Run a server: for native clients on a UDP port, and for browsers with the page to talk from
    Serve(ServeArgs),
    /// Take part in a server's session: by microphone and loudspeaker, or say a file and record what is heard
    Join(JoinArgs),
    /// List microphones and loudspeakers
    Devices,
    /// Load a server with many clients, and measure what comes through and what it costs
    Load(LoadArgs),
    /// See who is on a running server, how they are connected and what it costs
    Inspect(InspectArgs),
}

/// What the demonstration uses.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// WAV files to use as speech, one for each speaker in turn; any usual rate, mono or stereo
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) speech: Vec<PathBuf>,
    /// Network preset of everybody's access link: lan, home-wifi, busy-wifi, lte, satellite, lossy
    #[arg(long, value_name = "PRESET", default_value = "busy-wifi")]
    pub(crate) network: String,
    /// Everything random comes from this number: the same seed gives the same files, to the byte
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Folder for the WAV files, report.html and summary.json; an earlier result in it is replaced
    #[arg(long, value_name = "DIR", default_value = "consonance-demo")]
    pub(crate) out: PathBuf,
}

/// What the simulator runs.
#[derive(Debug, Args)]
pub(crate) struct SimArgs {
    /// Show the scenarios
    #[arg(long)]
    pub(crate) list: bool,
    /// Run this scenario
    #[arg(long, value_name = "NAME", conflicts_with_all = ["list", "soak"])]
    pub(crate) scenario: Option<String>,
    /// Everything random comes from this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Virtual seconds
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// Clients, where the scenario lets one choose
    #[arg(long, value_name = "C", value_parser = clap::value_parser!(u16).range(1..=4_096))]
    pub(crate) clients: Option<u16>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the run down before it begins: a text file with its seed and everything that happens in it
    #[arg(long, value_name = "FILE", requires = "scenario")]
    pub(crate) save: Option<PathBuf>,
    /// Run what --save wrote, changed by hand or not
    #[arg(long, value_name = "FILE", conflicts_with_all = ["list", "soak", "scenario", "seconds", "clients", "seed"])]
    pub(crate) replay: Option<PathBuf>,
    /// Run the swarm with N seeds, from --seed on, and stop at the first that breaks a rule
    #[arg(long, value_name = "N", conflicts_with = "list")]
    pub(crate) soak: Option<u64>,
}

/// What the quality of sound is measured with.
#[derive(Debug, Args)]
pub(crate) struct QualityArgs {
    /// Folder with traces of packets as *.json, instead of those made from the seed; docs/QUALITY.md has the format
    #[arg(long, value_name = "DIR")]
    pub(crate) traces: Option<PathBuf>,
    /// WAV files to use as speech; any usual rate, mono or stereo
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) speech: Vec<PathBuf>,
    /// Folder for quality.html, quality.json, quality.md, sound and traces; an earlier result in it is replaced
    #[arg(long, value_name = "DIR", default_value = "consonance-quality")]
    pub(crate) out: PathBuf,
    /// Everything random comes from this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Tracks of 20 s of speech, of which the median is shown
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) tracks: u16,
    /// Only these traces, by their names
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Bitrate of the speech, redundancy included
    #[arg(long, value_name = "KBIT", default_value_t = 24, value_parser = clap::value_parser!(u16).range(6..=510))]
    pub(crate) kbit: u16,
    /// Speech carries DRED instead of in-band FEC; for a build with libopus 1.6 (the feature opus16)
    #[arg(long)]
    pub(crate) dred: bool,
    /// The longest delay that our playout aims at, ms above that of the quickest packets
    #[arg(long, value_name = "MS", default_value_t = PlayoutConfig::DEFAULT.max_delay.as_millis() as u16, value_parser = clap::value_parser!(u16).range(15..=1_000))]
    pub(crate) max_delay: u16,
    /// The delay, ms, that our playout holds one percent of concealed speech for worth: 0 keeps the shortest delay whatever happens
    #[arg(long, value_name = "MS", default_value_t = PlayoutConfig::DEFAULT.concealment_worth_ms, value_parser = clap::value_parser!(u16).range(..=1_000))]
    pub(crate) concealment_worth: u16,
    /// Compare with the speech before it was encoded, so that what the codec takes away counts
    #[arg(long)]
    pub(crate) with_codec: bool,
    /// Without PESQ and STOI, which need Python
    #[arg(long)]
    pub(crate) no_scores: bool,
    /// Print the tables as Markdown
    #[arg(long)]
    pub(crate) markdown: bool,
}

/// What a server is told.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// TOML file with settings, by the names of the flags; flags go before it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Address and UDP port to listen on; 0.0.0.0 is all addresses of this machine [default: 0.0.0.0:7757]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// What the server is called: shown on the page for browsers and by `consonance inspect`; at most 64 bytes
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// What people have to know to join; without it everybody may
    #[arg(long, value_name = "PASSWORD", env = "CONSONANCE_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// Let in everybody without a password, whatever the file says; refused if a password is said, too
    #[arg(long)]
    pub(crate) open: bool,
    /// People at once, 1 to 4,096 [default: 1024]
    #[arg(long, value_name = "N")]
    pub(crate) clients: Option<u16>,
    /// Connections over UDP of one IPv4 address or one IPv6 network of 64 bits, 1 to 4,096: half of them may begin at once, and then a 32nd a second; the loopback has no limit [default: 256]
    #[arg(long, value_name = "N")]
    pub(crate) links_per_address: Option<u16>,
    /// Answer /status (for people), /healthz, /metrics (Prometheus) and /state (for `consonance inspect`) over HTTP at this address; without an address on this machine alone
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:7757")]
    pub(crate) http: Option<SocketAddr>,
    /// Where browsers find the page, by TCP; UDP for voice has the same port, of all addresses if this is the loopback's [default: 127.0.0.1:7758, this machine alone]
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:7758")]
    pub(crate) web: Option<SocketAddr>,
    /// Don't let browsers in
    #[arg(long, conflicts_with_all = ["web", "tls_cert", "tls_key", "web_address"])]
    pub(crate) no_web: bool,
    /// The certificate for https that browsers are shown, with those in between after it, as a PEM file; from other machines they want one
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, as a PEM file
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Addresses that browsers reach this machine at, if they aren't its own
    #[arg(long, value_name = "IP", num_args = 1..)]
    pub(crate) web_address: Option<Vec<IpAddr>>,
    /// Rooms at once, 1 to 4,096 [default: 1024]
    #[arg(long, value_name = "N")]
    pub(crate) rooms: Option<u16>,
    /// How long voice waits at most for that of others to the same listener, so that both share a datagram: 0 (it doesn't wait) to 10 ms [default: 5]
    #[arg(long, value_name = "MS")]
    pub(crate) window_ms: Option<u16>,
    /// The certificate of an authority, with those in between after it, as a PEM file; without it the server makes one
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// The certificate's private key, as a PEM file
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// How much is written to stderr about what happens [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log: Option<Level>,
}

/// What somebody who takes part does.
#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// The server; the port is 7757 if none is said
    #[arg(value_name = "HOST[:PORT]")]
    pub(crate) server: String,
    /// Name that the others see, at most 64 bytes
    #[arg(long, value_name = "NAME", default_value = "guest")]
    pub(crate) name: String,
    /// Rooms to be in, and to speak to
    #[arg(long, value_name = "ROOM", default_values_t = ["Lobby".to_owned()], num_args = 1..)]
    pub(crate) room: Vec<String>,
    /// What the server wants to be told
    #[arg(long, value_name = "PASSWORD", env = "CONSONANCE_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// The server's fingerprint, if it was told by other means; else the first one seen is kept and pinned
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) fingerprint: Option<adapter_udp::Fingerprint>,
    /// Believe the server by its certificate for HOST, of an authority that this system trusts, instead of its fingerprint
    #[arg(long, conflicts_with = "fingerprint")]
    pub(crate) verify: bool,
    /// The same with the authorities of this PEM file alone
    #[arg(long, value_name = "FILE", conflicts_with = "fingerprint")]
    pub(crate) ca: Option<PathBuf>,
    /// WAV files to say, one after the other
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) say: Vec<PathBuf>,
    /// Folder for what is heard: heard.wav, and one file for each speaker, up to 12 hours and 256 speakers; an earlier result in it is replaced when one leaves
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,
    /// Say it to this person alone
    #[arg(long, value_name = "NAME")]
    pub(crate) whisper: Option<String>,
    /// Text to write to the first room
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// Send all voice over the server; else it goes straight to those in the same rooms where networks allow it, which shows them this machine's
    /// addresses
    #[arg(long)]
    pub(crate) no_direct: bool,
    /// Microphone to use, by its name or a part of it; without it the usual one, unless there is something to --say
    #[arg(long, value_name = "NAME", conflicts_with_all = ["say", "no_sound"])]
    pub(crate) microphone: Option<String>,
    /// Loudspeaker to use, by its name or a part of it; without it the usual one, unless what is heard is recorded
    #[arg(long, value_name = "NAME", conflicts_with_all = ["record", "no_sound"])]
    pub(crate) loudspeaker: Option<String>,
    /// Send all that the microphone hears, and not speech alone
    #[arg(long, conflicts_with_all = ["say", "no_sound"])]
    pub(crate) open: bool,
    /// Use neither microphone nor loudspeaker; so it is in a program built without the feature audio
    #[arg(long)]
    pub(crate) no_sound: bool,
    /// People whose names are known at most; more are heard without
    #[arg(long, value_name = "N", default_value_t = 1_024, value_parser = clap::value_parser!(u16).range(1..=16_384))]
    pub(crate) people: u16,
    /// Leave after so long; without it, when all is said, or at Ctrl-C if nothing is to be said
    #[arg(long, value_name = "S")]
    pub(crate) seconds: Option<u64>,
}

/// What a server is loaded with.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// The server; the port is 7757 if none is said
    #[arg(value_name = "HOST[:PORT]", required_unless_present = "web")]
    pub(crate) server: Option<String>,
    /// Load it with browsers' clients instead, over WebRTC: the address of its page, by http, as the server prints it; the port is 7758 if none is said
    #[arg(long, value_name = "HOST[:PORT]", num_args = 0..=1, default_missing_value = "127.0.0.1", conflicts_with = "server")]
    pub(crate) web: Option<String>,
    /// Clients in all
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(2..=4_000))]
    pub(crate) clients: u16,
    /// Rooms, over which the clients are spread evenly
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rooms: u16,
    /// Clients of each room who speak all the time: 50 frames of 80 bytes a second
    #[arg(long, value_name = "S", default_value_t = 5)]
    pub(crate) speakers: u16,
    /// How long is measured, after everybody is in
    #[arg(long, value_name = "T", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    /// All speakers' frames begin at the same time
    #[arg(long)]
    pub(crate) aligned: bool,
    /// Frames are sent up to so much too late, µs, each by chance, as a network would have it
    #[arg(long, value_name = "US", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(0..=20_000))]
    pub(crate) jitter: u64,
    /// Speakers don't move their frames as the server hints
    #[arg(long)]
    pub(crate) unmoved: bool,
    /// Speakers of each room whose voice has high priority; what is lost of it is told apart
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) important: u16,
    /// Of the rooms, so many speak only in the middle third of the time, and with pauses
    #[arg(long, value_name = "R", default_value_t = 0)]
    pub(crate) surge: u16,
    /// One client more, which writes a text to an empty room ten times a second: how long it waits for the server's answer is told
    #[arg(long)]
    pub(crate) ask: bool,
    /// Print the figures of every S seconds as well, each when the next have passed: lost is what was spoken in them and hasn't come by then
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) every: Option<u64>,
    /// What the server wants to be told
    #[arg(long, value_name = "PASSWORD", env = "CONSONANCE_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// The server's process on this machine, whose processor time and memory are read from the kernel
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which server is looked at, and how.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Where the server answers HTTP: what it was told by --http, and printed; the port is 7757 if none is said
    #[arg(value_name = "HOST[:PORT]", default_value = "127.0.0.1")]
    pub(crate) server: String,
    /// Print one table, with the rates of a second, and end; so it is without a terminal, too
    #[arg(long)]
    pub(crate) once: bool,
    /// Print what the server says, as JSON; docs/OPERATING.md has the fields
    #[arg(long, conflicts_with = "once")]
    pub(crate) json: bool,
}

impl Cli {
    pub(crate) fn run(self) -> Result<ExitCode, Fail> {
        match self.command {
            None => crate::demo::run(&self.demo),
            Some(Command::Demo(args)) => crate::demo::run(&args),
            Some(Command::Sim(args)) => crate::sim::run(&args),
            Some(Command::Quality(args)) => crate::quality::run(&args),
            Some(Command::Serve(args)) => crate::serve::run(&args),
            Some(Command::Join(args)) => crate::join::run(&args),
            Some(Command::Devices) => crate::join::list_devices(),
            Some(Command::Load(args)) => crate::load::run(&args),
            Some(Command::Inspect(args)) => crate::inspect::run(&args),
        }
    }
}
