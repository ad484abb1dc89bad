//! Access links with names. All numbers are for one direction of one person's link; a packet passes the sender's uplink and the
//! receiver's downlink. Public measurements give round trips, rates and tails; how they divide into delay, jitter and bursts is our
//! choice everywhere, and so is all that a preset doesn't name a source for.
//!
//! * FCC, "Measuring Broadband America": round trips of fixed lines to the provider's nearest test server in peak hours average 24 ms
//!   (fibre), 32 ms (cable), 49 ms (DSL); losing more than 1 % of packets is the worst of its three classes.
//! * Ofcom, "Measuring mobile broadband performance in the UK: 4G and 3G network performance" (tests of Q4 2014): 4G averages 53.1 ms
//!   round trip, 14.7 Mbit/s down, 13.6 Mbit/s up.
//! * Sui and others, "Characterizing and Improving WiFi Latency in Large-Scale Operational Networks" (MobiSys 2016): the Wi-Fi hop
//!   takes 3 ms in the middle, but 20 ms at the 90th and 250 ms at the 99th percentile. Pei and others, "WiFi can
//!   be the weakest link of round trip network latency in the wild" (INFOCOM 2016): more than half of a campus's packets take more
//!   than 20 ms for the hop, a tenth more than 100 ms.
//! * Hasslinger and Hohlfeld, "The Gilbert-Elliott Model for Packet Loss in Real Time Services on the Internet" (MMB 2008): the
//!   two-state model fits measured losses; its parameters here are ours.

use std::fmt;

/// How one direction of an access link treats packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkProfile {
    /// Delay that every packet has, µs.
    pub delay_us: u64,
    /// Most extra delay, µs; drawn as the smaller of two uniform numbers, so that little is likelier than much.
    pub jitter_us: u64,
    /// Independent loss, in a million.
    pub loss_ppm: u32,
    /// Chance per packet that a burst of loss begins (Gilbert-Elliott, good to bad), in a million.
    pub burst_begin_ppm: u32,
    /// Chance per packet that it ends (bad to good), in a million.
    pub burst_end_ppm: u32,
    /// Loss within a burst, in a million.
    pub burst_loss_ppm: u32,
    /// Packets that arrive twice, in a million.
    pub duplicate_ppm: u32,
    /// Packets that may be overtaken, in a million: they get up to three times the jitter, at least 5 ms, more.
    pub reorder_ppm: u32,
    /// Packets of which a bit is turned over, in a million.
    pub corrupt_ppm: u32,
    /// Bandwidth, bit/s; 0 is without limit.
    pub bits_per_second: u64,
    /// Most bytes that wait for the bandwidth; what comes then is lost.
    pub queue_bytes: u64,
}

impl LinkProfile {
    /// No delay, no faults.
    pub const PERFECT: Self = Self {
        delay_us: 0,
        jitter_us: 0,
        loss_ppm: 0,
        burst_begin_ppm: 0,
        burst_end_ppm: 1_000_000,
        burst_loss_ppm: 0,
        duplicate_ppm: 0,
        reorder_ppm: 0,
        corrupt_ppm: 0,
        bits_per_second: 0,
        queue_bytes: 0,
    };

    /// Long-run loss in a million: independent loss, and that of the bursts by the share of time in them.
    ///
    /// Loss by a full queue comes on top.
    pub const fn mean_loss_ppm(&self) -> u32 {
        let turns = self.burst_begin_ppm as u64 + self.burst_end_ppm as u64;
        let bad_ppm = match (self.burst_begin_ppm as u64 * 1_000_000).checked_div(turns) {
            Some(bad_ppm) => bad_ppm,
            None => 0,
        };
        let burst = bad_ppm * self.burst_loss_ppm as u64 / 1_000_000;
        (self.loss_ppm as u64 + burst - self.loss_ppm as u64 * burst / 1_000_000) as u32
    }
}

/// A named access link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// What it is called.
    pub name: &'static str,
    /// What it stands for, and where its numbers come from.
    pub about: &'static str,
    /// From the person to the network.
    pub up: LinkProfile,
    /// From the network to the person.
    pub down: LinkProfile,
}

const fn link(delay_ms: u64, jitter_ms: u64, loss_ppm: u32, kbit: u64, queue_bytes: u64) -> LinkProfile {
    LinkProfile {
        delay_us: delay_ms * 1_000,
        jitter_us: jitter_ms * 1_000,
        loss_ppm,
        bits_per_second: kbit * 1_000,
        queue_bytes,
        ..LinkProfile::PERFECT
    }
}

const fn bursts(link: LinkProfile, begin_ppm: u32, end_ppm: u32, loss_ppm: u32) -> LinkProfile {
    LinkProfile { burst_begin_ppm: begin_ppm, burst_end_ppm: end_ppm, burst_loss_ppm: loss_ppm, ..link }
}

