//! `consonance inspect`: what a running server is at: who is in which room, how they are connected, and what it costs.

mod live;
mod source;
mod view;

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
    time::Duration,
};

use crate::{cli::InspectArgs, fail::Fail};
use source::Source;
use view::View;

/// Between two looks at the server.
const EVERY: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &InspectArgs) -> Result<ExitCode, Fail> {
    let source = Source::find(&args.server)?;
    let first = source.state()?;
    if args.json {
        crate::say::text(format_args!("{}", first.to_json()));
    } else if args.once || !io::stdout().is_terminal() {
        std::thread::sleep(EVERY);
        crate::say::text(format_args!("{}", View::of(source.name(), Some(&first), &source.state()?)));
    } else {
        live::run(&source, first)?;
    }
    Ok(ExitCode::SUCCESS)
}
