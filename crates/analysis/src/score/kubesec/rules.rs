//! kubesec's rules: their IDs, selectors, kinds and points are kubesec's, so that what reads its
//! output reads ours; the reasons are told in our own words.

use model::{Value, meta};
use snapshot::{Container, ContainerKind, Object, PodTemplate};

/// A rule.
pub(super) struct Rule {
    /// kubesec's ID.
    pub(super) id: &'static str,
    /// kubesec's selector.
    pub(super) selector: &'static str,
    /// Why it counts.
    pub(super) reason: &'static str,
    kinds: &'static [&'static str],
    /// The points that it gives or takes.
    pub(super) points: i64,
    /// The paths of the fields, in the owner of the template, for which it holds.
    pub(super) found: fn(&Subject<'_>) -> Vec<String>,
}

impl Rule {
    /// Whether it is about objects of that kind.
    pub(super) fn is_about(&self, object: &Object) -> bool {
        let is_built_in = matches!(object.group(), "" | "apps" | "batch");
        is_built_in && self.kinds.contains(&&*object.kind.kind)
    }
}

/// The pods that rules look at.
pub(super) struct Subject<'a> {
    template: PodTemplate<'a>,
    containers: Vec<Container<'a>>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(template: PodTemplate<'a>) -> Self {
        Self {
            template,
            containers: template.containers().collect(),
        }
    }

    fn is_written(&self, path: &str) -> bool {
        let template = &self.template;
        template.snapshot().is_written(template.owner, path)
    }

    /// A field of the pod's spec, if it was written and the condition holds.
    fn pod(&self, field: &str, holds: impl Fn(&Value) -> bool) -> Vec<String> {
        let path = self.template.field(field);
        let value = self.template.spec.get(field);
        let holds = value.is_some_and(|v| !v.is_null() && holds(v)) && self.is_written(&path);
        holds.then_some(path).into_iter().collect()
    }

    /// A field of the security context that is in effect for a container, where the condition
    /// holds.
    fn security(&self, field: &str, holds: impl Fn(&Value) -> bool) -> Vec<String> {
        let settings = self.containers.iter().filter_map(|c| c.security(field));
        let mut paths: Vec<String> = settings
            .filter(|setting| holds(setting.value) && self.is_written(&setting.path))
            .map(|setting| setting.path)
            .collect();
        // What the pod's context says is said once.
        paths.sort();
        paths.dedup();
        paths
    }

    /// An amount of a resource that main containers ask for; init containers do not count.
    fn resources(&self, list: &str, resource: &str) -> Vec<String> {
        self.containers
            .iter()
            .filter(|container| container.kind == ContainerKind::Main)
            .filter(|container| {
                meta::at(container.value, &["resources", list, resource])
                    .is_some_and(|amount| !amount.is_null())
            })
            .map(|container| container.field(&format!("resources.{list}.{resource}")))
            .filter(|path| self.is_written(path))
            .collect()
    }

    /// Volumes of the host whose path contains a text.
    fn host_paths(&self, part: &str) -> Vec<String> {
        self.template
            .volumes()
            .filter(|(_, volume)| meta::text(volume, &["hostPath", "path"]).contains(part))
            .map(|(index, _)| format!("volumes[{index}].hostPath.path"))
            .map(|path| self.template.field(&path))
            .collect()
    }

    /// The claim templates of a StatefulSet for which the condition holds; the spec itself if
    /// there are none, as kubesec is content with that.
    fn claims(&self, holds: impl Fn(&Value) -> bool) -> Vec<String> {
        let owner = self.template.owner;
        let claims = meta::list(&owner.value, &["spec", "volumeClaimTemplates"]);
        if claims.is_empty() {
            return vec!["spec".to_owned()];
        }
        let found = claims.iter().enumerate().filter(|(_, claim)| holds(claim));
        found
            .map(|(index, _)| format!("spec.volumeClaimTemplates[{index}].spec"))
            .collect()
    }

    /// Environment variables that come from secrets.
    fn secrets(&self) -> Vec<String> {
        let sources: [(&str, &[&str]); 2] = [
            ("env", &["valueFrom", "secretKeyRef"]),
            ("envFrom", &["secretRef"]),
        ];
        let mut paths = Vec::new();
        for container in &self.containers {
            for (list, steps) in sources {
                for (index, entry) in meta::list(container.value, &[list]).iter().enumerate() {
                    if meta::at(entry, steps).is_some_and(|source| !source.is_null()) {
                        let path = format!("{list}[{index}].{}", steps.join("."));
                        paths.push(container.field(&path));
                    }
                }
            }
        }
        paths
    }
}

fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true)
}

fn is_false(value: &Value) -> bool {
    value.as_bool() == Some(false)
}

fn is_high_id(value: &Value) -> bool {
    value.as_i64().is_some_and(|id| id > 10_000)
}

fn is_unconfined(value: &Value) -> bool {
    value.as_str() == Some("Unconfined")
}

fn is_confined(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|profile| profile != "Unconfined")
}

/// Whether a list holds a text that contains `part`, in whatever case.
fn names(list: &Value, part: &str) -> bool {
    let texts = list.as_array().into_iter().flatten();
    texts
        .filter_map(Value::as_str)
        .any(|text| text.to_ascii_uppercase().contains(part))
}

fn asks_for_storage(claim: &Value) -> bool {
    meta::at(claim, &["spec", "resources", "requests", "storage"])
        .is_some_and(|amount| !amount.is_null())
}

fn is_for_one_node(claim: &Value) -> bool {
    let modes = meta::list(claim, &["spec", "accessModes"]);
    matches!(modes, [mode] if mode.as_str() == Some("ReadWriteOnce"))
}

/// A live pod always has an account. Whether `default` was asked for cannot be seen there, and a
/// manifest that asks for it has asked for nothing.
fn is_own_account(name: &Value) -> bool {
    name.as_str() != Some("default")
}

const PODS: &[&str] = &["Pod", "Deployment", "StatefulSet", "DaemonSet"];
const STATEFUL_SETS: &[&str] = &["StatefulSet"];
const MORE_PODS: &[&str] = &[
    "Pod",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "Job",
    "CronJob",
];

const SECCOMP: &str = ".spec .securityContext .seccompProfile .type | \
    .spec .containers[] .securityContext .seccompProfile .type | \
    .spec .initContainers[] .securityContext .seccompProfile .type | \
    .spec .ephemeralContainers[] .securityContext .seccompProfile .type";
const APPARMOR: &str = ".spec .securityContext .appArmorProfile .type | \
    .spec .containers[] .securityContext .appArmorProfile .type | \
    .spec .initContainers[] .securityContext .appArmorProfile .type | \
    .spec .ephemeralContainers[] .securityContext .appArmorProfile .type";
const SECRETS: &str = ".spec .containers[] .env[] .valueFrom .secretKeyRef | \
    .spec .initContainers[] .env[] .valueFrom .secretKeyRef | \
    .spec .ephemeralContainers[] .env[] .valueFrom .secretKeyRef | \
    .spec .containers[] .envFrom[] .secretRef | \
    .spec .initContainers[] .envFrom[] .secretRef | \
    .spec .ephemeralContainers[] .envFrom[] .secretRef";

