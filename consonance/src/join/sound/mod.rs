//! Between a sound device and this person: a ring without locks in each direction. The device's callbacks move samples and nothing else: they neither
//! allocate nor wait. All else is done by the loop of `join`, at the pace at which the device gives and takes.

#![cfg_attr(not(feature = "audio"), allow(dead_code, unused_imports, reason = "only the tests use it then"))]

mod loudspeaker;
mod microphone;

pub(super) use loudspeaker::{Loudspeaker, Outlet};
pub(super) use microphone::{Intake, Microphone};
