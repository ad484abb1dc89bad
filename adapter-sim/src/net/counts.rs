/// How often each fault struck, in packets unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultCounts {
    /// Lost on their own.
    pub lost: u64,
    /// Lost in a burst.
    pub lost_in_burst: u64,
    /// Lost since too much waited for bandwidth.
    pub queue_full: u64,
    /// Arrived twice.
    pub duplicated: u64,
    /// Could be overtaken.
    pub reordered: u64,
    /// A bit turned over; dropped by the checksum or delivered, as set.
    pub corrupted: u64,
    /// Lost to a partition.
    pub partitioned: u64,
    /// Lost to a machine without network, or that is off.
    pub blacked_out: u64,
    /// Held by a clogged direction or path.
    pub clogged: u64,
    /// Lost since a clogged direction or path held too many.
    pub clog_full: u64,
    /// Direct packets that a NAT kept out.
    pub kept_out_by_nat: u64,
    /// Lost since the sender's or the receiver's address had changed.
    pub wrong_address: u64,
    /// Lane promises broken, in messages.
    pub lanes_broken: u64,
    /// Messages refused by a full lane.
    pub lane_full: u64,
    /// Machines turned off.
    pub crashes: u64,
    /// Addresses changed.
    pub address_changes: u64,
}

impl FaultCounts {
    /// Names and counts.
    pub fn named(&self) -> [(&'static str, u64); 16] {
        [
            ("lost", self.lost),
            ("lost_in_burst", self.lost_in_burst),
            ("queue_full", self.queue_full),
            ("duplicated", self.duplicated),
            ("reordered", self.reordered),
            ("corrupted", self.corrupted),
            ("partitioned", self.partitioned),
            ("blacked_out", self.blacked_out),
            ("clogged", self.clogged),
            ("clog_full", self.clog_full),
            ("kept_out_by_nat", self.kept_out_by_nat),
            ("wrong_address", self.wrong_address),
            ("lanes_broken", self.lanes_broken),
            ("lane_full", self.lane_full),
            ("crashes", self.crashes),
            ("address_changes", self.address_changes),
        ]
    }
}
