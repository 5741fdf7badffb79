//! The composition root of `rampart up`: what a cluster is made of, in the order in which it
//! comes up and goes down.

mod admission;
mod identities;
mod late;
mod logging;
mod operations;
mod parts;
mod serving;
mod workers;

pub(crate) use logging::start as start_logging;
pub(crate) use parts::Cluster;
