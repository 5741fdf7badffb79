//! Every check against a case that it finds and one that it does not.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use analysis::checks;
use std::collections::BTreeSet;
use support::{audit, snapshot};

/// A pod with these fields of its spec, and these of its container.
fn pod(spec: &str, container: &str) -> String {
    let container = container.replace('\n', "\n    ");
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: ns}}\nspec:\n  {}\n  \
         containers:\n  - name: c\n    {container}\n",
        spec.replace('\n', "\n  ")
    )
}

fn security(text: &str) -> String {
    pod("", &format!("securityContext: {text}"))
}

fn whole(text: &str) -> String {
    pod(text, "image: a:1")
}

fn volume(path: &str) -> String {
    whole(&format!(
        "volumes: [{{name: v, hostPath: {{path: {path}}}}}]"
    ))
}

fn rules(text: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: r}}\n\
         rules:\n- {text}\n"
    )
}

fn binding(role: &str, subject: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: b}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}\n\
         subjects:\n- {subject}\n"
    )
}

fn namespace(labels: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ns\n  labels: {{{labels}}}\n")
}

fn policy(spec: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: np, namespace: ns}}\n\
         spec: {spec}\n"
    )
}

/// What makes the kind known.
const ADMIN_POLICIES: &str = "apiVersion: apiextensions.k8s.io/v1\n\
    kind: CustomResourceDefinition\n\
    metadata: {name: adminnetworkpolicies.policy.networking.k8s.io}\n\
    spec: {group: policy.networking.k8s.io, scope: Cluster, names: {kind: AdminNetworkPolicy, \
    plural: adminnetworkpolicies}, versions: [{name: v1alpha1, served: true, storage: true}]}\n";

fn admin_policy(name: &str, priority: u32) -> String {
    format!(
        "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\n\
         metadata: {{name: {name}}}\nspec: {{priority: {priority}, subject: {{namespaces: {{}}}}}}\n"
    )
}

fn both(a: &str, b: &str) -> String {
    format!("{a}---\n{b}")
}

fn psp(spec: &str) -> String {
    format!(
        "apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata: {{name: p}}\nspec:\n  \
         runAsUser: {{rule: RunAsAny}}\n  seLinux: {{rule: RunAsAny}}\n  \
         fsGroup: {{rule: RunAsAny}}\n  supplementalGroups: {{rule: RunAsAny}}\n  {spec}\n"
    )
}

fn priority(fields: &str) -> String {
    format!(
        "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {{name: p}}\n{fields}\n"
    )
}

const USER: &str = "{kind: User, apiGroup: rbac.authorization.k8s.io, name: jane}";

fn group(name: &str) -> String {
    format!("{{kind: Group, apiGroup: rbac.authorization.k8s.io, name: '{name}'}}")
}

fn account(name: &str) -> String {
    format!("{{kind: ServiceAccount, namespace: default, name: {name}}}")
}

