//! What a container's process may do: its user and groups, capabilities, filters and views, from
//! the pod's word, the container's, and the image's.

pub mod accounts;
pub mod capabilities;
pub mod seccomp;
pub mod sysctls;
#[cfg(test)]
mod tests;
pub mod user_namespace;

pub use accounts::{Account, Image};
pub use capabilities::Capabilities;

use crate::containers::Container;
use accounts::{Groups, ImageUser};
use model::validation::read::{flag, get, text};
use model::{Value, meta};
use thiserror::Error;

/// Paths of `/proc` and `/sys` that say too much of the node.
const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];
/// Paths of `/proc` through which the node could be changed.
const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// The reason with which the node refuses a pod whose AppArmor profile it cannot enforce.
pub const APP_ARMOR_REASON: &str = "AppArmor";

/// What the kernel can enforce.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kernel {
    /// AppArmor is on.
    pub app_armor: bool,
    /// SELinux is on.
    pub se_linux: bool,
    /// System calls can be filtered.
    pub seccomp: bool,
}

/// The AppArmor profile of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppArmor {
    /// The node's default.
    RuntimeDefault,
    /// A profile that is loaded on the node.
    Localhost(String),
    /// None.
    Unconfined,
}

/// SELinux labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeLinux {
    /// Its user, empty for the node's default; so the others.
    pub user: String,
    /// Its role.
    pub role: String,
    /// Its type.
    pub kind: String,
    /// Its level.
    pub level: String,
}

/// What holds for a container's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    /// Its user and groups.
    pub account: Account,
    /// Its capabilities: bounding, permitted and effective; never inheritable or ambient.
    pub capabilities: Capabilities,
    /// Whether it can gain no privileges by executing a file.
    pub no_new_privileges: bool,
    /// Whether it sees all devices, writes to `/sys`, and nothing is masked.
    pub privileged: bool,
    /// Whether its root is read-only.
    pub read_only_root: bool,
    /// Paths that it does not see.
    pub masked: Vec<&'static str>,
    /// Paths that it may only read.
    pub read_only: Vec<&'static str>,
    /// Its system calls.
    pub seccomp: seccomp::Profile,
    /// Its AppArmor profile; `None` without AppArmor.
    pub app_armor: Option<AppArmor>,
    /// Its SELinux labels; `None` without SELinux, or to take the node's default.
    pub se_linux: Option<SeLinux>,
}

/// Why a container cannot be run as its pod asks. Those of [`SecurityError::waits`] leave it
/// waiting with `CreateContainerConfigError`, the others with `CreateContainerError`; the error is
/// the message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SecurityError {
    /// `runAsNonRoot` with `runAsUser: 0`.
    #[error(
        "container's runAsUser breaks non-root policy (pod: \"{pod}\", container: {container})"
    )]
    RootUser {
        /// The pod, `NAME_NAMESPACE(UID)`.
        pod: String,
        /// The container.
        container: String,
    },
    /// `runAsNonRoot` with an image of root's.
    #[error(
        "container has runAsNonRoot and image will run as root (pod: \"{pod}\", container: {container})"
    )]
    RootImage {
        /// The pod, `NAME_NAMESPACE(UID)`.
        pod: String,
        /// The container.
        container: String,
    },
    /// `runAsNonRoot` with an image that names its user.
    #[error(
        "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is \
         non-root (pod: \"{pod}\", container: {container})"
    )]
    NamedUser {
        /// The name.
        user: String,
        /// The pod, `NAME_NAMESPACE(UID)`.
        pod: String,
        /// The container.
        container: String,
    },
    /// A seccomp profile without a name.
    #[error(transparent)]
    Profile(#[from] seccomp::ProfileError),
    /// A policy that is not known.
    #[error("unsupported supplementalGroupsPolicy: {0}")]
    GroupsPolicy(String),
    /// The image does not have the user.
    #[error(transparent)]
    User(#[from] accounts::UnknownUser),
    /// The kernel does not have the capability.
    #[error(transparent)]
    Capability(#[from] capabilities::UnknownCapability),
    /// A filter is asked for and the kernel has none.
    #[error("seccomp is not supported by the node's kernel, cannot apply the profile")]
    NoSeccomp,
    /// Labels are asked for and the kernel has none.
    #[error("SELinux is not enabled on the node, cannot apply seLinuxOptions")]
    NoSeLinux,
    /// A profile is asked for and the kernel has none (the node refuses such pods before).
    #[error("Cannot enforce AppArmor: AppArmor is not enabled on the host")]
    NoAppArmor,
}

impl SecurityError {
    /// Whether it is found before the container is created, as kubelet does.
    pub fn waits(&self) -> bool {
        matches!(
            self,
            Self::RootUser { .. }
                | Self::RootImage { .. }
                | Self::NamedUser { .. }
                | Self::Profile(_)
                | Self::GroupsPolicy(_)
        )
    }
}

/// What holds for a container of the pod, from an image with that user.
pub fn security(
    pod: &Value,
    container: Container<'_>,
    image: &Image<'_>,
    kernel: Kernel,
) -> Result<Security, SecurityError> {
    let null = Value::Null;
    let of_pod = meta::at(pod, &["spec", "securityContext"]).unwrap_or(&null);
    let own = get(container.spec, "securityContext").unwrap_or(&null);
    let user = user(pod, container, of_pod, own, image)?;
    let privileged = flag(own, "privileged") == Some(true);
    let groups = groups(of_pod, own)?;
    let capabilities = get(own, "capabilities").unwrap_or(&null);
    let unmasked = privileged || text(own, "procMount") == "Unmasked";
    let seccomp = seccomp::choose(of_pod, own, privileged)?;
    if seccomp != seccomp::Profile::Unconfined && !kernel.seccomp {
        return Err(SecurityError::NoSeccomp);
    }
    Ok(Security {
        account: accounts::account(image, user, groups)?,
        capabilities: capabilities::effective(capabilities, privileged)?,
        no_new_privileges: flag(own, "allowPrivilegeEscalation") == Some(false),
        privileged,
        read_only_root: flag(own, "readOnlyRootFilesystem") == Some(true),
        masked: if unmasked {
            Vec::new()
        } else {
            MASKED.to_vec()
        },
        read_only: if unmasked {
            Vec::new()
        } else {
            READ_ONLY.to_vec()
        },
        seccomp,
        app_armor: app_armor(pod, container, of_pod, own, privileged, kernel)?,
        se_linux: se_linux(of_pod, own, kernel)?,
    })
}

/// The user, once it is sure that it is none that the pod rules out.
fn user<'a>(
    pod: &Value,
    container: Container<'_>,
    of_pod: &Value,
    own: &Value,
    image: &Image<'a>,
) -> Result<ImageUser<'a>, SecurityError> {
    let asked = id(own, "runAsUser").or(id(of_pod, "runAsUser"));
    let user = asked.map_or_else(|| image.own_user(), ImageUser::Id);
    if flag(own, "runAsNonRoot").or(flag(of_pod, "runAsNonRoot")) != Some(true) {
        return Ok(user);
    }
    let who = format!(
        "{}_{}({})",
        meta::name(pod),
        meta::namespace(pod),
        meta::uid(pod)
    );
    let container = container.name().to_owned();
    match user {
        ImageUser::Id(0) if asked.is_some() => Err(SecurityError::RootUser {
            pod: who,
            container,
        }),
        ImageUser::Id(0) => Err(SecurityError::RootImage {
            pod: who,
            container,
        }),
        ImageUser::Name(name) => {
            let user = name.to_owned();
            Err(SecurityError::NamedUser {
                user,
                pod: who,
                container,
            })
        }
        ImageUser::Id(_) => Ok(user),
    }
}

