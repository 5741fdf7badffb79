//! Pods with one setting each.

use crate::psp::{Groups, Policy};
use crate::standards::{DEFAULT_CAPABILITIES, SAFE_SYSCTLS, SELINUX_TYPES, volume_sources};
use model::Value;
use serde_json::{Map, json};
use std::collections::BTreeSet;

/// A pod with one setting, and who has a say on it.
pub(super) struct Probe {
    pub(super) control: Control,
    /// The value in words.
    pub(super) value: String,
    pub(super) pod: Value,
}

/// What is controlled.
#[derive(Clone, Copy)]
pub(super) struct Control {
    pub(super) name: &'static str,
    pub(super) field: &'static str,
    /// The fields of policies by which they refuse it.
    pub(super) policy: &'static [&'static str],
    /// The checks of the standards that refuse it.
    pub(super) checks: &'static [&'static str],
    /// The ends of the paths that policies fill in where it is not set.
    pub(super) keys: &'static [&'static str],
}

const fn control(
    name: &'static str,
    field: &'static str,
    policy: &'static [&'static str],
    checks: &'static [&'static str],
) -> Control {
    Control {
        name,
        field,
        policy,
        checks,
        keys: &[],
    }
}

const NOT_SET: &str = "not set";

impl Control {
    const fn filled_at(mut self, keys: &'static [&'static str]) -> Self {
        self.keys = keys;
        self
    }

    fn probe(&self, value: impl Into<String>, spec: Value) -> Probe {
        Probe {
            control: *self,
            value: value.into(),
            pod: json!({"metadata": {}, "spec": spec}),
        }
    }
}

impl Probe {
    /// Whether the pod says nothing, so that policies may.
    pub(super) fn is_silent(&self) -> bool {
        self.value == NOT_SET
    }
}

/// The capabilities of Linux beside those that runtimes give, and the name of all.
const MORE_CAPABILITIES: [&str; 29] = [
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "IPC_OWNER",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "NET_ADMIN",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

/// A pod whose only container has this security context.
fn container(context: Value) -> Value {
    json!({"containers": [{"name": "c", "securityContext": context}]})
}

/// A pod with this security context.
fn pod(context: Value) -> Value {
    json!({"securityContext": context, "containers": [{"name": "c"}]})
}

/// A pod with this field.
fn with(key: &str, value: impl Into<Value>) -> Value {
    let mut spec = Map::from_iter([("containers".to_owned(), json!([{"name": "c"}]))]);
    spec.insert(key.to_owned(), value.into());
    spec.into()
}

/// A pod with a volume, which its container mounts.
fn volume(source: &str, value: Value) -> Value {
    let mut volume = Map::from_iter([("name".to_owned(), Value::from("v"))]);
    volume.insert(source.to_owned(), value);
    let mount = json!({"name": "v", "mountPath": "/v"});
    json!({"volumes": [volume], "containers": [{"name": "c", "volumeMounts": [mount]}]})
}

/// Names in order, those of policies among them. What a star stands for are the others.
fn named<'t>(
    known: impl IntoIterator<Item = &'t str>,
    by_policies: impl IntoIterator<Item = &'t String>,
) -> BTreeSet<&'t str> {
    let by_policies = by_policies.into_iter().map(String::as_str);
    known
        .into_iter()
        .chain(by_policies)
        .filter(|name| !name.contains('*') && !name.is_empty())
        .collect()
}

/// All probes, those of one control after each other.
pub(super) fn probes(policies: &[&Policy]) -> Vec<Probe> {
    let mut all = Vec::new();
    node(policies, &mut all);
    volumes(policies, &mut all);
    users(policies, &mut all);
    privileges(policies, &mut all);
    profiles(&mut all);
    all
}

const NETWORK: Control = control(
    "the node's network",
    "spec.hostNetwork",
    &["spec.hostNetwork"],
    &["hostNamespaces"],
);
const PROCESSES: Control = control(
    "the node's processes",
    "spec.hostPID",
    &["spec.hostPID"],
    &["hostNamespaces"],
);
const IPC: Control = control(
    "the node's IPC",
    "spec.hostIPC",
    &["spec.hostIPC"],
    &["hostNamespaces"],
);
const PORTS: Control = control(
    "ports of the node",
    "spec.containers[*].ports[*].hostPort",
    &["spec.hostPorts"],
    &["hostPorts"],
);
const SYSCTLS: Control = control(
    "sysctls",
    "spec.securityContext.sysctls[*].name",
    &["spec.allowedUnsafeSysctls", "spec.forbiddenSysctls"],
    &["sysctls"],
);
const RUNTIME_CLASS: Control = control(
    "runtime class",
    "spec.runtimeClassName",
    &["spec.runtimeClass.allowedRuntimeClassNames"],
    &[],
);

