//! One voice out of the channels by which it comes.

use crate::types::{ChannelOptions, Priority, Target, Volume};

/// How a voice is to be played when it comes by several channels at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Merged {
    /// Whether all channels are positional.
    pub(crate) positional: bool,
    /// The highest priority, never [`Priority::None`].
    pub(crate) priority: Priority,
    /// The loudest volume.
    pub(crate) volume: Volume,
}

impl Merged {
    /// No channels, and no priority of the speaker's own.
    pub(crate) const NOTHING: Self = Self { positional: false, priority: Priority::Default, volume: Volume::FULL };

    /// Merges channels; without any the result is not positional, of the speaker's own priority, at full volume.
    pub(crate) fn of(channels: &[(Target, ChannelOptions)], own_default: Priority) -> Self {
        let options = || channels.iter().map(|(_, options)| options);
        let priority = options().map(|o| o.priority.or(own_default)).max();
        Self {
            positional: !channels.is_empty() && options().all(|o| o.positional),
            priority: priority.unwrap_or(Priority::None.or(own_default)),
            volume: options().map(|o| o.volume).max().unwrap_or(Volume::FULL),
        }
    }
}
