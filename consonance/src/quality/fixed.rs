//! The classic buffer to compare with: every frame has its time, fixed by the first packet that came.

use voice_audio::{OpusDecoder, Recovery};

use super::{
    render::{Heard, Hole, Point, Speech},
    trace::Trace,
};

/// Plays a trace that long after its first packet came. What isn't there in time is recovered from the next packet, if `fec` is on and that
/// one is there, or concealed.
pub(super) fn fixed(delay_us: u64, fec: bool, trace: &Trace, speech: &Speech) -> Heard {
    let mut heard = Heard { places: vec![None; trace.packets.len()], ..Heard::default() };
    let Some(origin) = origin(trace) else { return heard };
    let frame_us = trace.frame_us();
    let origin = u64::try_from(origin).unwrap_or(0) + delay_us;
    let mut decoder = OpusDecoder::new().expect("memory for a decoder");
    heard.pcm.resize(origin as usize * 48 / 1_000, 0);
    let mut frame = vec![0; frame_us as usize * 48 / 1_000];
    for (n, packet) in trace.packets.iter().enumerate() {
        let at_us = origin + n as u64 * frame_us;
        let in_time = |n: usize| {
            trace.packets.get(n).and_then(|packet| packet.arrived_us).is_some_and(|arrived| arrived <= at_us)
        };
        let mut recovered = false;
        if in_time(n) {
            decoder.decode(&speech.packets[n], &mut frame).expect("what was encoded");
            heard.curve.push(Point { at_us, delay_us: at_us.saturating_sub(packet.sent_us) });
        } else if fec && in_time(n + 1) {
            let filled = decoder.recover(&speech.packets[n + 1], 1, &mut frame).expect("what was encoded");
            recovered = filled != Recovery::Concealed;
            heard.recovered += u32::from(recovered);
        } else {
            decoder.conceal(&mut frame).expect("a whole frame");
        }
        if in_time(n) || recovered {
            heard.places[n] = Some(heard.pcm.len());
        }
        if !in_time(n) {
            heard.holes.push(Hole { at_us, length_us: frame_us, recovered });
        }
        heard.late += u32::from(packet.arrived_us.is_some() && !in_time(n));
        heard.pcm.extend(&frame);
    }
    heard.trim();
    heard
}

/// The smallest delay beyond which a longer one brings nothing, µs: no packet that arrives is late, and every lost frame before one that arrives is
/// recovered from it. Known only afterwards.
pub(super) fn in_hindsight(trace: &Trace) -> u64 {
    let Some(origin) = origin(trace) else { return 0 };
    let frame_us = trace.frame_us() as i64;
    let needed = (0..trace.packets.len()).filter_map(|n| {
        let from_next = || trace.packets.get(n + 1)?.arrived_us;
        let there = trace.packets[n].arrived_us.or_else(from_next)?;
        Some(there as i64 - (origin + n as i64 * frame_us))
    });
    u64::try_from(needed.max().unwrap_or(0)).unwrap_or(0)
}

/// When frame 0 would have come if it had been as long on its way as the first packet that came.
fn origin(trace: &Trace) -> Option<i64> {
    let (n, arrived) = trace.packets.iter().enumerate().find_map(|(n, packet)| Some((n, packet.arrived_us?)))?;
    // Before time 0 when packets are sent faster than their frames are long, as by a clock that is fast.
    Some((arrived as i64 - n as i64 * trace.frame_us() as i64).max(0))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            render::Protection,
            trace::{Packet, Trace},
        },
        *,
    };

    const HOLE: Option<u64> = None;

    /// Frames of 20 ms with these times on the way, ms.
    fn trace(transits: &[Option<u64>]) -> Trace {
        let packet = |(n, transit): (usize, &Option<u64>)| {
            let sent_us = n as u64 * 20_000;
            Packet { sent_us, arrived_us: transit.map(|ms| sent_us + ms * 1_000) }
        };
        let packets = transits.iter().enumerate().map(packet).collect();
        Trace { name: "test".into(), about: String::new(), frame_ms: 20, packets }
    }

    fn hear(delay_ms: u64, fec: bool, transits: &[Option<u64>]) -> Heard {
        let trace = trace(transits);
        let track: Vec<i16> = (0..48_000).map(|n| (n % 200 * 60 - 6_000) as i16).collect();
        fixed(delay_ms * 1_000, fec, &trace, &Speech::encode(&track, &trace, Protection::USUAL))
    }

    fn filled(heard: &Heard) -> Vec<(u64, bool)> {
        heard.holes.iter().map(|hole| (hole.at_us / 1_000, hole.recovered)).collect()
    }

    #[test]
    fn every_frame_is_heard_at_its_time_or_not_at_all() {
        let transits = [Some(10), Some(69), Some(70), Some(71), HOLE, HOLE, Some(10), Some(10)];
        let heard = hear(60, false, &transits);
        assert_eq!(
            heard.places.iter().map(Option::is_some).collect::<Vec<_>>(),
            [true, true, true, false, false, false, true, true]
        );
        assert_eq!(heard.places[7], Some((70 + 140) * 48));
        assert_eq!(filled(&heard), [(130, false), (150, false), (170, false)]);
        assert_eq!((heard.late, heard.recovered), (1, 0));
        assert!(heard.curve.iter().all(|point| point.delay_us == 70_000));
        assert_eq!(heard.pcm.len(), (70 + 160) * 48);
    }

    #[test]
    fn fec_fills_the_frame_before_one_that_is_there() {
        let heard = hear(60, true, &[Some(10), HOLE, HOLE, Some(10), HOLE, Some(65), Some(10)]);
        // The packet after frame 4 comes at 165, which is 15 ms too late for it and in time for itself.
        assert_eq!(filled(&heard), [(90, false), (110, true), (150, false)]);
        assert_eq!((heard.late, heard.recovered), (0, 1));
    }

    #[test]
    fn in_hindsight_just_no_packet_is_late() {
        let transits = [Some(30), Some(20), Some(95), Some(31)];
        assert_eq!(in_hindsight(&trace(&transits)), 65_000);
        assert_eq!(hear(65, true, &transits).late, 0);
        assert_eq!(hear(64, true, &transits).late, 1);
        assert_eq!(in_hindsight(&trace(&[Some(30), Some(10)])), 0);
    }

    #[test]
    fn in_hindsight_just_every_lost_frame_before_one_that_came_is_recovered() {
        let transits = [Some(30), HOLE, HOLE, Some(45), Some(30)];
        assert_eq!(in_hindsight(&trace(&transits)), 35_000);
        assert_eq!(hear(35, true, &transits).recovered, 1);
        assert_eq!(hear(34, true, &transits).recovered, 0);
        assert_eq!(hear(300, true, &transits).recovered, 1);
    }
}
