//! The audio clocks of the people: what they say and hear at each tick.

use core::time::Duration;

use voice_core::Instant;

use super::{NEVER, People, Person, PersonId, World};
use crate::wake::Wake;

/// Ticks of who says nothing that wait at most: 480 ms of usual frames. More make no run faster.
const MOST_TICKS: u64 = 24;

/// Sound that is pulled at once is no shorter than this, so that a tick ends.
const SHORTEST_SOUND_US: u32 = 1_000;

impl World {
    /// Has a person woken for its next tick.
    pub(super) fn schedule_tick(&mut self, person: PersonId) {
        let who = &self.people[usize::from(person)];
        self.wake_for_tick(person, who.tick_at);
    }

    /// Has a person woken for the tick of this time of its own clock.
    fn wake_for_tick(&mut self, person: PersonId, tick_at: u64) {
        let who = &mut self.people[usize::from(person)];
        who.woken_at = self.net.true_time(who.endpoint, tick_at).max(self.net.now());
        let at = who.woken_at;
        self.schedule(at, Wake::Audio(person));
    }

    pub(super) fn on_tick<P: People + ?Sized>(&mut self, person: PersonId, people: &mut P) {
        let now = self.net.now();
        // It may have been woken before a tick for which it was to be.
        if self.people[usize::from(person)].woken_at != now {
            return;
        }
        let voice_came = self.open_inbox(person, now, people);
        let local = self.local(person);
        let who = &mut self.people[usize::from(person)];
        who.frame_us = self.clients[usize::from(person)].frame_length().span().subsec_micros();
        who.ticked(local.as_us());
        let tick = Duration::from_micros(who.frame_us.into());
        if who.alive {
            let client = &mut self.clients[usize::from(person)];
            let mut told = voice_came;
            match people.speak(now, person) {
                Some(payload) => {
                    told |= client.send_frame(local, &payload).is_ok();
                    who.talking = true;
                }
                None if who.talking => {
                    client.end_talkspurt(local);
                    (who.talking, told) = (false, true);
                }
                None => {}
            }
            if !people.listen(now, local, person, tick, client) {
                self.pull(now, person, local, tick, people);
            }
            if told {
                self.drive(person, local, people);
            }
        }
        self.doze_or_wait(person, people);
    }

    /// After a tick: has the person woken for the next, or, if nobody has to see some of those to come, for the first after them.
    fn doze_or_wait<P: People + ?Sized>(&mut self, person: PersonId, people: &mut P) {
        let now = self.net.now();
        let who = &self.people[usize::from(person)];
        let may = who.alive && !who.direct && !who.talking;
        let until = if may { people.quiet_until(now, person) } else { 0 };
        let frame = u64::from(who.frame_us);
        let is_quiet = |ticks: &u64| self.net.true_time(who.endpoint, who.tick_at + ticks * frame) < until;
        let ticks = if until == u64::MAX { MOST_TICKS } else { (0..MOST_TICKS).take_while(is_quiet).count() as u64 };
        let tick_at = who.tick_at + ticks * frame;
        self.people[usize::from(person)].dozes = ticks > 0;
        if ticks > 0 && self.inboxes[usize::from(person)].list() {
            self.waiting.push(person);
        }
        self.wake_for_tick(person, tick_at);
    }

    /// Makes up for the ticks of who dozes that were before this true time; when the next is.
    pub(super) fn catch_up<P: People + ?Sized>(&mut self, person: PersonId, before: u64, people: &mut P) -> u64 {
        loop {
            let who = &mut self.people[usize::from(person)];
            let at = if who.dozes { self.net.true_time(who.endpoint, who.tick_at) } else { NEVER };
            if at >= before {
                return at;
            }
            let local = self.net.local(who.endpoint, at);
            who.ticked(local);
            let tick = Duration::from_micros(who.frame_us.into());
            self.pull(at, person, Instant::from_us(local), tick, people);
        }
    }

    /// Pulls one tick of each speaker, which was at this true time and this time of the client's own clock.
    pub(super) fn pull<P: People + ?Sized>(
        &mut self,
        now: u64,
        person: PersonId,
        local: Instant,
        tick: Duration,
        people: &mut P,
    ) {
        let client = &mut self.clients[usize::from(person)];
        self.speakers.clear();
        self.speakers.extend(client.speakers());
        for &speaker in &self.speakers {
            let ear = &mut self.ears[usize::from(person)];
            let until = ear.until(speaker, local);
            while *until < local.after(tick) {
                let frame = client.next_frame(local, until.since(local), speaker);
                let heard = people.hear(now, person, speaker, &frame).max(SHORTEST_SOUND_US);
                *until = until.after(Duration::from_micros(heard.into()));
            }
        }
    }
}

impl Person {
    /// The audio clock has ticked, at this time of the person's own clock: when it does next.
    fn ticked(&mut self, local: u64) {
        let (frame, phase) = (u64::from(self.frame_us), u64::from(self.phase_us));
        let within = local.checked_sub(self.tick_at).is_some_and(|late| late < frame);
        // A division takes longer than all else here, and is needed only when the clock has changed its pace.
        self.tick_at = if within { self.tick_at + frame } else { (local / frame + 1) * frame + phase };
    }
}
