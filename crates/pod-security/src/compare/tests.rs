use super::*;
use crate::level::{Level, Version};
use serde_json::json;

fn policy(spec: Value) -> Policy {
    let mut whole = json!({
        "runAsUser": {"rule": "RunAsAny"}, "seLinux": {"rule": "RunAsAny"},
        "fsGroup": {"rule": "RunAsAny"}, "supplementalGroups": {"rule": "RunAsAny"},
    });
    for (key, value) in spec.as_object().expect("a mapping") {
        whole[key] = value.clone();
    }
    Policy::new(&json!({"metadata": {"name": "p"}, "spec": whole})).expect("a policy")
}

fn compared(level: Level, policies: &[&Policy]) -> Comparison {
    compare(LevelVersion::new(level, Version::Latest), policies)
}

fn find<'d>(differences: &'d [Difference], control: &str) -> Option<&'d Difference> {
    differences.iter().find(|d| d.control == control)
}

/// The values of a control on which they differ.
fn values<'d>(differences: &'d [Difference], control: &str) -> Vec<&'d str> {
    let found = find(differences, control).into_iter();
    found
        .flat_map(|d| d.values.iter().map(String::as_str))
        .collect()
}

#[test]
fn what_allows_everything_and_the_privileged_level_are_alike() {
    let all = policy(json!({
        "privileged": true, "hostNetwork": true, "hostPID": true, "hostIPC": true,
        "volumes": ["*"], "allowedCapabilities": ["*"], "allowedUnsafeSysctls": ["*"],
        "hostPorts": [{"min": 0, "max": 65535}], "allowedProcMountTypes": ["Default", "Unmasked"],
    }));
    let mut found = compared(Level::Privileged, &[&all]);
    // Without the annotation a policy allows no profile of seccomp.
    found.looser.retain(|d| d.control != "seccomp profile");
    assert_eq!(found, Comparison::default());
    let found = compared(Level::Baseline, &[&all]);
    for control in [
        "the node's network",
        "privileged containers",
        "ports of the node",
        "Windows HostProcess containers",
    ] {
        assert!(find(&found.tighter, control).is_some(), "{control}");
    }
    assert_eq!(values(&found.tighter, "types of volumes"), ["hostPath"]);
    let added = values(&found.tighter, "capabilities added");
    assert!(
        added.contains(&"SYS_ADMIN") && !added.contains(&"CHOWN"),
        "{added:?}"
    );
}

#[test]
fn what_only_policies_know_gets_looser() {
    let strict = policy(json!({
        "volumes": ["secret", "hostPath"],
        "allowedHostPaths": [{"pathPrefix": "/var/log"}],
        "readOnlyRootFilesystem": true,
        "runAsUser": {"rule": "MustRunAs", "ranges": [{"min": 5, "max": 9}]},
        "fsGroup": {"rule": "MustRunAs", "ranges": [{"min": 7, "max": 7}]},
    }));
    let found = compared(Level::Privileged, &[&strict]);
    assert!(found.tighter.is_empty(), "{:?}", found.tighter);
    assert_eq!(values(&found.looser, "user"), ["0", "4", "10", "1000"]);
    assert_eq!(
        values(&found.looser, "group of files"),
        ["0", "6", "8", "1000"]
    );
    assert_eq!(values(&found.looser, "paths of the node"), ["/"]);
    assert_eq!(
        values(&found.looser, "writable root file system"),
        ["false"]
    );
    let volumes = values(&found.looser, "types of volumes");
    assert!(
        volumes.contains(&"nfs") && !volumes.contains(&"secret"),
        "{volumes:?}"
    );
    let found = compared(Level::Baseline, &[&strict]);
    assert_eq!(values(&found.tighter, "types of volumes"), ["hostPath"]);
}

#[test]
fn what_policies_fill_in_has_to_be_said() {
    let filling = policy(json!({
        "allowPrivilegeEscalation": false,
        "requiredDropCapabilities": ["ALL"],
        "runAsUser": {"rule": "MustRunAsNonRoot"},
    }));
    let found = compared(Level::Restricted, &[&filling]);
    for control in [
        "another user than root",
        "privilege escalation",
        "capabilities dropped",
    ] {
        let difference = find(&found.tighter, control);
        let difference = difference.unwrap_or_else(|| panic!("{control}: {found:?}"));
        assert!(difference.filled, "{control}");
        assert_eq!(difference.values, ["not set"], "{control}");
    }
    let loose = policy(json!({}));
    let found = compared(Level::Restricted, &[&loose]);
    let escalation = find(&found.tighter, "privilege escalation").expect("a difference");
    assert!(!escalation.filled);
    assert_eq!(escalation.values, ["not set", "true"]);
    // One of several policies is enough.
    let both = compared(Level::Restricted, &[&filling, &loose]);
    assert_eq!(
        values(&both.tighter, "privilege escalation"),
        ["not set", "true"]
    );
    assert_eq!(values(&both.looser, "user"), [""; 0]);
}

#[test]
fn without_policies_nothing_was_admitted() {
    let found = compared(Level::Restricted, &[]);
    assert!(found.tighter.is_empty());
    assert!(!found.looser.is_empty());
}
