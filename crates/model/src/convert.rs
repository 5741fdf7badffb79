//! Conversions between served versions of one kind, and between kinds that share their storage.
