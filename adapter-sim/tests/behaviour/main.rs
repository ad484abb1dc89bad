//! What a user relies on, by topic, seen through the public interface on the simulated network.

mod channels;
mod direct;
mod flood;
mod join;
mod mutes;
mod party;
mod resume;
mod rooms;
mod roster;
mod session;
mod text;
mod waiting;
