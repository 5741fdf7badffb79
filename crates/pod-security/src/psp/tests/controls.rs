//! What each control refuses and fills in.

use super::*;

#[test]
fn an_open_policy_allows_everything() {
    let open = policy(json!({}));
    let everything = pod(
        json!({
            "hostNetwork": true, "hostPID": true, "hostIPC": true, "runtimeClassName": "x",
            "securityContext": {
                "seccompProfile": {"type": "Unconfined"},
                "appArmorProfile": {"type": "Unconfined"},
                "supplementalGroups": [0], "fsGroup": 0, "runAsUser": 0,
            },
            "volumes": [{"name": "h", "hostPath": {"path": "/"}}, {"name": "i", "image": {}}],
        }),
        json!({
            "ports": [{"hostPort": 1}],
            "securityContext": {"privileged": true, "capabilities": {"add": ["SYS_ADMIN"]}},
        }),
    );
    allow(&open, &everything);
    assert_eq!(filled(&open, &pod(json!({}), json!({}))), [""; 0]);
}

#[test]
fn flags() {
    let host = |what: &str| format!("Invalid value: true: Host {what} is not allowed to be used");
    for (key, what) in [
        ("hostNetwork", "network"),
        ("hostPID", "PID"),
        ("hostIPC", "IPC"),
    ] {
        let policy = policy(json!({key: false}));
        allow(&policy, &pod(json!({key: false}), json!({})));
        expect(
            &policy,
            &pod(json!({key: true}), json!({})),
            &format!("spec.securityContext.{key}: {}", host(what)),
            &format!("spec.{key}"),
            &format!("spec.{key}"),
        );
    }
    let policy = policy(json!({"privileged": null}));
    let privileged = |value: bool| pod(json!({}), context(json!({"privileged": value})));
    allow(&policy, &privileged(false));
    expect(
        &policy,
        &privileged(true),
        &format!("{OWN}.privileged: Invalid value: true: Privileged containers are not allowed"),
        &format!("{OWN}.privileged"),
        "spec.privileged",
    );
    let mut other = privileged(false);
    for list in ["initContainers", "ephemeralContainers"] {
        other["spec"][list] = json!([{"name": list, "securityContext": {"privileged": true}}]);
    }
    let fields: Vec<String> = refused(&policy, &other).into_iter().map(|r| r.1).collect();
    assert_eq!(
        fields,
        [
            "spec.initContainers[0].securityContext.privileged",
            "spec.ephemeralContainers[0].securityContext.privileged",
        ]
    );
}

#[test]
fn privilege_escalation() {
    let key = "allowPrivilegeEscalation";
    let field = format!("{OWN}.{key}");
    let sets = |value: Value| pod(json!({}), context(json!({key: value})));
    let denying = policy(json!({key: false}));
    assert_eq!(
        filled(&denying, &sets(json!(null))),
        [format!("{field}=false")]
    );
    allow(&denying, &sets(json!(null)));
    allow(&denying, &sets(json!(false)));
    expect(
        &denying,
        &sets(json!(true)),
        &format!(
            "{field}: Invalid value: true: Allowing privilege escalation for containers is not \
             allowed"
        ),
        &field,
        &format!("spec.{key}"),
    );
    // Left out, it is allowed.
    let silent = policy(json!({key: null}));
    allow(&silent, &sets(json!(true)));
    for default in [true, false] {
        let policy = policy(json!({"defaultAllowPrivilegeEscalation": default}));
        assert_eq!(
            filled(&policy, &sets(json!(null))),
            [format!("{field}={default}")]
        );
        assert_eq!(filled(&policy, &sets(json!(!default))), [""; 0]);
    }
}

#[test]
fn read_only_root() {
    let key = "readOnlyRootFilesystem";
    let field = format!("{OWN}.{key}");
    let policy = policy(json!({key: true}));
    let sets = |value: Value| pod(json!({}), context(json!({key: value})));
    allow(&policy, &sets(json!(true)));
    assert_eq!(
        filled(&policy, &sets(json!(null))),
        [format!("{field}=true")]
    );
    expect(
        &policy,
        &sets(json!(false)),
        &format!("{field}: Invalid value: false: ReadOnlyRootFilesystem must be set to true"),
        &field,
        "spec.readOnlyRootFilesystem",
    );
}

