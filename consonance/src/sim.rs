//! Scenarios and the swarm on the command line.

use std::process::ExitCode;

use adapter_sim::scenario::{Outcome, Scenario, bandwidth};
use serde_json::{Map, Value, json};

use crate::{cli::SimArgs, fail::Fail};

const BANDWIDTH: &str = "bandwidth";

/// Runs what the arguments ask for.
pub(crate) fn run(args: &SimArgs) -> Result<ExitCode, Fail> {
    if let Some(seeds) = args.soak {
        return soak(args, seeds);
    }
    match args.scenario.as_deref() {
        None => {
            list();
            Ok(ExitCode::SUCCESS)
        }
        Some(BANDWIDTH) => {
            show_bandwidth(args);
            Ok(ExitCode::SUCCESS)
        }
        Some(name) => {
            let scenario = Scenario::from_name(name).ok_or_else(|| {
                Fail::new(format!("--scenario {name}: there is no such scenario"), "'consonance sim --list' shows them")
            })?;
            one(args, scenario)
        }
    }
}

fn list() {
    for scenario in Scenario::ALL {
        println!("{:14} {}", scenario.name, scenario.about);
    }
    println!("{BANDWIDTH:14} one speaker and three listeners, over the server and directly: kbit/s of voice");
}

fn one(args: &SimArgs, scenario: &Scenario) -> Result<ExitCode, Fail> {
    let (outcome, wall_seconds) = timed(|| scenario.run(args.seed, args.seconds, args.clients));
    let report = report(scenario.name, args.seed, wall_seconds, &outcome);
    if args.json {
        println!("{report}");
    } else {
        println!("{report:#}");
    }
    Ok(if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(name: &str, seed: u64, wall_seconds: f64, outcome: &Outcome) -> Value {
    let faults: Map<String, Value> =
        outcome.faults.iter().map(|(name, count)| ((*name).into(), json!(count))).collect();
    let violations: Vec<String> = outcome.violations.iter().map(ToString::to_string).collect();
    json!({
        "scenario": name,
        "seed": seed,
        "virtual_seconds": outcome.virtual_us as f64 / 1e6,
        "wall_seconds": wall_seconds,
        "trace_hash": format!("{:016x}", outcome.trace_hash),
        "deliveries": outcome.deliveries,
        "texts": outcome.texts,
        "drops": outcome.drops,
        "faults": faults,
        "violations": violations,
    })
}

fn soak(args: &SimArgs, seeds: u64) -> Result<ExitCode, Fail> {
    let swarm = Scenario::from_name("swarm").ok_or_else(|| Fail::new("the swarm is missing", "build anew"))?;
    for seed in args.seed..args.seed.saturating_add(seeds) {
        let outcome = swarm.run(seed, args.seconds, args.clients);
        if let Some(violation) = outcome.violations.first() {
            let clients = args.clients.map_or(String::new(), |clients| format!(" --clients {clients}"));
            println!("seed {seed}: {violation}");
            println!("consonance sim --scenario swarm --seed {seed} --seconds {}{clients} --json", args.seconds);
            return Ok(ExitCode::FAILURE);
        }
        let done = seed - args.seed + 1;
        if done.is_multiple_of(100) {
            eprintln!("{done} of {seeds} seeds");
        }
    }
    println!("{seeds} seeds, no rule broken");
    Ok(ExitCode::SUCCESS)
}

fn show_bandwidth(args: &SimArgs) {
    let row = |direct| {
        let used = bandwidth(args.seed, args.seconds, direct);
        let side = |(up, down): (f64, f64)| json!({ "up_kbit_s": up, "down_kbit_s": down });
        json!({ "speaker": side(used.speaker), "listener": side(used.listener), "server": side(used.server) })
    };
    let report = json!({
        "scenario": BANDWIDTH,
        "seed": args.seed,
        "virtual_seconds": args.seconds,
        "relay": row(false),
        "direct": row(true),
        "contract": {
            "relay": { "speaker": 20, "listener": 20, "server": 80 },
            "direct": { "speaker": 60, "server": 0 },
        },
    });
    if args.json {
        println!("{report}");
    } else {
        println!("{report:#}");
    }
}

#[expect(clippy::disallowed_methods, reason = "wall time is what is asked for; nothing in the run sees it")]
fn timed<T>(what: impl FnOnce() -> T) -> (T, f64) {
    let start = std::time::Instant::now();
    let result = what();
    (result, start.elapsed().as_secs_f64())
}
