//! The story played by ideal people without network or core, so that checks, table and report can be tested on their own.

use super::{
    playout::{Playout, Sample},
    proof::{self, CUT_NOTE, SEEN_BACK, SEEN_RECONNECTING},
    record::{Filled, Gap, Mark, Network, Record, Seat, Text, Utterance, Way},
    script::{BUILDER, CAPTAIN, CAST, ENGINEER, MEDIC, PILOT, RANGER, SCOUT, STORY, Say, Step, Who},
};

const FRAME_US: u32 = 20_000;
const TRANSIT_US: u64 = 45_000;
const PLAYOUT_US: u64 = 105_000;
const FALL_BACK_US: u64 = 1_200_000;

/// Plays the whole story.
pub(crate) fn rehearse() -> Record {
    let network = Network {
        name: "rehearsal",
        about: "no network at all <&>".into(),
        numbers: vec![["delay".into(), "45 ms".into(), "0 ms".into()]],
        faults: vec![("kept_out_by_nat", 12)],
    };
    let mut record = Record::new(7, network, vec!["hum.wav".into(); CAST.len()]);
    for (act, scenes) in STORY.iter().enumerate() {
        for (ms, step) in scenes.steps {
            take(&mut record, act, act_start_us(act) + ms * 1_000, step);
        }
        let seats = (0..CAST.len()).map(|who| seat(act, who)).collect();
        record.acts.push([act_start_us(act), act_start_us(act + 1)]);
        record.seats.push(seats);
        record.kept_out_by_nat.push(10 * act as u64);
    }
    record.end = act_start_us(STORY.len());
    record
}

fn act_start_us(act: usize) -> u64 {
    STORY[..act].iter().map(|act| act.ms * 1_000).sum()
}

fn take(record: &mut Record, act: usize, now: u64, step: &Step) {
    match *step {
        Step::Say(say) => speak(record, act, now, &say),
        Step::Write { who, to, text, read_by } => {
            let read = read_by.iter().map(|reader| (*reader, now + TRANSIT_US)).collect();
            record.texts.push(Text { act, at: now, who, to, text, meant_for: read_by, read });
        }
        Step::CutDirectPath(..) => record.note(now, Some(SCOUT), Mark::Trouble, CUT_NOTE),
        Step::CrashServer => record.cut_off(now, None),
        Step::StartServer => record.reachable(now, None),
        Step::FindNetwork(who) => record.reachable(now, Some(who)),
        Step::LoseNetwork(who) => {
            record.cut_off(now, Some(who));
            record.note(now, Some(who), Mark::Trouble, SEEN_RECONNECTING);
            record.note(now, Some(who), Mark::Noticed, SEEN_BACK);
        }
        _ => {}
    }
}

fn speak(record: &mut Record, act: usize, from: u64, say: &Say) {
    let until = from + say.ms * 1_000;
    let utterance = record.utterances.len();
    record.utterances.push(Utterance { act, who: say.who, to: say.to, from, until, meant_for: say.heard_by });
    for (number, at) in (from..until).step_by(20_000).enumerate() {
        let payload = [say.who as u64, at].map(u64::to_be_bytes).concat();
        record.spoke(at, say.who, utterance, FRAME_US, &payload);
        record.sent(say.who, number_of(record, say.who), &payload);
        for listener in say.heard_by {
            deliver(record, *listener, say.who, at, &payload, number);
        }
    }
}

/// The sequence number of the frame that was spoken last.
fn number_of(record: &Record, who: Who) -> u16 {
    u16::try_from(record.spoken[who].len()).expect("a short story")
}

fn deliver(record: &mut Record, listener: Who, speaker: Who, at: u64, payload: &[u8], number: usize) {
    let way = way(listener, speaker, at);
    let (arrived, played) = (at + TRANSIT_US + number as u64 % 7 * 3_000, at + PLAYOUT_US);
    let audible = !(speaker == PILOT && record.utterances.last().is_some_and(|u| u.act == 4) && captain_reigns(at));
    match way {
        Some(way) if (number + listener) % 61 != 7 => {
            watch(&mut record.playouts[listener][speaker], played, number);
            record.arrived(arrived, [listener, speaker], way, number_of(record, speaker), payload);
            record.played(played, [listener, speaker], payload, audible);
        }
        _ => {
            record.gaps[listener].push(Gap { at: played, length_us: FRAME_US, speaker, audible, filled: Filled::Guess })
        }
    }
}

