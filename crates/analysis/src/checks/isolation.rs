//! What confines a container: seccomp, AppArmor, SELinux, /proc, sysctls, user namespaces, its
//! root file system.

use super::standard::Fault;
use super::{BLANK, Check, Parameter, Pod, Run, Sink, cis, kubeaudit, kubesec, nsa, pss};
use crate::finding::Severity;
use model::{Value, meta};
use pod_security::{Level, LevelVersion, Version, standards};

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "RMP-ISO-001",
        title: "seccomp turned off",
        severity: Severity::High,
        what: "Containers whose seccomp profile is Unconfined, by field or by annotation.",
        why: "All system calls of the kernel are open, also those that hardly any program needs \
              and that flaws are found in.",
        fix: "set securityContext.seccompProfile.type: RuntimeDefault",
        example: "securityContext:\n  seccompProfile:\n    type: RuntimeDefault",
        references: &[
            pss("baseline: Seccomp"),
            cis("5.7.2"),
            nsa("Hardening container environments"),
            kubeaudit("seccomp"),
            kubesec("SeccompUnconfined"),
        ],
        kubeaudit_override: "allow-seccomp-disabled",
        run: Run::Pods(seccomp_off),
        ..BLANK
    },
    Check {
        id: "RMP-ISO-002",
        title: "no seccomp profile",
        severity: Severity::Medium,
        what: "Containers without a seccomp profile of their own or of the pod. The annotations \
               of old do not count: API servers since 1.27 pay no attention to them.",
        why: "Unless the kubelet is told otherwise, such containers may make every system call.",
        fix: "set securityContext.seccompProfile.type: RuntimeDefault for the pod",
        example: "spec:\n  securityContext:\n    seccompProfile:\n      type: RuntimeDefault",
        references: &[
            pss("restricted: Seccomp"),
            cis("5.7.2"),
            nsa("Hardening container environments"),
            kubeaudit("seccomp"),
            kubesec("SeccompAny"),
        ],
        kubeaudit_override: "allow-seccomp-disabled",
        run: Run::Pods(seccomp_missing),
        ..BLANK
    },
    Check {
        id: "RMP-ISO-003",
        title: "AppArmor turned off",
        severity: Severity::Medium,
        what: "Containers whose AppArmor profile is Unconfined, by field or by annotation.",
        why: "The profile of the runtime keeps a container from writing to /proc and /sys and \
              from mounting, whoever it runs as.",
        fix: "set securityContext.appArmorProfile.type: RuntimeDefault",
        example: "securityContext:\n  appArmorProfile:\n    type: RuntimeDefault",
        references: &[
            pss("baseline: AppArmor"),
            nsa("Hardening container environments"),
            kubeaudit("apparmor"),
            kubesec("ApparmorAny"),
        ],
        kubeaudit_override: "allow-disabled-apparmor",
        run: Run::Pods(apparmor_off),
        ..BLANK
    },
    Check {
        id: "RMP-ISO-004",
        title: "no AppArmor profile",
        severity: Severity::Info,
        what: "Containers without an AppArmor profile by field or annotation.",
        why: "Where nodes have AppArmor the runtime's profile is used, and nobody notices where \
              they have not. Asking for it makes such nodes refuse the pod.",
        fix: "set securityContext.appArmorProfile.type: RuntimeDefault where nodes have AppArmor",
        example: "securityContext:\n  appArmorProfile:\n    type: RuntimeDefault",
        references: &[kubeaudit("apparmor"), kubesec("ApparmorAny")],
        kubeaudit_override: "allow-disabled-apparmor",
        run: Run::Pods(apparmor_missing),
        ..BLANK
    },
    Check {
        id: "RMP-ISO-005",
        title: "AppArmor annotation of no container",
        severity: Severity::Low,
        what: "Annotations container.apparmor.security.beta.kubernetes.io/NAME where the pod has \
               no container NAME.",
        why: "The container that was meant runs without the profile.",
        fix: "name a container of the pod, or use securityContext.appArmorProfile",
        references: &[kubeaudit("apparmor")],
        run: Run::Pods(apparmor_of_nobody),
        ..BLANK
    },
    Check {
        id: "RMP-ISO-006",
        title: "SELinux options of its own",
        severity: Severity::Medium,
        what: "SELinux types other than those for containers, and users and roles.",
        why: "With another type, such as spc_t, SELinux does not confine the container.",
        fix: "remove the user, role or type",
        references: &[pss("baseline: SELinux")],
        parameters: &[Parameter {
            name: "types",
            what: "types that may be used",
            default: &standards::SELINUX_TYPES,
        }],
        run: Run::Pods(selinux),
        ..BLANK
    },
    Check {
        id: "RMP-ISO-007",
        title: "unmasked /proc",
        severity: Severity::High,
        what: "Containers with procMount: Unmasked.",
        why: "Paths below /proc that tell about the node and change its kernel are not hidden.",
        fix: "remove procMount: Unmasked",
        references: &[pss("baseline: /proc Mount Type")],
        run: Run::Pods(proc_mount),
        ..BLANK
    },
    Check {
        id: "RMP-ISO-008",
        title: "unsafe sysctl",
        severity: Severity::High,
        what: "sysctls that are not known to be limited to the pod.",
        why: "They change the kernel for all pods of the node, or take it down.",
        fix: "remove the sysctl",
        references: &[pss("baseline: Sysctls")],
        parameters: &[Parameter {
            name: "allowed",
            what: "sysctls that may be set",
            default: &standards::SAFE_SYSCTLS,
        }],
        run: Run::Pods(sysctls),
        ..BLANK
    },
    Check {
        id: "RMP-ISO-009",
        title: "no user namespace",
        severity: Severity::Info,
        what: "Pods without hostUsers: false.",
        why: "In a user namespace root of the container is nobody on the node, which takes the \
              edge off most ways out.",
        fix: "set hostUsers: false where nodes support it (Linux 6.3 and Kubernetes 1.33)",
        example: "spec:\n  hostUsers: false",
        references: &[super::reference(
            crate::finding::Framework::Kubernetes,
            "User Namespaces",
        )],
        run: Run::Pods(host_users),
        ..BLANK
    },
    Check {
        id: "RMP-ISO-010",
        title: "writable root file system",
        severity: Severity::Low,
        what: "Containers without securityContext.readOnlyRootFilesystem: true.",
        why: "An attacker can change programs and leave tools in the container.",
        fix: "set securityContext.readOnlyRootFilesystem: true, and mount an emptyDir where the \
              program writes",
        example: "securityContext:\n  readOnlyRootFilesystem: true",
        references: &[
            nsa("Immutable container file systems"),
            kubeaudit("rootfs"),
            kubesec("ReadOnlyRootFilesystem"),
        ],
        kubeaudit_override: "allow-read-only-root-filesystem-false",
        run: Run::Pods(root_file_system),
        ..BLANK
    },
    Check {
        id: "RMP-ISO-011",
        title: "Windows HostProcess container",
        severity: Severity::Critical,
        what: "Windows containers with hostProcess: true.",
        why: "It runs on the node itself, with the rights of the user it names.",
        fix: "remove windowsOptions.hostProcess: true",
        references: &[pss("baseline: HostProcess"), cis("5.2.11")],
        run: Run::Pods(host_process),
        ..BLANK
    },
    Check {
        id: "RMP-ISO-012",
        title: "containers share processes",
        severity: Severity::Low,
        what: "Pods with shareProcessNamespace: true and more than one container.",
        why: "Each container sees the processes of the others, with their environment and files.",
        fix: "remove shareProcessNamespace: true",
        references: &[nsa("Pod security enforcement")],
        run: Run::Pods(shared_processes),
        ..BLANK
    },
];

