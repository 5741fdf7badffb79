//! A namespace for each check.

use anyhow::Result;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{DeleteParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt};
use serde_json::json;

/// Runs `check` in a new namespace, whose default service account is there, and deletes the
/// namespace after it, whatever the outcome.
pub(crate) async fn in_namespace<F>(
    client: &Client,
    check: impl FnOnce(Client, String) -> F,
) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let wanted = serde_json::from_value(json!({"metadata": {"generateName": "conformance-"}}))?;
    let name = namespaces
        .create(&PostParams::default(), &wanted)
        .await?
        .name_any();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &name);
    await_condition(accounts, "default", |account: Option<&ServiceAccount>| {
        account.is_some()
    })
    .await?;
    let outcome = check(client.clone(), name.clone()).await;
    namespaces.delete(&name, &DeleteParams::default()).await?;
    outcome
}
