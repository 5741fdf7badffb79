//! Full and failing media, damaged and foreign directories, and what stays bounded.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests"
)]

use bytes::Bytes;
use futures::StreamExt;
use futures::executor::block_on;
use proptest::prelude::*;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use storage_api::{Entry, Expected, Store, StoreError};
use storage_embedded::{EmbeddedStore, FileOperation, OpenError, Options};

fn open(path: &Path) -> EmbeddedStore {
    EmbeddedStore::open(path, Options::default()).unwrap()
}

fn put(store: &EmbeddedStore, key: &str, size: usize) -> storage_api::Result<Entry> {
    block_on(store.put(key, Bytes::from(vec![b'v'; size]), Expected::Any, None))
}

fn all(store: &EmbeddedStore) -> Vec<Entry> {
    block_on(store.range("", None, 0, None)).unwrap().entries
}

fn sample(path: &Path) -> Vec<Entry> {
    let store = open(path);
    for number in 0..60 {
        put(&store, &format!("/{}", number % 40), 900).unwrap();
    }
    block_on(store.delete("/11", Expected::Any)).unwrap();
    let entries = all(&store);
    block_on(store.close());
    entries
}

/// A medium that fails on demand.
fn failing(
    fails: impl Fn(FileOperation) -> Option<ErrorKind> + Send + Sync + 'static,
) -> (Options, Arc<AtomicBool>) {
    let on = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&on);
    let interpose = move |operation| match fails(operation) {
        Some(kind) if switch.load(Ordering::SeqCst) => Err(io::Error::from(kind)),
        _ => Ok(()),
    };
    (
        Options {
            interpose: Some(Arc::new(interpose)),
            ..Options::default()
        },
        on,
    )
}

fn fails_and_recovers(options: Options, on: &AtomicBool, is_expected: fn(&StoreError) -> bool) {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path(), options).unwrap();
    let mut watch = block_on(store.watch("/", 1)).unwrap();
    for round in 0..3 {
        put(&store, &format!("/before/{round}"), 500).unwrap();
        let before = all(&store);
        let revision = block_on(store.revision()).unwrap();
        on.store(true, Ordering::SeqCst);
        for number in 0..5 {
            // Large enough to make the file grow.
            let refused = put(&store, &format!("/refused/{number}"), 1_500_000).unwrap_err();
            assert!(is_expected(&refused), "{refused:?}");
        }
        on.store(false, Ordering::SeqCst);
        put(&store, &format!("/after/{round}"), 1_500_000).unwrap();
        assert_eq!(block_on(store.revision()).unwrap(), revision + 1);
        let after = all(&store);
        assert_eq!(after.len(), before.len() + 1);
        assert!(
            before.iter().all(|entry| after.contains(entry)),
            "nothing is half-applied"
        );
    }
    // Watchers have seen what has happened and nothing else.
    let mut revisions = Vec::new();
    while revisions.len() < 6 {
        let batch = block_on(watch.next()).unwrap().unwrap();
        revisions.extend(batch.events.iter().map(storage_api::Event::revision));
    }
    assert_eq!(revisions, [2, 3, 4, 5, 6, 7]);
    let before = all(&store);
    block_on(store.close());
    assert_eq!(all(&open(directory.path())), before);
}

#[test]
fn a_file_that_cannot_grow_is_full_and_recovers() {
    // As a limit on the size of files or a quota would have it.
    let (options, on) = failing(|operation| {
        let too_large = matches!(operation, FileOperation::SetLength(size) if size > 6 << 20);
        too_large.then_some(ErrorKind::FileTooLarge)
    });
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path(), options).unwrap();
    on.store(true, Ordering::SeqCst);
    let mut written = 0;
    let refused = loop {
        match put(&store, &format!("/{written}"), 200_000) {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100, "the file holds more than it can");
    };
    assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
    assert_eq!(all(&store).len(), written, "reads still work");
    assert_eq!(block_on(store.revision()).unwrap(), written as u64 + 1);
    on.store(false, Ordering::SeqCst);
    put(&store, "/after", 200_000).unwrap();
    block_on(store.close());
    assert_eq!(all(&open(directory.path())).len(), written + 1);
}

#[test]
fn writes_without_space_are_refused_as_full_and_recover() {
    let (options, on) = failing(|operation| {
        let large = matches!(operation, FileOperation::Write(size) if size > 1_000_000);
        large.then_some(ErrorKind::StorageFull)
    });
    fails_and_recovers(options, &on, |error| matches!(error, StoreError::Full(_)));
}