fn seccomp_off<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for fault in pod.faults("seccompProfile_baseline") {
        sink.fault(pod, &fault, "every system call is open to it");
    }
    let annotated = refused_annotations(pod);
    for container in pod.linux() {
        if container.security("seccompProfile").is_none()
            && let Some((_, path)) = container.seccomp_annotation()
            && annotated.contains(&path)
        {
            let name = container.name();
            let message = "asks, in the old way, for no seccomp profile";
            sink.add(pod.template.owner, path, message)
                .in_container(name);
        }
    }
}

/// The seccomp annotations that were refused while annotations counted, by their path in the owner.
fn refused_annotations(pod: &Pod<'_>) -> Vec<String> {
    const LAST: LevelVersion = LevelVersion::new(Level::Baseline, Version::Minor(18));
    let is_annotated = pod
        .template
        .annotations()
        .keys()
        .any(|key| key.contains("seccomp.security.alpha.kubernetes.io/"));
    if !is_annotated {
        return Vec::new();
    }
    pod_security::evaluate(LAST, pod.template.metadata, pod.template.spec)
        .into_iter()
        .filter(|violation| violation.check == "seccompProfile_baseline")
        .flat_map(|violation| violation.fields)
        .map(|place| pod.owner_path(&place.path))
        .collect()
}