/// A check, a manifest in which it finds something, and one in which it does not.
fn cases() -> Vec<(&'static str, String, String)> {
    let core = |resource: &str, verb: &str| {
        rules(&format!(
            "{{apiGroups: [''], resources: [{resource}], verbs: [{verb}]}}"
        ))
    };
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";
    vec![
        (
            "RMP-POD-001",
            security("{privileged: true}"),
            security("{privileged: false}"),
        ),
        (
            "RMP-POD-002",
            security("{runAsUser: 0}"),
            security("{runAsUser: 1}"),
        ),
        (
            "RMP-POD-002",
            whole("securityContext: {runAsUser: 0}"),
            pod(
                "securityContext: {runAsUser: 0}",
                "securityContext: {runAsUser: 7}",
            ),
        ),
        (
            "RMP-POD-003",
            security("{}"),
            whole("securityContext: {runAsNonRoot: true}"),
        ),
        (
            "RMP-POD-003",
            pod(
                "securityContext: {runAsNonRoot: true}",
                "securityContext: {runAsNonRoot: false}",
            ),
            security("{runAsUser: 1000}"),
        ),
        (
            "RMP-POD-004",
            security("{allowPrivilegeEscalation: true}"),
            security("{allowPrivilegeEscalation: false}"),
        ),
        ("RMP-POD-004", security("{}"), whole("os: {name: windows}")),
        (
            "RMP-POD-005",
            security("{capabilities: {drop: [CHOWN]}}"),
            security("{capabilities: {drop: [ALL]}}"),
        ),
        (
            "RMP-POD-006",
            security("{capabilities: {add: [CAP_SYS_ADMIN]}}"),
            security("{capabilities: {add: [NET_BIND_SERVICE]}}"),
        ),
        (
            "RMP-POD-008",
            security("{runAsUser: 1000}"),
            security("{runAsUser: 1000, runAsNonRoot: true}"),
        ),
        (
            "RMP-POD-008",
            pod("securityContext: {runAsUser: 7}", "image: a:1"),
            pod("securityContext: {runAsUser: 0}", "image: a:1"),
        ),
        (
            "RMP-POD-009",
            security("{capabilities: {drop: [ALL], add: [CHOWN]}}"),
            security("{capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}"),
        ),
        (
            "RMP-POD-009",
            security("{capabilities: {add: [KILL]}}"),
            security("{capabilities: {add: [SYS_ADMIN]}}"),
        ),
        (
            "RMP-POD-010",
            pod(
                "securityContext: {runAsUser: 0}",
                "securityContext: {runAsUser: 7}",
            ),
            pod("securityContext: {runAsUser: 0}", "image: a:1"),
        ),
        (
            "RMP-POD-007",
            security("{runAsUser: 1000}"),
            security("{runAsUser: 20000}"),
        ),
        (
            "RMP-HOST-001",
            whole("hostPID: true"),
            whole("hostPID: false"),
        ),
        (
            "RMP-HOST-002",
            whole("hostIPC: true"),
            whole("hostIPC: false"),
        ),
        (
            "RMP-HOST-003",
            whole("hostNetwork: true"),
            whole("hostNetwork: false"),
        ),
        (
            "RMP-HOST-004",
            volume("/var/run/docker.sock"),
            volume("/data"),
        ),
        (
            "RMP-HOST-004",
            volume("/run/../var/run/"),
            volume("/var/lib/etcd"),
        ),
        (
            "RMP-HOST-005",
            volume("/etc/kubernetes"),
            volume("/etcetera"),
        ),
        ("RMP-HOST-005", volume("/"), volume("/srv/data")),
        ("RMP-HOST-006", volume("/srv"), volume("/etc")),
        (
            "RMP-HOST-007",
            pod("", "ports: [{containerPort: 80, hostPort: 80}]"),
            pod("hostNetwork: true", "ports: [{containerPort: 80}]"),
        ),
        (
            "RMP-HOST-008",
            whole("hostAliases: [{ip: 1.2.3.4, hostnames: [a]}]"),
            whole("hostAliases: []"),
        ),
        (
            "RMP-HOST-009",
            pod("", "livenessProbe: {httpGet: {port: 80, host: 10.0.0.1}}"),
            pod("", "livenessProbe: {httpGet: {port: 80}}"),
        ),
        (
            "RMP-HOST-009",
            pod(
                "",
                "lifecycle: {preStop: {httpGet: {port: 80, host: 127.0.0.1}}}",
            ),
            pod("", "lifecycle: {preStop: {httpGet: {port: 80, host: ''}}}"),
        ),
        (
            "RMP-HOST-010",
            whole("volumes: [{name: v, nfs: {server: a, path: /b}}]"),
            whole("volumes: [{name: v, emptyDir: {}}, {name: w, hostPath: {path: /x}}]"),
        ),
        (
            "RMP-ISO-001",
            whole("securityContext: {seccompProfile: {type: Unconfined}}"),
            whole("securityContext: {seccompProfile: {type: RuntimeDefault}}"),
        ),
        (
            "RMP-ISO-002",
            security("{}"),
            security("{seccompProfile: {type: Localhost, localhostProfile: a.json}}"),
        ),
        (
            "RMP-ISO-003",
            security("{appArmorProfile: {type: Unconfined}}"),
            security("{appArmorProfile: {type: RuntimeDefault}}"),
        ),
        (
            "RMP-ISO-003",
            whole("").replace(
                "namespace: ns}",
                "namespace: ns, annotations: {container.apparmor.security.beta.kubernetes.io/c: \
                 unconfined}}",
            ),
            security("{}"),
        ),
        (
            "RMP-ISO-004",
            security("{}"),
            security("{appArmorProfile: {type: RuntimeDefault}}"),
        ),
        (
            "RMP-ISO-005",
            whole("").replace(
                "namespace: ns}",
                "namespace: ns, annotations: {container.apparmor.security.beta.kubernetes.io/x: \
                 runtime/default}}",
            ),
            whole("").replace(
                "namespace: ns}",
                "namespace: ns, annotations: {container.apparmor.security.beta.kubernetes.io/c: \
                 runtime/default}}",
            ),
        ),
        (
            "RMP-ISO-006",
            security("{seLinuxOptions: {type: spc_t}}"),
            security("{seLinuxOptions: {type: container_t, level: 's0:c1'}}"),
        ),
        (
            "RMP-ISO-007",
            security("{procMount: Unmasked}"),
            security("{procMount: Default}"),
        ),
        (
            "RMP-ISO-008",
            whole("securityContext: {sysctls: [{name: kernel.msgmax, value: '1'}]}"),
            whole("securityContext: {sysctls: [{name: net.ipv4.tcp_syncookies, value: '1'}]}"),
        ),
        ("RMP-ISO-009", whole(""), whole("hostUsers: false")),
        (
            "RMP-ISO-010",
            security("{}"),
            security("{readOnlyRootFilesystem: true}"),
        ),
        (
            "RMP-ISO-011",
            whole("securityContext: {windowsOptions: {hostProcess: true}}"),
            whole("securityContext: {windowsOptions: {hostProcess: false}}"),
        ),
        (
            "RMP-ISO-012",
            whole("shareProcessNamespace: true\ninitContainers: [{name: i, image: 'b:1'}]"),
            whole("shareProcessNamespace: true"),
        ),
        (
            "RMP-RES-001",
            pod("", "resources: {limits: {cpu: 1}}"),
            pod("", "resources: {limits: {memory: 1Gi}}"),
        ),
        (
            "RMP-RES-001",
            whole(""),
            both(
                &whole(""),
                "apiVersion: v1\nkind: LimitRange\nmetadata: {name: l, namespace: ns}\n\
                 spec: {limits: [{type: Container, default: {memory: 1Gi}}]}\n",
            ),
        ),
        (
            "RMP-RES-002",
            pod("", "resources: {limits: {memory: 1Gi}}"),
            pod("", "resources: {limits: {cpu: 1}}"),
        ),
        (
            "RMP-RES-003",
            pod("", "resources: {requests: {cpu: 1}}"),
            pod("", "resources: {requests: {cpu: 1}, limits: {memory: 1Gi}}"),
        ),
        (
            "RMP-RES-004",
            stateful_set("ReadWriteMany"),
            stateful_set("ReadWriteOnce"),
        ),
        (
            "RMP-RES-005",
            whole(""),
            both(
                &whole(""),
                "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q, namespace: ns}\n\
                 spec: {hard: {pods: 1}}\n",
            ),
        ),
        (
            "RMP-IMG-001",
            pod("", "image: redis"),
            pod("", "image: redis:7"),
        ),
        (
            "RMP-IMG-001",
            pod("", "image: redis:latest"),
            pod("", "image: redis@sha256:ab"),
        ),
        (
            "RMP-IMG-002",
            pod("", "image: redis:7"),
            pod("", "image: redis:7@sha256:ab"),
        ),
        (
            "RMP-SEC-001",
            pod(
                "",
                "env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]",
            ),
            pod(
                "",
                "env: [{name: A, valueFrom: {configMapKeyRef: {name: s, key: k}}}]",
            ),
        ),
        (
            "RMP-SEC-001",
            pod("", "envFrom: [{secretRef: {name: s}}]"),
            pod("", "envFrom: [{configMapRef: {name: s}}]"),
        ),
        (
            "RMP-SEC-002",
            pod("", "env: [{name: DB_PASSWORD, value: hunter2}]"),
            pod(
                "",
                "env: [{name: DB_PASSWORD_FILE, value: /run/secrets/db}]",
            ),
        ),
        (
            "RMP-SEC-002",
            pod("", "args: ['--db=postgres://a:hunter2@db/x']"),
            pod("", "args: ['--db=postgres://a:$(PASSWORD)@db/x']"),
        ),
        (
            "RMP-SEC-003",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n\
             data: {key: '-----BEGIN EC PRIVATE KEY-----'}\n"
                .to_owned(),
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n\
             data: {key: '-----BEGIN CERTIFICATE-----'}\n"
                .to_owned(),
        ),
        (
            "RMP-SA-001",
            whole(""),
            whole("automountServiceAccountToken: false"),
        ),
        (
            "RMP-SA-002",
            whole("automountServiceAccountToken: false"),
            whole("serviceAccountName: a"),
        ),
        (
            "RMP-SA-003",
            whole("serviceAccountName: a"),
            both(
                &whole("serviceAccountName: a"),
                "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, namespace: ns}\n",
            ),
        ),
        ("RMP-RBAC-001", core("pods", "'*'"), core("'*'", "get")),
        (
            "RMP-RBAC-002",
            rules("{apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [bind]}"),
            rules("{apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [create]}"),
        ),
        (
            "RMP-RBAC-002",
            core("users", "impersonate"),
            core("users", "get"),
        ),
        (
            "RMP-RBAC-003",
            core("secrets", "watch"),
            core("secrets", "create"),
        ),
        (
            "RMP-RBAC-003",
            core("secrets", "list"),
            rules("{apiGroups: [''], resources: [secrets], verbs: [get], resourceNames: [a]}"),
        ),
        (
            "RMP-RBAC-004",
            core("pods/exec", "create"),
            core("pods", "create"),
        ),
        (
            "RMP-RBAC-005",
            core("serviceaccounts/token", "create"),
            core("serviceaccounts", "create"),
        ),
        (
            "RMP-RBAC-006",
            core("nodes/proxy", "get"),
            core("nodes/metrics", "get"),
        ),
        (
            "RMP-RBAC-007",
            rules(
                "{apiGroups: [certificates.k8s.io], resources: \
                 [certificatesigningrequests/approval], verbs: [update]}",
            ),
            rules(
                "{apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests], \
                 verbs: [create]}",
            ),
        ),
        (
            "RMP-RBAC-008",
            rules(
                "{apiGroups: [admissionregistration.k8s.io], resources: \
                 [mutatingwebhookconfigurations], verbs: [patch]}",
            ),
            rules(
                "{apiGroups: [admissionregistration.k8s.io], resources: \
                 [mutatingwebhookconfigurations], verbs: [get]}",
            ),
        ),
        (
            "RMP-RBAC-009",
            core("persistentvolumes", "create"),
            core("persistentvolumeclaims", "create"),
        ),
        (
            "RMP-RBAC-010",
            binding("view", &group("system:unauthenticated")),
            binding("view", &group("team")),
        ),
        (
            "RMP-RBAC-011",
            binding("view", &group("system:serviceaccounts")),
            binding("view", &group("system:nodes")),
        ),
        (
            "RMP-RBAC-012",
            binding("cluster-admin", USER),
            binding("cluster-admin", &group("system:masters")),
        ),
        ("RMP-RBAC-012", binding("edit", USER), binding("view", USER)),
        (
            "RMP-RBAC-013",
            binding("missing", USER),
            binding("view", USER),
        ),
        (
            "RMP-RBAC-014",
            binding("view", &account("robot")),
            both(
                &binding("view", &account("robot")),
                "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot}\n",
            ),
        ),
        (
            "RMP-RBAC-015",
            binding("view", &account("default")),
            binding("view", &account("robot")),
        ),
        (
            "RMP-RBAC-016",
            both(secret, &binding("edit", USER)),
            binding("edit", USER),
        ),
        (
            "RMP-RBAC-016",
            both(
                secret,
                &both(
                    &binding("r", USER),
                    &rules("{apiGroups: [batch], resources: [jobs], verbs: [create]}"),
                ),
            ),
            both(secret, &binding("view", USER)),
        ),
        (
            "RMP-NET-001",
            both(&whole(""), &policy("{podSelector: {matchLabels: {a: b}}}")),
            policy("{podSelector: {matchLabels: {a: b}}}"),
        ),
        (
            "RMP-NET-002",
            policy("{podSelector: {}, ingress: [{}]}"),
            policy("{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}"),
        ),
        (
            "RMP-NET-002",
            policy(
                "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}",
            ),
            policy(
                "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: \
                 0.0.0.0/0}}], ports: [{port: 443}]}]}",
            ),
        ),
        (
            "RMP-NET-003",
            whole(""),
            both(
                &whole(""),
                &policy("{podSelector: {}, policyTypes: [Egress]}"),
            ),
        ),
        (
            "RMP-NET-004",
            "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n\
             spec: {ports: [{port: 80}], externalIPs: [1.2.3.4]}\n"
                .to_owned(),
            "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n"
                .to_owned(),
        ),
        (
            "RMP-NET-005",
            policy(
                "{podSelector: {}, policyTypes: [Ingress], egress: [{to: [{podSelector: {}}]}]}",
            ),
            policy("{podSelector: {}, egress: [{to: [{podSelector: {}}]}]}"),
        ),
        (
            "RMP-NS-001",
            both(&namespace(""), &policy("{podSelector: {}, ingress: [{}]}")),
            both(&namespace(""), &policy("{podSelector: {}}")),
        ),
        (
            "RMP-NS-002",
            both(&namespace(""), &policy("{podSelector: {}}")),
            both(
                &namespace(""),
                &policy("{podSelector: {}, policyTypes: [Egress]}"),
            ),
        ),
        (
            "RMP-NS-003",
            namespace("a: b"),
            namespace("pod-security.kubernetes.io/enforce: baseline"),
        ),
        (
            "RMP-NET-006",
            both(
                &whole(""),
                &policy(
                    "{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {a: b}}}]}]}",
                ),
            ),
            both(
                &whole(""),
                &policy("{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}"),
            ),
        ),
        (
            "RMP-NET-007",
            both(
                &whole(""),
                &policy("{podSelector: {matchLabels: {a: b}}, policyTypes: [Ingress]}"),
            ),
            both(
                &whole(""),
                &policy("{podSelector: {}, policyTypes: [Ingress]}"),
            ),
        ),
        (
            "RMP-NET-008",
            both(
                ADMIN_POLICIES,
                &both(&admin_policy("a", 5), &admin_policy("b", 5)),
            ),
            both(
                ADMIN_POLICIES,
                &both(&admin_policy("a", 5), &admin_policy("b", 6)),
            ),
        ),
        (
            "RMP-NET-009",
            both(
                &whole(""),
                &policy(
                    "{podSelector: {}, ingress: [{ports: [{port: 80}]}, {ports: [{port: 80}, {port: 81}]}]}",
                ),
            ),
            both(
                &whole(""),
                &policy(
                    "{podSelector: {}, ingress: [{ports: [{port: 80}]}, {ports: [{port: 81}]}]}",
                ),
            ),
        ),
        (
            "RMP-NS-005",
            namespace("pod-security.kubernetes.io/warn-version: '1.30'"),
            namespace("pod-security.kubernetes.io/warn-version: v1.30"),
        ),
        (
            "RMP-NS-005",
            namespace("pod-security.kubernetes.io/enforce: strict"),
            namespace("pod-security.kubernetes.io/enforce: baseline"),
        ),
        (
            "RMP-NS-004",
            namespace("pod-security.kubernetes.io/enforce: privileged"),
            namespace("pod-security.kubernetes.io/enforce: restricted"),
        ),
        (
            "RMP-NS-006",
            both(
                &namespace("pod-security.kubernetes.io/enforce: baseline"),
                &whole("hostPID: true"),
            ),
            both(
                &namespace("pod-security.kubernetes.io/enforce: baseline"),
                &whole(""),
            ),
        ),
        (
            "RMP-PSP-001",
            psp("privileged: true"),
            psp("privileged: false"),
        ),
        (
            "RMP-PSP-002",
            psp("hostPID: true"),
            psp("volumes: [secret]"),
        ),
        (
            "RMP-PRI-001",
            priority("value: 10"),
            priority("value: 10\npreemptionPolicy: Never"),
        ),
        (
            "RMP-PRI-002",
            priority("value: 10\nglobalDefault: true"),
            priority("value: 10"),
        ),
        (
            "RMP-API-001",
            "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: i}\n".to_owned(),
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\n".to_owned(),
        ),
        (
            "RMP-API-002",
            "apiVersion: v1\nkind: Endpoints\nmetadata: {name: e}\n".to_owned(),
            "apiVersion: v1\nkind: Service\nmetadata: {name: e}\nspec: {ports: [{port: 1}]}\n"
                .to_owned(),
        ),
    ]
}

