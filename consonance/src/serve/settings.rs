//! What a server is told: by flags, or else by a TOML file with keys of the same names, or else by the defaults.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use adapter_udp::Config;
use serde::Deserialize;

use crate::{cli::ServeArgs, fail::Fail, log::Level};

/// Most clients, and most rooms.
const MOST: u16 = 4_096;

/// Links beyond those of people.
const SPARE: usize = 64;

/// In this time as many of an address may begin as at once.
const HALF_ANEW: Duration = Duration::from_secs(16);

/// Most bytes of the server's name.
const LONGEST_NAME: usize = 64;

/// The port for browsers, if none is said.
const WEB_PORT: u16 = 7758;

/// Half a usual frame: what waits longer comes with the next one.
const MOST_WINDOW: Duration = Duration::from_millis(10);

/// All that a server can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) listen: SocketAddr,
    /// What people call the server.
    pub(super) name: Option<String>,
    pub(super) password: Option<String>,
    pub(super) clients: u16,
    /// Links over UDP of one address.
    pub(super) links_per_address: u16,
    pub(super) rooms: u16,
    pub(super) http: Option<SocketAddr>,
    /// Where browsers are listened for, and where they are told to send to.
    pub(super) web: Option<WebAt>,
    /// Certificate and key that browsers are shown.
    pub(super) web_tls: Option<(PathBuf, PathBuf)>,
    pub(super) web_address: Vec<IpAddr>,
    /// How long voice waits at most for that of others to the same listener.
    pub(super) window: Duration,
    pub(super) log: Level,
    /// Certificate and key.
    pub(super) certificate: Option<(PathBuf, PathBuf)>,
}

/// Where browsers are listened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WebAt {
    pub(super) address: SocketAddr,
    /// Somebody said so, and so no other port will do.
    pub(super) was_said: bool,
}

impl WebAt {
    /// This machine alone.
    const DEFAULT: Self = Self { address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), WEB_PORT), was_said: false };
}

/// The file. A key that isn't here is refused, so that one misspelt is noticed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    name: Option<String>,
    open: Option<bool>,
    password: Option<String>,
    clients: Option<u16>,
    links_per_address: Option<u16>,
    rooms: Option<u16>,
    http: Option<SocketAddr>,
    web: Option<SocketAddr>,
    no_web: Option<bool>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    web_address: Option<Vec<IpAddr>>,
    window_ms: Option<u16>,
    log: Option<Level>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl Settings {
    pub(super) fn of(args: &ServeArgs) -> Result<Self, Fail> {
        let file = args.config.as_deref().map_or(Ok(File::default()), read)?;
        let settings = Self {
            listen: args.listen.or(file.listen).unwrap_or(SocketAddr::from(([0, 0, 0, 0], super::PORT))),
            name: name(args.name.clone().or(file.name.clone()))?,
            password: password(args, &file)?,
            clients: args.clients.or(file.clients).unwrap_or(1_024),
            links_per_address: args.links_per_address.or(file.links_per_address).unwrap_or(256),
            rooms: args.rooms.or(file.rooms).unwrap_or(1_024),
            http: args.http.or(file.http),
            web: web(args, &file)?,
            web_tls: both(
                ("--tls-cert", args.tls_cert.clone().or(file.tls_cert)),
                ("--tls-key", args.tls_key.clone().or(file.tls_key)),
            )?,
            web_address: args.web_address.clone().or(file.web_address).unwrap_or_default(),
            window: Duration::from_millis(args.window_ms.or(file.window_ms).unwrap_or(5).into()),
            log: args.log.or(file.log).unwrap_or_default(),
            certificate: both(
                ("--certificate", args.certificate.clone().or(file.certificate)),
                ("--key", args.key.clone().or(file.key)),
            )?,
        };
        if settings.window > MOST_WINDOW {
            let most = MOST_WINDOW.as_millis();
            return Err(Fail::new(
                format!("window_ms: {} is out of range", settings.window.as_millis()),
                format!("choose 0 to {most}"),
            ));
        }
        let of_many = [
            ("clients", settings.clients),
            ("rooms", settings.rooms),
            ("links_per_address", settings.links_per_address),
        ];
        for (name, value) in of_many {
            if !(1..=MOST).contains(&value) {
                return Err(Fail::new(format!("{name}: {value} is out of range"), format!("choose 1 to {MOST}")));
            }
        }
        Ok(settings)
    }

    /// The limits of the UDP port. Each has a place, and some have two for a moment, when they come back before they are missed; and though one address has
    /// taken all that it may, there is a place for everybody else.
    pub(super) fn udp(&self) -> Config {
        let of_address = usize::from(self.links_per_address);
        Config {
            links: usize::from(self.clients) + SPARE + of_address,
            links_per_address: of_address,
            handshakes_per_address: of_address.div_ceil(2),
            handshake_every: HALF_ANEW / u32::from(self.links_per_address.div_ceil(2)),
            window: self.window,
            ..Config::DEFAULT
        }
    }

    /// Connections of the core: one for each link that any transport may have.
    pub(super) fn connections(&self) -> usize {
        self.udp().links + self.web().links
    }

    /// The limits of the transport for browsers; one address's full share leaves every seat a link.
    pub(super) fn web(&self) -> adapter_webrtc::Config {
        let usual = adapter_webrtc::Config::DEFAULT;
        let links = usize::from(self.clients) + SPARE + usual.links_per_address;
        adapter_webrtc::Config { links, window: self.window, ..usual }
    }
}

