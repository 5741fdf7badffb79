//! Encrypted stores: they keep the contract, hide their values, notice changes, and change keys.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests"
)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::executor::block_on;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use proptest::prelude::*;
use reference_models::store::MemoryStore;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use storage_api::contract::{CASES, Settings, same_as};
use storage_api::{
    Entry, Event, Events, Expected, Range, Result as StoreResult, Revision, Scan, Store, StoreError,
};
use storage_embedded::{EmbeddedStore, Options};
use storage_encryption::{EncryptedStore, Encryption, KeyFile, rotate, rotate_key_file};

const SECRET: &[u8] = b"correct horse battery staple";
const KEYS: [&str; 2] = [
    "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=",
];

fn key_file(directory: &Path) -> KeyFile {
    KeyFile::open_or_create(&directory.join("keys"), true).unwrap()
}

fn put(store: &dyn Store, key: &str, value: &[u8]) -> u64 {
    let value = Bytes::copy_from_slice(value);
    block_on(store.put(key, value, Expected::Any, None))
        .unwrap()
        .mod_revision
}

fn get(store: &dyn Store, key: &str) -> Result<Option<Bytes>, StoreError> {
    Ok(block_on(store.get(key, None))?.0.map(|entry| entry.value))
}

fn configuration(providers: &Value) -> Value {
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets", "*.apps"], "providers": providers}],
    })
}

fn provider(kind: &str, name: &str, key: &str) -> Value {
    json!({ kind: {"keys": [{"name": name, "secret": key}]} })
}

#[test]
fn an_encrypted_store_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let limit = 8192;
    let store = EncryptedStore::new(
        MemoryStore::with_value_limit(limit),
        Encryption::envelope(&key_file(directory.path())),
    );
    put(store.inner().as_ref(), "/probe", b"");
    let overhead = "k8s:enc:envelope:v1:key1:".len() + 60 + 12 + 16;
    for case in CASES {
        block_on(case.run(
            &store,
            Settings {
                value_limit: limit - overhead,
            },
        ))
        .unwrap();
    }
    let plain = MemoryStore::new();
    block_on(same_as(&store, &plain, "/oracle/", 7, 500)).unwrap();
}

fn files(directory: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        all.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    all
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[test]
fn the_stores_files_contain_no_value() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let embedded = EmbeddedStore::open(&data, Options::default()).unwrap();
    // The search finds what is there.
    put(&embedded, "/plain", b"in the clear");
    let store = EncryptedStore::new(embedded, Encryption::envelope(&key_file(directory.path())));
    let encoded = STANDARD.encode(SECRET);
    let object = format!("{{\"kind\":\"Secret\",\"data\":{{\"password\":\"{encoded}\"}}}}");
    for round in 0..20 {
        put(
            &store,
            "/registry/core/secrets/default/a",
            object.as_bytes(),
        );
        put(
            &store,
            &format!("/registry/core/configmaps/default/{round}"),
            SECRET,
        );
    }
    block_on(store.delete("/registry/core/configmaps/default/3", Expected::Any)).unwrap();
    assert_eq!(
        get(&store, "/registry/core/configmaps/default/4")
            .unwrap()
            .unwrap(),
        SECRET
    );
    block_on(store.inner().close());
    let files = files(&data);
    assert!(contains(&files, b"in the clear"));
    assert!(!contains(&files, SECRET));
    // Base64 of a part depends on where it begins in its group of three bytes.
    for skip in 0..3 {
        let part = STANDARD.encode(&SECRET[skip..skip + 24]);
        assert!(!contains(&files, part.as_bytes()));
    }
    assert!(!contains(&files, b"\"Secret\""));
}

