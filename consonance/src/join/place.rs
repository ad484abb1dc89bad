//! Where a server is.

use std::net::{SocketAddr, ToSocketAddrs};

use crate::{fail::Fail, serve::PORT};

/// The address of `HOST` or `HOST:PORT`; an IPv6 address with a port is in brackets.
pub(crate) fn resolve(server: &str) -> Result<SocketAddr, Fail> {
    let bare = server.parse::<std::net::IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
    let found = bare.or_else(|_| server.parse::<SocketAddr>()).or_else(|_| {
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) => (host, port.parse::<u16>().map_err(|_| format!("'{port}' is no port"))?),
            None => (server, PORT),
        };
        let mut found: Vec<SocketAddr> = (host, port).to_socket_addrs().map_err(|error| error.to_string())?.collect();
        // Where a name has both, more servers listen to IPv4.
        found.sort_by_key(|address| !address.is_ipv4());
        found.first().copied().ok_or_else(|| "the name has no address".to_owned())
    });
    let found =
        found.and_then(|address| if address.port() == 0 { Err("'0' is no port".to_owned()) } else { Ok(address) });
    found.map_err(|error| {
        Fail::new(format!("{server}: unknown host ({error})"), "say HOST or HOST:PORT of a server that runs")
    })
}

/// The host in `HOST` or `HOST:PORT`, without brackets.
pub(crate) fn host(server: &str) -> &str {
    if server.parse::<std::net::IpAddr>().is_ok() {
        return server;
    }
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_address_or_a_name_with_or_without_a_port() {
        let at = |text: &str| resolve(text).unwrap();
        assert_eq!(at("127.0.0.1"), SocketAddr::from(([127, 0, 0, 1], PORT)));
        assert_eq!(at("127.0.0.1:99"), SocketAddr::from(([127, 0, 0, 1], 99)));
        assert_eq!(at("[::1]:99").port(), 99);
        assert_eq!(at("localhost:99").port(), 99);
        let hosts = ["::1", "[::1]:99", "10.0.0.1", "10.0.0.1:9", "voice.example", "voice.example:9"].map(host);
        assert_eq!(hosts, ["::1", "::1", "10.0.0.1", "10.0.0.1", "voice.example", "voice.example"]);
        assert!(resolve("localhost:0").unwrap_err().to_string().contains("'0' is no port"));
        assert!(resolve("localhost:voice").unwrap_err().to_string().contains("'voice' is no port"));
    }
}
