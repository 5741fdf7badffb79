//! The node: here a simulated one that runs no processes and says so.