/// The rules.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "HostNetwork",
        selector: ".spec .hostNetwork == true",
        reason: "On the host's network, a pod reaches what listens on the host's loopback address",
        kinds: PODS,
        points: -9,
        found: |s| s.pod("hostNetwork", is_true),
    },
    Rule {
        id: "HostPID",
        selector: ".spec .hostPID == true",
        reason: "A pod that sees the host's processes sees their arguments and environment, \
                 secrets included",
        kinds: PODS,
        points: -9,
        found: |s| s.pod("hostPID", is_true),
    },
    Rule {
        id: "HostIPC",
        selector: ".spec .hostIPC == true",
        reason: "With the host's IPC, a pod can use the shared memory of the host's programs",
        kinds: PODS,
        points: -9,
        found: |s| s.pod("hostIPC", is_true),
    },
    Rule {
        id: "ReadOnlyRootFilesystem",
        selector: "containers[] .securityContext .readOnlyRootFilesystem == true",
        reason: "Where the root file system is read-only, an intruder can leave no programs there",
        kinds: PODS,
        points: 1,
        found: |s| s.security("readOnlyRootFilesystem", is_true),
    },
    Rule {
        id: "RunAsNonRoot",
        selector: ".spec, .spec.containers[] | .securityContext .runAsNonRoot == true",
        reason: "The kubelet then refuses to start a container as root",
        kinds: PODS,
        points: 1,
        found: |s| s.security("runAsNonRoot", is_true),
    },
    Rule {
        id: "RunAsUser",
        selector: ".spec, .spec.containers[] | .securityContext .runAsUser -gt 10000",
        reason: "A user ID above 10000 is hardly that of a user of the host",
        kinds: PODS,
        points: 1,
        found: |s| s.security("runAsUser", is_high_id),
    },
    Rule {
        id: "RunAsGroup",
        selector: ".spec, .spec.containers[] | .securityContext .runAsGroup -gt 10000",
        reason: "A group ID above 10000 is hardly that of a group of the host",
        kinds: PODS,
        points: 1,
        found: |s| s.security("runAsGroup", is_high_id),
    },
    Rule {
        id: "Privileged",
        selector: "containers[] .securityContext .privileged == true",
        reason: "A privileged container may do nearly everything that root may do on the host",
        kinds: PODS,
        points: -30,
        found: |s| s.security("privileged", is_true),
    },
    Rule {
        id: "CapSysAdmin",
        selector: "containers[] .securityContext .capabilities .add == SYS_ADMIN",
        reason: "CAP_SYS_ADMIN holds so much that it is next to being root on the host",
        kinds: PODS,
        points: -30,
        found: |s| s.security("capabilities.add", |add| names(add, "SYS_ADMIN")),
    },
    Rule {
        id: "CapDropAny",
        selector: "containers[] .securityContext .capabilities .drop",
        reason: "Every capability that is dropped is one that an intruder does not have",
        kinds: PODS,
        points: 1,
        found: |s| s.security("capabilities.drop", |drop| names(drop, "")),
    },
    Rule {
        id: "CapDropAll",
        selector: "containers[] .securityContext .capabilities .drop | index(\"ALL\")",
        reason: "A container that drops all capabilities has only those that it adds on purpose",
        kinds: PODS,
        points: 1,
        found: |s| s.security("capabilities.drop", |drop| names(drop, "ALL")),
    },
    Rule {
        id: "DockerSock",
        selector: "volumes[] .hostPath .path == /var/run/docker.sock",
        reason: "Whoever may talk to Docker starts containers with any rights on the host",
        kinds: PODS,
        points: -9,
        found: |s| s.host_paths("/var/run/docker.sock"),
    },
    Rule {
        id: "ProcMount",
        selector: "volumes[] .hostPath .path == /proc",
        reason: "The host's /proc shows the programs of all containers and leads out of this one",
        kinds: PODS,
        points: -9,
        found: |s| s.host_paths("/proc"),
    },
    Rule {
        id: "RequestsCPU",
        selector: "containers[] .resources .requests .cpu",
        reason: "Processors are shared out by what is requested",
        kinds: PODS,
        points: 1,
        found: |s| s.resources("requests", "cpu"),
    },
    Rule {
        id: "LimitsCPU",
        selector: "containers[] .resources .limits .cpu",
        reason: "A limit keeps one container from using up the processors of all",
        kinds: PODS,
        points: 1,
        found: |s| s.resources("limits", "cpu"),
    },
    Rule {
        id: "RequestsMemory",
        selector: "containers[] .resources .requests .memory",
        reason: "Memory is set aside by what is requested",
        kinds: PODS,
        points: 1,
        found: |s| s.resources("requests", "memory"),
    },
    Rule {
        id: "LimitsMemory",
        selector: "containers[] .resources .limits .memory",
        reason: "A limit keeps one container from using up the memory of all",
        kinds: PODS,
        points: 1,
        found: |s| s.resources("limits", "memory"),
    },
    Rule {
        id: "ServiceAccountName",
        selector: ".spec .serviceAccountName",
        reason: "An account of its own can be given just the rights that a workload needs",
        kinds: PODS,
        points: 3,
        found: |s| s.pod("serviceAccountName", is_own_account),
    },
    Rule {
        id: "HostAliases",
        selector: ".spec .hostAliases",
        reason: "Names belong into the DNS of the cluster; /etc/hosts can lead a container astray",
        kinds: PODS,
        points: -3,
        found: |s| s.pod("hostAliases", |_| true),
    },
    Rule {
        id: "SeccompAny",
        selector: SECCOMP,
        reason: "A seccomp profile leaves only the system calls that programs need",
        kinds: PODS,
        points: 1,
        found: |s| s.security("seccompProfile.type", is_confined),
    },
    Rule {
        id: "SeccompUnconfined",
        selector: SECCOMP,
        reason: "Without seccomp, every system call of the kernel is open",
        kinds: PODS,
        points: -1,
        found: |s| s.security("seccompProfile.type", is_unconfined),
    },
    Rule {
        id: "ApparmorAny",
        selector: APPARMOR,
        reason: "An AppArmor profile confines a container even where it is root",
        kinds: PODS,
        points: 3,
        found: |s| s.security("appArmorProfile.type", is_confined),
    },
    Rule {
        id: "ApparmorUnconfined",
        selector: APPARMOR,
        reason: "Unconfined, AppArmor holds root in the container back from nothing",
        kinds: PODS,
        points: -1,
        found: |s| s.security("appArmorProfile.type", is_unconfined),
    },
    Rule {
        id: "VolumeClaimAccessModeReadWriteOnce",
        selector: ".spec .volumeClaimTemplates[] .spec .accessModes | index(\"ReadWriteOnce\")",
        reason: "A volume with ReadWriteOnce is open to one node only",
        kinds: STATEFUL_SETS,
        points: 1,
        found: |s| s.claims(is_for_one_node),
    },
    Rule {
        id: "VolumeClaimRequestsStorage",
        selector: ".spec .volumeClaimTemplates[] .spec .resources .requests .storage",
        reason: "A claim that says how much it needs is bound to a volume of that size",
        kinds: STATEFUL_SETS,
        points: 1,
        found: |s| s.claims(asks_for_storage),
    },
    Rule {
        id: "AllowPrivilegeEscalation",
        selector: "containers[] .securityContext .allowPrivilegeEscalation == true",
        reason: "A program can gain rights that it was not started with, as by setuid files",
        kinds: PODS,
        points: -7,
        found: |s| s.security("allowPrivilegeEscalation", is_true),
    },
    Rule {
        id: "AutomountServiceAccountToken",
        selector: ".spec .automountServiceAccountToken == false",
        reason: "Without a token, an intruder has no account at the API server",
        kinds: PODS,
        points: 1,
        found: |s| s.pod("automountServiceAccountToken", is_false),
    },
    Rule {
        id: "HostUsers",
        selector: ".spec .hostUsers == false",
        reason: "In a user namespace, root of a container is nobody on the host",
        kinds: PODS,
        points: 1,
        found: |s| s.pod("hostUsers", is_false),
    },
    Rule {
        id: "SecretsAsEnvironmentVariables",
        selector: SECRETS,
        reason: "Environment variables turn up in logs, crash reports and child processes",
        kinds: MORE_PODS,
        points: -5,
        found: |s| s.secrets(),
    },
];
