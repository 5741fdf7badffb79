//! Server-side apply.

use crate::namespace::in_namespace;
use crate::refused;
use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const NAME: &str = "applied";

fn applied(data: Value) -> Patch<Value> {
    Patch::Apply(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME},
        "data": data,
    }))
}

fn data(object: &ConfigMap) -> Value {
    json!(object.data.clone().unwrap_or_default())
}

/// The data keys that each manager owns.
fn owners(object: &ConfigMap) -> Result<BTreeMap<String, Vec<String>>> {
    let mut owners = BTreeMap::new();
    for entry in object.managed_fields() {
        let fields = entry.fields_v1.as_ref().context("no fieldsV1")?;
        let keys = fields
            .0
            .get("f:data")
            .and_then(Value::as_object)
            .map(|data| {
                data.keys()
                    .filter(|key| *key != ".")
                    .cloned()
                    .collect::<Vec<_>>()
            })
            .unwrap_or_default();
        owners.insert(entry.manager.clone().unwrap_or_default(), keys);
    }
    Ok(owners)
}

/// Apply creates, merges what managers own, refuses to take over what another one owns and names
/// that one, takes it over by force, and removes what its only owner no longer applies.
pub async fn server_side_apply(client: &Client) -> Result<()> {
    in_namespace(client, async |client, namespace| {
        let api: Api<ConfigMap> = Api::namespaced(client, &namespace);
        let first = PatchParams::apply("first");
        let second = PatchParams::apply("second");

        let created = api
            .patch(NAME, &first, &applied(json!({"a": "1", "b": "1"})))
            .await?;
        ensure!(data(&created) == json!({"a": "1", "b": "1"}), "{created:?}");
        let again = api
            .patch(NAME, &first, &applied(json!({"a": "1", "b": "1"})))
            .await?;
        ensure!(
            again == created,
            "applying again changed {created:?} to {again:?}"
        );

        let merged = api
            .patch(NAME, &second, &applied(json!({"b": "1", "c": "2"})))
            .await?;
        ensure!(
            data(&merged) == json!({"a": "1", "b": "1", "c": "2"}),
            "{merged:?}"
        );
        let owned = owners(&merged)?;
        ensure!(
            json!(owned) == json!({"first": ["f:a", "f:b"], "second": ["f:b", "f:c"]}),
            "{owned:?}"
        );

        let change = applied(json!({"a": "2", "c": "2"}));
        let status = refused(
            "applying another's field",
            api.patch(NAME, &second, &change).await,
            409,
            "Conflict",
        )?;
        ensure!(
            status.message == "Apply failed with 1 conflict: conflict with \"first\": .data.a",
            "{status:?}"
        );
        let causes = status
            .details
            .map(|details| details.causes)
            .unwrap_or_default();
        ensure!(
            causes.len() == 1
                && causes.iter().all(|cause| {
                    cause.reason == "FieldManagerConflict"
                        && cause.message == "conflict with \"first\""
                        && cause.field == ".data.a"
                }),
            "{causes:?}"
        );
        ensure!(
            api.get(NAME).await? == merged,
            "a refused apply changed the object"
        );

        // By force; "b" stays, since the first one still owns it.
        let forced = api.patch(NAME, &second.clone().force(), &change).await?;
        ensure!(
            data(&forced) == json!({"a": "2", "b": "1", "c": "2"}),
            "{forced:?}"
        );
        let owned = owners(&forced)?;
        ensure!(
            json!(owned) == json!({"first": ["f:b"], "second": ["f:a", "f:c"]}),
            "{owned:?}"
        );

        // What nobody else owns goes with its owner.
        let less = api
            .patch(NAME, &second, &applied(json!({"c": "2"})))
            .await?;
        ensure!(data(&less) == json!({"b": "1", "c": "2"}), "{less:?}");
        Ok(())
    })
    .await
}
