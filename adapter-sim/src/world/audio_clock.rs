//! The audio clocks of the people: what they say and hear at each tick.

use core::time::Duration;

use voice_core::Instant;

use super::{People, Person, PersonId, World};
use crate::{inbox::Waiting, wake::Wake};

/// Sound that is pulled at once is no shorter than this, so that a tick ends.
const SHORTEST_SOUND_US: u32 = 1_000;

impl World {
    pub(super) fn schedule_tick(&mut self, person: PersonId) {
        let who = &self.people[usize::from(person)];
        let at = self.net.true_time(who.endpoint, who.tick_at).max(self.net.now());
        self.schedule(at, Wake::Audio(person));
    }

    pub(super) fn on_tick<P: People + ?Sized>(&mut self, person: PersonId, people: &mut P) {
        let (now, local) = (self.net.now(), self.local(person));
        if self.tick_may_wait(person, people) {
            self.put_by(person, Waiting::Tick { now, local });
            self.people[usize::from(person)].ticked(local.as_us());
            return self.schedule_tick(person);
        }
        let voice_came = self.open_inbox(person, people);
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
        self.schedule_tick(person);
    }

    /// Whether nobody has to see this tick of a person now.
    fn tick_may_wait<P: People + ?Sized>(&self, person: PersonId, people: &P) -> bool {
        let who = &self.people[usize::from(person)];
        who.alive
            && !who.direct
            && !who.talking
            && self.inboxes[usize::from(person)].takes_tick()
            && people.may_wait(self.net.now(), person)
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
        let within = local.checked_sub(self.tick_at).is_some_and(|late| late < frame.saturating_sub(phase));
        // A division takes longer than all else here, and is needed only when the clock has changed its pace.
        self.tick_at = if within { self.tick_at + frame } else { (local / frame + 1) * frame + phase };
    }
}
