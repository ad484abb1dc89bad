use std::collections::BTreeMap;

use crate::check::Violations;

/// No packet over the limit, no queue over its bound, no answer larger than its cause before joining.
#[derive(Debug, Default)]
pub struct LimitChecker;

impl LimitChecker {
    /// The most bytes a packet may have.
    pub const PACKET: usize = 1_200;

    /// Judges a packet that somebody sent.
    pub fn sent(&self, now: u64, by: &str, bytes: &[u8], violations: &mut Violations) {
        if bytes.is_empty() || bytes.len() > Self::PACKET {
            violations.push("limits", now, format!("{by} sent a packet of {} bytes", bytes.len()));
        }
    }

    /// Judges how full something is.
    pub fn level(&self, now: u64, what: &str, level: u64, most: u64, violations: &mut Violations) {
        if level > most {
            violations.push("limits", now, format!("{what} stands at {level}, over its bound of {most}"));
        }
    }

    /// Judges the answers to one packet from somebody who has not joined.
    pub fn answered(&self, now: u64, cause: usize, answer: usize, violations: &mut Violations) {
        if answer > cause {
            violations.push("limits", now, format!("a packet of {cause} bytes was answered with {answer} bytes"));
        }
    }
}

/// No lane has more packets under way than its window. Reads lane numbers and acknowledgements off the wire.
#[derive(Debug, Default)]
pub struct LaneChecker {
    /// By lane: the number of the first packet not acknowledged, and packets sent from there on.
    lanes: BTreeMap<u32, (u16, u16)>,
}

impl LaneChecker {
    /// The most packets of a lane that may be unacknowledged.
    pub const WINDOW: u16 = 64;

    /// Judges a packet that was sent on a lane, and begins the lane anew with its number 0. Lanes have numbers of the caller's choice.
    pub fn sent(&mut self, now: u64, lane: u32, packet: &[u8], violations: &mut Violations) {
        let Some(number) = lane_number(packet) else { return };
        let (first, under_way) = self.lanes.entry(lane).or_default();
        if begins_lane(packet) {
            (*first, *under_way) = (0, 0);
        }
        *under_way = (*under_way).max(number.wrapping_sub(*first).wrapping_add(1));
        LimitChecker.level(now, &format!("lane {lane}"), (*under_way).into(), Self::WINDOW.into(), violations);
    }

    /// Notes a packet that came back from the lane's other end: it may acknowledge.
    pub fn came_back(&mut self, lane: u32, packet: &[u8]) {
        let (Some(next), Some((first, under_way))) = (acknowledged(packet), self.lanes.get_mut(&lane)) else { return };
        let taken = next.wrapping_sub(*first);
        if taken <= *under_way {
            (*first, *under_way) = (next, *under_way - taken);
        }
    }
}

/// Hello and Welcome.
fn begins_lane(packet: &[u8]) -> bool {
    matches!(packet.first(), Some(0x01 | 0x21))
}

/// The number on its lane of a reliable packet; `None` for others.
fn lane_number(packet: &[u8]) -> Option<u16> {
    match packet.first()? {
        0x01 | 0x21 => Some(0),
        0x02..=0x09 | 0x23..=0x2C => u16_at(packet, 5),
        _ => None,
    }
}

/// "Next expected" in Ping, Pong and LaneAck.
fn acknowledged(packet: &[u8]) -> Option<u16> {
    match packet.first()? {
        0x41 | 0x42 => u16_at(packet, 9),
        0x43 => u16_at(packet, 5),
        _ => None,
    }
}

fn u16_at(packet: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?))
}
