//! The story that the demonstration plays: who is there, what happens when, and who is meant to hear it.
//!
//! It says for every utterance by name who should hear it, so that the outcome is judged by the story and not by the rules that
//! the server applied.

use adapter_sim::net::NatKind;
use voice_core::Priority;

/// A person's place in [`CAST`].
pub(crate) type Who = usize;

pub(crate) const SCOUT: Who = 0;
pub(crate) const MEDIC: Who = 1;
pub(crate) const PILOT: Who = 2;
pub(crate) const RANGER: Who = 3;
pub(crate) const ENGINEER: Who = 4;
pub(crate) const BUILDER: Who = 5;
pub(crate) const CAPTAIN: Who = 6;

/// One who takes part.
pub(crate) struct Actor {
    pub(crate) name: &'static str,
    /// The router before this person's machine. Until the person seeks a direct path, it lets nothing direct pass.
    pub(crate) nat: NatKind,
    /// How fast this machine's clock runs, in millionths; no two clocks agree.
    pub(crate) drift_ppm: i32,
}

const fn actor(name: &'static str, nat: NatKind, drift_ppm: i32) -> Actor {
    Actor { name, nat, drift_ppm }
}

pub(crate) const CAST: [Actor; 7] = [
    actor("Scout", NatKind::Cone, 12),
    actor("Medic", NatKind::Cone, -18),
    actor("Pilot", NatKind::Cone, 5),
    actor("Ranger", NatKind::Cone, -7),
    actor("Engineer", NatKind::Symmetric, 22),
    actor("Builder", NatKind::Symmetric, -25),
    actor("Captain", NatKind::Cone, 0),
];

/// A room of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Room {
    Camp,
    Forge,
}

impl Room {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Camp => "Camp",
            Self::Forge => "Forge",
        }
    }
}

/// Whom somebody speaks or writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    All(Room),
    Only(Who),
}

impl To {
    pub(crate) fn name(self) -> String {
        match self {
            Self::All(room) => format!("room {}", room.name()),
            Self::Only(who) => format!("{} alone", CAST[who].name),
        }
    }
}

/// Speech of some length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Say {
    pub(crate) who: Who,
    pub(crate) to: To,
    pub(crate) priority: Priority,
    pub(crate) ms: u64,
    /// Who should hear it, and nobody else.
    pub(crate) heard_by: &'static [Who],
}

/// What happens at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Connect(Who),
    Enter(Who, Room),
    Exit(Who, Room),
    Say(Say),
    Write {
        who: Who,
        to: To,
        text: &'static str,
        read_by: &'static [Who],
    },
    /// These two look for a direct path to each other from now on.
    SeekDirectPath(Who, Who),
    /// The network between these two drops everything that goes directly.
    CutDirectPath(Who, Who),
    LoseNetwork(Who),
    FindNetwork(Who),
    CrashServer,
    StartServer,
    Leave(Who),
    /// The story goes on when this holds, or when patience is at an end.
    Await(Await),
}

/// What the story waits for: how long it takes depends on the network.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Await {
    /// All are in the server's session, see each other, and are in their rooms.
    Everybody,
    /// These two have proven a direct path both ways.
    DirectPath(Who, Who),
    /// Nobody sees this person any more.
    Absence(Who),
}

impl Step {
    /// Whether this person looks for a direct path.
    pub(crate) fn seeks_direct_path(&self, who: Who) -> bool {
        matches!(*self, Self::SeekDirectPath(one, other) if one == who || other == who)
    }
}

/// What has to be true at the end of an act, besides that everybody heard exactly what was meant for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    AllJoined,
    AudienceOnly,
    /// The second alone is played while both speak.
    Outranked(Who, Who),
    TextsRead,
    /// They heard each other by a direct path, and after it was cut by the relay.
    DirectThenRelay(Who, Who),
    NeverDirect(Who, Who),
    SameSeat(Who),
    NewSession,
    Gone(Who),
}

/// A part of the story.
pub(crate) struct Act {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    /// How long it takes, without waiting.
    pub(crate) ms: u64,
    /// With times in ms since the act began, ascending.
    pub(crate) steps: &'static [(u64, Step)],
    pub(crate) proof: Proof,
}

const ALL_CAMP: To = To::All(Room::Camp);
const ALL_FORGE: To = To::All(Room::Forge);

const fn say(who: Who, to: To, ms: u64, heard_by: &'static [Who]) -> Step {
    Step::Say(Say { who, to, priority: Priority::None, ms, heard_by })
}

