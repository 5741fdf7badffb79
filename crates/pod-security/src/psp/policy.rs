//! Policies, compiled from their objects.

use crate::containers::get;
use crate::psp::profiles::{AppArmor, Seccomp};
use model::{Value, meta};

/// A policy that can be enforced.
#[derive(Debug, Clone)]
pub struct Policy {
    name: String,
    pub(super) privileged: bool,
    pub(super) host_network: bool,
    pub(super) host_pid: bool,
    pub(super) host_ipc: bool,
    pub(super) host_ports: Vec<Range>,
    pub(super) read_only_root: bool,
    pub(super) escalation: bool,
    pub(super) default_escalation: Option<bool>,
    pub(super) default_add: Vec<String>,
    pub(super) required_drop: Vec<String>,
    pub(super) allowed_add: Vec<String>,
    pub(super) volumes: Vec<String>,
    pub(super) host_paths: Vec<HostPath>,
    pub(super) flex_drivers: Vec<String>,
    pub(super) csi_drivers: Vec<String>,
    pub(super) user: UserRule,
    pub(super) group: GroupRule,
    pub(super) supplemental_groups: GroupRule,
    pub(super) fs_group: GroupRule,
    /// The options that everything must run with.
    pub(super) selinux: Option<Value>,
    pub(super) proc_mounts: Vec<String>,
    pub(super) unsafe_sysctls: Vec<String>,
    pub(super) forbidden_sysctls: Vec<String>,
    pub(super) runtime_class: Option<RuntimeClass>,
    pub(super) seccomp: Seccomp,
    pub(super) app_armor: AppArmor,
}

/// Why a policy cannot be enforced. The texts are upstream's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEnforceable {
    /// A strategy names a rule that there is not.
    #[error("Unrecognized {strategy} strategy type {rule}")]
    UnknownRule {
        /// The strategy.
        strategy: &'static str,
        /// The rule.
        rule: String,
    },
    /// A strategy of users has no ranges to choose from.
    #[error("MustRunAs requires at least one range")]
    NoUserRanges,
    /// A strategy of groups has no ranges to choose from.
    #[error("ranges must be supplied for {rule}")]
    NoGroupRanges {
        /// The rule.
        rule: &'static str,
    },
    /// Which SELinux options must be run with is not said.
    #[error("MustRunAs requires SELinuxOptions")]
    NoSelinuxOptions,
}

/// Numbers from `min` to `max`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) min: i64,
    pub(super) max: i64,
}

impl Range {
    pub(super) fn has(self, number: i64) -> bool {
        (self.min..=self.max).contains(&number)
    }
}

/// `[{1 2} {3 4}]`, as Go prints them.
pub(super) fn show_ranges(ranges: &[Range]) -> String {
    let all: Vec<String> = ranges
        .iter()
        .map(|r| format!("{{{} {}}}", r.min, r.max))
        .collect();
    format!("[{}]", all.join(" "))
}

/// Directories of the node that may be mounted.
#[derive(Debug, Clone)]
pub(super) struct HostPath {
    pub(super) prefix: String,
    pub(super) read_only: bool,
}

/// Whom containers may run as.
#[derive(Debug, Clone)]
pub(super) enum UserRule {
    Any,
    NonRoot,
    Within(Ranges),
}

/// What groups there may be.
#[derive(Debug, Clone)]
pub(super) enum GroupRule {
    Any,
    May(Ranges),
    Must(Ranges),
}

/// The sorts of groups that policies have rules for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Groups {
    /// `runAsGroup`.
    Main,
    /// `supplementalGroups`.
    Supplemental,
    /// `fsGroup`.
    Files,
}

/// One range or more.
#[derive(Debug, Clone)]
pub(super) struct Ranges {
    pub(super) all: Vec<Range>,
    /// The least number of the first range: what is chosen where nothing is said.
    pub(super) default: i64,
}

impl Ranges {
    fn new(strategy: &Value) -> Option<Self> {
        let all = ranges(strategy, "ranges");
        let default = all.first()?.min;
        Some(Self { all, default })
    }

