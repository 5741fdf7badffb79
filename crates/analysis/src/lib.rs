//! Analyses of a [`snapshot::Snapshot`]: plain functions without input, output or clock.
