//! The Consonance command line: one session to listen to, and a simulator to break things with.

mod cli;
mod demo;
mod fail;
mod out_dir;
mod quality;
mod sim;
mod speech;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    if std::env::var("QPROTO").is_ok() {
        quality::prototype();
        return ExitCode::SUCCESS;
    }
    let cli = cli::Cli::parse();
    match cli.run() {
        Ok(code) => code,
        Err(fail) => {
            eprintln!("consonance: {fail}");
            ExitCode::from(2)
        }
    }
}
