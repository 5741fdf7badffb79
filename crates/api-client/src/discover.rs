//! Which kinds a cluster serves, each in one version.

use crate::{Client, chain};
use futures::stream::{self, StreamExt};
use http::Request;
use model::decode::{Format, decode};
use model::registry::Registry;
use model::{Value, meta};
use std::collections::BTreeMap;

/// Groups whose objects nobody keeps: they are computed when they are asked for.
const COMPUTED_GROUPS: [&str; 4] = [
    "metrics.k8s.io",
    "custom.metrics.k8s.io",
    "external.metrics.k8s.io",
    "subresources.kubevirt.io",
];

/// Kinds that say nothing about how a cluster is set up: events are its diary, and component
/// statuses are computed.
const PASSED_OVER: [(&str, &str); 3] = [
    ("", "events"),
    ("events.k8s.io", "events"),
    ("", "componentstatuses"),
];

/// How many requests for discovery run at once.
const AT_ONCE: usize = 8;

/// Why a request got no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The user may not.
    Forbidden(String),
    /// The user is not let in.
    Unauthorized(String),
    /// There is no such thing, or it cannot be listed.
    Absent,
    /// The page's token is too old.
    Expired,
    /// Anything else.
    Failed(String),
}

impl Refusal {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Forbidden(text) | Self::Unauthorized(text) | Self::Failed(text) => text,
            Self::Absent => "not served",
            Self::Expired => "the list changed faster than it could be read",
        }
    }
}

/// A resource that can be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listable {
    pub(crate) group: String,
    /// The version in which it is listed.
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) plural: String,
    pub(crate) namespaced: bool,
    /// All versions that serve it.
    pub(crate) versions: Vec<String>,
}

impl Client {
    /// Reads a path.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Refusal> {
        let failed = |error: &dyn std::error::Error| Refusal::Failed(chain(error));
        let request = Request::get(path)
            .header("Accept", "application/json")
            .body(Vec::new())
            .map_err(|e| failed(&e))?;
        let text = match self.inner.request_text(request).await {
            Ok(text) => text,
            Err(kube::Error::Api(status)) => {
                let message = status.message.clone();
                return Err(match status.code {
                    401 => Refusal::Unauthorized(message),
                    403 => Refusal::Forbidden(message),
                    404 | 405 => Refusal::Absent,
                    410 => Refusal::Expired,
                    code => Refusal::Failed(format!("{message} (status {code})")),
                });
            }
            Err(error) => return Err(failed(&error)),
        };
        decode(text.as_bytes(), Format::Json)
            .map(|decoded| decoded.value)
            .map_err(|e| failed(&e))
    }

    /// Everything that can be listed, by group and plural name, and the group versions that could
    /// not be asked. Each kind is listed in the version that `registry` stores, if the cluster
    /// serves that, else in the one that the cluster prefers.
    pub(crate) async fn discover(
        &self,
        registry: &Registry,
    ) -> Result<(Vec<Listable>, Vec<(String, Refusal)>), Refusal> {
        let mut wanted: Vec<(String, String)> = Vec::new();
        match self.get("/api").await {
            Ok(core) => wanted.extend(
                meta::list(&core, &["versions"])
                    .iter()
                    .filter_map(Value::as_str)
                    .map(|version| (String::new(), version.to_owned())),
            ),
            Err(Refusal::Absent) => {}
            Err(refusal) => return Err(refusal),
        }
        let groups = self.get("/apis").await?;
        for group in meta::list(&groups, &["groups"]) {
            let name = meta::text(group, &["name"]);
            if COMPUTED_GROUPS.contains(&name) {
                continue;
            }
            let preferred = meta::text(group, &["preferredVersion", "version"]);
            let mut versions: Vec<&str> = meta::list(group, &["versions"])
                .iter()
                .map(|v| meta::text(v, &["version"]))
                .collect();
            versions.sort_by_key(|version| *version != preferred);
            wanted.extend(versions.iter().map(|v| (name.to_owned(), (*v).to_owned())));
        }
        let answers: Vec<(String, String, Result<Value, Refusal>)> = stream::iter(wanted)
            .map(|(group, version)| async move {
                let path = root(&group, &version);
                let answer = self.get(&path).await;
                (group, version, answer)
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut found: BTreeMap<(String, String), Listable> = BTreeMap::new();
        let mut failed = Vec::new();
        for (group, version, answer) in answers {
            let answer = match answer {
                Ok(answer) => answer,
                Err(Refusal::Absent) => continue,
                Err(refusal) => {
                    failed.push((model::resource::api_version(&group, &version), refusal));
                    continue;
                }
            };
            for resource in meta::list(&answer, &["resources"]) {
                if let Some(listable) = listable(resource, &group, &version) {
                    merge(&mut found, listable, registry);
                }
            }
        }
        Ok((found.into_values().collect(), failed))
    }
}

/// The path of a group version.
pub(crate) fn root(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("/api/{version}")
    } else {
        format!("/apis/{group}/{version}")
    }
}

fn listable(resource: &Value, group: &str, version: &str) -> Option<Listable> {
    let plural = meta::text(resource, &["name"]);
    let can_list = meta::list(resource, &["verbs"])
        .iter()
        .any(|verb| verb == "list");
    if !can_list || plural.contains('/') || PASSED_OVER.contains(&(group, plural)) {
        return None;
    }
    Some(Listable {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: meta::text(resource, &["kind"]).to_owned(),
        plural: plural.to_owned(),
        namespaced: resource.get("namespaced") == Some(&Value::Bool(true)),
        versions: vec![version.to_owned()],
    })
}

/// Adds a version of a resource: the first that comes is listed, unless a later one is stored here.
fn merge(
    found: &mut BTreeMap<(String, String), Listable>,
    listable: Listable,
    registry: &Registry,
) {
    let key = (listable.group.clone(), listable.plural.clone());
    let stored = registry
        .by_path(&listable.group, &listable.version, &listable.plural)
        .is_some_and(|resource| resource.storage_version == listable.version);
    match found.get_mut(&key) {
        None => {
            found.insert(key, listable);
        }
        Some(known) => {
            known.versions.push(listable.version.clone());
            if stored {
                known.version = listable.version;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_version_of_each_kind_is_listed() {
        let registry = Registry::builtin();
        let mut found = BTreeMap::new();
        let scaler = json!({"name": "horizontalpodautoscalers", "kind": "HorizontalPodAutoscaler",
            "namespaced": true, "verbs": ["get", "list"]});
        for version in ["v1", "v2", "v2beta2"] {
            let listable = listable(&scaler, "autoscaling", version).unwrap();
            merge(&mut found, listable, &registry);
        }
        let scalers = found.values().next().unwrap();
        let stored = registry
            .by_path("autoscaling", "v1", "horizontalpodautoscalers")
            .unwrap();
        assert_eq!(scalers.version, stored.storage_version);
        assert_eq!(scalers.versions, ["v1", "v2", "v2beta2"]);
        for passed_over in [
            json!({"name": "pods/log", "kind": "Pod", "verbs": ["get", "list"]}),
            json!({"name": "events", "kind": "Event", "verbs": ["list"]}),
            json!({"name": "bindings", "kind": "Binding", "verbs": ["create"]}),
            json!(1),
        ] {
            assert_eq!(listable(&passed_over, "", "v1"), None);
        }
    }
}
