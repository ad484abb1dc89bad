use std::hint::black_box;

use voice_core::{
    ChannelOptions, ClientId, CodecSettings, Priority, RoomId, SessionId, Target,
    wire::{Channel, Lane, Packet, PersonFlags, RosterWriter, VoiceHeader, limits},
};

use crate::case::Task;

const PAYLOAD: [u8; 60] = [0xA5; 60];
/// As many people as a page holds with names of 11 bytes and a room each.
const PEOPLE: u16 = 47;

type Buffer = [u8; limits::MAX_PACKET_BYTES];

/// Reads a voice packet and each channel.
pub(crate) struct DecodeVoice {
    bytes: Buffer,
    len: usize,
}

impl DecodeVoice {
    pub(crate) fn new() -> Self {
        let mut bytes = [0; limits::MAX_PACKET_BYTES];
        let len = write_voice(&mut bytes, 1);
        Self { bytes, len }
    }
}

impl Task for DecodeVoice {
    fn run(&mut self) {
        let packet = Packet::decode(black_box(&self.bytes[..self.len])).expect("it is voice");
        if let Packet::Voice(voice) = &packet {
            voice.channels.iter().for_each(|channel| _ = black_box(channel));
        }
        black_box(&packet);
    }
}

/// Reads a page and each record.
pub(crate) struct DecodeRoster {
    bytes: Buffer,
    len: usize,
}

impl DecodeRoster {
    pub(crate) fn new() -> Self {
        let mut bytes = [0; limits::MAX_PACKET_BYTES];
        let len = write_roster(&mut bytes, 1);
        Self { bytes, len }
    }
}

impl Task for DecodeRoster {
    fn run(&mut self) {
        let packet = Packet::decode(black_box(&self.bytes[..self.len])).expect("it is a page");
        if let Packet::Roster(roster) = &packet {
            roster.records().for_each(|record| _ = black_box(record));
        }
    }
}

/// Writes a voice packet, payload included.
pub(crate) struct EncodeVoice {
    out: Buffer,
    sequence: u16,
}

impl EncodeVoice {
    pub(crate) const fn new() -> Self {
        Self { out: [0; limits::MAX_PACKET_BYTES], sequence: 0 }
    }
}

impl Task for EncodeVoice {
    fn run(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
        black_box(write_voice(&mut self.out, black_box(self.sequence)));
    }
}

/// Writes a page.
pub(crate) struct EncodeRoster {
    out: Buffer,
}

impl EncodeRoster {
    pub(crate) const fn new() -> Self {
        Self { out: [0; limits::MAX_PACKET_BYTES] }
    }
}

impl Task for EncodeRoster {
    fn run(&mut self) {
        black_box(write_roster(&mut self.out, black_box(1)));
    }
}

fn write_voice(out: &mut Buffer, sequence: u16) -> usize {
    let speaker = ClientId::new(17).expect("not 0");
    let header = VoiceHeader {
        mark: false,
        end: false,
        tag: 0x1234,
        speaker,
        sequence,
        media_time: 7,
        frame_length: voice_core::FrameLength::Ms20,
    };
    let target = Target::Room(RoomId::new(5).expect("not 0"));
    let channels = [Channel { target, options: ChannelOptions::DEFAULT }];
    let start = header.write(out, &channels, None).expect("the header fits");
    out[start..start + PAYLOAD.len()].copy_from_slice(&PAYLOAD);
    start + PAYLOAD.len()
}

fn write_roster(out: &mut Buffer, number: u16) -> usize {
    let mut page = RosterWriter::new(out);
    for at in 1..=PEOPLE {
        let (id, room) = (ClientId::new(at).expect("not 0"), RoomId::new(at / 8 + 1));
        let flags = PersonFlags::default();
        assert!(page.push_present(id, flags, &CodecSettings::DEFAULT, Priority::None, "Player 0001", room.into_iter()));
    }
    let lane = Lane { session: SessionId::new(9).expect("not 0"), number };
    page.finish(lane, true, true).expect("somebody is in it")
}
