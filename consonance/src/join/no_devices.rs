//! The program without sound devices.

use super::participant::Participant;
use crate::{cli::JoinArgs, clock::Now, fail::Fail};

/// None.
pub(super) struct Devices;

/// Nothing hurries.
pub(super) const NAP: std::time::Duration = std::time::Duration::from_millis(10);

impl Devices {
    /// None, unless some are asked for: there are none here.
    pub(super) fn open(args: &JoinArgs) -> Result<Self, Fail> {
        let asked = [
            ("--microphone", args.microphone.is_some()),
            ("--loudspeaker", args.loudspeaker.is_some()),
            ("--open", args.open),
        ];
        match asked.iter().find(|(_, is_asked)| *is_asked) {
            Some((flag, _)) => Err(without(flag)),
            None => Ok(Self),
        }
    }

    pub(super) const fn has_microphone(&self) -> bool {
        false
    }

    pub(super) const fn has_loudspeaker(&self) -> bool {
        false
    }

    pub(super) fn turn(&mut self, _: Now, _: &mut Participant) -> Result<(), Fail> {
        Ok(())
    }

    pub(super) fn summary(&self) -> Option<String> {
        None
    }
}

pub(super) fn list() -> Result<String, Fail> {
    Err(without("devices"))
}

fn without(what: &str) -> Fail {
    Fail::new(
        format!("{what}: this program was built without sound devices"),
        "build it with 'cargo build --release --features audio' (Debian: apt install libasound2-dev)",
    )
}
