//! Collects processes that ended. Containers' processes become the helper's children when their
//! launcher ends, and so do their orphans.

use rustix::process::{WaitOptions, WaitStatus, wait};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Knows which ends are waited for.
#[derive(Clone, Default)]
pub(crate) struct Reaper(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    waiting: HashMap<i32, oneshot::Sender<WaitStatus>>,
    /// Ends of processes that nobody asked for yet, kept while a launch is under way: a process
    /// may end before its number is known.
    unclaimed: HashMap<i32, WaitStatus>,
    launches: usize,
}

/// A launch under way.
pub(crate) struct Launching(Reaper);

impl Drop for Launching {
    fn drop(&mut self) {
        let mut state = self.0.0.borrow_mut();
        state.launches = state.launches.saturating_sub(1);
        if state.launches == 0 {
            state.unclaimed.clear();
        }
    }
}

impl Reaper {
    /// Keeps unclaimed ends until the result is dropped.
    pub(crate) fn launching(&self) -> Launching {
        self.0.borrow_mut().launches += 1;
        Launching(self.clone())
    }

    /// How the process ends. Ask before the launch that made it is dropped.
    pub(crate) fn ended(&self, pid: i32) -> impl Future<Output = io::Result<WaitStatus>> + use<> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.0.borrow_mut();
        if let Some(status) = state.unclaimed.remove(&pid) {
            // The receiver is here.
            let _ = sender.send(status);
        } else {
            state.waiting.insert(pid, sender);
        }
        async move { receiver.await.map_err(io::Error::other) }
    }

    /// Collects until the helper ends.
    pub(crate) async fn run(self) -> io::Result<()> {
        let mut children = signal(SignalKind::child())?;
        loop {
            while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
                let pid = pid.as_raw_nonzero().get();
                let mut state = self.0.borrow_mut();
                match state.waiting.remove(&pid) {
                    Some(waiting) => {
                        // Who waited may have left.
                        let _ = waiting.send(status);
                    }
                    None if state.launches > 0 => {
                        state.unclaimed.insert(pid, status);
                    }
                    None => (),
                }
            }
            if children.recv().await.is_none() {
                return Err(io::Error::other("no more signals"));
            }
        }
    }
}
