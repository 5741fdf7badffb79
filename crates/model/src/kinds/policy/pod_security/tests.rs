use crate::kinds::check::{create, defaulted};
use serde_json::{Value, json};

const KIND: (&str, &str) = ("policy", "podsecuritypolicies");

fn with(change: Value) -> Value {
    let mut spec = json!({
        "runAsUser": {"rule": "RunAsAny"},
        "seLinux": {"rule": "RunAsAny"},
        "fsGroup": {"rule": "RunAsAny"},
        "supplementalGroups": {"rule": "RunAsAny"},
    });
    for (key, value) in change.as_object().unwrap() {
        spec[key] = value.clone();
    }
    json!({"metadata": {"name": "p"}, "spec": spec})
}

#[test]
fn specs() {
    let cases = [
        (json!({}), vec![]),
        (json!({"volumes": ["configMap", "*"]}), vec![]),
        (
            json!({"runAsUser": {"rule": "x"}}),
            vec![
                "spec.runAsUser.rule: Unsupported value: \"x\": supported values: \"MustRunAs\", \"MustRunAsNonRoot\", \"RunAsAny\"",
            ],
        ),
        (
            json!({"fsGroup": {"rule": "MustRunAs", "ranges": [{"min": 2, "max": 1}, {"min": -1, "max": 1}]}}),
            vec![
                "spec.fsGroup.ranges[0].min: Invalid value: 2: min cannot be greater than max",
                "spec.fsGroup.ranges[1].min: Invalid value: -1: min cannot be negative",
            ],
        ),
        (
            json!({"runAsGroup": {"rule": "RunAsAny", "ranges": [{"min": 1, "max": 1}]}}),
            vec![
                "spec.runAsGroup.ranges: Invalid value: [{\"max\":1,\"min\":1}]: Ranges must be empty",
            ],
        ),
        (
            json!({"runAsGroup": {"rule": "MayRunAs"}}),
            vec![
                "spec.runAsGroup.ranges: Invalid value: []policy.IDRange(nil): must provide at least one range",
            ],
        ),
        (
            json!({"requiredDropCapabilities": ["A"], "allowedCapabilities": ["*", "A"]}),
            vec![
                "requiredDropCapabilities: Invalid value: []core.Capability{\"A\"}: must be empty when all capabilities are allowed by a wildcard",
                "allowedCapabilities: Invalid value: \"A\": capability is listed in allowedCapabilities and requiredDropCapabilities",
            ],
        ),
        (
            json!({"allowPrivilegeEscalation": false, "defaultAllowPrivilegeEscalation": true}),
            vec![
                "spec.defaultAllowPrivilegeEscalation: Invalid value: true: Cannot set DefaultAllowPrivilegeEscalation to true without also setting AllowPrivilegeEscalation to true",
            ],
        ),
        (
            json!({"allowedProcMountTypes": ["x"]}),
            vec![
                "spec.allowedProcMountTypes[0]: Unsupported value: \"x\": supported values: \"Default\", \"Unmasked\"",
            ],
        ),
        (
            json!({"allowedHostPaths": [{"pathPrefix": "/a/../b"}, {}, {}]}),
            vec![
                "spec.allowedHostPaths[0]: Invalid value: \"/a/../b\": must not contain '..'",
                "spec.allowedHostPaths[1]: Required value: is required",
            ],
        ),
        (
            json!({"allowedFlexVolumes": [{}]}),
            vec![
                "spec.allowedFlexVolumes.allowedFlexVolumes[0].driver: Required value: must specify a driver",
            ],
        ),
        (
            json!({"runtimeClass": {"allowedRuntimeClassNames": ["a", "a"], "defaultRuntimeClassName": "b"}}),
            vec![
                "spec.runtimeClass.allowedRuntimeClassNames[1]: Duplicate value: \"a\"",
                "spec.runtimeClass.allowedRuntimeClassNames: Required value: default \"b\" must be allowed",
            ],
        ),
    ];
    for (change, want) in cases {
        assert_eq!(
            create(KIND.0, KIND.1, &with(change.clone())),
            want,
            "{change}"
        );
    }
    let volumes = create(KIND.0, KIND.1, &with(json!({"volumes": ["x"]})));
    assert!(
        volumes[0].starts_with("spec.volumes: Unsupported value: \"x\": supported values: \"*\", ")
    );
}

#[test]
fn sysctls() {
    let cases = [
        (
            json!({"allowedUnsafeSysctls": ["kernel.msg*", "net.core.somaxconn"]}),
            vec![],
        ),
        (json!({"forbiddenSysctls": ["*"]}), vec![]),
        (
            json!({"forbiddenSysctls": ["*", "a"]}),
            vec![
                "spec.forbiddenSysctls.items: Forbidden: if '*' is present, must not specify other sysctls",
            ],
        ),
        (
            json!({"allowedUnsafeSysctls": ["kernel.msgmax"], "forbiddenSysctls": ["kernel.*"]}),
            vec![
                "spec.allowedUnsafeSysctls[0]: Invalid value: \"kernel.msgmax\": sysctl overlaps with kernel.*",
            ],
        ),
        (
            json!({"allowedUnsafeSysctls": ["kernel.*"], "forbiddenSysctls": ["kernel.msg*", "net.x"]}),
            vec![
                "spec.forbiddenSysctls[0]: Invalid value: \"kernel.msg*\": sysctl overlaps with kernel.*",
            ],
        ),
        (
            json!({"allowedUnsafeSysctls": [""]}),
            vec!["spec.allowedUnsafeSysctls[0]: Invalid value: \"\": empty sysctl not allowed"],
        ),
    ];
    for (change, want) in cases {
        assert_eq!(
            create(KIND.0, KIND.1, &with(change.clone())),
            want,
            "{change}"
        );
    }
    for bad in ["A", "a..b", "a.*.b", "a*b", ".a", "_"] {
        let errors = create(
            KIND.0,
            KIND.1,
            &with(json!({"allowedUnsafeSysctls": [bad]})),
        );
        assert!(
            errors[0].contains("must have at most 253 characters"),
            "{bad}"
        );
    }
}

#[test]
fn annotations() {
    let mut policy = with(json!({}));
    policy["metadata"]["annotations"] = json!({
        "seccomp.security.alpha.kubernetes.io/defaultProfileName": "x",
        "seccomp.security.alpha.kubernetes.io/allowedProfileNames": "*,docker/default,localhost/../a",
        "apparmor.security.beta.kubernetes.io/defaultProfileName": "runtime/default",
        "apparmor.security.beta.kubernetes.io/allowedProfileNames": "localhost/a,b",
    });
    assert_eq!(
        create(KIND.0, KIND.1, &policy),
        [
            "metadata.annotations[apparmor.security.beta.kubernetes.io/allowedProfileNames]: Invalid value: \"localhost/a,b\": invalid AppArmor profile name: \"b\"",
            "metadata.annotations[seccomp.security.alpha.kubernetes.io/defaultProfileName]: Invalid value: \"x\": must be a valid seccomp profile",
            "metadata.annotations[seccomp.security.alpha.kubernetes.io/allowedProfileNames]: Invalid value: \"../a\": must not contain '..'",
        ]
    );
}

#[test]
fn privilege_escalation_is_allowed_unless_denied() {
    let policy = defaulted(KIND.0, KIND.1, "v1beta1", &with(json!({})));
    assert_eq!(policy["spec"]["allowPrivilegeEscalation"], true);
}
