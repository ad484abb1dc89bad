//! Whether the story held: for each act, that everybody heard what was meant for them and nobody else did, and the act's own point.

use super::{
    record::{Record, Way, name_of},
    script::{CAST, Proof, STORY, Who},
};

/// The share of an utterance's frames that a listener must get, in percent: loss and lateness take some on a bad network.
const ENOUGH_PERCENT: usize = 33;
/// How much of one voice may be heard beside one that outranks it, in percent: the ends of talkspurts arrive at different times.
const BESIDE_PERCENT: usize = 15;
/// How long after an act's cut of a direct path the relay must have taken over, µs; PROTOCOL.md section 8, PATH_PROVEN.
const FALL_BACK_US: u64 = 2_500_000;

/// How the note of a cut path begins.
pub(crate) const CUT_NOTE: &str = "direct path cut";
/// The notes of what others saw when a connection was lost and came back.
pub(crate) const SEEN_RECONNECTING: &str = "seen as reconnecting by the others";
pub(crate) const SEEN_BACK: &str = "seen back in its seat by the others";

/// The verdict on one act.
pub(crate) struct Verdict {
    pub(crate) act: usize,
    /// What was checked, and in how many cases.
    pub(crate) claim: String,
    /// What didn't hold; empty if all is well.
    pub(crate) failures: Vec<String>,
}

