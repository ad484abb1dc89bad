//! What is shown of a server: some lines about the whole, and a table of its people.

use std::{collections::BTreeMap, fmt};

use crate::{
    columns,
    printable::Printable,
    server_state::{PersonState, ServerState, Totals},
};

/// The headlines of the table, of which the first [`LEFT`] stand at the left.
pub(super) const HEADLINES: [&str; 7] = ["room", "who", "state", "speaks", "rtt ms", "jitter ms", "loss %"];
pub(super) const LEFT: usize = 4;

#[derive(Debug, PartialEq)]
pub(super) struct View {
    pub(super) lines: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// A person in a room; who is in several has several.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    pub(super) cells: [String; HEADLINES.len()],
    pub(super) speaking: bool,
    pub(super) reconnecting: bool,
}

impl View {
    /// The server `now`; rates come from what it was `before`.
    pub(super) fn of(name: &str, before: Option<&ServerState>, now: &ServerState) -> Self {
        let pace = Pace::between(before, now);
        let mut lines = vec![
            format!(
                "{}Consonance {} at {}, up {}",
                now.name.as_ref().map_or(String::new(), |name| format!("{}: ", Printable(name))),
                Printable(&now.consonance),
                Printable(name),
                span(now.uptime_s)
            ),
            people(now),
            voice(&pace),
            cost(&pace, now),
        ];
        lines.extend(dropped("datagrams", &pace, before.map(|state| &state.datagram_drops), &now.datagram_drops));
        lines.extend(dropped("packets", &pace, before.map(|state| &state.packet_drops), &now.packet_drops));
        Self { lines, rows: rows(now) }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        let mut table = vec![HEADLINES.map(str::to_owned).to_vec()];
        table.extend(self.rows.iter().map(|row| row.cells.to_vec()));
        write!(f, "\n{}", columns::align(&table, LEFT))
    }
}

/// How much happened in how long; without a time before, nothing is known.
struct Pace {
    seconds: Option<f64>,
    /// Since then.
    totals: Totals,
    cpu_s: Option<f64>,
}

impl Pace {
    fn between(before: Option<&ServerState>, now: &ServerState) -> Self {
        // A server that was started anew in between counts from 0 again.
        let before = before.filter(|before| before.uptime_s < now.uptime_s);
        let grown = |of: fn(&Totals) -> u64| before.map_or(0, |then| of(&now.totals).saturating_sub(of(&then.totals)));
        Self {
            seconds: before.map(|then| now.uptime_s - then.uptime_s),
            totals: Totals {
                voice_packets_in: grown(|totals| totals.voice_packets_in),
                voice_packets_out: grown(|totals| totals.voice_packets_out),
                media_datagrams_in: grown(|totals| totals.media_datagrams_in),
                media_datagrams_out: grown(|totals| totals.media_datagrams_out),
            },
            cpu_s: before.and_then(|then| Some(now.cpu_s? - then.cpu_s?)),
        }
    }

    fn per_second(&self, count: u64) -> String {
        self.seconds.map_or("?".into(), |seconds| format!("{:.0}", count as f64 / seconds))
    }
}

fn people(now: &ServerState) -> String {
    let count = |is: fn(&PersonState) -> bool| now.people.iter().filter(|person| is(person)).count();
    let away = match count(|person| person.reconnecting) {
        0 => String::new(),
        away => format!(" ({away} reconnecting)"),
    };
    let (all, limit, rooms) = (now.people.len(), now.client_limit, now.rooms.len());
    let s = if rooms == 1 { "" } else { "s" };
    format!("{all} of at most {limit} people{away}, {rooms} room{s}, {} speaking", count(|person| person.speaking))
}

fn voice(pace: &Pace) -> String {
    let Totals { voice_packets_in, voice_packets_out, media_datagrams_in, media_datagrams_out } = pace.totals;
    let each = match (voice_packets_out, media_datagrams_out) {
        (0, _) | (_, 0) => String::new(),
        (_, datagrams) => format!(", {:.1} voice packets in each", voice_packets_out as f64 / datagrams as f64),
    };
    format!(
        "voice packets/s: {} in, {} out; datagrams/s: {} in, {} out{each}",
        pace.per_second(voice_packets_in),
        pace.per_second(voice_packets_out),
        pace.per_second(media_datagrams_in),
        pace.per_second(media_datagrams_out)
    )
}

fn cost(pace: &Pace, now: &ServerState) -> String {
    let share = pace.cpu_s.zip(pace.seconds).map_or("?".into(), |(cpu, all)| format!("{:.1}", cpu / all * 100.0));
    let each = match (pace.cpu_s, pace.totals.voice_packets_out) {
        (Some(cpu), out @ 1..) => format!(", {:.1} \u{b5}s a delivery", cpu * 1e6 / out as f64),
        _ => String::new(),
    };
    let memory = now.memory_bytes.map_or("?".into(), |bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20)));
    format!("processor: {share} % of a core{each}; memory: {memory} MiB")
}

