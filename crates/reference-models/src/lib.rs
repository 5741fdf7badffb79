//! Slow and obvious oracles, one per engine, that tests compare against.

pub mod network_policy;
pub mod pod_security;
pub mod pod_security_policy;
pub mod rbac;
pub mod scheduling;
pub mod store;
