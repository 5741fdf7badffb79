//! Tables for the checks of the baseline level.

use super::*;

#[test]
fn app_armor() {
    const ID: &str = "appArmorProfile";
    let profile = |kind: &str| json!({"appArmorProfile": {"type": kind}});
    let none = json!({});
    for allowed in ["RuntimeDefault", "Localhost"] {
        expect(
            ID,
            LATEST,
            &with(profile(allowed), profile(allowed)),
            "",
            &[],
        );
    }
    expect(
        ID,
        minor(0),
        &with(profile("Unconfined"), none.clone()),
        "forbidden AppArmor profile (pod must not set AppArmor profile type to \"Unconfined\")",
        &["spec.securityContext.appArmorProfile.type"],
    );
    expect(
        ID,
        LATEST,
        &with(profile("Unconfined"), profile("x")),
        "forbidden AppArmor profiles (pod and container \"a\" must not set AppArmor profile type \
         to \"Unconfined\", \"x\")",
        &[
            "spec.securityContext.appArmorProfile.type",
            "spec.containers[0].securityContext.appArmorProfile.type",
        ],
    );
    let key = |name: &str| format!("container.apparmor.security.beta.kubernetes.io/{name}");
    let annotated = |value: &str| {
        let mut pod = with(none.clone(), none.clone());
        pod["metadata"]["annotations"][key("a")] = value.into();
        pod
    };
    for allowed in ["", "runtime/default", "localhost/", "localhost/x"] {
        expect(ID, LATEST, &annotated(allowed), "", &[]);
    }
    let mut pod = annotated("unconfined");
    let path = format!("metadata.annotations[{}]", key("a"));
    expect(
        ID,
        LATEST,
        &pod,
        &format!(
            "forbidden AppArmor profile (annotation must not set AppArmor profile type to \
             \"{}=\"unconfined\"\")",
            key("a")
        ),
        &[&path],
    );
    // Of containers that do not exist, too.
    pod["metadata"]["annotations"][key("0")] = "\t".into();
    let other = format!("metadata.annotations[{}]", key("0"));
    merge(
        &mut pod["spec"]["containers"][0]["securityContext"],
        &profile("Unconfined"),
    );
    expect(
        ID,
        LATEST,
        &pod,
        &format!(
            "forbidden AppArmor profiles (container \"a\" and annotations must not set AppArmor \
             profile type to \"Unconfined\", \"{}=\"\\t\"\", \"{}=\"unconfined\"\")",
            key("0"),
            key("a")
        ),
        &[
            "spec.containers[0].securityContext.appArmorProfile.type",
            &other,
            &path,
        ],
    );
}

#[test]
fn capabilities() {
    const ID: &str = "capabilities_baseline";
    let adds = |names: &[&str]| with(json!({}), json!({"capabilities": {"add": names}}));
    let default = [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ];
    expect(ID, LATEST, &adds(&default), "", &[]);
    for bad in ["NET_RAW", "SYS_ADMIN", "ALL", "chown", "CAP_CHOWN", ""] {
        expect(
            ID,
            minor(0),
            &adds(&["CHOWN", bad]),
            &format!(
                "non-default capabilities (container \"a\" must not include \"{bad}\" in \
                 securityContext.capabilities.add)"
            ),
            &["spec.containers[0].securityContext.capabilities.add[1]"],
        );
    }
    let mut pod = adds(&["SYS_ADMIN", "NET_RAW"]);
    pod["spec"]["initContainers"] = json!([
        {"name": "i", "securityContext": {"capabilities": {"add": ["NET_RAW"]}}},
    ]);
    expect(
        ID,
        LATEST,
        &pod,
        "non-default capabilities (containers \"i\", \"a\" must not include \"NET_RAW\", \
         \"SYS_ADMIN\" in securityContext.capabilities.add)",
        &[
            "spec.initContainers[0].securityContext.capabilities.add[0]",
            "spec.containers[0].securityContext.capabilities.add[0]",
            "spec.containers[0].securityContext.capabilities.add[1]",
        ],
    );
}

#[test]
fn host_namespaces() {
    const ID: &str = "hostNamespaces";
    let mut pod = good();
    for key in ["hostNetwork", "hostPID", "hostIPC"] {
        pod["spec"][key] = json!(false);
    }
    expect(ID, LATEST, &pod, "", &[]);
    pod["spec"]["hostIPC"] = json!(true);
    expect(
        ID,
        minor(0),
        &pod,
        "host namespaces (hostIPC=true)",
        &["spec.hostIPC"],
    );
    pod["spec"]["hostNetwork"] = json!(true);
    pod["spec"]["hostPID"] = json!(true);
    expect(
        ID,
        LATEST,
        &pod,
        "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)",
        &["spec.hostNetwork", "spec.hostPID", "spec.hostIPC"],
    );
}