#[test]
fn after_rotation_the_old_key_opens_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut keys = key_file(directory.path());
    let old = Encryption::envelope(&keys);
    let embedded = EmbeddedStore::open(&data, Options::default()).unwrap();
    let store = EncryptedStore::new(embedded, Encryption::envelope(&keys));
    for number in 0..600 {
        put(
            &store,
            &format!("/registry/core/secrets/default/{number:03}"),
            SECRET,
        );
    }
    let ttl = Some(Duration::from_secs(3600));
    let event = "/registry/core/events/default/e";
    block_on(store.put(event, Bytes::from_static(SECRET), Expected::Any, ttl)).unwrap();
    let before = block_on(store.revision()).unwrap();
    let mut reports = Vec::new();
    let rotation = rotate_key_file(&store, &mut keys, Encryption::envelope, |p| reports.push(p));
    let progress = block_on(rotation).unwrap();
    assert_eq!(progress.rewritten, 601);
    assert!(reports.len() >= 3 && reports.windows(2).all(|r| r[0].examined < r[1].examined));
    assert_eq!(keys.names().collect::<Vec<_>>(), ["key2"]);

    // Everything is there, at new revisions; the history before them is gone.
    let all = block_on(store.range("", None, 0, None)).unwrap().entries;
    assert_eq!(all.len(), 601);
    assert!(
        all.iter()
            .all(|entry| entry.value == SECRET && entry.mod_revision > before)
    );
    let past = block_on(store.get(event, Some(before)));
    assert!(matches!(past, Err(StoreError::Compacted { .. })));

    // With the old key nothing opens, neither from the store nor from what its files hold.
    block_on(store.inner().vacuum()).unwrap();
    block_on(store.inner().close());
    drop(store);
    let raw = files(&data);
    assert!(!contains(&raw, b"k8s:enc:envelope:v1:key1:"));
    let embedded = EmbeddedStore::open(&data, Options::default()).unwrap();
    let with_old_key = EncryptedStore::new(embedded, old);
    for number in 0..600 {
        let key = format!("/registry/core/secrets/default/{number:03}");
        assert!(matches!(
            get(&with_old_key, &key),
            Err(StoreError::Damaged { .. })
        ));
    }
}

