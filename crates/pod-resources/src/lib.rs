//! What a pod asks of its node: effective requests and limits, and the QoS class that follows.

mod effective;

pub use effective::{Resources, limits, requests};
