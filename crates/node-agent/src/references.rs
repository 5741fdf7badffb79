//! The secrets and config maps without which a pod does not start.

use model::{Value, meta};
use std::fmt;

/// A secret or config map (or a key of one) that a pod needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// `secrets` or `configmaps`.
    pub(crate) resource: &'static str,
    /// Its name.
    pub(crate) name: String,
    key: Option<String>,
    /// The volume that mounts it; `None` for environment variables.
    volume: Option<String>,
}

/// What is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    reference: Reference,
    key: Option<String>,
}

impl Reference {
    /// What of this is missing, given the object (`Null` if there is none).
    pub(crate) fn missing_in(&self, object: &Value) -> Option<Missing> {
        let missing = |key: Option<&String>| {
            Some(Missing {
                reference: self.clone(),
                key: key.cloned(),
            })
        };
        if object.is_null() {
            return missing(None);
        }
        let key = self.key.as_ref()?;
        let has = |field: &str| meta::at(object, &[field]).is_some_and(|d| d.get(key).is_some());
        if has("data") || has("binaryData") {
            None
        } else {
            missing(Some(key))
        }
    }
}

impl Missing {
    /// The container's waiting reason, as kubelet's.
    pub(crate) fn state(&self) -> &'static str {
        if self.reference.volume.is_some() {
            "ContainerCreating"
        } else {
            "CreateContainerConfigError"
        }
    }

    /// The event's reason, as kubelet's.
    pub(crate) fn reason(&self) -> &'static str {
        if self.reference.volume.is_some() {
            "FailedMount"
        } else {
            "Failed"
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reference {
            resource,
            name,
            volume,
            ..
        } = &self.reference;
        let kind = resource.trim_end_matches('s');
        if let Some(volume) = volume {
            write!(f, "MountVolume.SetUp failed for volume \"{volume}\" : ")?;
        }
        match &self.key {
            None => write!(f, "{kind} \"{name}\" not found"),
            Some(key) => write!(f, "couldn't find key {key} in {kind} {name}"),
        }
    }
}

/// Everything the pod needs, in the order in which a node would come across it.
pub(crate) fn required(pod: &Value) -> Vec<Reference> {
    let mut all = Vec::new();
    for volume in meta::list(pod, &["spec", "volumes"]) {
        let name = meta::text(volume, &["name"]);
        let mut mounted = |source: Option<&Value>, resource, field: &str| {
            push(&mut all, source, resource, field, Some(name));
        };
        mounted(meta::at(volume, &["secret"]), "secrets", "secretName");
        mounted(meta::at(volume, &["configMap"]), "configmaps", "name");
        for source in meta::list(volume, &["projected", "sources"]) {
            mounted(meta::at(source, &["secret"]), "secrets", "name");
            mounted(meta::at(source, &["configMap"]), "configmaps", "name");
        }
    }
    for field in ["initContainers", "containers"] {
        for container in meta::list(pod, &["spec", field]) {
            for source in meta::list(container, &["envFrom"]) {
                push(
                    &mut all,
                    meta::at(source, &["secretRef"]),
                    "secrets",
                    "name",
                    None,
                );
                push(
                    &mut all,
                    meta::at(source, &["configMapRef"]),
                    "configmaps",
                    "name",
                    None,
                );
            }
            for env in meta::list(container, &["env"]) {
                let from = |kind: &str| meta::at(env, &["valueFrom", kind]);
                push(&mut all, from("secretKeyRef"), "secrets", "name", None);
                push(
                    &mut all,
                    from("configMapKeyRef"),
                    "configmaps",
                    "name",
                    None,
                );
            }
        }
    }
    all
}

fn push(
    all: &mut Vec<Reference>,
    source: Option<&Value>,
    resource: &'static str,
    field: &str,
    volume: Option<&str>,
) {
    let Some(source) = source else { return };
    let name = meta::text(source, &[field]).to_owned();
    let optional = meta::at(source, &["optional"])
        .and_then(Value::as_bool)
        .unwrap_or_default();
    if name.is_empty() || optional {
        return;
    }
    let volume = volume.map(str::to_owned);
    let whole = Reference {
        resource,
        name,
        key: None,
        volume,
    };
    let keys: Vec<&str> = match meta::text(source, &["key"]) {
        "" => meta::list(source, &["items"])
            .iter()
            .map(|i| meta::text(i, &["key"]))
            .collect(),
        key => vec![key],
    };
    if keys.is_empty() {
        all.push(whole);
        return;
    }
    all.extend(keys.into_iter().map(|key| Reference {
        key: Some(key.to_owned()),
        ..whole.clone()
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_pod_needs_and_what_is_missing() {
        let pod = json!({ "spec": {
            "volumes": [
                { "name": "v", "secret": { "secretName": "s" } },
                { "name": "o", "secret": { "secretName": "gone", "optional": true } },
                { "name": "p", "projected": { "sources": [
                    { "serviceAccountToken": { "path": "token" } },
                    { "configMap": { "name": "ca", "items": [{ "key": "ca.crt", "path": "x" }] } },
                ] } },
            ],
            "containers": [{ "env": [
                { "name": "A", "value": "plain" },
                { "name": "B", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } },
            ] }],
        } });
        let needed = required(&pod);
        let texts: Vec<Vec<String>> = [Value::Null, json!({ "data": { "k": "" } })]
            .iter()
            .map(|object| {
                needed
                    .iter()
                    .filter_map(|r| r.missing_in(object))
                    .map(|m| m.to_string())
                    .collect()
            })
            .collect();
        assert_eq!(
            texts[0],
            [
                "MountVolume.SetUp failed for volume \"v\" : secret \"s\" not found",
                "MountVolume.SetUp failed for volume \"p\" : configmap \"ca\" not found",
                "secret \"s\" not found",
            ]
        );
        assert_eq!(
            texts[1],
            [
                "MountVolume.SetUp failed for volume \"p\" : couldn't find key ca.crt in configmap \
                 ca",
            ]
        );
    }
}
