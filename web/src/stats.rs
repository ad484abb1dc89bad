//! What a page shows of the connection when it is asked.

use voice_core::{Client, ClientMemory, SpeakerStats};

use crate::json::Json;

/// Writes the fields of `Stats` in `consonance.d.ts` that the engine knows.
pub(crate) fn write<M: ClientMemory>(client: &Client<M>, underruns: u64, json: &mut Json) {
    json.clear();
    json.object(|json| {
        json.key("rttMs").optional(client.rtt().map(|rtt| low32(rtt.as_micros())), Json::thousandths);
        json.key("rttVariationMs").thousandths(low32(client.rtt_variation().as_micros()));
        let counters = client.counters();
        json.key("bytesIn").number(counters.reliable_in.bytes + counters.unreliable_in.bytes);
        json.key("bytesOut").number(counters.reliable_out.bytes + counters.unreliable_out.bytes);
        json.key("bitrate").number(client.encoder_advice().bitrate);
        json.key("frameMs").number(client.frame_length().ms());
        let hearing = client.summary().map(|summary| summary.hearing);
        let missing = hearing.map_or(0, |hearing| hearing.loss.saturating_add(hearing.late));
        json.key("reportedLoss").thousandths(share(missing));
        json.key("underruns").number(underruns);
        json.key("drops").object(|json| {
            for (reason, count) in client.drops().iter().filter(|(_, count)| *count > 0) {
                json.key(reason.name()).number(count);
            }
        });
        json.key("people").array(|json| {
            for person in client.roster() {
                if let Some(stats) = client.speaker_stats(person.id()) {
                    json.object(|json| write_person(person.id().get(), &stats, json));
                }
            }
        });
    });
}

fn write_person(id: u16, stats: &SpeakerStats, json: &mut Json) {
    json.key("id").number(id);
    json.key("received").number(stats.received);
    json.key("lost").number(stats.lost);
    json.key("late").number(stats.late);
    json.key("recovered").number(stats.recovered);
    json.key("concealedMs").number(stats.concealed_ms);
    json.key("jitterMs").thousandths(stats.jitter_us);
    json.key("loss").thousandths(share(stats.loss));
    json.key("playoutMs").thousandths(stats.delay_us);
    json.key("targetMs").thousandths(stats.target_us);
    json.key("direct").bool(false);
}

/// Of 255ths, thousandths.
fn share(part: u8) -> u32 {
    (u32::from(part) * 1_000 + 127) / 255
}

fn low32(us: u128) -> u32 {
    u32::try_from(us).unwrap_or(u32::MAX)
}
