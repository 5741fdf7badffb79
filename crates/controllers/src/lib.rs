//! Loops that carry out reconcile actions.
