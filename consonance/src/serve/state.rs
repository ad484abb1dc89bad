//! What the server says of itself at `/state`.

use std::{collections::BTreeMap, fs, net::SocketAddr};

use voice_core::{ClientInfo, ConnectionId};

use super::{adapter::Counts, session::Core};
use crate::server_state::{PersonState, RoomState, ServerState, Totals};

/// The way of a connection: the transport's name, and where the other end is.
type Way = (&'static str, Option<SocketAddr>);

/// The server now, which has run for `uptime_s`; without what only the session knows.
pub(super) fn of(core: &Core, counts: Counts, uptime_s: f64, way: impl Fn(ConnectionId) -> Option<Way>) -> ServerState {
    let counters = core.counters();
    let named = |drops: &mut dyn Iterator<Item = (&'static str, u64)>| -> BTreeMap<String, u64> {
        drops.map(|(reason, count)| (reason.to_owned(), count)).collect()
    };
    ServerState {
        consonance: env!("CARGO_PKG_VERSION").into(),
        name: None,
        uptime_s,
        client_limit: 0,
        links: counts.links as usize,
        cpu_s: cpu_s(),
        memory_bytes: own_memory(),
        totals: Totals {
            voice_packets_in: counters.voice_in.packets,
            voice_packets_out: counters.voice_out.packets,
            media_datagrams_in: counts.datagrams_in,
            media_datagrams_out: counts.datagrams_out,
        },
        voice_shed: 0,
        datagram_drops: named(&mut counts.drops.into_iter()),
        packet_drops: named(&mut core.drops().iter().map(|(reason, count)| (reason.name(), count))),
        rooms: core.rooms().map(|room| RoomState { id: room.id().get(), name: room.name().into() }).collect(),
        people: core.clients().map(|client| person(client, &way)).collect(),
    }
}

/// Time on a processor since the start, where the system tells.
pub(super) fn cpu_s() -> Option<f64> {
    cpu_time::ProcessTime::try_now().ok().map(|time| time.as_duration().as_secs_f64())
}

/// Voice that a client missed in the last second, as it says itself.
pub(super) fn loss_percent(client: &ClientInfo<'_>) -> f64 {
    f64::from(client.report().loss) * 100.0 / 255.0
}

fn person(client: ClientInfo<'_>, way: impl Fn(ConnectionId) -> Option<Way>) -> PersonState {
    let way = client.connection().and_then(way);
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
        loss_percent: loss_percent(&client),
        transport: way.map(|(name, _)| name.to_owned()),
        address: way.and_then(|(_, at)| at).map(|at| at.to_string()),
    }
}

/// Memory that is this process's own, where the kernel tells (Linux).
fn own_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1_024)
}
