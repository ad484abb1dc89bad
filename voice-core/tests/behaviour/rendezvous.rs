use voice_core::{ClientId, DropReason, TextError};

use crate::harness::Stage;

fn send(stage: &mut Stage, from: usize, to: ClientId, bytes: &[u8]) -> Result<(), TextError> {
    stage.act(from, |now, client| client.send_rendezvous(now, to, bytes))
}

#[test]
fn a_message_comes_to_the_one_it_is_for_as_it_was_with_who_sent_it() {
    let mut stage = Stage::new(3);
    let (from, to) = (stage.id(0), stage.id(2));
    let longest: Vec<u8> = (0..1_000_u32).map(|n| n as u8).collect();
    send(&mut stage, 0, to, &[0xFF, 0, 0x80]).unwrap();
    send(&mut stage, 0, to, &longest).unwrap();
    stage.run(200);
    assert_eq!(stage.people[2].rendezvous, [(from, vec![0xFF, 0, 0x80]), (from, longest)]);
    assert!(stage.people[0].rendezvous.is_empty() && stage.people[1].rendezvous.is_empty());
    assert!(stage.people[2].texts.is_empty(), "it is for the adapter, not for people");
}

#[test]
fn an_empty_or_too_long_one_is_refused_where_it_is_written() {
    let mut stage = Stage::new(2);
    let to = stage.id(1);
    assert_eq!(send(&mut stage, 0, to, &[]), Err(TextError::BadLength));
    assert_eq!(send(&mut stage, 0, to, &[0; 1_001]), Err(TextError::BadLength));
}

#[test]
fn over_the_rate_they_are_dropped_and_counted() {
    let mut stage = Stage::new(2);
    let to = stage.id(1);
    for n in 0..50 {
        send(&mut stage, 0, to, &[n]).unwrap();
    }
    stage.run(100);
    // 20 at once, and one more each 100 ms.
    let came = stage.people[1].rendezvous.len();
    assert!((20..=21).contains(&came), "{came}");
    assert_eq!(stage.server.drops().get(DropReason::RateLimited), 50 - came as u64);
    assert!(
        stage.people[1].rendezvous.iter().zip(0..).all(|((_, bytes), n)| *bytes == [n]),
        "the first ones, in order"
    );
}

#[test]
fn who_mutes_somebody_gets_no_messages_of_its_adapter() {
    let mut stage = Stage::new(2);
    let (from, to) = (stage.id(0), stage.id(1));
    stage.act(1, |now, client| client.set_client_muted(now, from, true)).unwrap();
    stage.run(100);
    send(&mut stage, 0, to, &[1]).unwrap();
    stage.run(100);
    assert!(stage.people[1].rendezvous.is_empty());
}

#[test]
fn who_wants_no_direct_paths_gets_none_and_has_all_the_room_for_texts() {
    let mut stage = Stage::new(2);
    let plain = stage.add_with(|config| config.direct = false);
    stage.run(300);
    let to = stage.id(plain);
    for n in 0..5 {
        send(&mut stage, 0, to, &[n; 1_000]).unwrap();
    }
    stage.run(500);
    assert!(stage.people[plain].rendezvous.is_empty());
    assert_eq!(stage.server.drops().get(DropReason::NotPermitted), 5, "the server doesn't pass them on");
}