#[test]
fn host_ports() {
    let ports = |ports: &[i64]| {
        let ports: Vec<Value> = ports.iter().map(|p| json!({"hostPort": p})).collect();
        pod(json!({}), json!({"ports": ports}))
    };
    let some = policy(json!({"hostPorts": [{"min": 80, "max": 80}, {"min": 8000, "max": 8080}]}));
    allow(&some, &ports(&[0, 80, 8000, 8080]));
    for bad in [79, 81, 8081] {
        expect(
            &some,
            &ports(&[80, bad]),
            &format!(
                "spec.containers[0].hostPort: Invalid value: {bad}: Host port {bad} is not allowed \
                 to be used. Allowed ports: [80,8000-8080]"
            ),
            "spec.containers[0].ports[1].hostPort",
            "spec.hostPorts",
        );
    }
    expect(
        &policy(json!({"hostPorts": null})),
        &ports(&[80]),
        "spec.containers[0].hostPort: Invalid value: 80: Host port 80 is not allowed to be used. \
         Allowed ports: []",
        "spec.containers[0].ports[0].hostPort",
        "spec.hostPorts",
    );
}

#[test]
fn users() {
    let field = format!("{OWN}.runAsUser");
    let runs = |pod_user: Value, user: Value| {
        pod(
            context(json!({"runAsUser": pod_user})),
            context(json!({"runAsUser": user})),
        )
    };
    let null = || json!(null);
    let within = policy(json!({"runAsUser": {
        "rule": "MustRunAs", "ranges": [{"min": 10, "max": 20}, {"min": 30, "max": 30}],
    }}));
    assert_eq!(
        filled(&within, &runs(null(), null())),
        [format!("{field}=10")]
    );
    assert_eq!(filled(&within, &runs(json!(20), null())), [""; 0]);
    allow(&within, &runs(json!(1), json!(30)));
    expect(
        &within,
        &runs(null(), json!(21)),
        &format!("{field}: Invalid value: 21: must be in the ranges: [{{10 20}} {{30 30}}]"),
        &field,
        "spec.runAsUser",
    );
    expect(
        &within,
        &runs(json!(9), null()),
        &format!("{field}: Invalid value: 9: must be in the ranges: [{{10 20}} {{30 30}}]"),
        "spec.securityContext.runAsUser",
        "spec.runAsUser",
    );
}

#[test]
fn users_that_are_not_root() {
    let non_root = policy(json!({"runAsUser": {"rule": "MustRunAsNonRoot"}}));
    let sets = |own: Value| pod(json!({}), context(own));
    let field = format!("{OWN}.runAsNonRoot");
    assert_eq!(
        filled(&non_root, &sets(json!({}))),
        [format!("{field}=true")]
    );
    assert_eq!(filled(&non_root, &sets(json!({"runAsUser": 1}))), [""; 0]);
    allow(&non_root, &sets(json!({"runAsUser": 1})));
    expect(
        &non_root,
        &sets(json!({"runAsNonRoot": false, "runAsUser": 1})),
        &format!("{field}: Invalid value: false: must be true"),
        &field,
        "spec.runAsUser",
    );
    expect(
        &non_root,
        &sets(json!({"runAsNonRoot": true, "runAsUser": 0})),
        &format!("{OWN}.runAsUser: Invalid value: 0: running with the root UID is forbidden"),
        &format!("{OWN}.runAsUser"),
        "spec.runAsUser",
    );
}

#[test]
fn groups() {
    let ranges = json!([{"min": 5, "max": 6}]);
    for (control, key, one, other, shown) in [
        ("fsGroup", "fsGroup", json!(5), json!(7), "[]int64{7}"),
        (
            "supplementalGroups",
            "supplementalGroups",
            json!([5, 6]),
            json!([6, 7]),
            "[]int64{6, 7}",
        ),
    ] {
        let sets = |value: &Value| pod(context(json!({key: value})), json!({}));
        let field = format!("spec.securityContext.{key}");
        let error =
            format!("{field}: Invalid value: {shown}: group 7 must be in the ranges: [{{5 6}}]");
        let must = policy(json!({control: {"rule": "MustRunAs", "ranges": ranges}}));
        let default = if key == "fsGroup" { "5" } else { "[5]" };
        assert_eq!(
            filled(&must, &sets(&json!(null))),
            [format!("{field}={default}")]
        );
        allow(&must, &sets(&one));
        expect(
            &must,
            &sets(&other),
            &error,
            &field,
            &format!("spec.{control}"),
        );
        let may = policy(json!({control: {"rule": "MayRunAs", "ranges": ranges}}));
        assert_eq!(filled(&may, &sets(&json!(null))), [""; 0]);
        allow(&may, &sets(&json!(null)));
        allow(&may, &sets(&one));
        expect(
            &may,
            &sets(&other),
            &error,
            &field,
            &format!("spec.{control}"),
        );
    }
    // An empty list is one that says something.
    expect(
        &policy(json!({"supplementalGroups": {"rule": "MustRunAs", "ranges": ranges}})),
        &pod(context(json!({"supplementalGroups": []})), json!({})),
        "spec.securityContext.supplementalGroups: Invalid value: []int64{}: unable to validate \
         empty groups against required ranges",
        "spec.securityContext.supplementalGroups",
        "spec.supplementalGroups",
    );
}

