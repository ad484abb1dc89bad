//! A browser with its page, as far as a server sees it: the core's client over two data channels, which an offer by HTTP begins.

use std::{net::SocketAddr, time::Duration};

use adapter_webrtc::Client as Transport;

use super::{figures::Came, offers::Offers};
use crate::{clock::Now, net_client::Core};

/// The transport isn't asked oftener whether something is due.
const TICK: Duration = Duration::from_millis(1);

pub(super) struct Browser {
    pub(super) core: Core,
    offers: Offers,
    /// Its socket's.
    own: SocketAddr,
    transport: Option<Transport>,
    attempt: Option<u32>,
    came: Came,
    refusal: Option<String>,
}

impl Browser {
    pub(super) const fn new(core: Core, offers: Offers, own: SocketAddr) -> Self {
        let came = Came { packets: 0, datagrams: 0 };
        Self { core, offers, own, transport: None, attempt: None, came, refusal: None }
    }

    pub(super) const fn came(&self) -> Came {
        self.came
    }

    /// Why its last offer wasn't taken.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    pub(super) fn handle_datagram(&mut self, now: Now, from: SocketAddr, datagram: &[u8], mut tell: impl FnMut(&[u8])) {
        let Self { core, transport: Some(transport), came, .. } = self else { return };
        transport.handle_datagram(now.real, from, datagram);
        let before = came.packets;
        transport.drive(now.real, now.core, core, |packet| {
            came.packets += 1;
            tell(packet);
        });
        // A message of the server fits one datagram.
        came.datagrams += u64::from(came.packets > before);
    }

    /// Does what is due, and lets the client and the transport exchange what they have for each other.
    pub(super) fn turn(&mut self, now: Now) {
        if self.core.poll_timeout().is_some_and(|at| at <= now.core) {
            self.core.handle_timeout(now.core);
        }
        if let Some(transport) = &mut self.transport {
            transport.drive(now.real, now.core, &mut self.core, |_| self.came.packets += 1);
        }
        self.follow_wish(now);
    }

    pub(super) fn poll_datagram(&mut self, out: &mut Vec<u8>) -> Option<SocketAddr> {
        self.transport.as_mut()?.poll_transmit(out)
    }

    pub(super) fn until(&self, now: Now, most: Duration) -> Duration {
        let transport = self.transport.as_ref().map(|transport| transport.poll_timeout().max(now.real + TICK));
        now.until(transport, self.core.poll_timeout(), most)
    }

    /// Offers, gives up or offers anew, as the client wants.
    fn follow_wish(&mut self, now: Now) {
        let wanted = self.core.transport_wanted();
        if wanted == self.attempt {
            return;
        }
        self.attempt = wanted;
        match wanted {
            // What it has to say at its end is still to be sent.
            None => self.transport.iter_mut().for_each(Transport::close),
            Some(_) => match self.offers.make(now, self.own) {
                Ok(transport) => (self.transport, self.refusal) = (Some(transport), None),
                // An attempt that can't even begin is one that nobody answers: the core makes the next one in time.
                Err(why) => (self.transport, self.refusal) = (None, Some(why)),
            },
        }
    }
}
