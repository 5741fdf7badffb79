//! The Pod Security Standards: which checks there are, and what they say of a pod.

mod capabilities;
mod host;
mod privilege;
mod profiles;
mod user;
mod volumes;

pub use capabilities::DEFAULT_CAPABILITIES;
pub use host::SAFE_SYSCTLS;
pub use profiles::SELINUX_TYPES;
pub(crate) use volumes::sources as volume_sources;

use crate::containers::{Place, Pod};
use crate::level::{Level, LevelVersion, Version};
use model::Value;
use std::borrow::Cow;

/// A check of the standards.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Upstream's ID.
    pub id: &'static str,
    /// The name of the control in the documentation of the standards.
    pub control: &'static str,
    /// The loosest level that makes the check.
    pub level: Level,
    /// The minor version since which it is made.
    pub since: u64,
    /// The ID of the check of the baseline level that it takes the place of.
    pub replaces: Option<&'static str>,
    run: fn(&Pod<'_>, Version) -> Option<Finding>,
}

/// What a check has found.
#[derive(Debug)]
struct Finding {
    reason: Cow<'static, str>,
    detail: String,
    fields: Vec<Place>,
}

impl Finding {
    fn new(reason: &'static str, detail: String, fields: Vec<Place>) -> Option<Self> {
        Some(Self {
            reason: reason.into(),
            detail,
            fields,
        })
    }
}

/// Why a level does not admit a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The ID of the check, upstream's.
    pub check: &'static str,
    /// The name of the control in the documentation of the standards.
    pub control: &'static str,
    /// The loosest level that makes the check.
    pub level: Level,
    /// What is wrong, in few words: upstream's `ForbiddenReason`.
    pub reason: Cow<'static, str>,
    /// What exactly is wrong: upstream's `ForbiddenDetail`.
    pub detail: String,
    /// All fields that are wrong, and where missing ones belong: each by itself suffices for the
    /// refusal. The message may name fewer, as upstream's does.
    pub fields: Vec<Place>,
}

/// All checks in the order of upstream's messages: those of the baseline level first, then by ID.
pub const CHECKS: [Check; 17] = [
    baseline("appArmorProfile", "AppArmor", profiles::app_armor),
    baseline(
        "capabilities_baseline",
        "Capabilities",
        capabilities::baseline,
    ),
    baseline("hostNamespaces", "Host Namespaces", host::namespaces),
    baseline("hostPathVolumes", "HostPath Volumes", volumes::host_path),
    baseline("hostPorts", "Host Ports", host::ports),
    baseline("privileged", "Privileged Containers", privilege::privileged),
    baseline("procMount", "/proc Mount Type", privilege::proc_mount),
    baseline("seLinuxOptions", "SELinux", profiles::selinux),
    baseline(
        "seccompProfile_baseline",
        "Seccomp",
        profiles::seccomp_baseline,
    ),
    baseline("sysctls", "Sysctls", host::sysctls),
    baseline("windowsHostProcess", "HostProcess", host::process),
    restricted(
        "allowPrivilegeEscalation",
        "Privilege Escalation",
        8,
        None,
        privilege::escalation,
    ),
    restricted(
        "capabilities_restricted",
        "Capabilities",
        22,
        Some("capabilities_baseline"),
        capabilities::restricted,
    ),
    restricted(
        "restrictedVolumes",
        "Volume Types",
        0,
        Some("hostPathVolumes"),
        volumes::restricted,
    ),
    restricted(
        "runAsNonRoot",
        "Running as Non-root",
        0,
        None,
        user::non_root,
    ),
    restricted(
        "runAsUser",
        "Running as Non-root user",
        23,
        None,
        user::user,
    ),
    restricted(
        "seccompProfile_restricted",
        "Seccomp",
        19,
        Some("seccompProfile_baseline"),
        profiles::seccomp_restricted,
    ),
];

/// Checks that came after the newest version that is known ([`Version::NEWEST`]): no level makes
/// them at any version here, [`weaknesses`] does.
pub const LATER: [Check; 1] = [Check {
    since: 34,
    ..baseline(
        "hostProbesAndHostLifecycle",
        "Host Probes / Lifecycle Hooks",
        host::connections,
    )
}];