#[test]
fn primary_groups() {
    let ranges = json!([{"min": 5, "max": 6}]);
    let runs = |group: Value| pod(json!({}), context(json!({"runAsGroup": group})));
    let field = format!("{OWN}.runAsGroup");
    let must = policy(json!({"runAsGroup": {"rule": "MustRunAs", "ranges": ranges}}));
    assert_eq!(filled(&must, &runs(json!(null))), [format!("{field}=5")]);
    allow(&must, &runs(json!(6)));
    let may = policy(json!({"runAsGroup": {"rule": "MayRunAs", "ranges": ranges}}));
    assert_eq!(filled(&may, &runs(json!(null))), [""; 0]);
    for policy in [must, may] {
        expect(
            &policy,
            &runs(json!(7)),
            &format!(
                "{OWN}: Invalid value: []int64{{7}}: group 7 must be in the ranges: [{{5 6}}]"
            ),
            &field,
            "spec.runAsGroup",
        );
    }
}

#[test]
fn selinux() {
    let wanted = json!({"level": "s0:c1,c2", "role": "r", "type": "t", "user": "u"});
    let policy = policy(json!({"seLinux": {"rule": "MustRunAs", "seLinuxOptions": wanted}}));
    let sets = |options: Value| pod(context(json!({"seLinuxOptions": options})), json!({}));
    assert_eq!(
        filled(&policy, &sets(json!(null))),
        [format!("spec.securityContext.seLinuxOptions={wanted}")]
    );
    let mut same = wanted.clone();
    same["level"] = json!("s0:c2,c1");
    allow(&policy, &sets(same.clone()));
    for (key, bad) in [
        ("level", "s1:c1,c2"),
        ("level", "s0:c1"),
        ("level", "s0"),
        ("role", ""),
        ("type", "x"),
        ("user", "x"),
    ] {
        let mut options = wanted.clone();
        options[key] = json!(bad);
        let wanted = wanted[key].as_str().expect("a text");
        let error = |at: &str| {
            format!("{at}.seLinuxOptions.{key}: Invalid value: {bad:?}: must be {wanted}")
        };
        // The pod's, and as the container's too.
        let found = refused(&policy, &sets(options.clone()));
        let errors: Vec<&str> = found.iter().map(|(error, ..)| error.as_str()).collect();
        assert_eq!(errors, [error("spec.securityContext"), error(OWN)]);
        let place = format!("spec.securityContext.seLinuxOptions.{key}");
        assert!(
            found.iter().all(|(_, field, _)| *field == place),
            "{found:?}"
        );
        let mut own = sets(same.clone());
        own["spec"]["containers"][0]["securityContext"] = json!({"seLinuxOptions": options});
        expect(
            &policy,
            &own,
            &error(OWN),
            &format!("{OWN}.seLinuxOptions.{key}"),
            "spec.seLinux",
        );
    }
}

