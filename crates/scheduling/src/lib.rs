//! Placement of a pod on nodes as a pure decision.
