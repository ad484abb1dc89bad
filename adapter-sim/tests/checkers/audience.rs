use adapter_sim::{
    check::{AudienceChecker, Violations},
    scenario::Action,
    stamp::{Audience, Stamp},
    truth::Truth,
    world::PersonId,
};
use voice_core::{
    RoomId, Target,
    wire::{self, Channel},
};

use crate::{
    assert_caught,
    node::{Heard, Node, Packet},
};

/// Person 0 speaks to the room, then to person 1 alone, then to both at once. Person 2 also uses room 1.
const EVENING: &str = "
    0 use-room 2 1 both
    500 open-room 0 0 none
    600 speak 0 on
    1600 speak 0 off
    2500 close-room 0 0
    2500 open-whisper 0 1 none
    2600 speak 0 on
    3600 speak 0 off
    4500 open-room 0 0 none
    4600 speak 0 on
    5600 speak 0 off
    6500
";

/// Tells everybody's ear what one heard.
struct Whisperer {
    from: PersonId,
    to: PersonId,
}

impl Node for Whisperer {
    fn ear(&mut self, _: u64, heard: Heard) -> Vec<Heard> {
        let more = (heard.listener == self.from).then(|| Heard { listener: self.to, via: Vec::new(), ..heard.clone() });
        more.into_iter().chain([heard]).collect()
    }
}

#[test]
fn a_core_that_plays_a_person_to_itself_is_caught() {
    assert_caught(EVENING, &mut Whisperer { from: 1, to: 0 }, "audience", "person 0 heard itself");
}

/// Plays to person 2 what person 1 alone was told.
struct Eavesdropper;

impl Node for Eavesdropper {
    fn ear(&mut self, now: u64, heard: Heard) -> Vec<Heard> {
        let alone = (2_500_000..4_500_000).contains(&now);
        if alone { Whisperer { from: 1, to: 2 }.ear(now, heard) } else { vec![heard] }
    }
}

#[test]
fn a_whisper_that_comes_out_at_a_third_persons_ear_is_caught() {
    let words = "of 0, meant for [Person(1)]";
    assert_caught(EVENING, &mut Eavesdropper, "audience", words);
}

/// Sends on to everybody as it came from the speaker.
#[derive(Default)]
struct ToEverybody {
    last: Option<Packet>,
    also_to: Option<PersonId>,
}

impl Node for ToEverybody {
    fn up(&mut self, _: u64, _: PersonId, packet: Packet) -> Vec<Packet> {
        if packet.voice().is_some() {
            self.last = Some(packet.clone());
        }
        vec![packet]
    }

    fn down(&mut self, _: u64, to: PersonId, packet: Packet) -> Vec<(PersonId, Packet)> {
        if packet.voice().is_none() {
            return vec![(to, packet)];
        }
        let as_it_came = self.last.clone().expect("voice that came from somebody");
        let more = self.also_to.filter(|also| to == 1 && *also != to).map(|also| (also, as_it_came.clone()));
        more.into_iter().chain([(to, as_it_came)]).collect()
    }
}

#[test]
fn a_whisper_that_only_reaches_a_third_persons_transport_is_caught() {
    let mut node = ToEverybody { also_to: Some(2), ..ToEverybody::default() };
    assert_caught(EVENING, &mut node, "audience", "reached person 2");
}

#[test]
fn a_packet_that_tells_a_room_of_a_whisper_is_caught() {
    let words = "person 2 learnt of Person(1) of 0";
    assert_caught(EVENING, &mut ToEverybody::default(), "audience", words);
}

#[test]
fn voice_of_a_room_that_reaches_somebody_elsewhere_is_caught() {
    let script = "
        0 use-room 2 1 both
        100 leave-room 2 0
        70000 open-room 0 0 none
        70100 speak 0 on
        71000
    ";
    let mut node = ToEverybody { also_to: Some(2), ..ToEverybody::default() };
    assert_caught(script, &mut node, "audience", "meant for [Room(0)], reached person 2");
}

/// Says that voice for room 0 was for room 1, to those who were granted both.
#[derive(Default)]
struct WrongRoom {
    room_1: Option<RoomId>,
}

impl Node for WrongRoom {
    fn down(&mut self, _: u64, to: PersonId, packet: Packet) -> Vec<(PersonId, Packet)> {
        if let Ok(wire::Packet::RoomGranted { room, name: "room-1", .. }) = wire::Packet::decode(&packet.bytes) {
            self.room_1 = Some(room);
        }
        let (Some(voice), Some(room), 2) = (packet.voice(), self.room_1, to) else { return vec![(to, packet)] };
        let mut channel = voice.channels.iter().next().expect("a channel");
        channel.target = Target::Room(room);
        vec![(to, packet.voice_with(&[channel], voice.payload))]
    }
}

#[test]
fn a_core_that_heard_by_another_channel_than_was_spoken_to_is_caught() {
    let words = "person 2 heard 0 by Room(1), which frame 1 was not spoken to";
    assert_caught(EVENING, &mut WrongRoom::default(), "audience", words);
}

#[test]
fn a_packet_that_names_a_room_that_was_not_spoken_to_is_caught() {
    assert_caught(EVENING, &mut WrongRoom::default(), "audience", "person 2 learnt of Room(1) of 0 (frame 1)");
}

/// Shows in the snapshot of heard channels the whisper to somebody else.
struct Telltale;

