//! Where browsers' clients get their connections: the server's page, by HTTP.

use std::{
    io::Read,
    net::{IpAddr, SocketAddr},
};

use adapter_webrtc::Client;
use minreq::Request;

use crate::{clock::Now, fail::Fail, join::resolve};

/// Where the page is, unless the server was told otherwise.
const PORT: u16 = 7_758;
/// Seconds until a server that doesn't answer is given up.
const PATIENCE_S: u64 = 5;
/// More than an answer has.
const MOST_BYTES: u64 = 64 << 10;

const TURN_ON: &str = "name the address of the page that the server printed after http://";

#[derive(Clone)]
pub(super) struct Offers {
    server: SocketAddr,
}

impl Offers {
    /// Of the server whose page is at `HOST` or `HOST:PORT`, with or without `http://` before it. It has to run.
    pub(super) fn find(page: &str) -> Result<Self, Fail> {
        if page.starts_with("https://") {
            let what = format!("--web {page}: load speaks no https");
            return Err(Fail::new(what, "load a server without --tls-cert, or name its address behind the proxy"));
        }
        let place = page.trim_start_matches("http://").split('/').next().unwrap_or_default();
        let offers = Self { server: resolve(&with_port(place))? };
        match send(minreq::get(offers.url("about"))) {
            Ok((200, about)) if about.starts_with("{\"consonance\"") => Ok(offers),
            Ok(_) => Err(Fail::new(format!("--web {page}: what answers there is no Consonance server"), TURN_ON)),
            Err(why) => Err(Fail::new(format!("--web {page}: no HTTP answer ({why})"), TURN_ON)),
        }
    }

    pub(super) const fn server(&self) -> SocketAddr {
        self.server
    }

    /// A connection of a client whose socket has this address, and why there is none.
    pub(super) fn make(&self, now: Now, own: SocketAddr) -> Result<Client, String> {
        let (mut client, offer) = Client::new(now.real, own).map_err(|error| error.to_string())?;
        // The server on this machine limits offers by address, and believes who asks on behalf of another about that.
        let request = minreq::post(self.url("offer"))
            .with_header("Content-Type", "application/sdp")
            .with_header("X-Forwarded-For", own.ip().to_string())
            .with_body(offer);
        let (status, answer) = send(request)?;
        if status != 200 {
            return Err(format!("{status}: {}", answer.trim()));
        }
        client.accept_answer(now.real, &answer).map_err(|error| error.to_string())?;
        Ok(client)
    }

    /// By its number: a server on this machine alone answers to no name that others could have chosen.
    fn url(&self, what: &str) -> String {
        format!("http://{}/{what}", self.server)
    }
}

fn with_port(place: &str) -> String {
    match place.parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, PORT).to_string(),
        Err(_) if place.contains(':') => place.to_owned(),
        Err(_) => format!("{place}:{PORT}"),
    }
}

/// The status and the text that are answered, or why there is no answer.
fn send(request: Request) -> Result<(u16, String), String> {
    let mut text = String::new();
    let answer = request.with_timeout(PATIENCE_S).with_follow_redirects(false).send_lazy();
    let answer = answer.and_then(|answer| Ok((answer.status_code, answer.take(MOST_BYTES).read_to_string(&mut text)?)));
    answer.map(|(status, _)| (status, text)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_a_port_is_at_the_usual_one() {
        assert_eq!(with_port("127.0.0.1"), "127.0.0.1:7758");
        assert_eq!(with_port("::1"), "[::1]:7758");
        assert_eq!(with_port("voice.example"), "voice.example:7758");
        assert_eq!(with_port("voice.example:80"), "voice.example:80");
    }
}