#[test]
fn capabilities() {
    let sets = |capabilities: Value| pod(json!({}), context(json!({"capabilities": capabilities})));
    let none = json!(null);
    let strict = policy(json!({
        "allowedCapabilities": ["B"],
        "defaultAddCapabilities": ["A"],
        "requiredDropCapabilities": ["X", "W"],
    }));
    let field = format!("{OWN}.capabilities");
    for (own, want) in [
        (none.clone(), json!({"add": ["A"], "drop": ["W", "X"]})),
        (json!({}), json!({"add": ["A"], "drop": ["W", "X"]})),
        (
            json!({"add": ["B"], "drop": ["Z", "A"]}),
            json!({"add": ["B"], "drop": ["A", "W", "X", "Z"]}),
        ),
        (
            json!({"add": ["B", "B"], "drop": ["X"]}),
            json!({"add": ["A", "B"], "drop": ["W", "X"]}),
        ),
    ] {
        let pod = sets(own);
        assert_eq!(filled(&strict, &pod), [format!("{field}={want}")], "{pod}");
        allow(&strict, &pod);
    }
    assert_eq!(
        filled(
            &strict,
            &sets(json!({"add": ["B", "A"], "drop": ["X", "W"]}))
        ),
        [""; 0]
    );
    expect(
        &strict,
        &sets(json!({"add": ["C"]})),
        &format!("{field}.add: Invalid value: \"C\": capability may not be added"),
        &format!("{field}.add[1]"),
        "spec.allowedCapabilities",
    );
    let closed = policy(json!({"allowedCapabilities": null}));
    assert_eq!(filled(&closed, &sets(none.clone())), [""; 0]);
    allow(&closed, &sets(none));
    expect(
        &closed,
        &sets(json!({"add": ["NET_ADMIN"]})),
        &format!("{field}.add: Invalid value: \"NET_ADMIN\": capability may not be added"),
        &format!("{field}.add[0]"),
        "spec.allowedCapabilities",
    );
}

#[test]
fn proc_mount() {
    let mounts = |kind: Value| pod(json!({}), context(json!({"procMount": kind})));
    let closed = policy(json!({}));
    allow(&closed, &mounts(json!("Default")));
    expect(
        &closed,
        &mounts(json!("Unmasked")),
        &format!("{OWN}.procMount: Invalid value: \"Unmasked\": ProcMountType is not allowed"),
        &format!("{OWN}.procMount"),
        "spec.allowedProcMountTypes",
    );
    let unmasked = policy(json!({"allowedProcMountTypes": ["Unmasked"]}));
    allow(&unmasked, &mounts(json!("Unmasked")));
    assert_eq!(refused(&unmasked, &mounts(json!(null))).len(), 1);
}

#[test]
fn sysctls() {
    let sets = |name: &str| pod(context(json!({"sysctls": [{"name": name}]})), json!({}));
    let policy = policy(json!({
        "allowedUnsafeSysctls": ["kernel.msg*", "net.core.somaxconn"],
        "forbiddenSysctls": ["kernel.msgmax", "net.ipv4.*"],
    }));
    for name in [
        "kernel.shm_rmid_forced",
        "kernel.msgmni",
        "net.core.somaxconn",
    ] {
        allow(&policy, &sets(name));
    }
    for (name, text, control) in [
        ("kernel.msgmax", "sysctl", "forbiddenSysctls"),
        ("net.ipv4.tcp_syncookies", "sysctl", "forbiddenSysctls"),
        ("kernel.sem", "unsafe sysctl", "allowedUnsafeSysctls"),
        (
            "net.core.somaxconn2",
            "unsafe sysctl",
            "allowedUnsafeSysctls",
        ),
    ] {
        expect(
            &policy,
            &sets(name),
            &format!(
                "pod.spec.securityContext.sysctls[0]: Forbidden: {text} \"{name}\" is not allowed"
            ),
            "spec.securityContext.sysctls[0].name",
            &format!("spec.{control}"),
        );
    }
}

#[test]
fn runtime_classes() {
    let sets = |name: Value| pod(json!({"runtimeClassName": name}), json!({}));
    let some = policy(json!({"runtimeClass": {
        "allowedRuntimeClassNames": ["a", "b"], "defaultRuntimeClassName": "b",
    }}));
    assert_eq!(
        filled(&some, &sets(json!(null))),
        ["spec.runtimeClassName=\"b\""]
    );
    allow(&some, &sets(json!("a")));
    expect(
        &some,
        &sets(json!("c")),
        "spec.runtimeClassName: Invalid value: \"c\"",
        "spec.runtimeClassName",
        "spec.runtimeClass.allowedRuntimeClassNames",
    );
    let none = policy(json!({"runtimeClass": {"allowedRuntimeClassNames": []}}));
    allow(&none, &sets(json!(null)));
    assert_eq!(refused(&none, &sets(json!("a"))).len(), 1);
    let all = policy(json!({"runtimeClass": {"allowedRuntimeClassNames": ["*"]}}));
    allow(&all, &sets(json!("a")));
}
