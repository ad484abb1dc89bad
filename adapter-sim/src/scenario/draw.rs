//! Plans drawn from a seed.

use voice_core::{Priority, RoomUse};

use super::{
    Scenario, Style,
    action::Action,
    plan::{PersonPlan, Plan},
};
use crate::{
    net::{Break, NatKind, Preset, Rng, Side},
    world::PersonId,
};

const SECOND: u64 = 1_000_000;
/// Of a day, the time from when something breaks to when something else does.
const SPELL: u64 = 300 * SECOND;
/// After so much of it all is mended.
const MENDED: u64 = 200 * SECOND;

impl Scenario {
    /// Draws a whole run of `seconds` of virtual time.
    pub fn plan(&self, seed: u64, seconds: u64, clients: Option<u16>) -> Plan {
        let mut rng = Rng::new(seed);
        let seed = rng.next_u64();
        let people = clients.unwrap_or_else(|| match self.style {
            Style::Swarm => 2 + rng.below(u64::from(self.clients) * 2 - 2) as u16,
            _ => self.clients,
        });
        let per_room = match self.style {
            Style::Swarm => 1 + rng.below(8) as u16,
            _ => self.people_per_room,
        };
        let span_us = seconds * SECOND;
        let mut draw = Draw { scenario: self, rng, per_room, people: Vec::new(), actions: Vec::new(), span_us };
        draw.people(people);
        draw.actions();
        let Draw { people: drawn, mut actions, .. } = draw;
        actions.sort_by_key(|(at, _)| *at);
        Plan {
            scenario: self.name.into(),
            seed,
            span_us,
            heals: self.style.is_rough(),
            rooms: people / per_room + 5,
            people: drawn,
            actions,
        }
    }
}

struct Draw<'a> {
    scenario: &'a Scenario,
    rng: Rng,
    per_room: u16,
    people: Vec<PersonPlan>,
    actions: Vec<(u64, Action)>,
    span_us: u64,
}