fn node(policies: &[&Policy], all: &mut Vec<Probe>) {
    all.push(NETWORK.probe("true", with("hostNetwork", true)));
    all.push(PROCESSES.probe("true", with("hostPID", true)));
    all.push(IPC.probe("true", with("hostIPC", true)));
    let numbers = policies.iter().flat_map(|policy| policy.bounds_of_ports());
    let numbers: BTreeSet<i64> = numbers.chain([80, 8080]).collect();
    for number in numbers.into_iter().filter(|n| (1..=65535).contains(n)) {
        let port = json!({"containerPort": 1, "hostPort": number});
        let spec = json!({"containers": [{"name": "c", "ports": [port]}]});
        all.push(PORTS.probe(number.to_string(), spec));
    }
    let lists = policies.iter().flat_map(|policy| policy.sysctls());
    for name in named(SAFE_SYSCTLS.into_iter().chain(["kernel.msgmax"]), lists) {
        let spec = pod(json!({"sysctls": [{"name": name, "value": "1"}]}));
        all.push(SYSCTLS.probe(name, spec));
    }
    let lists = policies.iter().flat_map(|policy| policy.runtime_classes());
    for name in named(["another"], lists) {
        all.push(RUNTIME_CLASS.probe(name, with("runtimeClassName", name)));
    }
}

const VOLUMES: Control = control(
    "types of volumes",
    "spec.volumes[*]",
    &["spec.volumes"],
    &["hostPathVolumes", "restrictedVolumes"],
);
const PATHS: Control = control(
    "paths of the node",
    "spec.volumes[*].hostPath.path",
    &["spec.allowedHostPaths"],
    &[],
);
const FLEX_DRIVERS: Control = control(
    "drivers of flexVolumes",
    "spec.volumes[*].flexVolume.driver",
    &["spec.allowedFlexVolumes"],
    &[],
);
const CSI_DRIVERS: Control = control(
    "drivers of CSI volumes",
    "spec.volumes[*].csi.driver",
    &["spec.allowedCSIDrivers"],
    &[],
);

fn volumes(policies: &[&Policy], all: &mut Vec<Probe>) {
    for source in volume_sources() {
        all.push(VOLUMES.probe(source, volume(source, json!({}))));
    }
    let lists = policies
        .iter()
        .flat_map(|policy| policy.host_path_prefixes());
    for path in named(["/"], lists) {
        all.push(PATHS.probe(path, volume("hostPath", json!({"path": path}))));
    }
    let lists = policies.iter().flat_map(|policy| policy.flex_drivers());
    for driver in named(["another"], lists) {
        let spec = volume("flexVolume", json!({"driver": driver}));
        all.push(FLEX_DRIVERS.probe(driver, spec));
    }
    let lists = policies.iter().flat_map(|policy| policy.csi_drivers());
    for driver in named(["another"], lists) {
        let spec = volume("csi", json!({"driver": driver}));
        all.push(CSI_DRIVERS.probe(driver, spec));
    }
}

const NON_ROOT: Control = control(
    "another user than root",
    "spec.containers[*].securityContext.runAsNonRoot",
    &["spec.runAsUser"],
    &["runAsNonRoot"],
)
.filled_at(&["runAsNonRoot", "runAsUser"]);
const USER: Control = control(
    "user",
    "spec.containers[*].securityContext.runAsUser",
    &["spec.runAsUser"],
    &["runAsUser"],
);
const MAIN_GROUP: Control = control(
    "main group",
    "spec.containers[*].securityContext.runAsGroup",
    &["spec.runAsGroup"],
    &[],
);
const GROUPS: Control = control(
    "supplemental groups",
    "spec.securityContext.supplementalGroups",
    &["spec.supplementalGroups"],
    &[],
);
const FILE_GROUP: Control = control(
    "group of files",
    "spec.securityContext.fsGroup",
    &["spec.fsGroup"],
    &[],
);

fn users(policies: &[&Policy], all: &mut Vec<Probe>) {
    let ids = |groups: Option<Groups>| -> BTreeSet<i64> {
        let of_policies = policies.iter().flat_map(|policy| policy.bounds_of(groups));
        let known = of_policies.chain([0, 1000]);
        known.filter(|id| *id >= 0).collect()
    };
    all.push(NON_ROOT.probe(NOT_SET, container(json!({}))));
    for id in ids(None) {
        let context = json!({"runAsUser": id, "runAsNonRoot": id != 0});
        all.push(USER.probe(id.to_string(), container(context)));
    }
    for id in ids(Some(Groups::Main)) {
        let spec = container(json!({"runAsGroup": id}));
        all.push(MAIN_GROUP.probe(id.to_string(), spec));
    }
    for id in ids(Some(Groups::Supplemental)) {
        let spec = pod(json!({"supplementalGroups": [id]}));
        all.push(GROUPS.probe(id.to_string(), spec));
    }
    for id in ids(Some(Groups::Files)) {
        all.push(FILE_GROUP.probe(id.to_string(), pod(json!({"fsGroup": id}))));
    }
}

