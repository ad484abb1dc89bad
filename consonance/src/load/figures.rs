//! What a load came to.

use std::fmt;

use serde_json::{Value, json};

/// Delays in classes of 10 µs up to a second.
pub(super) struct Delays {
    classes: Vec<u32>,
    count: u64,
    most_us: u64,
}

const CLASS_US: u64 = 10;
const CLASSES: usize = 100_000;

impl Default for Delays {
    fn default() -> Self {
        Self { classes: vec![0; CLASSES], count: 0, most_us: 0 }
    }
}

impl Delays {
    pub(super) fn note(&mut self, us: u64) {
        self.classes[usize::try_from(us / CLASS_US).unwrap_or(CLASSES).min(CLASSES - 1)] += 1;
        self.count += 1;
        self.most_us = self.most_us.max(us);
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// And these.
    pub(super) fn add(&mut self, others: &Self) {
        self.classes.iter_mut().zip(&others.classes).for_each(|(count, other)| *count += other);
        self.count += others.count;
        self.most_us = self.most_us.max(others.most_us);
    }

    /// The delay below which so many thousandths are, µs.
    fn at(&self, thousandths: u64) -> u64 {
        let wanted = self.count * thousandths / 1_000;
        let mut below = 0;
        let class = self.classes.iter().position(|count| {
            below += u64::from(*count);
            below > wanted
        });
        class.map_or(self.most_us, |class| class as u64 * CLASS_US)
    }

    fn json(&self) -> Value {
        json!({"p50": self.at(500), "p90": self.at(900), "p99": self.at(990), "max": self.most_us})
    }
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |us: u64| us as f64 / 1e3;
        let (p50, p90, p99) = (self.at(500), self.at(900), self.at(990));
        write!(f, "p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, max {:.2} ms", ms(p50), ms(p90), ms(p99), ms(self.most_us))
    }
}

/// Frames: one for each that is spoken and each that should hear it, or does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Frames {
    pub(super) all: u64,
    /// Those of high priority among them.
    pub(super) important: u64,
}

impl Frames {
    /// As many more.
    pub(super) const fn add(&mut self, others: Self) {
        self.all += others.all;
        self.important += others.important;
    }

    /// How many came since.
    pub(super) const fn since(self, before: Self) -> Self {
        Self { all: self.all - before.all, important: self.important - before.important }
    }
}

/// Frames that were heard in a part of the time.
#[derive(Default)]
pub(super) struct Heard {
    delays: Delays,
    /// When the part began, on the clients' clock, µs. What was spoken before belongs to earlier parts, whenever it comes.
    begin_us: u64,
    /// Of what was spoken in this part, and of what was spoken in the part before.
    of_this: Frames,
    of_last: Frames,
}

impl Heard {
    pub(super) fn since(begin_us: u64) -> Self {
        Self { begin_us, ..Self::default() }
    }

    pub(super) fn note(&mut self, spoken_us: u64, now_us: u64, is_important: bool) {
        self.delays.note(now_us.saturating_sub(spoken_us));
        let of = if spoken_us >= self.begin_us { &mut self.of_this } else { &mut self.of_last };
        of.add(Frames { all: 1, important: u64::from(is_important) });
    }

    pub(super) const fn of_this(&self) -> Frames {
        self.of_this
    }

    pub(super) const fn of_last(&self) -> Frames {
        self.of_last
    }

    pub(super) fn into_delays(self) -> Delays {
        self.delays
    }
}

/// Unreliable packets that came to a client, frames and others, and the datagrams that held them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Came {
    pub(super) packets: u64,
    pub(super) datagrams: u64,
}

impl Came {
    /// And that which came to another, or before.
    pub(super) const fn and(self, other: Self) -> Self {
        Self { packets: self.packets + other.packets, datagrams: self.datagrams + other.datagrams }
    }

    /// What came since.
    pub(super) const fn since(self, before: Self) -> Self {
        Self { packets: self.packets - before.packets, datagrams: self.datagrams - before.datagrams }
    }
}

