use super::{Link, LinkProfile, NatKind, Preset};

/// A machine of the network, with its access link.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) up: Link,
    pub(super) down: Link,
    pub(super) nat: NatKind,
    pub(super) address: u32,
    pub(super) alive: bool,
    pub(super) dark: bool,
    pub(super) clogged: [bool; 2],
    pub(super) drift_ppm: i32,
}

impl Endpoint {
    pub(super) fn new(up: LinkProfile, down: LinkProfile, nat: NatKind) -> Self {
        let (up, down) = (Link::new(up), Link::new(down));
        Self { up, down, nat, address: 0, alive: true, dark: false, clogged: [false; 2], drift_ppm: 0 }
    }

    pub(super) fn set_preset(&mut self, preset: &Preset) {
        self.up.profile = preset.up;
        self.down.profile = preset.down;
    }
}
