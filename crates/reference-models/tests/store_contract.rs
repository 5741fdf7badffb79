//! The in-memory store keeps the contract that it is the oracle of.

use futures::executor::block_on;
use reference_models::store::MemoryStore;
use storage_api::contract::{CASES, Settings, same_as};

#[test]
fn it_keeps_the_contract() {
    let store = MemoryStore::with_value_limit(4096);
    for case in CASES {
        block_on(case.run(&store, Settings { value_limit: 4096 })).unwrap();
    }
}

#[test]
fn it_agrees_with_itself_at_other_revisions() {
    let (store, reference) = (MemoryStore::new(), MemoryStore::new());
    for seed in 0..20 {
        let prefix = format!("/oracle/{seed}/");
        block_on(same_as(&store, &reference, &prefix, seed, 100)).unwrap();
        // From here on the revisions of the two differ.
        let put = storage_api::Store::put(
            &store,
            "/elsewhere",
            bytes::Bytes::new(),
            storage_api::Expected::Any,
            None,
        );
        block_on(put).unwrap();
    }
}
