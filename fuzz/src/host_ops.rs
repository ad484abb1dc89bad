use voice_core::{ChannelOptions, ConnectionId, GameSession, Instant, Mode, RoomUse, Source, TalkTo};

use crate::{draw::packet_after, host_stage::HostStage, input::Input, session::Tap};

/// Makes any sequence of public calls and changes of mode on a host, which has a guest when it serves and a server elsewhere when it
/// doesn't.
pub fn host_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let mut caller = HostStage::new();
    if input.flag() {
        caller.begin_joined();
    }
    input.steps(|input| {
        caller.call(input);
        assert!(caller.node.server().client_count() <= 4 && caller.node.client().roster().count() <= 3);
    });
    caller.come_to_rest();
}

impl HostStage {
    fn call(&mut self, input: &mut Input<'_>) {
        let now = Instant::from_ms(self.now);
        match input.below(16) {
            0 => self.now += u64::from(input.byte()) * 40,
            1 => self.now = self.now.saturating_sub(u64::from(input.byte())),
            2 => self.now += 20,
            3 => self.node.set_mode(now, Mode::ALL[input.below(4)]),
            4 => self.mode(now, input),
            5 => self.node.handle_timeout(now),
            6 | 7 => self.settle(),
            8 => self.connections(now, input),
            9 => {
                let Some((delivery, packet)) = packet_after(input, self.elsewhere.session(), &self.received) else {
                    return;
                };
                self.received.note(&packet);
                self.node.handle_client_packet(now, Source::Server, delivery, &packet);
            }
            10 | 11 => self.packet_for_server(now, input),
            12 => _ = self.node.client_mut().send_frame(now, &[1; 40]),
            13 => _ = self.guest.client.send_frame(now, &[2; 40]),
            14 => self.command(now, input),
            // One packet on its way is lost.
            _ => _ = self.node.poll_transmit(now, &mut [0; 1_200]),
        }
        self.latest = self.latest.max(self.now);
    }

    fn mode(&mut self, now: Instant, input: &mut Input<'_>) {
        match input.below(4) {
            0 => self.node.follow(now, GameSession { server: input.flag(), client: input.flag() }),
            1 => self.node.restart_server(now),
            2 => self.node.server_mut().stop(now),
            _ => self.node.server_mut().start(now),
        }
    }

    fn connections(&mut self, now: Instant, input: &mut Input<'_>) {
        match input.below(5) {
            0 => self.node.handle_client_connected(now),
            1 => self.node.handle_client_disconnected(now),
            2 => {
                let connected = self.node.handle_server_connected(now);
                self.strangers.extend(connected.map(|connection| (connection, Tap::default())));
            }
            3 => self.guest.client.connect(now),
            _ => {
                let connection = self.connection(input);
                self.strangers.retain(|(stranger, _)| *stranger != connection);
                self.node.handle_server_disconnected(now, connection);
            }
        }
    }

    fn packet_for_server(&mut self, now: Instant, input: &mut Input<'_>) {
        let from = self.connection(input);
        let session = self.node.server_mut().session();
        let of_stranger = self.strangers.iter_mut().find(|(stranger, _)| *stranger == from).map(|(_, tap)| tap);
        let tap = of_stranger.unwrap_or(&mut self.guest.sent);
        let Some((delivery, mut packet)) = packet_after(input, session, tap) else { return };
        tap.note(&packet);
        self.serve(now, from, delivery, &mut packet);
    }

    fn command(&mut self, now: Instant, input: &mut Input<'_>) {
        let client = if input.flag() { self.node.client_mut() } else { &mut self.guest.client };
        match input.below(5) {
            0 => client.connect(now),
            1 => client.disconnect(now),
            2 => client.set_deafened(now, input.flag()),
            3 => {
                if let Ok(room) = client.use_room(now, ["a", "b"][input.below(2)], RoomUse::Both) {
                    let _ = client.open_channel(now, TalkTo::Room(room), ChannelOptions::DEFAULT);
                }
            }
            _ => {
                let id = self.node.client().id().or(self.guest.client.id());
                let _ = id.map(|id| self.guest.client.send_text(now, TalkTo::Client(id), "hello"));
            }
        }
    }

    fn connection(&self, input: &mut Input<'_>) -> ConnectionId {
        let at = input.below(8);
        let known = match at {
            0..=2 => self.guest.connection,
            3 => self.node.local_connection(),
            _ => self.strangers.get(at - 4).map(|(stranger, _)| *stranger),
        };
        known.unwrap_or(ConnectionId::new(u16::from(input.byte() % 8), u16::from(input.byte() % 4)))
    }
}
