//! The Consonance voice protocol as a pure state machine: no I/O, no clock, no allocation.
