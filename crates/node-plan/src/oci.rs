//! The OCI runtime specification of a pod's containers, and of the sandbox that holds what they
//! share.

mod mounts;
mod process;
mod resources;
#[cfg(test)]
mod tests;

pub use mounts::HostMount;
pub use process::{CommandError, argv};
pub use resources::resources;

use crate::containers::{Container, Role};
use crate::security::user_namespace::{LENGTH, Mapping};
use crate::security::{AppArmor, SeLinux, Security};
use crate::volumes::mounts::Propagation;
use model::validation::read::{is_true, text};
use model::{Value, meta};
use oci_spec::runtime::{
    Linux, LinuxDevice, LinuxDeviceCgroup, LinuxDeviceType, LinuxIdMapping, LinuxIdMappingBuilder,
    LinuxNamespace, LinuxNamespaceType, LinuxResources, LinuxSeccomp, PosixRlimit, Process, Root,
    Spec, User,
};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The version of the specification that these are written to.
const VERSION: &str = "1.1.0";
/// How late the sandbox is killed when memory is gone.
const SANDBOX_OOM_SCORE: i32 = -998;
/// The sandbox's user and group where the pod names none.
const SANDBOX_USER: u32 = 65_535;

/// Where the namespaces are that a pod's containers share; paths as in `/proc/PID/ns`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// The pod's network; `None` on the node's.
    pub network: Option<PathBuf>,
    /// The pod's IPC; `None` on the node's.
    pub ipc: Option<PathBuf>,
    /// The pod's host name; `None` on the node's.
    pub uts: Option<PathBuf>,
    /// The sandbox's processes, which containers join with `shareProcessNamespace`.
    pub pid: Option<PathBuf>,
    /// The pod's users; `None` if they are the node's.
    pub user: Option<PathBuf>,
    /// The processes of the container that an ephemeral one is to look into.
    pub target: Option<PathBuf>,
}

/// What the node is and has.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// Whether cgroups are of version 2, where containers get a cgroup namespace.
    pub unified_cgroups: bool,
    /// The name of the AppArmor profile that `RuntimeDefault` stands for.
    pub app_armor_profile: Option<String>,
    /// The node's devices, which privileged containers see.
    pub devices: Vec<LinuxDevice>,
    /// Limits on processes beyond cgroups; empty to inherit the agent's.
    pub rlimits: Vec<PosixRlimit>,
}

/// What a container is made from.
#[derive(Debug, Clone)]
pub struct ContainerInput<'a> {
    /// The pod.
    pub pod: &'a Value,
    /// The container.
    pub container: Container<'a>,
    /// What it may do.
    pub security: &'a Security,
    /// Its system call filter, as `security.seccomp` resolves to.
    pub seccomp: Option<LinuxSeccomp>,
    /// Its environment, from `env::of_process`.
    pub environment: BTreeMap<String, String>,
    /// Its command line, from [`argv`].
    pub argv: Vec<String>,
    /// Where it starts if the pod does not say: the image's `WorkingDir`.
    pub working_directory: &'a str,
    /// Its volumes and files on the node.
    pub mounts: Vec<HostMount>,
    /// The directory of the node that is its `/dev/shm`, shared by the pod.
    pub shared_memory: PathBuf,
    /// Its root file system on the node.
    pub root: PathBuf,
    /// The namespaces that it joins.
    pub namespaces: &'a Namespaces,
    /// Its users, if not the node's.
    pub users: Option<Mapping>,
    /// Its cgroup.
    pub cgroup: PathBuf,
    /// Its limits, from [`resources`]; devices are filled in here.
    pub resources: LinuxResources,
    /// How early it is killed when memory is gone.
    pub oom_score_adj: i32,
}

