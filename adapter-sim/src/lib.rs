//! A deterministic network for Consonance: seeded faults, virtual clock, scenarios and checkers.
