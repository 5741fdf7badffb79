//! The audit and the Pod Security Standards agree: whatever a control refuses is told by a check,
//! and no check that stands for a control tells of what it admits.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use model::Value;
use pod_security::weaknesses;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, json};
use std::collections::BTreeSet;
use support::{audit, snapshot};

/// The checks of the standards, each with those of the audit of which one tells what it refuses.
const TOLD: [(&str, &[&str]); 18] = [
    ("appArmorProfile", &["RMP-ISO-003", "RMP-POD-010"]),
    ("capabilities_baseline", &["RMP-POD-006"]),
    (
        "hostNamespaces",
        &["RMP-HOST-001", "RMP-HOST-002", "RMP-HOST-003"],
    ),
    (
        "hostPathVolumes",
        &["RMP-HOST-004", "RMP-HOST-005", "RMP-HOST-006"],
    ),
    ("hostPorts", &["RMP-HOST-007", "RMP-HOST-003"]),
    ("privileged", &["RMP-POD-001"]),
    ("procMount", &["RMP-ISO-007"]),
    ("seLinuxOptions", &["RMP-ISO-006", "RMP-POD-010"]),
    ("seccompProfile_baseline", &["RMP-ISO-001", "RMP-POD-010"]),
    ("sysctls", &["RMP-ISO-008"]),
    ("windowsHostProcess", &["RMP-ISO-011", "RMP-POD-010"]),
    ("allowPrivilegeEscalation", &["RMP-POD-004"]),
    (
        "capabilities_restricted",
        &["RMP-POD-005", "RMP-POD-006", "RMP-POD-009", "RMP-POD-001"],
    ),
    (
        "restrictedVolumes",
        &[
            "RMP-HOST-004",
            "RMP-HOST-005",
            "RMP-HOST-006",
            "RMP-HOST-010",
        ],
    ),
    (
        "runAsNonRoot",
        &["RMP-POD-003", "RMP-POD-008", "RMP-POD-002", "RMP-POD-010"],
    ),
    ("runAsUser", &["RMP-POD-002", "RMP-POD-010"]),
    (
        "seccompProfile_restricted",
        &["RMP-ISO-002", "RMP-ISO-001", "RMP-POD-001", "RMP-POD-010"],
    ),
    ("hostProbesAndHostLifecycle", &["RMP-HOST-009"]),
];

/// Some of the fields that `choices` has values for.
fn some(choices: Vec<(&'static str, Vec<Value>)>) -> BoxedStrategy<Value> {
    let fields: Vec<_> = choices
        .into_iter()
        .map(|(key, values)| (Just(key), proptest::option::of(select(values))))
        .collect();
    fields
        .prop_map(|fields| {
            let set = fields
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?)));
            Value::Object(set.collect::<Map<String, Value>>())
        })
        .boxed()
}

fn context(is_container: bool) -> BoxedStrategy<Value> {
    let flags = || vec![json!(true), json!(false)];
    let profiles = || {
        vec![
            json!({"type": "RuntimeDefault"}),
            json!({"type": "Unconfined"}),
        ]
    };
    let mut fields = vec![
        ("runAsNonRoot", flags()),
        ("runAsUser", vec![json!(0), json!(1000)]),
        ("seccompProfile", profiles()),
        ("appArmorProfile", profiles()),
        (
            "seLinuxOptions",
            vec![
                json!({"type": "container_t"}),
                json!({"type": "spc_t", "user": "u"}),
            ],
        ),
        ("windowsOptions", vec![json!({"hostProcess": true})]),
    ];
    if is_container {
        fields.extend([
            ("privileged", flags()),
            ("allowPrivilegeEscalation", flags()),
            ("procMount", vec![json!("Default"), json!("Unmasked")]),
            (
                "capabilities",
                vec![
                    json!({"drop": ["ALL"]}),
                    json!({"drop": ["ALL"], "add": ["CHOWN", "NET_BIND_SERVICE"]}),
                    json!({"drop": ["CHOWN"], "add": ["NET_ADMIN"]}),
                ],
            ),
        ]);
    } else {
        fields.push((
            "sysctls",
            vec![
                json!([{"name": "kernel.msgmax", "value": "1"}]),
                json!([{"name": "net.ipv4.tcp_rmem", "value": "1"}]),
            ],
        ));
    }
    some(fields)
}

fn container(name: &'static str) -> BoxedStrategy<Value> {
    let rest = some(vec![
        (
            "ports",
            vec![
                json!([{"containerPort": 80, "hostPort": 80}]),
                json!([{"containerPort": 80}]),
            ],
        ),
        (
            "livenessProbe",
            vec![json!({"tcpSocket": {"port": 1, "host": "x"}})],
        ),
    ]);
    (rest, context(true))
        .prop_map(move |(mut container, context)| {
            container["name"] = name.into();
            container["image"] = "a:1".into();
            container["securityContext"] = context;
            container
        })
        .boxed()
}

fn pods() -> BoxedStrategy<Value> {
    let volumes = vec![
        json!([{"name": "v", "hostPath": {"path": "/srv"}}]),
        json!([{"name": "v", "hostPath": {"path": "/"}}, {"name": "w", "emptyDir": {}}]),
        json!([{"name": "v", "nfs": {"server": "a", "path": "/b"}}]),
    ];
    let spec = some(vec![
        ("hostNetwork", vec![json!(true)]),
        ("hostPID", vec![json!(true), json!(false)]),
        ("hostIPC", vec![json!(true)]),
        ("os", vec![json!({"name": "windows"})]),
        ("volumes", volumes),
    ]);
    let annotations = some(vec![(
        "container.apparmor.security.beta.kubernetes.io/a",
        vec![json!("unconfined"), json!("runtime/default")],
    )]);
    (
        spec,
        annotations,
        context(false),
        container("a"),
        container("b"),
    )
        .prop_map(|(mut spec, annotations, context, a, b)| {
            spec["securityContext"] = context;
            spec["initContainers"] = json!([b]);
            spec["containers"] = json!([a]);
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "p", "namespace": "ns", "annotations": annotations},
                "spec": spec,
            })
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_audit_tells_what_the_standards_refuse(pod in pods()) {
        let snapshot = snapshot(&pod.to_string());
        let template = snapshot.pod_templates().next().expect("the pod");
        let refused: BTreeSet<&str> = weaknesses(template.metadata, template.spec)
            .iter()
            .map(|violation| violation.check)
            .collect();
        let found: BTreeSet<&str> = audit(&snapshot, "")
            .findings
            .iter()
            .map(|finding| finding.check.id)
            .collect();
        for check in &refused {
            let (_, told) = TOLD.iter().find(|(id, _)| id == check).expect("in the table");
            prop_assert!(told.iter().any(|id| found.contains(id)), "{check} of {pod}: {found:?}");
        }
        for id in found {
            let mut stands_for = TOLD.iter().filter(|(_, told)| told.contains(&id)).peekable();
            let is_free = stands_for.peek().is_none();
            let is_refused = stands_for.any(|(check, _)| refused.contains(check));
            prop_assert!(is_free || is_refused, "{id} of {pod}: {refused:?}");
        }
    }
}

#[test]
fn every_control_is_in_the_table() {
    let all = pod_security::standards::CHECKS
        .iter()
        .chain(&pod_security::standards::LATER)
        .map(|check| check.id);
    let told = TOLD.iter().map(|(id, _)| *id);
    assert_eq!(all.collect::<Vec<_>>(), told.collect::<Vec<_>>());
}
