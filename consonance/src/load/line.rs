//! What a client of a load has between its core and its socket: the transport over UDP, or the one of a browser.

use std::{net::SocketAddr, time::Duration};

use adapter_udp::{Config, Endpoint, Identity, Trust};

use super::{browser::Browser, figures::Came, offers::Offers};
use crate::{
    cli::LoadArgs,
    clock::Now,
    fail::Fail,
    join::resolve,
    net_client::{Core, Happened, NetClient},
};

/// Makes the clients' lines, all of one kind.
pub(super) enum Lines {
    Udp(SocketAddr, Identity),
    Web(Offers),
}

impl Lines {
    /// To the server that the arguments name, by the transport that they name.
    pub(super) fn find(args: &LoadArgs) -> Result<Self, Fail> {
        if let Some(page) = &args.web {
            return Offers::find(page).map(Self::Web);
        }
        let server = resolve(args.server.as_deref().unwrap_or_default())?;
        let identity = Identity::generate()
            .map_err(|error| Fail::new(format!("no identity can be made: {error}"), "try again"))?;
        Ok(Self::Udp(server, identity))
    }

    pub(super) const fn server(&self) -> SocketAddr {
        match self {
            Self::Udp(server, _) => *server,
            Self::Web(offers) => offers.server(),
        }
    }

    /// The line of a client whose socket has this address.
    pub(super) fn open(&self, core: Core, own: SocketAddr) -> Line {
        match self {
            Self::Udp(server, identity) => {
                let transport = Endpoint::client(Config { links: 4, ..Config::DEFAULT }, identity.clone());
                Line::Udp(Box::new(NetClient::new(core, transport, *server, Trust::FirstUse)))
            }
            Self::Web(offers) => Line::Web(Box::new(Browser::new(core, offers.clone(), own))),
        }
    }
}

/// One client's.
pub(super) enum Line {
    Udp(Box<NetClient>),
    Web(Box<Browser>),
}

impl Line {
    pub(super) const fn core(&self) -> &Core {
        match self {
            Self::Udp(net) => &net.core,
            Self::Web(browser) => &browser.core,
        }
    }

    pub(super) const fn core_mut(&mut self) -> &mut Core {
        match self {
            Self::Udp(net) => &mut net.core,
            Self::Web(browser) => &mut browser.core,
        }
    }

    /// What unreliable packets came so far, and in how many datagrams.
    pub(super) const fn came(&self) -> Came {
        match self {
            Self::Udp(net) => {
                let traffic = net.traffic();
                Came { packets: traffic.packets_in, datagrams: traffic.datagrams_in }
            }
            Self::Web(browser) => browser.came(),
        }
    }

    /// Why the server doesn't let it in, if it says so.
    pub(super) fn refusal(&self) -> Option<&str> {
        match self {
            Self::Udp(_) => None,
            Self::Web(browser) => browser.refusal(),
        }
    }

    /// In: a datagram, whose unreliable packets are told. [`Line::turn`] follows.
    pub(super) fn handle_datagram(
        &mut self,
        now: Now,
        from: SocketAddr,
        datagram: &mut [u8],
        mut tell: impl FnMut(&[u8]),
    ) {
        match self {
            Self::Udp(net) => net.handle_datagram(now, from, datagram, |happened| {
                if let Happened::Packet(packet) = happened {
                    tell(packet);
                }
            }),
            Self::Web(browser) => browser.handle_datagram(now, from, datagram, tell),
        }
    }

    /// Does what is due.
    pub(super) fn turn(&mut self, now: Now) {
        match self {
            Self::Udp(net) => net.turn(now, |_| {}),
            Self::Web(browser) => browser.turn(now),
        }
    }

    pub(super) fn poll_datagram(&mut self, now: Now, out: &mut Vec<u8>) -> Option<SocketAddr> {
        match self {
            Self::Udp(net) => net.poll_datagram(now, out),
            Self::Web(browser) => browser.poll_datagram(out),
        }
    }

    /// How long nothing will be due, at most so long.
    pub(super) fn until(&self, now: Now, most: Duration) -> Duration {
        match self {
            Self::Udp(net) => net.until(now, most),
            Self::Web(browser) => browser.until(now, most),
        }
    }
}
