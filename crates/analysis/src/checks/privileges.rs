//! What a process may do once it runs: privileged mode, users, capabilities.

use super::{BLANK, Check, Parameter, Pod, Run, Sink, cis, kubeaudit, kubesec, nsa, pss};
use crate::finding::Severity;
use model::{Value, meta};

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "RMP-POD-001",
        title: "privileged container",
        severity: Severity::Critical,
        what: "Containers with securityContext.privileged: true.",
        why: "A privileged container has all capabilities, sees all devices and is confined by \
              neither seccomp nor AppArmor: whoever gets into it owns the node, and with it the \
              tokens and secrets of every pod on it.",
        fix: "remove privileged: true; add the one capability or device that is needed instead",
        example: "securityContext:\n  privileged: false\n  capabilities:\n    drop: [ALL]",
        references: &[
            pss("baseline: Privileged Containers"),
            cis("5.2.2"),
            nsa("Pod security enforcement"),
            kubeaudit("privileged"),
            kubesec("Privileged"),
        ],
        kubeaudit_override: "allow-privileged",
        run: Run::Pods(privileged),
        ..BLANK
    },
    Check {
        id: "RMP-POD-002",
        title: "runs as root",
        severity: Severity::High,
        what: "Containers with runAsUser: 0, of their own or inherited from the pod.",
        why: "Root in a container is root on the node as soon as anything lets it out: a mounted \
              host path, a kernel or runtime flaw.",
        fix: "set runAsUser to a user other than 0 and runAsNonRoot: true",
        example: "securityContext:\n  runAsNonRoot: true\n  runAsUser: 10001",
        references: &[
            pss("restricted: Running as Non-root user"),
            cis("5.2.7"),
            nsa("Non-root containers"),
            kubeaudit("nonroot"),
            kubesec("RunAsUser"),
        ],
        kubeaudit_override: "allow-run-as-root",
        run: Run::Pods(runs_as_root),
        ..BLANK
    },
    Check {
        id: "RMP-POD-003",
        title: "may run as root",
        severity: Severity::Medium,
        what: "Containers for which neither runAsNonRoot: true nor a runAsUser other than 0 is in \
               effect.",
        why: "The image decides, and most images run as root unless told otherwise.",
        fix: "set securityContext.runAsNonRoot: true for the pod, and runAsUser if the image has \
              no numeric user",
        example: "spec:\n  securityContext:\n    runAsNonRoot: true",
        references: &[
            pss("restricted: Running as Non-root"),
            cis("5.2.7"),
            nsa("Non-root containers"),
            kubeaudit("nonroot"),
            kubesec("RunAsNonRoot"),
        ],
        kubeaudit_override: "allow-run-as-root",
        run: Run::Pods(may_run_as_root),
        ..BLANK
    },
    Check {
        id: "RMP-POD-004",
        title: "privilege escalation allowed",
        severity: Severity::Medium,
        what: "Containers without securityContext.allowPrivilegeEscalation: false.",
        why: "Without it, set-user-ID programs and file capabilities in the image can give a \
              process more rights than it was started with.",
        fix: "set securityContext.allowPrivilegeEscalation: false",
        example: "securityContext:\n  allowPrivilegeEscalation: false",
        references: &[
            pss("restricted: Privilege Escalation"),
            cis("5.2.6"),
            nsa("Pod security enforcement"),
            kubeaudit("privesc"),
            kubesec("AllowPrivilegeEscalation"),
        ],
        kubeaudit_override: "allow-privilege-escalation",
        run: Run::Pods(escalation),
        ..BLANK
    },
    Check {
        id: "RMP-POD-005",
        title: "capabilities not dropped",
        severity: Severity::Low,
        what: "Containers that do not drop ALL capabilities.",
        why: "Container runtimes give fourteen capabilities by default, raw sockets and \
              changing file owners among them. Few programs need any.",
        fix: "set securityContext.capabilities.drop: [ALL]",
        example: "securityContext:\n  capabilities:\n    drop: [ALL]",
        references: &[
            pss("restricted: Capabilities"),
            cis("5.2.10"),
            nsa("Pod security enforcement"),
            kubeaudit("capabilities"),
            kubesec("CapDropAll"),
            kubesec("CapDropAny"),
        ],
        run: Run::Pods(not_dropped),
        ..BLANK
    },
    Check {
        id: "RMP-POD-006",
        title: "capabilities added",
        severity: Severity::High,
        what: "Containers that add capabilities beyond those that runtimes give by default. \
               SYS_ADMIN and its like, with which a process leaves its container, are critical.",
        why: "Many capabilities are root by another name: SYS_ADMIN mounts file systems, \
              SYS_MODULE loads kernel modules, SYS_PTRACE reads other processes.",
        fix: "remove the capability from securityContext.capabilities.add",
        example: "securityContext:\n  capabilities:\n    drop: [ALL]\n    add: [NET_BIND_SERVICE]",
        references: &[
            pss("baseline: Capabilities"),
            cis("5.2.9"),
            nsa("Pod security enforcement"),
            kubeaudit("capabilities"),
            kubesec("CapSysAdmin"),
        ],
        parameters: &[Parameter {
            name: "allowed",
            what: "capabilities that may be added",
            default: &pod_security::standards::DEFAULT_CAPABILITIES,
        }],
        run: Run::Pods(added),
        ..BLANK
    },
    Check {
        id: "RMP-POD-007",
        title: "user ID of the host's range",
        severity: Severity::Info,
        what: "Containers with a runAsUser or runAsGroup of 1 to 10000.",
        why: "Low IDs belong to users of the node: a process that gets out has their files.",
        fix: "use IDs above 10000",
        example: "securityContext:\n  runAsUser: 10001\n  runAsGroup: 10001",
        references: &[kubesec("RunAsUser"), kubesec("RunAsGroup")],
        run: Run::Pods(low_ids),
        ..BLANK
    },
];

