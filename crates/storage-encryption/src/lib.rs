//! Encryption at rest as a decorator over any store.
