//! What a pod asks of its node: effective requests and limits, and the QoS class that follows.

mod effective;

pub use effective::{Resources, limits, requests};

// Written at creation by the API server, so it is the object model's to know.
pub use model::kinds::core::pod_qos::{QosClass, class as qos_class};
