//! Where a pod can run, as upstream's kube-scheduler with its default profile decides: filters and
//! scores over nodes, the queue of pods that wait, and preemption, as plain functions of a cluster
//! that the caller describes.
//!
//! The [`Cluster`] follows every pod and node that comes, changes or goes. [`Engine::schedule`]
//! finds a node for a pod or says why there is none ([`Diagnosis`]); [`Engine::preempt`] then says
//! who would have to go. Nothing is carried out here.

mod amounts;
mod budget;
mod claim;
mod cluster;
mod cycle;
mod diagnosis;
mod engine;
mod filter;
mod hint;
mod kinship;
mod misfit;
mod node;
mod node_selector;
mod pod;
mod preempt;
mod queue;
mod random;
mod scope;
mod score;
mod spread;
mod storage;
mod taint;
mod tally;
mod topology;
mod volumes;

#[cfg(test)]
mod tests;

pub use amounts::Amounts;
pub use claim::{
    BIND_COMPLETED, BOUND_BY_CONTROLLER, Claim, NO_PROVISIONER, Promise, SELECTED_NODE, Seeker,
    Volume, find_volume,
};
pub use cluster::{Cluster, NodeChange};
pub use diagnosis::{Diagnosis, Refusal};
pub use engine::{Engine, Placement, PluginScore, Verdict};
pub use hint::Event;
pub use misfit::{Misfit, Plugin, Shortage, Unbindable};
pub use node::NodeInfo;
pub use pod::{HostPort, PodInfo, PodKey};
pub use preempt::{Preemption, Refused};
pub use queue::{Queue, Waits};
pub use storage::{Binding, Progress, Provision, VolumePlan};
pub use taint::{Effect, Taint, Toleration};
