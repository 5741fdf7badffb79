//! What holds for objects of any kind.

use crate::namespace::in_namespace;
use crate::refused;
use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

fn configmap(name: &str) -> Result<ConfigMap> {
    Ok(serde_json::from_value(
        json!({"metadata": {"name": name, "labels": {"suite": "conformance"}}}),
    )?)
}

/// A replace or a deletion that names a version or a uid is refused when it is not the object's.
pub async fn conflicts(client: &Client) -> Result<()> {
    in_namespace(client, async |client, namespace| {
        let api: Api<ConfigMap> = Api::namespaced(client, &namespace);
        let post = PostParams::default();
        let first = api.create(&post, &configmap("a")?).await?;
        let mut wanted = first.clone();
        wanted.data = Some([("k".to_owned(), "v".to_owned())].into());
        let second = api.replace("a", &post, &wanted).await?;
        ensure!(
            second.resource_version() != first.resource_version(),
            "a change kept the version"
        );
        let unchanged = api.replace("a", &post, &second).await?;
        ensure!(
            unchanged == second,
            "a replace without change made {unchanged:?}"
        );
        let status = refused(
            "a replace with an old version",
            api.replace("a", &post, &wanted).await,
            409,
            "Conflict",
        )?;
        ensure!(
            status.message
                == "Operation cannot be fulfilled on configmaps \"a\": the object has been \
                    modified; please apply your changes to the latest version and try again",
            "{status:?}"
        );
        let old = DeleteParams::default().preconditions(Preconditions {
            resource_version: first.resource_version(),
            uid: None,
        });
        refused(
            "a deletion of an old version",
            api.delete("a", &old).await,
            409,
            "Conflict",
        )?;
        let foreign = DeleteParams::default().preconditions(Preconditions {
            resource_version: None,
            uid: Some("00000000-0000-0000-0000-000000000000".into()),
        });
        refused(
            "a deletion of another uid",
            api.delete("a", &foreign).await,
            409,
            "Conflict",
        )?;
        ensure!(
            api.get("a").await? == second,
            "a refusal changed the object"
        );
        let ours = DeleteParams::default().preconditions(Preconditions {
            resource_version: second.resource_version(),
            uid: second.uid(),
        });
        api.delete("a", &ours).await?;
        ensure!(api.get_opt("a").await?.is_none(), "it is still there");
        Ok(())
    })
    .await
}

/// An object with a finalizer stays until the last finalizer is gone, and none can be added to it
/// meanwhile.
pub async fn finalizers(client: &Client) -> Result<()> {
    in_namespace(client, async |client, namespace| {
        let api: Api<ConfigMap> = Api::namespaced(client, &namespace);
        let mut wanted = configmap("a")?;
        wanted.metadata.finalizers = Some(vec!["example.com/one".into(), "example.com/two".into()]);
        api.create(&PostParams::default(), &wanted).await?;
        let answer = api.delete("a", &DeleteParams::default()).await?;
        let deleting = answer.left().context("the answer is no object")?;
        ensure!(
            deleting.metadata.deletion_timestamp.is_some(),
            "{deleting:?}"
        );
        let patch =
            |finalizers: &[&str]| Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
        let params = PatchParams::default();
        refused(
            "a finalizer on an object that is being deleted",
            api.patch(
                "a",
                &params,
                &patch(&["example.com/one", "example.com/three"]),
            )
            .await,
            422,
            "Invalid",
        )?;
        let left = api
            .patch("a", &params, &patch(&["example.com/two"]))
            .await?;
        ensure!(left.finalizers() == ["example.com/two"], "{left:?}");
        ensure!(api.get_opt("a").await?.is_some(), "it went too early");
        api.patch("a", &params, &patch(&[])).await?;
        ensure!(api.get_opt("a").await?.is_none(), "it is still there");
        Ok(())
    })
    .await
}

