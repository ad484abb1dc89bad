//! Direct paths and a client of the core, brought together.

use std::time::Instant;

use voice_core::{Client, ClientMemory, Delivery, Source};

use super::{Direct, DirectEvent};
use crate::{Endpoint, LinkId};

impl Direct {
    /// Does what is due, and lets a client, its link to the server and its direct paths exchange what they have for one another. `core_now` is the
    /// same time on the core's clock. `seen` gets each packet that came in on a path, before the client does.
    ///
    /// Rendezvous messages that came in are still the caller's to hand in, since they wait among the client's texts.
    pub fn drive<M: ClientMemory>(
        &mut self,
        now: Instant,
        core_now: voice_core::Instant,
        core: &mut Client<M>,
        server: (&mut Endpoint, Option<LinkId>),
        mut seen: impl FnMut(&Self, voice_core::PathId, &[u8]),
    ) {
        let (endpoint, link) = server;
        self.set_session(now, core.session().zip(core.id()));
        if link.is_some() && link != self.link {
            // Another link may come from another address.
            self.link = link;
            self.ask_soon(now);
        }
        if let Some(outside) = link.and_then(|link| endpoint.outside_address(link)) {
            self.set_outside(now, outside);
        }
        if self.poll_timeout().is_some_and(|at| at <= now) {
            self.handle_timeout(now);
        }
        while let Some(event) = self.poll_event() {
            match event {
                // What can't be said now is said again later.
                DirectEvent::Rendezvous(to, bytes) => _ = core.send_rendezvous(core_now, to, &bytes),
                DirectEvent::AskAddress => link.into_iter().for_each(|link| endpoint.ask_address(link)),
                // A full table leaves the pair on the server.
                DirectEvent::Available(client, path) => _ = core.handle_path_available(core_now, client, path),
                DirectEvent::Lost(path) => core.handle_path_lost(core_now, path),
                DirectEvent::Packet(path, packet) => {
                    seen(self, path, &packet);
                    core.handle_packet(core_now, Source::Path(path), Delivery::Unreliable, &packet);
                }
            }
        }
    }
}
