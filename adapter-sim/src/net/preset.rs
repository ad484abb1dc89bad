//! Access links with names. All numbers are for one direction of one person's link; a packet passes the sender's uplink and the
//! receiver's downlink. Where a number is a choice of ours it says so.

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
    pub const fn mean_loss_ppm(&self) -> u32 {
        let turns = self.burst_begin_ppm as u64 + self.burst_end_ppm as u64;
        let bad_ppm = if turns == 0 { 0 } else { self.burst_begin_ppm as u64 * 1_000_000 / turns };
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
        about: "fixed line of 100/20 Mbit/s behind Wi-Fi; 10 to 20 ms one way as in public fixed-broadband reports (FCC Measuring \
                Broadband America), jitter and loss our choice",
        up: disorder(link(9, 6, 1_000, 20_000, 64_000), 100, 500, 0),
        down: disorder(link(8, 4, 1_000, 100_000, 128_000), 100, 500, 0),
    };

    /// The same with neighbours and a download going on.
    pub const BUSY_WIFI: Self = Self {
        name: "busy-wifi",
        about: "contended Wi-Fi: retries show as jitter of tens of ms and short bursts of loss; all numbers our choice, mean loss 1.2 % \
                up and 1.0 % down",
        up: disorder(bursts(link(12, 30, 3_000, 10_000, 64_000), 5_000, 200_000, 400_000), 500, 3_000, 50),
        down: disorder(bursts(link(10, 25, 2_000, 40_000, 128_000), 4_000, 200_000, 400_000), 500, 3_000, 50),
    };

    /// A phone on a mobile network.
    pub const LTE: Self = Self {
        name: "lte",
        about: "about 50 ms there and back and 10/30 Mbit/s as in public mobile reports (Ofcom mobile performance research); scheduling jitter \
                and hand-over bursts our choice",
        up: disorder(bursts(link(28, 18, 2_000, 10_000, 200_000), 800, 60_000, 600_000), 100, 1_000, 0),
        down: disorder(bursts(link(22, 12, 1_000, 30_000, 400_000), 800, 60_000, 600_000), 100, 1_000, 0),
    };

    /// A geostationary satellite.
    pub const SATELLITE: Self = Self {
        name: "satellite",
        about: "geostationary: 35,786 km up and down make 240 ms of light's travel one way (ITU-T G.114 plans with 260 ms), split over both \
                directions of the link; rates and loss our choice",
        up: bursts(link(130, 15, 2_000, 3_000, 100_000), 500, 100_000, 500_000),
        down: bursts(link(130, 15, 2_000, 20_000, 400_000), 500, 100_000, 500_000),
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
        let side = |link: &LinkProfile| {
            format!(
                "{:.1} ms + up to {:.1} ms, {:.2} % loss, {} kbit/s",
                link.delay_us as f64 / 1e3,
                link.jitter_us as f64 / 1e3,
                f64::from(link.mean_loss_ppm()) / 1e4,
                link.bits_per_second / 1_000,
            )
        };
        format!("{}: up {}; down {}", self.name, side(&self.up), side(&self.down))
    }
}
