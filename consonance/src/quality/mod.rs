//! `consonance quality`.
mod render;
mod trace;

use std::{fs, path::Path};
use voice_audio::FrameLength;
use voice_core::playout::PlayoutConfig;

use render::{Player, Speech, play};

pub(crate) fn prototype() {
    let clips = crate::speech::load::<std::path::PathBuf>(
        &std::env::var("SPEECH").map(|s| s.split(':').map(Into::into).collect::<Vec<_>>()).unwrap_or_default(),
    )
    .unwrap_or_else(|e| panic!("{e}"));
    let tracks: usize = std::env::var("TRACKS").ok().and_then(|s| s.parse().ok()).unwrap_or(3);
    let seed: u64 = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let only = std::env::var("ONLY").unwrap_or_default();
    let worth: u16 = std::env::var("WORTH").ok().and_then(|s| s.parse().ok()).unwrap_or(15);
    let fixeds: Vec<u64> =
        std::env::var("FIXED").map(|s| s.split(',').filter_map(|s| s.parse().ok()).collect()).unwrap_or_default();
    let out = std::env::var("OUT").unwrap_or("/tmp/q".into());
    fs::create_dir_all(&out).unwrap();
    let mut jobs = Vec::new();
    for kind in trace::KINDS.iter().filter(|k| only.is_empty() || only.split(',').any(|o| k.name.starts_with(o))) {
        for t in 0..tracks {
            let mut pcm = Vec::new();
            let mut i = t;
            while pcm.len() < 48_000 * 20 {
                pcm.extend_from_slice(&clips[i % clips.len()].pcm);
                i += 1;
            }
            let frames = pcm.len() / 960;
            let trace = kind.make(seed * 1000 + t as u64, 20, frames);
            let speech = Speech::encode(&pcm, FrameLength::Ms20, trace.loss_percent().max(10));
            let mut players = vec![(
                "ours".to_string(),
                Player::Adaptive(PlayoutConfig {
                    concealment_worth_ms: worth,
                    frame_bytes: 500,
                    ..PlayoutConfig::DEFAULT
                }),
            )];
            for d in &fixeds {
                players.push((format!("fixed{d}"), Player::Fixed { delay_us: d * 1000, fec: true }));
            }
            for (name, player) in players {
                let heard = play(player, &trace, &speech);
                let lead = (heard.mean_delay_ms() * 48.0) as usize;
                let file = format!("{}-{}-{}", kind.name, t, name);
                let degraded: Vec<i16> = heard.pcm.iter().skip(lead).copied().collect();
                write(Path::new(&out).join(format!("{file}.wav")), &degraded);
                write(Path::new(&out).join(format!("{}-{}-ref.wav", kind.name, t)), &speech.whole);
                jobs.push(serde_json::json!({"trace": kind.name, "player": name, "ref": format!("{}-{}-ref.wav", kind.name, t), "deg": format!("{file}.wav"),
                    "delay": heard.mean_delay_ms(), "late": heard.late, "concealed": heard.concealed_us/1000, "recovered": heard.recovered,
                    "stretched": heard.stretched_us/1000, "shortened": heard.shortened_us/1000, "net": trace.mean_transit_ms(), "loss": trace.loss_percent(),
                    "curve": heard.curve.iter().map(|p| vec![p.at_us/1000, p.delay_us/1000]).collect::<Vec<_>>(),
                    "targets": heard.targets.iter().map(|p| p.delay_us/1000).collect::<Vec<_>>()}));
            }
        }
    }
    fs::write(Path::new(&out).join("jobs.json"), serde_json::to_string(&jobs).unwrap()).unwrap();
}

fn write(path: std::path::PathBuf, pcm: &[i16]) {
    fs::write(path, voice_audio::write_wav(pcm).unwrap()).unwrap();
}
