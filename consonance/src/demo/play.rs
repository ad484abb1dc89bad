//! Plays the story in the simulator.

use std::collections::BTreeMap;

use adapter_sim::{
    net::{NatKind, Preset},
    world::{PersonConfig, PersonId, World},
};
use voice_core::{
    ChannelHandle, ChannelOptions, ClientId, DropCounts, DropReason, RoomHandle, RoomUse, SessionId, State, TalkTo,
};

use super::{
    conditions,
    proof::CUT_NOTE,
    record::{Drops, Mark, Record, Seat, Text},
    scene::Scene,
    script::{Act, Await, CAST, Room, STORY, Say, Step, To, Who},
    stage::Stage,
};
use crate::speech::Clip;

/// How long a channel stays open after the last word, so that the end of the talkspurt is sent on it, µs.
const CHANNEL_TAIL_US: u64 = 60_000;

/// How long the story waits for something at most, µs.
const PATIENCE_US: u64 = 20_000_000;
/// How often it looks, µs.
const GLANCE_US: u64 = 100_000;

/// Plays all acts; `progress` is told each when it begins. Gives the record, and what each person heard as a WAV file.
pub(crate) fn play(
    seed: u64,
    preset: &Preset,
    clips: &[Clip],
    mut progress: impl FnMut(u64, usize, &Act),
) -> (Record, Vec<Vec<u8>>) {
    let mut play = Play::new(seed, preset, clips);
    for (number, act) in STORY.iter().enumerate() {
        progress(play.at, number, act);
        play.act(number, act);
    }
    play.finish()
}

/// Something due at a moment.
#[derive(Clone, Copy)]
enum Due {
    Step(&'static Step),
    FallSilent(Who),
    CloseChannel(Who),
}

struct Play {
    world: World,
    /// How far the story is, µs.
    at: u64,
    scene: Scene,
    rooms: BTreeMap<(Who, Room), RoomHandle>,
    channels: BTreeMap<Who, ChannelHandle>,
    /// What servers that are no more had dropped.
    server_drops: Vec<(DropReason, u64)>,
}

impl Play {
    fn new(seed: u64, preset: &Preset, clips: &[Clip]) -> Self {
        let speech = clips.iter().cycle().take(CAST.len()).map(|clip| clip.name.clone()).collect();
        let record = Record::new(seed, conditions::network(preset), speech);
        let mut world = World::new(seed, 16, 8);
        for (who, actor) in CAST.iter().enumerate() {
            let direct = STORY.iter().flat_map(|act| act.steps).any(|(_, step)| step.seeks_direct_path(who));
            world.add_person(PersonConfig {
                nat: NatKind::Blocked,
                direct,
                drift_ppm: actor.drift_ppm,
                dred: cfg!(feature = "opus16"),
                ..PersonConfig::new(actor.name, preset)
            });
        }
        let scene = Scene::new(Stage::new(record, clips));
        Self { world, at: 0, scene, rooms: BTreeMap::new(), channels: BTreeMap::new(), server_drops: Vec::new() }
    }

    fn act(&mut self, number: usize, act: &'static Act) {
        let begin = self.at;
        let mut waited = 0;
        for (after, due) in agenda(act) {
            self.run_until(begin + waited + after);
            self.take(number, self.at, due);
            waited = self.at - begin - after;
        }
        self.run_until(begin + waited + act.ms * 1_000);
        let seats = (0..CAST.len()).map(|who| self.seat(who)).collect();
        let record = &mut self.scene.stage.record;
        record.acts.push([begin, self.at]);
        record.seats.push(seats);
        record.kept_out_by_nat.push(self.world.network().faults().kept_out_by_nat);
    }

    fn run_until(&mut self, at: u64) {
        self.world.run_until(at, &mut self.scene);
        self.at = at;
    }

    fn take(&mut self, act: usize, now: u64, due: Due) {
        match due {
            Due::Step(step) => self.step(act, now, step),
            Due::FallSilent(who) => self.scene.stage.end(who),
            Due::CloseChannel(who) => {
                if let Some(channel) = self.channels.remove(&who) {
                    // It may be closed already, as when the other end is gone.
                    let _ = self.world.command(person(who), |now, client| client.close_channel(now, channel));
                }
            }
        }
    }

