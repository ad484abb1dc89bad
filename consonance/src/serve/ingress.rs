//! Voice that waits for its turn. Mostly none does: it is there for a server that gets more than it can pass on. Then the highest priority goes first. Of one
//! priority, what is for the same listeners goes together, since what costs is the datagram, and such a group rests for a while after its turn, so that more of its
//! voice comes to share one; among groups that have rested the one goes first whose speaker began to wait first: so some are heard whole, and not all in pieces.
//! What is too much piles up with those who came last, and is shed there: of the lowest priority, the oldest of the longest queues; and nothing is passed on that
//! has waited too long to be of use.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use adapter_udp::LinkId;
use voice_core::{Priority, Target};

/// Packets that may wait.
const MOST: usize = 8_192;
/// Of a full queue so many are shed at once, so that shedding is cheap.
const SHED: usize = MOST / 16;
/// Voice that has waited for longer would come too late.
const TOO_OLD: Duration = Duration::from_millis(100);
/// A group whose turn was less than this ago comes after all others: two frames of 20 ms of each of its speakers.
const REST: Duration = Duration::from_millis(40);
/// Who has not had to wait for so long has no place among those who wait any more.
const FORGET: Duration = Duration::from_millis(500);
/// Low to high.
const PRIORITIES: usize = 4;

/// By which adapter it came, and by which link.
type From = (usize, LinkId);

/// Whom voice is for: the first channel stands for all.
pub(super) type Audience = Option<Target>;

struct Waiting {
    since: Instant,
    packet: Vec<u8>,
}

/// Those of one priority who wait, by their places; none of the queues is empty.
type Line = BTreeMap<(u64, From), VecDeque<Waiting>>;

/// Voice for the same listeners.
#[derive(Default)]
struct Group {
    lines: [Line; PRIORITIES],
    passed_on: Option<Instant>,
}

impl Group {
    fn is_empty(&self) -> bool {
        self.lines.iter().all(Line::is_empty)
    }

    fn has_rested(&self, now: Instant) -> bool {
        self.passed_on.is_none_or(|at| now.saturating_duration_since(at) >= REST)
    }
}

/// The voice of one priority in one group, which goes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) audience: Audience,
    rank: usize,
}

impl Turn {
    pub(super) const fn is_most_important(self) -> bool {
        self.rank == PRIORITIES - 1
    }
}

/// Voice that waits.
#[derive(Default)]
pub(super) struct Ingress {
    groups: BTreeMap<Audience, Group>,
    waiting: usize,
    /// Whose place is which, and when they last had to wait.
    places: BTreeMap<From, (u64, Instant)>,
    next_place: u64,
    /// With so many places it is looked whose can be forgotten.
    forget_at: usize,
    /// Buffers to use again.
    free: Vec<Vec<u8>>,
    shed: [u64; PRIORITIES],
}

impl Ingress {
    /// Packets that were shed so far.
    pub(super) fn shed(&self) -> u64 {
        self.shed.iter().sum()
    }

