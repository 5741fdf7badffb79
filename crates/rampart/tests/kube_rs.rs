//! The conformance suite, with kube-rs, against the real binary.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use support::Cluster;

/// Runs one check of the suite as the administrator of a new cluster.
fn check(check: impl AsyncFn(&Client) -> anyhow::Result<()>) {
    let cluster = Cluster::start();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let outcome = runtime.block_on(async {
        let file = Kubeconfig::read_from(cluster.kubeconfig()).expect("a kubeconfig");
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
            .await
            .expect("a usable kubeconfig");
        let client = Client::try_from(config).expect("a client");
        check(&client).await
    });
    if let Err(error) = outcome {
        panic!("{error:?}");
    }
}

#[test]
fn the_watcher_sees_changes_in_order_and_survives_the_end_of_its_watch() {
    check(conformance::watcher_events);
}

#[test]
fn a_resumed_watch_has_no_gap_and_no_duplicate() {
    check(conformance::resumed_watch);
}

#[test]
fn a_reflector_equals_a_later_list() {
    check(conformance::reflector_equals_list);
}

#[test]
fn one_candidate_leads() {
    check(conformance::leader_election);
}

#[test]
fn managers_share_an_object() {
    check(conformance::server_side_apply);
}

#[test]
fn objects_behave() {
    check(async |client| {
        conformance::conflicts(client).await?;
        conformance::finalizers(client).await?;
        conformance::pages(client).await?;
        conformance::typed_errors(client).await
    });
}

#[test]
fn pods_have_their_subresources() {
    check(async |client| {
        conformance::status_subresource(client).await?;
        conformance::eviction(client).await?;
        conformance::binding(client).await
    });
}
