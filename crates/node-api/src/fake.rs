//! Recording stand-ins for the ports: they keep state as a runtime would, run nothing, and let a
//! test decide what happens to containers.

mod images;
mod runtime;

pub use images::FakeImages;
pub use runtime::FakeRuntime;

use crate::error::Error;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One call that was made, as `verb subject`: `create_sandbox default/web`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The port's method.
    pub verb: &'static str,
    /// What it was called on.
    pub subject: String,
}

/// The calls made and the failures to come.
#[derive(Debug, Default)]
struct Record {
    calls: Vec<Call>,
    failures: VecDeque<(&'static str, Error)>,
}

impl Record {
    /// Notes a call; the failure that was prepared for it, if any.
    fn call(&mut self, verb: &'static str, subject: impl Into<String>) -> Result<(), Error> {
        self.calls.push(Call {
            verb,
            subject: subject.into(),
        });
        let prepared = self.failures.iter().position(|(v, _)| *v == verb);
        match prepared.and_then(|at| self.failures.remove(at)) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}

/// A lock that a failed test elsewhere does not spoil.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
