//! What of the node a pod shares: namespaces, paths, sockets, ports.

use super::{BLANK, Check, Parameter, Pod, Run, Sink, cis, kubeaudit, kubesec, nsa, pss};
use crate::finding::Severity;
use model::{Value, meta};

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "RMP-HOST-001",
        title: "shares the node's processes",
        severity: Severity::High,
        what: "Pods with hostPID: true.",
        why: "Its processes see all processes of the node, with their environments, and can trace \
              and kill those of the same user.",
        fix: "remove hostPID: true",
        references: &[
            pss("baseline: Host Namespaces"),
            cis("5.2.3"),
            nsa("Pod security enforcement"),
            kubeaudit("hostns"),
            kubesec("HostPID"),
        ],
        kubeaudit_override: "allow-namespace-host-PID",
        run: Run::Pods(|pod, sink| {
            namespace(pod, sink, "hostPID", "sees all processes of the node")
        }),
        ..BLANK
    },
    Check {
        id: "RMP-HOST-002",
        title: "shares the node's IPC",
        severity: Severity::High,
        what: "Pods with hostIPC: true.",
        why: "Shared memory and semaphores of the node's processes are open to it.",
        fix: "remove hostIPC: true",
        references: &[
            pss("baseline: Host Namespaces"),
            cis("5.2.4"),
            nsa("Pod security enforcement"),
            kubeaudit("hostns"),
            kubesec("HostIPC"),
        ],
        kubeaudit_override: "allow-namespace-host-IPC",
        run: Run::Pods(|pod, sink| {
            namespace(
                pod,
                sink,
                "hostIPC",
                "shares memory with the node's processes",
            )
        }),
        ..BLANK
    },
    Check {
        id: "RMP-HOST-003",
        title: "shares the node's network",
        severity: Severity::High,
        what: "Pods with hostNetwork: true.",
        why: "It reaches what listens on the node's loopback, hears the traffic of other pods, has \
              the node's identity towards the cloud's metadata API, and no NetworkPolicy holds it.",
        fix: "remove hostNetwork: true; publish ports with a Service",
        references: &[
            pss("baseline: Host Namespaces"),
            cis("5.2.5"),
            nsa("Pod security enforcement"),
            kubeaudit("hostns"),
            kubesec("HostNetwork"),
        ],
        kubeaudit_override: "allow-namespace-host-network",
        run: Run::Pods(|pod, sink| {
            namespace(
                pod,
                sink,
                "hostNetwork",
                "is on the node's network, past all network policies",
            );
        }),
        ..BLANK
    },
    Check {
        id: "RMP-HOST-004",
        title: "container runtime's socket",
        severity: Severity::Critical,
        what: "hostPath volumes with the socket of a container runtime or of the kubelet, or a \
               directory that holds one.",
        why: "Whoever talks to the runtime starts privileged containers: the node is theirs.",
        fix: "remove the volume; build images with a rootless builder, and ask the API for pods",
        references: &[
            pss("baseline: HostPath Volumes"),
            cis("5.2.12"),
            kubeaudit("mounts"),
            kubesec("DockerSock"),
        ],
        parameters: &[Parameter {
            name: "sockets",
            what: "paths of sockets on the node",
            default: &[
                "/run/containerd/containerd.sock",
                "/run/cri-dockerd.sock",
                "/run/crio/crio.sock",
                "/run/docker.sock",
                "/run/k3s/containerd/containerd.sock",
                "/run/podman/podman.sock",
                "/var/lib/kubelet/pod-resources/kubelet.sock",
                "/var/run/containerd/containerd.sock",
                "/var/run/cri-dockerd.sock",
                "/var/run/crio/crio.sock",
                "/var/run/docker.sock",
            ],
        }],
        run: Run::Pods(sockets),
        ..BLANK
    },
    Check {
        id: "RMP-HOST-005",
        title: "sensitive path of the node",
        severity: Severity::High,
        what: "hostPath volumes with a directory from which the node can be taken over or read out, \
               or one above it.",
        why: "/etc, /root, /proc, the kubelet's directory and the like hold the node's keys and \
              decide what it runs.",
        fix: "remove the volume; use a ConfigMap, Secret, emptyDir or PersistentVolumeClaim",
        references: &[
            pss("baseline: HostPath Volumes"),
            cis("5.2.12"),
            kubeaudit("mounts"),
        ],
        parameters: &[Parameter {
            name: "paths",
            what: "paths on the node; those below and above them count too",
            default: &[
                "/boot",
                "/dev",
                "/etc",
                "/home",
                "/proc",
                "/root",
                "/sys",
                "/usr",
                "/var/lib/containerd",
                "/var/lib/docker",
                "/var/lib/etcd",
                "/var/lib/kubelet",
            ],
        }],
        run: Run::Pods(sensitive_paths),
        ..BLANK
    },
    Check {
        id: "RMP-HOST-006",
        title: "path of the node",
        severity: Severity::Medium,
        what: "Other hostPath volumes.",
        why: "Files outlive the pod and are shared with whatever else is on the node; a link in \
              them may lead anywhere.",
        fix: "use an emptyDir, a PersistentVolumeClaim or a local volume",
        references: &[pss("baseline: HostPath Volumes"), cis("5.2.12")],
        run: Run::Pods(other_paths),
        ..BLANK
    },
    Check {
        id: "RMP-HOST-007",
        title: "port of the node",
        severity: Severity::Medium,
        what: "Containers with a hostPort, of pods that are not on the node's network anyway.",
        why: "The port is open on the node's address, past Services and mostly past network \
              policies, and only one such pod fits on a node.",
        fix: "remove hostPort; publish the port with a Service",
        references: &[pss("baseline: Host Ports"), cis("5.2.13")],
        parameters: &[Parameter {
            name: "allowed",
            what: "ports that may be used",
            default: &[],
        }],
        run: Run::Pods(ports),
        ..BLANK
    },
    Check {
        id: "RMP-HOST-008",
        title: "own entries in /etc/hosts",
        severity: Severity::Low,
        what: "Pods with hostAliases.",
        why: "Names that lead elsewhere than in the rest of the cluster can turn traffic to \
              somebody else, and are seen by nobody.",
        fix: "remove hostAliases; make the name known to the cluster's DNS",
        references: &[kubesec("HostAliases")],
        run: Run::Pods(aliases),
        ..BLANK
    },
    Check {
        id: "RMP-HOST-009",
        title: "probe to another host",
        severity: Severity::Medium,
        what: "Probes and lifecycle hooks with a host of their own; localhost is the node's.",
        why: "The kubelet connects, from the node's network: a probe that names a host makes it \
              ask whatever the pod's author cannot reach himself.",
        fix: "remove host: probes go to the pod",
        references: &[pss("baseline: Host Probes / Lifecycle Hooks (v1.34+)")],
        run: Run::Pods(probes),
        ..BLANK
    },
    Check {
        id: "RMP-HOST-010",
        title: "volume of a type that the restricted level refuses",
        severity: Severity::Low,
        what: "Volumes that are neither of the types that the restricted level admits nor paths of \
               the node: nfs, iscsi, gitRepo and the like.",
        why: "The pod's author, not the cluster's administrator, says which server is mounted, \
              and the kubelet mounts it as root; some of the drivers run commands on the node.",
        fix: "use a PersistentVolumeClaim; the administrator defines the volume behind it",
        references: &[pss("restricted: Volume Types")],
        run: Run::Pods(other_volumes),
        ..BLANK
    },
];

