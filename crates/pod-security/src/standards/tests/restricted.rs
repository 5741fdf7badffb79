//! Tables for the checks of the restricted level.

use super::*;

/// A pod that says that it runs on Windows.
fn windows(mut pod: Value) -> Value {
    pod["spec"]["os"] = json!({"name": "windows"});
    pod
}

#[test]
fn privilege_escalation() {
    const ID: &str = "allowPrivilegeEscalation";
    let want = "allowPrivilegeEscalation != false (container \"a\" must set \
        securityContext.allowPrivilegeEscalation=false)";
    let fields = ["spec.containers[0].securityContext.allowPrivilegeEscalation"];
    for bad in [json!(null), json!(true)] {
        let pod = with(json!({}), json!({"allowPrivilegeEscalation": bad}));
        expect(ID, minor(7), &pod, "", &[]);
        expect(ID, minor(8), &pod, want, &fields);
        expect(ID, LATEST, &pod, want, &fields);
        expect(ID, minor(24), &windows(pod.clone()), want, &fields);
        expect(ID, minor(25), &windows(pod), "", &[]);
    }
    let mut pod = good();
    pod["spec"]["initContainers"] = json!([{"name": "i"}]);
    pod["spec"]["ephemeralContainers"] = json!([{"name": "e"}]);
    expect(
        ID,
        LATEST,
        &pod,
        "allowPrivilegeEscalation != false (containers \"i\", \"e\" must set \
         securityContext.allowPrivilegeEscalation=false)",
        &[
            "spec.initContainers[0].securityContext.allowPrivilegeEscalation",
            "spec.ephemeralContainers[0].securityContext.allowPrivilegeEscalation",
        ],
    );
}

#[test]
fn capabilities() {
    const ID: &str = "capabilities_restricted";
    let sets = |capabilities: Value| {
        let unset = with(json!({}), json!({"capabilities": null}));
        let mut pod = unset;
        pod["spec"]["containers"][0]["securityContext"]["capabilities"] = capabilities;
        pod
    };
    let bind = sets(json!({"drop": ["CHOWN", "ALL"], "add": ["NET_BIND_SERVICE"]}));
    expect(ID, LATEST, &bind, "", &[]);
    let keeps = "container \"a\" must set securityContext.capabilities.drop=[\"ALL\"]";
    let drop = "spec.containers[0].securityContext.capabilities.drop";
    for bad in [json!(null), json!({}), json!({"drop": ["all", "CAP_ALL"]})] {
        let pod = sets(bad);
        expect(ID, minor(21), &pod, "", &[]);
        let want = format!("unrestricted capabilities ({keeps})");
        expect(ID, minor(22), &pod, &want, &[drop]);
        expect(ID, minor(24), &windows(pod.clone()), &want, &[drop]);
        expect(ID, minor(25), &windows(pod), "", &[]);
    }
    expect(
        ID,
        LATEST,
        &sets(json!({"add": ["NET_RAW", "NET_BIND_SERVICE", "CHOWN"]})),
        &format!(
            "unrestricted capabilities ({keeps}; container \"a\" must not include \"CHOWN\", \
             \"NET_RAW\" in securityContext.capabilities.add)"
        ),
        &[
            drop,
            "spec.containers[0].securityContext.capabilities.add[0]",
            "spec.containers[0].securityContext.capabilities.add[2]",
        ],
    );
    expect(
        ID,
        LATEST,
        &sets(json!({"drop": ["ALL"], "add": ["ALL"]})),
        "unrestricted capabilities (container \"a\" must not include \"ALL\" in \
         securityContext.capabilities.add)",
        &["spec.containers[0].securityContext.capabilities.add[0]"],
    );
}

#[test]
fn volumes() {
    const ID: &str = "restrictedVolumes";
    let mut pod = good();
    for allowed in [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ] {
        pod["spec"]["volumes"] = json!([{"name": "v", allowed: {}}]);
        expect(ID, minor(0), &pod, "", &[]);
    }
    for bad in [
        "hostPath",
        "gcePersistentDisk",
        "awsElasticBlockStore",
        "gitRepo",
        "nfs",
        "iscsi",
        "glusterfs",
        "rbd",
        "flexVolume",
        "cinder",
        "cephfs",
        "flocker",
        "fc",
        "azureFile",
        "vsphereVolume",
        "quobyte",
        "azureDisk",
        "portworxVolume",
        "photonPersistentDisk",
        "scaleIO",
        "storageos",
    ] {
        pod["spec"]["volumes"] = json!([{"name": "v", bad: {}}]);
        expect(
            ID,
            minor(0),
            &pod,
            &format!(
                "restricted volume types (volume \"v\" uses restricted volume type \"{bad}\")"
            ),
            &[&format!("spec.volumes[0].{bad}")],
        );
    }
    pod["spec"]["volumes"] = json!([
        {"name": "v", "nfs": {}},
        {"name": "w", "secret": {}},
        {"name": "x", "hostPath": {}},
        {"name": "y"},
        {"name": "z", "nfs": {}},
    ]);
    expect(
        ID,
        LATEST,
        &pod,
        "restricted volume types (volumes \"v\", \"x\", \"y\", \"z\" use restricted volume types \
         \"hostPath\", \"nfs\", \"unknown\")",
        &[
            "spec.volumes[0].nfs",
            "spec.volumes[2].hostPath",
            "spec.volumes[3]",
            "spec.volumes[4].nfs",
        ],
    );
}

