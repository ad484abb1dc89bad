use std::{hint::black_box, time::Duration};

use voice_core::{
    ChannelOptions, Delivery, RoomUse, Target,
    wire::{Channel, VoiceHeader, limits},
};

use crate::{
    case::Task,
    crowd::{Crowd, Person},
};

/// The rate limit is 200 packets/s.
const BETWEEN_PACKETS: Duration = Duration::from_millis(5);
const PAYLOAD_BYTES: usize = 60;
const SEQUENCE_AT: usize = 5;
/// Bystanders are in rooms of this size.
const OTHER_ROOM: usize = 50;

/// One voice packet in, every recipient read.
pub(crate) struct FanOut {
    crowd: Crowd,
    speaker: Person,
    listeners: usize,
    channels: Vec<Channel>,
    template: Vec<u8>,
    packet: Vec<u8>,
    sequence: u16,
}

impl FanOut {
    /// A speaker in a room with `listeners` others, of `clients` in all, who fill the server. Members of the room are strewn evenly among the
    /// seats.
    pub(crate) fn to_room(listeners: usize, clients: usize) -> Self {
        let members = listeners + 1;
        let mut crowd = Crowd::new(clients, 1_024);
        let (mut speaker, mut room) = (None, None);
        for at in 0..clients {
            let is_member = (at + 1) * members / clients > at * members / clients;
            if is_member {
                room = crowd.join("Hall", RoomUse::Both);
                speaker = speaker.or_else(|| crowd.people.last().copied());
            } else {
                crowd.join(&format!("Room {}", at / OTHER_ROOM), RoomUse::Both);
            }
        }
        let options = ChannelOptions::DEFAULT;
        let channels = vec![Channel { target: Target::Room(room.expect("it exists")), options }];
        Self::new(crowd, speaker.expect("somebody is in the room"), listeners, channels, 0)
    }

    /// The speaker also whispers to the first client, who is not in the room.
    pub(crate) fn with_whisper(self) -> Self {
        let Self { crowd, speaker, listeners, mut channels, sequence, .. } = self;
        let to = crowd.people[0].id;
        assert_ne!(to, speaker.id, "the first client is not in the room");
        channels.push(Channel { target: Target::Client(to), options: ChannelOptions::DEFAULT });
        Self::new(crowd, speaker, listeners + 1, channels, sequence)
    }

    fn new(crowd: Crowd, speaker: Person, listeners: usize, channels: Vec<Channel>, sequence: u16) -> Self {
        let tag = crowd.session.tag();
        let header = VoiceHeader {
            mark: false,
            end: false,
            tag,
            speaker: speaker.id,
            sequence: 0,
            media_time: 0,
            frame_length: voice_core::FrameLength::Ms20,
        };
        let mut template = vec![0xA5; limits::MAX_PACKET_BYTES];
        let start = header.write(&mut template, &channels, None).expect("the header is whole");
        template.truncate(start + PAYLOAD_BYTES);
        let packet = template.clone();
        let mut made = Self { crowd, speaker, listeners, channels, template, packet, sequence };
        assert_eq!(made.speak(), listeners, "everybody in the room hears, and nobody else");
        made
    }

    /// Sends the next packet; gives the number of deliveries.
    fn speak(&mut self) -> usize {
        self.crowd.now = self.crowd.now.after(BETWEEN_PACKETS);
        self.sequence = self.sequence.wrapping_add(1);
        self.packet.copy_from_slice(&self.template);
        self.packet[SEQUENCE_AT..SEQUENCE_AT + 2].copy_from_slice(&self.sequence.to_be_bytes());
        let (now, from) = (self.crowd.now, self.speaker.connection);
        let mut forward = self.crowd.server.handle_packet(now, from, Delivery::Unreliable, &mut self.packet);
        let mut deliveries = 0;
        while let Some((bytes, connections)) = forward.next() {
            black_box(bytes);
            for connection in connections {
                black_box(*connection);
            }
            deliveries += connections.len();
        }
        deliveries
    }
}

impl Task for FanOut {
    fn run(&mut self) {
        let deliveries = self.speak();
        assert_eq!(deliveries, self.listeners);
    }
}
