//! Listeners' reports, the speaker's summary, and frames that change their length.

use voice_core::{
    ClientEvent, ClientId, Delivery, DropReason, EncoderAdvice, FrameLength, ServerConfig, SessionId,
    wire::{FEATURE_DIRECT, Hearing, Kind, Packet, Report, ReportEntry, Summary},
};

use crate::harness::{End, Fate, Sent, Stage};

fn report(session: SessionId, entries: &[ReportEntry]) -> Vec<u8> {
    let mut out = [0; 1_200];
    let len = Report::write(&mut out, session, entries).unwrap();
    out[..len].to_vec()
}

fn says(stage: &mut Stage, listener: usize, speaker: ClientId, hearing: Hearing) {
    let (connection, session) = (stage.people[listener].connection.unwrap(), stage.server.session());
    stage.give(connection, Delivery::Unreliable, &report(session, &[ReportEntry { speaker, hearing }]));
}

fn voice_to(sent: &Sent, who: usize) -> bool {
    sent.to == End::Person(who) && sent.bytes[0] >= 0x80
}

fn loss(loss: u8) -> Hearing {
    Hearing { loss, ..Hearing::default() }
}

/// A stage whose own listeners' reports get lost: only those that a test gives count.
fn without_reports(people: usize) -> Stage {
    let mut stage = Stage::new(people);
    stage.network = Box::new(|sent| if sent.kind() == Kind::Report { Fate::Drop } else { Fate::Deliver });
    stage.people[0].says = true;
    stage.run(300);
    stage
}

/// What the speaker is told when each of these listeners says this, twice, so that a summary is due.
fn summary_of(stage: &mut Stage, hearings: &[(usize, Hearing)]) -> Summary {
    let speaker = stage.id(0);
    stage.run(5_000);
    for _ in 0..2 {
        hearings.iter().for_each(|(listener, hearing)| says(stage, *listener, speaker, *hearing));
        stage.run(1_000);
    }
    // The one that completed the first window has counted; the others complete the next.
    hearings.iter().for_each(|(listener, hearing)| says(stage, *listener, speaker, *hearing));
    stage.run(1_000);
    stage.client(0).summary().expect("the speaker was told")
}

#[test]
fn a_listener_who_loses_a_fifth_makes_the_speaker_expect_it() {
    let mut stage = Stage::new(2);
    let mut n = 0;
    stage.network = Box::new(move |sent| {
        n += u64::from(voice_to(sent, 1));
        if voice_to(sent, 1) && n % 5 == 0 { Fate::Drop } else { Fate::Deliver }
    });
    stage.people[0].says = true;
    stage.run(5_000);
    let summary = stage.client(0).summary().unwrap();
    assert_eq!((summary.listeners, summary.hearing.loss), (1, 51), "a fifth");
    assert!(summary.hearing.growth <= 3 && summary.hearing.delay >= 15);
    let advice = stage.client(0).encoder_advice();
    assert!(advice.fec && advice.expected_loss_percent == 20, "{advice:?}");
    assert_eq!((advice.bitrate, advice.frame_length), (24_000, FrameLength::Ms20), "loss alone is no congestion");
    assert!(stage.people[0].events.contains(&ClientEvent::AdviceChanged));
    assert_eq!(stage.server.drops().total(), 0);
    assert_eq!(stage.people[0].client.drops().total(), 0);
}

#[test]
fn reports_come_once_a_second_and_only_while_somebody_is_heard() {
    let mut stage = Stage::new(3);
    stage.people[0].says = true;
    stage.run(10_000);
    stage.people[0].says = false;
    stage.run(2_000);
    let reports = |stage: &Stage, who| stage.sent(|sent| sent.kind() == Kind::Report && sent.from == End::Person(who));
    let (one, other) = (reports(&stage, 1), reports(&stage, 2));
    assert!((9..=11).contains(&one) && (9..=11).contains(&other), "{one} and {other} in 10 s");
    assert_eq!(reports(&stage, 0), 0, "it heard nobody");
    let summaries = stage.sent(|sent| sent.kind() == Kind::Summary);
    assert!((7..=11).contains(&summaries), "{summaries} in 10 s");
    stage.run(20_000);
    assert_eq!(reports(&stage, 1), one);
}