    /// The same by priority, from low to high.
    pub(super) fn shed_by_priority(&self) -> [(&'static str, u64); PRIORITIES] {
        let [low, default, medium, high] = self.shed;
        [("low", low), ("default", default), ("medium", medium), ("high", high)]
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Lets a packet wait.
    pub(super) fn push(&mut self, now: Instant, priority: Priority, audience: Audience, link: From, packet: &[u8]) {
        let mut buffer = self.free.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(packet);
        let place = self.place(now, link);
        let group = self.groups.entry(audience).or_default();
        let queue = group.lines[rank(priority)].entry((place, link)).or_default();
        queue.push_back(Waiting { since: now, packet: buffer });
        self.waiting += 1;
        if self.waiting > MOST {
            self.make_room();
        }
    }

    /// What waits, in the order in which it goes.
    pub(super) fn turns(&mut self, now: Instant) -> Vec<Turn> {
        self.groups.retain(|_, group| !group.is_empty() || !group.has_rested(now));
        let mut turns = Vec::new();
        for (audience, group) in &self.groups {
            for (rank, line) in group.lines.iter().enumerate() {
                if let Some(((place, _), _)) = line.first_key_value() {
                    turns.push((Reverse(rank), !group.has_rested(now), *place, *audience));
                }
            }
        }
        turns.sort_unstable();
        turns.into_iter().map(|(Reverse(rank), _, _, audience)| Turn { audience, rank }).collect()
    }

    /// The next packet of those whose turn it is, in the place of what is in `packet`.
    pub(super) fn pop(&mut self, now: Instant, turn: Turn, packet: &mut Vec<u8>) -> Option<From> {
        let group = self.groups.get_mut(&turn.audience)?;
        let line = &mut group.lines[turn.rank];
        while let Some(mut first) = line.first_entry() {
            let link = first.key().1;
            let waiting = first.get_mut().pop_front();
            if first.get().is_empty() {
                first.remove();
            }
            let Some(mut waiting) = waiting else { continue };
            self.waiting -= 1;
            std::mem::swap(packet, &mut waiting.packet);
            self.free.push(waiting.packet);
            if now.saturating_duration_since(waiting.since) <= TOO_OLD {
                group.passed_on = Some(now);
                return Some(link);
            }
            self.shed[turn.rank] += 1;
        }
        None
    }

    fn place(&mut self, now: Instant, link: From) -> u64 {
        let is_kept = |last: Instant| now.saturating_duration_since(last) <= FORGET;
        if let Some((place, last)) = self.places.get_mut(&link).filter(|(_, last)| is_kept(*last)) {
            *last = now;
            return *place;
        }
        self.next_place += 1;
        self.places.insert(link, (self.next_place, now));
        if self.places.len() > self.forget_at.max(MOST) {
            self.places.retain(|_, (_, last)| is_kept(*last));
            self.forget_at = 2 * self.places.len();
        }
        self.next_place
    }

    fn make_room(&mut self) {
        let mut wanted = SHED;
        for rank in 0..PRIORITIES {
            let shed = shed(self.groups.values_mut().map(|group| &mut group.lines[rank]), wanted, &mut self.free);
            self.shed[rank] += shed as u64;
            self.waiting -= shed;
            wanted -= shed;
            if wanted == 0 {
                return;
            }
        }
    }
}

/// Cuts the longest queues, from their old ends, until so many packets are gone or nothing is left.
fn shed<'a>(lines: impl Iterator<Item = &'a mut Line>, wanted: usize, free: &mut Vec<Vec<u8>>) -> usize {
    let mut lines: Vec<&mut Line> = lines.collect();
    let mut queues: Vec<_> =
        lines.iter_mut().flat_map(|line| line.iter_mut().map(|(key, queue)| (Reverse(key.0), queue))).collect();
    // From the last place on: they gave way before, too.
    queues.sort_unstable_by_key(|(place, _)| *place);
    let wanted = wanted.min(queues.iter().map(|(_, queue)| queue.len()).sum());
    let mut most = queues.iter().map(|(_, queue)| queue.len()).max().unwrap_or(0);
    let over = |most: usize| queues.iter().map(|(_, queue)| queue.len().saturating_sub(most)).sum::<usize>();
    while most > 0 && over(most) < wanted {
        most -= 1;
    }
    let mut left = wanted;
    for (_, queue) in queues {
        let goes = queue.len().saturating_sub(most).min(left);
        free.extend(queue.drain(..goes).map(|waiting| waiting.packet));
        left -= goes;
    }
    for line in lines {
        line.retain(|_, queue| !queue.is_empty());
    }
    wanted - left
}

const fn rank(priority: Priority) -> usize {
    match priority {
        Priority::Low => 0,
        Priority::None | Priority::Default => 1,
        Priority::Medium => 2,
        Priority::High => 3,
    }
}

#[cfg(test)]
mod tests {
    use voice_core::RoomId;

    use super::*;

    fn link(index: u32) -> From {
        (0, LinkId::from_parts(index, 0))
    }

    #[expect(clippy::disallowed_methods, reason = "any time will do")]
    fn now() -> Instant {
        Instant::now()
    }

    const HALL: Audience = Some(Target::Room(RoomId::new(1).unwrap()));
    const YARD: Audience = Some(Target::Room(RoomId::new(2).unwrap()));

    fn all(ingress: &mut Ingress, at: Instant) -> Vec<(u32, Vec<u8>)> {
        let (mut packet, mut out) = (Vec::new(), Vec::new());
        for turn in ingress.turns(at) {
            while let Some((_, link)) = ingress.pop(at, turn, &mut packet) {
                out.push((link.index() as u32, packet.clone()));
            }
        }
        out
    }