fn namespace<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>, field: &str, message: &'static str) {
    if pod.is_fault("hostNamespaces", &format!("spec.{field}")) {
        sink.pod(pod, field, message);
    }
}

/// The path without `.`, `..`, doubled and trailing slashes.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Whether one of two clean paths is the other or lies in it.
fn overlap(a: &str, b: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        outer == "/"
            || inner == outer
            || inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    within(a, b) || within(b, a)
}

/// A hostPath volume.
struct HostPath<'a> {
    index: usize,
    name: &'a str,
    path: String,
}

fn host_paths<'a>(pod: &Pod<'a>) -> impl Iterator<Item = HostPath<'a>> {
    pod.template.volumes().filter_map(|(index, volume)| {
        let path = meta::text(volume, &["hostPath", "path"]);
        let is_fault = pod.is_fault(
            "hostPathVolumes",
            &format!("spec.volumes[{index}].hostPath"),
        );
        is_fault.then(|| HostPath {
            index,
            name: meta::text(volume, &["name"]),
            path: clean(path),
        })
    })
}

fn socket_of(path: &HostPath<'_>, sink: &Sink<'_, '_>) -> Option<String> {
    let mut sockets = sink.values("sockets").map(clean);
    // Of the directories above only the one that the socket is in: the others are said to be
    // sensitive, or are not about the socket.
    sockets.find(|socket| {
        *socket == path.path
            || socket
                .rsplit_once('/')
                .is_some_and(|(directory, _)| directory == path.path)
    })
}