#[test]
fn one_broken_listener_of_ten_changes_nothing_and_two_do() {
    let mut stage = without_reports(11);
    let mut hearings: Vec<(usize, Hearing)> = (1..=10).map(|listener| (listener, loss(1))).collect();
    hearings[3].1 = Hearing { loss: 200, late: 55, jitter_ms: 255, delay: 255, growth: 255 };
    let summary = summary_of(&mut stage, &hearings);
    assert_eq!(summary.hearing, Hearing { loss: 3, late: 0, jitter_ms: 1, delay: 10, growth: 3 });
    hearings[7].1 = hearings[3].1;
    let summary = summary_of(&mut stage, &hearings);
    assert_eq!((summary.hearing.loss, summary.hearing.growth), (255, 255));
}

#[test]
fn among_few_the_worst_counts() {
    let mut stage = without_reports(4);
    let summary = summary_of(&mut stage, &[(1, loss(0)), (2, loss(20)), (3, loss(0))]);
    assert_eq!(summary.hearing.loss, 26);
}

#[test]
fn who_reports_over_and_over_counts_once_and_the_rest_is_dropped() {
    let mut stage = without_reports(11);
    let speaker = stage.id(0);
    stage.run(5_000);
    for _ in 0..3 {
        for _ in 0..50 {
            says(&mut stage, 1, speaker, loss(255));
        }
        (2..=10).for_each(|listener| says(&mut stage, listener, speaker, loss(0)));
        stage.run(1_000);
    }
    assert_eq!(stage.client(0).summary().unwrap().hearing.loss, 0, "one liar of ten");
    let limited = stage.server.drops().get(DropReason::RateLimited);
    assert_eq!(limited, 150 - 4 - 2 - 2, "four at once, two a second");
}

#[test]
fn nobody_reports_of_whom_it_does_not_hear() {
    let mut stage = without_reports(3);
    let speaker = stage.id(0);
    says(&mut stage, 0, speaker, loss(255));
    assert_eq!(stage.server.drops().get(DropReason::NotPermitted), 1, "oneself");
    stage.act(1, |now, client| client.set_client_muted(now, speaker, true)).unwrap();
    stage.run(300);
    says(&mut stage, 1, speaker, loss(255));
    assert_eq!(stage.server.drops().get(DropReason::NotPermitted), 2, "whom it blocks");
    says(&mut stage, 2, ClientId::new(4_000).unwrap(), loss(255));
    assert_eq!(stage.server.drops().get(DropReason::UnknownClient), 1);
    let lobby = stage.people[2].lobby;
    stage.act(2, |now, client| client.leave_room(now, lobby)).unwrap();
    stage.run(300);
    for _ in 0..3 {
        says(&mut stage, 2, speaker, loss(255));
        stage.run(1_000);
    }
    assert_eq!(stage.server.drops().get(DropReason::NotPermitted), 5, "it has left the room");
    assert_eq!(stage.client(0).summary(), None);
}

#[test]
fn a_report_of_another_session_is_answered_and_one_of_a_stranger_is_not() {
    let mut stage = without_reports(2);
    let (ours, speaker) = (stage.server.session(), stage.id(0));
    let theirs = SessionId::new(ours.get() ^ 1).unwrap();
    let entry = ReportEntry { speaker, hearing: loss(0) };
    let connection = stage.people[1].connection.unwrap();
    stage.give(connection, Delivery::Unreliable, &report(theirs, &[entry]));
    stage.run(100);
    assert_eq!(stage.server.drops().get(DropReason::WrongSession), 1);
    assert_eq!(stage.sent(|sent| sent.kind() == Kind::WrongSession), 1);
    let now = stage.now();
    let stranger = stage.server.handle_connected(now).unwrap();
    stage.give(stranger, Delivery::Unreliable, &report(ours, &[entry]));
    stage.run(100);
    assert_eq!(stage.server.drops().get(DropReason::NotJoined), 1);
    assert_eq!(stage.sent(|sent| sent.to == End::Stranger(stranger)), 0);
}

