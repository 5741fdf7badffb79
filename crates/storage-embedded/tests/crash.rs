//! Killed at any instant, the store has every acknowledged write and no other history than it had.
//!
//! A child process writes and prints what was acknowledged; the parent kills it after a random
//! number of acknowledgements and compares.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

use bytes::Bytes;
use futures::StreamExt;
use futures::executor::block_on;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use storage_api::{Event, Expected, Store, StoreError};
use storage_embedded::{EmbeddedStore, Options};

const DIRECTORY: &str = "STORAGE_CRASH_DIRECTORY";
const ROUNDS: u64 = 110;
const WRITERS: u64 = 6;

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // The parent may be about to kill this process.
    let _ = out
        .write_all(format!("{line}\n").as_bytes())
        .and_then(|()| out.flush());
}

/// The child: writes until it is killed. Not a test by itself.
#[test]
#[ignore = "run by the other test in a process of its own"]
fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let store = EmbeddedStore::open(Path::new(&directory), Options::default()).unwrap();
    let store = &store;
    let start = block_on(store.revision()).unwrap();
    let newest = &AtomicU64::new(start);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || write(store, writer, start, newest));
        }
        // History is forgotten meanwhile, so that kills hit compaction as well.
        scope.spawn(move || {
            loop {
                let newest = newest.load(Ordering::Relaxed);
                block_on(store.compact(newest.saturating_sub(60))).unwrap();
            }
        });
    });
}

fn write(store: &EmbeddedStore, writer: u64, start: u64, newest: &AtomicU64) {
    let mut state = start * 31 + writer * 7 + 1;
    for count in 0.. {
        let choice = random(&mut state);
        let key = format!("/{writer}/{}", choice % 20);
        let current = block_on(store.get(&key, None)).unwrap().0;
        let expected = current
            .as_ref()
            .map_or(Expected::Absent, |entry| Expected::At(entry.mod_revision));
        if current.is_some() && choice.is_multiple_of(5) {
            let (revision, _) = block_on(store.delete(&key, expected)).unwrap();
            newest.fetch_max(revision, Ordering::Relaxed);
            say(&format!("ack {revision} {key} -"));
        } else {
            let size = usize::try_from(choice % 3000).unwrap();
            let value = format!("{start}.{writer}.{count}.{}", "x".repeat(size));
            let ttl = choice
                .is_multiple_of(7)
                .then_some(Duration::from_secs(3600));
            let put = store.put(&key, Bytes::from(value.clone()), expected, ttl);
            let revision = block_on(put).unwrap().mod_revision;
            newest.fetch_max(revision, Ordering::Relaxed);
            say(&format!("ack {revision} {key} {value}"));
        }
    }
}

/// Runs the child until it has acknowledged `enough` writes, kills it, and returns all that it has
/// acknowledged.
fn killed_after(directory: &Path, enough: u64) -> BTreeMap<u64, (String, Option<String>)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "child",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut acknowledged = BTreeMap::new();
    let mut killed = false;
    loop {
        if !killed && acknowledged.len() as u64 >= enough {
            child.kill().unwrap();
            killed = true;
        }
        // After the kill, what is still in the pipe was acknowledged before.
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap() == 0 {
            break;
        }
        // The harness of the child's test prints, too, and the last line may be cut short.
        let Some(line) = line.strip_suffix('\n') else {
            continue;
        };
        let Some((_, line)) = line.split_once("ack ") else {
            continue;
        };
        let [revision, key, value] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!()
        };
        let value = (value != "-").then(|| value.to_owned());
        let was = acknowledged.insert(revision.parse().unwrap(), (key.to_owned(), value));
        assert_eq!(was, None, "revision {revision} was given out twice");
    }
    assert!(killed, "the child has ended by itself");
    child.wait().unwrap();
    acknowledged
}

#[test]
fn nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let mut state = 0x9E37_79B9_7F4A_7C15;
    let mut known = 1;
    let mut total = 0;
    for round in 0..ROUNDS {
        let enough = match round % 10 {
            0 => 0,
            1 => 1,
            _ => random(&mut state) % 120,
        };
        let acknowledged = killed_after(directory.path(), enough);
        total += acknowledged.len();
        let store = EmbeddedStore::open(directory.path(), Options::default()).unwrap();
        let newest = block_on(store.revision()).unwrap();
        if let Some((first, _)) = acknowledged.first_key_value() {
            assert!(*first > known, "revision {first} was given out again");
        }
        if let Some((last, _)) = acknowledged.last_key_value() {
            assert!(newest >= *last, "the store has lost revisions up to {last}");
        }
        verify(&store, known, newest, &acknowledged);
        // What is written now must not take a revision that was there.
        let put = store.put("/parent", Bytes::new(), Expected::Any, None);
        known = block_on(put).unwrap().mod_revision;
        assert_eq!(known, newest + 1);
        // Half of the time the next child finds a store that was not closed in order.
        if round % 2 == 0 {
            block_on(store.close());
        }
    }
    assert!(total > 1000, "only {total} writes were acknowledged");
}

fn verify(
    store: &EmbeddedStore,
    known: u64,
    newest: u64,
    acknowledged: &BTreeMap<u64, (String, Option<String>)>,
) {
    // Every change since the last round is seen once, in order; earlier ones may be compacted.
    let compacted = match block_on(store.watch("", known)) {
        Ok(_) => known,
        Err(StoreError::Compacted { oldest, .. }) => oldest,
        Err(error) => panic!("{error}"),
    };
    let mut watch = block_on(store.watch("", compacted)).unwrap();
    let mut events = Vec::new();
    let mut reached = 0;
    while reached < newest {
        let batch = block_on(watch.next()).unwrap().unwrap();
        events.extend(batch.events);
        reached = batch.revision;
    }
    let revisions: Vec<u64> = events.iter().map(Event::revision).collect();
    assert_eq!(revisions, (compacted + 1..=newest).collect::<Vec<_>>());
    for event in &events {
        if let Some((key, value)) = acknowledged.get(&event.revision()) {
            let (found_key, found) = match event {
                Event::Put { entry, .. } => (&entry.key, Some(&*entry.value)),
                Event::Delete { key, .. } => (key, None),
            };
            assert_eq!(&**found_key, key);
            assert_eq!(found, value.as_ref().map(String::as_bytes));
        }
    }
    // The last acknowledged write of each key is there, unless a later one has replaced it.
    let mut last = BTreeMap::new();
    for (revision, (key, value)) in acknowledged {
        last.insert(key, (*revision, value));
    }
    for (key, (revision, value)) in last {
        let (found, _) = block_on(store.get(key, None)).unwrap();
        let replaced = events
            .iter()
            .any(|event| event.revision() > revision && **event.key() == **key);
        if !replaced {
            assert_eq!(
                found
                    .as_ref()
                    .map(|entry| (entry.mod_revision, &*entry.value)),
                value.as_ref().map(|value| (revision, value.as_bytes())),
                "{key}"
            );
        }
    }
}
