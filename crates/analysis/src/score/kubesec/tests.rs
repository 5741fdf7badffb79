use super::*;
use model::decode::documents;
use model::registry::Registry;
use snapshot::{Builder, Options};
use std::sync::Arc;

fn read(text: &str) -> Snapshot {
    let registry = Arc::new(Registry::builtin());
    let mut builder = Builder::new(registry, Options::manifests("default"));
    let file = builder.file("a.yaml");
    for document in documents(text.as_bytes()) {
        builder.document(file, document.expect("YAML"));
    }
    builder.build()
}

fn only(text: &str) -> Report {
    let mut reports = score(&read(text), None);
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports.remove(0)
}

fn pod(spec: &str) -> String {
    format!("{{apiVersion: v1, kind: Pod, metadata: {{name: web}}, spec: {spec}}}")
}

/// A pod with one container that has the fields, and the pod others.
fn with(pod_fields: &str, container_fields: &str) -> String {
    pod(&format!(
        "{{{pod_fields} containers: [{{name: a, image: i, {container_fields}}}]}}"
    ))
}

fn claims(templates: &str) -> String {
    format!(
        "{{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: web}}, spec: {{serviceName: s, \
         selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, \
         spec: {{containers: [{{name: a, image: i}}]}}}}{templates}}}}}"
    )
}

fn claim(spec: &str) -> String {
    claims(&format!(
        ", volumeClaimTemplates: [{{metadata: {{name: c}}, spec: {spec}}}]"
    ))
}

/// The points that a rule counted for, and where it holds first.
fn judged(report: &Report, id: &str) -> Option<(i64, String)> {
    let scoring = &report.scoring;
    let judgement = scoring
        .critical
        .iter()
        .chain(&scoring.passed)
        .find(|j| j.id == id)?;
    let (path, place) = judgement.found.first().expect("a place");
    assert!(place.is_some(), "{id}");
    Some((judgement.points, path.clone()))
}

