//! What a pod asks of its node: effective requests and limits, the QoS class that follows, and
//! what that class means when the node runs short; and what the limits and quotas of a namespace
//! leave of it.

pub mod cgroups;
mod effective;
mod eviction;
pub mod limit_range;
mod oom;
mod qos;
pub mod quota;

pub use effective::{Resources, limits, requests, reserved};
pub use eviction::{Pressure, Rank, Usage, eviction_order};
pub use oom::{is_critical, oom_score_adj, priority};
pub use qos::{QosReason, QosVerdict, explain};

// Written at creation by the API server, so it is the object model's to know.
pub use model::kinds::core::pod_qos::{QosClass, class as qos_class};
