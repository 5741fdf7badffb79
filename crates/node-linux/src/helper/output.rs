//! Where a container's output goes: its log, and everybody who is attached.

use super::log::{Lines, Log, Stream};
use bytes::Bytes;
use jiff::Timestamp;
use std::cell::RefCell;
use std::io;
use tokio::sync::mpsc;

/// How many pieces may wait for an attached client before the container has to.
const WAITING: usize = 64;

/// One container's outputs.
pub(crate) struct Outputs {
    log: RefCell<Option<Log>>,
    partial: RefCell<[Lines; 2]>,
    clients: RefCell<Vec<mpsc::Sender<(Stream, Bytes)>>>,
    /// The first failure to write the log.
    failure: RefCell<Option<io::Error>>,
}

fn partial(lines: &mut [Lines; 2], stream: Stream) -> &mut Lines {
    let [stdout, stderr] = lines;
    match stream {
        Stream::Stdout => stdout,
        Stream::Stderr => stderr,
    }
}

impl Outputs {
    pub(crate) fn new(log: Option<Log>) -> Self {
        Self {
            log: RefCell::new(log),
            partial: RefCell::default(),
            clients: RefCell::default(),
            failure: RefCell::default(),
        }
    }

    /// Everything from now on.
    pub(crate) fn attach(&self) -> mpsc::Receiver<(Stream, Bytes)> {
        let (sender, receiver) = mpsc::channel(WAITING);
        self.clients.borrow_mut().push(sender);
        receiver
    }

    /// Passes on a piece of output. A slow client slows the container down, as it would a
    /// program in a terminal; one that left is forgotten.
    pub(crate) async fn publish(&self, stream: Stream, bytes: Bytes) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            let mut lines = self.partial.borrow_mut();
            let lines = partial(&mut lines, stream);
            if let Err(error) = log.write(stream, lines, &bytes, Timestamp::now()) {
                self.failure.borrow_mut().get_or_insert(error);
            }
        }
        let clients = self.clients.borrow().clone();
        for client in clients {
            // One that left is removed below.
            let _ = client.send((stream, bytes.clone())).await;
        }
        self.clients.borrow_mut().retain(|c| !c.is_closed());
    }

    /// No more output will come. What went wrong with the log, if anything.
    pub(crate) fn finish(&self) -> Option<io::Error> {
        self.clients.borrow_mut().clear();
        if let Some(log) = self.log.borrow_mut().as_mut() {
            let mut lines = self.partial.borrow_mut();
            for stream in [Stream::Stdout, Stream::Stderr] {
                let lines = partial(&mut lines, stream);
                if let Err(error) = log.finish(stream, lines, Timestamp::now()) {
                    self.failure.borrow_mut().get_or_insert(error);
                }
            }
        }
        self.failure.borrow_mut().take()
    }
}
