use super::*;
use crate::containers;
use crate::security::{Image, Kernel, security};
use serde_json::json;

/// The specification of the pod's only container, as JSON.
fn made(mut pod: Value, mounts: Vec<HostMount>, users: Option<Mapping>) -> Value {
    meta::set(
        &mut pod,
        &["metadata"],
        json!({"name": "p", "namespace": "ns", "uid": "u"}),
    );
    let container = containers::all(&pod).next().unwrap();
    let image = Image {
        user: "",
        passwd: "",
        group: "",
    };
    let kernel = Kernel {
        app_armor: false,
        se_linux: true,
        seccomp: true,
    };
    let security = security(&pod, container, &image, kernel).unwrap();
    let path = |name: &str| Some(PathBuf::from(format!("/ns/{name}")));
    let namespaces = Namespaces {
        network: path("net"),
        ipc: path("ipc"),
        uts: path("uts"),
        pid: path("pid"),
        user: users.and(path("user")),
        target: path("target"),
    };
    let input = ContainerInput {
        pod: &pod,
        container,
        security: &security,
        seccomp: None,
        environment: BTreeMap::from([("A".to_owned(), "1".to_owned())]),
        argv: vec!["sh".to_owned()],
        working_directory: "/image",
        mounts,
        shared_memory: PathBuf::from("/pods/u/shm"),
        root: PathBuf::from("/root"),
        namespaces: &namespaces,
        users,
        cgroup: PathBuf::from("/kubepods/podu/c"),
        resources: LinuxResources::default(),
        oom_score_adj: 1000,
    };
    let site = Site {
        unified_cgroups: true,
        ..Site::default()
    };
    serde_json::to_value(super::container(input, &site)).unwrap()
}

fn one(container: Value) -> Value {
    let mut container = container;
    container["name"] = json!("c");
    json!({"spec": {"containers": [container]}})
}

/// `TYPE` or `TYPE=PATH` of each namespace.
fn namespaces(spec: &Value) -> Vec<String> {
    meta::list(spec, &["linux", "namespaces"])
        .iter()
        .map(|namespace| match text(namespace, "path") {
            "" => text(namespace, "type").to_owned(),
            path => format!("{}={path}", text(namespace, "type")),
        })
        .collect()
}

fn host_mount(source: &str, target: &str) -> HostMount {
    HostMount {
        source: PathBuf::from(source),
        target: PathBuf::from(target),
        read_only: false,
        recursive: false,
        propagation: Propagation::Private,
        mapped: true,
    }
}

#[test]
fn a_plain_container() {
    let spec = made(one(json!({})), vec![], None);
    assert_eq!(spec["ociVersion"], "1.1.0");
    assert!(spec.get("hooks").is_none() && spec.get("hostname").is_none());
    let process = &spec["process"];
    assert_eq!(process["args"], json!(["sh"]));
    assert_eq!(process["env"], json!(["A=1"]));
    assert_eq!(process["cwd"], "/image");
    assert_eq!(process["oomScoreAdj"], 1000);
    assert_eq!(process["noNewPrivileges"], false);
    assert_eq!(
        process["user"],
        json!({"uid": 0, "gid": 0, "additionalGids": [0]})
    );
    assert_eq!(meta::list(process, &["capabilities", "bounding"]).len(), 14);
    assert_eq!(process["capabilities"]["inheritable"], json!([]));
    assert_eq!(process["capabilities"]["ambient"], json!([]));
    assert!(process.get("rlimits").is_none());
    assert_eq!(spec["root"], json!({"path": "/root", "readonly": false}));
    assert_eq!(
        namespaces(&spec),
        [
            "mount",
            "pid",
            "network=/ns/net",
            "ipc=/ns/ipc",
            "uts=/ns/uts",
            "cgroup"
        ]
    );
    assert_eq!(spec["linux"]["cgroupsPath"], "/kubepods/podu/c");
    assert_eq!(meta::list(&spec, &["linux", "maskedPaths"]).len(), 11);
    let rules = meta::list(&spec, &["linux", "resources", "devices"]);
    assert_eq!(
        rules[0],
        json!({"allow": false, "type": "a", "access": "rwm"})
    );
    assert_eq!(
        spec["annotations"],
        json!({"io.kubernetes.pod.name": "p", "io.kubernetes.pod.namespace": "ns",
            "io.kubernetes.pod.uid": "u", "io.kubernetes.container.name": "c"})
    );
}

#[test]
fn a_privileged_container_sees_the_node() {
    let pod = one(json!({"workingDir": "/w", "tty": true,
        "securityContext": {"privileged": true, "readOnlyRootFilesystem": true,
            "seLinuxOptions": {"level": "s0:c1"}}}));
    let spec = made(pod, vec![], None);
    assert_eq!(spec["process"]["cwd"], "/w");
    assert_eq!(spec["process"]["terminal"], true);
    assert_eq!(spec["root"]["readonly"], true);
    assert_eq!(
        spec["process"]["selinuxLabel"],
        "system_u:system_r:container_t:s0:c1"
    );
    assert_eq!(
        spec["linux"]["mountLabel"],
        "system_u:object_r:container_file_t:s0:c1"
    );
    assert_eq!(spec["linux"]["maskedPaths"], json!([]));
    assert!(!namespaces(&spec).contains(&"cgroup".to_owned()));
    let rules = meta::list(&spec, &["linux", "resources", "devices"]);
    assert_eq!(
        rules,
        [json!({"allow": true, "type": "a", "access": "rwm"})]
    );
    let sys = meta::list(&spec, &["mounts"])
        .iter()
        .find(|m| m["destination"] == "/sys")
        .unwrap();
    assert_eq!(sys["options"], json!(["nosuid", "noexec", "nodev", "rw"]));
}

