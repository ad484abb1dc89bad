extern crate std;

use super::*;
use std::vec::Vec as List;

const SESSION: SessionId = SessionId::new(9).unwrap();
const PATH: PathId = PathId(70);

fn id(number: u16) -> ClientId {
    ClientId::new(number).unwrap()
}

fn at(ms: u64) -> Instant {
    Instant::from_ms(ms)
}

fn secret(byte: u8) -> Secret {
    Secret::from_bytes([byte; 16])
}

/// One end: a client with its table of links.
struct End {
    me: Me,
    peers: List<PeerLink>,
    links: Links,
    rng: Rng,
    sequence: u16,
}

impl End {
    fn new(number: u16) -> Self {
        let me = Me { session: SESSION, id: id(number) };
        let peers = std::vec![PeerLink::EMPTY; 4];
        Self { me, peers, links: Links::EMPTY, rng: Rng::new(number.into()), sequence: 0 }
    }

    fn direct(&mut self) -> Direct<'_> {
        Direct { peers: &mut self.peers, links: &mut self.links }
    }

    fn greetings(&mut self, now: Instant) -> List<OutGreeting> {
        let mut direct = Direct { peers: &mut self.peers, links: &mut self.links };
        core::iter::from_fn(|| direct.poll_greeting(now, self.me, &mut self.rng)).collect()
    }

    fn take(&mut self, now: Instant, path: PathId, out: &OutGreeting) -> Result<(), DropReason> {
        let me = self.me;
        self.direct().handle_greeting(now, me, path, out.ack, &out.greeting)
    }

    fn changes(&mut self, now: Instant) -> List<(ClientId, bool)> {
        let mut direct = self.direct();
        core::iter::from_fn(|| direct.poll_change(now)).collect()
    }

    /// Speaks one frame to everybody in the table.
    fn speak(&mut self, now: Instant, listeners: usize, uplink: Option<u32>) -> Split {
        self.sequence = self.sequence.wrapping_add(1);
        let load =
            Load { sequence: self.sequence, packet_bytes: 72, frame_length: FrameLength::Ms20, uplink, listeners };
        self.direct().split(now, load, |_| 1)
    }

    fn overdue(&mut self, now: Instant) -> List<(u16, List<u16>)> {
        let mut direct = self.direct();
        core::iter::from_fn(|| direct.poll_overdue(now))
            .map(|(sequence, clients)| (sequence, clients.iter().map(|c| c.get()).collect()))
            .collect()
    }

    fn ack(&mut self, now: Instant, sequence: u16, received: u32) -> Result<(), DropReason> {
        let me = self.me;
        let ack = PathAck { session: SESSION, sender: id(2), receiver: id(1), sequence, received };
        self.direct().handle_ack(now, me, PATH, &ack)
    }
}

/// Both have the secret; the first knows a path to the second.
fn pair() -> (End, End) {
    let (mut one, mut two) = (End::new(1), End::new(2));
    one.direct().path_available(at(0), id(2), PATH).unwrap();
    one.direct().pair(at(0), id(2), secret(5)).unwrap();
    two.direct().pair(at(0), id(1), secret(5)).unwrap();
    (one, two)
}

/// Lets both greet each other at `ms`, without any time passing.
fn greet(one: &mut End, two: &mut End, ms: u64) {
    for _ in 0..4 {
        for out in one.greetings(at(ms)) {
            _ = two.take(at(ms), PATH, &out);
        }
        for out in two.greetings(at(ms)) {
            _ = one.take(at(ms), PATH, &out);
        }
    }
}

fn proven() -> (End, End) {
    let (mut one, mut two) = pair();
    greet(&mut one, &mut two, 10);
    assert_eq!(one.changes(at(10)), [(id(2), true)]);
    assert_eq!(two.changes(at(10)), [(id(1), true)]);
    (one, two)
}

#[test]
fn a_path_known_to_one_end_is_proven_for_both() {
    proven();
}

#[test]
fn the_server_is_asked_for_a_pair_once_and_again_on_a_new_connection() {
    let mut one = End::new(1);
    one.direct().path_available(at(0), id(2), PATH).unwrap();
    assert_eq!(one.direct().next_request(at(0)), Some(id(2)));
    one.direct().requested(at(0), id(2));
    assert_eq!(one.direct().next_request(at(0)), None);
    one.direct().ask_again(at(0));
    assert_eq!(one.direct().next_request(at(0)), Some(id(2)));
}

