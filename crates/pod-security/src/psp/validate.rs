//! What policies refuse of pods as a whole.

use crate::containers::{Pod, get};
use crate::psp::policy::{GroupRule, Policy, Ranges, show_ranges};
use crate::psp::{Refusal, container, volumes};
use model::field::{FieldError, Path};
use model::{Value, go, meta};

/// Sysctls that policies need not allow: those that were safe in 1.24.
const SAFE_SYSCTLS: [&str; 5] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
];

/// Why the policy does not admit a pod with its defaults filled in, in upstream's order.
pub(super) fn refusals(policy: &Policy, pod: &Pod<'_>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let at = Path::new("spec").child("securityContext");
    let ints = |key| {
        let all = pod.setting(key)?.as_array()?;
        Some(all.iter().filter_map(Value::as_i64).collect::<Vec<_>>())
    };
    let group = pod.setting("fsGroup").and_then(Value::as_i64);
    groups(
        &policy.fs_group,
        &at.child("fsGroup"),
        group.map(|group| vec![group]),
        (&Pod::path("fsGroup"), "spec.fsGroup"),
        &mut refusals,
    );
    groups(
        &policy.supplemental_groups,
        &at.child("supplementalGroups"),
        ints("supplementalGroups"),
        (&Pod::path("supplementalGroups"), "spec.supplementalGroups"),
        &mut refusals,
    );
    refusals.extend(policy.seccomp.check_pod(pod));
    let options = pod.setting("seLinuxOptions");
    let place = Pod::path("seLinuxOptions");
    selinux(
        policy,
        &at.child("seLinuxOptions"),
        options,
        &place,
        &mut refusals,
    );
    for (key, is_allowed, what) in [
        ("hostNetwork", policy.host_network, "Host network"),
        ("hostPID", policy.host_pid, "Host PID"),
        ("hostIPC", policy.host_ipc, "Host IPC"),
    ] {
        if !is_allowed && get(pod.spec, key) == Some(&Value::Bool(true)) {
            let detail = format!("{what} is not allowed to be used");
            refusals.push(Refusal::new(
                FieldError::invalid(&at.child(key), true, detail),
                format!("spec.{key}"),
                format!("spec.{key}"),
            ));
        }
    }
    sysctls(policy, pod, &mut refusals);
    volumes::check(policy, pod, &mut refusals);
    runtime_class(policy, pod, &mut refusals);
    for each in &pod.containers {
        container::check(policy, pod, each, &mut refusals);
    }
    refusals
}

/// Holds groups to a rule. `at` is where upstream sees them; the other two are where they are in the
/// pod and the rule in the policy.
pub(super) fn groups(
    rule: &GroupRule,
    at: &Path,
    groups: Option<Vec<i64>>,
    (field, control): (&str, &str),
    refusals: &mut Vec<Refusal>,
) {
    let (ranges, is_needed): (&Ranges, bool) = match rule {
        GroupRule::Any => return,
        GroupRule::May(ranges) => (ranges, false),
        GroupRule::Must(ranges) => (ranges, true),
    };
    let shown = match &groups {
        None => "[]int64(nil)".to_owned(),
        Some(groups) => {
            let all: Vec<String> = groups.iter().map(ToString::to_string).collect();
            format!("[]int64{{{}}}", all.join(", "))
        }
    };
    let mut refuse = |detail: String| {
        // Upstream shows the list as Go does.
        let error = FieldError::invalid_unshown(at, format!("{shown}: {detail}"));
        refusals.push(Refusal::new(error, field, control));
    };
    let groups = groups.unwrap_or_default();
    if groups.is_empty() && is_needed {
        refuse("unable to validate empty groups against required ranges".to_owned());
    }
    for group in groups.iter().filter(|group| !ranges.has(**group)) {
        let ranges = show_ranges(&ranges.all);
        refuse(format!("group {group} must be in the ranges: {ranges}"));
    }
}

/// Holds SELinux options to those of the policy.
pub(super) fn selinux(
    policy: &Policy,
    at: &Path,
    options: Option<&Value>,
    place: &str,
    refusals: &mut Vec<Refusal>,
) {
    const CONTROL: &str = "spec.seLinux";
    let Some(wanted) = &policy.selinux else {
        return;
    };
    let Some(options) = options else {
        let error = FieldError::required(at, "");
        refusals.push(Refusal::new(error, place, CONTROL));
        return;
    };
    for key in ["level", "role", "type", "user"] {
        let wanted = meta::text(wanted, &[key]);
        let actual = meta::text(options, &[key]);
        let is_same = if key == "level" {
            same_level(wanted, actual)
        } else {
            wanted == actual
        };
        if !is_same {
            let error = FieldError::invalid(&at.child(key), actual, format!("must be {wanted}"));
            refusals.push(Refusal::new(error, format!("{place}.{key}"), CONTROL));
        }
    }
}

/// Whether two levels such as `s0:c1,c2` are the same; the order of categories does not matter.
fn same_level(a: &str, b: &str) -> bool {
    fn categories(text: &str) -> Vec<&str> {
        let mut all: Vec<&str> = text.split(',').collect();
        all.sort_unstable();
        all
    }
    match (a.split_once(':'), b.split_once(':')) {
        _ if a == b => true,
        (Some(a), Some(b)) => a.0 == b.0 && categories(a.1) == categories(b.1),
        _ => false,
    }
}

fn sysctls(policy: &Policy, pod: &Pod<'_>, refusals: &mut Vec<Refusal>) {
    let at = Path::new("pod").child("spec").child("securityContext");
    let all = pod
        .context
        .map_or(&[][..], |context| meta::list(context, &["sysctls"]));
    for (i, sysctl) in all.iter().enumerate() {
        let name = meta::text(sysctl, &["name"]);
        let quoted = go::quoted(name);
        let (detail, control) = if matches_any(&policy.forbidden_sysctls, name) {
            (
                format!("sysctl {quoted} is not allowed"),
                "spec.forbiddenSysctls",
            )
        } else if SAFE_SYSCTLS.contains(&name) || matches_any(&policy.unsafe_sysctls, name) {
            continue;
        } else {
            (
                format!("unsafe sysctl {quoted} is not allowed"),
                "spec.allowedUnsafeSysctls",
            )
        };
        refusals.push(Refusal::new(
            FieldError::forbidden(&at.child("sysctls").index(i), detail),
            Pod::path(&format!("sysctls[{i}].name")),
            control,
        ));
    }
}

/// Whether a name is one of the patterns, which may end in `*`.
fn matches_any(patterns: &[String], name: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => pattern == name,
        })
}

fn runtime_class(policy: &Policy, pod: &Pod<'_>, refusals: &mut Vec<Refusal>) {
    let Some(class) = &policy.runtime_class else {
        return;
    };
    let Some(name) = get(pod.spec, "runtimeClassName").and_then(Value::as_str) else {
        return;
    };
    if class
        .allowed
        .iter()
        .any(|allowed| allowed == "*" || allowed == name)
    {
        return;
    }
    let at = Path::new("spec").child("runtimeClassName");
    refusals.push(Refusal::new(
        FieldError::invalid(&at, name, ""),
        "spec.runtimeClassName",
        "spec.runtimeClass.allowedRuntimeClassNames",
    ));
}
