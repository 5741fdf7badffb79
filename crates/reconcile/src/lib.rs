//! What each controller would do, as plain functions from desired and observed to actions.
