//! One voice out of the channels by which it comes.

use heapless::Vec;

use crate::{
    types::{ChannelOptions, Priority, Target, Volume},
    wire::{Channels, limits::MAX_CHANNELS},
};

/// The channels of a speaker's newest packet, and what they make of its voice: asked for at every pull, and seldom another.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    channels: Vec<(Target, ChannelOptions), MAX_CHANNELS>,
    /// What channels without a priority have.
    own_default: Priority,
    merged: Merged,
}

impl Heard {
    /// By no channel yet.
    pub(super) const NOTHING: Self =
        Self { channels: Vec::new(), own_default: Priority::None, merged: Merged::NOTHING };

    /// The channels.
    pub(super) fn channels(&self) -> &[(Target, ChannelOptions)] {
        &self.channels
    }

    /// The channels as one voice.
    pub(super) const fn merged(&self) -> Merged {
        self.merged
    }

    /// Sets the priority of channels that have none.
    pub(super) fn set_own_default(&mut self, own_default: Priority) {
        if self.own_default != own_default {
            self.own_default = own_default;
            self.merged = Merged::of(&self.channels, own_default);
        }
    }

    /// Sets those of a packet whose bit is set in `listened`.
    pub(super) fn set_channels(&mut self, channels: Channels<'_>, listened: u8) {
        let channels = channels.iter().enumerate().filter(|(at, _)| listened >> at & 1 != 0);
        let channels = channels.map(|(_, channel)| (channel.target, channel.options));
        // Nearly always they are those of the packet before.
        if !channels.clone().eq(self.channels.iter().copied()) {
            self.channels = channels.take(MAX_CHANNELS).collect();
            self.merged = Merged::of(&self.channels, self.own_default);
        }
    }
}

/// How a voice is to be played when it comes by several channels at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Merged {
    /// Whether all channels are positional.
    pub(super) positional: bool,
    /// The highest priority, never [`Priority::None`].
    pub(super) priority: Priority,
    /// The loudest volume.
    pub(super) volume: Volume,
}

impl Merged {
    /// No channels, and no priority of the speaker's own.
    const NOTHING: Self = Self { positional: false, priority: Priority::Default, volume: Volume::FULL };

    /// Merges channels; without any the result is not positional, of the speaker's own priority, at full volume.
    fn of(channels: &[(Target, ChannelOptions)], own_default: Priority) -> Self {
        let options = || channels.iter().map(|(_, options)| options);
        let priority = options().map(|o| o.priority.or(own_default)).max();
        Self {
            positional: !channels.is_empty() && options().all(|o| o.positional),
            priority: priority.unwrap_or(Priority::None.or(own_default)),
            volume: options().map(|o| o.volume).max().unwrap_or(Volume::FULL),
        }
    }
}