/// Pages hold every object once, in order, at one version, whatever is written between them.
pub async fn pages(client: &Client) -> Result<()> {
    in_namespace(client, async |client, namespace| {
        let api: Api<ConfigMap> = Api::namespaced(client, &namespace);
        let post = PostParams::default();
        let expected: Vec<String> = (0..25).map(|n| format!("object-{n:02}")).collect();
        for name in &expected {
            api.create(&post, &configmap(name)?).await?;
        }
        let mut params = ListParams::default().limit(10);
        let mut names = Vec::new();
        let mut versions = Vec::new();
        let mut sizes = Vec::new();
        loop {
            let page = api.list(&params).await?;
            sizes.push(page.items.len());
            names.extend(
                page.items
                    .iter()
                    .map(ResourceExt::name_any)
                    .filter(|name| name != "kube-root-ca.crt"),
            );
            versions.push(page.metadata.resource_version.context("no version")?);
            let Some(token) = page.metadata.continue_.filter(|token| !token.is_empty()) else {
                break;
            };
            api.create(&post, &configmap(&format!("object-99-{}", sizes.len()))?)
                .await?;
            params = params.continue_token(&token);
        }
        ensure!(names == expected, "the pages hold {names:?}");
        ensure!(
            sizes.iter().rev().skip(1).all(|size| *size == 10),
            "{sizes:?}"
        );
        ensure!(
            versions
                .iter()
                .all(|version| Some(version) == versions.first()),
            "{versions:?}"
        );
        let selected = ListParams::default()
            .labels("suite=conformance")
            .fields("metadata.name=object-03");
        let found = api.list(&selected).await?;
        ensure!(
            found.iter().map(ResourceExt::name_any).eq(["object-03"]),
            "{found:?}"
        );
        let damaged = ListParams::default().limit(1).continue_token("no token");
        refused(
            "a damaged token",
            api.list(&damaged).await,
            400,
            "BadRequest",
        )?;
        Ok(())
    })
    .await
}

/// Refusals carry the code, the reason and the details that clients decide by.
pub async fn typed_errors(client: &Client) -> Result<()> {
    in_namespace(client, async |client, namespace| {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
        let post = PostParams::default();
        let status = refused("nothing", api.get("missing").await, 404, "NotFound")?;
        ensure!(
            status.message == "configmaps \"missing\" not found",
            "{status:?}"
        );
        let details = status.details.context("no details")?;
        ensure!(
            (details.name.as_str(), details.kind.as_str()) == ("missing", "configmaps"),
            "{details:?}"
        );
        api.create(&post, &configmap("a")?).await?;
        let status = refused(
            "the same name",
            api.create(&post, &configmap("a")?).await,
            409,
            "AlreadyExists",
        )?;
        ensure!(
            status.message == "configmaps \"a\" already exists",
            "{status:?}"
        );
        let status = refused(
            "a bad name",
            api.create(&post, &configmap("Not_A_Name")?).await,
            422,
            "Invalid",
        )?;
        let causes = status
            .details
            .map(|details| details.causes)
            .unwrap_or_default();
        ensure!(
            causes.len() == 1
                && causes.iter().all(|cause| {
                    cause.reason == "FieldValueInvalid" && cause.field == "metadata.name"
                }),
            "{causes:?}"
        );
        let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
        let secret = serde_json::from_value(json!({
            "metadata": {"name": "sealed"}, "immutable": true, "stringData": {"k": "v"},
        }))?;
        secrets.create(&post, &secret).await?;
        let patch = Patch::Merge(json!({"stringData": {"k": "w"}}));
        refused(
            "a change of an immutable secret",
            secrets
                .patch("sealed", &PatchParams::default(), &patch)
                .await,
            422,
            "Invalid",
        )?;
        let elsewhere: Api<ConfigMap> = Api::namespaced(client, "conformance-no-such-namespace");
        let status = refused(
            "a namespace that is not there",
            elsewhere.create(&post, &configmap("a")?).await,
            404,
            "NotFound",
        )?;
        ensure!(
            status.message == "namespaces \"conformance-no-such-namespace\" not found",
            "{status:?}"
        );
        Ok(())
    })
    .await
}