/// Notes of a playout that aims at 60 ms and is there from the tenth frame on; it is looked at every tenth.
fn watch(playout: &mut Playout, at: u64, number: usize) {
    playout.counts.received += 1;
    playout.counts.played += 1;
    if number.is_multiple_of(10) {
        playout.samples.push(Sample { at, delay_us: if number == 0 { 20_000 } else { 60_000 }, target_us: 60_000 });
    }
}

/// How a frame spoken then reaches the listener, if at all.
fn way(listener: Who, speaker: Who, at: u64) -> Option<Way> {
    let pair = [listener, speaker] == [SCOUT, MEDIC] || [listener, speaker] == [MEDIC, SCOUT];
    let (begin, cut) = (act_start_us(6) + 500_000, act_start_us(6) + 7_000_000);
    match at {
        at if !pair || at < begin || at >= cut + FALL_BACK_US => Some(Way::Relay),
        at if at < cut => Some(Way::Direct),
        _ => None,
    }
}

fn captain_reigns(at: u64) -> bool {
    let begin = act_start_us(4) + 2_200_000;
    (begin..begin + 3_000_000).contains(&at)
}

fn seat(act: usize, who: Who) -> Seat {
    let left = |who| act == STORY.len() - 1 && who == PILOT;
    if left(who) {
        return Seat::default();
    }
    let mut roster: Vec<_> = (0..CAST.len()).filter(|who| !left(*who)).map(|who| CAST[who].name.to_owned()).collect();
    roster.sort();
    Seat {
        connected: true,
        session: Some(if act < 9 { 1 } else { 2 }),
        id: u16::try_from(who + 1).ok(),
        roster,
        awaited: Vec::new(),
    }
}

fn failures(record: &Record) -> Vec<usize> {
    proof::judge(record).iter().filter(|verdict| !verdict.holds()).map(|verdict| verdict.act).collect()
}

fn find(record: &Record, act: usize, who: Who) -> usize {
    record.utterances.iter().position(|utterance| utterance.act == act && utterance.who == who).expect("an utterance")
}