/// When the server is asked for a pair until `until_s`, by a client that does what is due.
fn requests(one: &mut End, until_s: u64) -> List<u64> {
    let mut times = List::new();
    let mut now = at(0);
    while now < at(until_s * 1_000) {
        one.greetings(now);
        if let Some(client) = one.direct().next_request(now) {
            one.direct().requested(now, client);
            times.push(now.as_us() / 1_000_000);
        }
        now = one.links.poll_timeout().unwrap().max(now);
    }
    times
}

#[test]
fn a_request_that_brings_no_pair_is_sent_again_ever_more_seldom() {
    let mut one = End::new(1);
    one.direct().path_available(at(0), id(2), PATH).unwrap();
    assert_eq!(requests(&mut one, 300), [0, 5, 15, 35, 75, 155, 235]);
}

#[test]
fn an_end_that_greets_in_vain_asks_for_the_pair_again_and_greets_by_the_new_secret() {
    let (mut one, mut two) = pair();
    two.direct().pair(at(0), id(1), secret(6)).unwrap();
    assert_eq!(requests(&mut one, 30), [9, 14, 24], "5 s after the last greeting in a row, 5 and 10 s after that");
    one.direct().pair(at(30_000), id(2), secret(6)).unwrap();
    assert_eq!(one.direct().next_request(at(300_000)), None);
    greet(&mut one, &mut two, 30_000);
    assert!(one.direct().is_up(at(30_000), id(2)) && two.direct().is_up(at(30_000), id(1)));
}

#[test]
fn a_greeting_with_another_secret_makes_an_end_ask_but_not_one_whose_path_is_proven() {
    let (mut one, mut two) = proven();
    two.direct().pair(at(20), id(1), secret(6)).unwrap();
    let out = two.greetings(at(20)).into_iter().find(|out| !out.ack).unwrap();
    assert_eq!(one.take(at(20), PATH, &out), Err(DropReason::WrongProof));
    assert_eq!(one.direct().next_request(at(9_000)), None, "anybody may have sent that");
    one.direct().path_lost(at(30), PATH);
    one.direct().path_available(at(30), id(2), PATH).unwrap();
    assert_eq!(one.take(at(1_000), PATH, &out), Err(DropReason::WrongProof));
    assert_eq!(one.direct().next_request(at(5_999)), None);
    assert_eq!(one.direct().next_request(at(6_000)), Some(id(2)));
}

#[test]
fn a_pair_that_is_gone_is_asked_for_now_and_then_while_there_is_a_path() {
    let (mut one, mut two) = proven();
    one.direct().pair_gone(at(2_000), id(2));
    assert_eq!(one.direct().next_request(at(6_999)), None);
    assert_eq!(one.direct().next_request(at(7_000)), Some(id(2)));
    one.direct().path_lost(at(8_000), PATH);
    assert_eq!(one.direct().next_request(at(8_000)), None);
    two.direct().pair_gone(at(2_000), id(1));
    two.direct().path_lost(at(2_001), PATH);
    assert_eq!(two.direct().next_request(at(90_000)), None);
}

#[test]
fn without_a_secret_nothing_is_greeted() {
    let mut one = End::new(1);
    one.direct().path_available(at(0), id(2), PATH).unwrap();
    assert!(one.greetings(at(5_000)).is_empty());
}

#[test]
fn greetings_come_every_200_ms_for_25_times_and_then_every_second() {
    let (mut one, _) = pair();
    let mut sent = List::new();
    while sent.len() < 28 {
        let due = one.links.poll_timeout().unwrap().max(at(0));
        assert_eq!(one.greetings(due).len(), 1);
        sent.push(due.as_us() / 1_000);
    }
    let expected: List<u64> = (0..25).map(|i| i * 200).chain([5_800, 6_800, 7_800]).collect();
    assert_eq!(sent, expected);
}

