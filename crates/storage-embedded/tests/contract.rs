//! The embedded store keeps the contract, and does as the oracle does.

use futures::executor::block_on;
use proptest::prelude::*;
use reference_models::store::MemoryStore;
use storage_api::Store;
use storage_api::contract::{CASES, Settings, same_as};
use storage_embedded::{EmbeddedStore, Options};

#[test]
fn it_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path(), Options::default()).unwrap();
    for case in CASES {
        block_on(case.run(
            &store,
            Settings {
                value_limit: 1_572_864,
            },
        ))
        .unwrap();
    }
}

#[test]
fn it_keeps_the_contract_with_hardly_any_buffers() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        cache_bytes: 64 << 10,
        watch_buffer: 2,
        value_limit: 4096,
        ..Options::default()
    };
    let store = EmbeddedStore::open(directory.path(), options).unwrap();
    for case in CASES {
        block_on(case.run(&store, Settings { value_limit: 4096 })).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn it_does_as_the_oracle_does(seed: u64, steps in 1_usize..300) {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path(), Options::default()).unwrap();
        let reference = MemoryStore::new();
        block_on(same_as(&store, &reference, "/a/", seed, steps)).unwrap();
    }

    #[test]
    fn it_goes_on_after_a_restart_as_the_oracle_does(seed: u64, rounds in 1_u64..6) {
        let directory = tempfile::tempdir().unwrap();
        let reference = MemoryStore::new();
        for round in 0..rounds {
            let store = EmbeddedStore::open(directory.path(), Options::default()).unwrap();
            let revision = block_on(store.revision()).unwrap();
            prop_assert_eq!(revision, block_on(reference.revision()).unwrap());
            block_on(same_as(&store, &reference, &format!("/{round}/"), seed ^ round, 60)).unwrap();
            let found = block_on(store.range("", None, 0, None)).unwrap().entries;
            let expected = block_on(reference.range("", None, 0, None)).unwrap().entries;
            prop_assert_eq!(found, expected);
        }
    }
}
