use super::*;
use serde_json::json;

mod choice;
mod controls;
mod profiles;
mod volumes;

/// A policy that allows everything.
fn open(name: &str) -> Value {
    json!({
        "metadata": {
            "name": name,
            "annotations": {"seccomp.security.alpha.kubernetes.io/allowedProfileNames": "*"},
        },
        "spec": {
            "privileged": true,
            "allowPrivilegeEscalation": true,
            "allowedCapabilities": ["*"],
            "volumes": ["*"],
            "hostNetwork": true,
            "hostPorts": [{"min": 0, "max": 65535}],
            "hostIPC": true,
            "hostPID": true,
            "runAsUser": {"rule": "RunAsAny"},
            "seLinux": {"rule": "RunAsAny"},
            "supplementalGroups": {"rule": "RunAsAny"},
            "fsGroup": {"rule": "RunAsAny"},
        },
    })
}

/// A policy that allows everything but what its spec, with this patch, refuses.
fn policy(patch: Value) -> Policy {
    annotated(json!({}), patch)
}

fn annotated(annotations: Value, patch: Value) -> Policy {
    let mut object = open("p");
    merge(&mut object["metadata"]["annotations"], &annotations);
    merge(&mut object["spec"], &patch);
    Policy::new(&object).expect("a policy")
}

fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in patch {
        match value {
            Value::Null => {
                into.as_object_mut().expect("an object").remove(key);
            }
            _ => merge(&mut into[key.as_str()], value),
        }
    }
}

/// A pod with container `a`; the patches change its spec and its container.
fn pod(spec: Value, container: Value) -> Value {
    let mut pod = json!({
        "metadata": {"name": "pod"},
        "spec": {"securityContext": {}, "containers": [{"name": "a"}]},
    });
    merge(&mut pod["spec"], &spec);
    merge(&mut pod["spec"]["containers"][0], &container);
    pod
}

fn context(context: Value) -> Value {
    json!({ "securityContext": context })
}

/// What a policy refuses: errors, and fields with controls.
fn refused(policy: &Policy, pod: &Value) -> Vec<(String, String, String)> {
    let review = policy.review(Pass::Mutating, pod);
    review
        .refusals
        .into_iter()
        .map(|r| (r.error.to_string(), r.field, r.control))
        .collect()
}

/// Holds a policy to refuse just this.
fn expect(policy: &Policy, pod: &Value, error: &str, field: &str, control: &str) {
    let want = (error.to_owned(), field.to_owned(), control.to_owned());
    assert_eq!(refused(policy, pod), [want], "{pod}");
}

/// Holds a policy to refuse nothing.
fn allow(policy: &Policy, pod: &Value) {
    assert_eq!(refused(policy, pod), [], "{pod}");
}

/// What a policy fills in: `field=value`.
fn filled(policy: &Policy, pod: &Value) -> Vec<String> {
    let review = policy.review(Pass::Mutating, pod);
    review
        .changes
        .iter()
        .map(|c| format!("{}={}", c.field(), c.value))
        .collect()
}

const OWN: &str = "spec.containers[0].securityContext";
