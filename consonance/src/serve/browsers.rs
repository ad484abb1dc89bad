//! Browsers are let in: one address for the page and offers over HTTP or HTTPS, and for voice over UDP.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

use adapter_udp::{Socket, local_addresses};
use adapter_webrtc::Endpoint;

use super::{
    adapter::Adapter,
    http, offers,
    settings::{Settings, WebAt},
    web::{About, Web},
    webrtc::WebRtc,
};
use crate::fail::Fail;

/// Ports that are tried where any will do: it has to be free for UDP and for TCP.
const TRIES: usize = 16;

/// Listens for browsers if they are let in, and says where.
pub(super) fn let_in(settings: &Settings) -> Result<Option<Box<dyn Adapter>>, Fail> {
    let Some(at) = settings.web else { return Ok(None) };
    let tls = settings.web_tls.as_ref().map(|(certificate, key)| http::acceptor(certificate, key)).transpose()?;
    let (socket, listener, bound) = match bind(at) {
        Ok(all) => all,
        Err(error) if at.was_said => {
            return Err(Fail::new(
                format!("--web {}: {error}", at.address),
                "name another address, whose port is free for UDP and TCP, by --web ADDRESS:PORT",
            ));
        }
        // Nobody asked for it: no reason to keep the others out.
        Err(error) => {
            say!("no browsers: {} can't be listened at ({error}); name another address by --web", at.address);
            return Ok(None);
        }
    };
    let told = addresses(bound, &settings.web_address);
    if told.is_empty() {
        return Err(Fail::new(
            format!("--web {bound}: this machine has no address that a browser could be told"),
            "start the server when the network is there, or name the address by --web-address",
        ));
    }
    let is_alone = !bound.ip().is_loopback() && told.iter().all(|told| told.ip().is_loopback());
    let endpoint = Endpoint::new(settings.web(), &told).map_err(|bad| {
        Fail::new(
            format!("--web-address {}: {bad}", bad.0.ip()),
            "name the address that browsers reach this machine at",
        )
    })?;
    let fail = |error| Fail::new(format!("--web {bound}: {error}"), "start the server again");
    let (outbox, inbox) = offers::pair(endpoint.desk()).map_err(fail)?;
    let about = About {
        consonance: env!("CARGO_PKG_VERSION"),
        name: settings.name.clone(),
        password: settings.password.is_some(),
    };
    let is_secure = tls.is_some();
    http::serve(listener, tls, Web { offers: outbox, about, bound: bound.ip() }).map_err(fail)?;
    say(at, bound, is_secure);
    if is_alone {
        say!(
            "  browsers are told no address but {}, since this machine has no other now: name one by --web-address, or start the server again when \
             the network is there",
            told[0].ip()
        );
    }
    Ok(Some(Box::new(WebRtc::new(socket, endpoint, inbox))))
}

/// Tells where the page is, and what keeps browsers from using it.
fn say(at: WebAt, bound: SocketAddr, is_secure: bool) {
    let scheme = if is_secure { "https" } else { "http" };
    let here = SocketAddr::new(
        if bound.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { bound.ip() },
        bound.port(),
    );
    say!("open {scheme}://{here}/ in a browser to talk");
    if at.address.port() != 0 && bound.port() != at.address.port() {
        say!(
            "  port {} is taken, so browsers have another one; choose it by --web {}:PORT",
            at.address.port(),
            bound.ip()
        );
    }
    if !is_secure && !bound.ip().is_loopback() {
        say!(
            "  from other machines browsers give no microphone to a page by http: name a certificate by --tls-cert and --tls-key, or put a \
             proxy with one before TCP port {}",
            bound.port()
        );
    }
}

/// The same port for UDP and for TCP: the one that was said, or the usual one if it is free, or else any. The page of this machine alone still gets a socket of
/// all addresses: browsers other than Chromium send to none but those that a network could have. Whoever has no answer to an offer, and those come by TCP,
/// gets nothing from it.
fn bind(at: WebAt) -> io::Result<(Socket, TcpListener, SocketAddr)> {
    let any = SocketAddr::new(at.address.ip(), 0);
    let tries = match (at.address.port(), at.was_said) {
        (0, _) => vec![any; TRIES],
        (_, true) => vec![at.address],
        (_, false) => [vec![at.address], vec![any; TRIES]].concat(),
    };
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for address in tries {
        let voice = if address.ip().is_loopback() { any_of_kind(address) } else { address };
        let bound = Socket::bind(voice).and_then(|socket| Ok((socket.address()?.port(), socket)));
        let bound = bound.map(|(port, socket)| (SocketAddr::new(address.ip(), port), socket));
        match bound.and_then(|(bound, socket)| Ok((socket, TcpListener::bind(bound)?, bound))) {
            Ok(all) => return Ok(all),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// All addresses, with the same port.
fn any_of_kind(address: SocketAddr) -> SocketAddr {
    let any = if address.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(any, address.port())
}

/// What browsers are told to send to: what the operator says, or where the socket is bound, or where this machine is seen from, loopback last unless the page is there.
fn addresses(bound: SocketAddr, told: &[IpAddr]) -> Vec<SocketAddr> {
    let port = bound.port();
    match told {
        [] if bound.ip().is_loopback() => {
            let own = local_addresses(bound, port)
                .into_iter()
                .filter(|own| own.is_ipv4() == bound.is_ipv4() && own.ip() != bound.ip());
            [bound].into_iter().chain(own).collect()
        }
        [] if bound.ip().is_unspecified() => {
            let mut own = local_addresses(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), port);
            own.retain(|own| own.is_ipv4() || bound.is_ipv6());
            // The loopback's is the first one, if it is there.
            own.sort_by_key(|own| own.ip().is_loopback());
            own
        }
        [] => vec![bound],
        told => told.iter().map(|ip| SocketAddr::new(*ip, port)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_what_the_operator_says_or_else_where_the_server_is() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(addresses(at("0.0.0.0:5"), &["203.0.113.7".parse().unwrap()]), [at("203.0.113.7:5")]);
        assert_eq!(addresses(at("10.0.0.1:5"), &[]), [at("10.0.0.1:5")]);
        assert_eq!(addresses(at("127.0.0.1:5"), &["203.0.113.7".parse().unwrap()]), [at("203.0.113.7:5")]);
        let own = addresses(at("127.0.0.1:5"), &[]);
        assert!(
            own[0] == at("127.0.0.1:5") && own[1..].iter().all(|own| own.is_ipv4() && !own.ip().is_loopback()),
            "{own:?}"
        );
        let own = addresses(at("0.0.0.0:5"), &[]);
        assert!(own.contains(&at("127.0.0.1:5")) && own.iter().all(|own| !own.ip().is_unspecified()), "{own:?}");
    }
}