#[test]
fn host_paths() {
    const ID: &str = "hostPathVolumes";
    let mut pod = good();
    pod["spec"]["volumes"] = json!([{"name": "x", "hostPath": {"path": "/"}}, {"name": "y"}]);
    expect(
        ID,
        minor(0),
        &pod,
        "hostPath volumes (volume \"x\")",
        &["spec.volumes[0].hostPath"],
    );
    pod["spec"]["volumes"][1]["hostPath"] = json!({});
    expect(
        ID,
        LATEST,
        &pod,
        "hostPath volumes (volumes \"x\", \"y\")",
        &["spec.volumes[0].hostPath", "spec.volumes[1].hostPath"],
    );
}

#[test]
fn host_ports() {
    const ID: &str = "hostPorts";
    let mut pod = good();
    pod["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80}, {"hostPort": 0}]);
    expect(ID, LATEST, &pod, "", &[]);
    pod["spec"]["containers"][0]["ports"][1]["hostPort"] = json!(80);
    expect(
        ID,
        minor(0),
        &pod,
        "hostPort (container \"a\" uses hostPort 80)",
        &["spec.containers[0].ports[1].hostPort"],
    );
    pod["spec"]["ephemeralContainers"] = json!([
        {"name": "e", "ports": [{"hostPort": 8080}, {"hostPort": 443}]},
    ]);
    expect(
        ID,
        LATEST,
        &pod,
        "hostPort (containers \"a\", \"e\" use hostPorts 443, 80, 8080)",
        &[
            "spec.containers[0].ports[1].hostPort",
            "spec.ephemeralContainers[0].ports[0].hostPort",
            "spec.ephemeralContainers[0].ports[1].hostPort",
        ],
    );
}

#[test]
fn privileged() {
    const ID: &str = "privileged";
    expect(
        ID,
        LATEST,
        &with(json!({}), json!({"privileged": false})),
        "",
        &[],
    );
    let mut pod = with(json!({}), json!({"privileged": true}));
    expect(
        ID,
        minor(0),
        &pod,
        "privileged (container \"a\" must not set securityContext.privileged=true)",
        &["spec.containers[0].securityContext.privileged"],
    );
    for list in ["initContainers", "ephemeralContainers"] {
        pod["spec"][list] = json!([{"name": list, "securityContext": {"privileged": true}}]);
    }
    expect(
        ID,
        LATEST,
        &pod,
        "privileged (containers \"initContainers\", \"a\", \"ephemeralContainers\" must not set \
         securityContext.privileged=true)",
        &[
            "spec.initContainers[0].securityContext.privileged",
            "spec.containers[0].securityContext.privileged",
            "spec.ephemeralContainers[0].securityContext.privileged",
        ],
    );
}

#[test]
fn proc_mount() {
    const ID: &str = "procMount";
    let mount = |kind: &str| with(json!({}), json!({"procMount": kind}));
    expect(ID, LATEST, &mount("Default"), "", &[]);
    let mut pod = mount("Unmasked");
    let want = "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")";
    let fields = ["spec.containers[0].securityContext.procMount"];
    expect(ID, minor(0), &pod, want, &fields);
    // The relaxation for user namespaces is behind a feature gate that is off.
    pod["spec"]["hostUsers"] = json!(false);
    expect(ID, LATEST, &pod, want, &fields);
}

#[test]
fn selinux() {
    const ID: &str = "seLinuxOptions";
    let options = |options: Value| json!({"seLinuxOptions": options});
    for kind in ["", "container_t", "container_init_t", "container_kvm_t"] {
        let allowed = options(json!({"type": kind, "level": "s0", "user": "", "role": ""}));
        expect(ID, minor(0), &with(allowed.clone(), allowed), "", &[]);
    }
    let engine = with(json!({}), options(json!({"type": "container_engine_t"})));
    expect(
        ID,
        minor(30),
        &engine,
        "seLinuxOptions (container \"a\" set forbidden securityContext.seLinuxOptions: type \
         \"container_engine_t\")",
        &["spec.containers[0].securityContext.seLinuxOptions.type"],
    );
    expect(ID, minor(31), &engine, "", &[]);
    expect(ID, LATEST, &engine, "", &[]);
    let pod = with(
        options(json!({"type": "z", "user": "u"})),
        options(json!({"type": "b", "role": "r"})),
    );
    expect(
        ID,
        LATEST,
        &pod,
        "seLinuxOptions (pod and container \"a\" set forbidden securityContext.seLinuxOptions: \
         types \"b\", \"z\"; user may not be set; role may not be set)",
        &[
            "spec.securityContext.seLinuxOptions.type",
            "spec.securityContext.seLinuxOptions.user",
            "spec.containers[0].securityContext.seLinuxOptions.type",
            "spec.containers[0].securityContext.seLinuxOptions.role",
        ],
    );
}

