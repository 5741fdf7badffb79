//! The secrets and config maps that a pod refers to: all that its node has to read for it, and all
//! that the node may read.

use crate::containers;
use model::Value;
use model::validation::read::{get, list, text};
use std::collections::BTreeSet;

/// Names in the pod's namespace, whether the pod can start without them or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Secrets, pull secrets among them.
    pub secrets: BTreeSet<String>,
    /// Config maps.
    pub config_maps: BTreeSet<String>,
    /// Persistent volume claims, those of ephemeral volumes by the name that their controller
    /// gives them.
    pub claims: BTreeSet<String>,
}

/// What the pod refers to in its volumes, environments and pull secrets.
pub fn references(pod: &Value) -> References {
    let mut found = References::default();
    let Some(spec) = get(pod, "spec") else {
        return found;
    };
    for secret in list(spec, "imagePullSecrets") {
        note(&mut found.secrets, text(secret, "name"));
    }
    for volume in list(spec, "volumes") {
        volume_references(volume, model::meta::name(pod), &mut found);
    }
    for container in containers::all(pod) {
        for source in list(container.spec, "envFrom") {
            secret_and_config_map(source, "secretRef", "configMapRef", &mut found);
        }
        for source in list(container.spec, "env")
            .iter()
            .filter_map(|variable| get(variable, "valueFrom"))
        {
            secret_and_config_map(source, "secretKeyRef", "configMapKeyRef", &mut found);
        }
    }
    found
}

fn volume_references(volume: &Value, pod: &str, found: &mut References) {
    if let Some(secret) = get(volume, "secret") {
        note(&mut found.secrets, text(secret, "secretName"));
    }
    if let Some(config_map) = get(volume, "configMap") {
        note(&mut found.config_maps, text(config_map, "name"));
    }
    if let Some(projected) = get(volume, "projected") {
        for source in list(projected, "sources") {
            secret_and_config_map(source, "secret", "configMap", found);
        }
    }
    if let Some(claim) = get(volume, "persistentVolumeClaim") {
        note(&mut found.claims, text(claim, "claimName"));
    }
    if get(volume, "ephemeral").is_some() {
        found
            .claims
            .insert(format!("{pod}-{}", text(volume, "name")));
    }
}

fn secret_and_config_map(source: &Value, secret: &str, config_map: &str, found: &mut References) {
    if let Some(reference) = get(source, secret) {
        note(&mut found.secrets, text(reference, "name"));
    }
    if let Some(reference) = get(source, config_map) {
        note(&mut found.config_maps, text(reference, "name"));
    }
}

fn note(names: &mut BTreeSet<String>, name: &str) {
    if !name.is_empty() {
        names.insert(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_place_that_names_one_is_found() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {
            "imagePullSecrets": [{"name": "pull"}, {}],
            "volumes": [
                {"name": "a", "secret": {"secretName": "mounted"}},
                {"name": "b", "configMap": {"name": "config", "optional": true}},
                {"name": "c", "projected": {"sources": [
                    {"secret": {"name": "projected"}}, {"configMap": {"name": "joined"}}]}},
                {"name": "d", "persistentVolumeClaim": {"claimName": "claim"}},
                {"name": "scratch", "ephemeral": {}},
            ],
            "initContainers": [{"envFrom": [{"secretRef": {"name": "init"}}]}],
            "containers": [{"env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "other", "key": "k"}}},
                {"name": "C", "value": "v"}]}],
            "ephemeralContainers": [{"envFrom": [{"configMapRef": {"name": "debug"}}]}],
        }});
        let found = references(&pod);
        let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(names(&found.secrets), "init key mounted projected pull");
        assert_eq!(names(&found.config_maps), "config debug joined other");
        assert_eq!(names(&found.claims), "claim p-scratch");
    }
}