fn stateful_set(mode: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: s, namespace: ns}}\nspec:\n  \
         serviceName: s\n  selector: {{matchLabels: {{a: b}}}}\n  \
         template: {{metadata: {{labels: {{a: b}}}}, spec: {{containers: [{{name: c, image: 'a:1'}}]}}}}\n  \
         volumeClaimTemplates: [{{metadata: {{name: v}}, spec: {{accessModes: [{mode}], \
         resources: {{requests: {{storage: 1Gi}}}}}}}}]\n"
    )
}

fn found(text: &str, id: &str) -> usize {
    let snapshot = snapshot(text);
    // Versions that are gone are what a check is about; other trouble is one of the case.
    for problem in snapshot.problems() {
        let kind = problem.kind;
        assert_eq!(
            kind,
            snapshot::ProblemKind::UnservedVersion,
            "{problem}\n{text}"
        );
    }
    let report = audit(&snapshot, "");
    let of_check = report.findings.iter().filter(|f| f.check.id == id);
    of_check.count()
}

#[test]
fn checks_find_what_they_say_and_nothing_else() {
    for (id, bad, good) in cases() {
        assert!(checks::find(id).is_some(), "{id} is a check");
        assert!(found(&bad, id) > 0, "{id} finds nothing in\n{bad}");
        assert_eq!(found(&good, id), 0, "{id} finds something in\n{good}");
    }
}