/// The specification of a container.
pub fn container(input: ContainerInput<'_>, site: &Site) -> Spec {
    let security = input.security;
    let spec = input.container.spec;
    let own_directory = text(spec, "workingDir");
    let directory = [own_directory, input.working_directory, "/"]
        .into_iter()
        .find(|directory| !directory.is_empty())
        .unwrap_or("/");
    let mut user = User::default();
    user.set_uid(security.account.user)
        .set_gid(security.account.group)
        .set_additional_gids(Some(security.account.groups.iter().copied().collect()));
    let mut process = Process::default();
    process
        .set_terminal(Some(is_true(spec, "tty")))
        .set_user(user)
        .set_args(Some(input.argv))
        .set_env(Some(process::lines(&input.environment)))
        .set_cwd(PathBuf::from(directory))
        .set_capabilities(Some(process::capabilities(security.capabilities)))
        .set_rlimits((!site.rlimits.is_empty()).then(|| site.rlimits.clone()))
        .set_no_new_privileges(Some(security.no_new_privileges))
        .set_oom_score_adj(Some(input.oom_score_adj))
        .set_apparmor_profile(match &security.app_armor {
            Some(AppArmor::RuntimeDefault) => site.app_armor_profile.clone(),
            Some(AppArmor::Localhost(name)) => Some(name.clone()),
            Some(AppArmor::Unconfined) => Some("unconfined".to_owned()),
            None => None,
        })
        .set_selinux_label(
            security
                .se_linux
                .as_ref()
                .map(|labels| label(labels, "container_t")),
        );
    let mut resources = input.resources;
    resources.set_devices(Some(device_rules(security.privileged)));
    let strings = |paths: &[&str]| Some(paths.iter().map(|path| (*path).to_owned()).collect());
    let propagation = root_propagation(&input.mounts);
    let mut linux = Linux::default();
    linux
        .set_namespaces(Some(of_container(
            &input.container,
            input.pod,
            input.namespaces,
            security,
            site,
        )))
        .set_resources(Some(resources))
        .set_cgroups_path(Some(input.cgroup))
        .set_devices(security.privileged.then(|| site.devices.clone()))
        .set_seccomp(input.seccomp)
        .set_rootfs_propagation(propagation.map(str::to_owned))
        .set_masked_paths(strings(&security.masked))
        .set_readonly_paths(strings(&security.read_only))
        .set_mount_label(
            security
                .se_linux
                .as_ref()
                .map(|labels| label(labels, "container_file_t")),
        );
    map_users(&mut linux, input.users);
    let mounts = mounts::of_container(
        &input.mounts,
        &input.shared_memory,
        security.privileged,
        input.users,
    );
    let mut root = Root::default();
    root.set_path(input.root)
        .set_readonly(Some(security.read_only_root));
    let mut spec = Spec::default();
    spec.set_version(VERSION.to_owned())
        .set_hostname(None)
        .set_root(Some(root))
        .set_mounts(Some(mounts))
        .set_process(Some(process))
        .set_linux(Some(linux));
    annotate(&mut spec, input.pod, Some(input.container.name()));
    spec
}

/// What a sandbox is made from.
#[derive(Debug, Clone)]
pub struct SandboxInput<'a> {
    /// The pod.
    pub pod: &'a Value,
    /// What its kernel calls it.
    pub hostname: &'a str,
    /// Its parameters, from `security::sysctls`.
    pub sysctls: &'a BTreeMap<String, String>,
    /// The program that holds the sandbox open, and reaps its processes if they are shared.
    pub argv: Vec<String>,
    /// Its root file system on the node.
    pub root: PathBuf,
    /// The network that was made for the pod; `None` on the node's.
    pub network: Option<PathBuf>,
    /// The directory of the node that is the pod's `/dev/shm`.
    pub shared_memory: PathBuf,
    /// Its system call filter.
    pub seccomp: Option<LinuxSeccomp>,
    /// Its users, if not the node's.
    pub users: Option<Mapping>,
    /// Its cgroup, in the pod's.
    pub cgroup: PathBuf,
}

