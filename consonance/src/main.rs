//! The Consonance command line: one session to listen to, and a simulator to break things with.

mod cli;
mod demo;
mod fail;
mod out_dir;
mod sim;
mod speech;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli.run() {
        Ok(code) => code,
        Err(fail) => {
            eprintln!("consonance: {fail}");
            ExitCode::from(2)
        }
    }
}
