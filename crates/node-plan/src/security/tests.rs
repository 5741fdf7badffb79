use super::*;
use crate::containers;
use serde_json::json;

const KERNEL: Kernel = Kernel {
    app_armor: true,
    se_linux: true,
    seccomp: true,
};

fn of(pod: Value, own: Value, user: &str, kernel: Kernel) -> Result<Security, SecurityError> {
    let pod = json!({
        "metadata": {"name": "p", "namespace": "ns", "uid": "u",
            "annotations": {"container.apparmor.security.beta.kubernetes.io/old": "localhost/a"}},
        "spec": {"securityContext": pod, "containers": [
            {"name": if own.get("old").is_some() { "old" } else { "c" }, "securityContext": own}]},
    });
    let image = Image {
        user,
        passwd: "web:x:101:102::/w:/x\n",
        group: "",
    };
    security(
        &pod,
        containers::regular(&pod).next().unwrap(),
        &image,
        kernel,
    )
}

fn plain(pod: Value, own: Value) -> Security {
    of(pod, own, "", KERNEL).unwrap()
}

#[test]
fn users_come_from_the_container_the_pod_and_the_image() {
    for (pod, own, image, want) in [
        (json!({}), json!({}), "", (0, 0)),
        (json!({}), json!({}), "7:8", (7, 0)),
        (json!({}), json!({}), "web", (101, 102)),
        (
            json!({"runAsUser": 1, "runAsGroup": 2}),
            json!({}),
            "web",
            (1, 2),
        ),
        (
            json!({"runAsUser": 1, "runAsGroup": 2}),
            json!({"runAsUser": 3}),
            "web",
            (3, 2),
        ),
        (
            json!({"runAsGroup": 2}),
            json!({"runAsGroup": 4}),
            "web",
            (101, 4),
        ),
    ] {
        let account = of(pod, own, image, KERNEL).unwrap().account;
        assert_eq!((account.user, account.group), want);
    }
    let account = plain(
        json!({"fsGroup": 5, "supplementalGroups": [6, 7], "supplementalGroupsPolicy": "Strict"}),
        json!({}),
    )
    .account;
    assert_eq!(account.groups.into_iter().collect::<Vec<_>>(), [0, 5, 6, 7]);
}

#[test]
fn root_is_kept_out_where_the_pod_says_so() {
    let at = "(pod: \"p_ns(u)\", container: c)";
    for (pod, own, image, want) in [
        (json!({"runAsNonRoot": true}), json!({}), "7", None),
        (
            json!({"runAsNonRoot": true}),
            json!({"runAsNonRoot": false}),
            "",
            None,
        ),
        (
            json!({"runAsNonRoot": true}),
            json!({"runAsUser": 5}),
            "web",
            None,
        ),
        (
            json!({"runAsNonRoot": true}),
            json!({}),
            "",
            Some(format!(
                "container has runAsNonRoot and image will run as root {at}"
            )),
        ),
        (
            json!({"runAsNonRoot": true}),
            json!({}),
            "web",
            Some(format!(
                "container has runAsNonRoot and image has non-numeric user (web), cannot verify user \
             is non-root {at}"
            )),
        ),
        (
            json!({"runAsUser": 0}),
            json!({"runAsNonRoot": true}),
            "7",
            Some(format!("container's runAsUser breaks non-root policy {at}")),
        ),
    ] {
        let answer = of(pod, own, image, KERNEL).err();
        assert!(answer.as_ref().is_none_or(SecurityError::waits));
        assert_eq!(answer.map(|error| error.to_string()), want);
    }
}

#[test]
fn views_of_the_node() {
    let usual = plain(json!({}), json!({}));
    assert_eq!((usual.masked.len(), usual.read_only.len()), (11, 5));
    assert!(!usual.no_new_privileges && !usual.read_only_root && !usual.privileged);
    assert_eq!(usual.seccomp, seccomp::Profile::RuntimeDefault);
    assert_eq!(usual.app_armor, Some(AppArmor::RuntimeDefault));
    let unmasked = plain(json!({}), json!({"procMount": "Unmasked"}));
    assert_eq!((unmasked.masked.len(), unmasked.read_only.len()), (0, 0));
    let strict = plain(
        json!({}),
        json!({"allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true}),
    );
    assert!(strict.no_new_privileges && strict.read_only_root);
    let privileged = plain(json!({}), json!({"privileged": true}));
    assert_eq!(privileged.capabilities, Capabilities::all());
    assert!(privileged.masked.is_empty() && privileged.read_only.is_empty());
    assert_eq!(privileged.seccomp, seccomp::Profile::Unconfined);
    assert_eq!(privileged.app_armor, Some(AppArmor::Unconfined));
}

#[test]
fn app_armor_profiles() {
    let of_type = |kind: &str| json!({"appArmorProfile": {"type": kind, "localhostProfile": "p"}});
    let named = |name: &str| Some(AppArmor::Localhost(name.to_owned()));
    for (pod, own, want) in [
        (json!({}), of_type("Localhost"), named("p")),
        (
            of_type("Localhost"),
            of_type("Unconfined"),
            Some(AppArmor::Unconfined),
        ),
        (of_type("Localhost"), json!({}), named("p")),
        (of_type("Unconfined"), json!({"old": true}), named("a")),
    ] {
        assert_eq!(plain(pod, own).app_armor, want);
    }
}

#[test]
fn what_the_kernel_cannot_enforce_is_said() {
    let none = Kernel {
        app_armor: false,
        se_linux: false,
        seccomp: true,
    };
    let labels = json!({"seLinuxOptions": {"level": "s0:c1"}});
    let profile = |kind: &str| json!({"appArmorProfile": {"type": kind}});
    for (pod, want) in [
        (json!({}), None),
        (profile("Unconfined"), None),
        (json!({"seLinuxOptions": {}}), None),
        (labels.clone(), Some(SecurityError::NoSeLinux)),
        (profile("RuntimeDefault"), Some(SecurityError::NoAppArmor)),
    ] {
        assert_eq!(of(pod, json!({}), "", none).err(), want);
    }
    let labelled = plain(labels, json!({})).se_linux.unwrap();
    assert_eq!(
        (labelled.user.as_str(), labelled.level.as_str()),
        ("", "s0:c1")
    );
    let blind = Kernel {
        seccomp: false,
        ..KERNEL
    };
    assert_eq!(
        of(json!({}), json!({}), "", blind).err(),
        Some(SecurityError::NoSeccomp)
    );
    let unconfined = json!({"seccompProfile": {"type": "Unconfined"}});
    assert_eq!(of(unconfined, json!({}), "", blind).err(), None);
}