/// Checks that find nothing until they are configured: they have tests of their own below.
const CONFIGURED: [&str; 1] = ["RMP-IMG-003"];

#[test]
fn a_workload_is_held_to_the_version_of_its_namespaces_level() {
    let level = |version: &str| {
        let labels = format!(
            "pod-security.kubernetes.io/enforce: restricted, \
             pod-security.kubernetes.io/enforce-version: {version}"
        );
        both(&namespace(&labels), &stateful_set("ReadWriteOnce"))
    };
    let snapshot = snapshot(&level("v1.0"));
    let report = audit(&snapshot, "");
    let finding = report
        .findings
        .iter()
        .find(|finding| finding.check.id == "RMP-NS-006")
        .expect("a finding");
    assert!(
        finding
            .message
            .starts_with("violates PodSecurity \"restricted:v1.0\": runAsNonRoot != true"),
        "{}",
        finding.message
    );
}

#[test]
fn every_check_has_a_case() {
    let tried: BTreeSet<&str> = cases().iter().map(|(id, _, _)| *id).collect();
    for check in checks::all().filter(|check| !CONFIGURED.contains(&check.id)) {
        assert!(tried.contains(check.id), "{} has no case", check.id);
    }
}

#[test]
fn registries_are_configured() {
    let text = both(
        &pod("", "image: nginx"),
        &pod("", "image: r.example/a/b:1").replace("name: p,", "name: q,"),
    );
    let snapshot = snapshot(&text);
    let config = "checks: {RMP-IMG-003: {parameters: {registries: [r.example/a]}}}\n\
                  only: [RMP-IMG-003]";
    let report = audit(&snapshot, config);
    let names: Vec<&str> = report.findings.iter().map(|f| f.object.name()).collect();
    assert_eq!(names, ["p"]);
}

