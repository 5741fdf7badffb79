//! Whose the fields of an object are after a write.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use admission::{Chain, Lookup, Plugin, Request};
use common::{Cluster, config_map};
use model::status::Status;
use model::{Value, meta};
use serde_json::json;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// Adds to every object.
struct Adds;

impl Plugin for Adds {
    fn name(&self) -> &'static str {
        "Adds"
    }

    fn mutate(&self, request: &mut Request<'_>, _: &dyn Lookup) -> Result<(), Status> {
        meta::set(&mut request.object, &["data", "added"], "by admission");
        Ok(())
    }
}

fn owned(object: &Value) -> Vec<(&str, &Value)> {
    meta::list(object, &["metadata", "managedFields"])
        .iter()
        .map(|entry| (meta::text(entry, &["operation"]), &entry["fieldsV1"]))
        .collect()
}

#[tokio::test]
async fn what_admission_adds_belongs_to_nobody() {
    let cluster = Cluster::with(|config| {
        config.admission = Chain::new(vec![Box::new(Adds)]);
    })
    .await;
    let made = cluster
        .post(MAPS, config_map("a", json!({}), json!({"mine": "1"})))
        .await
        .expect(201)
        .json();
    assert_eq!(made["data"]["added"], "by admission");
    let mine = json!({"f:data": {".": {}, "f:mine": {}}});
    assert_eq!(owned(&made), [("Update", &mine)]);
    let path = format!("{MAPS}/a");
    let changed = cluster
        .patch(&path, "merge-patch+json", json!({"data": {"mine": "2"}}))
        .await
        .expect(200)
        .json();
    assert_eq!(owned(&changed), [("Update", &mine)]);
    // So that somebody who applies it does not come into conflict over it.
    let applied = cluster
        .patch(
            &format!("{path}?fieldManager=other"),
            "apply-patch+yaml",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
                "data": {"added": "by hand"}}),
        )
        .await
        .expect(200)
        .json();
    assert_eq!(applied["data"]["added"], "by admission");
}

#[tokio::test]
async fn the_time_of_creation_stays_whatever_a_client_sends() {
    let cluster = Cluster::start().await;
    let made = cluster
        .post(MAPS, config_map("a", json!({}), json!({})))
        .await
        .expect(201)
        .json();
    let changed = cluster
        .patch(
            &format!("{MAPS}/a"),
            "merge-patch+json",
            json!({"metadata": {"creationTimestamp": "2020-02-02T00:00:00Z"}}),
        )
        .await
        .expect(200)
        .json();
    assert_eq!(
        made["metadata"]["creationTimestamp"],
        changed["metadata"]["creationTimestamp"]
    );
}
