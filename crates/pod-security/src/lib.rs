//! What a pod may be: the Pod Security Standards at every policy version, as upstream's
//! `k8s.io/pod-security-admission` holds pods to them, and PodSecurityPolicy as of Kubernetes 1.24,
//! the last version that had it.
//!
//! Both read the `metadata` and `spec` of a pod, or of the template of pods, as parsed values. They
//! expect what the API server has: fields of the right type, defaults filled in. A field of a wrong
//! type counts as one that is not set, and never as one that is set safely.

mod compare;
mod containers;
mod level;
mod namespace;
pub mod psp;
pub mod standards;
mod wording;

pub use compare::{Comparison, Difference, compare};
pub use containers::Place;
pub use level::{Level, LevelVersion, NotALevel, NotAVersion, Version};
pub use namespace::{NamespacePolicy, labels};
pub use standards::{Violation, evaluate, strictest, weaknesses};
