use super::*;
use serde_json::json;

mod baseline;
mod restricted;

const LATEST: Version = Version::Latest;

fn minor(minor: u64) -> Version {
    Version::Minor(minor)
}

/// A pod whose container `a` is in order at every level and version.
fn good() -> Value {
    json!({
        "metadata": {"name": "p", "annotations": {}},
        "spec": {
            "securityContext": {
                "runAsNonRoot": true,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container("a")],
        },
    })
}

fn container(name: &str) -> Value {
    json!({
        "name": name,
        "image": "registry.example/app",
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
        },
    })
}

/// Changes a good pod by a merge patch to its security context and one to that of container `a`.
fn with(pod_context: Value, container_context: Value) -> Value {
    let mut pod = good();
    merge(&mut pod["spec"]["securityContext"], &pod_context);
    merge(
        &mut pod["spec"]["containers"][0]["securityContext"],
        &container_context,
    );
    pod
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

/// What a check says of a pod: `reason (detail)` and the fields.
fn run(id: &str, version: Version, pod: &Value) -> Option<(String, Vec<String>)> {
    let check = CHECKS.iter().find(|c| c.id == id).expect("a check");
    let policy = LevelVersion::new(check.level, version);
    evaluate(policy, &pod["metadata"], &pod["spec"])
        .into_iter()
        .find(|v| v.check == id)
        .map(|v| {
            let paths = v.fields.iter().map(|place| place.path.clone()).collect();
            (v.to_string(), paths)
        })
}

/// Holds a check to say `want` (and these fields) of a pod, or nothing if it is empty.
fn expect(id: &str, version: Version, pod: &Value, want: &str, fields: &[&str]) {
    let found = run(id, version, pod);
    let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
    let want = (!want.is_empty()).then(|| (want.to_owned(), fields));
    assert_eq!(found, want, "{id} at {version}: {pod}");
}

#[test]
fn good_pods_are_restricted_at_every_version() {
    let pod = good();
    for version in Version::all() {
        assert_eq!(
            strictest(version, &pod["metadata"], &pod["spec"]),
            Level::Restricted,
            "{version}"
        );
    }
}

#[test]
fn an_empty_pod_is_admitted() {
    for spec in [json!({}), Value::Null, json!([]), json!({"containers": 3})] {
        let found = strictest(LATEST, &Value::Null, &spec);
        assert_eq!(found, Level::Restricted);
    }
}

#[test]
fn checks_by_version() {
    let ids = |level, version| -> Vec<&str> {
        checks(LevelVersion::new(level, version))
            .map(|c| c.id)
            .collect()
    };
    assert!(ids(Level::Privileged, LATEST).is_empty());
    for version in Version::all() {
        assert_eq!(ids(Level::Baseline, version).len(), 11, "{version}");
    }
    let restricted = |version| -> Vec<&str> {
        ids(Level::Restricted, version)
            .into_iter()
            .filter(|id| !ids(Level::Baseline, version).contains(id))
            .collect()
    };
    assert_eq!(restricted(minor(7)), ["restrictedVolumes", "runAsNonRoot"]);
    assert_eq!(
        restricted(minor(8)),
        [
            "allowPrivilegeEscalation",
            "restrictedVolumes",
            "runAsNonRoot"
        ]
    );
    assert_eq!(restricted(minor(18)).len(), 3);
    assert!(restricted(minor(19)).contains(&"seccompProfile_restricted"));
    assert!(!restricted(minor(21)).contains(&"capabilities_restricted"));
    assert!(restricted(minor(22)).contains(&"capabilities_restricted"));
    assert!(!restricted(minor(22)).contains(&"runAsUser"));
    assert_eq!(restricted(minor(23)).len(), 6);
    // What takes the place of a check of the baseline level is made instead of it.
    let all = ids(Level::Restricted, LATEST);
    for replaced in [
        "capabilities_baseline",
        "hostPathVolumes",
        "seccompProfile_baseline",
    ] {
        assert!(!all.contains(&replaced), "{replaced}");
    }
    assert!(ids(Level::Restricted, minor(18)).contains(&"seccompProfile_baseline"));
    assert!(ids(Level::Restricted, minor(21)).contains(&"capabilities_baseline"));
    // Versions that are not known yet are the latest.
    assert_eq!(ids(Level::Restricted, minor(99)), all);
}

#[test]
fn the_order_is_upstreams() {
    for level in [Level::Baseline, Level::Restricted] {
        let ids: Vec<&str> = CHECKS
            .iter()
            .filter(|c| c.level == level)
            .map(|c| c.id)
            .collect();
        assert!(ids.is_sorted(), "{ids:?}");
    }
    assert!(CHECKS.is_sorted_by_key(|c| c.level));
}

#[test]
fn messages() {
    let pod = json!({"spec": {"hostPID": true, "containers": [
        {"name": "a", "securityContext": {"privileged": true}},
        {"name": "b"},
    ]}});
    let policy = LevelVersion::new(Level::Restricted, LATEST);
    let found = evaluate(policy, &Value::Null, &pod["spec"]);
    let details = "host namespaces (hostPID=true), privileged (container \"a\" must not set \
        securityContext.privileged=true), allowPrivilegeEscalation != false (containers \"a\", \
        \"b\" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities \
        (containers \"a\", \"b\" must set securityContext.capabilities.drop=[\"ALL\"]), \
        runAsNonRoot != true (pod or containers \"a\", \"b\" must set \
        securityContext.runAsNonRoot=true), seccompProfile (pod or containers \"a\", \"b\" must set \
        securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")";
    assert_eq!(
        refusal(policy, &found),
        format!("violates PodSecurity \"restricted:latest\": {details}")
    );
    assert_eq!(
        warning(policy, &found),
        format!("would violate PodSecurity \"restricted:latest\": {details}")
    );
    assert_eq!(
        reasons(&found),
        "host namespaces, privileged, allowPrivilegeEscalation != false, unrestricted \
         capabilities, runAsNonRoot != true, seccompProfile"
    );
    assert_eq!(
        strictest(LATEST, &Value::Null, &pod["spec"]),
        Level::Privileged
    );
}

