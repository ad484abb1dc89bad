//! What should not happen to a server, and does.

use voice_core::{
    ChannelOptions, ClientId, Delivery, ServerConfig, Target,
    wire::{Channel, VoiceHeader},
};

use super::{Stage, tables::new_server};

impl Stage<'_> {
    /// A packet of the reliable lane is repeated: the transport has broken its promise.
    pub(crate) fn break_lane(&mut self, at: usize) {
        let mut leave = [0x09, 0, 0, 0, 0, 0xFF, 0xFF];
        leave[1..5].copy_from_slice(&self.server.session().get().to_be_bytes());
        self.slip_in(at, Delivery::Reliable, &mut leave);
    }

    /// Voice under another's name.
    pub(crate) fn spoof(&mut self, at: usize, claimed: ClientId) {
        let tag = self.server.session().tag();
        let header = VoiceHeader {
            mark: true,
            end: false,
            tag,
            speaker: claimed,
            sequence: 9,
            media_time: 0,
            frame_length: voice_core::FrameLength::Ms20,
        };
        let channel = Channel { target: Target::Client(claimed), options: ChannelOptions::DEFAULT };
        let mut packet = [0; 40];
        let written = header.write(&mut packet, &[channel], Some((false, &[claimed])));
        self.note(written.is_some());
        self.slip_in(at, Delivery::Unreliable, &mut packet);
    }

    /// The server's process is another one; the transports survive, as some do, and the clients haven't noticed.
    pub(crate) fn replace_server(&mut self, config: ServerConfig, seed: u64) {
        let now = self.now();
        self.net.clear();
        self.server = new_server(config, seed);
        for peer in self.peers.iter_mut().filter(|peer| peer.connection.is_some()) {
            peer.connection = self.server.handle_connected(now).ok();
        }
    }

    fn slip_in(&mut self, at: usize, delivery: Delivery, packet: &mut [u8]) {
        let now = self.now();
        let Some(from) = self.peers[at].connection else { return };
        let mut forward = self.server.handle_packet(now, from, delivery, packet);
        self.sum.number(forward.next().is_some());
    }
}