#[test]
fn the_ideal_run_holds() {
    let verdicts = proof::judge(&rehearse());
    let failed: Vec<_> = verdicts.iter().flat_map(|verdict| &verdict.failures).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn a_whisper_that_reaches_another_machine_is_noticed() {
    let mut record = rehearse();
    let utterance = find(&record, 3, RANGER);
    let at = record.utterances[utterance].from;
    record.spoke(at, RANGER, utterance, FRAME_US, b"psst");
    let number = number_of(&record, RANGER);
    record.sent(RANGER, number, b"psst");
    record.arrived(at + 1, [SCOUT, RANGER], Way::Relay, number, b"psst");
    assert_eq!(failures(&record), [3]);
}

#[test]
fn a_listener_left_out_is_noticed() {
    let mut record = rehearse();
    let utterance = find(&record, 2, RANGER);
    record.utterances[utterance].meant_for = &[SCOUT, MEDIC, PILOT, CAPTAIN, ENGINEER];
    assert_eq!(failures(&record), [2]);
}

#[test]
fn a_voice_beside_one_that_outranks_it_is_noticed() {
    let mut record = rehearse();
    record.fates_mut(MEDIC, PILOT).iter_mut().for_each(|fate| fate.audible = true);
    assert_eq!(failures(&record), [4]);
}

#[test]
fn a_text_read_twice_or_by_another_is_noticed() {
    let mut record = rehearse();
    record.texts[0].read.push((SCOUT, 1));
    assert_eq!(failures(&record), [5]);
    let mut record = rehearse();
    record.texts[1].read.push((PILOT, 1));
    assert_eq!(failures(&record), [5]);
}

#[test]
fn a_cut_path_that_nothing_replaces_is_noticed() {
    let mut record = rehearse();
    record.notes.retain(|note| note.what != CUT_NOTE);
    assert_eq!(failures(&record), [6]);
}

#[test]
fn a_direct_path_through_routers_that_let_none_through_is_noticed() {
    let mut record = rehearse();
    let utterance = find(&record, 7, ENGINEER);
    let at = record.utterances[utterance].from;
    record.spoke(at, ENGINEER, utterance, FRAME_US, b"straight");
    let number = number_of(&record, ENGINEER);
    record.sent(ENGINEER, number, b"straight");
    record.arrived(at + 1, [BUILDER, ENGINEER], Way::Direct, number, b"straight");
    assert_eq!(failures(&record), [7]);
}

#[test]
fn another_seat_after_a_lost_network_is_noticed() {
    let mut record = rehearse();
    record.seats[8][RANGER].id = Some(99);
    assert_eq!(failures(&record), [8]);
}

#[test]
fn the_old_session_after_a_restart_is_noticed() {
    let mut record = rehearse();
    record.seats[9][SCOUT].session = Some(1);
    assert_eq!(failures(&record), [9]);
}

#[test]
fn one_who_left_but_is_still_in_a_roster_is_noticed() {
    let mut record = rehearse();
    let full = record.seats[0][SCOUT].roster.clone();
    record.seats[10][SCOUT].roster = full;
    assert_eq!(failures(&record), [10]);
    let mut record = rehearse();
    record.seats[10][SCOUT].awaited = vec!["Pilot".into()];
    assert_eq!(failures(&record), [10]);
}

#[test]
fn the_report_names_everybody_and_takes_nothing_from_elsewhere() {
    let record = rehearse();
    let (listeners, verdicts) = (super::figures::listeners(&record), proof::judge(&record));
    let html = super::report::html(&record, &listeners, &verdicts);
    assert!(CAST.iter().all(|actor| html.contains(actor.name)));
    assert!(STORY.iter().all(|act| html.contains(act.title)));
    assert!(!html.contains("<script") && !html.contains("@import") && !html.contains("url("));
    assert!(!html.replace("http://www.w3.org/2000/svg", "").contains("http"));
    assert!(html.contains("no network at all &lt;&amp;&gt;"));
    if let Some(file) = std::env::var_os("REHEARSAL_REPORT") {
        std::fs::write(file, html).expect("a file to write to");
    }
}

#[test]
fn the_report_draws_delay_target_and_gaps_of_each_listener() {
    let record = rehearse();
    let (listeners, verdicts) = (super::figures::listeners(&record), proof::judge(&record));
    let html = super::report::html(&record, &listeners, &verdicts);
    let drawing = html.split("Delay, target and gaps").nth(1).and_then(|rest| rest.split("</svg>").next());
    let drawing = drawing.expect("a drawing of the playouts");
    assert!(CAST.iter().all(|actor| drawing.contains(actor.name)));
    assert!(drawing.contains("Ranger: delay 20 to 60 ms, target 60 to 60 ms"));
    assert!(drawing.contains("about 20 ms of Ranger concealed"));
}

#[test]
fn the_summary_is_json_with_every_listener() {
    let record = rehearse();
    let (listeners, verdicts) = (super::figures::listeners(&record), proof::judge(&record));
    let summary: serde_json::Value =
        serde_json::from_str(&super::summary::json(&record, &listeners, &verdicts)).expect("JSON");
    assert_eq!(summary["held"], true);
    assert_eq!(summary["listeners"].as_array().map(Vec::len), Some(CAST.len()));
    let medic = &summary["listeners"][MEDIC];
    let ranger = &medic["speakers"]["Ranger"];
    assert_eq!(ranger["lost"], 12);
    assert_eq!(
        (&ranger["playout"]["played"], &medic["playout"]["played"]),
        (&ranger["played"], &medic["frames"]["played"])
    );
    assert_eq!(medic["concealed_ms"], 20 * record.gaps[MEDIC].len());
}

#[test]
fn the_table_has_a_line_for_each_listener() {
    let record = rehearse();
    let table = super::table::listeners(&record, &super::figures::listeners(&record));
    assert_eq!(table.lines().count(), 1 + CAST.len(), "{table}");
}