#[test]
fn all_fields_are_named_whatever_the_message_is_about() {
    // Upstream speaks of those that say no, and not of those that say nothing.
    let mut pod = good();
    pod["spec"]["securityContext"] = json!({});
    pod["spec"]["containers"] = json!([container("a"), container("b")]);
    pod["spec"]["containers"][0]["securityContext"]["runAsNonRoot"] = json!(false);
    pod["spec"]["containers"][0]["securityContext"]["seccompProfile"] =
        json!({"type": "Unconfined"});
    expect(
        "runAsNonRoot",
        LATEST,
        &pod,
        "runAsNonRoot != true (container \"a\" must not set securityContext.runAsNonRoot=false)",
        &[
            "spec.containers[0].securityContext.runAsNonRoot",
            "spec.containers[1].securityContext.runAsNonRoot",
        ],
    );
    expect(
        "seccompProfile_restricted",
        LATEST,
        &pod,
        "seccompProfile (container \"a\" must not set securityContext.seccompProfile.type to \
         \"Unconfined\")",
        &[
            "spec.containers[0].securityContext.seccompProfile.type",
            "spec.containers[1].securityContext.seccompProfile.type",
        ],
    );
}

#[test]
fn weaknesses_are_those_of_every_check() {
    let spec = json!({
        "hostNetwork": true,
        "volumes": [{"name": "v", "hostPath": {"path": "/"}}],
        "initContainers": [{"name": "b", "lifecycle": {"preStop": {"tcpSocket": {"host": "y"}}}}],
        "containers": [{
            "name": "a",
            "livenessProbe": {"httpGet": {"host": "x"}},
            "startupProbe": {"httpGet": {"host": ""}},
            "securityContext": {"capabilities": {"add": ["NET_RAW"]}},
        }],
    });
    let found = weaknesses(&Value::Null, &spec);
    let ids: Vec<&str> = found.iter().map(|v| v.check).collect();
    let want = [
        "capabilities_baseline",
        "hostNamespaces",
        "hostPathVolumes",
        "allowPrivilegeEscalation",
        "capabilities_restricted",
        "restrictedVolumes",
        "runAsNonRoot",
        "seccompProfile_restricted",
        "hostProbesAndHostLifecycle",
    ];
    assert_eq!(ids, want);
    let hosts = found.last().expect("that of the hosts");
    assert_eq!(
        hosts.to_string(),
        "probe or lifecycle host (containers \"a\", \"b\" use probe or lifecycle hosts \"x\", \
         \"y\")"
    );
    assert_eq!(
        hosts.fields,
        [
            Place {
                path: "spec.initContainers[0].lifecycle.preStop.tcpSocket.host".to_owned(),
                container: Some(("initContainers", 0)),
            },
            Place {
                path: "spec.containers[0].livenessProbe.httpGet.host".to_owned(),
                container: Some(("containers", 0)),
            },
        ]
    );
    // No level makes the check that came later.
    for level in Level::ALL {
        let policy = LevelVersion::new(level, LATEST);
        assert!(checks(policy).all(|c| c.id != "hostProbesAndHostLifecycle"));
    }
}
