//! Where a pod can run: filters over nodes in upstream's order and words, and a score among those
//! that fit. Preemption builds on the same views.

mod affinity;
mod filter;
mod node;
mod place;
mod taint;

pub use filter::{Misfit, fits};
pub use node::{Node, Usage};
pub use place::{Placement, place};