/// The result, of all the time or a part of it.
pub(super) struct Figures {
    pub(super) clients: usize,
    pub(super) seconds: f64,
    /// What was spoken in it, and what of that came, then or later.
    pub(super) expected: Frames,
    pub(super) heard: Frames,
    /// Frames that came in it, and how long they took.
    pub(super) in_time: u64,
    pub(super) delays: Delays,
    /// What came to all clients.
    pub(super) came: Came,
    /// How long answers took, if one asks.
    pub(super) answers: Option<Delays>,
    /// Processor time of the server, ns.
    pub(super) busy: Option<u64>,
    /// Bytes of the server's memory per client.
    pub(super) memory: Option<u64>,
}

impl Figures {
    fn lost_percent(&self) -> f64 {
        missing(self.expected.all, self.heard.all)
    }

    /// The same of voice of high priority, if there was any.
    fn important_lost_percent(&self) -> Option<f64> {
        let expected = self.expected.important;
        (expected > 0).then(|| missing(expected, self.heard.important))
    }

    fn per_datagram(&self) -> f64 {
        self.came.packets as f64 / self.came.datagrams.max(1) as f64
    }

    fn us_per_frame(&self) -> Option<f64> {
        self.busy.map(|busy| busy as f64 / 1e3 / self.in_time.max(1) as f64)
    }

    /// A part of the time, in one line.
    pub(super) fn line(&self, from: f64) -> String {
        let important =
            self.important_lost_percent().map_or(String::new(), |lost| format!(", of high priority {lost:.2} %"));
        let answers = self
            .answers
            .as_ref()
            .map_or(String::new(), |answers| format!("; answers {:.1} ms at most", answers.most_us as f64 / 1e3));
        let rate = self.in_time as f64 / self.seconds;
        format!(
            "{from:6.1} s  {rate:.0} frames/s, lost {:.2} %{important}; {}{answers}",
            self.lost_percent(),
            self.delays
        )
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "clients": self.clients,
            "seconds": self.seconds,
            "delivered_per_second": self.in_time as f64 / self.seconds,
            "frames_per_datagram": self.per_datagram(),
            "lost_percent": self.lost_percent(),
            "important_lost_percent": self.important_lost_percent(),
            "latency_us": self.delays.json(),
            "answer_us": self.answers.as_ref().map(Delays::json),
            "server_us_per_frame": self.us_per_frame(),
            "server_busy_percent": self.busy.map(|busy| busy as f64 / 1e7 / self.seconds),
            "server_bytes_per_client": self.memory,
        })
    }
}

fn missing(expected: u64, came: u64) -> f64 {
    100.0 * expected.saturating_sub(came) as f64 / expected.max(1) as f64
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "delivered      {:.0} frames/s to {} clients", self.in_time as f64 / self.seconds, self.clients)?;
        writeln!(f, "packing        {:.2} frames per datagram", self.per_datagram())?;
        writeln!(f, "lost           {:.3} %", self.lost_percent())?;
        if let Some(lost) = self.important_lost_percent() {
            writeln!(f, "  high priority {lost:.3} %")?;
        }
        writeln!(f, "latency        {}", self.delays)?;
        if let Some(answers) = &self.answers {
            writeln!(f, "answers        {answers}")?;
        }
        if let (Some(us), Some(busy)) = (self.us_per_frame(), self.busy) {
            writeln!(
                f,
                "server         {us:.2} µs of a core per delivered frame; {:.1} % busy",
                busy as f64 / 1e7 / self.seconds
            )?;
        }
        if let Some(memory) = self.memory {
            writeln!(f, "server memory  {:.1} KiB per client", memory as f64 / 1_024.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_comes_after_the_end_of_a_part_counts_for_the_part_in_which_it_was_spoken() {
        let mut heard = Heard::since(1_000);
        for (spoken_us, is_important) in [(900, true), (999, false), (1_000, true)] {
            heard.note(spoken_us, 1_500, is_important);
        }
        assert_eq!(heard.of_last(), Frames { all: 2, important: 1 });
        assert_eq!(heard.of_this(), Frames { all: 1, important: 1 });
        assert_eq!(heard.into_delays().count(), 3, "all of them came in this part");
    }

    #[test]
    fn delays_are_told_by_their_share() {
        let mut delays = Delays::default();
        (1..=1_000).for_each(|ms| delays.note(ms * 1_000));
        assert!((500_000..=502_000).contains(&delays.at(500)), "{}", delays.at(500));
        assert!((990_000..=992_000).contains(&delays.at(990)), "{}", delays.at(990));
        assert_eq!((delays.count, delays.most_us), (1_000, 1_000_000));
    }
}
