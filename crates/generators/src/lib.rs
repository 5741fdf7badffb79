//! Proptest inputs shared by the workspace's property tests: JSON values, objects of the kinds that
//! exercise most of the schema, and patches, random ones as well as those that lead from one
//! object to another.

pub mod diff;
pub mod fuzz;
pub mod json;
pub mod objects;
pub mod patches;
