//! The Pod Security Standards as the tables of their documentation have them: the fields that are
//! restricted, and the values that they may have.

use model::Value;
use pod_security::{Level, LevelVersion, Version};
use std::collections::BTreeSet;

/// A row of the tables.
struct Row {
    check: &'static str,
    level: Level,
    /// The first version that the row is for, and the first that it is not for.
    versions: (u64, u64),
    /// The restricted fields. `[*]` stands for every entry of a list, `C` for every list of
    /// containers.
    fields: &'static [&'static str],
    /// Whether a value is allowed; the field may be missing or null.
    allowed: fn(Option<&Value>) -> bool,
}

const EVER: (u64, u64) = (0, u64::MAX);

/// What is the same at every level that has it.
fn rows() -> Vec<Row> {
    let row = |check, level, versions, fields, allowed| Row {
        check,
        level,
        versions,
        fields,
        allowed,
    };
    let (baseline, restricted) = (Level::Baseline, Level::Restricted);
    vec![
        row(
            "hostNamespaces",
            baseline,
            EVER,
            &["spec.hostNetwork", "spec.hostPID", "spec.hostIPC"],
            |v| v != Some(&Value::Bool(true)),
        ),
        row(
            "privileged",
            baseline,
            EVER,
            &["spec.C[*].securityContext.privileged"],
            |v| v != Some(&Value::Bool(true)),
        ),
        row(
            "windowsHostProcess",
            baseline,
            EVER,
            &[
                "spec.securityContext.windowsOptions.hostProcess",
                "spec.C[*].securityContext.windowsOptions.hostProcess",
            ],
            |v| v != Some(&Value::Bool(true)),
        ),
        row(
            "hostPathVolumes",
            baseline,
            EVER,
            &["spec.volumes[*].hostPath"],
            |v| v.is_none(),
        ),
        row(
            "hostPorts",
            baseline,
            EVER,
            &["spec.C[*].ports[*].hostPort"],
            |v| v.is_none_or(|v| *v == 0),
        ),
        row(
            "procMount",
            baseline,
            EVER,
            &["spec.C[*].securityContext.procMount"],
            |v| v.is_none_or(|v| v == "Default"),
        ),
        row(
            "appArmorProfile",
            baseline,
            EVER,
            &[
                "spec.securityContext.appArmorProfile.type",
                "spec.C[*].securityContext.appArmorProfile.type",
            ],
            |v| v.is_none_or(|v| v == "RuntimeDefault" || v == "Localhost"),
        ),
        row(
            "seLinuxOptions",
            baseline,
            (0, 31),
            &[
                "spec.securityContext.seLinuxOptions.type",
                "spec.C[*].securityContext.seLinuxOptions.type",
            ],
            |v| {
                one_of(
                    v,
                    &["", "container_t", "container_init_t", "container_kvm_t"],
                )
            },
        ),
        row(
            "seLinuxOptions",
            baseline,
            (31, u64::MAX),
            &[
                "spec.securityContext.seLinuxOptions.type",
                "spec.C[*].securityContext.seLinuxOptions.type",
            ],
            |v| {
                one_of(
                    v,
                    &[
                        "",
                        "container_t",
                        "container_init_t",
                        "container_kvm_t",
                        "container_engine_t",
                    ],
                )
            },
        ),
        row(
            "seLinuxOptions",
            baseline,
            EVER,
            &[
                "spec.securityContext.seLinuxOptions.user",
                "spec.C[*].securityContext.seLinuxOptions.user",
                "spec.securityContext.seLinuxOptions.role",
                "spec.C[*].securityContext.seLinuxOptions.role",
            ],
            |v| one_of(v, &[""]),
        ),
        row(
            "seccompProfile_baseline",
            baseline,
            (19, u64::MAX),
            &[
                "spec.securityContext.seccompProfile.type",
                "spec.C[*].securityContext.seccompProfile.type",
            ],
            |v| v.is_none_or(|v| v == "RuntimeDefault" || v == "Localhost"),
        ),
        row(
            "capabilities_baseline",
            baseline,
            EVER,
            &["spec.C[*].securityContext.capabilities.add[*]"],
            |v| {
                let runtime = "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD \
                     NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT";
                let runtime: Vec<&str> = runtime.split(' ').collect();
                one_of(v, &runtime)
            },
        ),
        row("sysctls", baseline, (0, 27), &[SYSCTLS], |v| sysctl(v, 0)),
        row("sysctls", baseline, (27, 29), &[SYSCTLS], |v| sysctl(v, 27)),
        row("sysctls", baseline, (29, 32), &[SYSCTLS], |v| sysctl(v, 29)),
        row("sysctls", baseline, (32, u64::MAX), &[SYSCTLS], |v| {
            sysctl(v, 32)
        }),
        row(
            "allowPrivilegeEscalation",
            restricted,
            (8, u64::MAX),
            &["spec.C[*].securityContext.allowPrivilegeEscalation"],
            |v| v == Some(&Value::Bool(false)),
        ),
        row(
            "capabilities_restricted",
            restricted,
            (22, u64::MAX),
            &["spec.C[*].securityContext.capabilities.add[*]"],
            |v| one_of(v, &["NET_BIND_SERVICE"]),
        ),
        row(
            "capabilities_restricted",
            restricted,
            (22, u64::MAX),
            &["spec.C[*].securityContext.capabilities.drop"],
            |v| {
                let list = v.and_then(Value::as_array);
                list.is_some_and(|list| list.iter().any(|c| c == "ALL"))
            },
        ),
        row(
            "restrictedVolumes",
            restricted,
            EVER,
            &["spec.volumes[*]"],
            |v| {
                let sources = "configMap csi downwardAPI emptyDir ephemeral image \
                     persistentVolumeClaim projected secret";
                let has = |source| v.is_some_and(|v| v.get(source).is_some_and(|s| !s.is_null()));
                sources.split(' ').any(has)
            },
        ),
        row(
            "runAsUser",
            restricted,
            (23, u64::MAX),
            &[
                "spec.securityContext.runAsUser",
                "spec.C[*].securityContext.runAsUser",
            ],
            |v| v.is_none_or(|v| *v != 0),
        ),
    ]
}

