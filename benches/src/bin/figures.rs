//! What `tools/bench` asks: `figures list`, `figures run CASE TIMES`, `figures sizes`.

use std::{env, hint::black_box, process::ExitCode};

use consonance_benches::{Case, Size, Task, cases, sizes};

/// Runs before those that are counted, so that what is done only once is done.
const WARM_UP: u32 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["list"] => {
            list();
            Ok(())
        }
        ["sizes"] => {
            print_sizes();
            Ok(())
        }
        ["run", name, times] => run(name, times),
        _ => Err("usage: figures list | figures sizes | figures run CASE TIMES".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("figures: {message}");
            ExitCode::FAILURE
        }
    }
}

fn list() {
    for Case { name, what, pieces, runs, .. } in cases() {
        println!("{name}\t{pieces}\t{runs}\t{what}");
    }
}

fn print_sizes() {
    for Size { what, bytes, limit } in sizes() {
        let limit = limit.map(|limit| limit.to_string()).unwrap_or_default();
        println!("{what}\t{bytes}\t{limit}");
    }
}

fn run(name: &str, times: &str) -> Result<(), String> {
    let case =
        cases().iter().find(|case| case.name == name).ok_or_else(|| format!("no case '{name}': see 'figures list'"))?;
    let times: u32 = times.parse().map_err(|_| format!("TIMES must be a number, not '{times}'"))?;
    let mut task = case.make();
    for _ in 0..WARM_UP {
        task.prepare();
        task.run();
    }
    for _ in 0..times {
        task.prepare();
        measured(task.as_mut());
    }
    Ok(())
}

/// Instructions are counted inside of this function alone: tools/bench knows it by name.
#[inline(never)]
fn measured(task: &mut dyn Task) {
    black_box(task).run();
}
