//! What is no manifest, or one that no cluster would take, is told with its place, never stops the
//! rest, and never takes the analyst down.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use serde_json::{Value, json};
use std::os::unix::fs::symlink;
use std::path::Path;
use support::analyst::rampart;

/// Every command, on a directory or file.
const COMMANDS: &[&str] = &[
    "audit",
    "audit -o sarif",
    "score",
    "score --profile kubesec",
    "can-i get pods --as jane",
    "can-i --list --as jane",
    "who-can get pods -A",
    "access-matrix -A",
    "graph",
    "graph -o svg",
    "paths --from * --to *",
    "pss",
    "psp",
    "qos",
    "netpol matrix",
    "netpol lint",
    "snapshot",
];

const GOOD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: good}\nspec:\n  containers:\n  - name: c\n    \
                    image: a\n    securityContext: {privileged: true}\n";

/// The status of `rampart audit` on a file beside a good one, and what is told of it.
fn audit_of(directory: &Path, name: &str, bytes: &[u8]) -> (i32, Vec<(String, u64, String)>) {
    let place = directory.join(name.replace('.', "-"));
    std::fs::create_dir(&place).expect("a directory");
    std::fs::write(place.join(name), bytes).expect("written");
    std::fs::write(place.join("good.yaml"), GOOD).expect("written");
    let path = place.to_string_lossy().into_owned();
    let output = rampart(&["audit", "--check", "RMP-POD-001", "-o", "json", &path]);
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{name}: {e}: {}", String::from_utf8_lossy(&output.stderr)));
    let names: Vec<&Value> = document["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| &finding["object"]["name"])
        .collect();
    assert!(
        names.contains(&&json!("good")),
        "{name}: the rest is evaluated"
    );
    let problems = document["problems"].as_array().expect("problems").iter();
    let told = problems
        .filter(|problem| problem["severity"] != "warning" && problem["severity"] != "note")
        .map(|problem| {
            assert!(problem["file"].as_str().is_some_and(|f| f.ends_with(name)));
            let line = problem["line"].as_u64().unwrap_or_default();
            let message = problem["message"].as_str().unwrap_or_default().to_owned();
            (
                problem["kind"].as_str().unwrap_or_default().to_owned(),
                line,
                message,
            )
        })
        .collect();
    (output.status.code().expect("it ends"), told)
}

fn utf16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

#[test]
fn what_cannot_be_evaluated_is_told_with_its_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let bomb = {
        let mut text = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (name, before) in ('b'..='k').zip('a'..) {
            let aliases = vec![format!("*{before}"); 10].join(",");
            text.push_str(&format!("{name}: &{name} [{aliases}]\n"));
        }
        text
    };
    let head = "apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\n";
    let of = |rest: &str| format!("{head}{rest}").into_bytes();
    let cases: Vec<(&str, Vec<u8>, &str, u64, &str)> = vec![
        (
            "bomb.yaml",
            bomb.into_bytes(),
            "unparsableDocument",
            6,
            "excessive aliasing",
        ),
        (
            "cycle.yaml",
            b"a: &a\n  b: *a\n".to_vec(),
            "unparsableDocument",
            2,
            "contains itself",
        ),
        (
            "merge.yaml",
            b"a: &a {<<: *a}\n".to_vec(),
            "unparsableDocument",
            1,
            "contains itself",
        ),
        (
            "junk.yaml",
            (0..=255).cycle().take(9000).collect(),
            "binaryFile",
            0,
            "binary",
        ),
        ("utf16.yaml", utf16(GOOD), "binaryFile", 0, "UTF-16"),
        (
            "latin.yaml",
            of("x: caf\u{e9}")
                .iter()
                .map(|b| if *b == 0xc3 { 0xe9 } else { *b })
                .collect(),
            "unparsableDocument",
            4,
            "UTF-8",
        ),
        (
            "tab.yaml",
            of("spec:\n\tcontainers: []\n"),
            "unparsableDocument",
            5,
            "tab",
        ),
        (
            "twice.yaml",
            of("spec: {containers: []}\nspec: {}\n"),
            "duplicateField",
            5,
            "stands twice",
        ),
        (
            "deep.yaml",
            "[".repeat(100_000).into_bytes(),
            "unparsableDocument",
            1,
            "recursion",
        ),
        (
            "deep.json",
            "{\"a\":".repeat(100_000).into_bytes(),
            "unparsableDocument",
            1,
            "recursion",
        ),
        (
            "helm.yaml",
            b"kind: Pod\nmetadata:\n  name: {{ .Values.n }}\n".to_vec(),
            "unparsableDocument",
            3,
            "helm template",
        ),
        (
            "cut.json",
            b"{\"apiVersion\": \"v1\"".to_vec(),
            "unparsableDocument",
            2,
            "cannot be parsed",
        ),
        ("spec.yaml", of("spec: 5\n"), "invalidField", 4, "spec"),
        (
            "list.yaml",
            of("spec:\n  containers: {}\n"),
            "invalidField",
            5,
            "spec.containers",
        ),
        (
            "name.yaml",
            of("spec:\n  containers:\n  - name: c\n  - name: 5\n"),
            "invalidField",
            7,
            "spec.containers[1].name",
        ),
        (
            "quantity.yaml",
            of(
                "spec:\n  containers:\n  - name: c\n    resources:\n      limits:\n        \
                              cpu: lots\n",
            ),
            "invalidField",
            9,
            "spec.containers[0].resources.limits.cpu",
        ),
        (
            "metadata.yaml",
            b"apiVersion: v1\nkind: Pod\nmetadata: 5\n".to_vec(),
            "invalidField",
            3,
            "metadata",
        ),
        (
            "nameless.yaml",
            b"apiVersion: v1\nkind: ConfigMap\n".to_vec(),
            "missingName",
            1,
            "no name",
        ),
        (
            "items.yaml",
            b"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  spec: []\n  \
                         metadata: {name: x}\n- 5\n"
                .to_vec(),
            "invalidField",
            6,
            "spec",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, bytes, kind, line, message) in cases {
        let (status, told) = audit_of(directory.path(), name, &bytes);
        let is_told = told
            .iter()
            .any(|(k, l, m)| k == kind && *l == line && m.contains(message));
        if status != 3 || !is_told {
            wrong.push(format!("{name}: {status} {told:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // These are well.
    let crlf = GOOD.replace("good", "other").replace('\n', "\r\n");
    let stream = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}
        {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}"#;
    let mark = format!("\u{feff}{}", GOOD.replace("good", "marked"));
    for (name, text) in [
        ("crlf.yaml", crlf.as_str()),
        ("stream.json", stream),
        ("mark.yaml", &mark),
        ("empty.yaml", ""),
        ("blank.yaml", "---\n---\n# nothing\n...\n---\nnull\n"),
    ] {
        let (status, told) = audit_of(directory.path(), name, text.as_bytes());
        assert_eq!((status, told.is_empty()), (1, true), "{name}: {told:?}");
    }
}

#[test]
fn what_is_no_file_is_told_or_passed_over() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("sub")).expect("a directory");
    std::fs::write(at("sub/good.yaml"), GOOD).expect("written");
    symlink("..", at("sub/loop")).expect("a link");
    symlink("itself.yaml", at("itself.yaml")).expect("a link");
    let huge = std::fs::File::create(at("huge.yaml")).expect("a file");
    huge.set_len(1 << 30).expect("a sparse file");
    let path = directory.path().to_string_lossy().into_owned();
    let output = rampart(&["audit", "-o", "json", "--check", "RMP-POD-001", &path]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(2), "{document}");
    assert_eq!(document["findings"].as_array().map(Vec::len), Some(1));
    let kinds: Vec<&Value> = document["problems"]
        .as_array()
        .expect("problems")
        .iter()
        .map(|problem| &problem["kind"])
        .collect();
    assert_eq!(kinds.len(), 2, "{document}");
    assert!(kinds.contains(&&json!("tooLarge")) && kinds.contains(&&json!("unreadableFile")));
    // A device has no end.
    let endless = rampart(&["audit", "/dev/zero"]);
    assert_eq!(endless.status.code(), Some(3));
}

/// Every field that commands look at, with every sort of value that it cannot have.
#[test]
fn wrong_types_take_nothing_down() {
    let values: Vec<Value> = [
        "5",
        "null",
        "[]",
        "{}",
        "\"x\"",
        "-1",
        "1e400",
        "[null]",
        "{\"a\":null}",
    ]
    .iter()
    .filter_map(|text| serde_json::from_str(text).ok())
    .collect();
    let kinds = [
        ("v1", "Pod"),
        ("apps/v1", "Deployment"),
        ("batch/v1", "CronJob"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("policy/v1beta1", "PodSecurityPolicy"),
        ("v1", "ServiceAccount"),
        ("v1", "Namespace"),
        ("v1", "Secret"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        (
            "admissionregistration.k8s.io/v1",
            "MutatingWebhookConfiguration",
        ),
    ];
    let fields = [
        "spec",
        "metadata",
        "rules",
        "subjects",
        "roleRef",
        "aggregationRule",
        "template",
        "webhooks",
        "automountServiceAccountToken",
        "data",
    ];
    let mut objects = Vec::new();
    for value in &values {
        for (version, kind) in kinds {
            for field in fields {
                let name = format!("o{}", objects.len());
                let mut object =
                    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}});
                object[field] = value.clone();
                objects.push(object);
            }
        }
        let rule = json!({"verbs": value, "resources": value, "apiGroups": value, "resourceNames": value,
                          "nonResourceURLs": value});
        objects.push(
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                            "metadata": {"name": format!("r{}", objects.len()), "labels": value,
                                         "annotations": value}, "rules": [rule]}),
        );
        for field in [
            "name",
            "image",
            "ports",
            "env",
            "envFrom",
            "resources",
            "securityContext",
            "volumeMounts",
            "command",
            "livenessProbe",
            "lifecycle",
        ] {
            let mut container = json!({"name": "c", "image": "i"});
            container[field] = value.clone();
            let name = format!("c{}", objects.len());
            objects.push(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
                "spec": {"containers": [container, value], "initContainers": value, "volumes": value,
                         "securityContext": value}}));
        }
    }
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("wrong.json");
    let text: Vec<String> = objects.iter().map(Value::to_string).collect();
    std::fs::write(
        &file,
        text.join("\n")
            + "\n"
            + &json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "good"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
            .to_string(),
    )
    .expect("written");
    let file = file.to_string_lossy().into_owned();
    for command in COMMANDS {
        let arguments: Vec<&str> = command.split(' ').chain([file.as_str()]).collect();
        let output = rampart(&arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!told.contains("panicked"), "{command}: {told}");
        assert_eq!(output.status.code(), Some(3), "{command}: {told:.2000}");
        assert!(!output.stdout.is_empty(), "{command}");
    }
}
