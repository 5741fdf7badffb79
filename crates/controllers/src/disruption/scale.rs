//! Asking an owner of pods how many it wants, through the `scale` subresource.

use crate::runtime::Resolve;
use cluster_api::Cluster;
use model::{Value, meta};
use reconcile::disruption::{DisruptionError, Owner, Scale};

/// What the owner wants; none if there is no such owner.
pub(super) async fn ask(
    cluster: &dyn Cluster,
    resolve: &Resolve,
    namespace: &str,
    owner: &Owner,
) -> Result<Option<Scale>, DisruptionError> {
    let api_version = owner.api_version.as_str();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let Some((mut resource, _)) = resolve(group, version, &owner.kind) else {
        let (kind, api_version) = (owner.kind.clone(), owner.api_version.clone());
        return Err(DisruptionError::NoKind(kind, api_version));
    };
    let qualified = if group.is_empty() {
        resource.resource.clone()
    } else {
        format!("{}.{group}", resource.resource)
    };
    resource.resource.push_str("/scale");
    let answer = cluster.get(&resource, Some(namespace), &owner.name).await;
    let bytes = match answer {
        Ok(bytes) => bytes,
        // An object that is not there is named; a path that is not there is not.
        Err(status) if status.is_not_found() && status.details.name.is_empty() => {
            return Err(DisruptionError::NoScale(qualified));
        }
        Err(status) if status.is_not_found() => return Ok(None),
        Err(status) => return Err(DisruptionError::Unanswered(status.message)),
    };
    let scale: Value = serde_json::from_slice(&bytes)
        .map_err(|error| DisruptionError::Unanswered(error.to_string()))?;
    let replicas = meta::at(&scale, &["spec", "replicas"]).and_then(Value::as_i64);
    Ok((meta::uid(&scale) == owner.uid).then(|| Scale {
        uid: owner.uid.clone(),
        replicas: replicas.unwrap_or(0),
    }))
}