    fn step(&mut self, act: usize, now: u64, step: &Step) {
        match *step {
            Step::Connect(who) => self.world.connect(person(who)),
            Step::Enter(who, room) => self.enter(who, room),
            Step::Exit(who, room) => self.exit(who, room),
            Step::Say(say) => self.say(act, now, &say),
            Step::Write { who, to, text, read_by } => {
                self.scene.stage.wrote(Text { act, at: now, who, to, text, meant_for: read_by, read: Vec::new() });
                self.write(now, who, to, text);
            }
            Step::SeekDirectPath(one, other) => self.open_routers(now, [one, other]),
            Step::CutDirectPath(one, other) => self.cut_path(now, [one, other]),
            Step::LoseNetwork(who) => self.set_network(now, who, false),
            Step::FindNetwork(who) => self.set_network(now, who, true),
            Step::CrashServer => self.crash_server(now),
            Step::StartServer => self.start_server(now),
            Step::Leave(who) => self.world.leave(person(who)),
            Step::Await(what) => self.wait(what),
        }
    }

    fn wait(&mut self, what: Await) {
        let end = self.at + PATIENCE_US;
        while self.at < end && !self.holds(what) {
            self.run_until(self.at + GLANCE_US);
        }
    }

    fn holds(&mut self, what: Await) -> bool {
        match what {
            Await::Everybody => {
                let session = self.world.server().map(|server| server.session());
                (0..CAST.len()).all(|who| self.is_settled(who, session))
            }
            Await::Absence(absent) => {
                let seats = (0..CAST.len()).filter(|who| *who != absent).map(|who| self.seat(who));
                !seats.flat_map(|seat| [seat.roster, seat.awaited].concat()).any(|name| name == CAST[absent].name)
            }
            Await::DirectPath(one, other) => self.is_direct(one, other) && self.is_direct(other, one),
        }
    }

    fn is_settled(&self, who: Who, session: Option<SessionId>) -> bool {
        let client = self.world.client(person(who));
        let present = client.roster().filter(|person| !person.flags().reconnecting).count();
        let rooms = self.rooms.iter().filter(|((of, _), _)| *of == who).map(|(_, room)| client.room_id(*room));
        let mut rooms: Vec<_> = rooms.collect();
        rooms.sort();
        // The own record is what the server knows of one's rooms.
        let known = client.id().and_then(|id| client.person(id)).map(|own| own.rooms().iter().copied().map(Some));
        client.state() == State::Connected
            && client.session() == session
            && present == CAST.len()
            && known.is_some_and(|known| known.eq(rooms))
    }

    fn is_direct(&mut self, who: Who, other: Who) -> bool {
        let id = self.id_in_roster(who, CAST[other].name);
        id.is_some_and(|id| self.world.command(person(who), |_, client| client.is_direct(id)))
    }

    fn enter(&mut self, who: Who, room: Room) {
        let handle = self.world.command(person(who), |now, client| client.use_room(now, room.name(), RoomUse::Both));
        self.rooms.insert((who, room), handle.expect("few rooms with short names"));
    }

    fn exit(&mut self, who: Who, room: Room) {
        if let Some(handle) = self.rooms.remove(&(who, room)) {
            let left = self.world.command(person(who), |now, client| client.leave_room(now, handle));
            left.expect("the room was entered");
        }
    }

    fn say(&mut self, act: usize, now: u64, say: &Say) {
        self.scene.stage.begin(now, act, say);
        let options = ChannelOptions { priority: say.priority, ..ChannelOptions::DEFAULT };
        let opened = self.talk_to(say.who, say.to).and_then(|to| {
            self.world.command(person(say.who), |now, client| client.open_channel(now, to, options)).ok()
        });
        match opened {
            Some(channel) => drop(self.channels.insert(say.who, channel)),
            None => self.trouble(now, say.who, format!("can't open a channel to {}", say.to.name())),
        }
    }

    fn write(&mut self, now: u64, who: Who, to: To, text: &str) {
        let sent = self
            .talk_to(who, to)
            .and_then(|target| self.world.command(person(who), |now, client| client.send_text(now, target, text)).ok());
        match sent {
            Some(_) => self.scene.stage.record.note(now, Some(who), Mark::Story, format!("writes to {}", to.name())),
            None => self.trouble(now, who, format!("can't write to {}", to.name())),
        }
    }

    fn trouble(&mut self, now: u64, who: Who, what: String) {
        self.scene.stage.record.note(now, Some(who), Mark::Trouble, what);
    }

    /// The target as this person's client knows it: people are found in its roster by their names.
    fn talk_to(&self, who: Who, to: To) -> Option<TalkTo> {
        match to {
            To::All(room) => self.rooms.get(&(who, room)).copied().map(TalkTo::Room),
            To::Only(other) => self.id_in_roster(who, CAST[other].name).map(TalkTo::Client),
        }
    }

    /// A seat that waits for its owner may stand beside a newer one of the same name: a join whose answer was lost leaves it behind.
    fn id_in_roster(&self, who: Who, name: &str) -> Option<ClientId> {
        let mut roster = self.world.client(person(who)).roster();
        roster.find(|person| person.name() == name && !person.flags().reconnecting).map(|person| person.id())
    }