fn privileged<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for container in pod.linux() {
        if let Some(setting) = container.security("privileged")
            && setting.is_true()
        {
            sink.container(
                container,
                "securityContext.privileged",
                "runs privileged: nothing separates it from the node",
            );
        }
    }
}

fn runs_as_root<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for container in pod.linux() {
        let Some(user) = container.security("runAsUser") else {
            continue;
        };
        if user.value.as_i64() == Some(0) {
            let name = container.name();
            sink.add(pod.template.owner, user.path, "runAsUser: 0 is root")
                .in_container(name);
        }
    }
}

fn may_run_as_root<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for container in pod.linux() {
        // A user that is set is either somebody else, or root: RMP-POD-002.
        if container.security("runAsUser").is_some() {
            continue;
        }
        match container.security("runAsNonRoot") {
            Some(setting) if setting.is_true() => {}
            Some(setting) => {
                let name = container.name();
                let message = "runAsNonRoot: false lets the image run as root";
                sink.add(pod.template.owner, setting.path, message)
                    .in_container(name);
            }
            None => {
                sink.container(
                    container,
                    "securityContext.runAsNonRoot",
                    "runs as whatever user the image names, root included",
                );
            }
        }
    }
}

fn escalation<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for container in pod.linux() {
        let message = match container.security("allowPrivilegeEscalation") {
            Some(setting) if *setting.value == Value::Bool(false) => continue,
            Some(_) => "allowPrivilegeEscalation: true lets processes gain rights",
            None => "allowPrivilegeEscalation is not set, and is then allowed",
        };
        sink.container(
            container,
            "securityContext.allowPrivilegeEscalation",
            message,
        );
    }
}

/// The name of a capability without the prefix that some write.
fn capability(value: &Value) -> Option<String> {
    let name = value.as_str()?.to_ascii_uppercase();
    Some(
        name.strip_prefix("CAP_")
            .map_or(name.clone(), str::to_owned),
    )
}

/// Capabilities that lead out of the container by themselves.
const BREAKING: [&str; 8] = [
    "ALL",
    "BPF",
    "DAC_READ_SEARCH",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_MODULE",
    "SYS_PTRACE",
    "SYS_RAWIO",
];

fn is_privileged(container: &snapshot::Container<'_>) -> bool {
    container
        .security("privileged")
        .is_some_and(|s| s.is_true())
}

fn not_dropped<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for container in pod.linux() {
        let dropped = meta::list(
            container.value,
            &["securityContext", "capabilities", "drop"],
        );
        if dropped.iter().filter_map(capability).any(|c| c == "ALL") {
            continue;
        }
        // That it has all of them is said already.
        if is_privileged(container) {
            continue;
        }
        let message = if dropped.is_empty() {
            "keeps all the capabilities that runtimes give"
        } else {
            "drops some capabilities, and not ALL"
        };
        sink.container(container, "securityContext.capabilities.drop", message);
    }
}

fn added<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for container in pod.linux() {
        let path = ["securityContext", "capabilities", "add"];
        for (index, value) in meta::list(container.value, &path).iter().enumerate() {
            let Some(name) = capability(value) else {
                continue;
            };
            if sink.lists("allowed", &name) || sink.lists("allowed", &format!("CAP_{name}")) {
                continue;
            }
            let severity = if BREAKING.contains(&name.as_str()) {
                Severity::Critical
            } else {
                Severity::High
            };
            let label = name.to_ascii_lowercase().replace('_', "-");
            let field = format!("securityContext.capabilities.add[{index}]");
            sink.container(container, &field, format!("adds the capability {name}"))
                .severity(severity)
                .excused_by(format!("allow-capability-{label}"));
        }
    }
}

fn low_ids<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for container in pod.linux() {
        for field in ["runAsUser", "runAsGroup"] {
            let Some(setting) = container.security(field) else {
                continue;
            };
            if let Some(id) = setting.value.as_i64()
                && (1..=10_000).contains(&id)
            {
                let name = container.name();
                let message = format!("{field}: {id} may be somebody's on the node");
                sink.add(pod.template.owner, setting.path, message)
                    .in_container(name);
            }
        }
    }
}
