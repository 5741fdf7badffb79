//! Proptest inputs shared by the workspace's property tests.
