//! The embedded store: durable group commit, history, compaction, backup.