const fn disorder(link: LinkProfile, duplicate_ppm: u32, reorder_ppm: u32, corrupt_ppm: u32) -> LinkProfile {
    LinkProfile { duplicate_ppm, reorder_ppm, corrupt_ppm, ..link }
}

impl Preset {
    /// All presets, the best first.
    pub const ALL: [Self; 6] = [Self::LAN, Self::HOME_WIFI, Self::BUSY_WIFI, Self::LTE, Self::SATELLITE, Self::LOSSY];

    /// A wired local network.
    pub const LAN: Self = Self {
        name: "lan",
        about: "gigabit Ethernet; below a millisecond, our choice",
        up: LinkProfile { delay_us: 200, jitter_us: 100, ..link(0, 0, 0, 1_000_000, 500_000) },
        down: LinkProfile { delay_us: 200, jitter_us: 100, ..link(0, 0, 0, 1_000_000, 500_000) },
    };

    /// A quiet home network with a cable or fibre line.
    pub const HOME_WIFI: Self = Self {
        name: "home-wifi",
        about: "fixed line of 100/20 Mbit/s behind quiet Wi-Fi; 20 ms there and back, a little under the FCC's average for fibre; jitter \
                and loss our choice",
        up: disorder(link(9, 6, 1_000, 20_000, 64_000), 100, 500, 0),
        down: disorder(link(8, 4, 1_000, 100_000, 128_000), 100, 500, 0),
    };

    /// The same with neighbours and a download going on.
    pub const BUSY_WIFI: Self = Self {
        name: "busy-wifi",
        about: "contended Wi-Fi: repeats show as tens of ms of jitter and short bursts of loss; milder than the tails of the campus \
                studies (MobiSys and INFOCOM 2016); all numbers our choice, mean loss 1.2 % up and 1.0 % down",
        up: disorder(bursts(link(12, 30, 3_000, 10_000, 64_000), 5_000, 200_000, 400_000), 500, 3_000, 50),
        down: disorder(bursts(link(10, 25, 2_000, 40_000, 128_000), 4_000, 200_000, 400_000), 500, 3_000, 50),
    };

    /// A phone on a mobile network.
    pub const LTE: Self = Self {
        name: "lte",
        about: "53 ms there and back, 13.6/14.7 Mbit/s: Ofcom's averages of 4G in 2014; scheduling jitter and hand-over bursts our choice",
        up: disorder(bursts(link(25, 18, 2_000, 13_600, 200_000), 800, 60_000, 600_000), 100, 1_000, 0),
        down: disorder(bursts(link(18, 12, 1_000, 14_700, 400_000), 800, 60_000, 600_000), 100, 1_000, 0),
    };

    /// A geostationary satellite.
    pub const SATELLITE: Self = Self {
        name: "satellite",
        about: "geostationary: up to 35,786 km and down again makes at least 240 ms of light's travel one way (ITU-T G.114 plans with 260 ms), \
                600 ms there and back is usual; rates, jitter and loss our choice",
        up: bursts(link(280, 15, 2_000, 3_000, 100_000), 500, 100_000, 500_000),
        down: bursts(link(280, 15, 2_000, 20_000, 400_000), 500, 100_000, 500_000),
    };

    /// Worse than anybody should have.
    pub const LOSSY: Self = Self {
        name: "lossy",
        about: "a stress case of our choice: about 8 % mean loss each way in bursts, 60 ms of jitter, disorder, duplicates, damage",
        up: disorder(bursts(link(30, 60, 30_000, 2_000, 32_000), 15_000, 150_000, 600_000), 10_000, 20_000, 500),
        down: disorder(bursts(link(30, 60, 30_000, 8_000, 64_000), 15_000, 150_000, 600_000), 10_000, 20_000, 500),
    };

    /// The preset of a name.
    pub fn from_name(name: &str) -> Option<&'static Self> {
        static ALL: [Preset; 6] = Preset::ALL;
        ALL.iter().find(|preset| preset.name == name)
    }

    /// Its numbers in one line.
    pub fn describe(&self) -> String {
        format!("{}: up {}; down {}", self.name, self.up, self.down)
    }
}

impl fmt::Display for LinkProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms + up to {} ms, ", Thousandths(self.delay_us), Thousandths(self.jitter_us))?;
        write!(f, "{} % loss", Thousandths(u64::from(self.mean_loss_ppm()) / 10))?;
        if self.burst_begin_ppm > 0 {
            write!(f, " partly in bursts")?;
        }
        match self.bits_per_second {
            0 => write!(f, ", no limit of bandwidth"),
            rate => write!(f, ", {} kbit/s", rate / 1_000),
        }
    }
}

/// A decimal number without the zeros at its end.
struct Thousandths(u64);

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1_000, self.0 % 1_000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}
