//! When the packets of a talker were sent and when they arrived: made from seeds, or recorded in the field and read from JSON.
//!
//! ```json
//! {"name": "my-wifi", "about": "optional", "frame_ms": 20,
//!  "packets": [{"sent_us": 0, "arrived_us": 18000}, {"sent_us": 20000, "arrived_us": null}]}
//! ```
//!
//! Times are microseconds of the listener's clock; where it begins doesn't matter. A packet without an arrival was lost.

use std::{fmt::Write, fs, path::Path};

use serde_json::Value;

use crate::fail::Fail;

/// The longest trace that is read, s: every playout is rendered and scored over all of it.
const LONGEST_S: u64 = 120;
/// The longest time between two packets in a row, s. Pauses of the talker are left out of a trace.
const LONGEST_GAP_S: u64 = 2;
/// The longest name: it becomes a part of file names.
const LONGEST_NAME: usize = 64;

/// One packet: one frame of speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) sent_us: u64,
    pub(super) arrived_us: Option<u64>,
}

/// The packets of one talker, in the order of their frames; the first is sent at 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) frame_ms: u32,
    pub(super) packets: Vec<Packet>,
}

impl Trace {
    /// The share of packets lost, 0 to 1.
    pub(super) fn loss(&self) -> f64 {
        let lost = self.packets.iter().filter(|packet| packet.arrived_us.is_none()).count();
        lost as f64 / self.packets.len().max(1) as f64
    }

    /// The same in percent, rounded up.
    pub(super) fn loss_percent(&self) -> u8 {
        let lost = self.packets.iter().filter(|packet| packet.arrived_us.is_none()).count();
        u8::try_from((lost * 100).div_ceil(self.packets.len().max(1))).unwrap_or(100)
    }

    /// The mean time from sending to arrival, ms.
    pub(super) fn mean_transit_ms(&self) -> f64 {
        let transits: Vec<u64> =
            self.packets.iter().filter_map(|p| p.arrived_us.map(|at| at.saturating_sub(p.sent_us))).collect();
        transits.iter().sum::<u64>() as f64 / transits.len().max(1) as f64 / 1_000.0
    }

    pub(super) fn frame_us(&self) -> u64 {
        u64::from(self.frame_ms) * 1_000
    }

    /// The trace as the file that [`parse`] takes.
    pub(super) fn json(&self) -> String {
        let (name, about) = (Value::from(&*self.name), Value::from(&*self.about));
        let mut out =
            format!("{{\"name\": {name}, \"about\": {about}, \"frame_ms\": {},\n \"packets\": [", self.frame_ms);
        for (number, packet) in self.packets.iter().enumerate() {
            let arrived = packet.arrived_us.map_or("null".to_owned(), |at| at.to_string());
            let comma = if number == 0 { "" } else { "," };
            let _ = write!(out, "{comma}\n  {{\"sent_us\": {}, \"arrived_us\": {arrived}}}", packet.sent_us);
        }
        out.push_str("\n ]}\n");
        out
    }
}

/// Reads all `*.json` of a folder, in the order of their names.
pub(super) fn load(folder: &Path) -> Result<Vec<Trace>, Fail> {
    let unreadable = |error| {
        Fail::new(
            format!("--traces {}: can't be read ({error})", folder.display()),
            "name a folder with traces as JSON files; docs/QUALITY.md has the format",
        )
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Fail::new(
            format!("--traces {}: holds no *.json", folder.display()),
            "put traces there; docs/QUALITY.md has the format",
        ));
    }
    let mut traces: Vec<Trace> = Vec::new();
    for file in &files {
        let trace = read(file)?;
        if traces.iter().any(|other| other.name == trace.name) {
            return Err(Fail::new(
                format!("--traces {}: another trace is called {}, too", file.display(), trace.name),
                "give each a name of its own",
            ));
        }
        traces.push(trace);
    }
    Ok(traces)
}

fn read(file: &Path) -> Result<Trace, Fail> {
    let shown = file.display();
    let text = fs::read_to_string(file).map_err(|error| {
        Fail::new(format!("--traces {shown}: can't be read ({error})"), "give a readable JSON file")
    })?;
    let stem = file.file_stem().map_or_else(String::new, |stem| stem.display().to_string());
    parse(&text, &stem).map_err(|(what, cure)| Fail::new(format!("--traces {shown}: {what}"), cure))
}