#[test]
fn with_a_server_that_does_not_offer_reports_there_are_none() {
    let mut stage = Stage::empty(ServerConfig { features: FEATURE_DIRECT, ..ServerConfig::DEFAULT });
    (0..2).for_each(|_| _ = stage.add());
    stage.run(300);
    stage.people[0].says = true;
    stage.run(5_000);
    assert_eq!(stage.sent(|sent| matches!(sent.kind(), Kind::Report | Kind::Summary)), 0);
    let speaker = stage.id(0);
    says(&mut stage, 1, speaker, loss(0));
    assert_eq!(stage.server.drops().get(DropReason::UnknownKind), 1);
}

#[test]
fn a_delay_that_grows_is_seen_and_answered_with_less() {
    let mut stage = Stage::new(2);
    stage.people[0].says = true;
    stage.run(5_000);
    let full = stage.client(0).encoder_advice();
    stage.network = Box::new(|sent| if sent.to == End::Person(1) { Fate::DelayMs(260) } else { Fate::Deliver });
    stage.run(4_000);
    let summary = stage.client(0).summary().unwrap();
    assert!(summary.hearing.growth_ms() >= 192, "{summary:?}");
    let EncoderAdvice { bitrate, .. } = stage.client(0).encoder_advice();
    assert!(bitrate < full.bitrate, "{bitrate}");
}

#[test]
fn who_is_heard_directly_is_reported_the_same_way() {
    let mut stage = Stage::new(2);
    stage.join_directly(0, 1);
    stage.run(1_000);
    stage.people[0].says = true;
    stage.run(4_000);
    let summary = stage.client(0).summary().unwrap();
    assert_eq!((summary.listeners, summary.hearing.loss, summary.hearing.growth), (1, 0, 3));
}

#[test]
fn another_frame_length_begins_with_a_mark_and_listeners_follow() {
    let mut stage = Stage::new(2);
    stage.people[0].says = true;
    stage.run(1_000);
    assert_eq!(stage.people[1].client.speaker_frame_length(stage.id(0)), Some(FrameLength::Ms20));
    stage.act(0, |now, client| client.set_frame_length(now, FrameLength::Ms60));
    let before = stage.log.len();
    stage.run(1_000);
    assert_eq!(stage.people[0].client.frame_length(), FrameLength::Ms60);
    assert_eq!(stage.people[1].client.speaker_frame_length(stage.id(0)), Some(FrameLength::Ms60));
    let header = |sent: &Sent| match sent.packet() {
        Packet::Voice(voice) if sent.from == End::Person(0) => Some(voice.header),
        _ => None,
    };
    let headers: Vec<_> = stage.log[before..].iter().filter_map(header).collect();
    assert!(headers[0].mark && headers.iter().all(|header| header.frame_length == FrameLength::Ms60));
    assert!(headers[1..].iter().all(|header| !header.mark));
    stage.act(0, |now, client| client.set_frame_length(now, FrameLength::Ms60));
    let before = stage.log.len();
    stage.run(200);
    assert!(stage.log[before..].iter().filter_map(header).all(|header| !header.mark), "the same is no change");
}

#[test]
fn a_packet_from_before_the_change_does_not_change_the_length_back() {
    let mut stage = Stage::new(2);
    stage.people[0].says = true;
    stage.run(1_000);
    let mut seen = 0;
    stage.network = Box::new(move |sent| {
        seen += u32::from(voice_to(sent, 1));
        if seen == 1 && voice_to(sent, 1) { Fate::DelayMs(100) } else { Fate::Deliver }
    });
    stage.run(20);
    stage.act(0, |now, client| client.set_frame_length(now, FrameLength::Ms40));
    stage.run(500);
    assert_eq!(stage.people[1].client.speaker_frame_length(stage.id(0)), Some(FrameLength::Ms40));
}
