//! The loop that binds pods to the nodes that the scheduling engine picks.
