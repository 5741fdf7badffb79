//! The audit log file: JSON lines, rotated by size, written by a thread of its own.
//!
//! Requests put their lines into a buffer that is bounded by bytes; the thread takes the whole
//! buffer at once. A line is on its way to the file after [`LINGER`] at the latest, so a kill -9
//! can lose that much and no more. Nothing is lost in silence: lines that cannot be written are
//! counted and reported.

mod file;

use crate::auditor::Clock;
use crate::event::Event;
use crate::policy::Level;
use file::Target;
use parking_lot::{Condvar, Mutex};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the thread waits for more lines before it writes: one write for many events.
const LINGER: Duration = Duration::from_millis(5);

/// The thread does not wait any longer when this much is there.
const ENOUGH: usize = 64 * 1024;

/// What a request does when the buffer is full because the disk is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// It waits: no request is answered without its event.
    #[default]
    Block,
    /// It goes on; the event is dropped, counted and reported.
    Drop,
}

/// Where and how the log is written.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The file; `-` is standard output.
    pub path: PathBuf,
    /// The size in bytes at which the file is renamed and a new one begun; 0 never.
    pub max_bytes: u64,
    /// How many renamed files are kept; 0 keeps all.
    pub max_backups: usize,
    /// How many bytes may wait to be written.
    pub max_waiting: usize,
    /// What happens beyond that.
    pub overflow: Overflow,
}

impl LogOptions {
    /// Files of 100 MiB, ten of them kept, 8 MiB waiting at most; full buffers block.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            max_bytes: 100 << 20,
            max_backups: 10,
            max_waiting: 8 << 20,
            overflow: Overflow::Block,
        }
    }
}

/// The log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the audit log {}: {source}", path.display())]
pub struct LogError {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: std::io::Error,
}

/// What the log did so far, for `/metrics`.
#[derive(Debug, Default)]
pub struct Counters {
    written: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    levels: [AtomicU64; 4],
}

impl Counters {
    /// Events handed to the file (`apiserver_audit_event_total`).
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Events that could not be written (`apiserver_audit_error_total`).
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Events dropped because the buffer was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Requests by the level that the policy gave them (`apiserver_audit_level_total`).
    pub fn level(&self, level: Level) -> u64 {
        self.levels
            .get(level as usize)
            .map_or(0, |c| c.load(Ordering::Relaxed))
    }

    pub(crate) fn count_level(&self, level: Level) {
        if let Some(counter) = self.levels.get(level as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    lines: u64,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Something to write, enough of it, or the end.
    work: Condvar,
    /// The buffer was taken.
    room: Condvar,
    counters: Counters,
}

/// An open audit log. Dropping it writes what is waiting.
pub struct Log {
    shared: Arc<Shared>,
    max_waiting: usize,
    overflow: Overflow,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Log {
    /// Opens the log for appending, with mode 0600 if the file is new.
    pub fn open(options: LogOptions, clock: Clock) -> Result<Self, LogError> {
        let fail = |source| LogError {
            path: options.path.clone(),
            source,
        };
        let target = Target::open(&options, clock).map_err(fail)?;
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new()
            .name("audit-log".to_owned())
            .spawn({
                let shared = shared.clone();
                move || write_until_closed(&shared, target)
            })
            .map_err(fail)?;
        Ok(Self {
            shared,
            max_waiting: options.max_waiting,
            overflow: options.overflow,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// What was written so far.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Puts an event in line to be written.
    pub fn write(&self, event: &Event) {
        let counters = &self.shared.counters;
        let mut line = Vec::with_capacity(1024);
        if let Err(error) = serde_json::to_writer(&mut line, event) {
            lost(&counters.failed, 1, &error);
            return;
        }
        line.push(b'\n');
        let mut waiting = self.shared.waiting.lock();
        // A line longer than the whole buffer goes in alone.
        while !waiting.bytes.is_empty()
            && waiting.bytes.len().saturating_add(line.len()) > self.max_waiting
            && !waiting.closed
        {
            if self.overflow == Overflow::Drop {
                drop(waiting);
                lost(&counters.dropped, 1, &"the buffer is full");
                return;
            }
            self.shared.room.wait(&mut waiting);
        }
        if waiting.closed {
            drop(waiting);
            lost(&counters.dropped, 1, &"the log is closed");
            return;
        }
        let before = waiting.bytes.len();
        waiting.bytes.extend_from_slice(&line);
        waiting.lines = waiting.lines.saturating_add(1);
        let after = waiting.bytes.len();
        drop(waiting);
        if before == 0 || (before < ENOUGH && after >= ENOUGH) {
            self.shared.work.notify_one();
        }
    }

    /// Writes what is waiting and ends. Later events are dropped, counted and reported.
    pub fn close(&self) {
        self.shared.waiting.lock().closed = true;
        self.shared.work.notify_one();
        self.shared.room.notify_all();
        let thread = self.thread.lock().take();
        if thread.is_some_and(|t| t.join().is_err()) {
            tracing::error!("the audit log's writer has failed");
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}

fn write_until_closed(shared: &Shared, mut target: Target) {
    let mut batch = Vec::new();
    loop {
        let lines = {
            let mut waiting = shared.waiting.lock();
            while waiting.bytes.is_empty() && !waiting.closed {
                shared.work.wait(&mut waiting);
            }
            if waiting.bytes.is_empty() {
                break;
            }
            if waiting.bytes.len() < ENOUGH && !waiting.closed {
                shared.work.wait_for(&mut waiting, LINGER);
            }
            batch.clear();
            std::mem::swap(&mut batch, &mut waiting.bytes);
            std::mem::take(&mut waiting.lines)
        };
        shared.room.notify_all();
        match target.append(&batch) {
            Ok(()) => {
                shared.counters.written.fetch_add(lines, Ordering::Relaxed);
            }
            Err(error) => lost(&shared.counters.failed, lines, &error),
        }
        // A burst of large objects is not held for ever.
        batch.shrink_to(ENOUGH.saturating_mul(4));
    }
    if let Err(error) = target.finish() {
        tracing::error!(%error, "the audit log could not be synced at its end");
    }
}

/// Counts lost events and reports them: each of the first, then ever more rarely, so that a full
/// disk does not fill the other log.
fn lost(counter: &AtomicU64, lines: u64, why: &dyn std::fmt::Display) {
    let before = counter.fetch_add(lines, Ordering::Relaxed);
    let after = before.saturating_add(lines);
    if before.checked_ilog2() != after.checked_ilog2() {
        tracing::error!(%why, events = after, "audit events are lost");
    }
}

#[cfg(test)]
mod tests;
