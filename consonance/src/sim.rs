//! Scenarios and the swarm on the command line.

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use adapter_sim::scenario::{Bottleneck, BottleneckRow, Outcome, Plan, Scenario, bandwidth};
use serde_json::{Map, Value, json};

use crate::{cli::SimArgs, fail::Fail};

const BANDWIDTH: &str = "bandwidth";
const BOTTLENECK: &str = "bottleneck";

/// Runs what the arguments ask for.
pub(crate) fn run(args: &SimArgs) -> Result<ExitCode, Fail> {
    if let Some(seeds) = args.soak {
        return soak(args, seeds);
    }
    if let Some(file) = &args.replay {
        return one(args, &read(file)?, None);
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
        Some(BOTTLENECK) => {
            show_bottleneck(args);
            Ok(ExitCode::SUCCESS)
        }
        Some(name) => {
            let scenario = Scenario::from_name(name).ok_or_else(|| {
                Fail::new(format!("--scenario {name}: there is no such scenario"), "'consonance sim --list' shows them")
            })?;
            let plan = scenario.plan(args.seed, args.seconds, args.clients);
            if let Some(file) = &args.save {
                save(file, &plan)?;
            }
            one(args, &plan, Some(args.seed))
        }
    }
}

fn list() {
    for scenario in Scenario::ALL {
        say!("{:14} {}", scenario.name, scenario.about);
    }
    say!("{BANDWIDTH:14} one speaker and three listeners, over the server and directly: kbit/s of voice");
    say!(
        "{BOTTLENECK:14} five speakers and a listener behind 64 kbit/s, with adaptation and without: rate, loss and delay over time"
    );
}

fn read(file: &Path) -> Result<Plan, Fail> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Fail::new(format!("--replay {}: {error}", file.display()), "give a file that --save wrote"))?;
    text.parse()
        .map_err(|bad| Fail::new(format!("--replay {}: {bad}", file.display()), "mend that line, or save the run anew"))
}

fn save(file: &Path, plan: &Plan) -> Result<(), Fail> {
    std::fs::write(file, plan.to_string()).map_err(|error| {
        Fail::new(format!("--save {}: {error}", file.display()), "give a file in a folder that can be written")
    })
}

/// `seed` is that of the command line; a replayed run has its own inside.
fn one(args: &SimArgs, plan: &Plan, seed: Option<u64>) -> Result<ExitCode, Fail> {
    let (outcome, wall_seconds) = timed(|| plan.run());
    let report = report(&plan.scenario, seed.unwrap_or(plan.seed), wall_seconds, &outcome);
    if args.json {
        say!("{report}");
    } else {
        say!("{report:#}");
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
    let mut sums = Sums::default();
    for seed in args.seed..args.seed.saturating_add(seeds) {
        let plan = swarm.plan(seed, args.seconds, args.clients);
        let outcome = plan.run();
        sums.add(&plan, &outcome);
        if let Some(violation) = outcome.violations.first() {
            let clients = args.clients.map_or(String::new(), |clients| format!(" --clients {clients}"));
            say!("seed {seed}: {violation}");
            say!("consonance sim --scenario swarm --seed {seed} --seconds {}{clients} --json", args.seconds);
            return Ok(ExitCode::FAILURE);
        }
        let done = seed - args.seed + 1;
        if done.is_multiple_of(100) {
            complain!("{done} of {seeds} seeds");
        }
    }
    sums.print();
    say!("{seeds} seeds, no rule broken");
    Ok(ExitCode::SUCCESS)
}

/// What a soak has tried, to be seen at its end: a fault that never struck proves nothing.
#[derive(Default)]
struct Sums {
    presets: BTreeMap<&'static str, u64>,
    actions: BTreeMap<&'static str, u64>,
    faults: BTreeMap<&'static str, u64>,
    drops: BTreeMap<&'static str, u64>,
    deliveries: u64,
    texts: u64,
}

impl Sums {
    fn add(&mut self, plan: &Plan, outcome: &Outcome) {
        plan.people.iter().for_each(|person| *self.presets.entry(person.preset.name).or_default() += 1);
        plan.actions.iter().for_each(|(_, action)| *self.actions.entry(action.name()).or_default() += 1);
        outcome.faults.iter().for_each(|(name, count)| *self.faults.entry(name).or_default() += count);
        outcome.drops.iter().for_each(|(name, count)| *self.drops.entry(name).or_default() += count);
        self.deliveries += outcome.deliveries;
        self.texts += outcome.texts;
    }

    fn print(&self) {
        say!("{} frames heard, {} texts read", self.deliveries, self.texts);
        for (what, counts) in
            [("links", &self.presets), ("actions", &self.actions), ("faults", &self.faults), ("drops", &self.drops)]
        {
            let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
            say!("{what}: {}", counts.join(", "));
        }
    }
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
        say!("{report}");
    } else {
        say!("{report:#}");
    }
}

/// As a table, or as JSON: a row for every 5 s.
fn show_bottleneck(args: &SimArgs) {
    let run = |adapts| Bottleneck { adapts, ..Bottleneck::NARROW }.run(args.seed, args.seconds);
    let (adapting, fixed) = (run(true), run(false));
    if args.json {
        let rows = |rows: &[BottleneckRow]| rows.iter().map(bottleneck_json).collect::<Vec<_>>();
        let report = json!({
            "scenario": BOTTLENECK,
            "seed": args.seed,
            "virtual_seconds": args.seconds,
            "adapting": rows(&adapting),
            "fixed": rows(&fixed),
        });
        say!("{report}");
        return;
    }
    for (what, rows) in [("with adaptation", &adapting), ("without", &fixed)] {
        say!("{what}");
        say!(
            "| s | kbit/s | frame, ms | steps | lost, % | late, % | queue p50, ms | queue p95, ms | growth, ms | played, % |"
        );
        say!("|---|---|---|---|---|---|---|---|---|---|");
        rows.iter().for_each(|row| say!("{}", bottleneck_line(row)));
    }
}

fn bottleneck_line(row: &BottleneckRow) -> String {
    let rates: Vec<String> = row.bitrates.iter().map(|rate| format!("{:.1}", f64::from(*rate) / 1e3)).collect();
    let frames: Vec<String> = row.frame_ms.iter().map(ToString::to_string).collect();
    format!(
        "| {} | {} | {} | {} | {:.1} | {:.1} | {:.0} | {:.0} | {} | {:.1} |",
        row.second,
        rates.join(" "),
        frames.join(" "),
        row.steps.iter().sum::<u32>(),
        row.loss_percent,
        row.late_percent,
        row.queue_ms.0,
        row.queue_ms.1,
        row.growth_ms,
        row.played_percent,
    )
}

fn bottleneck_json(row: &BottleneckRow) -> Value {
    json!({
        "second": row.second,
        "bitrates": row.bitrates,
        "frame_ms": row.frame_ms,
        "steps": row.steps,
        "loss_percent": row.loss_percent,
        "late_percent": row.late_percent,
        "queue_ms_p50": row.queue_ms.0,
        "queue_ms_p95": row.queue_ms.1,
        "growth_ms": row.growth_ms,
        "played_percent": row.played_percent,
    })
}

#[expect(clippy::disallowed_methods, reason = "wall time is what is asked for; nothing in the run sees it")]
fn timed<T>(what: impl FnOnce() -> T) -> (T, f64) {
    let start = std::time::Instant::now();
    let result = what();
    (result, start.elapsed().as_secs_f64())
}
