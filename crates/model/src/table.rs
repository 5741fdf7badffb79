//! Printer columns and table rows of the built-in kinds, as `kubectl get` shows them.
