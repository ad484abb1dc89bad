//! Times every case with Criterion: `cargo bench -p consonance-benches`, or one of them with `-- fan-out/500`.

use std::{cell::RefCell, time::Duration};

use consonance_benches::{Case, cases};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn time(criterion: &mut Criterion, case: &Case) {
    let mut group = criterion.benchmark_group("core");
    group.throughput(Throughput::Elements(case.pieces.into()));
    group.bench_function(case.name, |bencher| {
        let task = RefCell::new(case.make());
        if case.prepared {
            let prepare = || task.borrow_mut().prepare();
            bencher.iter_batched(prepare, |()| task.borrow_mut().run(), BatchSize::PerIteration);
        } else {
            bencher.iter(|| task.borrow_mut().run());
        }
    });
    group.finish();
}

fn all(criterion: &mut Criterion) {
    // Without optimisation nothing is timed, only tried: `cargo test --benches`.
    let chosen = cases().iter().filter(|case| !(case.slow && cfg!(debug_assertions)));
    chosen.for_each(|case| time(criterion, case));
}

criterion_group! {
    name = core;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = all
}
criterion_main!(core);
