//! Seccomp filters: an OCI profile compiled to the kernel's classic BPF, and its installation.
//!
//! The profile means what it means to `runc` with libseccomp: the first rule that matches decides,
//! a rule's conditions must all hold, several names share them, and a name this architecture does
//! not have is passed over. Calls of foreign architectures (32-bit programs) get the default
//! action, or kill where the default would let them through.

mod compile;
mod install;

pub(crate) use compile::{Filter, compile};
pub(crate) use install::install;
