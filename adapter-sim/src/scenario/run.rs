//! A plan carried out, healed and judged.

use std::collections::BTreeMap;

use voice_core::{ChannelOptions, ClientId, Priority, RoomUse, State, TalkTo};

use super::{
    Outcome,
    action::Action,
    crowd::{Crowd, PAYLOAD_BYTES, UsedRoom},
    plan::Plan,
};
use crate::{
    check::{PersonSeen, RecoveryChecker, RosterChecker},
    net::Preset,
    stamp::Audience,
    world::{PersonConfig, PersonId, World},
};

const SECOND: u64 = 1_000_000;

impl Plan {
    /// Carries it out.
    pub fn run(&self) -> Outcome {
        Run::new(self).carry_out()
    }
}

struct Run<'a> {
    plan: &'a Plan,
    world: World,
    crowd: Crowd,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan) -> Self {
        let people = plan.people.len();
        let mut world = World::new(plan.seed, people.next_multiple_of(64), plan.rooms.into());
        world.start_server();
        let crowd = Crowd::new(people);
        let mut run = Self { plan, world, crowd };
        for ((number, person), rooms) in plan.people.iter().enumerate().zip(plan.rooms_used()) {
            let mut config = PersonConfig::new(&format!("person-{number}"), person.preset);
            (config.nat, config.direct, config.drift_ppm) = (person.nat, person.direct, person.drift_ppm);
            config.speakers = if plan.heals { people.min(32) } else { 4 };
            config.paths = if person.direct { 32 } else { 0 };
            config.rooms = rooms.min(32);
            config.frame_bytes = PAYLOAD_BYTES as u16;
            let id = run.world.add_person(config);
            run.settle(id);
        }
        run
    }

    fn carry_out(mut self) -> Outcome {
        for (at, action) in &self.plan.actions {
            self.world.run_until(*at, &mut self.crowd);
            self.act(action);
        }
        self.world.run_until(self.plan.span_us, &mut self.crowd);
        if self.plan.heals {
            self.heal();
        }
        if self.plan.heals || self.plan.scenario == "storm" {
            self.judge_rosters();
        }
        self.finish()
    }

    /// Everybody's beginning: in the own room, with a channel to it.
    fn settle(&mut self, person: PersonId) {
        let room = self.plan.people[usize::from(person)].room;
        self.use_room(person, room, RoomUse::Both);
        self.open(person, Audience::Room(room), Priority::None);
    }

    fn act(&mut self, action: &Action) {
        if action.people().into_iter().any(|person| !self.is_able(person, action)) {
            return;
        }
        self.world.net().trace_number(0xAC7);
        match *action {
            Action::Connect { .. } | Action::Leave { .. } | Action::Crash { .. } | Action::Revive { .. } => {
                self.come_or_go(action);
            }
            Action::UseRoom { person, room, room_use } => self.use_room(person, room, room_use),
            Action::LeaveRoom { person, room } => self.leave_room(person, room),
            Action::OpenRoom { person, room, priority } => self.open(person, Audience::Room(room), priority),
            Action::CloseRoom { person, room } => self.close(person, Audience::Room(room)),
            Action::OpenWhisper { person, to, priority } => self.open(person, Audience::Person(to), priority),
            Action::CloseWhisper { person, to } => self.close(person, Audience::Person(to)),
            Action::Speak { person, on } => self.crowd.doers[usize::from(person)].speaking = on,
            Action::Mute { .. } | Action::Deafen { .. } | Action::Block { .. } | Action::SetPriority { .. } => {
                self.declare(action);
            }
            Action::TextRoom { person, room } => self.text(person, Audience::Room(room)),
            Action::TextPerson { person, to } => self.text(person, Audience::Person(to)),
            Action::ServerMute { .. } | Action::Kick { .. } | Action::RemoveFromRoom { .. } => self.moderate(action),
            Action::CrashServer {} => self.world.crash_server(),
            Action::StartServer {} => self.start_server(),
            Action::ReplaceServer {} => {
                if self.world.server().is_some() {
                    self.world.replace_server();
                }
            }
            _ => self.break_net(action),
        }
    }

    /// What a person does, its process has to run for.
    fn is_able(&self, person: PersonId, action: &Action) -> bool {
        matches!(action, Action::Revive { .. } | Action::SetPreset { .. } | Action::SetNat { .. })
            || self.world.is_alive(person)
    }

    fn come_or_go(&mut self, action: &Action) {
        let now = self.world.now();
        match *action {
            Action::Connect { person } => self.world.connect(person),
            Action::Leave { person } => self.world.leave(person),
            Action::Crash { person } => {
                self.world.crash(person);
                let doer = &mut self.crowd.doers[usize::from(person)];
                let rooms: Vec<u16> = doer.rooms.iter().map(|room| room.number).collect();
                doer.forget();
                let truth = &mut self.crowd.truth;
                rooms.into_iter().for_each(|room| truth.set_listens(now, person, room, false));
                truth.set_deaf(now, person, false);
                truth.set_silenced(now, person, false);
            }
            Action::Revive { person } if !self.world.is_alive(person) => {
                self.world.revive(person);
                self.settle(person);
                self.world.connect(person);
            }
            _ => {}
        }
    }

    fn use_room(&mut self, person: PersonId, number: u16, room_use: RoomUse) {
        let now = self.world.now();
        let name = format!("room-{number}");
        let Ok(handle) = self.world.command(person, |now, client| client.use_room(now, &name, room_use)) else {
            return;
        };
        let doer = &mut self.crowd.doers[usize::from(person)];
        let id = self.world.client(person).room_id(handle);
        doer.rooms.retain(|room| room.number != number);
        doer.rooms.push(UsedRoom { number, handle, id });
        self.crowd.truth.set_listens(now, person, number, room_use.listens());
    }

    fn leave_room(&mut self, person: PersonId, number: u16) {
        let now = self.world.now();
        let Some(room) = self.crowd.doers[usize::from(person)].room(number) else { return };
        let _ = self.world.command(person, |now, client| client.leave_room(now, room.handle));
        let doer = &mut self.crowd.doers[usize::from(person)];
        doer.rooms.retain(|room| room.number != number);
        doer.channels.retain(|(audience, _)| *audience != Audience::Room(number));
        self.crowd.truth.set_listens(now, person, number, false);
    }

    fn open(&mut self, person: PersonId, to: Audience, priority: Priority) {
        let Some(line) = self.line(person, to) else { return };
        let options = ChannelOptions { priority, ..ChannelOptions::DEFAULT };
        let opened = self.world.command(person, |now, client| client.open_channel(now, line, options));
        if let Ok(handle) = opened {
            let _ = self.crowd.doers[usize::from(person)].channels.try_push((to, handle));
        }
    }

    fn line(&self, person: PersonId, to: Audience) -> Option<TalkTo> {
        Some(match to {
            Audience::Room(number) => TalkTo::Room(self.crowd.doers[usize::from(person)].room(number)?.handle),
            Audience::Person(other) => TalkTo::Client(self.named(person, other).next()?),
        })
    }

    /// Another as a person would find it: by name, among those whom its own roster shows. A seat that waits for its owner comes after one that
    /// doesn't; who takes a block back does so for all of them, since two may wait.
    fn named(&self, person: PersonId, other: PersonId) -> impl Iterator<Item = ClientId> + use<> {
        let name = format!("person-{other}");
        let named = self.world.client(person).roster().filter(|who| who.name() == name);
        let mut named: Vec<_> = named.map(|who| (who.flags().reconnecting, who.id())).collect();
        named.sort_by_key(|(reconnecting, _)| *reconnecting);
        named.into_iter().map(|(_, id)| id)
    }

    fn close(&mut self, person: PersonId, to: Audience) {
        let doer = &mut self.crowd.doers[usize::from(person)];
        let Some(at) = doer.channels.iter().position(|(audience, _)| *audience == to) else { return };
        let (_, handle) = doer.channels.remove(at);
        let _ = self.world.command(person, |now, client| client.close_channel(now, handle));
    }

    fn declare(&mut self, action: &Action) {
        let now = self.world.now();
        match *action {
            Action::Mute { person, on } => {
                self.world.command(person, |now, client| client.set_muted(now, on));
                self.crowd.truth.set_silenced(now, person, on);
            }
            Action::Deafen { person, on } => {
                self.world.command(person, |now, client| client.set_deafened(now, on));
                self.crowd.truth.set_deaf(now, person, on);
            }
            Action::Block { person, other, on } => {
                let meant = if on {
                    self.named(person, other).take(1).collect()
                } else {
                    self.named(person, other).collect::<Vec<_>>()
                };
                for id in meant {
                    let done = self.world.command(person, |now, client| client.set_client_muted(now, id, on));
                    if done.is_ok() {
                        self.crowd.truth.set_blocks(now, person, other, on);
                    }
                }
            }
            Action::SetPriority { person, priority } => {
                self.world.command(person, |now, client| client.set_default_priority(now, priority));
            }
            _ => {}
        }
    }

    fn text(&mut self, person: PersonId, to: Audience) {
        let Some(line) = self.line(person, to) else { return };
        let text = self.crowd.next_text(person, to);
        // A refused one is a gap in the numbers, and those may have gaps.
        let _ = self.world.command(person, |now, client| client.send_text(now, line, &text));
    }

    fn moderate(&mut self, action: &Action) {
        let now = self.world.now();
        let Some(&person) = action.people().first() else { return };
        let Some(id) = self.world.client(person).id() else { return };
        match *action {
            Action::ServerMute { on, .. } => {
                let done = self.world.server_command(|now, server| server.set_server_mute(now, id, on));
                if done.is_some_and(|done| done.is_ok()) {
                    self.crowd.truth.set_server_silenced(now, person, on);
                }
            }
            Action::Kick { .. } => {
                self.world.server_command(|now, server| server.kick(now, id, 0));
            }
            Action::RemoveFromRoom { room, .. } => {
                let Some(room) = self.crowd.doers[usize::from(person)].room(room).and_then(|room| room.id) else {
                    return;
                };
                self.world.server_command(|now, server| server.remove_from_room(now, id, room));
            }
            _ => {}
        }
    }

    fn start_server(&mut self) {
        if self.world.server().is_none() {
            self.world.start_server();
        }
    }

    fn break_net(&mut self, action: &Action) {
        let Some(&person) = action.people().first() else {
            if let Action::DeliverDamaged { on } = *action {
                self.crowd.damage |= on;
                self.world.net().set_deliver_damaged(on);
            }
            return;
        };
        let (endpoint, server, conn) =
            (self.world.endpoint(person), self.world.server_endpoint(), self.world.connection(person));
        let other = action.people().get(1).map(|other| self.world.endpoint(*other));
        let net = self.world.net();
        match *action {
            Action::Dark { on, .. } => net.set_dark(endpoint, on),
            Action::BlockUp { on, .. } => net.set_blocked(endpoint, server, on),
            Action::BlockDown { on, .. } => net.set_blocked(server, endpoint, on),
            Action::BlockDirect { on, .. } => {
                if let Some(other) = other {
                    net.set_partition(&[endpoint], &[other], true, on);
                }
            }
            Action::ClogUp { on, .. } => net.set_clogged(endpoint, true, on),
            Action::ClogDown { on, .. } => net.set_clogged(endpoint, false, on),
            Action::ChangeAddress { .. } => net.change_address(endpoint),
            Action::BreakLane { side, how, .. } => {
                if let Some(conn) = conn {
                    net.break_lane(conn, side, how);
                }
            }
            Action::SetPreset { preset, .. } => net.set_preset(endpoint, preset),
            Action::SetNat { nat, .. } => net.set_nat(endpoint, nat),
            Action::SetDrift { ppm, .. } => net.set_drift(endpoint, ppm),
            _ => {}
        }
    }

    /// Takes all faults and wishes away, waits as long as recovery may take, and then listens whether all is well.
    fn heal(&mut self) {
        self.world.net().heal();
        self.world.net().set_deliver_damaged(false);
        self.start_server();
        for person in 0..self.world.people() {
            self.make_well(person);
        }
        // Who is told only now that it was thrown out comes back too.
        let until = self.world.now() + RecoveryChecker::BOUND / 3;
        self.world.run_until(until, &mut self.crowd);
        (0..self.world.people()).for_each(|person| self.world.connect(person));
        let until = until + RecoveryChecker::BOUND;
        self.world.run_until(until, &mut self.crowd);
        // What others did to a person takes effect while it is away, and its own wishes when it is back.
        for person in 0..self.world.people() {
            self.settle(person);
        }
        let until = until + 5 * SECOND;
        self.world.run_until(until, &mut self.crowd);
        self.crowd.recovery.start(until);
        self.crowd.counting = true;
        self.crowd.doers.iter_mut().for_each(|doer| doer.speaking = true);
        self.world.run_until(until + 5 * SECOND, &mut self.crowd);
        self.crowd.doers.iter_mut().for_each(|doer| doer.speaking = false);
        self.world.run_until(until + 7 * SECOND, &mut self.crowd);
        self.judge_recovery();
    }

    fn make_well(&mut self, person: PersonId) {
        self.act(&Action::Revive { person });
        let endpoint = self.world.endpoint(person);
        self.world.net().set_preset(endpoint, &Preset::HOME_WIFI);
        self.crowd.doers[usize::from(person)].speaking = false;
        let audiences: Vec<Audience> =
            self.crowd.doers[usize::from(person)].channels.iter().map(|(to, _)| *to).collect();
        audiences.into_iter().for_each(|to| self.close(person, to));
        for on_off in [Action::Mute { person, on: false }, Action::Deafen { person, on: false }] {
            self.act(&on_off);
        }
        for other in 0..self.world.people() {
            self.act(&Action::Block { person, other, on: false });
        }
        self.act(&Action::ServerMute { person, on: false });
        self.act(&Action::Connect { person });
    }

    fn judge_recovery(&mut self) {
        let now = self.world.now();
        let mut expected = Vec::new();
        for listener in 0..self.world.people() {
            let state = self.world.client(listener).state();
            let crowd = &mut self.crowd;
            let connected = state == State::Connected;
            crowd.recovery.connected(now, listener, &format!("{state:?}"), connected, &mut crowd.violations);
            for speaker in (0..self.world.people()).filter(|speaker| *speaker != listener) {
                let room = self.plan.people[usize::from(speaker)].room;
                if crowd.truth.listened_throughout(listener, room, now - 7 * SECOND, now) {
                    expected.push(((listener, speaker), crowd.doers[usize::from(speaker)].counted));
                }
            }
        }
        let crowd = &mut self.crowd;
        crowd.recovery.finish(now, expected, 50, &mut crowd.violations);
    }

    fn judge_rosters(&mut self) {
        let now = self.world.now();
        let Some(server) = self.world.server() else { return };
        let truth: BTreeMap<u16, PersonSeen> = server
            .clients()
            .map(|client| {
                let rooms = client.rooms().filter(|(_, used)| used.listens()).map(|(room, _)| room.get()).collect();
                (client.id().get(), seen(client.name(), rooms, client.flags()))
            })
            .collect();
        for person in 0..self.world.people() {
            let roster = self.world.client(person).roster();
            let roster = roster.map(|person| {
                let rooms = person.rooms().iter().map(|room| room.get()).collect();
                (person.id().get(), seen(person.name(), rooms, person.flags()))
            });
            RosterChecker.agree(now, person, &roster.collect(), &truth, &mut self.crowd.violations);
        }
    }

    fn finish(mut self) -> Outcome {
        let mut drops = BTreeMap::new();
        let mut add = |counts: &voice_core::DropCounts| {
            for (reason, count) in counts.iter().filter(|(_, count)| *count > 0) {
                *drops.entry(reason.name()).or_default() += count;
            }
        };
        for person in 0..self.world.people() {
            add(self.world.client(person).drops());
        }
        if let Some(server) = self.world.server() {
            add(server.drops());
        }
        Outcome {
            virtual_us: self.world.now(),
            trace_hash: self.world.network().trace().hash(),
            deliveries: self.crowd.deliveries,
            texts: self.crowd.texts_read,
            drops,
            faults: self.world.network().faults().named().to_vec(),
            violations: self.crowd.violations.list().to_vec(),
        }
    }
}

fn seen(name: &str, rooms: Vec<u16>, flags: voice_core::wire::PersonFlags) -> PersonSeen {
    PersonSeen {
        name: name.into(),
        rooms,
        flags: [flags.muted, flags.deafened, flags.server_muted, flags.reconnecting],
    }
}

#[cfg(test)]
mod tests {
    use super::Run;
    use crate::scenario::Scenario;

    #[test]
    fn every_run_comes_to_the_same_whether_ticks_wait_or_not() {
        let plan = |name, seed, clients| Scenario::from_name(name).expect("a scenario").plan(seed, 6, clients);
        let crowds = (1..4).map(|seed| plan("crowd", seed, Some(80)));
        let swarms = (1..41).map(|seed| plan("swarm", seed, None));
        let mut heard = 0;
        for plan in crowds.chain(swarms) {
            let (mut told_at_once, told_later) = (Run::new(&plan), Run::new(&plan));
            told_at_once.crowd.patient = false;
            let (at_once, later) = (told_at_once.carry_out(), told_later.carry_out());
            heard += at_once.deliveries;
            assert_eq!(format!("{at_once:?}"), format!("{later:?}"), "{} {}", plan.scenario, plan.seed);
        }
        assert!(heard > 50_000, "{heard}");
    }
}