#[test]
fn checks_say_what_they_are() {
    let mut ids = BTreeSet::new();
    for check in checks::all() {
        assert!(ids.insert(check.id), "{} twice", check.id);
        for text in [check.title, check.what, check.why, check.fix] {
            assert!(!text.is_empty(), "{}", check.id);
        }
        assert!(
            !check.references.is_empty(),
            "{} refers to nothing",
            check.id
        );
        if !check.example.is_empty() {
            for document in model::decode::documents(check.example.as_bytes()) {
                assert!(document.is_ok(), "the example of {}", check.id);
            }
        }
    }
}

#[test]
fn workloads_are_blamed_and_not_what_they_made() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, uid: u1}\nspec:\n  \
                selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    \
                spec:\n      containers:\n      - name: c\n        image: a\n        \
                securityContext: {privileged: true}\n---\napiVersion: apps/v1\nkind: ReplicaSet\n\
                metadata:\n  name: d-1\n  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, \
                name: d, uid: u1, controller: true}]\nspec:\n  selector: {matchLabels: {a: b}}\n  \
                template:\n    metadata: {labels: {a: b}}\n    spec:\n      containers:\n      - \
                name: c\n        image: a\n        securityContext: {privileged: true}\n";
    let snapshot = snapshot(text);
    let report = audit(&snapshot, "only: [RMP-POD-001]");
    let finding = &report.findings[0];
    assert_eq!(report.findings.len(), 1);
    assert_eq!(finding.object.title(), "Deployment default/d");
    assert_eq!(finding.container, Some("c"));
    assert_eq!(
        finding.field,
        "spec.template.spec.containers[0].securityContext.privileged"
    );
    let location = finding.location.as_ref().expect("a place");
    assert_eq!((location.line, location.column), (12, 27));
}

