//! Scenarios and the swarm on the command line.

use std::process::ExitCode;

use crate::{cli::SimArgs, fail::Fail};

/// Runs what the arguments ask for.
pub(crate) fn run(_args: &SimArgs) -> Result<ExitCode, Fail> {
    Err(Fail::new("sim: not built yet", "run the demonstration instead: consonance demo"))
}