impl Verdict {
    pub(crate) fn holds(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Judges every act.
pub(crate) fn judge(record: &Record) -> Vec<Verdict> {
    (0..STORY.len()).map(|act| judge_act(record, act)).collect()
}

fn judge_act(record: &Record, act: usize) -> Verdict {
    let mut failures = audience(record, act);
    let claim = match STORY[act].proof {
        Proof::AllJoined => all_joined(record, act, &mut failures),
        Proof::AudienceOnly => "heard by exactly those it was meant for".into(),
        Proof::Outranked(low, high) => outranked(record, act, [low, high], &mut failures),
        Proof::TextsRead => texts(record, act, &mut failures),
        Proof::DirectThenRelay(one, other) => direct_then_relay(record, act, [one, other], &mut failures),
        Proof::NeverDirect(one, other) => never_direct(record, act, [one, other], &mut failures),
        Proof::SameSeat(who) => same_seat(record, act, who, &mut failures),
        Proof::NewSession => new_session(record, act, &mut failures),
        Proof::Gone(who) => gone(record, act, who, &mut failures),
    };
    Verdict { act, claim, failures }
}

fn audience(record: &Record, act: usize) -> Vec<String> {
    let utterances = record.utterances.iter().enumerate().filter(|(_, utterance)| utterance.act == act);
    utterances.flat_map(|(number, _)| (0..CAST.len()).filter_map(move |who| misheard(record, number, who))).collect()
}

/// What is wrong with how this listener heard this utterance.
fn misheard(record: &Record, number: usize, listener: Who) -> Option<String> {
    let utterance = &record.utterances[number];
    let [said, arrived, played] = counts(record, number, listener);
    let (speaker, name) = (CAST[utterance.who].name, CAST[listener].name);
    if !utterance.meant_for.contains(&listener) {
        return (arrived + played > 0)
            .then(|| format!("{name} got {arrived} frames of {speaker} that were for others"));
    }
    let enough = said > 0 && played * 100 >= said * ENOUGH_PERCENT;
    (!enough).then(|| format!("{name} heard {played} of {said} frames of {speaker}"))
}

fn counts(record: &Record, utterance: usize, listener: Who) -> [usize; 3] {
    record.utterance_fates(listener, utterance).fold([0; 3], |[said, arrived, played], (_, fate)| {
        [said + 1, arrived + usize::from(fate.arrived.is_some()), played + usize::from(fate.played.is_some())]
    })
}

fn all_joined(record: &Record, act: usize, failures: &mut Vec<String>) -> String {
    let names = sorted_names(|_| true);
    rosters_agree(record, act, &names, failures);
    format!("{} people in one session, all with the same roster", CAST.len())
}

fn rosters_agree(record: &Record, act: usize, names: &[String], failures: &mut Vec<String>) {
    for (who, seat) in record.seats[act].iter().enumerate() {
        if !names.iter().any(|name| name == CAST[who].name) {
            continue;
        }
        if !seat.connected {
            failures.push(format!("{} isn't connected", CAST[who].name));
        } else if seat.roster != names {
            failures.push(format!("{}'s roster is {}", CAST[who].name, seat.roster.join(", ")));
        }
    }
}

fn sorted_names(is_there: impl Fn(Who) -> bool) -> Vec<String> {
    let mut names: Vec<_> = (0..CAST.len()).filter(|who| is_there(*who)).map(|who| CAST[who].name.to_owned()).collect();
    names.sort();
    names
}

fn outranked(record: &Record, act: usize, [low, high]: [Who; 2], failures: &mut Vec<String>) -> String {
    let find = |who| {
        record.utterances.iter().position(|u| u.act == act && u.who == who).expect("the act has an utterance of both")
    };
    let (low_number, high_number) = (find(low), find(high));
    let both = |listener| record.utterances[high_number].meant_for.contains(&listener) && listener != low;
    for listener in (0..CAST.len()).filter(|who| both(*who)) {
        let reign = reign(record, listener, high_number);
        let count = |inside: bool, audible: bool| {
            let of_low = record.utterance_fates(listener, low_number);
            let played = of_low.filter_map(|(_, fate)| Some((fate.played?, fate.audible)));
            played.filter(|(at, loud)| reign.contains(at) == inside && *loud == audible).count()
        };
        let (beside, silent, aloud) = (count(true, true), count(true, false), count(false, true));
        if beside * 100 > (beside + silent) * BESIDE_PERCENT || silent == 0 || aloud == 0 {
            failures.push(format!(
                "{}: {beside} frames of {} beside {}, {silent} silenced, {aloud} alone",
                CAST[listener].name, CAST[low].name, CAST[high].name
            ));
        }
    }
    format!("{} silent while {} speaks, heard again after", CAST[low].name, CAST[high].name)
}

/// From the first to the last frame of an utterance that a listener played.
fn reign(record: &Record, listener: Who, utterance: usize) -> std::ops::RangeInclusive<u64> {
    let played = || record.utterance_fates(listener, utterance).filter_map(|(_, fate)| fate.played);
    played().min().unwrap_or(u64::MAX)..=played().max().unwrap_or(0)
}

fn texts(record: &Record, act: usize, failures: &mut Vec<String>) -> String {
    for text in record.texts.iter().filter(|text| text.act == act) {
        let mut read: Vec<_> = text.read.iter().map(|(who, _)| *who).collect();
        read.sort_unstable();
        if read != text.meant_for {
            let names: Vec<_> = read.iter().map(|who| CAST[*who].name).collect();
            failures.push(format!(
                "{}'s text to {} was read by [{}]",
                CAST[text.who].name,
                text.to.name(),
                names.join(", ")
            ));
        }
    }
    "each text read once, by exactly those it was written to".into()
}

fn direct_then_relay(record: &Record, act: usize, pair: [Who; 2], failures: &mut Vec<String>) -> String {
    let [one, other] = pair;
    let cut_at = record.notes.iter().find(|note| note.what.starts_with(CUT_NOTE)).map_or(u64::MAX, |note| note.at);
    for (listener, speaker) in [(one, other), (other, one)] {
        if arrivals(record, act, listener, speaker, Way::Direct).count() == 0 {
            failures.push(format!("{} heard nothing of {} directly", CAST[listener].name, CAST[speaker].name));
        }
    }
    let back = arrivals(record, act, one, other, Way::Relay).find(|at| *at > cut_at).map(|at| at - cut_at);
    let bystanders = (0..CAST.len()).filter(|who| !pair.contains(who));
    if bystanders
        .flat_map(|who| (0..CAST.len()).map(move |from| (who, from)))
        .any(|(who, from)| arrivals(record, act, who, from, Way::Direct).count() > 0)
    {
        failures.push("somebody else heard by a direct path".into());
    }
    match back {
        Some(us) if us <= FALL_BACK_US => {
            format!("heard directly both ways; {} ms after the cut by the relay", us / 1_000)
        }
        _ => {
            failures.push(format!("{} didn't hear {} by the relay in time", CAST[one].name, CAST[other].name));
            "heard directly both ways, then by the relay".into()
        }
    }
}

/// When frames of an act arrived by a way.
fn arrivals(record: &Record, act: usize, listener: Who, speaker: Who, way: Way) -> impl Iterator<Item = u64> + '_ {
    let of_act =
        record.fates(listener, speaker).filter(move |(spoken, _)| record.utterances[spoken.utterance].act == act);
    of_act.filter_map(|(_, fate)| fate.arrived).filter(move |(_, by)| *by == way).map(|(at, _)| at)
}

fn never_direct(record: &Record, act: usize, [one, other]: [Who; 2], failures: &mut Vec<String>) -> String {
    for (listener, speaker) in [(one, other), (other, one)] {
        let direct =
            record.fates(listener, speaker).filter(|(_, fate)| matches!(fate.arrived, Some((_, Way::Direct)))).count();
        if direct > 0 {
            failures.push(format!("{direct} frames of {} came directly", CAST[speaker].name));
        }
    }
    let stopped = record.kept_out_by_nat[act] - record.kept_out_by_nat[act - 1];
    if stopped == 0 {
        failures.push("no direct packet was even tried".into());
    }
    format!("all by the relay; the routers stopped {stopped} direct packets")
}

fn same_seat(record: &Record, act: usize, who: Who, failures: &mut Vec<String>) -> String {
    let (before, after) = (&record.seats[act - 1][who], &record.seats[act][who]);
    let name = CAST[who].name;
    if !after.connected || (after.id, after.session) != (before.id, before.session) {
        failures.push(format!(
            "{name} was client {:?} of session {:?}, is {:?} of {:?}",
            before.id, before.session, after.id, after.session
        ));
    }
    for what in [SEEN_RECONNECTING, SEEN_BACK] {
        if !record.notes.iter().any(|note| note.who == Some(who) && note.what == what) {
            failures.push(format!("{name} was never {what}"));
        }
    }
    format!("{name} is client {} of the same session again", after.id.unwrap_or(0))
}

fn new_session(record: &Record, act: usize, failures: &mut Vec<String>) -> String {
    let (before, after) = (&record.seats[act - 1], &record.seats[act]);
    for (who, (before, after)) in before.iter().zip(after).enumerate() {
        if !after.connected || before.session == after.session {
            failures.push(format!("{} isn't in a new session", CAST[who].name));
        }
    }
    rosters_agree(record, act, &sorted_names(|_| true), failures);
    "all in one new session, rooms included, without being told".into()
}

fn gone(record: &Record, act: usize, who: Who, failures: &mut Vec<String>) -> String {
    rosters_agree(record, act, &sorted_names(|other| other != who), failures);
    let seats = &record.seats[act];
    if seats[who].connected || seats.iter().any(|seat| seat.awaited.iter().any(|name| name == CAST[who].name)) {
        failures.push(format!("{} is still there", CAST[who].name));
    }
    format!("{} is in nobody's roster any more", name_of(Some(who)))
}
