//! The audit log: policy file, levels and events of the `audit.k8s.io` API.
//!
//! The policy decides how much is written about a request ([`Policy`]), the [`Auditor`] follows
//! one request through its stages ([`Entry`]), and the [`Log`] writes the events as JSON lines.
//! Stricter than upstream on purpose: values of secrets and tokens are removed at every level
//! (`redact`), so that a policy of `RequestResponse` cannot turn the log into a copy of them.

mod auditor;
mod event;
mod log;
mod policy;
mod redact;

pub use auditor::{Auditor, Clock, Entry, Received};
pub use event::{Event, ObjectReference, Stage};
pub use log::{Counters, Log, LogError, LogOptions, Overflow};
pub use policy::{Attributes, Level, Policy, PolicyError, Ruling};