#[test]
fn a_nonce_is_repeated_until_it_is_answered_or_old() {
    let (mut one, _) = pair();
    let nonce_at = |one: &mut End, ms| one.greetings(at(ms))[0].greeting.nonce;
    let first = nonce_at(&mut one, 0);
    assert_eq!(first, nonce_at(&mut one, 200));
    assert_eq!(first, nonce_at(&mut one, 2_400));
    assert_ne!(first, nonce_at(&mut one, 2_600));
}

#[test]
fn a_greeting_with_a_wrong_proof_or_receiver_is_refused() {
    let (mut one, mut two) = pair();
    let out = one.greetings(at(0))[0];
    let mut forged = out;
    forged.greeting.proof ^= 1;
    assert_eq!(two.take(at(1), PATH, &forged), Err(DropReason::WrongProof));
    let mut turned = out;
    turned.ack = true;
    assert_eq!(two.take(at(1), PATH, &turned), Err(DropReason::WrongProof));
    let mut three = End::new(3);
    three.direct().pair(at(0), id(1), secret(5)).unwrap();
    assert_eq!(three.take(at(1), PATH, &out), Err(DropReason::WrongProof));
    assert_eq!(End::new(4).take(at(1), PATH, &out), Err(DropReason::UnknownClient));
}

#[test]
fn a_greeting_of_another_session_is_refused() {
    let (mut one, mut two) = pair();
    let out = one.greetings(at(0))[0];
    two.me.session = SessionId::new(10).unwrap();
    assert_eq!(two.take(at(1), PATH, &out), Err(DropReason::WrongSession));
}

#[test]
fn an_answer_to_an_old_greeting_or_on_another_path_proves_nothing() {
    let (mut one, mut two) = pair();
    let out = one.greetings(at(0))[0];
    two.take(at(1), PATH, &out).unwrap();
    let answer = two.greetings(at(1)).into_iter().find(|out| out.ack).unwrap();
    assert_eq!(one.take(at(2), PathId(71), &answer), Err(DropReason::StaleAnswer));
    one.greetings(at(2_600));
    assert_eq!(one.take(at(2_601), PATH, &answer), Err(DropReason::StaleAnswer));
    assert!(!one.direct().is_up(at(2_601), id(2)));
}

#[test]
fn a_path_whose_answer_comes_after_later_greetings_is_proven() {
    let (mut one, mut two) = pair();
    let out = one.greetings(at(0))[0];
    two.take(at(560), PATH, &out).unwrap();
    let answer = two.greetings(at(560)).into_iter().find(|out| out.ack).unwrap();
    for ms in [200, 400, 600, 800, 1_000] {
        one.greetings(at(ms));
    }
    assert_eq!(one.take(at(1_120), PATH, &answer), Ok(()));
    assert!(one.direct().is_up(at(1_120), id(2)));
}

#[test]
fn a_greeting_repeated_from_elsewhere_is_answered_there_and_moves_no_path() {
    let (mut one, mut two) = proven();
    let out = one.greetings(at(1_010)).into_iter().find(|out| !out.ack).unwrap();
    two.take(at(1_011), PathId(99), &out).unwrap();
    let answer = two.greetings(at(1_011)).into_iter().find(|out| out.ack).unwrap();
    assert_eq!(answer.path, PathId(99));
    assert_eq!(two.speak(at(1_012), 1, None).direct.as_slice(), [(PATH, 1)]);
}

#[test]
fn a_later_secret_replaces_an_earlier_one() {
    let (mut one, mut two) = proven();
    one.direct().pair(at(20), id(2), secret(6)).unwrap();
    assert_eq!(one.changes(at(20)), [(id(2), false)]);
    greet(&mut one, &mut two, 20);
    assert!(!one.direct().is_up(at(20), id(2)));
    two.direct().pair(at(30), id(1), secret(6)).unwrap();
    greet(&mut one, &mut two, 230);
    assert!(one.direct().is_up(at(230), id(2)));
}

#[test]
fn a_pair_that_is_gone_sends_and_takes_nothing() {
    let (mut one, _) = proven();
    one.direct().pair_gone(at(20), id(2));
    assert_eq!(one.changes(at(20)), [(id(2), false)]);
    assert!(one.speak(at(20), 1, None).direct.is_empty());
    assert_eq!(one.direct().handle_voice(at(20), PATH, id(2), 1), Err(DropReason::UnprovenPath));
}

