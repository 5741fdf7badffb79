//! What a process may do once it runs: privileged mode, users, capabilities.

use super::standard::Fault;
use super::{BLANK, Check, Parameter, Pod, Run, Sink, cis, kubeaudit, kubesec, nsa, pss};
use crate::finding::Severity;
use model::meta;

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
            nsa("Non-root containers and rootless container engines"),
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
            nsa("Non-root containers and rootless container engines"),
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
            cis("5.2.8"),
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
        id: "RMP-POD-008",
        title: "not held to its user",
        severity: Severity::Info,
        what: "Containers with a runAsUser other than 0 for which runAsNonRoot: true is not in \
               effect.",
        why: "The restricted level refuses the pod, and nothing notices when somebody sets the \
              user to 0 later.",
        fix: "set securityContext.runAsNonRoot: true for the pod",
        example: "spec:\n  securityContext:\n    runAsNonRoot: true\n    runAsUser: 10001",
        references: &[pss("restricted: Running as Non-root")],
        run: Run::Pods(not_held),
        ..BLANK
    },
    Check {
        id: "RMP-POD-009",
        title: "default capabilities added back",
        severity: Severity::Low,
        what: "Containers that add capabilities that runtimes give by default, other than \
               NET_BIND_SERVICE.",
        why: "They are what drop: [ALL] is to take away; the restricted level refuses the pod.",
        fix: "remove the capability from securityContext.capabilities.add",
        example: "securityContext:\n  capabilities:\n    drop: [ALL]\n    add: [NET_BIND_SERVICE]",
        references: &[
            pss("restricted: Capabilities"),
            cis("5.2.9"),
            kubeaudit("capabilities"),
        ],
        run: Run::Pods(added_back),
        ..BLANK
    },
    Check {
        id: "RMP-POD-010",
        title: "idle setting that Pod Security refuses",
        severity: Severity::Info,
        what: "Settings of the pod's security context that a level refuses, though each container \
               has its own: runAsUser: 0, Unconfined profiles and the like.",
        why: "The pod is refused all the same, and the next container that is added takes the \
              setting over.",
        fix: "remove the setting from the pod's securityContext",
        references: &[pss("baseline"), pss("restricted")],
        run: Run::Pods(idle),
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
    for fault in pod.faults("privileged") {
        let message = "runs privileged: nothing separates it from the node";
        sink.fault(pod, &fault, message);
    }
}

fn runs_as_root<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for fault in pod.faults("runAsUser") {
        sink.fault(pod, &fault, "runAsUser: 0 is root");
    }
}

/// The user that a container is told to run as.
fn user(container: &snapshot::Container<'_>) -> Option<i64> {
    container.security("runAsUser")?.value.as_i64()
}

/// Containers that are not held to another user than root, with the user that they name.
fn not_non_root<'p, 'a>(
    pod: &'p Pod<'a>,
) -> impl Iterator<Item = (Fault<'p, 'a>, Option<i64>)> + use<'p, 'a> {
    let faults = pod.faults("runAsNonRoot").into_iter();
    faults.map(|fault| {
        let user = fault.container.and_then(user);
        (fault, user)
    })
}

fn may_run_as_root<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    // A user that is set is either somebody else, RMP-POD-008, or root: RMP-POD-002.
    for (fault, _) in not_non_root(pod).filter(|(_, user)| user.is_none()) {
        let says_no = fault.container.is_none_or(|container| {
            let setting = container.security("runAsNonRoot");
            setting.is_some_and(|setting| !setting.is_true())
        });
        let message = if says_no {
            "runAsNonRoot: false lets the image run as root"
        } else {
            "runs as whatever user the image names, root included"
        };
        sink.fault(pod, &fault, message);
    }
}

fn not_held<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for (fault, user) in not_non_root(pod) {
        if let Some(user) = user.filter(|user| *user != 0) {
            let message = format!("runs as user {user}, and nothing holds it to another than root");
            sink.fault(pod, &fault, message);
        }
    }
}

fn idle<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for path in pod.idle_faults() {
        let message = "no container takes it over, and Pod Security refuses it";
        sink.add(pod.template.owner, pod.owner_path(path), message);
    }
}

fn escalation<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    const FIELD: &str = "allowPrivilegeEscalation";
    for fault in pod.faults(FIELD) {
        let setting = fault.container.and_then(|c| c.security(FIELD));
        let message = match setting {
            Some(_) => "allowPrivilegeEscalation: true lets processes gain rights",
            None => "allowPrivilegeEscalation is not set, and is then allowed",
        };
        sink.fault(pod, &fault, message);
    }
}

/// The name of a capability without the prefix that some write.
fn capability(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    match name.strip_prefix("CAP_") {
        Some(rest) => rest.to_owned(),
        None => name,
    }
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

fn not_dropped<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for fault in pod.faults("capabilities_restricted") {
        let Some(container) = fault.container else {
            continue;
        };
        // That a privileged one has all of them is said already.
        if !fault.path.ends_with(".drop") || pod.is_privileged(container) {
            continue;
        }
        let path = ["securityContext", "capabilities", "drop"];
        let message = if meta::list(container.value, &path).is_empty() {
            "keeps all the capabilities that runtimes give"
        } else {
            "drops some capabilities, and not ALL"
        };
        sink.fault(pod, &fault, message);
    }
}

/// The capabilities that containers add, with the fields that name them.
fn additions<'p, 'a>(
    pod: &'p Pod<'a>,
) -> impl Iterator<Item = (&'p snapshot::Container<'a>, String, &'a str)> {
    pod.containers.iter().flat_map(|container| {
        let path = ["securityContext", "capabilities", "add"];
        let added = meta::list(container.value, &path).iter().enumerate();
        added.map(move |(index, value)| {
            let field = format!("securityContext.capabilities.add[{index}]");
            (container, field, value.as_str().unwrap_or_default())
        })
    })
}

fn added<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    let is_configured = sink.is_configured("allowed");
    for (container, field, name) in additions(pod) {
        let short = capability(name);
        // Somebody's own list takes the place of the standard's.
        let is_bad = if is_configured {
            !sink.lists("allowed", &short) && !sink.lists("allowed", &format!("CAP_{short}"))
        } else {
            pod.is_fault("capabilities_baseline", &container.pod_field(&field))
        };
        if !is_bad {
            continue;
        }
        let severity = if BREAKING.contains(&short.as_str()) {
            Severity::Critical
        } else {
            Severity::High
        };
        sink.container(container, &field, format!("adds the capability {short}"))
            .severity(severity)
            .excused_by(excuse(&short));
    }
}

fn added_back<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for (container, field, name) in additions(pod) {
        let path = container.pod_field(&field);
        let is_told = pod.is_fault("capabilities_baseline", &path);
        if !is_told && pod.is_fault("capabilities_restricted", &path) {
            let short = capability(name);
            let message = format!("adds {short}, which the restricted level refuses");
            sink.container(container, &field, message)
                .excused_by(excuse(&short));
        }
    }
}

/// The identifier of kubeaudit's override labels for a capability.
fn excuse(capability: &str) -> String {
    let label = capability.to_ascii_lowercase().replace('_', "-");
    format!("allow-capability-{label}")
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
