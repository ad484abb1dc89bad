//! Where the state of a server comes from: its HTTP address.

use std::io::Read;

use minreq::Error;

use crate::{fail::Fail, join::resolve, server_state::ServerState};

/// Seconds until a server that doesn't answer is given up.
const PATIENCE_S: u64 = 5;
/// More than a full server has to say.
const MOST_BYTES: u64 = 16 << 20;

const TURN_ON: &str = "start the server with --http, or name the address that it printed after http://";

#[derive(Clone)]
pub(super) struct Source {
    name: String,
    url: String,
}

impl Source {
    /// The server at `HOST` or `HOST:PORT`, with or without `http://` before it.
    pub(super) fn find(server: &str) -> Result<Self, Fail> {
        let place = server.trim_start_matches("http://").split('/').next().unwrap_or_default();
        // By its number: a server on this machine alone answers to no name that others could have chosen.
        Ok(Self { name: place.to_owned(), url: format!("http://{}/state", resolve(place)?) })
    }

    /// As it was typed.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The server now.
    pub(super) fn state(&self) -> Result<ServerState, Fail> {
        let no_server = || Fail::new(format!("{}: what answers there is no Consonance server", self.name), TURN_ON);
        let mut body = Vec::new();
        let answer = minreq::get(&self.url).with_timeout(PATIENCE_S).with_follow_redirects(false).send_lazy();
        let status =
            match answer.and_then(|answer| Ok((answer.status_code, answer.take(MOST_BYTES).read_to_end(&mut body)?))) {
                Ok((status, _)) => status,
                Err(Error::IoError(error)) => {
                    return Err(Fail::new(format!("{}: no HTTP answer ({error})", self.name), TURN_ON));
                }
                Err(_) => return Err(no_server()),
            };
        match (status, serde_json::from_slice(&body)) {
            (200, Ok(state)) => Ok(state),
            (503, _) if body.starts_with(b"the server is too busy") => {
                Err(Fail::new(format!("{}: the server is too busy to say", self.name), "try again"))
            }
            (404, _) if body.starts_with(b"there are /healthz") => {
                Err(Fail::new(format!("{}: this server is older and has no /state", self.name), "bring it up to date"))
            }
            _ => Err(no_server()),
        }
    }
}
