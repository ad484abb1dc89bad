//! What the server says of itself at `/state`.

use std::{collections::BTreeMap, fs};

use voice_core::ClientInfo;

use super::{adapter::Counts, session::Core};
use crate::server_state::{PersonState, RoomState, ServerState, Totals};

/// The server now, which has run for `uptime_s`.
pub(super) fn of(core: &Core, counts: Counts, client_limit: usize, uptime_s: f64) -> ServerState {
    let counters = core.counters();
    let named = |drops: &mut dyn Iterator<Item = (&'static str, u64)>| -> BTreeMap<String, u64> {
        drops.map(|(reason, count)| (reason.to_owned(), count)).collect()
    };
    ServerState {
        consonance: env!("CARGO_PKG_VERSION").into(),
        uptime_s,
        client_limit,
        links: counts.links as usize,
        cpu_s: cpu_time::ProcessTime::try_now().ok().map(|time| time.as_duration().as_secs_f64()),
        memory_bytes: own_memory(),
        totals: Totals {
            voice_packets_in: counters.voice_in.packets,
            voice_packets_out: counters.voice_out.packets,
            media_datagrams_in: counts.datagrams_in,
            media_datagrams_out: counts.datagrams_out,
        },
        datagram_drops: named(&mut counts.drops.into_iter()),
        packet_drops: named(&mut core.drops().iter().map(|(reason, count)| (reason.name(), count))),
        rooms: core.rooms().map(|room| RoomState { id: room.id().get(), name: room.name().into() }).collect(),
        people: core.clients().map(person).collect(),
    }
}

fn person(client: ClientInfo<'_>) -> PersonState {
    let (flags, report) = (client.flags(), client.report());
    PersonState {
        id: client.id().get(),
        name: client.name().into(),
        rooms: client.rooms().map(|(room, _)| room.get()).collect(),
        speaking: client.is_speaking(),
        reconnecting: client.connection().is_none(),
        muted: flags.muted,
        deafened: flags.deafened,
        server_muted: flags.server_muted,
        rtt_ms: (report.rtt_ms > 0).then_some(report.rtt_ms),
        jitter_ms: report.jitter_ms,
        loss_percent: f64::from(report.loss) * 100.0 / 255.0,
    }
}

/// Memory that is this process's own, where the kernel tells (Linux).
fn own_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1_024)
}