/// What is wrong, and how to mend it.
type Wrong = (String, &'static str);

/// Reads one trace; without a name of its own it gets the file's.
fn parse(text: &str, stem: &str) -> Result<Trace, Wrong> {
    let json: Value = serde_json::from_str(text)
        .map_err(|error| (format!("not JSON ({error})"), "write it as docs/QUALITY.md shows"))?;
    let name = json.get("name").map_or(Some(stem), Value::as_str).unwrap_or_default();
    let sound = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || name.len() > LONGEST_NAME || !name.chars().all(sound) {
        return Err((
            format!("\"name\" is {name:?}"),
            "use 1 to 64 letters, digits, '-', '_' and '.', as it becomes a part of file names",
        ));
    }
    let about = json.get("about").and_then(Value::as_str).unwrap_or_default();
    let frame_ms = json.get("frame_ms").ok_or(("\"frame_ms\" is missing".into(), "state 10, 20, 40 or 60"))?;
    let frame_ms = [10, 20, 40, 60].into_iter().find(|ms| frame_ms.as_u64() == Some(u64::from(*ms)));
    let frame_ms =
        frame_ms.ok_or_else(|| (format!("\"frame_ms\" is {}", json["frame_ms"]), "state 10, 20, 40 or 60"))?;
    let packets = json.get("packets").and_then(Value::as_array);
    let packets = packets.ok_or(("\"packets\" is missing or no list".into(), "list one object for each frame"))?;
    let mut packets: Vec<Packet> =
        packets.iter().enumerate().map(|(number, json)| packet(number, json)).collect::<Result<_, _>>()?;
    check(&packets, frame_ms)?;
    from_zero(&mut packets);
    Ok(Trace { name: name.to_owned(), about: about.to_owned(), frame_ms, packets })
}

fn packet(number: usize, json: &Value) -> Result<Packet, Wrong> {
    const CURE: &str = "state it in whole microseconds, \"arrived_us\" of a lost packet as null";
    let field = |name| json.get(name).ok_or_else(|| (format!("packet {number}: \"{name}\" is missing"), CURE));
    let no_time = |name| (format!("packet {number}: \"{name}\" is no time"), CURE);
    let sent_us = field("sent_us")?.as_u64().ok_or_else(|| no_time("sent_us"))?;
    let arrived_us = match field("arrived_us")? {
        Value::Null => None,
        time => Some(time.as_u64().ok_or_else(|| no_time("arrived_us"))?),
    };
    if arrived_us.is_some_and(|arrived| arrived < sent_us) {
        return Err((
            format!("packet {number}: arrives before it is sent"),
            "bring both clocks together, so that the shortest way takes what it took",
        ));
    }
    Ok(Packet { sent_us, arrived_us })
}

fn check(packets: &[Packet], frame_ms: u32) -> Result<(), Wrong> {
    if packets.iter().all(|packet| packet.arrived_us.is_none()) {
        return Err(("no packet arrives".into(), "record at least one second of a talker who is heard"));
    }
    for (number, pair) in packets.windows(2).enumerate() {
        let at = number + 1;
        let Some(gap) = pair[1].sent_us.checked_sub(pair[0].sent_us) else {
            return Err((format!("packet {at}: sent before the one in front of it"), "list packets as they were sent"));
        };
        if gap > LONGEST_GAP_S * 1_000_000 {
            return Err((
                format!("packet {at}: sent more than {LONGEST_GAP_S} s after the one in front of it"),
                "list every frame, and close the gaps where nothing was said",
            ));
        }
    }
    let sent_for =
        packets.last().map_or(0, |packet| packet.sent_us) - packets.first().map_or(0, |packet| packet.sent_us);
    let speech = packets.len() as u64 * u64::from(frame_ms) * 1_000;
    if sent_for.max(speech) > LONGEST_S * 1_000_000 {
        return Err((format!("longer than {LONGEST_S} s"), "cut it to the part that matters"));
    }
    Ok(())
}

fn from_zero(packets: &mut [Packet]) {
    let first = packets.first().map_or(0, |packet| packet.sent_us);
    for packet in packets {
        packet.sent_us -= first;
        packet.arrived_us = packet.arrived_us.map(|at| at - first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"frame_ms": 20, "packets": [{"sent_us": 5000, "arrived_us": 9000}, {"sent_us": 25000, "arrived_us": null}]}"#;

    fn wrong(text: &str) -> String {
        parse(text, "stem").expect_err("a trace that can't be used").0
    }

    #[test]
    fn a_trace_comes_back_as_it_was_written() {
        for kind in super::super::kinds::KINDS {
            let trace = kind.make(3, 20, 50);
            assert_eq!(parse(&trace.json(), "other"), Ok(trace));
        }
    }

    #[test]
    fn time_begins_with_the_first_packet_and_the_file_gives_the_name() {
        let trace = parse(GOOD, "stem").expect("a good trace");
        assert_eq!(trace.name, "stem");
        assert_eq!(trace.packets[0], Packet { sent_us: 0, arrived_us: Some(4_000) });
        assert_eq!(trace.packets[1], Packet { sent_us: 20_000, arrived_us: None });
        assert!((trace.loss() - 0.5).abs() < 1e-9 && (trace.mean_transit_ms() - 4.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_wrong_with_a_trace_is_named() {
        for (from, to, what) in [
            ("{", "", "not JSON"),
            ("\"frame_ms\": 20, ", "", "\"frame_ms\" is missing"),
            (": 20,", ": 25,", "\"frame_ms\" is 25"),
            (": 20,", ": \"20\",", "\"frame_ms\" is \"20\""),
            ("\"packets\"", "\"parcels\"", "\"packets\" is missing"),
            ("\"sent_us\": 25000, ", "", "packet 1: \"sent_us\" is missing"),
            (", \"arrived_us\": null", "", "packet 1: \"arrived_us\" is missing"),
            ("25000", "-1", "packet 1: \"sent_us\" is no time"),
            ("25000", "4999", "packet 1: sent before"),
            ("25000", "9000000", "packet 1: sent more than 2 s after"),
            ("9000", "4000", "packet 0: arrives before"),
            ("9000", "null", "no packet arrives"),
            ("{", "{\"name\": \"../x\", ", "\"name\" is \"../x\""),
            ("{", "{\"name\": 7, ", "\"name\" is \"\""),
        ] {
            let said = wrong(&GOOD.replacen(from, to, 1));
            assert!(said.starts_with(what), "{from} to {to}: {said}");
        }
        assert_eq!(wrong(r#"{"frame_ms": 20, "packets": []}"#), "no packet arrives");
    }

    #[test]
    fn a_trace_of_hours_is_refused() {
        let packets: Vec<Packet> =
            (0..6_100).map(|n| Packet { sent_us: n * 20_000, arrived_us: Some(n * 20_000) }).collect();
        let trace = Trace { name: "long".into(), about: String::new(), frame_ms: 20, packets };
        assert_eq!(wrong(&trace.json()), "longer than 120 s");
    }
}
