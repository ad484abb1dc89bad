//! Benchmarks of Consonance.