/// A line about what is dropped, if anything ever was.
fn dropped(
    what: &str,
    pace: &Pace,
    before: Option<&BTreeMap<String, u64>>,
    now: &BTreeMap<String, u64>,
) -> Option<String> {
    let part = |(reason, count): (&String, &u64)| {
        let then = before.and_then(|before| before.get(reason)).copied().unwrap_or(0);
        format!("{} {} ({count})", Printable(reason), pace.per_second(count.saturating_sub(then)))
    };
    let parts: Vec<String> = now.iter().filter(|(_, count)| **count > 0).map(part).collect();
    (!parts.is_empty()).then(|| format!("{what} dropped/s (in all): {}", parts.join(", ")))
}

fn rows(now: &ServerState) -> Vec<Row> {
    let mut rooms: Vec<(&str, Option<u16>)> =
        now.rooms.iter().map(|room| (room.name.as_str(), Some(room.id))).collect();
    rooms.sort();
    rooms.push(("(no room)", None));
    let mut people: Vec<&PersonState> = now.people.iter().collect();
    people.sort_by_key(|person| (&person.name, person.id));
    let mut rows = Vec::new();
    for (room, id) in rooms {
        let is_in = |person: &PersonState| id.map_or(person.rooms.is_empty(), |id| person.rooms.contains(&id));
        for (number, person) in people.iter().filter(|person| is_in(person)).enumerate() {
            rows.push(row(if number == 0 { room } else { "" }, person));
        }
    }
    rows
}

fn row(room: &str, person: &PersonState) -> Row {
    let states = [
        (person.reconnecting, "reconnecting"),
        (person.server_muted, "muted by the server"),
        (person.muted, "muted"),
        (person.deafened, "deaf"),
    ];
    let states: Vec<&str> = states.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
    Row {
        cells: [
            Printable(room).to_string(),
            Printable(&person.name).to_string(),
            states.join(", "),
            if person.speaking { "speaks".into() } else { String::new() },
            person.rtt_ms.map_or("?".into(), |ms| ms.to_string()),
            person.jitter_ms.to_string(),
            format!("{:.1}", person.loss_percent),
        ],
        speaking: person.speaking,
        reconnecting: person.reconnecting,
    }
}

fn span(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::server_state::tests::example;

    /// The example, and what it was two seconds before.
    pub(in crate::inspect) fn two_moments() -> (ServerState, ServerState) {
        let before = example();
        let mut now = before.clone();
        now.uptime_s += 2.0;
        now.cpu_s = Some(2.01);
        now.totals = Totals {
            voice_packets_in: 100,
            voice_packets_out: 2_000,
            media_datagrams_in: 100,
            media_datagrams_out: 500,
        };
        now.datagram_drops.insert("waited".into(), 10);
        (before, now)
    }

    #[test]
    fn rates_come_from_two_moments_and_everybody_stands_in_their_rooms() {
        let (before, now) = two_moments();
        let shown = View::of("localhost", Some(&before), &now).to_string();
        let wanted = "\
Consonance 0.1.0 at localhost, up 1 min 42 s
3 of at most 1024 people (1 reconnecting), 2 rooms, 1 speaking
voice packets/s: 50 in, 1000 out; datagrams/s: 50 in, 250 out, 4.0 voice packets in each
processor: 0.5 % of a core, 5.0 \u{b5}s a delivery; memory: 12.0 MiB
datagrams dropped/s (in all): waited 3 (10)

  room       who             state         speaks  rtt ms  jitter ms  loss %
  Attic      Medic\\u{1b}[2J  reconnecting               ?          3     0.0
  Lobby      Medic\\u{1b}[2J  reconnecting               ?          3     0.0
             Scout                         speaks      20          3     0.0
  (no room)  Pilot           muted, deaf               20          3    12.5
";
        assert_eq!(shown, wanted);
    }

    #[test]
    fn a_server_that_was_started_anew_has_no_rates_yet() {
        let (before, now) = two_moments();
        for before in [None, Some(&now)] {
            let lines = View::of("localhost", before, &example()).lines;
            assert!(lines[2].starts_with("voice packets/s: ? in") && lines[3].contains("? % of a core;"), "{lines:?}");
        }
        assert!(before.uptime_s < now.uptime_s);
    }

    #[test]
    fn a_time_is_told_as_exactly_as_one_wants_it() {
        let told = [59.9, 61.0, 3_700.0, 90_000.0].map(span);
        assert_eq!(told, ["59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
    }
}
