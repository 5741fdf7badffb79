use super::*;
use crate::Value;
use serde_json::json;

fn find<'a>(list: &'a Value, key: &str, name: &str) -> &'a Value {
    list.as_array()
        .unwrap()
        .iter()
        .find(|entry| entry[key] == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn roots() {
    let registry = Registry::builtin();
    let versions = api_versions(&registry, "10.0.0.1:6443");
    assert_eq!(versions["versions"], json!(["v1"]));
    let list = group_list(&registry);
    let names: Vec<_> = list["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| g["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "apiregistration.k8s.io",
            "apps",
            "events.k8s.io",
            "authentication.k8s.io",
            "authorization.k8s.io",
            "autoscaling",
            "batch",
            "certificates.k8s.io",
            "networking.k8s.io",
            "policy",
            "rbac.authorization.k8s.io",
            "storage.k8s.io",
            "admissionregistration.k8s.io",
            "apiextensions.k8s.io",
            "scheduling.k8s.io",
            "coordination.k8s.io",
            "node.k8s.io",
            "discovery.k8s.io",
            "flowcontrol.apiserver.k8s.io",
        ]
    );
    let autoscaling = group(&registry, "autoscaling").unwrap();
    assert_eq!(
        autoscaling,
        json!({
            "kind": "APIGroup",
            "apiVersion": "v1",
            "name": "autoscaling",
            "versions": [
                {"groupVersion": "autoscaling/v2", "version": "v2"},
                {"groupVersion": "autoscaling/v1", "version": "v1"},
            ],
            "preferredVersion": {"groupVersion": "autoscaling/v2", "version": "v2"},
        })
    );
    assert!(group(&registry, "").is_none());
    assert!(group(&registry, "nope").is_none());
}

#[test]
fn core_resources() {
    let list = resource_list(&Registry::builtin(), "", "v1").unwrap();
    assert_eq!(list["groupVersion"], "v1");
    let resources = &list["resources"];
    assert_eq!(
        *find(resources, "name", "pods"),
        json!({
            "name": "pods",
            "singularName": "pod",
            "namespaced": true,
            "kind": "Pod",
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
            "shortNames": ["po"],
            "categories": ["all"],
            // As a kube-apiserver lists it.
            "storageVersionHash": "xPOwRZ+Yhw8=",
        })
    );
    assert_eq!(
        find(resources, "name", "configmaps")["storageVersionHash"],
        "qFsyl6wFWjQ="
    );
    assert_eq!(
        *find(resources, "name", "pods/eviction"),
        json!({
            "name": "pods/eviction",
            "singularName": "",
            "namespaced": true,
            "group": "policy",
            "version": "v1",
            "kind": "Eviction",
            "verbs": ["create"],
        })
    );
    assert_eq!(
        *find(resources, "name", "pods/exec"),
        json!({
            "name": "pods/exec",
            "singularName": "",
            "namespaced": true,
            "kind": "PodExecOptions",
            "verbs": ["create", "get"],
        })
    );
    let names: Vec<_> = resources
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["name"].as_str().unwrap())
        .collect();
    assert!(names.is_sorted(), "{names:?}");
    assert!(
        find(resources, "name", "bindings")
            .get("storageVersionHash")
            .is_none()
    );
}

#[test]
fn versions_list_what_they_serve() {
    let registry = Registry::builtin();
    let beta = resource_list(&registry, "policy", "v1beta1").unwrap();
    assert_eq!(beta["resources"].as_array().unwrap().len(), 1);
    let apps = resource_list(&registry, "apps", "v1").unwrap();
    assert_eq!(apps["apiVersion"], "v1");
    let scale = find(&apps["resources"], "name", "deployments/scale");
    assert_eq!(
        (&scale["group"], &scale["kind"]),
        (&json!("autoscaling"), &json!("Scale"))
    );
    assert!(resource_list(&registry, "apps", "v1beta1").is_none());
    let events = resource_list(&registry, "events.k8s.io", "v1").unwrap();
    let core = resource_list(&registry, "", "v1").unwrap();
    assert_eq!(
        find(&events["resources"], "name", "events")["storageVersionHash"],
        find(&core["resources"], "name", "events")["storageVersionHash"],
    );
}

#[test]
fn aggregated_says_the_same_as_legacy() {
    let registry = Registry::builtin();
    let core = aggregated_core(&registry, "v2");
    assert_eq!(core["apiVersion"], "apidiscovery.k8s.io/v2");
    assert_eq!(core["items"].as_array().unwrap().len(), 1);
    let groups = aggregated_groups(&registry, "v2");
    let listed = group_list(&registry);
    for (item, group) in groups["items"]
        .as_array()
        .unwrap()
        .iter()
        .zip(listed["groups"].as_array().unwrap())
    {
        let name = item["metadata"]["name"].as_str().unwrap();
        assert_eq!(name, group["name"]);
        for version in item["versions"].as_array().unwrap() {
            let legacy =
                resource_list(&registry, name, version["version"].as_str().unwrap()).unwrap();
            for resource in version["resources"].as_array().unwrap() {
                let plural = resource["resource"].as_str().unwrap();
                let entry = find(&legacy["resources"], "name", plural);
                assert_eq!(entry["verbs"], resource["verbs"]);
                assert_eq!(entry["kind"], resource["responseKind"]["kind"]);
                for sub in resource["subresources"].as_array().unwrap_or(&Vec::new()) {
                    let name = format!("{plural}/{}", sub["subresource"].as_str().unwrap());
                    let entry = find(&legacy["resources"], "name", &name);
                    assert_eq!(entry["kind"], sub["responseKind"]["kind"]);
                }
            }
        }
    }
}
