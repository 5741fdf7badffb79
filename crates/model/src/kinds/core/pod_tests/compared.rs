//! Cases whose outcome was compared with upstream 1.33.4.

use super::super::*;
use super::{c, check, minimal, put, texts};

#[test]
fn references_and_resources() {
    let subdomain = "a lowercase RFC 1123 subdomain";
    check(vec![
        (
            vec![(
                c("/env/0"),
                json!({"name": "A", "valueFrom": {"secretKeyRef": {"name": "A_", "key": "k"}}}),
            )],
            vec![
                "spec.containers[0].env[0].valueFrom.secretKeyRef.name: Invalid value: \"A_\": a \
                 lowercase RFC 1123 subdomain",
            ],
        ),
        (
            vec![(c("/envFrom/0"), json!({"configMapRef": {"name": "A_"}}))],
            vec![Box::leak(
                format!(
                    "spec.containers[0].envFrom[0].configMapRef.name: Invalid value: \"A_\": \
                     {subdomain}"
                )
                .into_boxed_str(),
            )],
        ),
        (
            vec![(
                c("/env/0"),
                json!({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName['a']"}}}),
            )],
            vec![
                "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: \
                 \"spec.nodeName['a']\": error converting fieldPath: field label does not support \
                 subscript: spec.nodeName['a']",
            ],
        ),
        (
            vec![(c("/resources/limits"), json!({"requests.foo/a": "1"}))],
            vec![
                "spec.containers[0].resources.limits[requests.foo/a]: Invalid value: \
                 requests.foo/a: doesn't follow extended resource name standard",
                "spec.containers[0].resources.requests[requests.foo/a]: Invalid value: \
                 requests.foo/a: doesn't follow extended resource name standard",
            ],
        ),
        (
            vec![(
                c("/resizePolicy"),
                json!([
                    {"resourceName": "foo", "restartPolicy": "NotRequired"},
                    {"resourceName": "cpu", "restartPolicy": "NotRequired"},
                    {"resourceName": "cpu", "restartPolicy": "NotRequired"},
                ]),
            )],
            vec![
                "spec.containers[0].resizePolicy: Unsupported value: foo: supported values: \
                 \"cpu\", \"memory\"",
                "spec.containers[0].resizePolicy[2]: Duplicate value: cpu",
            ],
        ),
    ]);
}

#[test]
fn placement() {
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    // As it is once the keys were merged into the selector.
    let term = json!({
        "topologyKey": "h",
        "labelSelector": {
            "matchLabels": {"a": "b"},
            "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}],
        },
        "matchLabelKeys": ["a"],
    });
    check(vec![
        (
            vec![("/spec/affinity/podAffinity", json!({ required: [term] }))],
            vec![
                "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0][0]: \
                 Invalid value: \"a\": exists in both matchLabelKeys and labelSelector",
            ],
        ),
        (
            vec![(
                "/spec/topologySpreadConstraints",
                json!([{"maxSkew": 1, "topologyKey": "a b", "whenUnsatisfiable": "DoNotSchedule"}]),
            )],
            vec![],
        ),
        (
            vec![("/spec/tolerations", json!([{"key": "a", "effect": "x"}]))],
            vec![
                "spec.tolerations[0].effect: Unsupported value: \"x\": supported values: \
                 \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\"",
            ],
        ),
        (
            vec![(
                "/spec/securityContext/seLinuxChangePolicy",
                json!("MountOption"),
            )],
            vec![
                "spec.securityContext.seLinuxChangePolicy: Unsupported value: \"MountOption\": \
                 supported values: \"Recursive\"",
            ],
        ),
    ]);
}

#[test]
fn volumes() {
    let token = |path: &str| json!({"serviceAccountToken": {"path": path}});
    let file = json!({"secret": {"name": "a", "items": [{"key": "k", "path": "t"}]}});
    let projected = |sources: Value| json!({"name": "v", "projected": {"sources": sources}});
    let claim =
        json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1"}}});
    let v = "/spec/volumes/0";
    check(vec![
        (
            vec![
                (v, projected(json!([token("/t")]))),
                ("/spec/serviceAccountName", json!("a")),
            ],
            vec!["spec.volumes[0].projected.path: Invalid value: \"/t\": must be a relative path"],
        ),
        (
            vec![
                (v, projected(json!([token("t"), file]))),
                ("/spec/serviceAccountName", json!("a")),
            ],
            vec![],
        ),
        (
            vec![(
                v,
                projected(json!([{"secret": {"name": "a"}, "configMap": {"name": "b"}}])),
            )],
            vec![
                "spec.volumes[0].projected.sources[0]: Forbidden: may not specify more than 1 \
                 volume type per source",
            ],
        ),
        (
            vec![(
                v,
                json!({"name": "v", "ephemeral": {"volumeClaimTemplate": {
                    "metadata": {"name": "x"}, "spec": claim}}}),
            )],
            vec![
                "spec.volumes[0].ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be \
                 set",
            ],
        ),
        (
            vec![(v, json!({"name": "v", "nfs": {"server": "a"}}))],
            vec![
                "spec.volumes[0].nfs.path: Required value",
                "spec.volumes[0].nfs.path: Invalid value: \"\": must be an absolute path",
            ],
        ),
        (
            vec![(
                v,
                json!({"name": "v", "gcePersistentDisk": {"pdName": "a", "partition": 300}}),
            )],
            vec![
                "spec.volumes[0].persistentDisk.partition: Invalid value: 300: must be between 1 \
                 and 255, inclusive",
            ],
        ),
        (
            vec![(
                v,
                json!({"name": "v", "flexVolume": {
                    "driver": "a/b", "options": {"x.k8s.io/y": "1", "kubernetes.io": "1"}}}),
            )],
            vec![
                "spec.volumes[0].flexVolume.options[x.k8s.io/y]: Invalid value: \"x.k8s.io/y\": \
                 kubernetes.io and k8s.io namespaces are reserved",
            ],
        ),
    ]);
}

#[test]
fn what_gates_switch_off_is_dropped() {
    let mut pod = minimal();
    put(&mut pod, "/spec/resourceClaims", json!([{"name": "A"}]));
    put(&mut pod, "/spec/terminationGracePeriodSeconds", json!(-7));
    put(
        &mut pod,
        "/spec/volumes",
        json!([
            {"name": "i", "image": {"reference": "a"}},
            {"name": "p", "projected": {"sources": [{"clusterTrustBundle": {"path": "x"}}]}},
        ]),
    );
    put(
        &mut pod,
        c("/volumeMounts"),
        json!([{"name": "i", "mountPath": "/i"}, {"name": "p", "mountPath": "/p"}]),
    );
    put(
        &mut pod,
        c("/resources"),
        json!({"claims": [{"name": "x"}]}),
    );
    put(&mut pod, c("/lifecycle"), json!({"stopSignal": "SIGTERM"}));
    prepare_create(&mut pod);
    let spec = &pod["spec"];
    assert_eq!(spec.get("resourceClaims"), None);
    assert_eq!(spec["terminationGracePeriodSeconds"], 1);
    assert_eq!(
        spec["volumes"],
        json!([{"name": "p", "projected": {"sources": [{}]}}])
    );
    let container = &spec["containers"][0];
    assert_eq!(
        container["volumeMounts"],
        json!([{"name": "p", "mountPath": "/p"}])
    );
    assert_eq!(container["resources"], json!({}));
    assert_eq!(container.get("lifecycle"), None);
}

fn resized(old: Value, new: Value) -> Vec<String> {
    let pod = |resources: Value| {
        let mut pod = minimal();
        put(&mut pod, c("/resources"), resources);
        prepare_create(&mut pod);
        pod
    };
    let (old, mut new) = (pod(old), pod(new));
    prepare_update(&mut new, &old, "resize");
    texts(&validate_update(&new, &old, "resize"))
}

#[test]
fn resizing() {
    let of = |cpu: &str, memory: &str| json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": cpu, "memory": memory}});
    assert!(resized(of("2", "2Gi"), of("3", "3Gi")).is_empty());
    assert_eq!(
        resized(of("2", "2Gi"), of("2", "1500Mi")),
        [
            "spec.containers[0].resources.limits[memory]: Forbidden: memory limits cannot be \
             decreased unless resizePolicy is RestartContainer"
        ]
    );
    let requests = json!({"requests": {"cpu": "1", "memory": "1Gi"}});
    assert_eq!(
        resized(of("2", "2Gi"), requests.clone()),
        ["spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed"]
    );
    let disk = json!({"requests": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}});
    assert_eq!(
        resized(requests, disk),
        ["spec: Forbidden: only cpu and memory resources are mutable"]
    );
}

#[test]
fn status() {
    let update = |status: Value| {
        let old = minimal();
        let mut new = old.clone();
        for (key, value) in status.as_object().unwrap() {
            put(&mut new, &format!("/status/{key}"), value.clone());
        }
        prepare_update(&mut new, &old, "status");
        let errors = texts(&validate_update(&new, &old, "status"));
        (new["status"].clone(), errors)
    };
    let (status, errors) = update(json!({"podIP": "1.2.3.4", "observedGeneration": 5}));
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(status["podIPs"], json!([{"ip": "1.2.3.4"}]));
    assert_eq!(status.get("observedGeneration"), None);
    let (status, _) = update(json!({"podIPs": [{"ip": "1.2.3.4"}]}));
    assert_eq!(status["podIP"], "1.2.3.4");
    let (status, _) = update(json!({"podIP": "1.2.3.4", "podIPs": [{"ip": "4.3.2.1"}]}));
    assert_eq!(status["podIPs"], json!([{"ip": "1.2.3.4"}]));
    let (_, errors) = update(json!({"conditions": [{"type": "A b", "status": "True"}]}));
    assert!(
        errors[0].starts_with("status.conditions[0].Type: Invalid value: \"A b\": name part"),
        "{errors:?}"
    );
    let (_, errors) = update(json!({"hostIPs": [{"ip": "y"}]}));
    assert_eq!(
        errors,
        [
            "status.hostIPs[0].ip: Invalid value: \"y\": must be equal to `hostIP`",
            "status.hostIPs[0]: Invalid value: \"y\": must be a valid IP address, (e.g. 10.9.8.7 \
             or 2001:db8::ffff)",
        ]
    );
}
