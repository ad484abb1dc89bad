//! Voice that waits for its turn. Mostly none does: it is there for a server that gets more than it can pass on. Then the highest priority goes first, and
//! among equals who began to wait first: so some are heard whole, and not all in pieces. What is too much piles up with those who came last, and is
//! shed there: of the lowest priority, the oldest of the longest queues; and nothing is passed on that has waited too long to be of use.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use adapter_udp::LinkId;
use voice_core::Priority;

/// Packets that may wait.
const MOST: usize = 4_096;
/// Of a full queue so many are shed at once, so that shedding is cheap.
const SHED: usize = MOST / 8;
/// Voice that has waited for longer would come too late.
const TOO_OLD: Duration = Duration::from_millis(100);
/// Who has not had to wait for so long has no place among those who wait any more.
const FORGET: Duration = Duration::from_millis(500);
/// Low to high.
const PRIORITIES: usize = 4;

/// By which adapter it came, and by which link.
type From = (usize, LinkId);

struct Waiting {
    since: Instant,
    packet: Vec<u8>,
}

/// Those of one priority who wait, by their places.
type Line = BTreeMap<(u64, From), VecDeque<Waiting>>;

/// Voice that waits.
#[derive(Default)]
pub(super) struct Ingress {
    lines: [Line; PRIORITIES],
    waiting: usize,
    /// Whose place is which, and when they last had to wait.
    places: BTreeMap<From, (u64, Instant)>,
    next_place: u64,
    /// With so many places it is looked whose can be forgotten.
    forget_at: usize,
    /// Buffers to use again.
    free: Vec<Vec<u8>>,
    shed: u64,
}

impl Ingress {
    /// Packets that were shed so far.
    pub(super) const fn shed(&self) -> u64 {
        self.shed
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Lets a packet wait.
    pub(super) fn push(&mut self, now: Instant, priority: Priority, link: From, packet: &[u8]) {
        let mut buffer = self.free.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(packet);
        let place = self.place(now, link);
        let queue = self.lines[rank(priority)].entry((place, link)).or_default();
        queue.push_back(Waiting { since: now, packet: buffer });
        self.waiting += 1;
        if self.waiting > MOST {
            self.make_room();
        }
    }

    /// The packet whose turn it is, in the place of what is in `packet`.
    pub(super) fn pop(&mut self, now: Instant, packet: &mut Vec<u8>) -> Option<From> {
        for line in self.lines.iter_mut().rev() {
            while let Some(mut first) = line.first_entry() {
                let link = first.key().1;
                let Some(mut waiting) = first.get_mut().pop_front() else {
                    first.remove();
                    continue;
                };
                self.waiting -= 1;
                std::mem::swap(packet, &mut waiting.packet);
                self.free.push(waiting.packet);
                if now.saturating_duration_since(waiting.since) <= TOO_OLD {
                    return Some(link);
                }
                self.shed += 1;
            }
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
        for line in &mut self.lines {
            let shed = shed(line, wanted, &mut self.free);
            self.shed += shed as u64;
            self.waiting -= shed;
            wanted -= shed;
            if wanted == 0 {
                return;
            }
        }
    }
}

/// Cuts the longest queues, from their old ends, until so many packets are gone or nothing is left.
fn shed(line: &mut Line, wanted: usize, free: &mut Vec<Vec<u8>>) -> usize {
    let wanted = wanted.min(line.values().map(VecDeque::len).sum());
    let mut most = line.values().map(VecDeque::len).max().unwrap_or(0);
    let over = |most: usize| line.values().map(|queue| queue.len().saturating_sub(most)).sum::<usize>();
    while most > 0 && over(most) < wanted {
        most -= 1;
    }
    let mut left = wanted;
    // From the last place on: they gave way before, too.
    for queue in line.values_mut().rev() {
        let goes = queue.len().saturating_sub(most).min(left);
        free.extend(queue.drain(..goes).map(|waiting| waiting.packet));
        left -= goes;
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
    use super::*;

    fn link(index: u32) -> From {
        (0, LinkId::from_parts(index, 0))
    }

    #[expect(clippy::disallowed_methods, reason = "any time will do")]
    fn now() -> Instant {
        Instant::now()
    }

    fn all(ingress: &mut Ingress, at: Instant) -> Vec<(u32, Vec<u8>)> {
        let mut packet = Vec::new();
        std::iter::from_fn(|| ingress.pop(at, &mut packet).map(|(_, link)| (link.index() as u32, packet.clone())))
            .collect()
    }

    #[test]
    fn the_highest_priority_goes_first_and_among_equals_who_began_to_wait_first() {
        let (mut ingress, now) = (Ingress::default(), now());
        let priorities = [Priority::Low, Priority::High, Priority::None, Priority::Default, Priority::Medium];
        for number in 0..3 {
            for (at, priority) in (0..).zip(priorities) {
                ingress.push(now, priority, link(at), &[number]);
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
        ingress.push(now, Priority::Default, link(1), &[1]);
        ingress.push(now + TOO_OLD, Priority::Default, link(1), &[2]);
        let later = now + TOO_OLD + Duration::from_millis(1);
        assert_eq!(all(&mut ingress, later), [(1, vec![2])]);
        assert_eq!(ingress.shed(), 1);
    }

    #[test]
    fn when_it_is_full_the_lowest_priority_gives_way_and_of_it_the_longest_queue() {
        let (mut ingress, now) = (Ingress::default(), now());
        let mut give = |priority, who: u32, count: usize| {
            (0..count).for_each(|number| ingress.push(now, priority, link(who), &[(number % 256) as u8]));
        };
        give(Priority::High, 1, 1_000);
        give(Priority::Default, 2, 3_000);
        give(Priority::Default, 3, 96);
        // Full. One more, and 512 go: all of them of the longest queue of the lower priority.
        give(Priority::Default, 4, 1);
        assert_eq!(ingress.shed(), SHED as u64);
        let left = all(&mut ingress, now);
        let count = |who| left.iter().filter(|(link, _)| *link == who).count();
        assert_eq!([1, 2, 3, 4].map(count), [1_000, 3_000 - SHED, 96, 1]);
        let newest = left.iter().rfind(|(link, _)| *link == 2).unwrap();
        assert_eq!(newest.1, [(2_999 % 256) as u8], "the old ones went");
    }

    #[test]
    fn however_much_comes_the_queue_stays_in_its_bound_and_the_high_priority_whole() {
        let (mut ingress, now) = (Ingress::default(), now());
        for number in 0..20_000_u32 {
            ingress.push(now, Priority::Low, link(number % 700), &[0]);
            if number % 100 == 0 {
                ingress.push(now, Priority::High, link(9_999), &[1]);
            }
        }
        let left = all(&mut ingress, now);
        assert!(left.len() <= MOST);
        assert_eq!(left.iter().filter(|(link, _)| *link == 9_999).count(), 200);
        assert_eq!(ingress.shed() as usize + left.len(), 20_200);
    }
}