const SYSCTLS: &str = "spec.securityContext.sysctls[*].name";

/// Whether the field is missing or one of the texts.
fn one_of(value: Option<&Value>, texts: &[&str]) -> bool {
    value.is_none_or(|value| texts.iter().any(|text| value == text))
}

fn sysctl(name: Option<&Value>, minor: u64) -> bool {
    let mut safe = vec![
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start",
    ];
    if minor >= 27 {
        safe.push("net.ipv4.ip_local_reserved_ports");
    }
    if minor >= 29 {
        safe.push("net.ipv4.tcp_keepalive_time");
        safe.push("net.ipv4.tcp_fin_timeout");
        safe.push("net.ipv4.tcp_keepalive_intvl");
        safe.push("net.ipv4.tcp_keepalive_probes");
    }
    if minor >= 32 {
        safe.push("net.ipv4.tcp_rmem");
        safe.push("net.ipv4.tcp_wmem");
    }
    name.is_some_and(|name| safe.iter().any(|safe| name == safe))
}

const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// The values of a field, one for each place where it could be, `None` where it is not set.
fn values<'a>(value: Option<&'a Value>, path: &[&str]) -> Vec<Option<&'a Value>> {
    let value = value.filter(|v| !v.is_null());
    let Some((step, rest)) = path.split_first() else {
        return vec![value];
    };
    if *step == "C[*]" {
        return LISTS
            .iter()
            .flat_map(|list| {
                let step = format!("{list}[*]");
                let path: Vec<&str> = std::iter::once(&*step)
                    .chain(rest.iter().copied())
                    .collect();
                values(value, &path)
            })
            .collect();
    }
    let Some(list) = step.strip_suffix("[*]") else {
        return values(value.and_then(|v| v.get(step)), rest);
    };
    let list = value.and_then(|v| v.get(list)).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .flat_map(|entry| values(Some(entry), rest))
        .collect()
}

fn all<'a>(pod: &'a Value, path: &str) -> Vec<Option<&'a Value>> {
    values(Some(pod), &path.split('.').collect::<Vec<_>>())
}

/// Whether every container has a setting that is allowed, its own or else the pod's, and nobody has
/// one that is not.
fn inherited(pod: &Value, path: &str, allowed: fn(&Value) -> bool) -> bool {
    let whole = all(pod, &format!("spec.securityContext.{path}"));
    let whole = whole.first().copied().flatten();
    let own = all(pod, &format!("spec.C[*].securityContext.{path}"));
    whole.is_none_or(allowed)
        && own
            .into_iter()
            .all(|own| own.or(whole).is_some_and(allowed))
}

/// The IDs of the checks that a pod fails.
pub fn failed(policy: LevelVersion, pod: &Value) -> BTreeSet<&'static str> {
    let minor = match policy.version {
        Version::Minor(minor) => minor,
        Version::Latest => Version::NEWEST,
    };
    let mut failed = BTreeSet::new();
    if policy.level == Level::Privileged {
        return failed;
    }
    for row in rows() {
        let is_made =
            row.level <= policy.level && (row.versions.0..row.versions.1).contains(&minor);
        let values = row.fields.iter().flat_map(|field| all(pod, field));
        if is_made && !values.into_iter().all(row.allowed) {
            failed.insert(row.check);
        }
    }
    annotations(minor, pod, &mut failed);
    if policy.level == Level::Restricted {
        if !inherited(pod, "runAsNonRoot", |v| *v == Value::Bool(true)) {
            failed.insert("runAsNonRoot");
        }
        let profile = |v: &Value| v == "RuntimeDefault" || v == "Localhost";
        if minor >= 19 && !inherited(pod, "seccompProfile.type", profile) {
            failed.insert("seccompProfile_restricted");
        }
        failed.remove("hostPathVolumes");
        if minor >= 19 {
            failed.remove("seccompProfile_baseline");
        }
        if minor >= 22 {
            failed.remove("capabilities_baseline");
        }
        if minor >= 25
            && pod
                .pointer("/spec/os/name")
                .is_some_and(|os| os == "windows")
        {
            failed.remove("allowPrivilegeEscalation");
            failed.remove("capabilities_restricted");
            failed.remove("seccompProfile_restricted");
        }
    }
    failed
}

fn annotations(minor: u64, pod: &Value, failed: &mut BTreeSet<&'static str>) {
    let names: Vec<&Value> = all(pod, "spec.C[*].name").into_iter().flatten().collect();
    let annotations = pod.pointer("/metadata/annotations");
    for (key, value) in annotations.and_then(Value::as_object).into_iter().flatten() {
        let Some(value) = value.as_str() else {
            continue;
        };
        let is_local = value.starts_with("localhost/");
        let app_armor = key.starts_with("container.apparmor.security.beta.kubernetes.io/");
        if app_armor && !value.is_empty() && value != "runtime/default" && !is_local {
            failed.insert("appArmorProfile");
        }
        let container = key.strip_prefix("container.seccomp.security.alpha.kubernetes.io/");
        let seccomp = key == "seccomp.security.alpha.kubernetes.io/pod"
            || container.is_some_and(|name| names.iter().any(|n| *n == name));
        let is_default = value == "runtime/default" || value == "docker/default";
        if minor < 19 && seccomp && !is_default && !is_local {
            failed.insert("seccompProfile_baseline");
        }
    }
}