#[test]
fn voice_is_taken_from_proven_paths_and_their_own_clients_alone() {
    let (mut one, _) = pair();
    assert_eq!(one.direct().handle_voice(at(1), PathId(1), id(2), 1), Err(DropReason::UnknownConnection));
    assert_eq!(one.direct().handle_voice(at(1), PATH, id(2), 1), Err(DropReason::UnprovenPath));
    let (mut one, _) = proven();
    assert_eq!(one.direct().handle_voice(at(11), PATH, id(3), 1), Err(DropReason::WrongSender));
    assert_eq!(one.direct().handle_voice(at(11), PATH, id(2), 1), Ok(()));
}

#[test]
fn a_sure_path_is_named_to_the_relay_and_makes_it_needless_when_nobody_else_listens() {
    let (mut one, _) = proven();
    let alone = one.speak(at(20), 1, None);
    assert_eq!((alone.listed.as_slice(), alone.relay), ([id(2)].as_slice(), false));
    let among_others = one.speak(at(40), 5, None);
    assert_eq!((among_others.listed.as_slice(), among_others.relay), ([id(2)].as_slice(), true));
}

#[test]
fn a_silent_path_is_doubted_after_1200_ms_and_given_up_after_2500() {
    let (mut one, _) = proven();
    let sure = one.speak(at(1_209), 1, None);
    assert_eq!((sure.listed.len(), sure.relay), (1, false));
    let doubted = one.speak(at(1_210), 1, None);
    assert_eq!((doubted.direct.len(), doubted.listed.len(), doubted.relay), (1, 0, true));
    let lapsed = one.speak(at(2_510), 1, None);
    assert_eq!((lapsed.direct.len(), lapsed.relay), (0, true));
    assert_eq!(one.changes(at(2_510)), [(id(2), false)]);
}

#[test]
fn a_refreshed_proof_keeps_a_path_up() {
    let (mut one, mut two) = proven();
    for second in 1..10 {
        greet(&mut one, &mut two, second * 1_000 + 10);
    }
    assert!(one.direct().is_up(at(11_000), id(2)));
    assert!(one.changes(at(11_000)).is_empty());
}

#[test]
fn a_lost_path_is_told_and_a_new_one_is_proven_anew() {
    let (mut one, mut two) = proven();
    one.direct().path_lost(at(20), PATH);
    assert_eq!(one.changes(at(20)), [(id(2), false)]);
    one.direct().path_available(at(30), id(2), PATH).unwrap();
    assert_eq!(one.direct().next_request(at(30)), None);
    greet(&mut one, &mut two, 30);
    assert_eq!(one.changes(at(30)), [(id(2), true)]);
}

#[test]
fn a_full_table_refuses_the_path_and_the_pair() {
    let mut one = End::new(1);
    for number in 2..6 {
        one.direct().path_available(at(0), id(number), PathId(number.into())).unwrap();
    }
    assert_eq!(one.direct().path_available(at(0), id(6), PathId(6)), Err(LinksFull));
    assert_eq!(one.direct().pair(at(0), id(6), secret(1)), Err(DropReason::TableFull));
    one.direct().forget(at(0), id(2));
    assert_eq!(one.direct().path_available(at(0), id(6), PathId(6)), Ok(()));
}

#[test]
fn who_has_no_path_any_more_makes_room_for_another_the_longest_unused_first() {
    let mut one = End::new(1);
    for number in 2..6 {
        one.direct().path_available(at(0), id(number), PathId(number.into())).unwrap();
        one.direct().pair(at(0), id(number), secret(5)).unwrap();
    }
    one.direct().path_lost(at(10), PathId(4));
    one.direct().path_lost(at(20), PathId(3));
    let clients = |one: &End| {
        let mut clients: List<_> = one.peers.iter().filter_map(|peer| peer.client).map(ClientId::get).collect();
        clients.sort_unstable();
        clients
    };
    assert_eq!(one.direct().path_available(at(30), id(6), PathId(6)), Ok(()));
    assert_eq!(clients(&one), [2, 3, 5, 6]);
    assert_eq!(one.direct().next_request(at(30)), Some(id(6)));
    // Pairs for whoever asks take no place for good.
    for number in 7..40 {
        assert_eq!(one.direct().pair(at(number.into()), id(number), secret(1)), Ok(()));
        assert_eq!(clients(&one), [2, 5, 6, number]);
    }
    assert_eq!(one.direct().path_available(at(50), id(3), PathId(3)), Ok(()));
    assert_eq!(clients(&one), [2, 3, 5, 6]);
    assert_eq!(one.direct().pair(at(60), id(7), secret(1)), Err(DropReason::TableFull));
}