fn name(name: Option<String>) -> Result<Option<String>, Fail> {
    if name.as_ref().is_some_and(|name| name.is_empty() || name.len() > LONGEST_NAME) {
        return Err(Fail::new("--name: must have 1 to 64 bytes", "choose another, or leave it out"));
    }
    Ok(name)
}

/// Nobody shall believe that there is a password where there is none: `--open` says that there shall be none, whatever the file says.
fn password(args: &ServeArgs, file: &File) -> Result<Option<String>, Fail> {
    let contradiction = |one, other| {
        Err(Fail::new(format!("{one}: there is a password"), format!("leave out {other}, or the password")))
    };
    match (args.open, file.open.unwrap_or(false)) {
        (true, _) if args.password.is_some() => contradiction("--open", "--open"),
        (true, _) => Ok(None),
        (false, true) if args.password.is_some() || file.password.is_some() => contradiction("open", "`open = true`"),
        _ => Ok(args.password.clone().or(file.password.clone())),
    }
}

fn web(args: &ServeArgs, file: &File) -> Result<Option<WebAt>, Fail> {
    let said = |address| Ok(Some(WebAt { address, was_said: true }));
    let is_off = |file: &File| file.no_web.unwrap_or(false);
    match (args.web, args.no_web, file.web) {
        (Some(address), _, _) => said(address),
        (None, true, _) => Ok(None),
        (None, false, Some(_)) if is_off(file) => {
            Err(Fail::new("no_web: there is an address for browsers", "leave out `no_web`, or `web`"))
        }
        (None, false, Some(address)) => said(address),
        (None, false, None) => Ok((!is_off(file)).then_some(WebAt::DEFAULT)),
    }
}

/// Two files that are of no use without each other, each with the flag that names it.
fn both(
    certificate: (&str, Option<PathBuf>),
    key: (&str, Option<PathBuf>),
) -> Result<Option<(PathBuf, PathBuf)>, Fail> {
    let ((certificate_flag, certificate), (key_flag, key)) = (certificate, key);
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Fail::new(
            format!("{certificate_flag}: there is no key for it"),
            format!("name its private key by {key_flag} FILE"),
        )),
        (None, Some(_)) => Err(Fail::new(
            format!("{key_flag}: there is no certificate for it"),
            format!("name it by {certificate_flag} FILE"),
        )),
    }
}

