//! What `cargo bench` times and `tools/bench` counts: the same cases for both, so that a figure of one explains a figure of the other.
//! Results and method are in docs/BENCHMARKS.md.

mod capture;
mod case;
mod codec;
mod crowd;
mod fan_out;
mod listen;
mod playout;
mod presence;
mod sizes;

pub use case::{Case, Task, cases};
pub use sizes::{Size, sizes};
