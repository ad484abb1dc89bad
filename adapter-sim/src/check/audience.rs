use crate::{
    check::Violations,
    stamp::{Audience, Stamp},
    truth::Truth,
};

const NAME: &str = "audience";

/// Nobody hears what they may not, and nothing of a whisper reaches anybody else, heard or not.
#[derive(Debug, Default)]
pub struct AudienceChecker;

impl AudienceChecker {
    /// How long after leaving a room or muting somebody a frame already spoken may still be heard, µs: the playout delay of
    /// what lay in the buffer, generously.
    pub const TAIL: u64 = 500_000;

    /// How long after the server muted somebody a listener may hear it on a direct path, µs: as long as either may take to notice
    /// that the server is out of reach. By the relay it is not a moment.
    pub const SERVER_MUTE_TAIL: u64 = 20_000_000;

    /// Judges a frame that came out at a listener's ear, with the channels by which the core says it was heard.
    pub fn heard(
        &self,
        now: u64,
        listener: u16,
        stamp: &Stamp,
        via: &[Audience],
        truth: &Truth,
        violations: &mut Violations,
    ) {
        let Stamp { speaker, serial, spoken_at, .. } = *stamp;
        if speaker == listener {
            violations.push(NAME, now, format!("person {listener} heard itself (frame {serial})"));
        }
        let meant =
            |audience: &Audience| truth.is_meant(listener, *audience, spoken_at.saturating_sub(Self::TAIL), now);
        if !stamp.audience.iter().any(meant) {
            let whom = &stamp.audience;
            violations.push(
                NAME,
                now,
                format!("person {listener} heard frame {serial} of {speaker}, meant for {whom:?}"),
            );
        }
        for channel in via {
            if !stamp.audience.contains(channel) {
                let text =
                    format!("person {listener} heard {speaker} by {channel:?}, which frame {serial} was not spoken to");
                violations.push(NAME, now, text);
            } else if !meant(channel) {
                violations.push(NAME, now, format!("person {listener} learnt of {channel:?} of {speaker}"));
            }
        }
        if truth.silenced_throughout(speaker, spoken_at, now) {
            violations.push(
                NAME,
                now,
                format!("person {listener} heard frame {serial} of {speaker}, spoken while muted"),
            );
        }
        if truth.silenced_by_server_throughout(speaker, spoken_at.saturating_sub(Self::SERVER_MUTE_TAIL), now) {
            violations.push(
                NAME,
                now,
                format!("person {listener} heard frame {serial} of {speaker}, muted by the server"),
            );
        }
        if truth.wanted_silence(listener, speaker, now.saturating_sub(Self::TAIL), now) {
            violations.push(NAME, now, format!("person {listener} heard {speaker} though deafened or muting"));
        }
    }

    /// Judges a packet that a client's transport received, whoever sent it.
    pub fn arrived(&self, now: u64, at: u16, packet: &[u8], violations: &mut Violations) {
        let Some(stamp) =
            (packet.first().is_some_and(|first| first & 0x80 != 0)).then(|| Stamp::find(packet)).flatten()
        else {
            return;
        };
        self.arrived_stamp(now, at, &stamp, violations);
    }

    /// The same for a packet whose stamp is read already.
    pub fn arrived_stamp(&self, now: u64, at: u16, stamp: &Stamp, violations: &mut Violations) {
        let only_others = stamp.audience.iter().all(|whom| matches!(whom, Audience::Person(person) if *person != at));
        if only_others {
            let text = format!("a whisper of {} (frame {}) reached person {at}", stamp.speaker, stamp.serial);
            violations.push(NAME, now, text);
        }
    }

    /// Judges by what people wanted whether a packet's voice belongs at the person it reached: somebody it was spoken to, in a room that
    /// the person listens to or listened to not long ago.
    pub fn reached(&self, now: u64, at: u16, stamp: &Stamp, truth: &Truth, violations: &mut Violations) {
        let belongs = |whom: &Audience| truth.is_meant(at, *whom, now.saturating_sub(Self::NAME_TAIL), now);
        if !stamp.audience.iter().any(belongs) {
            let (speaker, serial, whom) = (stamp.speaker, stamp.serial, &stamp.audience);
            violations.push(NAME, now, format!("frame {serial} of {speaker}, meant for {whom:?}, reached person {at}"));
        }
    }

    /// Judges the channels that a packet names to the person it reached: only such that it was spoken to, and that the person belongs
    /// to or belonged to not long ago.
    pub fn named(
        &self,
        now: u64,
        at: u16,
        stamp: &Stamp,
        named: &[Audience],
        truth: &Truth,
        violations: &mut Violations,
    ) {
        for channel in named {
            let belongs = truth.is_meant(at, *channel, now.saturating_sub(Self::NAME_TAIL), now);
            if !belongs || !stamp.audience.contains(channel) {
                let text = format!("person {at} learnt of {channel:?} of {} (frame {})", stamp.speaker, stamp.serial);
                violations.push(NAME, now, text);
            }
        }
    }

    /// How long a person that leaves a room may still be sent its voice, µs: until the server hears of it over a bad network.
    pub const NAME_TAIL: u64 = 60_000_000;
}