/// An end with proven paths to 2, 3 and 4.
fn hub() -> End {
    let mut hub = End::new(1);
    for number in [4, 2, 3] {
        let mut other = End::new(number);
        hub.direct().path_available(at(0), id(number), PathId(number.into())).unwrap();
        hub.direct().pair(at(0), id(number), secret(5)).unwrap();
        other.direct().pair(at(0), id(1), secret(5)).unwrap();
        for out in hub.greetings(at(0)) {
            _ = other.take(at(0), PATH, &out);
        }
        for out in other.greetings(at(0)) {
            _ = hub.take(at(0), PathId(number.into()), &out);
        }
    }
    assert_eq!(hub.changes(at(0)).len(), 3);
    hub
}

#[test]
fn the_relay_list_is_ascending() {
    let split = hub().speak(at(20), 9, None);
    assert_eq!(split.listed.as_slice(), [id(2), id(3), id(4)]);
}

#[test]
fn the_uplink_bounds_how_many_copies_go_out() {
    // 72 bytes and 28 of headers in 20 ms: 40 kbit/s for each copy.
    let copies = |uplink, listeners| {
        let split = hub().speak(at(20), listeners, Some(uplink));
        (split.direct.len(), split.relay)
    };
    assert_eq!(copies(160_000, 9), (3, true));
    assert_eq!(copies(159_999, 9), (2, true));
    assert_eq!(copies(120_000, 3), (3, false));
    assert_eq!(copies(119_999, 3), (1, true));
    assert_eq!(copies(40_000, 9), (0, true));
    assert_eq!(copies(0, 9), (0, true));
}

#[test]
fn received_voice_is_acknowledged_with_what_came_before_it() {
    let (mut one, mut two) = proven();
    for sequence in [1, 2, 4, 6, 5, 6] {
        two.direct().handle_voice(at(20), PATH, id(1), sequence).unwrap();
    }
    let me = two.me;
    let (path, ack) = two.direct().poll_ack(at(20), me).unwrap();
    assert_eq!((path, ack.sequence, ack.received), (PATH, 6, 0b11011));
    assert_eq!(two.direct().poll_ack(at(20), me), None);
    for _ in 0..6 {
        one.speak(at(20), 1, None);
    }
    let me = one.me;
    one.direct().handle_ack(at(21), me, PATH, &ack).unwrap();
    assert_eq!(one.overdue(at(100)), [(3, std::vec![2])]);
}

#[test]
fn an_acknowledged_packet_is_never_relayed() {
    let (mut one, _) = proven();
    for frame in 0..50 {
        one.speak(at(20 + frame * 20), 1, None);
        let sequence = one.sequence;
        one.ack(at(25 + frame * 20), sequence, 0).unwrap();
        assert!(one.overdue(at(39 + frame * 20)).is_empty());
    }
    assert!(one.overdue(at(2_000)).is_empty());
}

#[test]
fn when_a_path_falls_silent_all_that_is_on_its_way_is_relayed_and_the_rest_goes_both_ways() {
    let (mut one, _) = proven();
    one.speak(at(20), 1, None);
    one.ack(at(20), 1, 0).unwrap();
    one.speak(at(40), 1, None);
    one.speak(at(59), 1, None);
    // A round trip of nothing, which counts as 1 µs, and a frame length.
    let due = Instant::from_us(60_001);
    assert_eq!(one.links.poll_timeout(), Some(due));
    assert!(one.overdue(at(60)).is_empty());
    assert_eq!(one.overdue(due), [(2, std::vec![2]), (3, std::vec![2])]);
    let doubted = one.speak(at(79), 1, None);
    assert_eq!((doubted.direct.len(), doubted.listed.len(), doubted.relay), (1, 0, true));
    assert!(one.overdue(at(500)).is_empty());
}

