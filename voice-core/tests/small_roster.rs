//! A client with places for three people, in a session of four.

use consonance_fuzz::session::{Guest, new_server, settle};
use voice_core::{Instant, ServerConfig};

fn pass(ms: &mut u64, server: &mut consonance_fuzz::session::FuzzServer, guests: &mut [Guest], span: u64) {
    let until = *ms + span;
    while *ms < until {
        *ms += 50;
        let mut all: Vec<&mut Guest> = guests.iter_mut().collect();
        settle(Instant::from_ms(*ms), server, &mut all, |_, _, _| {});
    }
}

#[test]
fn whom_there_was_no_place_for_is_learnt_of_when_somebody_leaves() {
    let mut server = new_server(ServerConfig::DEFAULT);
    let names = ["one", "two", "three", "four"];
    let mut guests: Vec<Guest> = names.iter().zip(1..).map(|(name, seed)| Guest::new(name, seed)).collect();
    guests.iter_mut().for_each(|guest| guest.client.connect(Instant::ORIGIN));
    let mut ms = 0;
    pass(&mut ms, &mut server, &mut guests, 1_000);
    assert!(guests.iter().all(|guest| guest.client.roster().count() == 3), "three places, four people");
    guests[1].client.disconnect(Instant::from_ms(ms));
    pass(&mut ms, &mut server, &mut guests, 6_000);
    for guest in [0, 2, 3].map(|at| &guests[at]) {
        let mut known: Vec<_> = guest.client.roster().map(|person| person.name()).collect();
        known.sort_unstable();
        assert_eq!(known, ["four", "one", "three"]);
    }
}
