//! A client with places for three people, in a session of four.

use consonance_fuzz::session::{FuzzServer, Guest, new_server, settle};
use voice_core::{ChannelError, ChannelOptions, Instant, ServerConfig, TalkTo};

fn pass(ms: &mut u64, server: &mut FuzzServer, guests: &mut [Guest], span: u64) {
    let until = *ms + span;
    while *ms < until {
        *ms += 50;
        let mut all: Vec<&mut Guest> = guests.iter_mut().collect();
        settle(Instant::from_ms(*ms), server, &mut all, |_, _, _| {});
    }
}

fn four_with_three_places() -> (FuzzServer, Vec<Guest>, u64) {
    let mut server = new_server(ServerConfig::DEFAULT);
    let names = ["one", "two", "three", "four"];
    let mut guests: Vec<Guest> = names.iter().zip(1..).map(|(name, seed)| Guest::new(name, seed)).collect();
    guests.iter_mut().for_each(|guest| guest.client.connect(Instant::ORIGIN));
    let mut ms = 0;
    pass(&mut ms, &mut server, &mut guests, 1_000);
    (server, guests, ms)
}

#[test]
fn whom_there_was_no_place_for_is_learnt_of_when_somebody_leaves() {
    let (mut server, mut guests, mut ms) = four_with_three_places();
    assert!(guests.iter().all(|guest| guest.client.roster().count() == 3), "three places, four people");
    guests[1].client.disconnect(Instant::from_ms(ms));
    pass(&mut ms, &mut server, &mut guests, 6_000);
    for guest in [0, 2, 3].map(|at| &guests[at]) {
        let mut known: Vec<_> = guest.client.roster().map(|person| person.name()).collect();
        known.sort_unstable();
        assert_eq!(known, ["four", "one", "three"]);
    }
}

#[test]
fn who_has_no_place_for_its_own_record_learns_that_the_server_has_muted_it() {
    let (mut server, mut guests, mut ms) = four_with_three_places();
    for guest in 0..4 {
        let id = guests[guest].client.id().unwrap();
        server.set_server_mute(Instant::from_ms(ms), id, true).unwrap();
        pass(&mut ms, &mut server, &mut guests, 1_000);
        assert!(guests[guest].client.is_server_muted(), "{guest}");
    }
}

#[test]
fn a_whisper_to_somebody_for_whom_there_was_no_place_ends_when_they_leave() {
    let (mut server, mut guests, mut ms) = four_with_three_places();
    let ids: Vec<_> = guests.iter().map(|guest| guest.client.id().unwrap()).collect();
    let stranger = *ids.iter().find(|id| guests[0].client.person(**id).is_none()).expect("there are three places");
    let who = ids.iter().position(|id| *id == stranger).unwrap();
    let now = Instant::from_ms(ms);
    let whisper = guests[0].client.open_channel(now, TalkTo::Client(stranger), ChannelOptions::DEFAULT).unwrap();
    guests[who].client.disconnect(now);
    pass(&mut ms, &mut server, &mut guests, 2_000);
    assert_eq!(guests[0].client.close_channel(Instant::from_ms(ms), whisper), Err(ChannelError::NoSuchChannel));
}