#[test]
fn a_doubted_path_is_trusted_again_when_a_later_packet_is_acknowledged() {
    let (mut one, _) = proven();
    one.speak(at(20), 1, None);
    assert_eq!(one.overdue(at(100)).len(), 1);
    one.speak(at(100), 1, None);
    one.ack(at(101), 1, 0).unwrap();
    assert!(one.speak(at(120), 1, None).relay);
    one.ack(at(121), 2, 0).unwrap();
    assert!(!one.speak(at(140), 1, None).relay);
}

#[test]
fn a_doubted_path_is_trusted_again_by_acknowledgements_that_come_after_40_more_frames() {
    let (mut one, _) = proven();
    one.speak(at(20), 1, None);
    assert_eq!(one.overdue(at(100)).len(), 1);
    for frame in 2..=42 {
        assert!(one.speak(at(100 + 20 * frame), 1, None).relay);
    }
    one.ack(at(950), 2, 1).unwrap();
    assert!(!one.speak(at(960), 1, None).relay);
    assert_eq!(one.ack(at(961), 44, 0), Err(DropReason::StaleAnswer));
}

#[test]
fn one_lost_packet_is_relayed_and_the_path_stays_trusted() {
    let (mut one, _) = proven();
    for frame in 1..=3 {
        one.speak(at(20 * frame), 1, None);
    }
    one.ack(at(61), 3, 0b10).unwrap();
    assert_eq!(one.overdue(at(150)), [(2, std::vec![2])]);
    assert!(!one.speak(at(150), 1, None).relay);
}

#[test]
fn a_packet_lost_on_several_paths_is_relayed_once_for_all() {
    let mut hub = hub();
    hub.speak(at(20), 9, None);
    assert_eq!(hub.overdue(at(300)), [(1, std::vec![2, 3, 4])]);
}

#[test]
fn what_was_on_its_way_on_a_lost_path_is_relayed_at_once() {
    let (mut one, _) = proven();
    one.speak(at(20), 1, None);
    one.direct().path_lost(at(21), PATH);
    assert_eq!(one.overdue(at(21)), [(1, std::vec![2])]);
}

#[test]
fn an_unsent_packet_is_the_callers_and_the_rest_on_that_path_is_relayed() {
    let (mut one, _) = proven();
    one.speak(at(20), 1, None);
    one.speak(at(40), 1, None);
    assert_eq!(one.direct().handle_unsent(at(40), PATH, 2), Some(id(2)));
    assert_eq!(one.overdue(at(40)), [(1, std::vec![2])]);
    assert!(one.speak(at(60), 1, None).relay);
}

#[test]
fn an_acknowledgement_from_elsewhere_or_of_nothing_is_refused() {
    let (mut one, _) = proven();
    let me = one.me;
    let ack = PathAck { session: SESSION, sender: id(2), receiver: id(1), sequence: 1, received: 0 };
    let mut take = |path, ack: PathAck| one.direct().handle_ack(at(20), me, path, &ack);
    assert_eq!(take(PathId(1), ack), Err(DropReason::UnknownConnection));
    assert_eq!(take(PATH, PathAck { sender: id(3), ..ack }), Err(DropReason::WrongSender));
    assert_eq!(take(PATH, PathAck { receiver: id(3), ..ack }), Err(DropReason::WrongSender));
    let session = SessionId::new(8).unwrap();
    assert_eq!(take(PATH, PathAck { session, ..ack }), Err(DropReason::WrongSession));
    assert_eq!(take(PATH, PathAck { sequence: 100, ..ack }), Err(DropReason::StaleAnswer));
}

#[test]
fn sequence_numbers_wrap() {
    let (mut one, _) = proven();
    one.sequence = u16::MAX - 2;
    for frame in 0..5 {
        one.speak(at(20 + frame), 1, None);
    }
    one.ack(at(30), 2, 0b1011).unwrap();
    assert_eq!(one.overdue(at(200)), [(u16::MAX, std::vec![2])]);
}
