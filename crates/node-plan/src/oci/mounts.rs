//! The mounts of a container: what every Linux program expects, then the pod's.

use super::id_mappings;
use crate::security::user_namespace::Mapping;
use crate::volumes::mounts::Propagation;
use oci_spec::runtime::Mount;
use std::path::{Path, PathBuf};

/// A path of the node that a container sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostMount {
    /// The path, its links resolved.
    pub source: PathBuf,
    /// Where the container sees it.
    pub target: PathBuf,
    /// Whether it may only be read.
    pub read_only: bool,
    /// Whether that holds for what is mounted beneath it, too.
    pub recursive: bool,
    /// How mounts beneath it spread.
    pub propagation: Propagation,
    /// Whether it shows the pod's users as owners (a volume), not the node's.
    pub mapped: bool,
}

pub(super) fn of_container(
    own: &[HostMount],
    shared_memory: &Path,
    privileged: bool,
    users: Option<Mapping>,
) -> Vec<Mount> {
    let access = if privileged { "rw" } else { "ro" };
    let mut mounts = basic();
    mounts.extend([
        mount(
            "/dev/mqueue",
            "mqueue",
            "mqueue",
            &["nosuid", "noexec", "nodev"],
        ),
        mount(
            "/sys",
            "sysfs",
            "sysfs",
            &["nosuid", "noexec", "nodev", access],
        ),
        mount(
            "/sys/fs/cgroup",
            "cgroup",
            "cgroup",
            &["nosuid", "noexec", "nodev", "relatime", access],
        ),
    ]);
    let has = |target: &str| own.iter().any(|mount| mount.target == Path::new(target));
    // A volume there takes the place of what is there by default.
    mounts.retain(|mount| own.iter().all(|own| own.target != *mount.destination()));
    if !has("/dev/shm") {
        mounts.push(shared(shared_memory));
    }
    // A mount beneath another must come after it, whatever the order in the pod.
    let mut own: Vec<&HostMount> = own.iter().collect();
    own.sort_by_key(|mount| mount.target.components().count());
    mounts.extend(own.into_iter().map(|own| bind(own, users)));
    mounts
}

pub(super) fn of_sandbox(shared_memory: &Path) -> Vec<Mount> {
    let mut mounts = basic();
    mounts.push(shared(shared_memory));
    mounts
}

fn basic() -> Vec<Mount> {
    vec![
        mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount(
            "/dev",
            "tmpfs",
            "tmpfs",
            &["nosuid", "strictatime", "mode=755", "size=65536k"],
        ),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
                "gid=5",
            ],
        ),
    ]
}

fn shared(memory: &Path) -> Mount {
    let source = memory.to_string_lossy();
    mount(
        "/dev/shm",
        "bind",
        &source,
        &["rbind", "rprivate", "nosuid", "noexec", "nodev"],
    )
}

fn bind(own: &HostMount, users: Option<Mapping>) -> Mount {
    let mut options = vec![
        "rbind",
        match own.propagation {
            Propagation::Private => "rprivate",
            Propagation::HostToContainer => "rslave",
            Propagation::Bidirectional => "rshared",
        },
        match (own.read_only, own.recursive) {
            (false, _) => "rw",
            (true, false) => "ro",
            (true, true) => "rro",
        },
    ];
    let mapped = users.filter(|_| own.mapped);
    if mapped.is_some() {
        options.push("ridmap");
    }
    let mut bind = mount(
        &own.target.to_string_lossy(),
        "bind",
        &own.source.to_string_lossy(),
        &options,
    );
    bind.set_uid_mappings(mapped.map(id_mappings));
    bind.set_gid_mappings(mapped.map(id_mappings));
    bind
}

fn mount(target: &str, kind: &str, source: &str, options: &[&str]) -> Mount {
    let mut mount = Mount::default();
    mount
        .set_destination(PathBuf::from(target))
        .set_typ(Some(kind.to_owned()))
        .set_source(Some(PathBuf::from(source)))
        .set_options(Some(
            options.iter().map(|option| (*option).to_owned()).collect(),
        ));
    mount
}