#[test]
fn every_rule_holds_where_it_should_and_nowhere_else() {
    let c = "spec.containers[0].";
    let context = |field: &str| format!("{c}securityContext.{field}");
    let host_path = |path: &str| format!("volumes: [{{name: v, hostPath: {{path: {path}}}}}],");
    let security = |fields: &str| with("", &format!("securityContext: {{{fields}}}"));
    let resources = |fields: &str| with("", &format!("resources: {{{fields}}}"));
    // The rule, its points, a manifest for which it holds and the field, and one for which not.
    let table: Vec<(&str, i64, String, String, String)> = vec![
        (
            "HostNetwork",
            -9,
            with("hostNetwork: true,", ""),
            "spec.hostNetwork".into(),
            with("hostNetwork: false,", ""),
        ),
        (
            "HostPID",
            -9,
            with("hostPID: true,", ""),
            "spec.hostPID".into(),
            with("hostPID: false,", ""),
        ),
        (
            "HostIPC",
            -9,
            with("hostIPC: true,", ""),
            "spec.hostIPC".into(),
            with("hostIPC: false,", ""),
        ),
        (
            "ReadOnlyRootFilesystem",
            1,
            security("readOnlyRootFilesystem: true"),
            context("readOnlyRootFilesystem"),
            security("readOnlyRootFilesystem: false"),
        ),
        (
            "RunAsNonRoot",
            1,
            with("securityContext: {runAsNonRoot: true},", ""),
            "spec.securityContext.runAsNonRoot".into(),
            with(
                "securityContext: {runAsNonRoot: true},",
                "securityContext: {runAsNonRoot: false}",
            ),
        ),
        (
            "RunAsUser",
            1,
            security("runAsUser: 10001"),
            context("runAsUser"),
            security("runAsUser: 10000"),
        ),
        (
            "RunAsGroup",
            1,
            with("securityContext: {runAsGroup: 20000},", ""),
            "spec.securityContext.runAsGroup".into(),
            with(
                "securityContext: {runAsGroup: 20000},",
                "securityContext: {runAsGroup: 5}",
            ),
        ),
        (
            "Privileged",
            -30,
            security("privileged: true"),
            context("privileged"),
            security("privileged: false"),
        ),
        (
            "CapSysAdmin",
            -30,
            security("capabilities: {add: [NET_RAW, CAP_SYS_ADMIN]}"),
            context("capabilities.add"),
            security("capabilities: {add: [NET_ADMIN]}"),
        ),
        (
            "CapDropAny",
            1,
            security("capabilities: {drop: [CHOWN]}"),
            context("capabilities.drop"),
            security("capabilities: {drop: []}"),
        ),
        (
            "CapDropAll",
            1,
            security("capabilities: {drop: [all]}"),
            context("capabilities.drop"),
            security("capabilities: {drop: [CHOWN]}"),
        ),
        (
            "DockerSock",
            -9,
            with(&host_path("/var/run/docker.sock"), ""),
            "spec.volumes[0].hostPath.path".into(),
            with(&host_path("/var/run/crio.sock"), ""),
        ),
        (
            "ProcMount",
            -9,
            with(&host_path("/proc"), ""),
            "spec.volumes[0].hostPath.path".into(),
            with(&host_path("/sys"), ""),
        ),
        (
            "RequestsCPU",
            1,
            resources("requests: {cpu: 1}"),
            format!("{c}resources.requests.cpu"),
            // The API server would request what the limit is.
            resources("limits: {cpu: 1}"),
        ),
        (
            "LimitsCPU",
            1,
            resources("limits: {cpu: 1}"),
            format!("{c}resources.limits.cpu"),
            resources("requests: {cpu: 1}"),
        ),
        (
            "RequestsMemory",
            1,
            resources("requests: {memory: 1Gi}"),
            format!("{c}resources.requests.memory"),
            resources("limits: {memory: 1Gi}"),
        ),
        (
            "LimitsMemory",
            1,
            resources("limits: {memory: 1Gi}"),
            format!("{c}resources.limits.memory"),
            resources("requests: {memory: 1Gi}"),
        ),
        (
            "ServiceAccountName",
            3,
            with("serviceAccountName: robot,", ""),
            "spec.serviceAccountName".into(),
            with("", ""),
        ),
        (
            "HostAliases",
            -3,
            with("hostAliases: [{ip: 10.0.0.1, hostnames: [a]}],", ""),
            "spec.hostAliases".into(),
            with("", ""),
        ),
        (
            "SeccompAny",
            1,
            security("seccompProfile: {type: RuntimeDefault}"),
            context("seccompProfile.type"),
            security("seccompProfile: {type: Unconfined}"),
        ),
        (
            "SeccompUnconfined",
            -1,
            with("securityContext: {seccompProfile: {type: Unconfined}},", ""),
            "spec.securityContext.seccompProfile.type".into(),
            with(
                "securityContext: {seccompProfile: {type: Unconfined}},",
                "securityContext: {seccompProfile: {type: RuntimeDefault}}",
            ),
        ),
        (
            "ApparmorAny",
            3,
            security("appArmorProfile: {type: RuntimeDefault}"),
            context("appArmorProfile.type"),
            security("appArmorProfile: {type: Unconfined}"),
        ),
        (
            "ApparmorUnconfined",
            -1,
            security("appArmorProfile: {type: Unconfined}"),
            context("appArmorProfile.type"),
            security("appArmorProfile: {type: RuntimeDefault}"),
        ),
        (
            "VolumeClaimAccessModeReadWriteOnce",
            1,
            claim("{accessModes: [ReadWriteOnce]}"),
            "spec.volumeClaimTemplates[0].spec".into(),
            claim("{accessModes: [ReadWriteOnce, ReadWriteMany]}"),
        ),
        (
            "VolumeClaimRequestsStorage",
            1,
            claim("{resources: {requests: {storage: 1Gi}}}"),
            "spec.volumeClaimTemplates[0].spec".into(),
            claim("{accessModes: [ReadWriteOnce]}"),
        ),
        (
            "AllowPrivilegeEscalation",
            -7,
            security("allowPrivilegeEscalation: true"),
            context("allowPrivilegeEscalation"),
            security("allowPrivilegeEscalation: false"),
        ),
        (
            "AutomountServiceAccountToken",
            1,
            with("automountServiceAccountToken: false,", ""),
            "spec.automountServiceAccountToken".into(),
            with("automountServiceAccountToken: true,", ""),
        ),
        (
            "HostUsers",
            1,
            with("hostUsers: false,", ""),
            "spec.hostUsers".into(),
            with("hostUsers: true,", ""),
        ),
        (
            "SecretsAsEnvironmentVariables",
            -5,
            with("", "envFrom: [{secretRef: {name: s}}]"),
            format!("{c}envFrom[0].secretRef"),
            with("", "envFrom: [{configMapRef: {name: s}}]"),
        ),
    ];
    let mut tested: Vec<&str> = table.iter().map(|(id, ..)| *id).collect();
    let mut all: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    tested.sort_unstable();
    all.sort_unstable();
    assert_eq!(tested, all);
    for (id, points, holds, path, does_not) in table {
        let report = only(&holds);
        assert!(report.valid, "{id}: {}", report.message);
        assert_eq!(judged(&report, id), Some((points, path)), "{id}");
        let report = only(&does_not);
        assert!(report.valid, "{id}: {}", report.message);
        assert_eq!(judged(&report, id), None, "{id}");
        let advised = report.scoring.advise.iter().any(|j| j.id == id);
        assert_eq!(advised, points > 0, "{id}");
    }
}