fn id(context: &Value, key: &str) -> Option<u32> {
    context
        .get(key)
        .and_then(Value::as_u64)
        .and_then(|id| u32::try_from(id).ok())
}

fn groups(of_pod: &Value, own: &Value) -> Result<Groups, SecurityError> {
    let listed = model::validation::read::list(of_pod, "supplementalGroups").iter();
    let more = listed.filter_map(|group| u32::try_from(group.as_u64()?).ok());
    Ok(Groups {
        primary: id(own, "runAsGroup").or(id(of_pod, "runAsGroup")),
        more: more.chain(id(of_pod, "fsGroup")).collect(),
        strict: match text(of_pod, "supplementalGroupsPolicy") {
            "" | "Merge" => false,
            "Strict" => true,
            other => return Err(SecurityError::GroupsPolicy(other.to_owned())),
        },
    })
}

/// The container's field, its annotation from before there was a field, the pod's field; and where
/// all are silent the node's default, if the kernel has AppArmor at all.
fn app_armor(
    pod: &Value,
    container: Container<'_>,
    of_pod: &Value,
    own: &Value,
    privileged: bool,
    kernel: Kernel,
) -> Result<Option<AppArmor>, SecurityError> {
    let field = |context: &Value| {
        get(context, "appArmorProfile").map(|profile| match text(profile, "type") {
            "Localhost" => AppArmor::Localhost(text(profile, "localhostProfile").to_owned()),
            "Unconfined" => AppArmor::Unconfined,
            _ => AppArmor::RuntimeDefault,
        })
    };
    let key = format!(
        "container.apparmor.security.beta.kubernetes.io/{}",
        container.name()
    );
    let annotation = match meta::text(pod, &["metadata", "annotations", &key]) {
        "runtime/default" => Some(AppArmor::RuntimeDefault),
        "unconfined" => Some(AppArmor::Unconfined),
        other => other
            .strip_prefix("localhost/")
            .map(|name| AppArmor::Localhost(name.to_owned())),
    };
    let asked = field(own).or(annotation).or_else(|| field(of_pod));
    match asked {
        None | Some(AppArmor::Unconfined) if !kernel.app_armor => Ok(None),
        Some(_) if !kernel.app_armor => Err(SecurityError::NoAppArmor),
        // A privileged container is confined only by a profile that is named.
        None | Some(AppArmor::RuntimeDefault) if privileged => Ok(Some(AppArmor::Unconfined)),
        None => Ok(Some(AppArmor::RuntimeDefault)),
        asked => Ok(asked),
    }
}

fn se_linux(of_pod: &Value, own: &Value, kernel: Kernel) -> Result<Option<SeLinux>, SecurityError> {
    let Some(options) = get(own, "seLinuxOptions").or(get(of_pod, "seLinuxOptions")) else {
        return Ok(None);
    };
    let labels = SeLinux {
        user: text(options, "user").to_owned(),
        role: text(options, "role").to_owned(),
        kind: text(options, "type").to_owned(),
        level: text(options, "level").to_owned(),
    };
    let says_something = [&labels.user, &labels.role, &labels.kind, &labels.level]
        .iter()
        .any(|part| !part.is_empty());
    match (says_something, kernel.se_linux) {
        (false, _) => Ok(None),
        (true, true) => Ok(Some(labels)),
        (true, false) => Err(SecurityError::NoSeLinux),
    }
}
