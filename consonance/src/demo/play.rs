use super::record::{Network, Record};
use crate::speech::Clip;
use adapter_sim::net::Preset;
pub(crate) fn play(seed: u64, preset: &'static Preset, clips: &[Clip]) -> (Record, Vec<Vec<u8>>) {
    let names = clips.iter().cycle().take(7).map(|c| c.name.clone()).collect();
    let stage =
        super::stage::Stage::new(Record::new(seed, Network { name: preset.name, ..Network::default() }, names), clips);
    stage.finish(super::script::act_start_us(super::script::STORY.len()))
}