fn seccomp_missing<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    let refused = refused_annotations(pod);
    for fault in pod.faults("seccompProfile_restricted") {
        // Those that are set to something else are RMP-ISO-001. Privileged containers run
        // unconfined whatever they say.
        let Some(container) = fault.container else {
            continue;
        };
        if pod.is_fault("seccompProfile_baseline", fault.path) || pod.is_privileged(container) {
            continue;
        }
        match container.seccomp_annotation() {
            Some((_, path)) if refused.contains(&path) => {}
            Some((_, path)) => {
                let name = container.name();
                let message = "the annotation has no effect since Kubernetes 1.27: use the field";
                sink.add(pod.template.owner, path, message)
                    .in_container(name);
            }
            None => {
                let message = "has no seccomp profile: most clusters then allow every system call";
                sink.container(container, "securityContext.seccompProfile", message);
            }
        }
    }
}

fn apparmor_off<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for fault in pod.faults("appArmorProfile") {
        sink.fault(pod, &fault, "runs outside of all AppArmor profiles");
    }
}

fn apparmor_missing<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for container in pod.linux() {
        if container.security("appArmorProfile").is_none()
            && container.apparmor_annotation().is_none()
            && !pod.is_privileged(container)
        {
            let message = "asks for no AppArmor profile";
            sink.container(container, "securityContext.appArmorProfile", message);
        }
    }
}

fn apparmor_of_nobody<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    const PREFIX: &str = "container.apparmor.security.beta.kubernetes.io/";
    for key in pod.template.annotations().keys() {
        if let Some(name) = key.strip_prefix(PREFIX)
            && !pod.containers.iter().any(|c| c.name() == name)
        {
            let path = pod.template.metadata_field(&format!("annotations[{key}]"));
            sink.add(
                pod.template.owner,
                path,
                format!("there is no container {name:?}"),
            );
        }
    }
}

fn selinux<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    let is_type = |path: &str| path.ends_with(".type");
    let own_types = sink.is_configured("types");
    for fault in pod.faults("seLinuxOptions") {
        // Somebody's own list takes the place of the standard's.
        if own_types && is_type(fault.path) {
            continue;
        }
        let (_, field) = fault.path.rsplit_once('.').unwrap_or_default();
        let value = selinux_option(pod, &fault, field);
        sink.fault(pod, &fault, format!("has the SELinux {field} {value}"));
    }
    if !own_types {
        return;
    }
    for container in pod.linux() {
        let Some(options) = container.security("seLinuxOptions") else {
            continue;
        };
        let value = meta::text(options.value, &["type"]);
        if !value.is_empty() && !sink.lists("types", value) {
            let name = container.name();
            let path = format!("{}.type", options.path);
            let message = format!("has the SELinux type {value}");
            sink.add(pod.template.owner, path, message)
                .in_container(name);
        }
    }
}

/// A member of the SELinux options that a fault is about.
fn selinux_option<'a>(pod: &Pod<'a>, fault: &Fault<'_, 'a>, field: &str) -> &'a str {
    let holder = fault.container.map_or(pod.template.spec, |c| c.value);
    let own = meta::text(holder, &["securityContext", "seLinuxOptions", field]);
    if own.is_empty() {
        // Of the pod, for a container that inherits it.
        let path = ["securityContext", "seLinuxOptions", field];
        return meta::text(pod.template.spec, &path);
    }
    own
}

fn proc_mount<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for fault in pod.faults("procMount") {
        sink.fault(pod, &fault, "sees and writes all of /proc");
    }
}

fn sysctls<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    let is_configured = sink.is_configured("allowed");
    let list = meta::list(pod.template.spec, &["securityContext", "sysctls"]);
    for (index, sysctl) in list.iter().enumerate() {
        let name = meta::text(sysctl, &["name"]);
        let field = format!("securityContext.sysctls[{index}].name");
        // Somebody's own list takes the place of the standard's.
        let is_bad = if is_configured {
            !sink.lists("allowed", &name.replace('/', "."))
        } else {
            pod.is_fault("sysctls", &format!("spec.{field}"))
        };
        if is_bad {
            let message = format!("sets {name}, which is not known to be the pod's alone");
            sink.pod(pod, &field, message);
        }
    }
}

fn host_users<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    let is_off = pod.template.spec.get("hostUsers") == Some(&Value::Bool(false));
    if !is_off && !pod.is_windows {
        sink.pod(pod, "hostUsers", "has the node's user IDs");
    }
}

fn root_file_system<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for container in pod.linux() {
        let setting = container.security("readOnlyRootFilesystem");
        if !setting.is_some_and(|s| s.is_true()) {
            let message = "can change its own root file system";
            sink.container(container, "securityContext.readOnlyRootFilesystem", message);
        }
    }
}

fn host_process<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for fault in pod.faults("windowsHostProcess") {
        sink.fault(pod, &fault, "runs as a process of the node");
    }
}

fn shared_processes<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    let shared = pod.template.spec.get("shareProcessNamespace") == Some(&Value::Bool(true));
    if shared && pod.containers.len() > 1 {
        let message = "its containers see each other's processes";
        sink.pod(pod, "shareProcessNamespace", message);
    }
}
