//! Analyses of a [`snapshot::Snapshot`]: plain functions without input, output or clock.
//!
//! [`audit::run`] runs the [`checks`] and sorts what they found into findings, those that were
//! excused, and those that were known; whatever else is found here is told as a
//! [`finding::Finding`] too.

pub mod access;
pub mod audit;
pub mod checks;
pub mod finding;
pub mod fix;
pub mod graph;
pub mod lint;
pub mod network;
pub mod paths;
pub mod score;