impl Node for Telltale {
    fn ear(&mut self, now: u64, mut heard: Heard) -> Vec<Heard> {
        if heard.listener == 2 && now > 4_500_000 {
            heard.via.push(Audience::Person(1));
        }
        vec![heard]
    }
}

#[test]
fn a_core_that_shows_a_listener_a_channel_of_somebody_else_is_caught() {
    assert_caught(EVENING, &mut Telltale, "audience", "person 2 learnt of Person(1) of 0");
}

/// Gives a third person the whisper under its own address, so that its core plays it.
#[derive(Default)]
struct Redirect {
    id_of_2: Option<voice_core::ClientId>,
}

impl Node for Redirect {
    fn down(&mut self, _: u64, to: PersonId, packet: Packet) -> Vec<(PersonId, Packet)> {
        if let (Ok(wire::Packet::Welcome(welcome)), 2) = (wire::Packet::decode(&packet.bytes), to) {
            self.id_of_2 = Some(welcome.client);
        }
        let (Some(voice), 1, Some(id)) = (packet.voice(), to, self.id_of_2) else { return vec![(to, packet)] };
        let channel = voice.channels.iter().find(|channel| matches!(channel.target, Target::Client(_)));
        let Some(channel) = channel else { return vec![(to, packet)] };
        let redirected = packet.voice_with(&[Channel { target: Target::Client(id), ..channel }], voice.payload);
        vec![(2, redirected), (to, packet)]
    }
}

#[test]
fn a_whisper_sent_to_another_address_is_caught_on_the_wire_and_at_the_ear() {
    assert_caught(EVENING, &mut Redirect::default(), "audience", "a whisper of 0");
    assert_caught(EVENING, &mut Redirect::default(), "audience", "person 2 heard frame");
}

/// A core that leaves one kind of wish unheeded.
struct Stubborn(&'static str);

impl Node for Stubborn {
    fn obeys(&mut self, action: &Action) -> bool {
        action.name() != self.0
    }
}

/// Person 0 speaks to the room while `line` happens in its third second.
fn while_speaking(line: &str, until: u64) -> String {
    format!("500 open-room 0 0 none\n600 speak 0 on\n3000 {line}\n{until}")
}

#[test]
fn a_core_that_plays_a_room_that_was_left_is_caught() {
    let script = while_speaking("leave-room 2 0", 5_000);
    assert_caught_stubborn(&script, "leave-room", "person 2 heard frame");
}

#[test]
fn a_core_that_plays_to_a_deafened_person_is_caught() {
    let script = while_speaking("deafen 2 on", 5_000);
    assert_caught_stubborn(&script, "deafen", "person 2 heard 0 though deafened");
}

#[test]
fn a_core_that_plays_a_blocked_person_is_caught() {
    let script = while_speaking("block 2 0 on", 5_000);
    assert_caught_stubborn(&script, "block", "person 2 heard 0 though deafened or muting");
}

#[test]
fn a_core_that_sends_what_a_muted_person_says_is_caught() {
    let script = while_speaking("mute 0 on", 5_000);
    assert_caught_stubborn(&script, "mute", "spoken while muted");
}

#[test]
fn a_server_that_passes_on_whom_it_muted_is_caught() {
    let script = while_speaking("server-mute 0 on", 25_000);
    assert_caught_stubborn(&script, "server-mute", "muted by the server");
}

#[track_caller]
fn assert_caught_stubborn(script: &str, wish: &'static str, words: &str) {
    assert_caught(script, &mut Stubborn(wish), "audience", words);
}

type Judgement = fn(u64, &Stamp, &Truth, &mut Violations);

/// What is said of a frame of person 0 to room 0, judged at a time; person 1 left it at 100 s, and person 0 is muted by the server since.
fn judged(judge: Judgement, now: u64) -> u64 {
    let mut truth = Truth::default();
    truth.set_listens(0, 1, 0, true);
    truth.set_listens(0, 2, 0, true);
    truth.set_listens(100_000_000, 1, 0, false);
    truth.set_server_silenced(100_000_000, 0, true);
    let stamp = Stamp { speaker: 0, serial: 1, spoken_at: now, audience: [Audience::Room(0)].into_iter().collect() };
    let mut violations = Violations::default();
    judge(now, &stamp, &truth, &mut violations);
    violations.count()
}

#[test]
fn what_nobody_can_know_yet_is_forgiven_for_as_long_as_stated_and_no_longer() {
    let from = 100_000_000;
    let bounds: [(Judgement, u64); 4] = [
        (|now, stamp, truth, bad| AudienceChecker.heard(now, 1, stamp, &[], truth, bad), AudienceChecker::TAIL),
        (
            |now, stamp, truth, bad| AudienceChecker.heard(now, 2, stamp, &[], truth, bad),
            AudienceChecker::SERVER_MUTE_TAIL,
        ),
        (|now, stamp, truth, bad| AudienceChecker.reached(now, 1, stamp, truth, bad), AudienceChecker::NAME_TAIL),
        (
            |now, stamp, truth, bad| AudienceChecker.named(now, 1, stamp, &stamp.audience, truth, bad),
            AudienceChecker::NAME_TAIL,
        ),
    ];
    for (judge, tail) in bounds {
        assert_eq!((judged(judge, from + tail - 1), judged(judge, from + tail + 1)), (0, 1), "{tail}");
    }
}
