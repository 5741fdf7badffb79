use super::*;
use crate::audit::{Date, Options, Settings};
use model::decode::documents;
use model::registry::Registry;
use snapshot::Builder;
use std::sync::Arc;

fn read(text: &str) -> Snapshot {
    let registry = Arc::new(Registry::builtin());
    let mut builder = Builder::new(registry, snapshot::Options::manifests("default"));
    let file = builder.file("a.yaml");
    for document in documents(text.as_bytes()) {
        builder.document(file, document.expect("YAML"));
    }
    builder.build()
}

/// Of each check that took points: its ID, the points, and how much it found.
type Taken = Vec<(&'static str, u32, usize)>;

/// The scores by name, and what each check took.
fn scores(text: &str) -> BTreeMap<String, (u32, Taken)> {
    let snapshot = read(text);
    let report = crate::audit::run(
        &snapshot,
        Options {
            settings: &Settings::default(),
            baseline: None,
            today: Date::of_epoch_seconds(0),
            workers: 1,
        },
    );
    let scores = score(&snapshot, &report.findings);
    assert!(scores.is_sorted_by_key(|s| s.score));
    assert_eq!(overall(&scores), scores.first().map(|s| s.score));
    scores
        .iter()
        .map(|s| {
            let taken = s.deductions.iter();
            let taken = taken
                .map(|d| (d.findings[0].check.id, d.points, d.findings.len()))
                .collect();
            (s.object.title(), (s.score, taken))
        })
        .collect()
}

const GOOD: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  automountServiceAccountToken: false
  serviceAccountName: robot
  hostUsers: false
  securityContext:
    runAsNonRoot: true
    runAsUser: 20000
    runAsGroup: 20000
    seccompProfile: {type: RuntimeDefault}
    appArmorProfile: {type: RuntimeDefault}
  containers:
  - name: a
    image: registry.example.com/a@sha256:0123456789012345678901234567890123456789012345678901234567890123
    resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 1, memory: 1Gi}}
    securityContext:
      EXTRA
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
";

#[test]
fn nothing_makes_up_for_a_critical_finding() {
    let (good, taken) =
        scores(&GOOD.replace("EXTRA", "allowPrivilegeEscalation: false"))["Pod default/web"]
            .clone();
    assert!(good > cap(Severity::Critical), "{good} {taken:?}");
    let (bad, taken) =
        scores(&GOOD.replace("EXTRA", "privileged: true"))["Pod default/web"].clone();
    assert!(bad <= cap(Severity::Critical), "{bad} {taken:?}");
    assert!(taken[0].1 >= taken[taken.len() - 1].1);
}

#[test]
fn more_containers_make_no_pod_worse() {
    let pod = |containers: usize| {
        let list: Vec<String> = (0..containers)
            .map(|n| format!("{{name: c{n}, image: 'i:1'}}"))
            .collect();
        let text = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: web}}, spec: {{containers: [{}]}}}}",
            list.join(",")
        );
        scores(&text)["Pod default/web"].clone()
    };
    let (one, first) = pod(1);
    let (three, all) = pod(3);
    assert_eq!(one, three);
    let count = |taken: &[(&str, u32, usize)]| taken.iter().map(|t| t.2).sum::<usize>();
    assert!(count(&all) > count(&first));
}

#[test]
fn other_objects_count_when_something_is_found() {
    let scores = scores(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: all}\n\
         roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\n\
         subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'system:unauthenticated'}]\n\
         ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
    );
    let (score, _) = &scores["ClusterRoleBinding all"];
    assert!(*score <= cap(Severity::Critical));
    assert!(!scores.contains_key("ConfigMap default/c"));
}

#[test]
fn worse_findings_take_more_and_allow_less() {
    for pair in Severity::WORST_FIRST.windows(2) {
        assert!(points(pair[0]) > points(pair[1]));
        assert!(cap(pair[0]) < cap(pair[1]));
    }
}