#[test]
fn non_root() {
    const ID: &str = "runAsNonRoot";
    let sets = |pod: Value, container: Value| {
        with(
            json!({"runAsNonRoot": pod}),
            json!({"runAsNonRoot": container}),
        )
    };
    let (yes, no, unset) = (json!(true), json!(false), json!(null));
    let whole = "spec.securityContext.runAsNonRoot";
    let own = "spec.containers[0].securityContext.runAsNonRoot";
    for (pod, container, want, fields) in [
        (&yes, &yes, "", &[][..]),
        (&yes, &unset, "", &[]),
        (&unset, &yes, "", &[]),
        (
            &yes,
            &no,
            "container \"a\" must not set securityContext.runAsNonRoot=false",
            &[own],
        ),
        (
            &no,
            &yes,
            "pod must not set securityContext.runAsNonRoot=false",
            &[whole],
        ),
        (
            &no,
            &unset,
            "pod must not set securityContext.runAsNonRoot=false",
            &[whole],
        ),
        (
            &no,
            &no,
            "pod and container \"a\" must not set securityContext.runAsNonRoot=false",
            &[whole, own],
        ),
        (
            &unset,
            &unset,
            "pod or container \"a\" must set securityContext.runAsNonRoot=true",
            &[own],
        ),
    ] {
        let pod = sets(pod.clone(), container.clone());
        let want = if want.is_empty() {
            String::new()
        } else {
            format!("runAsNonRoot != true ({want})")
        };
        for version in [minor(0), LATEST] {
            expect(ID, version, &pod, &want, fields);
            expect(ID, version, &windows(pod.clone()), &want, fields);
        }
    }
}

#[test]
fn user() {
    const ID: &str = "runAsUser";
    let sets = |pod: Value, container: Value| {
        with(json!({"runAsUser": pod}), json!({"runAsUser": container}))
    };
    expect(ID, LATEST, &sets(json!(1), json!(1000)), "", &[]);
    expect(ID, minor(22), &sets(json!(0), json!(0)), "", &[]);
    expect(
        ID,
        minor(23),
        &sets(json!(0), json!(1)),
        "runAsUser=0 (pod must not set runAsUser=0)",
        &["spec.securityContext.runAsUser"],
    );
    expect(
        ID,
        LATEST,
        &sets(json!(0), json!(0)),
        "runAsUser=0 (pod and container \"a\" must not set runAsUser=0)",
        &[
            "spec.securityContext.runAsUser",
            "spec.containers[0].securityContext.runAsUser",
        ],
    );
}

#[test]
fn seccomp() {
    const ID: &str = "seccompProfile_restricted";
    let sets = |pod: Value, container: Value| {
        let of = |kind: Value| match kind {
            Value::Null => json!({"seccompProfile": null}),
            kind => json!({"seccompProfile": {"type": kind}}),
        };
        with(of(pod), of(container))
    };
    let (good, bad, unset) = (json!("Localhost"), json!("Unconfined"), json!(null));
    let whole = "spec.securityContext.seccompProfile.type";
    let own = "spec.containers[0].securityContext.seccompProfile.type";
    for (pod, container, want, fields) in [
        (&good, &good, "", &[][..]),
        (&good, &unset, "", &[]),
        (&unset, &good, "", &[]),
        (
            &unset,
            &unset,
            "pod or container \"a\" must set securityContext.seccompProfile.type to \
             \"RuntimeDefault\" or \"Localhost\"",
            &[own],
        ),
        (
            &bad,
            &good,
            "pod must not set securityContext.seccompProfile.type to \"Unconfined\"",
            &[whole],
        ),
        (
            &good,
            &bad,
            "container \"a\" must not set securityContext.seccompProfile.type to \"Unconfined\"",
            &[own],
        ),
        (
            &bad,
            &bad,
            "pod and container \"a\" must not set securityContext.seccompProfile.type to \
             \"Unconfined\"",
            &[whole, own],
        ),
    ] {
        let pod = sets(pod.clone(), container.clone());
        let want = if want.is_empty() {
            String::new()
        } else {
            format!("seccompProfile ({want})")
        };
        expect(ID, minor(18), &pod, "", &[]);
        expect(ID, minor(19), &pod, &want, fields);
        expect(ID, LATEST, &pod, &want, fields);
        expect(ID, minor(24), &windows(pod.clone()), &want, fields);
        expect(ID, minor(25), &windows(pod), "", &[]);
    }
}
