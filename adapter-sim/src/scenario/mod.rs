//! Whole runs with names: who is there, what they do, what breaks, and what the checkers say of it.
//!
//! A scenario and a seed give a [`Plan`]; a plan is all that a run depends on, and can be written down, changed and run again.

mod action;
mod bandwidth;
mod bottleneck;
mod crowd;
mod draw;
mod plan;
mod run;

use std::collections::BTreeMap;

pub use action::Action;
pub use bandwidth::{Bandwidth, bandwidth};
pub use bottleneck::{Bottleneck, BottleneckRow};
pub use plan::{BadPlan, PersonPlan, Plan};

use crate::check::Violation;

/// A scenario by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// What happens in it.
    pub about: &'static str,
    clients: u16,
    people_per_room: u16,
    speakers_per_room: u16,
    style: Style,
}

/// What fills a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Some of each room speak, others each second.
    Turns { mixed_links: bool },
    /// All join within one second, and are silent.
    Storm,
    /// Anything, and then all has to heal.
    Swarm,
    /// Talk by turns for a long time, with now and then something of the swarm's in between, which is mended soon.
    Day,
}

/// What a run gave.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Virtual time that passed, µs.
    pub virtual_us: u64,
    /// Fingerprint of everything that reached a machine.
    pub trace_hash: u64,
    /// Frames that came out at somebody's ear.
    pub deliveries: u64,
    /// Texts that somebody read.
    pub texts: u64,
    /// Drop reasons over all cores, those that are not zero.
    pub drops: BTreeMap<&'static str, u64>,
    /// How often each fault struck.
    pub faults: Vec<(&'static str, u64)>,
    /// Rules that were broken.
    pub violations: Vec<Violation>,
}

impl Style {
    /// Whether people, links and faults are drawn as for the swarm, and all has to heal in the end.
    const fn is_rough(self) -> bool {
        matches!(self, Self::Swarm | Self::Day)
    }
}

impl Scenario {
    /// All scenarios.
    pub const ALL: &'static [Self] = &[
        Self {
            name: "conversation",
            about: "six people in one room talk by turns, each on a link of its own",
            clients: 6,
            people_per_room: 6,
            speakers_per_room: 3,
            style: Style::Turns { mixed_links: true },
        },
        Self {
            name: "crowd",
            about: "people in rooms of 50 with two speakers each, on quiet home links",
            clients: 1_000,
            people_per_room: 50,
            speakers_per_room: 2,
            style: Style::Turns { mixed_links: false },
        },
        Self {
            name: "storm",
            about: "a thousand join within one second; all must end with the same roster",
            clients: 1_000,
            people_per_room: 50,
            speakers_per_room: 0,
            style: Style::Storm,
        },
        Self {
            name: "swarm",
            about: "drawn from the seed: people, rooms, whispers, texts, mutes, links, NATs, faults, crashes; then all has to heal",
            clients: 8,
            people_per_room: 4,
            speakers_per_room: 2,
            style: Style::Swarm,
        },
        Self {
            name: "day",
            about: "eight people in two rooms talk by turns, something breaks every five minutes and is mended; made for --seconds 86400",
            clients: 8,
            people_per_room: 4,
            speakers_per_room: 1,
            style: Style::Day,
        },
    ];

    /// The scenario of a name.
    pub fn from_name(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|scenario| scenario.name == name)
    }

    /// Draws and runs `seconds` of virtual time. The swarm and the day add what healing may take.
    pub fn run(&self, seed: u64, seconds: u64, clients: Option<u16>) -> Outcome {
        self.plan(seed, seconds, clients).run()
    }
}
