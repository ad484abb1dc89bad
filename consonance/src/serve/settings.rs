//! What a server is told: by flags, or else by a TOML file with keys of the same names, or else by the defaults.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use crate::{cli::ServeArgs, fail::Fail, log::Level};

/// Most clients, and most rooms.
const MOST: u16 = 4_096;

/// Half a usual frame: what waits longer comes with the next one.
const MOST_WINDOW: Duration = Duration::from_millis(10);

/// All that a server can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) listen: SocketAddr,
    pub(super) password: Option<String>,
    pub(super) clients: u16,
    pub(super) rooms: u16,
    pub(super) http: Option<SocketAddr>,
    /// Where browsers are listened for, and where they are told to send to.
    pub(super) web: Option<SocketAddr>,
    pub(super) web_address: Vec<IpAddr>,
    /// How long voice waits at most for that of others to the same listener.
    pub(super) window: Duration,
    pub(super) log: Level,
    /// Certificate and key.
    pub(super) certificate: Option<(PathBuf, PathBuf)>,
}

/// The file. A key that isn't here is refused, so that one misspelt is noticed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    password: Option<String>,
    clients: Option<u16>,
    rooms: Option<u16>,
    http: Option<SocketAddr>,
    web: Option<SocketAddr>,
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
            password: args.password.clone().or(file.password),
            clients: args.clients.or(file.clients).unwrap_or(1_024),
            rooms: args.rooms.or(file.rooms).unwrap_or(1_024),
            http: args.http.or(file.http),
            web: args.web.or(file.web),
            web_address: args.web_address.clone().or(file.web_address).unwrap_or_default(),
            window: Duration::from_millis(args.window_ms.or(file.window_ms).unwrap_or(5).into()),
            log: args.log.or(file.log).unwrap_or_default(),
            certificate: both(args.certificate.clone().or(file.certificate), args.key.clone().or(file.key))?,
        };
        if settings.window > MOST_WINDOW {
            let most = MOST_WINDOW.as_millis();
            return Err(Fail::new(
                format!("window_ms: {} is out of range", settings.window.as_millis()),
                format!("choose 0 to {most}"),
            ));
        }
        for (name, value) in [("clients", settings.clients), ("rooms", settings.rooms)] {
            if !(1..=MOST).contains(&value) {
                return Err(Fail::new(format!("{name}: {value} is out of range"), format!("choose 1 to {MOST}")));
            }
        }
        Ok(settings)
    }
}

fn both(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<(PathBuf, PathBuf)>, Fail> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        (Some(_), None) => {
            Err(Fail::new("--certificate: there is no key for it", "name its private key by --key FILE"))
        }
        (None, Some(_)) => Err(Fail::new("--key: there is no certificate for it", "name it by --certificate FILE")),
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
            password: None,
            clients: None,
            rooms: None,
            http: None,
            web: None,
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
        fs::remove_file(&path).unwrap();
        assert!(Settings::of(&args).unwrap_err().to_string().contains("can't be read"));
    }
}