    #[test]
    fn what_is_for_the_same_listeners_goes_together_and_the_next_time_after_all_who_have_rested() {
        let (mut ingress, now) = (Ingress::default(), now());
        let frames = |ingress: &mut Ingress, at: Instant| {
            for (who, audience) in [(1, HALL), (2, YARD), (3, HALL), (4, YARD)] {
                ingress.push(at, Priority::Default, audience, link(who), &[0]);
            }
        };
        let order = |ingress: &mut Ingress, at: Instant| -> Vec<Audience> {
            ingress.turns(at).iter().map(|turn| turn.audience).collect()
        };
        frames(&mut ingress, now);
        assert_eq!(order(&mut ingress, now), [HALL, YARD], "who began to wait first");
        let (mut packet, hall) = (Vec::new(), ingress.turns(now)[0]);
        let popped = std::array::from_fn(|_| ingress.pop(now, hall, &mut packet).map(|(_, link)| link.index()));
        assert_eq!(popped, [Some(1), Some(3), None]);
        let soon = now + REST - Duration::from_millis(1);
        frames(&mut ingress, soon);
        assert_eq!(order(&mut ingress, soon), [YARD, HALL], "the hall rests");
        assert_eq!(order(&mut ingress, now + REST), [HALL, YARD], "it has rested");
        ingress.push(soon, Priority::High, YARD, link(4), &[0]);
        assert_eq!(order(&mut ingress, now + REST), [YARD, HALL, YARD], "what is important goes before");
        let order: Vec<u32> = all(&mut ingress, now + REST).into_iter().map(|(link, _)| link).collect();
        assert_eq!(order, [4, 1, 3, 2, 2, 4, 4]);
        assert!(ingress.is_empty() && ingress.turns(now + 3 * REST).is_empty() && ingress.groups.is_empty());
    }

    #[test]
    fn the_highest_priority_goes_first_and_among_equals_who_began_to_wait_first() {
        let (mut ingress, now) = (Ingress::default(), now());
        let priorities = [Priority::Low, Priority::High, Priority::None, Priority::Default, Priority::Medium];
        for number in 0..3 {
            for (at, priority) in (0..).zip(priorities) {
                ingress.push(now, priority, HALL, link(at), &[number]);
            }
        }
        let order: Vec<(u32, u8)> =
            all(&mut ingress, now).into_iter().map(|(link, packet)| (link, packet[0])).collect();
        let wanted = [
            (1, 0),
            (1, 1),
            (1, 2),
            (4, 0),
            (4, 1),
            (4, 2),
            (2, 0),
            (2, 1),
            (2, 2),
            (3, 0),
            (3, 1),
            (3, 2),
            (0, 0),
            (0, 1),
            (0, 2),
        ];
        assert_eq!(order, wanted);
        assert!(ingress.is_empty() && ingress.shed() == 0);
    }

    #[test]
    fn what_has_waited_too_long_is_shed() {
        let (mut ingress, now) = (Ingress::default(), now());
        ingress.push(now, Priority::Default, HALL, link(1), &[1]);
        ingress.push(now + TOO_OLD, Priority::Default, HALL, link(1), &[2]);
        let later = now + TOO_OLD + Duration::from_millis(1);
        assert_eq!(all(&mut ingress, later), [(1, vec![2])]);
        assert_eq!(ingress.shed(), 1);
    }

    #[test]
    fn when_it_is_full_the_lowest_priority_gives_way_and_of_it_the_longest_queue() {
        let (mut ingress, now) = (Ingress::default(), now());
        let mut give = |priority, who: u32, count: usize| {
            (0..count).for_each(|number| {
                ingress.push(
                    now,
                    priority,
                    if number % 2 == 0 { HALL } else { YARD },
                    link(who),
                    &[(number % 256) as u8],
                )
            });
        };
        give(Priority::High, 1, 1_000);
        give(Priority::Default, 2, MOST - 1_096);
        give(Priority::Default, 3, 96);
        // Full. One more, and so many go: all of them of the longest queue of the lower priority.
        give(Priority::Default, 4, 1);
        assert_eq!(ingress.shed(), SHED as u64);
        let left = all(&mut ingress, now);
        let count = |who| left.iter().filter(|(link, _)| *link == who).count();
        assert_eq!([1, 2, 3, 4].map(count), [1_000, MOST - 1_096 - SHED, 96, 1]);
        let mut kept: Vec<u8> = left.iter().filter(|(link, _)| *link == 2).map(|(_, bytes)| bytes[0]).collect();
        kept.sort_unstable();
        let mut newest: Vec<u8> = (SHED..MOST - 1_096).map(|number| (number % 256) as u8).collect();
        newest.sort_unstable();
        assert_eq!(kept, newest, "the old ones went");
    }

    #[test]
    fn however_much_comes_the_queue_stays_in_its_bound_and_the_high_priority_whole() {
        let (mut ingress, now) = (Ingress::default(), now());
        for number in 0..20_000_u32 {
            ingress.push(now, Priority::Low, HALL, link(number % 700), &[0]);
            if number % 100 == 0 {
                ingress.push(now, Priority::High, HALL, link(9_999), &[1]);
            }
        }
        let left = all(&mut ingress, now);
        assert!(left.len() <= MOST);
        assert_eq!(left.iter().filter(|(link, _)| *link == 9_999).count(), 200);
        assert_eq!(ingress.shed() as usize + left.len(), 20_200);
    }
}