/// Whether a path is one of those that say most about the default sockets.
fn is_default_socket(path: &HostPath<'_>) -> bool {
    let defaults = CHECKS
        .iter()
        .filter(|check| check.id == "RMP-HOST-004")
        .flat_map(|check| check.parameters)
        .flat_map(|parameter| parameter.default);
    defaults.into_iter().any(|socket| *socket == path.path)
}

fn sockets<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for path in host_paths(pod) {
        if let Some(socket) = socket_of(&path, sink) {
            let message = format!("mounts {} with the socket {socket}", path.path);
            let field = format!("volumes[{}].hostPath.path", path.index);
            sink.pod(pod, &field, message)
                .excused_by(format!("allow-host-path-mount-{}", path.name));
        }
    }
}

/// Which of the paths that `sink` is configured with a volume touches.
fn sensitive(path: &HostPath<'_>, listed: impl Iterator<Item = String>) -> Option<String> {
    let mut listed = listed;
    listed.find(|known| overlap(&path.path, known))
}

fn sensitive_paths<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for path in host_paths(pod) {
        if is_default_socket(&path) {
            continue;
        }
        let Some(known) = sensitive(&path, sink.values("paths").map(clean)) else {
            continue;
        };
        let message = if known == path.path {
            format!("mounts {} of the node", path.path)
        } else if known.starts_with(&path.path) {
            format!("mounts {} of the node, with {known} in it", path.path)
        } else {
            format!("mounts {} of the node, in {known}", path.path)
        };
        // All of the node's files are the node.
        let severity = if path.path == "/" {
            Severity::Critical
        } else {
            sink.check.severity
        };
        let field = format!("volumes[{}].hostPath.path", path.index);
        sink.pod(pod, &field, message)
            .severity(severity)
            .excused_by(format!("allow-host-path-mount-{}", path.name));
    }
}

fn other_paths<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for path in host_paths(pod) {
        let said = CHECKS
            .iter()
            .filter(|check| matches!(check.id, "RMP-HOST-004" | "RMP-HOST-005"))
            .flat_map(|check| check.parameters)
            .flat_map(|parameter| parameter.default)
            .any(|known| overlap(&path.path, known));
        if !said {
            let message = format!("mounts {} of the node", path.path);
            let field = format!("volumes[{}].hostPath.path", path.index);
            sink.pod(pod, &field, message)
                .excused_by(format!("allow-host-path-mount-{}", path.name));
        }
    }
}

fn ports<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    // On the node's network every port is the node's: RMP-HOST-003.
    if pod.is_fault("hostNamespaces", "spec.hostNetwork") {
        return;
    }
    for fault in pod.faults("hostPorts") {
        let Some(container) = fault.container else {
            continue;
        };
        for (index, port) in meta::list(container.value, &["ports"]).iter().enumerate() {
            let field = format!("ports[{index}].hostPort");
            if fault.path != container.pod_field(&field) {
                continue;
            }
            let number = port.get("hostPort").map(Value::to_string);
            let number = number.unwrap_or_default();
            if !sink.lists("allowed", &number) {
                sink.fault(pod, &fault, format!("takes port {number} of the node"));
            }
        }
    }
}

fn aliases<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    if !meta::list(pod.template.spec, &["hostAliases"]).is_empty() {
        sink.pod(pod, "hostAliases", "adds its own names to /etc/hosts");
    }
}

fn probes<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for fault in pod.faults("hostProbesAndHostLifecycle") {
        let host = fault.container.map_or("", |container| {
            let steps = fault.path.rsplit_once("].").map_or("", |(_, rest)| rest);
            let steps: Vec<&str> = steps.split('.').collect();
            meta::text(container.value, &steps)
        });
        sink.fault(pod, &fault, format!("the kubelet is sent to {host}"));
    }
}

fn other_volumes<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    for (index, volume) in pod.template.volumes() {
        let own = format!("volumes[{index}]");
        let at = format!("spec.{own}");
        for fault in pod.faults("restrictedVolumes") {
            let Some(source) = fault.path.strip_prefix(&at) else {
                continue;
            };
            let source = source.trim_start_matches('.');
            // What is told of as a path of the node.
            if source == "hostPath" {
                continue;
            }
            let name = meta::text(volume, &["name"]);
            let (field, message) = match source {
                "" => (own.clone(), format!("volume {name} is of no known type")),
                source => (
                    format!("{own}.{source}"),
                    format!(
                        "volume {name} is of type {source}, which the restricted level refuses"
                    ),
                ),
            };
            sink.pod(pod, &field, message);
        }
    }
}
