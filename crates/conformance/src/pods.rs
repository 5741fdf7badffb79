//! The subresources of pods. The pods are gated or bound to a node that does not exist, so that
//! neither a scheduler nor a kubelet takes part.

use crate::namespace::in_namespace;
use crate::refused;
use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Binding, Pod};
use kube::api::{EvictParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

fn pod(name: &str, further: &Value) -> Result<Pod> {
    let mut spec = json!({
        "automountServiceAccountToken": false,
        "containers": [{"name": "main", "image": "registry.example/none"}],
    });
    if let (Some(spec), Some(further)) = (spec.as_object_mut(), further.as_object()) {
        spec.extend(further.clone());
    }
    Ok(serde_json::from_value(
        json!({"metadata": {"name": name}, "spec": spec}),
    )?)
}

fn gated(name: &str) -> Result<Pod> {
    pod(
        name,
        &json!({"schedulingGates": [{"name": "example.com/hold"}]}),
    )
}

fn message(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.message.as_deref()
}

fn deadline(pod: &Pod) -> Option<i64> {
    pod.spec.as_ref()?.active_deadline_seconds
}

/// A write of the object leaves its status as it is, and a write of the status the rest.
pub async fn status_subresource(client: &Client) -> Result<()> {
    in_namespace(client, async |client, namespace| {
        let api: Api<Pod> = Api::namespaced(client, &namespace);
        let mut wanted = gated("a")?;
        wanted.status = Some(serde_json::from_value(json!({"message": "at creation"}))?);
        let created = api.create(&PostParams::default(), &wanted).await?;
        ensure!(message(&created).is_none(), "{created:?}");
        let phase = created
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref());
        ensure!(phase == Some("Pending"), "{created:?}");
        let both = Patch::Merge(json!({
            "spec": {"activeDeadlineSeconds": 100},
            "status": {"message": "set"},
        }));
        let params = PatchParams::default();
        let status = api.patch_status("a", &params, &both).await?;
        ensure!(message(&status) == Some("set"), "{status:?}");
        ensure!(deadline(&status).is_none(), "{status:?}");
        let both = Patch::Merge(json!({
            "spec": {"activeDeadlineSeconds": 200},
            "status": {"message": "changed"},
        }));
        let spec = api.patch("a", &params, &both).await?;
        ensure!(message(&spec) == Some("set"), "{spec:?}");
        ensure!(deadline(&spec) == Some(200), "{spec:?}");
        ensure!(
            api.get_status("a").await? == spec,
            "the status shows another object"
        );
        Ok(())
    })
    .await
}

/// An eviction that nothing speaks against deletes the pod; an unscheduled one goes at once.
pub async fn eviction(client: &Client) -> Result<()> {
    in_namespace(client, async |client, namespace| {
        let api: Api<Pod> = Api::namespaced(client, &namespace);
        api.create(&PostParams::default(), &gated("a")?).await?;
        let params = EvictParams {
            post_options: PostParams {
                dry_run: true,
                ..PostParams::default()
            },
            ..EvictParams::default()
        };
        ensure!(api.evict("a", &params).await?.is_success(), "dry run");
        ensure!(api.get_opt("a").await?.is_some(), "a dry run evicted it");
        let answer = api.evict("a", &EvictParams::default()).await?;
        ensure!(answer.is_success(), "{answer:?}");
        ensure!(api.get_opt("a").await?.is_none(), "it is still there");
        let again = api.evict("a", &EvictParams::default()).await;
        refused("an eviction of nothing", again, 404, "NotFound")?;
        Ok(())
    })
    .await
}

/// A pod that is bound is not bound again, and the refusal names its node.
pub async fn binding(client: &Client) -> Result<()> {
    in_namespace(client, async |client, namespace| {
        let api: Api<Pod> = Api::namespaced(client, &namespace);
        let wanted = pod("a", &json!({"nodeName": "conformance-no-such-node"}))?;
        let bound = api.create(&PostParams::default(), &wanted).await?;
        let binding: Binding = serde_json::from_value(json!({
            "metadata": {"name": "a", "namespace": bound.namespace().context("none")?},
            "target": {"apiVersion": "v1", "kind": "Node", "name": "another"},
        }))?;
        let answer: kube::Result<Value> = api
            .create_subresource("binding", "a", &PostParams::default(), &binding)
            .await;
        let status = refused("a second binding", answer, 409, "Conflict")?;
        ensure!(
            status.message
                == "Operation cannot be fulfilled on pods/binding \"a\": pod a is already \
                    assigned to node \"conformance-no-such-node\"",
            "{status:?}"
        );
        Ok(())
    })
    .await
}
