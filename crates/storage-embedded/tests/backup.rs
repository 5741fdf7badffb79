//! Backup and restore.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests"
)]

use bytes::Bytes;
use futures::executor::block_on;
use parking_lot::Mutex;
use proptest::prelude::*;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use storage_api::{Expected, Store, StoreError};
use storage_embedded::{BackupReport, EmbeddedStore, OpenError, Options, RestoreError, restore};

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn open(path: &Path) -> EmbeddedStore {
    EmbeddedStore::open(path, Options::default()).unwrap()
}

fn put(store: &EmbeddedStore, key: &str, value: &str, ttl: Option<Duration>) {
    let value = Bytes::copy_from_slice(value.as_bytes());
    block_on(store.put(key, value, Expected::Any, ttl)).unwrap();
}

fn back_up(store: &EmbeddedStore) -> (BackupReport, Vec<u8>) {
    let out = Memory::default();
    let report = block_on(store.backup(out.clone())).unwrap();
    let bytes = std::mem::take(&mut *out.0.lock());
    assert_eq!(report.bytes, bytes.len() as u64);
    (report, bytes)
}

fn sample(path: &Path) -> EmbeddedStore {
    let store = open(path);
    for number in 0..50 {
        put(
            &store,
            &format!("/a/{}", number % 20),
            &format!("value {number}"),
            None,
        );
    }
    block_on(store.delete("/a/7", Expected::Any)).unwrap();
    store
}

#[test]
fn what_is_backed_up_is_restored() {
    let directory = tempfile::tempdir().unwrap();
    let store = sample(&directory.path().join("old"));
    put(&store, "/lease", "expires", Some(Duration::from_secs(2)));
    let before = block_on(store.range("", None, 0, None)).unwrap();
    let (report, bytes) = back_up(&store);
    assert_eq!((report.revision, report.entries), (before.revision, 20));
    put(&store, "/later", "not in the backup", None);

    let place = directory.path().join("new");
    assert_eq!(restore(bytes.as_slice(), &place).unwrap(), report);
    let restored = open(&place);
    let after = block_on(restored.range("", None, 0, None)).unwrap();
    assert_eq!(after.entries, before.entries);
    assert!(after.revision > block_on(store.revision()).unwrap());
    let watch = block_on(restored.watch("", before.revision));
    assert!(
        matches!(watch, Err(StoreError::Compacted { .. })),
        "clients must list anew"
    );

    // It goes on living: leases run, writes follow.
    let mut watch = block_on(restored.watch("/lease", after.revision)).unwrap();
    block_on(async {
        use futures::StreamExt;
        while watch.next().await.unwrap().unwrap().events.is_empty() {}
    });
    assert_eq!(block_on(restored.get("/lease", None)).unwrap().0, None);
    put(&restored, "/a/1", "after", None);
    block_on(restored.close());
    let reopened = open(&place);
    assert!(block_on(reopened.revision()).unwrap() > after.revision);
}

#[test]
fn a_backup_under_load_is_of_one_revision() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&directory.path().join("old")));
    put(&store, "/pair/a", "0", None);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        move || {
            // The second always follows the first.
            for number in 1.. {
                put(&store, "/pair/a", &number.to_string(), None);
                put(&store, "/pair/b", &number.to_string(), None);
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
    });
    for round in 0..5 {
        let (report, bytes) = back_up(&store);
        let place = directory.path().join(round.to_string());
        restore(bytes.as_slice(), &place).unwrap();
        let restored = open(&place);
        let entries = block_on(restored.range("/pair/", None, 0, None))
            .unwrap()
            .entries;
        let now: Vec<_> = entries.iter().map(|entry| entry.mod_revision).collect();
        let then = block_on(store.range("/pair/", None, 0, Some(report.revision))).unwrap();
        let then: Vec<_> = then
            .entries
            .iter()
            .map(|entry| entry.mod_revision)
            .collect();
        assert_eq!(now, then);
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

#[test]
fn a_restore_needs_an_empty_directory_and_a_backup() {
    let directory = tempfile::tempdir().unwrap();
    let old = directory.path().join("old");
    let store = sample(&old);
    let (_, bytes) = back_up(&store);
    let busy = restore(bytes.as_slice(), &old);
    assert!(
        matches!(busy, Err(RestoreError::Open(OpenError::InUse { .. }))),
        "{busy:?}"
    );
    block_on(store.close());
    let full = restore(bytes.as_slice(), &old);
    assert!(
        matches!(full, Err(RestoreError::Open(OpenError::NotEmpty { .. }))),
        "{full:?}"
    );

    let foreign = directory.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("thesis.tex"), "years of work").unwrap();
    let refused = restore(bytes.as_slice(), &foreign);
    assert!(matches!(
        refused,
        Err(RestoreError::Open(OpenError::Foreign { .. }))
    ));
    assert_eq!(std::fs::read_dir(&foreign).unwrap().count(), 1);

    for wrong in [&b""[..], b"rampart backup 2\n", b"PK\x03\x04 some archive"] {
        let place = directory.path().join("new");
        assert!(matches!(
            restore(wrong, &place),
            Err(RestoreError::NotABackup)
        ));
        // What was refused is in nobody's way.
        assert_eq!(block_on(open(&place).revision()).unwrap(), 1);
        std::fs::remove_dir_all(&place).unwrap();
    }
}

#[test]
fn a_backup_that_cannot_be_written_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let store = sample(directory.path());
    assert!(matches!(
        block_on(store.backup(Full)),
        Err(StoreError::Unavailable(_))
    ));
    put(&store, "/a", "still there", None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_backup_restores_nothing(place: prop::sample::Index, cut: bool) {
        static BACKUP: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
            let directory = tempfile::tempdir().unwrap();
            back_up(&sample(directory.path())).1
        });
        let mut bytes = BACKUP.clone();
        if cut {
            bytes.truncate(place.index(bytes.len()));
        } else {
            let bit = place.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let directory = tempfile::tempdir().unwrap();
        prop_assert!(restore(bytes.as_slice(), directory.path()).is_err());
        let store = open(directory.path());
        prop_assert_eq!(block_on(store.range("", None, 0, None)).unwrap().entries.len(), 0);
    }
}