impl Draw<'_> {
    fn people(&mut self, count: u16) {
        static PRESETS: [Preset; 6] = Preset::ALL;
        for person in 0..count {
            let rough = self.scenario.style.is_rough();
            let preset = match self.scenario.style {
                Style::Swarm | Style::Day | Style::Turns { mixed_links: true } => self.rng.pick(&PRESETS),
                _ => &PRESETS[1],
            };
            let nat = if rough { *self.rng.pick(&NatKind::ALL) } else { NatKind::Open };
            let direct = rough && self.rng.chance(600_000);
            let drift_ppm = if rough { self.rng.below(600) as i32 - 300 } else { 0 };
            self.people.push(PersonPlan { preset, nat, direct, drift_ppm, room: person / self.per_room });
        }
    }

    fn actions(&mut self) {
        let count = self.people.len() as PersonId;
        match self.scenario.style {
            Style::Turns { .. } => {
                (0..count).for_each(|person| self.at(0, Action::Connect { person }));
                (0..self.span_us.div_ceil(SECOND)).for_each(|second| self.turn(second * SECOND));
            }
            Style::Storm => {
                for person in 0..count {
                    let at = u64::from(person) * SECOND / u64::from(count);
                    self.at(at, Action::Connect { person });
                }
            }
            Style::Swarm => {
                for person in 0..count {
                    let at = self.rng.below(2 * SECOND);
                    self.at(at, Action::Connect { person });
                }
                let mut now = 0;
                while now < self.span_us {
                    now += self.rng.below(SECOND / 2);
                    let action = if self.rng.chance(600_000) { self.something_done() } else { self.something_broken() };
                    self.at(now.min(self.span_us), action);
                }
            }
            Style::Day => {
                (0..count).for_each(|person| self.at(0, Action::Connect { person }));
                (0..self.span_us.div_ceil(SPELL)).for_each(|spell| self.spell(spell * SPELL));
            }
        }
        let span_us = self.span_us;
        self.actions.retain(|(at, _)| *at <= span_us);
    }

    /// Five minutes of a day.
    fn spell(&mut self, begin: u64) {
        let mut now = begin;
        while now < begin + SPELL {
            self.turn(now);
            now += SECOND + self.rng.below(20 * SECOND);
            let action = self.something_done();
            self.at(now, action);
        }
        let (at, action) = (begin + self.rng.below(MENDED), self.something_broken());
        self.at(at, action);
        self.mend(begin + MENDED);
    }

    /// Everybody is back where they began, on a network that lets all through.
    fn mend(&mut self, at: u64) {
        self.at(at, Action::StartServer {});
        for person in 0..self.people.len() as PersonId {
            let room = self.people[usize::from(person)].room;
            self.at(at, Action::Revive { person });
            for on_off in [
                Action::Dark { person, on: false },
                Action::BlockUp { person, on: false },
                Action::BlockDown { person, on: false },
                Action::ClogUp { person, on: false },
                Action::ClogDown { person, on: false },
                Action::Mute { person, on: false },
                Action::Deafen { person, on: false },
                Action::ServerMute { person, on: false },
            ] {
                self.at(at, on_off);
            }
            for to in (0..self.people.len() as PersonId).filter(|to| *to != person) {
                self.at(at, Action::CloseWhisper { person, to });
            }
            self.at(at, Action::UseRoom { person, room, room_use: RoomUse::Both });
            self.at(at, Action::CloseRoom { person, room });
            self.at(at, Action::OpenRoom { person, room, priority: Priority::None });
            self.at(at, Action::Connect { person });
        }
    }

    fn at(&mut self, at: u64, action: Action) {
        self.actions.push((at, action));
    }

    /// A second in which these speak and those are silent.
    fn turn(&mut self, at: u64) {
        let size = u64::from(self.per_room);
        let turn = self.rng.below(size);
        for person in 0..self.people.len() as PersonId {
            let place = (u64::from(person) + turn) % size;
            self.at(at, Action::Speak { person, on: place < u64::from(self.scenario.speakers_per_room) });
        }
    }

    fn person(&mut self) -> PersonId {
        self.rng.below(self.people.len() as u64) as PersonId
    }

    fn room(&mut self) -> u16 {
        let rooms = self.people.len() as u16 / self.per_room + 2;
        self.rng.below(u64::from(rooms)) as u16
    }

    fn on(&mut self) -> bool {
        self.rng.chance(500_000)
    }

    fn priority(&mut self) -> Priority {
        *self.rng.pick(&[Priority::None, Priority::Low, Priority::Default, Priority::Medium, Priority::High])
    }

    fn something_done(&mut self) -> Action {
        let (person, other, on) = (self.person(), self.person(), self.on());
        match self.rng.below(32) {
            0..10 => Action::Speak { person, on: self.rng.chance(700_000) },
            10..12 => Action::UseRoom { person, room: self.room(), room_use: *self.rng.pick(&USES) },
            12 => Action::LeaveRoom { person, room: self.room() },
            13..15 => Action::OpenRoom { person, room: self.room(), priority: self.priority() },
            15 => Action::CloseRoom { person, room: self.room() },
            16..18 => Action::OpenWhisper { person, to: other, priority: self.priority() },
            18 => Action::CloseWhisper { person, to: other },
            19 => Action::Mute { person, on },
            20 => Action::Deafen { person, on },
            21 => Action::Block { person, other, on },
            22 => Action::SetPriority { person, priority: self.priority() },
            23..25 => Action::TextRoom { person, room: self.room() },
            25..27 => Action::TextPerson { person, to: other },
            27 => Action::ServerMute { person, on },
            28 => Action::Kick { person },
            29 => Action::RemoveFromRoom { person, room: self.room() },
            30 => Action::Leave { person },
            _ => Action::Connect { person },
        }
    }

    fn something_broken(&mut self) -> Action {
        let (person, other, on) = (self.person(), self.person(), self.on());
        match self.rng.below(40) {
            0..4 => Action::Dark { person, on: self.rng.chance(300_000) },
            4..7 => Action::BlockUp { person, on },
            7..10 => Action::BlockDown { person, on },
            10..13 => Action::BlockDirect { person, other, on },
            13..16 => Action::ClogUp { person, on },
            16..19 => Action::ClogDown { person, on },
            19..21 => Action::ChangeAddress { person },
            21..24 => Action::BreakLane { person, side: *self.rng.pick(&SIDES), how: *self.rng.pick(&BREAKS) },
            24..27 => Action::SetPreset { person, preset: self.preset() },
            27..29 => Action::SetNat { person, nat: *self.rng.pick(&NatKind::ALL) },
            29 => Action::SetDrift { person, ppm: self.rng.below(600) as i32 - 300 },
            30..33 => Action::Crash { person },
            33..36 => Action::Revive { person },
            36 => Action::CrashServer {},
            37..39 => Action::StartServer {},
            _ => Action::ReplaceServer {},
        }
    }

    fn preset(&mut self) -> &'static Preset {
        static PRESETS: [Preset; 6] = Preset::ALL;
        self.rng.pick(&PRESETS)
    }
}

const USES: [RoomUse; 3] = [RoomUse::Listen, RoomUse::Speak, RoomUse::Both];
const SIDES: [Side; 2] = [Side::Client, Side::Server];
const BREAKS: [Break; 2] = [Break::Skip, Break::Repeat];
