//! Scores: how well pods are guarded, as one number.
//!
//! [`kubesec`] counts as kubesec does, so that a pipeline can switch over: there, good points make
//! up for bad ones. [`own`] starts from the audit's findings, knows no good points, and lets no
//! score rise above what its worst finding allows.

pub mod kubesec;
pub mod own;