/// The specification of a pod's sandbox: the least that can hold namespaces open. It has no
/// capabilities and a read-only root.
pub fn sandbox(input: SandboxInput<'_>, site: &Site) -> Spec {
    let pod = input.pod;
    let context = ["spec", "securityContext"];
    let id = |field: &str| {
        let [spec, context] = context;
        meta::at(pod, &[spec, context, field])
            .and_then(Value::as_u64)
            .and_then(|id| u32::try_from(id).ok())
    };
    let mut user = User::default();
    let uid = id("runAsUser").unwrap_or(SANDBOX_USER);
    user.set_uid(uid)
        .set_gid(id("runAsGroup").unwrap_or(SANDBOX_USER));
    let mut process = Process::default();
    process
        .set_terminal(Some(false))
        .set_user(user)
        .set_args(Some(input.argv))
        .set_env(Some(Vec::new()))
        .set_cwd(PathBuf::from("/"))
        .set_capabilities(Some(process::capabilities(Default::default())))
        .set_rlimits(None)
        .set_no_new_privileges(Some(true))
        .set_apparmor_profile(site.app_armor_profile.clone())
        .set_selinux_label(None)
        .set_oom_score_adj(Some(SANDBOX_OOM_SCORE));
    let on_host = shares_host(pod, "hostNetwork");
    let mut namespaces = vec![new(LinuxNamespaceType::Mount)];
    if !on_host {
        let network = namespace(LinuxNamespaceType::Network, input.network);
        namespaces.extend([new(LinuxNamespaceType::Uts), network]);
    }
    if !shares_host(pod, "hostIPC") {
        namespaces.push(new(LinuxNamespaceType::Ipc));
    }
    if !shares_host(pod, "hostPID") {
        namespaces.push(new(LinuxNamespaceType::Pid));
    }
    if input.users.is_some() {
        namespaces.push(new(LinuxNamespaceType::User));
    }
    let mut resources = LinuxResources::default();
    resources.set_devices(Some(device_rules(false)));
    let mut linux = Linux::default();
    linux
        .set_namespaces(Some(namespaces))
        .set_resources(Some(resources))
        .set_cgroups_path(Some(input.cgroup))
        .set_seccomp(input.seccomp)
        .set_sysctl((!input.sysctls.is_empty()).then(|| {
            let all = input.sysctls.iter();
            all.map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        }));
    map_users(&mut linux, input.users);
    let mut root = Root::default();
    root.set_path(input.root).set_readonly(Some(true));
    let mut spec = Spec::default();
    spec.set_version(VERSION.to_owned())
        .set_hostname((!on_host).then(|| input.hostname.to_owned()))
        .set_root(Some(root))
        .set_mounts(Some(mounts::of_sandbox(&input.shared_memory)))
        .set_process(Some(process))
        .set_linux(Some(linux));
    annotate(&mut spec, pod, None);
    spec
}

/// Whether the pod shares something of the node (`hostNetwork`, `hostPID`, `hostIPC`).
pub fn shares_host(pod: &Value, field: &str) -> bool {
    meta::at(pod, &["spec", field]) == Some(&Value::Bool(true))
}

fn of_container(
    container: &Container<'_>,
    pod: &Value,
    shared: &Namespaces,
    security: &Security,
    site: &Site,
) -> Vec<LinuxNamespace> {
    let mut namespaces = vec![new(LinuxNamespaceType::Mount)];
    let share_processes = shares_host(pod, "shareProcessNamespace");
    if !shares_host(pod, "hostPID") {
        let looks_into = container.role == Role::Ephemeral
            && !text(container.spec, "targetContainerName").is_empty();
        let path = match (share_processes, looks_into) {
            (true, _) => shared.pid.clone(),
            (false, true) => shared.target.clone(),
            (false, false) => None,
        };
        namespaces.push(namespace(LinuxNamespaceType::Pid, path));
    }
    let joined = [
        (LinuxNamespaceType::Network, &shared.network),
        (LinuxNamespaceType::Ipc, &shared.ipc),
        (LinuxNamespaceType::Uts, &shared.uts),
        (LinuxNamespaceType::User, &shared.user),
    ];
    for (kind, path) in joined {
        if path.is_some() {
            namespaces.push(namespace(kind, path.clone()));
        }
    }
    if site.unified_cgroups && !security.privileged {
        namespaces.push(new(LinuxNamespaceType::Cgroup));
    }
    namespaces
}

