//! Slow and obvious oracles, one per engine, that tests compare against.

pub mod rbac;
pub mod store;