#[test]
fn a_medium_that_takes_nothing_at_all_recovers() {
    let (options, on) = failing(|operation| {
        (!matches!(operation, FileOperation::Read(_))).then_some(ErrorKind::StorageFull)
    });
    fails_and_recovers(options, &on, |error| {
        matches!(error, StoreError::Full(_) | StoreError::Unavailable(_))
    });
}

#[test]
fn a_failed_sync_acknowledges_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (options, on) =
        failing(|operation| (operation == FileOperation::Sync).then_some(ErrorKind::Other));
    let store = EmbeddedStore::open(directory.path(), options).unwrap();
    put(&store, "/a", 10).unwrap();
    on.store(true, Ordering::SeqCst);
    let refused = put(&store, "/b", 10).unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
    on.store(false, Ordering::SeqCst);
    // Whether it took place or not is decided now, once.
    let after = put(&store, "/c", 10).unwrap().mod_revision;
    let found = all(&store);
    assert_eq!(found.len() as u64, after - 1);
    block_on(store.close());
    assert_eq!(all(&open(directory.path())), found);
}

#[test]
fn a_full_file_system_is_full_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=12m", "none"])
        .arg(directory.path())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: a small file system can only be mounted by root");
        return;
    }
    struct Unmount<'a>(&'a Path);
    impl Drop for Unmount<'_> {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(self.0).status();
        }
    }
    let _unmount = Unmount(directory.path());
    // Once with the reserve that lets deletes pass, once running into the wall.
    for reserve_bytes in [4 << 20, 0] {
        let data = directory.path().join("data");
        let options = Options {
            reserve_bytes,
            ..Options::default()
        };
        let store = EmbeddedStore::open(&data, options).unwrap();
        let ballast = directory.path().join("ballast");
        std::fs::write(&ballast, vec![0; 4 << 20]).unwrap();
        let mut written = 0;
        let refused = loop {
            match put(&store, &format!("/{written}"), 100_000) {
                Ok(_) => written += 1,
                Err(error) => break error,
            }
            assert!(written < 200, "12 MiB hold no 20 MB");
        };
        assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
        if reserve_bytes > 0 {
            assert_eq!(all(&store).len(), written, "reads work on a full disk");
            block_on(store.delete("/0", Expected::Any)).unwrap();
            put(&store, "/0", 100_000).unwrap_err();
            written -= 1;
        }
        std::fs::remove_file(&ballast).unwrap();
        put(&store, "/after", 100_000).unwrap();
        assert_eq!(all(&store).len(), written + 1);
        block_on(store.close());
        assert_eq!(all(&open(&data)).len(), written + 1);
        std::fs::remove_dir_all(&data).unwrap();
    }
}

#[test]
fn one_directory_has_one_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let second = EmbeddedStore::open(directory.path(), Options::default()).unwrap_err();
    let holder = format!("is in use by process {}", std::process::id());
    assert!(second.to_string().contains(&holder), "{second}");
    assert!(matches!(second, OpenError::InUse { .. }));
    drop(store);
    open(directory.path());
}

#[test]
fn directories_of_others_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let foreign = directory.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("notes.txt"), "mine").unwrap();
    std::fs::set_permissions(&foreign, std::fs::Permissions::from_mode(0o755)).unwrap();
    let refused = EmbeddedStore::open(&foreign, Options::default());
    assert!(
        matches!(refused, Err(OpenError::Foreign { .. })),
        "{refused:?}"
    );
    assert_eq!(std::fs::read_dir(&foreign).unwrap().count(), 1);
    assert_eq!(
        std::fs::metadata(&foreign).unwrap().permissions().mode() & 0o777,
        0o755
    );

    let file = directory.path().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    assert!(matches!(
        EmbeddedStore::open(&file, Options::default()),
        Err(OpenError::Io { .. })
    ));

    let later = directory.path().join("later");
    sample(&later);
    std::fs::write(later.join("FORMAT"), "rampart embedded store, format 2\n").unwrap();
    let refused = EmbeddedStore::open(&later, Options::default());
    assert!(
        matches!(refused, Err(OpenError::Format { .. })),
        "{refused:?}"
    );
}