#[test]
fn rotation_does_not_disturb_writers() {
    let directory = tempfile::tempdir().unwrap();
    let mut keys = key_file(directory.path());
    let store = EncryptedStore::new(MemoryStore::new(), Encryption::envelope(&keys));
    for number in 0..300 {
        put(&store, &format!("/registry/core/secrets/a/{number}"), b"0");
    }
    std::thread::scope(|scope| {
        let store = &store;
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                scope.spawn(move || {
                    for step in 0..400 {
                        let number = (step * 4 + writer) % 300;
                        let key = format!("/registry/core/secrets/a/{number}");
                        let entry = block_on(store.get(&key, None)).unwrap().0.unwrap();
                        let count: u64 = String::from_utf8_lossy(&entry.value).parse().unwrap();
                        let next = Bytes::from((count + 1).to_string());
                        let expected = Expected::At(entry.mod_revision);
                        match block_on(store.put(&key, next, expected, None)) {
                            Ok(_) | Err(StoreError::Conflict { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                })
            })
            .collect();
        for _ in 0..3 {
            block_on(rotate_key_file(
                store,
                &mut keys,
                Encryption::envelope,
                |_| {},
            ))
            .unwrap();
        }
        for writer in writers {
            writer.join().unwrap();
        }
    });
    assert_eq!(keys.names().collect::<Vec<_>>(), ["key4"]);
    let raw = block_on(store.inner().range("", None, 0, None))
        .unwrap()
        .entries;
    assert_eq!(raw.len(), 300);
    assert!(
        raw.iter()
            .all(|entry| entry.value.starts_with(b"k8s:enc:envelope:v1:key4:"))
    );
}

#[test]
fn upstreams_providers_store_as_upstream_does() {
    let directory = tempfile::tempdir().unwrap();
    let keys = key_file(directory.path());
    for (kind, overhead) in [("aesgcm", 28), ("aescbc", 16), ("secretbox", 40)] {
        let configuration = configuration(&json!([provider(kind, "k1", KEYS[0])]));
        let encryption = Encryption::from_configuration(&configuration, &keys).unwrap();
        let store = EncryptedStore::new(MemoryStore::new(), encryption);
        put(&store, "/registry/core/secrets/default/a", SECRET);
        put(&store, "/registry/apps/deployments/default/a", SECRET);
        put(&store, "/registry/core/configmaps/default/a", SECRET);
        put(&store, "/rampart/ca", SECRET);
        let raw = |key: &str| get(store.inner().as_ref(), key).unwrap().unwrap();
        let prefix = format!("k8s:enc:{kind}:v1:k1:");
        for key in [
            "/registry/core/secrets/default/a",
            "/registry/apps/deployments/default/a",
        ] {
            assert!(raw(key).starts_with(prefix.as_bytes()), "{kind} {key}");
            let padded = if kind == "aescbc" {
                SECRET.len() + 4
            } else {
                SECRET.len()
            };
            assert_eq!(raw(key).len(), prefix.len() + overhead + padded);
        }
        assert_eq!(raw("/registry/core/configmaps/default/a"), SECRET);
        assert!(raw("/rampart/ca").starts_with(b"k8s:enc:envelope:v1:key1:"));
        let all = block_on(store.range("", None, 0, None)).unwrap().entries;
        assert!(all.len() == 4 && all.iter().all(|entry| entry.value == SECRET));
    }
}

#[test]
fn the_first_provider_writes_and_all_read() {
    let directory = tempfile::tempdir().unwrap();
    let keys = key_file(directory.path());
    let with = |providers: Value| {
        Encryption::from_configuration(&configuration(&providers), &keys).unwrap()
    };
    let secret = "/registry/core/secrets/default/a";
    let store = EncryptedStore::new(MemoryStore::new(), with(json!([{"identity": {}}])));
    let steps = [
        (
            json!([provider("secretbox", "a", KEYS[0]), {"identity": {}}]),
            "k8s:enc:secretbox:v1:a:",
        ),
        (
            json!([
                provider("aesgcm", "a", KEYS[1]),
                provider("secretbox", "a", KEYS[0])
            ]),
            "k8s:enc:aesgcm:v1:a:",
        ),
        (
            json!([{"aesgcm": {"keys": [
                {"name": "b", "secret": KEYS[0]}, {"name": "a", "secret": KEYS[1]},
            ]}}]),
            "k8s:enc:aesgcm:v1:b:",
        ),
        // Another key of the same name is told apart by trying.
        (
            json!([provider("aescbc", "b", KEYS[0]), {"aesgcm": {"keys": [
                {"name": "b", "secret": KEYS[1]}, {"name": "b", "secret": KEYS[0]},
            ]}}]),
            "k8s:enc:aescbc:v1:b:",
        ),
        (
            json!([{"identity": {}}, provider("aescbc", "b", KEYS[0])]),
            "correct horse",
        ),
    ];
    put(&store, secret, SECRET);
    for (providers, prefix) in steps {
        store.set_encryption(with(providers));
        assert_eq!(get(&store, secret).unwrap().unwrap(), SECRET);
        let progress = block_on(rotate(&store, |_| {})).unwrap();
        assert_eq!(progress.rewritten, 1, "{prefix}");
        assert!(
            get(store.inner().as_ref(), secret)
                .unwrap()
                .unwrap()
                .starts_with(prefix.as_bytes())
        );
        assert_eq!(get(&store, secret).unwrap().unwrap(), SECRET);
    }
    store.set_encryption(with(json!([provider("aesgcm", "a", KEYS[0])])));
    assert!(
        matches!(get(&store, secret), Err(StoreError::Damaged { .. })),
        "no identity to read"
    );
}

#[test]
fn a_value_is_bound_to_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let keys = key_file(directory.path());
    let gcm = configuration(&json!([provider("aesgcm", "a", KEYS[0])]));
    for encryption in [
        Encryption::envelope(&keys),
        Encryption::from_configuration(&gcm, &keys).unwrap(),
    ] {
        let store = EncryptedStore::new(MemoryStore::new(), encryption);
        let (from, to) = (
            "/registry/core/secrets/a/admin",
            "/registry/core/secrets/b/mine",
        );
        put(&store, from, SECRET);
        let stolen = get(store.inner().as_ref(), from).unwrap().unwrap();
        put(store.inner().as_ref(), to, &stolen);
        match get(&store, to) {
            Err(StoreError::Damaged { key, why }) => {
                assert_eq!(key, to);
                assert!(!why.contains("horse"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn watches_are_decrypted() {
    let directory = tempfile::tempdir().unwrap();
    let mut keys = key_file(directory.path());
    let store = EncryptedStore::new(MemoryStore::new(), Encryption::envelope(&keys));
    let mut watch = block_on(store.watch("/", 1)).unwrap();
    put(&store, "/a", b"1");
    block_on(rotate_key_file(
        &store,
        &mut keys,
        Encryption::envelope,
        |_| {},
    ))
    .unwrap();
    put(&store, "/a", b"3");
    block_on(store.delete("/a", Expected::Any)).unwrap();
    // The first change can no longer be read: its stream ends rather than skipping it.
    let first = block_on(async {
        loop {
            match watch.next().await.unwrap() {
                Ok(batch) if batch.events.is_empty() => {}
                other => return other,
            }
        }
    });
    assert!(matches!(first, Err(StoreError::Damaged { .. })));
    let after = block_on(store.revision()).unwrap() - 3;
    let mut watch = block_on(store.watch("/", after)).unwrap();
    let events = block_on(watch.next()).unwrap().unwrap().events;
    let text = |entry: &Entry| String::from_utf8_lossy(&entry.value).into_owned();
    let values: Vec<String> = events
        .iter()
        .map(|event| match event {
            Event::Put { entry, previous } => {
                format!("{:?} to {}", previous.as_ref().map(text), text(entry))
            }
            Event::Delete { previous, .. } => format!("{:?} gone", previous.as_ref().map(text)),
        })
        .collect();
    assert_eq!(
        values,
        ["None to 1", "Some(\"1\") to 3", "Some(\"3\") gone"]
    );
}

fn encryption(kind: &str) -> Encryption {
    let directory = tempfile::tempdir().unwrap();
    let keys = key_file(directory.path());
    match kind {
        "envelope" => Encryption::envelope(&keys),
        kind => {
            let configuration = configuration(&json!([provider(kind, "a", KEYS[0])]));
            Encryption::from_configuration(&configuration, &keys).unwrap()
        }
    }
}

proptest! {
    #[test]
    fn what_is_sealed_is_opened(
        kind in prop::sample::select(vec!["envelope", "aesgcm", "aescbc", "secretbox"]),
        value: Vec<u8>,
    ) {
        let store = EncryptedStore::new(MemoryStore::new(), encryption(kind));
        let secret = "/registry/core/secrets/default/a";
        put(&store, secret, &value);
        prop_assert_eq!(get(&store, secret).unwrap().unwrap(), value);
    }

    #[test]
    fn any_flipped_bit_is_damage(
        kind in prop::sample::select(vec!["envelope", "aesgcm", "secretbox"]),
        value: Vec<u8>,
        place: prop::sample::Index,
        cut in any::<bool>(),
    ) {
        let store = EncryptedStore::new(MemoryStore::new(), encryption(kind));
        let secret = "/registry/core/secrets/default/a";
        put(&store, secret, &value);
        let mut stored = get(store.inner().as_ref(), secret).unwrap().unwrap().to_vec();
        if cut {
            stored.truncate(place.index(stored.len()));
        } else {
            let bit = place.index(stored.len() * 8);
            stored[bit / 8] ^= 1 << (bit % 8);
        }
        put(store.inner().as_ref(), secret, &stored);
        let damaged = matches!(get(&store, secret), Err(StoreError::Damaged { .. }));
        prop_assert!(damaged);
    }

    #[test]
    fn foreign_bytes_never_panic(
        kind in prop::sample::select(vec!["envelope", "aesgcm", "aescbc", "secretbox"]),
        bytes: Vec<u8>,
    ) {
        let store = EncryptedStore::new(MemoryStore::new(), encryption(kind));
        let secret = "/registry/core/secrets/default/a";
        let name = if kind == "envelope" { "key1" } else { "a" };
        let mut stored = format!("k8s:enc:{kind}:v1:{name}:").into_bytes();
        stored.extend(bytes);
        put(store.inner().as_ref(), secret, &stored);
        // By chance AES-CBC opens what it did not write.
        prop_assert!(kind == "aescbc" || get(&store, secret).is_err());
        let _ = get(&store, secret);
    }
}

/// When a [`Slow`] store stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    Never,
    Before,
    After,
}

/// A store that can be held up before or after it does what it is asked: it stands still then until
/// it is polled once more.
#[derive(Debug)]
struct Slow(MemoryStore, std::sync::Mutex<Hold>);

impl Slow {
    async fn held<T>(&self, answer: impl Future<Output = T>) -> T {
        let hold = std::mem::replace(&mut *self.1.lock().unwrap(), Hold::Never);
        if hold == Hold::Before {
            futures::pending!();
        }
        let answer = answer.await;
        if hold == Hold::After {
            futures::pending!();
        }
        answer
    }
}

impl Store for Slow {
    fn get<'a>(
        &'a self,
        key: &'a str,
        at: Option<Revision>,
    ) -> BoxFuture<'a, StoreResult<(Option<Entry>, Revision)>> {
        self.held(self.0.get(key, at)).boxed()
    }
    fn range<'a>(
        &'a self,
        prefix: &'a str,
        start: Option<&'a str>,
        limit: usize,
        at: Option<Revision>,
    ) -> BoxFuture<'a, StoreResult<Range>> {
        self.held(self.0.range(prefix, start, limit, at)).boxed()
    }
    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, StoreResult<Scan<'a>>> {
        self.held(self.0.scan(prefix)).boxed()
    }
    fn put<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        expected: Expected,
        ttl: Option<Duration>,
    ) -> BoxFuture<'a, StoreResult<Entry>> {
        self.held(self.0.put(key, value, expected, ttl)).boxed()
    }
    fn replace<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        expected: Revision,
    ) -> BoxFuture<'a, StoreResult<Entry>> {
        self.0.replace(key, value, expected)
    }
    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected,
    ) -> BoxFuture<'a, StoreResult<(Revision, Entry)>> {
        self.held(self.0.delete(key, expected)).boxed()
    }
    fn watch<'a>(
        &'a self,
        prefix: &'a str,
        after: Revision,
    ) -> BoxFuture<'a, StoreResult<BoxStream<'static, StoreResult<Events>>>> {
        self.0.watch(prefix, after)
    }
    fn revision(&self) -> BoxFuture<'_, StoreResult<Revision>> {
        self.0.revision()
    }
    fn compact(&self, revision: Revision) -> BoxFuture<'_, StoreResult<()>> {
        self.0.compact(revision)
    }
    fn size(&self) -> BoxFuture<'_, StoreResult<u64>> {
        self.0.size()
    }
}

