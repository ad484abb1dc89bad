//! Real speech through the capture pipeline: what a talker and those who listen rely on.

#![cfg(feature = "wav")]

#[path = "../common/mod.rs"]
mod common;

mod allocation;
#[cfg(feature = "echo")]
mod echo;
mod input;
mod microphone;
mod stages;
mod talkspurts;