    pub(super) fn has(&self, number: i64) -> bool {
        self.all.iter().any(|range| range.has(number))
    }
}

/// Which runtime classes pods may name.
#[derive(Debug, Clone)]
pub(super) struct RuntimeClass {
    pub(super) allowed: Vec<String>,
    pub(super) default: Option<String>,
}

impl Policy {
    /// Compiles a PodSecurityPolicy object.
    ///
    /// # Errors
    ///
    /// The first of its strategies that cannot be followed: validation refuses most such policies,
    /// but not those with a strategy without ranges.
    pub fn new(object: &Value) -> Result<Self, NotEnforceable> {
        let none = Value::Null;
        let spec = object.get("spec").unwrap_or(&none);
        let flag = |key| get(spec, key).and_then(Value::as_bool);
        let is_set = |key| flag(key) == Some(true);
        let annotation = |key: &str| meta::at(object, &["metadata", "annotations", key])?.as_str();
        let host_paths = meta::list(spec, &["allowedHostPaths"]).iter();
        let drivers = |list, key| {
            let all = meta::list(spec, &[list]).iter();
            all.map(|d| meta::text(d, &[key]).to_owned()).collect()
        };
        Ok(Self {
            name: meta::name(object).to_owned(),
            privileged: is_set("privileged"),
            host_network: is_set("hostNetwork"),
            host_pid: is_set("hostPID"),
            host_ipc: is_set("hostIPC"),
            host_ports: ranges(spec, "hostPorts"),
            read_only_root: is_set("readOnlyRootFilesystem"),
            escalation: flag("allowPrivilegeEscalation").unwrap_or(true),
            default_escalation: flag("defaultAllowPrivilegeEscalation"),
            default_add: texts(spec, "defaultAddCapabilities"),
            required_drop: texts(spec, "requiredDropCapabilities"),
            allowed_add: texts(spec, "allowedCapabilities"),
            volumes: texts(spec, "volumes"),
            host_paths: host_paths
                .map(|path| HostPath {
                    prefix: meta::text(path, &["pathPrefix"]).to_owned(),
                    read_only: get(path, "readOnly") == Some(&Value::Bool(true)),
                })
                .collect(),
            flex_drivers: drivers("allowedFlexVolumes", "driver"),
            csi_drivers: drivers("allowedCSIDrivers", "name"),
            user: user_rule(get(spec, "runAsUser").unwrap_or(&none))?,
            group: match get(spec, "runAsGroup") {
                Some(strategy) => group_rule(strategy, "RunAsGroup")?,
                None => GroupRule::Any,
            },
            selinux: selinux(get(spec, "seLinux").unwrap_or(&none))?,
            fs_group: group_rule(get(spec, "fsGroup").unwrap_or(&none), "FSGroup")?,
            supplemental_groups: group_rule(
                get(spec, "supplementalGroups").unwrap_or(&none),
                "SupplementalGroups",
            )?,
            proc_mounts: texts(spec, "allowedProcMountTypes"),
            unsafe_sysctls: texts(spec, "allowedUnsafeSysctls"),
            forbidden_sysctls: texts(spec, "forbiddenSysctls"),
            runtime_class: get(spec, "runtimeClass").map(|class| RuntimeClass {
                allowed: texts(class, "allowedRuntimeClassNames"),
                default: get(class, "defaultRuntimeClassName")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            }),
            seccomp: Seccomp::new(annotation),
            app_armor: AppArmor::new(annotation),
        })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ports at the ends of its ranges, and those beyond them.
    pub(crate) fn bounds_of_ports(&self) -> impl Iterator<Item = i64> {
        bounds(&self.host_ports)
    }

    /// The IDs at the ends of its ranges of users, or of groups of a sort, and those beyond them.
    pub(crate) fn bounds_of(&self, groups: Option<Groups>) -> impl Iterator<Item = i64> {
        let of_group = |rule| match rule {
            &GroupRule::Any => None,
            GroupRule::May(ranges) | GroupRule::Must(ranges) => Some(ranges),
        };
        let ranges = match groups {
            None => match &self.user {
                UserRule::Any | UserRule::NonRoot => None,
                UserRule::Within(ranges) => Some(ranges),
            },
            Some(Groups::Main) => of_group(&self.group),
            Some(Groups::Supplemental) => of_group(&self.supplemental_groups),
            Some(Groups::Files) => of_group(&self.fs_group),
        };
        bounds(ranges.map_or(&[], |ranges| &ranges.all))
    }

    /// The capabilities that it names.
    pub(crate) fn capabilities(&self) -> impl Iterator<Item = &String> {
        let added = self.allowed_add.iter().chain(&self.default_add);
        added.chain(&self.required_drop)
    }

    /// The sysctls that it names.
    pub(crate) fn sysctls(&self) -> impl Iterator<Item = &String> {
        self.unsafe_sysctls.iter().chain(&self.forbidden_sysctls)
    }

    /// The directories of the node that it names.
    pub(crate) fn host_path_prefixes(&self) -> impl Iterator<Item = &String> {
        self.host_paths.iter().map(|path| &path.prefix)
    }

    /// The drivers of flexVolumes that it names.
    pub(crate) fn flex_drivers(&self) -> &[String] {
        &self.flex_drivers
    }

    /// The drivers of CSI volumes that it names.
    pub(crate) fn csi_drivers(&self) -> &[String] {
        &self.csi_drivers
    }

    /// The runtime classes that it names.
    pub(crate) fn runtime_classes(&self) -> impl Iterator<Item = &String> {
        let classes = self.runtime_class.iter();
        classes.flat_map(|class| class.allowed.iter().chain(&class.default))
    }
}

/// The ends of ranges, and what is next to them.
fn bounds(ranges: &[Range]) -> impl Iterator<Item = i64> {
    ranges.iter().flat_map(|range| {
        [
            range.min.saturating_sub(1),
            range.min,
            range.max,
            range.max.saturating_add(1),
        ]
    })
}

fn user_rule(strategy: &Value) -> Result<UserRule, NotEnforceable> {
    match meta::text(strategy, &["rule"]) {
        "RunAsAny" => Ok(UserRule::Any),
        "MustRunAsNonRoot" => Ok(UserRule::NonRoot),
        "MustRunAs" => Ranges::new(strategy)
            .map(UserRule::Within)
            .ok_or(NotEnforceable::NoUserRanges),
        rule => Err(unknown("RunAsUser", rule)),
    }
}

fn group_rule(strategy: &Value, name: &'static str) -> Result<GroupRule, NotEnforceable> {
    let within = |rule| Ranges::new(strategy).ok_or(NotEnforceable::NoGroupRanges { rule });
    match meta::text(strategy, &["rule"]) {
        "RunAsAny" => Ok(GroupRule::Any),
        "MayRunAs" => within("MayRunAs").map(GroupRule::May),
        "MustRunAs" => within("MustRunAs").map(GroupRule::Must),
        rule => Err(unknown(name, rule)),
    }
}

fn selinux(strategy: &Value) -> Result<Option<Value>, NotEnforceable> {
    match meta::text(strategy, &["rule"]) {
        "RunAsAny" => Ok(None),
        "MustRunAs" => match get(strategy, "seLinuxOptions") {
            Some(options) => Ok(Some(options.clone())),
            None => Err(NotEnforceable::NoSelinuxOptions),
        },
        rule => Err(unknown("SELinuxContext", rule)),
    }
}

fn unknown(strategy: &'static str, rule: &str) -> NotEnforceable {
    NotEnforceable::UnknownRule {
        strategy,
        rule: rule.to_owned(),
    }
}

fn texts(spec: &Value, key: &str) -> Vec<String> {
    let all = meta::list(spec, &[key]).iter();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn ranges(spec: &Value, key: &str) -> Vec<Range> {
    let end = |range: &Value, key| get(range, key).and_then(Value::as_i64).unwrap_or(0);
    meta::list(spec, &[key])
        .iter()
        .map(|range| Range {
            min: end(range, "min"),
            max: end(range, "max"),
        })
        .collect()
}