#[test]
fn processes_are_shared_as_asked() {
    let ephemeral = |target: &str| json!({"spec": {"ephemeralContainers": [{"name": "e", "targetContainerName": target}]}});
    let with = |field: &str, mut pod: Value| {
        pod["spec"][field] = json!(true);
        pod
    };
    for (pod, want) in [
        (one(json!({})), Some("pid")),
        (
            with("shareProcessNamespace", one(json!({}))),
            Some("pid=/ns/pid"),
        ),
        (with("hostPID", one(json!({}))), None),
        (ephemeral("c"), Some("pid=/ns/target")),
        (ephemeral(""), Some("pid")),
        (
            with("shareProcessNamespace", ephemeral("c")),
            Some("pid=/ns/pid"),
        ),
    ] {
        let spec = made(pod.clone(), vec![], None);
        let found = namespaces(&spec)
            .into_iter()
            .find(|namespace| namespace.starts_with("pid"));
        assert_eq!(found.as_deref(), want, "{pod}");
    }
}

#[test]
fn mounts_come_in_an_order_in_which_they_can_be_made() {
    let mut inner = host_mount("/v/b", "/data/inner");
    inner.read_only = true;
    inner.recursive = true;
    let mut outer = host_mount("/v/a", "/data");
    outer.propagation = Propagation::HostToContainer;
    let own = host_mount("/v/shm", "/dev/shm");
    let mut file = host_mount("/pods/u/etc-hosts", "/etc/hosts");
    file.mapped = false;
    let users = Some(Mapping { first: 65_536 });
    let spec = made(one(json!({})), vec![inner, outer, own, file], users);
    let mounts = meta::list(&spec, &["mounts"]);
    let targets: Vec<&str> = mounts
        .iter()
        .map(|mount| text(mount, "destination"))
        .collect();
    assert_eq!(
        targets,
        [
            "/proc",
            "/dev",
            "/dev/pts",
            "/dev/mqueue",
            "/sys",
            "/sys/fs/cgroup",
            "/data",
            "/data/inner",
            "/dev/shm",
            "/etc/hosts"
        ]
    );
    let mapping = json!([{"hostID": 65_536, "containerID": 0, "size": 65_536}]);
    assert_eq!(
        mounts[6]["options"],
        json!(["rbind", "rslave", "rw", "ridmap"])
    );
    assert_eq!(mounts[6]["uidMappings"], mapping);
    assert_eq!(
        mounts[7]["options"],
        json!(["rbind", "rprivate", "rro", "ridmap"])
    );
    assert_eq!(mounts[9]["options"], json!(["rbind", "rprivate", "rw"]));
    assert!(mounts[9].get("uidMappings").is_none());
    assert_eq!(spec["linux"]["rootfsPropagation"], "slave");
    assert_eq!(spec["linux"]["gidMappings"], mapping);
    assert!(namespaces(&spec).contains(&"user=/ns/user".to_owned()));
}

#[test]
fn command_lines() {
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    for (command, args, entrypoint, cmd, want) in [
        (
            &["a"][..],
            &["b"][..],
            &["e"][..],
            &["f"][..],
            Ok(&["a", "b"][..]),
        ),
        (&["a"], &[], &["e"], &["f"], Ok(&["a"])),
        (&[], &["b"], &["e"], &["f"], Ok(&["e", "b"])),
        (&[], &[], &["e"], &["f"], Ok(&["e", "f"])),
        (&[], &["b"], &[], &["f"], Ok(&["b"])),
        (&[], &[], &[], &[], Err(CommandError)),
    ] {
        let line = argv(words(command), words(args), &words(entrypoint), &words(cmd));
        assert_eq!(line, want.map(words));
    }
}

#[test]
fn sandboxes() {
    let made = |spec: Value, users| {
        let pod = json!({"metadata": {"name": "p"}, "spec": spec});
        let sysctls = BTreeMap::from([("net.ipv4.tcp_syncookies".to_owned(), "1".to_owned())]);
        let input = SandboxInput {
            pod: &pod,
            hostname: "h",
            sysctls: &sysctls,
            argv: vec!["/pause".to_owned()],
            root: PathBuf::from("/r"),
            network: Some(PathBuf::from("/netns/p")),
            shared_memory: PathBuf::from("/shm"),
            seccomp: None,
            users,
            cgroup: PathBuf::from("/kubepods/podu/sandbox"),
        };
        serde_json::to_value(sandbox(input, &Site::default())).unwrap()
    };
    let spec = made(json!({}), None);
    assert_eq!(
        namespaces(&spec),
        ["mount", "uts", "network=/netns/p", "ipc", "pid"]
    );
    assert_eq!(spec["hostname"], "h");
    assert_eq!(spec["process"]["oomScoreAdj"], -998);
    assert_eq!(spec["process"]["user"]["uid"], 65_535);
    assert_eq!(spec["process"]["capabilities"]["bounding"], json!([]));
    assert_eq!(spec["root"]["readonly"], true);
    assert_eq!(
        spec["linux"]["sysctl"],
        json!({"net.ipv4.tcp_syncookies": "1"})
    );
    let on_host = json!({"hostNetwork": true, "hostPID": true, "hostIPC": true,
        "securityContext": {"runAsUser": 7}});
    let spec = made(on_host, None);
    assert_eq!(namespaces(&spec), ["mount"]);
    assert!(spec.get("hostname").is_none());
    assert_eq!(spec["process"]["user"]["uid"], 7);
    let spec = made(json!({}), Some(Mapping { first: 131_072 }));
    assert_eq!(namespaces(&spec).last().map(String::as_str), Some("user"));
}