/// Begins what `ask` asks of a store of two entries, changes the keys while that stands still, and
/// returns the answer.
fn while_rotating<T: 'static>(
    hold: Hold,
    ask: impl for<'a> Fn(&'a EncryptedStore<Slow>) -> BoxFuture<'a, StoreResult<T>>,
) -> StoreResult<T> {
    let directory = tempfile::tempdir().unwrap();
    let mut keys = key_file(directory.path());
    let slow = Slow(MemoryStore::new(), Hold::Never.into());
    let store = EncryptedStore::new(slow, Encryption::envelope(&keys));
    put(&store, "/a", SECRET);
    put(&store, "/b", SECRET);
    *store.inner().1.lock().unwrap() = hold;
    let mut asked = ask(&store);
    let mut rotation =
        rotate_key_file(&store, &mut keys, Encryption::envelope, |_| {}).boxed_local();
    block_on(async {
        // The rotation reads through the same store.
        assert!(futures::poll!(&mut asked).is_pending(), "stands still");
        // It drops the old key at once, or goes on once the write is done.
        let rotated = futures::poll!(&mut rotation);
        let answer = asked.await;
        if rotated.is_pending() {
            rotation.await.unwrap();
        }
        answer
    })
}

#[test]
fn keys_may_change_while_something_is_asked() {
    for hold in [Hold::Before, Hold::After] {
        let entry = while_rotating(hold, |store| store.get("/a", None));
        assert_eq!(entry.unwrap().0.unwrap().value, SECRET);
        let range = while_rotating(hold, |store| store.range("/", None, 10, None)).unwrap();
        assert_eq!(range.entries.len(), 2);
        assert!(range.entries.iter().all(|entry| entry.value == SECRET));
        let scanned = while_rotating(hold, |store| {
            async move {
                let scan = store.scan("/").await?;
                let pieces: Vec<_> = scan.entries.collect().await;
                pieces.into_iter().collect::<StoreResult<Vec<_>>>()
            }
            .boxed()
        });
        let scanned = scanned.unwrap().concat();
        assert_eq!(scanned.len(), 2);
        assert!(scanned.iter().all(|entry| entry.value == SECRET));
        let deleted = while_rotating(hold, |store| store.delete("/a", Expected::Any));
        assert_eq!(deleted.unwrap().1.value, SECRET);
        let kept = while_rotating(hold, |store| store.delete("/a", Expected::Absent));
        let put = while_rotating(hold, |store| {
            store.put("/a", Bytes::new(), Expected::Absent, None)
        });
        for refused in [kept.map(|(_, entry)| entry), put] {
            match refused {
                Err(StoreError::Conflict { current }) => {
                    assert_eq!(current.unwrap().value, SECRET, "{hold:?}");
                }
                other => panic!("{hold:?}: {other:?}"),
            }
        }
    }
}
