//! What a load came to.

use std::fmt;

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

/// The result.
pub(super) struct Figures {
    pub(super) clients: usize,
    pub(super) seconds: f64,
    /// Frames that should have come, those that came in time, and with those that came after.
    pub(super) expected: u64,
    pub(super) heard: u64,
    pub(super) heard_in_all: u64,
    /// What came to all clients.
    pub(super) came: Came,
    pub(super) delays: Delays,
    /// Processor time of the server, ns.
    pub(super) busy: Option<u64>,
    /// Bytes of the server's memory per client.
    pub(super) memory: Option<u64>,
}

impl Figures {
    fn lost_percent(&self) -> f64 {
        100.0 * self.expected.saturating_sub(self.heard_in_all) as f64 / self.expected.max(1) as f64
    }

    fn per_datagram(&self) -> f64 {
        self.came.packets as f64 / self.came.datagrams.max(1) as f64
    }

    fn us_per_frame(&self) -> Option<f64> {
        self.busy.map(|busy| busy as f64 / 1e3 / self.heard.max(1) as f64)
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "clients": self.clients,
            "seconds": self.seconds,
            "delivered_per_second": self.heard as f64 / self.seconds,
            "frames_per_datagram": self.per_datagram(),
            "lost_percent": self.lost_percent(),
            "latency_us": {"p50": self.delays.at(500), "p90": self.delays.at(900), "p99": self.delays.at(990), "max": self.delays.most_us},
            "server_us_per_frame": self.us_per_frame(),
            "server_busy_percent": self.busy.map(|busy| busy as f64 / 1e7 / self.seconds),
            "server_bytes_per_client": self.memory,
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |us: u64| us as f64 / 1e3;
        writeln!(f, "delivered      {:.0} frames/s to {} clients", self.heard as f64 / self.seconds, self.clients)?;
        writeln!(f, "packing        {:.2} frames per datagram", self.per_datagram())?;
        writeln!(f, "lost           {:.3} %", self.lost_percent())?;
        let (p50, p90, p99) = (self.delays.at(500), self.delays.at(900), self.delays.at(990));
        writeln!(
            f,
            "latency        p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
            ms(p50),
            ms(p90),
            ms(p99),
            ms(self.delays.most_us)
        )?;
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
    fn delays_are_told_by_their_share() {
        let mut delays = Delays::default();
        (1..=1_000).for_each(|ms| delays.note(ms * 1_000));
        assert!((500_000..=502_000).contains(&delays.at(500)), "{}", delays.at(500));
        assert!((990_000..=992_000).contains(&delays.at(990)), "{}", delays.at(990));
        assert_eq!((delays.count(), delays.most_us), (1_000, 1_000_000));
    }
}