    fn open_routers(&mut self, now: u64, pair: [Who; 2]) {
        for (who, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
            let endpoint = self.world.endpoint(person(who));
            self.world.net().set_nat(endpoint, CAST[who].nat);
            let what =
                format!("tries for a direct path to {} through a {} router", CAST[other].name, nat_name(CAST[who].nat));
            self.scene.stage.record.note(now, Some(who), Mark::Story, what);
        }
    }

    fn cut_path(&mut self, now: u64, [one, other]: [Who; 2]) {
        let ends = [self.world.endpoint(person(one)), self.world.endpoint(person(other))];
        self.world.net().set_blocked(ends[0], ends[1], true);
        self.world.net().set_blocked(ends[1], ends[0], true);
        for (who, other) in [(one, other), (other, one)] {
            self.trouble(now, who, format!("{CUT_NOTE}, to {}", CAST[other].name));
        }
    }

    fn set_network(&mut self, now: u64, who: Who, there: bool) {
        let endpoint = self.world.endpoint(person(who));
        self.world.net().set_dark(endpoint, !there);
        let record = &mut self.scene.stage.record;
        if there {
            record.reachable(now, Some(who));
            record.note(now, Some(who), Mark::Story, "has a network again");
        } else {
            record.cut_off(now, Some(who));
            record.note(now, Some(who), Mark::Trouble, "loses the network");
        }
    }

    fn crash_server(&mut self, now: u64) {
        if let Some(server) = self.world.server() {
            let drops = *server.drops();
            self.server_drops.extend(drops.iter());
        }
        self.world.crash_server();
        self.scene.stage.record.cut_off(now, None);
        self.scene.stage.record.note(now, None, Mark::Trouble, "crashes");
    }

    fn start_server(&mut self, now: u64) {
        self.world.start_server();
        self.scene.stage.record.reachable(now, None);
        self.scene.stage.record.note(now, None, Mark::Story, "starts with a new session");
    }

    fn seat(&self, who: Who) -> Seat {
        let client = self.world.client(person(who));
        let connected = matches!(client.state(), State::Connected | State::Degraded);
        if !connected {
            return Seat::default();
        }
        let names = |reconnecting| {
            let people = client.roster().filter(|person| person.flags().reconnecting == reconnecting);
            let mut names: Vec<_> = people.map(|person| person.name().to_owned()).collect();
            names.sort();
            names
        };
        Seat {
            connected,
            session: client.session().map(|session| session.get()),
            id: client.id().map(ClientId::get),
            roster: names(false),
            awaited: names(true),
        }
    }

    fn finish(mut self) -> (Record, Vec<Vec<u8>>) {
        let mut server = self.server_drops;
        if let Some(running) = self.world.server() {
            server.extend(running.drops().iter());
        }
        let record = &mut self.scene.stage.record;
        for (who, actor) in CAST.iter().enumerate() {
            record.drops.extend(drops(actor.name, self.world.client(person(who)).drops()));
        }
        for reason in DropReason::ALL {
            let count = server.iter().filter(|(other, _)| other == reason).map(|(_, count)| count).sum();
            record.drops.extend(drop_of("Server", *reason, count));
        }
        record.network.faults = self.world.network().faults().named().to_vec();
        self.scene.stage.finish(self.world.now())
    }
}

/// All that is due in an act, in order, in µs since it began: the steps, and what follows from them.
fn agenda(act: &'static Act) -> Vec<(u64, Due)> {
    let mut agenda = Vec::new();
    for (ms, step) in act.steps {
        let at = ms * 1_000;
        agenda.push((at, Due::Step(step)));
        if let Step::Say(say) = step {
            let end = at + say.ms * 1_000;
            agenda.push((end, Due::FallSilent(say.who)));
            agenda.push((end + CHANNEL_TAIL_US, Due::CloseChannel(say.who)));
        }
    }
    agenda.sort_by_key(|(at, _)| *at);
    agenda
}

fn drops(name: &'static str, counts: &DropCounts) -> Vec<Drops> {
    counts.iter().filter_map(|(reason, count)| drop_of(name, reason, count)).collect()
}

fn drop_of(name: &str, reason: DropReason, count: u64) -> Option<Drops> {
    (count > 0).then(|| Drops { at: name.to_owned(), reason: reason.name(), count })
}

fn nat_name(nat: NatKind) -> &'static str {
    match nat {
        NatKind::Open => "open",
        NatKind::Cone => "cone",
        NatKind::Symmetric => "symmetric",
        NatKind::Blocked => "closed",
    }
}

fn person(who: Who) -> PersonId {
    PersonId::try_from(who).expect("a small cast")
}