fn read(path: &Path) -> Result<File, Fail> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        Fail::new(format!("--config {shown}: can't be read ({error})"), "name a file that you may read")
    })?;
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let what = format!("--config {shown}, line {line}: {}", error.message());
        Fail::new(what, "docs/OPERATING.md lists the keys")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(config: Option<&Path>) -> ServeArgs {
        ServeArgs {
            listen: None,
            name: None,
            password: None,
            open: false,
            clients: None,
            links_per_address: None,
            rooms: None,
            http: None,
            web: None,
            no_web: false,
            tls_cert: None,
            tls_key: None,
            web_address: None,
            window_ms: None,
            log: None,
            certificate: None,
            key: None,
            config: config.map(Into::into),
        }
    }

    #[test]
    fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
        let path = std::env::temp_dir().join(format!("consonance-settings-{}.toml", std::process::id()));
        fs::write(&path, "clients = 20\nrooms = 5\nlisten = \"127.0.0.1:99\"\n").unwrap();
        let mut args = args(Some(&path));
        args.rooms = Some(7);
        let settings = Settings::of(&args).unwrap();
        assert_eq!((settings.clients, settings.rooms, settings.listen.port(), settings.http), (20, 7, 99, None));
        for (text, wanted) in
            [("clients = 20\nroms = 5\n", "line 2"), ("clients = \"x\"\n", "line 1"), ("clients = 0\n", "out of range")]
        {
            fs::write(&path, text).unwrap();
            let said = Settings::of(&args).unwrap_err().to_string();
            assert!(said.contains(wanted), "{text}: {said}");
        }
        assert_eq!(settings.web, Some(WebAt::DEFAULT));
        fs::remove_file(&path).unwrap();
        assert!(Settings::of(&args).unwrap_err().to_string().contains("can't be read"));
    }

    #[test]
    fn whoever_takes_all_that_one_address_may_have_leaves_a_place_for_everybody() {
        for (clients, of_address) in [(1, 1), (20, 256), (1_024, 256), (4_096, 4_096)] {
            let mut args = args(None);
            (args.clients, args.links_per_address) = (Some(clients), Some(of_address));
            let settings = Settings::of(&args).unwrap();
            let (udp, clients) = (settings.udp(), usize::from(clients));
            assert!(udp.links - udp.links_per_address > clients && settings.connections() > udp.links + clients);
            assert!(udp.handshakes_per_address >= 1 && udp.handshake_every <= HALF_ANEW);
        }
        let usual = Settings::of(&args(None)).unwrap().udp();
        let of_config =
            |config: Config| (config.links_per_address, config.handshakes_per_address, config.handshake_every);
        assert_eq!(of_config(usual), of_config(Config::DEFAULT));
    }

    #[test]
    fn what_contradicts_itself_is_refused_and_a_flag_goes_before_the_file_there_too() {
        let with = |text: &str, change: &dyn Fn(&mut ServeArgs)| {
            let path = std::env::temp_dir().join(format!("consonance-contradiction-{}.toml", std::process::id()));
            fs::write(&path, text).unwrap();
            let mut args = args(Some(&path));
            change(&mut args);
            let settings = Settings::of(&args).map_err(|fail| fail.to_string());
            fs::remove_file(&path).unwrap();
            settings
        };
        let says = |args: &mut ServeArgs| args.password = Some("sesame".into());
        let is_open = |args: &mut ServeArgs| args.open = true;
        let both = |args: &mut ServeArgs| (says(args), is_open(args)).0;
        assert!(with("", &both).unwrap_err().contains("--open: there is a password"));
        assert!(with("open = true", &says).unwrap_err().contains("leave out `open = true`"));
        assert!(with("open = true\npassword = \"sesame\"", &|_| ()).is_err());
        assert_eq!(with("password = \"sesame\"", &is_open).unwrap().password, None);
        assert_eq!(with("", &says).unwrap().password.as_deref(), Some("sesame"));
        assert!(with("no_web = true\nweb = \"127.0.0.1:5\"", &|_| ()).is_err());
        assert_eq!(with("no_web = true", &|_| ()).unwrap().web, None);
        assert_eq!(with("web = \"127.0.0.1:5\"", &|args| args.no_web = true).unwrap().web, None);
        let at = with("no_web = true", &|args| args.web = Some("127.0.0.1:6".parse().unwrap())).unwrap().web.unwrap();
        assert!(at.was_said && at.address.port() == 6);
        assert!(with(&format!("name = \"{}\"", "x".repeat(65)), &|_| ()).unwrap_err().contains("1 to 64 bytes"));
        assert!(with("tls_cert = \"a\"", &|_| ()).unwrap_err().contains("--tls-key FILE"));
    }
}