#[test]
fn seccomp_annotations() {
    const ID: &str = "seccompProfile_baseline";
    const POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
    const A: &str = "container.seccomp.security.alpha.kubernetes.io/a";
    let mut pod = good();
    for allowed in ["runtime/default", "docker/default", "localhost/x"] {
        pod["metadata"]["annotations"] = json!({POD: allowed, A: allowed});
        expect(ID, minor(18), &pod, "", &[]);
    }
    // The container that this is for does not exist.
    let other = "container.seccomp.security.alpha.kubernetes.io/b";
    pod["metadata"]["annotations"] = json!({A: "unconfined", other: "unconfined"});
    let at = |key: &str| format!("metadata.annotations[{key}]");
    expect(
        ID,
        minor(0),
        &pod,
        &format!("seccompProfile (forbidden annotation {A}=\"unconfined\")"),
        &[&at(A)],
    );
    pod["metadata"]["annotations"][POD] = "".into();
    expect(
        ID,
        minor(18),
        &pod,
        &format!("seccompProfile (forbidden annotations {A}=\"unconfined\", {POD}=\"\")"),
        &[&at(POD), &at(A)],
    );
    expect(ID, minor(19), &pod, "", &[]);
}

#[test]
fn seccomp_fields() {
    const ID: &str = "seccompProfile_baseline";
    let profile = |kind: &str| json!({"seccompProfile": {"type": kind}});
    let pod = with(profile("Unconfined"), profile("Unconfined"));
    expect(ID, minor(18), &pod, "", &[]);
    for version in [minor(19), LATEST] {
        expect(
            ID,
            version,
            &pod,
            "seccompProfile (pod and container \"a\" must not set \
             securityContext.seccompProfile.type to \"Unconfined\")",
            &[
                "spec.securityContext.seccompProfile.type",
                "spec.containers[0].securityContext.seccompProfile.type",
            ],
        );
    }
    let unset = json!({"seccompProfile": null});
    expect(ID, LATEST, &with(unset, profile("Localhost")), "", &[]);
}

#[test]
fn sysctls() {
    const ID: &str = "sysctls";
    let sets = |names: &[&str]| {
        let sysctls: Vec<Value> = names.iter().map(|n| json!({"name": n})).collect();
        with(json!({"sysctls": sysctls}), json!({}))
    };
    for (name, since) in [
        ("kernel.shm_rmid_forced", 0),
        ("net.ipv4.ip_local_port_range", 0),
        ("net.ipv4.tcp_syncookies", 0),
        ("net.ipv4.ping_group_range", 0),
        ("net.ipv4.ip_unprivileged_port_start", 0),
        ("net.ipv4.ip_local_reserved_ports", 27),
        ("net.ipv4.tcp_keepalive_time", 29),
        ("net.ipv4.tcp_fin_timeout", 29),
        ("net.ipv4.tcp_keepalive_intvl", 29),
        ("net.ipv4.tcp_keepalive_probes", 29),
        ("net.ipv4.tcp_rmem", 32),
        ("net.ipv4.tcp_wmem", 32),
    ] {
        for version in Version::all() {
            let want = format!("forbidden sysctls ({name})");
            let is_safe = version >= minor(since);
            expect(
                ID,
                version,
                &sets(&[name]),
                if is_safe { "" } else { &want },
                &["spec.securityContext.sysctls[0].name"],
            );
        }
    }
    expect(
        ID,
        LATEST,
        &sets(&["b", "kernel.shm_rmid_forced", "a", "b"]),
        "forbidden sysctls (b, a, b)",
        &[
            "spec.securityContext.sysctls[0].name",
            "spec.securityContext.sysctls[2].name",
            "spec.securityContext.sysctls[3].name",
        ],
    );
}

#[test]
fn windows_host_process() {
    const ID: &str = "windowsHostProcess";
    let sets = |value: bool| json!({"windowsOptions": {"hostProcess": value}});
    expect(ID, LATEST, &with(sets(false), sets(false)), "", &[]);
    expect(
        ID,
        minor(0),
        &with(sets(true), json!({})),
        "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
        &["spec.securityContext.windowsOptions.hostProcess"],
    );
    expect(
        ID,
        LATEST,
        &with(sets(true), sets(true)),
        "hostProcess (pod and container \"a\" must not set \
         securityContext.windowsOptions.hostProcess=true)",
        &[
            "spec.securityContext.windowsOptions.hostProcess",
            "spec.containers[0].securityContext.windowsOptions.hostProcess",
        ],
    );
}