#[test]
fn which_containers_count() {
    let two = |init: &str, main: &str| {
        let text = format!(
            "{{initContainers: [{{name: i, image: i, {init}}}], \
             containers: [{{name: a, image: i, {main}}}, {{name: b, image: i}}]}}"
        );
        only(&pod(&text))
    };
    // One container is enough, and a rule counts once.
    let report = two("", "securityContext: {privileged: true}");
    assert_eq!(report.score, -30);
    let report = two(
        "securityContext: {privileged: true}",
        "securityContext: {privileged: true}",
    );
    assert_eq!(report.score, -30);
    assert_eq!(report.message, "Failed with a score of -30 points");
    // What init containers ask for does not count.
    let report = two("resources: {limits: {cpu: 1}}", "");
    assert_eq!(judged(&report, "LimitsCPU"), None);
}

#[test]
fn statefulsets_without_claims_pass() {
    let report = only(&claims(""));
    assert_eq!(report.score, 2);
    assert_eq!(report.message, "Passed with a score of 2 points");
}

#[test]
fn lists_are_in_the_order_of_their_points() {
    let report = only(&with(
        "hostNetwork: true, hostAliases: [{ip: 10.0.0.1, hostnames: [a]}], \
         serviceAccountName: robot, automountServiceAccountToken: false,",
        "securityContext: {privileged: true}, resources: {limits: {cpu: 1}}",
    ));
    let ids = |list: &[Judgement]| list.iter().map(|j| j.id).collect::<Vec<_>>();
    assert_eq!(
        ids(&report.scoring.critical),
        ["Privileged", "HostNetwork", "HostAliases"]
    );
    assert_eq!(
        ids(&report.scoring.passed),
        [
            "ServiceAccountName",
            "AutomountServiceAccountToken",
            "LimitsCPU"
        ]
    );
    assert_eq!(report.score, -30 - 9 - 3 + 3 + 1 + 1);
    assert_eq!(ids(&report.scoring.advise)[0], "ApparmorAny");
}

#[test]
fn what_is_not_scored_says_why() {
    let report = only("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}");
    assert_eq!(report.object, "Namespace/shop.default");
    assert!(report.valid && !report.is_bad(1));
    assert_eq!(report.score, 0);
    assert_eq!(
        report.message,
        "This resource kind is not supported by kubesec"
    );
    let report = only(&with("hostNetwerk: true, hostPID: true,", ""));
    assert!(!report.valid && report.is_bad(1));
    assert!(report.message.contains("hostNetwerk"), "{}", report.message);
    assert_eq!((report.score, report.applied), (0, 0));
}

#[test]
fn nodes_and_what_controllers_made_have_no_report() {
    let reports = score(
        &read(
            "{apiVersion: v1, kind: Node, metadata: {name: n1}}\n---\n\
         {apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web-1, uid: u}, spec: {\
         selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, \
         spec: {containers: [{name: a, image: i}]}}}}\n---\n\
         {apiVersion: v1, kind: Pod, metadata: {name: web-1-x, ownerReferences: [{\
         apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: u, controller: true}]}, \
         spec: {containers: [{name: a, image: i}]}}\n",
        ),
        None,
    );
    let objects: Vec<&str> = reports.iter().map(|r| r.object.as_str()).collect();
    assert_eq!(objects, ["ReplicaSet/web-1.default"]);
}

#[test]
fn jobs_are_asked_for_secrets_only() {
    let job = |env: &str| {
        only(&format!(
            "{{apiVersion: batch/v1, kind: CronJob, metadata: {{name: j, namespace: shop}}, \
             spec: {{schedule: '* * * * *', jobTemplate: {{spec: {{template: {{spec: {{\
             restartPolicy: Never, containers: [{{name: a, image: i, {env}}}]}}}}}}}}}}}}"
        ))
    };
    let report = job("env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]");
    assert_eq!(report.object, "CronJob/j.shop");
    assert_eq!(
        judged(&report, "SecretsAsEnvironmentVariables"),
        Some((
            -5,
            "spec.jobTemplate.spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef"
                .into()
        ))
    );
    assert!(report.is_bad(-10));
    let report = job("");
    assert_eq!((report.score, report.applied), (0, 1));
    // There was nothing to earn points with.
    assert!(!report.is_bad(1));
}

#[test]
fn json_has_the_fields_of_kubesec_in_its_order() {
    let report = only(&with("hostPID: true,", ""));
    let json = serde_json::to_string(&report).expect("JSON");
    let head = r#"{"object":"Pod/web.default","valid":true,"fileName":"a.yaml","message":"Failed with a score of -9 points","score":-9,"scoring":{"critical":[{"id":"HostPID","selector":".spec .hostPID == true","reason":""#;
    assert!(json.starts_with(head), "{json}");
    assert!(!json.contains("passed"), "{json}");
}