#[test]
fn only_the_owner_can_read_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("a/b");
    sample(&data);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_store_that_is_gone_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    sample(directory.path());
    std::fs::write(directory.path().join("store.redb"), "").unwrap();
    let refused = EmbeddedStore::open(directory.path(), Options::default()).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_damaged_file_is_refused_or_harmless(
        place: prop::sample::Index, length in 1_usize..64, bits: u8, cut in 0_u8..10,
    ) {
        static SAMPLE: std::sync::LazyLock<(Vec<u8>, Vec<u8>, Vec<Entry>)> =
            std::sync::LazyLock::new(|| {
                let directory = tempfile::tempdir().unwrap();
                let entries = sample(directory.path());
                let read = |name| std::fs::read(directory.path().join(name)).unwrap();
                (read("store.redb"), read("CLEAN"), entries)
            });
        let (file, clean, entries) = &*SAMPLE;
        let mut file = file.clone();
        let at = place.index(file.len());
        if cut == 0 {
            file.truncate(at);
        } else {
            for byte in file.iter_mut().skip(at).take(length) {
                *byte ^= bits | 1;
            }
        }
        let directory = tempfile::tempdir().unwrap();
        drop(open(directory.path()));
        std::fs::write(directory.path().join("store.redb"), &file).unwrap();
        std::fs::write(directory.path().join("CLEAN"), clean).unwrap();
        match EmbeddedStore::open(directory.path(), Options::default()) {
            Ok(store) => prop_assert_eq!(&all(&store), entries, "damage at {} went unnoticed", at),
            Err(OpenError::Damaged { .. }) => {}
            Err(other) => prop_assert!(false, "{:?}", other),
        }
    }
}

#[test]
fn compaction_keeps_the_file_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let churn = || {
        for round in 0..40 {
            let puts = (0..50).map(|number| {
                let value = Bytes::from(vec![round; 2000]);
                let key = format!("/{number}");
                let store = &store;
                async move { store.put(&key, value, Expected::Any, None).await }
            });
            let written = block_on(futures::future::try_join_all(puts)).unwrap();
            let newest = written
                .iter()
                .map(|entry| entry.mod_revision)
                .max()
                .unwrap();
            block_on(store.compact(newest)).unwrap();
        }
        block_on(store.size()).unwrap()
    };
    churn();
    let early = churn();
    for _ in 0..3 {
        churn();
    }
    let late = churn();
    assert!(late <= early * 2, "{early} bytes became {late}");
    let before = all(&store);
    block_on(store.vacuum()).unwrap();
    let least = block_on(store.size()).unwrap();
    assert!(least < 1 << 20, "{least} bytes for 100,000 of values");
    assert_eq!(all(&store), before);
    block_on(store.close());
    assert_eq!(all(&open(directory.path())), before);
}

#[test]
fn a_vacuum_leaves_nothing_of_old_values() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let write = |value: &str| {
        let value = Bytes::from(value.repeat(20));
        block_on(store.put("/a", value, Expected::Any, None))
            .unwrap()
            .mod_revision
    };
    let mut watch = block_on(store.watch("/", 1)).unwrap();
    write("old value");
    let newest = write("new value");
    block_on(store.compact(newest)).unwrap();
    block_on(store.vacuum()).unwrap();
    // Open watches and later writes do not mind.
    let last = write("last value");
    let mut seen = Vec::new();
    while seen.last() != Some(&last) {
        let batch = block_on(watch.next()).unwrap().unwrap();
        seen.extend(batch.events.iter().map(storage_api::Event::revision));
    }
    assert_eq!(seen, [2, 3, 4]);
    block_on(store.close());
    let file = std::fs::read(directory.path().join("store.redb")).unwrap();
    let contains = |text: &str| file.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(!contains("old value") && contains("new value") && contains("last value"));
}

#[test]
fn a_closed_store_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    put(&store, "/a", 10).unwrap();
    let mut watch = block_on(store.watch("/", 2)).unwrap();
    block_on(store.close());
    block_on(store.close());
    assert!(matches!(
        put(&store, "/b", 10),
        Err(StoreError::Unavailable(_))
    ));
    assert!(matches!(
        block_on(store.get("/a", None)),
        Err(StoreError::Unavailable(_))
    ));
    assert!(matches!(
        block_on(store.compact(2)),
        Err(StoreError::Unavailable(_))
    ));
    assert!(block_on(store.watch("/", 2)).is_err());
    let end = block_on(async {
        loop {
            match watch.next().await {
                Some(Ok(batch)) => assert!(batch.events.is_empty()),
                end => return end,
            }
        }
    });
    assert!(
        matches!(end, Some(Err(StoreError::Unavailable(_)))),
        "{end:?}"
    );
    assert!(block_on(watch.next()).is_none());
    let again = open(directory.path());
    assert_eq!(all(&again).len(), 1);
}
