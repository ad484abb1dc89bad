//! A whole run written down: who is there, and what happens when. Drawn from a seed, or read from a file.

use std::{fmt, str::FromStr};

use super::action::{Action, Word, read_word};
use crate::net::{NatKind, Preset};

const FIRST_LINE: &str = "consonance run 1";

/// Somebody of a plan; their number is their place.
#[derive(Debug, Clone, PartialEq)]
pub struct PersonPlan {
    /// Access link.
    pub preset: &'static Preset,
    /// What lets direct packets in.
    pub nat: NatKind,
    /// Whether direct paths are tried.
    pub direct: bool,
    /// How fast the clock runs, in millionths.
    pub drift_ppm: i32,
    /// The room they listen and speak to from the start.
    pub room: u16,
}

/// Everything that makes a run what it is: equal plans give equal traces.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The scenario that it was drawn for.
    pub scenario: String,
    /// From which the network and the cores draw.
    pub seed: u64,
    /// Virtual time in which things happen, µs.
    pub span_us: u64,
    /// Whether all faults end after that, everybody comes back, and recovery and rosters are judged.
    pub heals: bool,
    /// Rooms at most.
    pub rooms: u16,
    /// Who is there.
    pub people: Vec<PersonPlan>,
    /// What happens, in order of time, µs.
    pub actions: Vec<(u64, Action)>,
}

/// What is wrong with a written plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPlan(pub String);

impl fmt::Display for BadPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadPlan {}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        writeln!(f, "scenario {}", self.scenario)?;
        writeln!(f, "seed {}", self.seed)?;
        writeln!(f, "span {}", self.span_us)?;
        writeln!(f, "heals {}", self.heals.word())?;
        writeln!(f, "rooms {}", self.rooms)?;
        for person in &self.people {
            let PersonPlan { preset, nat, direct, drift_ppm, room } = person;
            let (preset, nat, direct) = (preset.word(), nat.word(), direct.word());
            writeln!(f, "person {preset} {nat} direct {direct} drift {drift_ppm} room {room}")?;
        }
        self.actions.iter().try_for_each(|(at, action)| writeln!(f, "at {at} {action}"))
    }
}

impl FromStr for Plan {
    type Err = BadPlan;

    fn from_str(text: &str) -> Result<Self, BadPlan> {
        let mut plan = Self {
            scenario: String::new(),
            seed: 0,
            span_us: 0,
            heals: false,
            rooms: 0,
            people: Vec::new(),
            actions: Vec::new(),
        };
        if text.lines().next() != Some(FIRST_LINE) {
            return Err(BadPlan(format!("line 1: '{FIRST_LINE}' is wanted there: this isn't a saved run")));
        }
        for (number, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
            plan.read_line(line).map_err(|BadPlan(why)| BadPlan(format!("line {}: {why}", number + 1)))?;
        }
        plan.check()?;
        Ok(plan)
    }
}

impl Plan {
    /// Rooms that each person uses at most: its own, and every one that it ever comes to use.
    pub(super) fn rooms_used(&self) -> Vec<usize> {
        let mut used = vec![1; self.people.len()];
        for (_, action) in &self.actions {
            if let Action::UseRoom { person, .. } = action {
                used[usize::from(*person)] += 1;
            }
        }
        used
    }

    fn read_line(&mut self, line: &str) -> Result<(), BadPlan> {
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        let number =
            |what: &str| rest.parse::<u64>().map_err(|_| BadPlan(format!("'{key}' wants {what}, not '{rest}'")));
        match key {
            "scenario" => self.scenario = rest.into(),
            "seed" => self.seed = number("a number")?,
            "span" => self.span_us = number("microseconds")?,
            "heals" => self.heals = read_word(Some(rest), "on or off")?,
            "rooms" => self.rooms = read_word(Some(rest), "a number of rooms")?,
            "person" => self.people.push(read_person(rest)?),
            "at" => {
                let (at, action) = rest.split_once(' ').unwrap_or((rest, ""));
                let at = at.parse().map_err(|_| BadPlan(format!("'at' wants microseconds, not '{at}'")))?;
                self.actions.push((at, action.parse()?));
            }
            _ => return Err(BadPlan(format!("there is no entry '{key}'"))),
        }
        Ok(())
    }

    fn check(&self) -> Result<(), BadPlan> {
        if self.people.is_empty() || self.people.len() > 4_096 {
            return Err(BadPlan(format!("{} people: 1 to 4,096 are possible", self.people.len())));
        }
        if self.rooms == 0 || self.rooms > 1_024 {
            return Err(BadPlan(format!("rooms {}: 1 to 1,024 are possible", self.rooms)));
        }
        if !self.actions.is_sorted_by_key(|(at, _)| *at) {
            return Err(BadPlan("the actions are not in order of time: sort their lines".into()));
        }
        let people = self.people.len();
        match self.actions.iter().find(|(_, action)| action.people().into_iter().any(|who| usize::from(who) >= people))
        {
            Some((at, action)) => Err(BadPlan(format!("at {at} {action}: there are only {people} people, from 0"))),
            None => Ok(()),
        }
    }
}

fn read_person(rest: &str) -> Result<PersonPlan, BadPlan> {
    let mut words = rest.split_whitespace();
    let preset = read_word(words.next(), "a network preset")?;
    let nat = read_word(words.next(), "open, cone, symmetric or blocked")?;
    let mut named = |name: &str| match words.next() {
        Some(word) if word == name => Ok(words.next()),
        word => Err(BadPlan(format!("'{name}' is wanted here, not '{}'", word.unwrap_or_default()))),
    };
    Ok(PersonPlan {
        preset,
        nat,
        direct: read_word(named("direct")?, "on or off")?,
        drift_ppm: read_word(named("drift")?, "millionths")?,
        room: read_word(named("room")?, "a room's number")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn a_written_plan_is_read_as_it_was() {
        for scenario in Scenario::ALL {
            let plan = scenario.plan(7, 20, Some(12));
            assert_eq!(plan.to_string().parse::<Plan>(), Ok(plan));
        }
    }

    #[test]
    fn what_is_wrong_with_a_plan_is_said_with_its_line() {
        let good = Scenario::ALL[0].plan(1, 2, None).to_string();
        let wrong = |text: &str| text.parse::<Plan>().unwrap_err().0;
        assert!(wrong("").starts_with("line 1:"));
        assert!(wrong(&good.replace("heals", "heels")).contains("line 5: there is no entry 'heels'"));
        assert!(wrong(&good.replace("heals off", "heals no")).contains("line 5: on or off is wanted here, not 'no'"));
        assert!(wrong(&format!("{good}at 5 fly 3\n")).contains("there is no action 'fly'"));
        assert!(wrong(&format!("{good}at 99999999 mute 3\n")).contains("mute: on is wanted here"));
        assert!(wrong(&format!("{good}at 99999999 mute 3 on off\n")).contains("'off' is too much"));
        assert!(wrong(&format!("{good}at 99999999 mute 300 on\n")).contains("there are only"));
        assert!(wrong(&format!("{good}at 0 mute 3 on\n")).contains("not in order"));
    }
}
