//! What may change, and where.

use super::super::*;
use super::{c, minimal, put, texts};

fn update(changes: &[(&str, Value)], subresource: &str) -> Vec<String> {
    let old = minimal();
    let mut new = old.clone();
    for (pointer, value) in changes {
        put(&mut new, pointer, value.clone());
    }
    prepare_update(&mut new, &old, subresource);
    texts(&validate_update(&new, &old, subresource))
}

#[test]
fn what_may_change() {
    assert!(update(&[], "").is_empty());
    assert!(update(&[(c("/image"), json!("nginx:1"))], "").is_empty());
    assert!(update(&[("/spec/activeDeadlineSeconds", json!(5))], "").is_empty());
    let more = json!([{"key": "a", "operator": "Exists"}]);
    assert!(update(&[("/spec/tolerations", more)], "").is_empty());
    assert!(update(&[("/metadata/labels/x", json!("y"))], "").is_empty());
    let got = update(&[(c("/command"), json!(["x"]))], "");
    assert_eq!(
        got,
        [
            "spec: Forbidden: pod updates may not change fields other than \
             `spec.containers[*].image`,`spec.initContainers[*].image`,\
             `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
             tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
             previously negative)\n  core.PodSpec{\n+ \tcontainers[0].command: [\"x\"],\n  }\n"
        ]
    );
    let got = update(
        &[(
            "/spec/containers/1",
            json!({"name": "d", "image": "x",
        "imagePullPolicy": "Always", "terminationMessagePolicy": "File"}),
        )],
        "",
    );
    assert_eq!(
        got,
        ["spec.containers: Forbidden: pod updates may not add or remove containers"]
    );
    assert!(update(&[("/spec/hostPID", json!(true))], "")[0].contains("+ \thostPID: true"));
    assert!(update(&[("/spec/serviceAccountName", json!("x"))], "")[0].starts_with("spec: Forb"));
}

#[test]
fn subresources_change_only_their_part() {
    let old = minimal();
    let mut new = old.clone();
    put(
        &mut new,
        "/spec/ephemeralContainers/0",
        json!({"name": "e", "image": "x"}),
    );
    put(&mut new, "/spec/hostPID", json!(true));
    default("v1", &mut new);
    prepare_update(&mut new, &old, "ephemeralcontainers");
    assert_eq!(new["spec"].get("hostPID"), None);
    assert!(validate_update(&new, &old, "ephemeralcontainers").is_empty());
    let mut removed = old.clone();
    prepare_update(&mut removed, &new, "ephemeralcontainers");
    assert_eq!(
        texts(&validate_update(&removed, &new, "ephemeralcontainers")),
        [
            "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"e\" may not be \
             removed\n"
        ]
    );
    assert_eq!(
        update(
            &[(c("/resources"), json!({"requests": {"cpu": "1"}}))],
            "resize"
        ),
        [
            "spec: Invalid value: \"BestEffort\": Pod QOS Class may not change as a result of resizing"
        ]
    );
    let image = update(&[(c("/image"), json!("other"))], "resize");
    assert!(image.is_empty(), "the image is kept: {image:?}");
}

#[test]
fn gates_and_label_keys() {
    let mut pod = minimal();
    put(&mut pod, "/spec/schedulingGates/0", json!({"name": "a"}));
    put(
        &mut pod,
        "/spec/affinity/podAffinity",
        json!({
        "requiredDuringSchedulingIgnoredDuringExecution":
            [{"topologyKey": "z", "labelSelector": {}, "matchLabelKeys": ["app", "none"]}]}),
    );
    prepare_create(&mut pod);
    assert_eq!(pod["status"]["conditions"][0]["reason"], "SchedulingGated");
    let term = &pod["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        [0];
    assert_eq!(
        term["labelSelector"]["matchExpressions"],
        json!([{"key": "app", "operator": "In", "values": ["a"]}])
    );
}