fn new(kind: LinuxNamespaceType) -> LinuxNamespace {
    namespace(kind, None)
}

fn namespace(kind: LinuxNamespaceType, path: Option<PathBuf>) -> LinuxNamespace {
    let mut namespace = LinuxNamespace::default();
    namespace.set_typ(kind).set_path(path);
    namespace
}

/// How mounts made beneath the root spread: as far as the widest of the container's mounts asks.
fn root_propagation(mounts: &[HostMount]) -> Option<&'static str> {
    let any = |wanted| mounts.iter().any(|mount| mount.propagation == wanted);
    if any(Propagation::Bidirectional) {
        Some("shared")
    } else if any(Propagation::HostToContainer) {
        Some("slave")
    } else {
        None
    }
}

fn map_users(linux: &mut Linux, users: Option<Mapping>) {
    let mappings = users.map(id_mappings);
    linux
        .set_uid_mappings(mappings.clone())
        .set_gid_mappings(mappings);
}

/// Empty if it cannot be built, which no runtime takes for a user namespace.
fn id_mappings(users: Mapping) -> Vec<LinuxIdMapping> {
    LinuxIdMappingBuilder::default()
        .container_id(0_u32)
        .host_id(users.first)
        .size(LENGTH)
        .build()
        .into_iter()
        .collect()
}

/// The devices of a container: any may be made, but only those that every program expects used;
/// privileged ones use all.
fn device_rules(privileged: bool) -> Vec<LinuxDeviceCgroup> {
    let rule = |allow, kind, major, minor, access: &str| {
        let mut rule = LinuxDeviceCgroup::default();
        rule.set_allow(allow)
            .set_typ(Some(kind))
            .set_major(major)
            .set_minor(minor)
            .set_access(Some(access.to_owned()));
        rule
    };
    if privileged {
        return vec![rule(true, LinuxDeviceType::A, None, None, "rwm")];
    }
    let mut rules = vec![
        rule(false, LinuxDeviceType::A, None, None, "rwm"),
        rule(true, LinuxDeviceType::C, None, None, "m"),
        rule(true, LinuxDeviceType::B, None, None, "m"),
    ];
    // null, zero, full, random, urandom, tty, ptmx, and the terminals behind it.
    for (major, minor) in [
        (1, Some(3)),
        (1, Some(5)),
        (1, Some(7)),
        (1, Some(8)),
        (1, Some(9)),
        (5, Some(0)),
        (5, Some(2)),
        (136, None),
    ] {
        rules.push(rule(true, LinuxDeviceType::C, Some(major), minor, "rwm"));
    }
    rules
}

fn label(labels: &SeLinux, default_type: &str) -> String {
    let or = |part: &str, default: &str| {
        if part.is_empty() {
            default.to_owned()
        } else {
            part.to_owned()
        }
    };
    let is_file = default_type == "container_file_t";
    // Files have the level of the process, and a role and type of their own.
    let (role, kind) = if is_file {
        ("object_r".to_owned(), default_type.to_owned())
    } else {
        (or(&labels.role, "system_r"), or(&labels.kind, default_type))
    };
    format!(
        "{}:{role}:{kind}:{}",
        or(&labels.user, "system_u"),
        or(&labels.level, "s0")
    )
}

/// What tools that look at containers find them by.
fn annotate(spec: &mut Spec, pod: &Value, container: Option<&str>) {
    let mut annotations = vec![
        ("io.kubernetes.pod.name", meta::name(pod)),
        ("io.kubernetes.pod.namespace", meta::namespace(pod)),
        ("io.kubernetes.pod.uid", meta::uid(pod)),
    ];
    annotations.extend(container.map(|name| ("io.kubernetes.container.name", name)));
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    spec.set_annotations(Some(annotations.into_iter().map(owned).collect()));
}