const fn shout(who: Who, to: To, ms: u64, heard_by: &'static [Who]) -> Step {
    Step::Say(Say { who, to, priority: Priority::High, ms, heard_by })
}

pub(crate) const STORY: [Act; 11] = [
    Act {
        title: "Arriving",
        about: "A dedicated server starts. Seven people join, and enter the room Camp.",
        ms: 2_000,
        steps: &[
            (0, Step::StartServer),
            (0, Step::Enter(SCOUT, Room::Camp)),
            (0, Step::Enter(MEDIC, Room::Camp)),
            (0, Step::Enter(PILOT, Room::Camp)),
            (0, Step::Enter(RANGER, Room::Camp)),
            (0, Step::Enter(ENGINEER, Room::Camp)),
            (0, Step::Enter(BUILDER, Room::Camp)),
            (0, Step::Enter(CAPTAIN, Room::Camp)),
            (100, Step::Connect(SCOUT)),
            (200, Step::Connect(MEDIC)),
            (300, Step::Connect(PILOT)),
            (400, Step::Connect(RANGER)),
            (500, Step::Connect(ENGINEER)),
            (600, Step::Connect(BUILDER)),
            (700, Step::Connect(CAPTAIN)),
            (800, Step::Await(Await::Everybody)),
        ],
        proof: Proof::AllJoined,
    },
    Act {
        title: "A room",
        about: "Scout, Medic and Pilot talk; Pilot cuts in on Medic. Everybody hears them, mixed.",
        ms: 13_000,
        steps: &[
            (0, say(SCOUT, ALL_CAMP, 5_300, &[MEDIC, PILOT, RANGER, ENGINEER, BUILDER, CAPTAIN])),
            (5_400, say(MEDIC, ALL_CAMP, 4_100, &[SCOUT, PILOT, RANGER, ENGINEER, BUILDER, CAPTAIN])),
            (7_200, say(PILOT, ALL_CAMP, 5_300, &[SCOUT, MEDIC, RANGER, ENGINEER, BUILDER, CAPTAIN])),
        ],
        proof: Proof::AudienceOnly,
    },
    Act {
        title: "Two rooms that overlap",
        about: "Engineer and Builder move to the Forge; Captain is in both rooms and hears both talks at once.",
        ms: 6_500,
        steps: &[
            (0, Step::Exit(ENGINEER, Room::Camp)),
            (0, Step::Exit(BUILDER, Room::Camp)),
            (0, Step::Enter(ENGINEER, Room::Forge)),
            (0, Step::Enter(BUILDER, Room::Forge)),
            (0, Step::Enter(CAPTAIN, Room::Forge)),
            (100, Step::Await(Await::Everybody)),
            (1_000, say(RANGER, ALL_CAMP, 4_600, &[SCOUT, MEDIC, PILOT, CAPTAIN])),
            (1_200, say(BUILDER, ALL_FORGE, 4_800, &[ENGINEER, CAPTAIN])),
        ],
        proof: Proof::AudienceOnly,
    },
    Act {
        title: "A whisper",
        about: "Ranger whispers to Medic. Scout and Pilot sit in the same room and get nothing of it.",
        ms: 5_500,
        steps: &[(300, say(RANGER, To::Only(MEDIC), 4_600, &[MEDIC]))],
        proof: Proof::AudienceOnly,
    },
    Act {
        title: "Priority",
        about: "Pilot talks, Captain breaks in with high priority: while both speak, only Captain is heard.",
        ms: 8_000,
        steps: &[
            (200, say(PILOT, ALL_CAMP, 7_000, &[SCOUT, MEDIC, RANGER, CAPTAIN])),
            (2_200, shout(CAPTAIN, ALL_CAMP, 3_000, &[SCOUT, MEDIC, PILOT, RANGER])),
        ],
        proof: Proof::Outranked(PILOT, CAPTAIN),
    },
    Act {
        title: "Text",
        about: "Captain writes to everybody in Camp, Medic to Scout alone.",
        ms: 3_000,
        steps: &[
            (
                200,
                Step::Write {
                    who: CAPTAIN,
                    to: ALL_CAMP,
                    text: "Supplies arrive at noon. Meet at the north gate.",
                    read_by: &[SCOUT, MEDIC, PILOT, RANGER],
                },
            ),
            (
                1_700,
                Step::Write {
                    who: MEDIC,
                    to: To::Only(SCOUT),
                    text: "Bring the blue crate, please – and don't tell Pilot.",
                    read_by: &[SCOUT],
                },
            ),
        ],
        proof: Proof::TextsRead,
    },
    Act {
        title: "A direct pair",
        about: "Scout and Medic find a direct path through their routers and use it; the others hear them by the relay. \
                Then the path is cut while Medic talks, and the relay takes over.",
        ms: 11_500,
        steps: &[
            (0, Step::SeekDirectPath(SCOUT, MEDIC)),
            (100, Step::Await(Await::DirectPath(SCOUT, MEDIC))),
            (1_000, say(SCOUT, ALL_CAMP, 4_000, &[MEDIC, PILOT, RANGER, CAPTAIN])),
            (5_100, Step::Await(Await::DirectPath(SCOUT, MEDIC))),
            (5_200, say(MEDIC, ALL_CAMP, 6_000, &[SCOUT, PILOT, RANGER, CAPTAIN])),
            (7_000, Step::CutDirectPath(SCOUT, MEDIC)),
        ],
        proof: Proof::DirectThenRelay(SCOUT, MEDIC),
    },
    Act {
        title: "No direct path",
        about: "Engineer and Builder try for a direct path too, but their routers let none through.",
        ms: 7_000,
        steps: &[
            (0, Step::SeekDirectPath(ENGINEER, BUILDER)),
            (1_800, say(ENGINEER, ALL_FORGE, 4_600, &[BUILDER, CAPTAIN])),
        ],
        proof: Proof::NeverDirect(ENGINEER, BUILDER),
    },
    Act {
        title: "A network drops and returns",
        about: "Ranger's network is gone for eleven seconds. The others talk on; Ranger gets the same seat back.",
        ms: 17_000,
        steps: &[
            (0, Step::LoseNetwork(RANGER)),
            (500, say(SCOUT, ALL_CAMP, 5_300, &[MEDIC, PILOT, CAPTAIN])),
            (6_000, say(MEDIC, ALL_CAMP, 4_100, &[SCOUT, PILOT, CAPTAIN])),
            (11_000, Step::FindNetwork(RANGER)),
            (11_100, Step::Await(Await::Everybody)),
            (12_000, say(RANGER, ALL_CAMP, 4_600, &[SCOUT, MEDIC, PILOT, CAPTAIN])),
        ],
        proof: Proof::SameSeat(RANGER),
    },
    Act {
        title: "The server restarts",
        about: "The server crashes and comes back as a new session. What Engineer says meanwhile reaches nobody; \
                then all have joined again, with their rooms.",
        ms: 9_400,
        steps: &[
            (500, Step::CrashServer),
            (700, say(ENGINEER, ALL_FORGE, 2_000, &[])),
            (3_000, Step::StartServer),
            (3_100, Step::Await(Await::Everybody)),
            (4_400, say(SCOUT, ALL_CAMP, 4_500, &[MEDIC, PILOT, RANGER, CAPTAIN])),
            (4_400, say(BUILDER, ALL_FORGE, 4_500, &[ENGINEER, CAPTAIN])),
        ],
        proof: Proof::NewSession,
    },
    Act {
        title: "Leaving",
        about: "Pilot says goodbye and leaves.",
        ms: 6_000,
        steps: &[
            (0, say(PILOT, ALL_CAMP, 3_000, &[SCOUT, MEDIC, RANGER, CAPTAIN])),
            (3_800, Step::Leave(PILOT)),
            (4_300, Step::Await(Await::Absence(PILOT))),
        ],
        proof: Proof::Gone(PILOT),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_in_order_and_within_their_act() {
        for act in &STORY {
            assert!(act.steps.is_sorted_by_key(|(at, _)| *at), "{}", act.title);
            assert!(act.steps.iter().all(|(at, _)| *at < act.ms), "{}", act.title);
        }
    }

    #[test]
    fn nobody_speaks_into_the_next_act_or_over_themselves() {
        for act in &STORY {
            let mut free_at = [0; CAST.len()];
            for (at, step) in act.steps {
                if let Step::Say(say) = step {
                    assert!(free_at[say.who] < *at || *at == 0, "{}: {}", act.title, CAST[say.who].name);
                    free_at[say.who] = at + say.ms;
                    assert!(free_at[say.who] < act.ms, "{}: {}", act.title, CAST[say.who].name);
                }
            }
        }
    }
}