#[test]
fn nobody_is_blamed_for_what_every_cluster_has() {
    let snapshot = snapshot("");
    let report = audit(&snapshot, "");
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn rights_weigh_as_much_as_they_reach() {
    let role = rules("{apiGroups: [''], resources: [secrets], verbs: [get]}");
    let severity = |text: &str| {
        let snapshot = snapshot(text);
        let report = audit(&snapshot, "only: [RMP-RBAC-003]");
        report.findings[0].severity.as_str()
    };
    assert_eq!(severity(&role), "low");
    assert_eq!(severity(&both(&role, &binding("r", USER))), "high");
    let inside = binding("r", USER)
        .replace("ClusterRoleBinding", "RoleBinding")
        .replace("{name: b}", "{name: b, namespace: ns}");
    assert_eq!(severity(&both(&role, &inside)), "medium");
}

#[test]
fn gathered_rules_are_blamed_where_they_were_written() {
    let gathering = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n\
                     metadata: {name: all}\n\
                     aggregationRule: {clusterRoleSelectors: [{matchLabels: {x: y}}]}\n";
    let written = rules("{apiGroups: [''], resources: [secrets], verbs: [get]}")
        .replace("{name: r}", "{name: r, labels: {x: y}}");
    let snapshot = snapshot(&both(gathering, &written));
    let report = audit(&snapshot, "only: [RMP-RBAC-003]");
    let names: Vec<&str> = report.findings.iter().map(|f| f.object.name()).collect();
    assert_eq!(names, ["r"]);
    assert_eq!(report.findings[0].severity.as_str(), "low");
}

#[test]
fn who_holds_a_gathering_role_holds_what_it_gathers() {
    // `r` is gathered into `view`, which a group has in the whole cluster.
    let written = rules("{apiGroups: [''], resources: [secrets], verbs: [get]}").replace(
        "{name: r}",
        "{name: r, labels: {rbac.authorization.k8s.io/aggregate-to-view: 'true'}}",
    );
    let group = "{apiGroup: rbac.authorization.k8s.io, kind: Group, name: devs}";
    let snapshot = snapshot(&both(&written, &binding("view", group)));
    let report = audit(&snapshot, "only: [RMP-RBAC-003]");
    assert_eq!(report.findings[0].object.name(), "r");
    assert_eq!(report.findings[0].severity.as_str(), "high");
}
