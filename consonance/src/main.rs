//! The Consonance command line: one session to listen to, a simulator to break things with, and a judge of how it sounds.

#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

#[macro_use]
mod say;

mod cli;
mod clock;
mod columns;
mod demo;
mod direct_paths;
mod fail;
mod home;
mod inspect;
mod join;
mod load;
mod log;
mod net_client;
mod out_dir;
mod page;
mod printable;
mod quality;
mod serve;
mod server_state;
mod sim;
mod speech;
mod stop;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli.run() {
        Ok(code) => code,
        Err(fail) => {
            complain!("consonance: {fail}");
            ExitCode::from(2)
        }
    }
}
