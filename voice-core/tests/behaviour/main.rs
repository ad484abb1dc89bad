//! What a user relies on, by topic, to the packet: on a network of which every packet can be dropped, delayed, doubled, changed and counted.
//! On links as they are in the world, the same is judged in the simulator's tests.

mod audience;
mod channels;
mod direct;
mod flood;
mod hang_ups;
mod harness;
mod join;
mod keep_alive;
mod lane;
mod moderation;
mod mutes;
mod places;
mod rendezvous;
mod reports;
mod resume;
mod rooms;
mod roster;
mod statistics;
mod text;
mod whisper;
mod wrong_session;