const PRIVILEGED: Control = control(
    "privileged containers",
    "spec.containers[*].securityContext.privileged",
    &["spec.privileged"],
    &["privileged"],
);
const ESCALATION: Control = control(
    "privilege escalation",
    "spec.containers[*].securityContext.allowPrivilegeEscalation",
    &["spec.allowPrivilegeEscalation"],
    &["allowPrivilegeEscalation"],
)
.filled_at(&["allowPrivilegeEscalation"]);
const ADDED: Control = control(
    "capabilities added",
    "spec.containers[*].securityContext.capabilities.add",
    &["spec.allowedCapabilities", "spec.requiredDropCapabilities"],
    &["capabilities_baseline", "capabilities_restricted"],
);
const DROPPED: Control = control(
    "capabilities dropped",
    "spec.containers[*].securityContext.capabilities.drop",
    &["spec.requiredDropCapabilities"],
    &["capabilities_restricted"],
)
.filled_at(&["capabilities"]);
const ROOT: Control = control(
    "writable root file system",
    "spec.containers[*].securityContext.readOnlyRootFilesystem",
    &["spec.readOnlyRootFilesystem"],
    &[],
);
const MASKS: Control = control(
    "masks over /proc",
    "spec.containers[*].securityContext.procMount",
    &["spec.allowedProcMountTypes"],
    &["procMount"],
);

fn privileges(policies: &[&Policy], all: &mut Vec<Probe>) {
    let mut push = |control: Control, value: &str, context: Value| {
        all.push(control.probe(value, container(context)));
    };
    push(PRIVILEGED, "true", json!({"privileged": true}));
    push(ESCALATION, NOT_SET, json!({}));
    push(
        ESCALATION,
        "true",
        json!({"allowPrivilegeEscalation": true}),
    );
    let lists = policies.iter().flat_map(|policy| policy.capabilities());
    let known = DEFAULT_CAPABILITIES.into_iter().chain(MORE_CAPABILITIES);
    for name in named(known, lists) {
        let context = json!({"capabilities": {"drop": ["ALL"], "add": [name]}});
        push(ADDED, name, context);
    }
    push(DROPPED, NOT_SET, json!({}));
    push(ROOT, "false", json!({"readOnlyRootFilesystem": false}));
    push(MASKS, "Unmasked", json!({"procMount": "Unmasked"}));
}

const SECCOMP: Control = control(
    "seccomp profile",
    "spec.containers[*].securityContext.seccompProfile.type",
    &["metadata.annotations[seccomp.security.alpha.kubernetes.io/allowedProfileNames]"],
    &["seccompProfile_baseline", "seccompProfile_restricted"],
)
.filled_at(&[
    "seccompProfile",
    "seccomp.security.alpha.kubernetes.io/pod]",
    "seccomp.security.alpha.kubernetes.io/c]",
]);
const APP_ARMOR: Control = control(
    "AppArmor profile",
    "spec.containers[*].securityContext.appArmorProfile.type",
    &["metadata.annotations[apparmor.security.beta.kubernetes.io/allowedProfileNames]"],
    &["appArmorProfile"],
);
const SELINUX: Control = control(
    "SELinux options",
    "spec.containers[*].securityContext.seLinuxOptions",
    &["spec.seLinux"],
    &["seLinuxOptions"],
);
const HOST_PROCESS: Control = control(
    "Windows HostProcess containers",
    "spec.containers[*].securityContext.windowsOptions.hostProcess",
    &[],
    &["windowsHostProcess"],
);

fn profiles(all: &mut Vec<Probe>) {
    let kinds = [
        ("RuntimeDefault", json!({"type": "RuntimeDefault"})),
        (
            "Localhost",
            json!({"type": "Localhost", "localhostProfile": "own"}),
        ),
        ("Unconfined", json!({"type": "Unconfined"})),
    ];
    let mut push = |control: Control, value: &str, context: Value| {
        all.push(control.probe(value, container(context)));
    };
    push(SECCOMP, NOT_SET, json!({}));
    for (kind, profile) in &kinds {
        push(SECCOMP, kind, json!({"seccompProfile": profile}));
    }
    for (kind, profile) in &kinds {
        push(APP_ARMOR, kind, json!({"appArmorProfile": profile}));
    }
    for kind in SELINUX_TYPES.into_iter().chain(["spc_t"]) {
        let context = json!({"seLinuxOptions": {"type": kind}});
        push(SELINUX, &format!("type {kind}"), context);
    }
    let context = json!({"seLinuxOptions": {"user": "system_u"}});
    push(SELINUX, "a user", context);
    let context = json!({"windowsOptions": {"hostProcess": true}});
    push(HOST_PROCESS, "true", context);
}