const fn baseline(
    id: &'static str,
    control: &'static str,
    run: fn(&Pod<'_>, Version) -> Option<Finding>,
) -> Check {
    Check {
        id,
        control,
        level: Level::Baseline,
        since: 0,
        replaces: None,
        run,
    }
}

const fn restricted(
    id: &'static str,
    control: &'static str,
    since: u64,
    replaces: Option<&'static str>,
    run: fn(&Pod<'_>, Version) -> Option<Finding>,
) -> Check {
    Check {
        id,
        control,
        level: Level::Restricted,
        since,
        replaces,
        run,
    }
}

/// The checks that a level makes at a version, in their order.
pub fn checks(policy: LevelVersion) -> impl Iterator<Item = &'static Check> {
    let made = move |check: &Check| check.level <= policy.level && policy.version.has(check.since);
    CHECKS.iter().filter(move |check| {
        made(check)
            && !CHECKS
                .iter()
                .any(|other| other.replaces == Some(check.id) && made(other))
    })
}

/// What keeps a pod from being admitted by a level at a version, in the order of upstream's
/// messages. Empty if it is admitted.
///
/// `metadata` and `spec` are those of the pod, or of the template of pods; `metadata` may be null.
pub fn evaluate(policy: LevelVersion, metadata: &Value, spec: &Value) -> Vec<Violation> {
    if policy.level == Level::Privileged {
        return Vec::new();
    }
    violations(policy, &Pod::new(metadata, spec)).collect()
}

/// What every single check of the newest version says of a pod, and what those of [`LATER`] do:
/// also the checks of the baseline level that one of the restricted level takes the place of.
pub fn weaknesses(metadata: &Value, spec: &Value) -> Vec<Violation> {
    let pod = Pod::new(metadata, spec);
    CHECKS
        .iter()
        .chain(&LATER)
        .filter_map(|check| check.violation(&pod, Version::Latest))
        .collect()
}

/// The strictest level that admits a pod at a version.
pub fn strictest(version: Version, metadata: &Value, spec: &Value) -> Level {
    let pod = Pod::new(metadata, spec);
    let admits = |level| {
        violations(LevelVersion::new(level, version), &pod)
            .next()
            .is_none()
    };
    [Level::Restricted, Level::Baseline]
        .into_iter()
        .find(|level| admits(*level))
        .unwrap_or(Level::Privileged)
}

fn violations(policy: LevelVersion, pod: &Pod<'_>) -> impl Iterator<Item = Violation> {
    checks(policy).filter_map(move |check| check.violation(pod, policy.version))
}

impl Check {
    fn violation(&self, pod: &Pod<'_>, version: Version) -> Option<Violation> {
        let found = (self.run)(pod, version)?;
        Some(Violation {
            check: self.id,
            control: self.control,
            level: self.level,
            reason: found.reason,
            detail: found.detail,
            fields: found.fields,
        })
    }
}

/// The reasons alone, as warnings about the pods of a namespace have them:
/// `privileged, hostPath volumes`.
pub fn reasons(violations: &[Violation]) -> String {
    let all: Vec<&str> = violations.iter().map(|v| v.reason.as_ref()).collect();
    all.join(", ")
}

/// The reasons with their details: `privileged (container "a" must not set …), …`.
pub fn details(violations: &[Violation]) -> String {
    let all: Vec<String> = violations.iter().map(Violation::to_string).collect();
    all.join(", ")
}

/// The message of a refusal: `violates PodSecurity "baseline:latest": privileged (…)`. It is what
/// follows `pods "NAME" is forbidden: `.
pub fn refusal(policy: LevelVersion, violations: &[Violation]) -> String {
    format!("violates PodSecurity \"{policy}\": {}", details(violations))
}

/// The text of a warning, and of the annotation `audit-violations` of audit events:
/// `would violate PodSecurity "restricted:latest": …`.
pub fn warning(policy: LevelVersion, violations: &[Violation]) -> String {
    format!(
        "would {}",
        refusal(policy, violations).replacen("violates", "violate", 1)
    )
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)?;
        if self.detail.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", self.detail)
    }
}

#[cfg(test)]
mod tests;
