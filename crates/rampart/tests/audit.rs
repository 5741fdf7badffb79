//! `rampart audit` as users run it: on the workshop, in every form, with every exit status.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;
use support::analyst::rampart_with_input;

/// Runs it in the directory of the tests, so that paths are the same everywhere.
fn rampart(arguments: &[&str], input: &str) -> Output {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    rampart_with_input(&tests, arguments, input)
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn json(arguments: &[&str], input: &str) -> Value {
    let output = rampart(arguments, input);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

fn status(arguments: &[&str], input: &str) -> i32 {
    let output = rampart(arguments, input);
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

/// A finding on one line.
fn line(finding: &Value) -> String {
    let object = &finding["object"];
    let name = match object["namespace"].as_str() {
        Some(namespace) => format!("{namespace}/{}", object["name"].as_str().expect("a name")),
        None => object["name"].as_str().expect("a name").to_owned(),
    };
    let of = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let at = &finding["location"];
    format!(
        "{} {} {} {name} {} {} {}:{}:{}: {}",
        of(&finding["severity"]),
        of(&finding["id"]),
        of(&object["kind"]),
        of(&finding["container"]),
        of(&finding["field"]),
        of(&at["file"]),
        at["line"],
        at["column"],
        of(&finding["message"]),
    )
}

/// The findings of the workshop, held against a file that people have looked through. With
/// `RAMPART_BLESS=1` the file is written anew.
#[test]
fn the_workshop_gives_what_it_gave() {
    let document = json(&["audit", "workshop", "-o", "json"], "");
    let findings = document["findings"].as_array().expect("findings");
    let lines: String = findings.iter().map(|f| line(f) + "\n").collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit/workshop.txt");
    if std::env::var_os("RAMPART_BLESS").is_some() {
        std::fs::write(&path, &lines).expect("written");
    }
    let golden = std::fs::read_to_string(&path).expect("the golden file");
    assert_eq!(lines, golden);
}

#[test]
fn the_workshop_has_what_it_is_known_for() {
    let document = json(&["audit", "workshop", "-o", "json"], "");
    assert_eq!(document["schemaVersion"], "rampart.audit/v1");
    let findings = document["findings"].as_array().expect("findings");
    let has = |id: &str, name: &str, file: &str, line: u64| {
        let found = findings.iter().any(|f| {
            f["id"] == id
                && f["object"]["name"] == name
                && f["location"]["file"] == format!("workshop/{file}")
                && f["location"]["line"] == line
        });
        assert!(found, "{id} {name} {file}:{line}");
    };
    has("RMP-RBAC-014", "example-binding", "05-rolebinding.yaml", 13);
    has(
        "RMP-SEC-001",
        "secret-env-pod",
        "09-secret-env-pod.yaml",
        12,
    );
    has(
        "RMP-SEC-001",
        "secret-env-pod",
        "09-secret-env-pod.yaml",
        17,
    );
    has("RMP-PSP-001", "privileged", "10-psp-privileged.yaml", 8);
    has("RMP-NS-001", "test-namespace", "01-namespace.yaml", 4);
    has("RMP-NS-001", "qos-example", "11-qos.yaml", 4);
    has(
        "RMP-IMG-001",
        "secret-volume-pod",
        "08-secret-volume-pod.yaml",
        9,
    );
    has("RMP-IMG-002", "rbac-example", "06-rbac-example.yaml", 44);
    let denied = findings
        .iter()
        .any(|f| f["id"] == "RMP-NS-001" && f["object"]["name"] == "default");
    assert!(!denied, "default denies incoming traffic");
}

#[test]
fn people_see_the_source() {
    let output = rampart(&["audit", "workshop", "--check", "RMP-RBAC-014"], "");
    assert_eq!(output.status.code(), Some(0));
    let text = text(&output);
    let expected = "  RoleBinding default/example-binding: there is no ServiceAccount build-robot in \
                    namespace default: it is in test-namespace (workshop/05-rolebinding.yaml:13:3)\n   \
                    13 |   namespace: default\n      |   ^^^^^^^^^^^^^^^^^^\n  fix: set namespace: \
                    test-namespace";
    assert!(text.contains(expected), "{text}");
}

const PRIVILEGED: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  \
                          - name: c\n    image: a\n    securityContext: {privileged: true}\n";
const HARMLESS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n";

#[test]
fn exit_statuses_are_by_contract() {
    for (arguments, input, expected) in [
        (&["audit", "-"][..], HARMLESS, 0),
        (&["audit", "-"], PRIVILEGED, 1),
        (&["audit", "-", "--check", "RMP-IMG-001"], PRIVILEGED, 0),
        (
            &[
                "audit",
                "-",
                "--check",
                "RMP-IMG-001",
                "--fail-on",
                "medium",
            ],
            PRIVILEGED,
            1,
        ),
        (
            &[
                "audit",
                "-",
                "--skip",
                "rmp-pod-001",
                "--fail-on",
                "critical",
            ],
            PRIVILEGED,
            0,
        ),
        (&["audit"], "", 2),
        (&["audit", "missing.yaml"], "", 2),
        (&["audit", "-", "--config", "missing.yaml"], HARMLESS, 2),
        (&["audit", "-", "--check", "RMP-XXX-001"], HARMLESS, 2),
        (&["audit", "-", "--fail-on", "awful"], HARMLESS, 2),
        (
            &["audit", "-", "--baseline", "workshop/01-namespace.yaml"],
            HARMLESS,
            2,
        ),
        (&["audit", "-"], "a: [\n", 3),
        (
            &["audit", "-"],
            "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: t}\n",
            3,
        ),
        (&["audit", "--list-checks"], "", 0),
        (&["explain", "RMP-POD-001"], "", 0),
        (&["explain", "RMP-POD-999"], "", 2),
    ] {
        assert_eq!(status(arguments, input), expected, "{arguments:?} {input}");
    }
}

#[test]
fn what_cannot_be_read_does_not_stop_the_rest() {
    let input = format!("a: [\n---\n{PRIVILEGED}");
    let document = json(
        &["audit", "-", "-o", "json", "--check", "RMP-POD-001"],
        &input,
    );
    assert_eq!(document["findings"].as_array().map(Vec::len), Some(1));
    assert_eq!(document["problems"][0]["kind"], "unparsableDocument");
}

#[test]
fn a_baseline_makes_findings_known() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("known.json");
    let first = rampart(&["audit", "-", "-o", "json"], PRIVILEGED);
    assert_eq!(first.status.code(), Some(1));
    std::fs::write(&path, &first.stdout).expect("written");
    let path = path.display().to_string();
    let arguments = ["audit", "-", "-o", "json", "--baseline", &path];
    assert_eq!(status(&arguments, PRIVILEGED), 0);
    let document = json(&arguments, PRIVILEGED);
    assert_eq!(document["findings"].as_array().map(Vec::len), Some(0));
    assert!(document["known"].as_array().is_some_and(|k| !k.is_empty()));
    let more = PRIVILEGED.replace("spec:\n", "spec:\n  hostPID: true\n");
    assert_eq!(status(&arguments, &more), 1);
}

#[test]
fn sarif_is_as_its_schema_says() {
    let sarif = json(&["audit", "workshop", "-o", "sarif"], "");
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let results = run["results"].as_array().expect("results");
    assert!(!results.is_empty());
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("an index");
        let rule = &rules[usize::try_from(index).expect("small")];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().expect("a level")));
        assert!(result["message"]["text"].is_string());
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().expect("a URI");
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(uri);
        let source = std::fs::read_to_string(file).expect("the file");
        let region = &place["region"];
        let number = |key: &str| region[key].as_u64().and_then(|n| usize::try_from(n).ok());
        let line = number("startLine").expect("a line");
        let line = source.lines().nth(line - 1).expect("the line is there");
        let start = number("startColumn").expect("a column");
        assert!(start >= 1 && start <= line.chars().count(), "{result}");
        if let Some(end) = number("endColumn") {
            assert!(end > start && end <= line.chars().count() + 1, "{result}");
        }
    }
    let image = results
        .iter()
        .find(|r| r["ruleId"] == "RMP-IMG-002")
        .expect("an image");
    let region = &image["locations"][0]["physicalLocation"]["region"];
    let expected = serde_json::json!({"startLine": 44, "startColumn": 5, "endColumn": 46});
    assert_eq!(*region, expected);
}

/// What SARIF 2.1.0 says of the objects that are written here: the members that each may have, with
/// what they hold, and `!` where one must be there.
const SARIF: &[(&str, &[&str])] = &[
    ("log", &["$schema uri", "version! 2.1.0", "runs! [run]"]),
    (
        "run",
        &[
            "tool! tool",
            "columnKind unicodeCodePoints",
            "invocations [invocation]",
            "results [result]",
        ],
    ),
    ("tool", &["driver! driver"]),
    (
        "driver",
        &[
            "name! text",
            "version text",
            "semanticVersion text",
            "rules [rule]",
        ],
    ),
    (
        "rule",
        &[
            "id! text",
            "name text",
            "shortDescription strings",
            "fullDescription strings",
            "help strings",
            "defaultConfiguration configuration",
            "properties bag",
        ],
    ),
    ("strings", &["text! text", "markdown text"]),
    ("configuration", &["level level"]),
    (
        "invocation",
        &[
            "executionSuccessful! bool",
            "toolExecutionNotifications [notification]",
        ],
    ),
    (
        "notification",
        &["message! message", "level level", "locations [location]"],
    ),
    ("message", &["text! text"]),
    (
        "result",
        &[
            "ruleId text",
            "ruleIndex index",
            "level level",
            "message! message",
            "locations [location]",
            "partialFingerprints texts",
            "properties bag",
            "suppressions [suppression]",
            "baselineState state",
        ],
    ),
    (
        "location",
        &["physicalLocation place", "logicalLocations [logical]"],
    ),
    (
        "logical",
        &["name text", "fullyQualifiedName text", "kind text"],
    ),
    ("place", &["artifactLocation! file", "region region"]),
    ("file", &["uri uri", "uriBaseId text"]),
    (
        "region",
        &["startLine number", "startColumn number", "endColumn number"],
    ),
    ("suppression", &["kind! kind", "justification text"]),
];

/// What does not keep to [`SARIF`], with its place.
fn sarif_errors(kind: &str, value: &Value, path: &str, errors: &mut Vec<String>) {
    if let Some(kind) = kind.strip_prefix('[').and_then(|k| k.strip_suffix(']')) {
        match value.as_array() {
            Some(items) => items.iter().enumerate().for_each(|(index, item)| {
                sarif_errors(kind, item, &format!("{path}[{index}]"), errors);
            }),
            None => errors.push(format!("{path}: no list")),
        }
        return;
    }
    let one_of = |names: &[&str]| value.as_str().is_some_and(|text| names.contains(&text));
    let is_text = value.as_str().is_some_and(|text| !text.is_empty());
    let is_good = match kind {
        "text" => is_text,
        "bool" => value.is_boolean(),
        "number" => value.as_u64() > Some(0),
        "index" => value.is_u64(),
        "bag" => value.is_object(),
        "texts" => value
            .as_object()
            .is_some_and(|o| o.values().all(Value::is_string)),
        "level" => one_of(&["none", "note", "warning", "error"]),
        "state" => one_of(&["new", "unchanged", "updated", "absent"]),
        "kind" => one_of(&["inSource", "external"]),
        "uri" => value.as_str().is_some_and(|text| {
            text.bytes()
                .all(|b| b.is_ascii_graphic() && !b"<>\\^`{|}\"".contains(&b))
        }),
        _ => match SARIF.iter().find(|(name, _)| *name == kind) {
            None => value == kind,
            Some((_, members)) => {
                let Some(object) = value.as_object() else {
                    errors.push(format!("{path}: no {kind}"));
                    return;
                };
                let mut known = Vec::new();
                for member in *members {
                    let (name, kind) = member.split_once(' ').expect("a name and a kind");
                    let plain = name.trim_end_matches('!');
                    known.push(plain);
                    match object.get(plain) {
                        Some(value) => {
                            sarif_errors(kind, value, &format!("{path}.{plain}"), errors)
                        }
                        None if plain != name => errors.push(format!("{path}.{plain}: missing")),
                        None => {}
                    }
                }
                let foreign = object.keys().filter(|key| !known.contains(&key.as_str()));
                errors.extend(foreign.map(|key| format!("{path}.{key}: no member of {kind}")));
                return;
            }
        },
    };
    if !is_good {
        errors.push(format!("{path}: no {kind}: {value}"));
    }
}

#[test]
fn sarif_has_what_its_standard_allows_and_no_more() {
    let directory = tempfile::tempdir().expect("a directory");
    let odd = directory.path().join("a b\u{e9}%[1]#?.yaml");
    std::fs::write(&odd, PRIVILEGED.replace("name: p", "name: odd")).expect("written");
    let baseline = directory.path().join("known.json");
    let known = rampart(&["audit", "workshop", "-o", "json"], "");
    std::fs::write(&baseline, known.stdout).expect("written");
    let (odd, baseline) = (odd.display().to_string(), baseline.display().to_string());
    let excused = PRIVILEGED.replace(
        "{name: p}",
        "{name: p, annotations: {rampart.dev/ignore-RMP-POD-001: 'a CNI plugin'}}",
    );
    let broken = format!("{excused}---\na: [\n");
    let arguments = [
        "audit",
        "workshop",
        &odd,
        "-",
        "--baseline",
        &baseline,
        "-o",
        "sarif",
    ];
    let mut sarif = json(&arguments, &broken);
    let mut errors = Vec::new();
    sarif_errors("log", &sarif, "", &mut errors);
    assert!(errors.is_empty(), "{}", errors.join("\n"));

    let results = sarif["runs"][0]["results"]
        .as_array()
        .expect("results")
        .clone();
    let has = |member: &str| results.iter().any(|result| result.get(member).is_some());
    assert!(has("suppressions") && has("baselineState"));
    let files: BTreeSet<String> = results
        .iter()
        .map(|result| {
            let file = &result["locations"][0]["physicalLocation"]["artifactLocation"];
            let uri = file["uri"].as_str().expect("a URI").to_owned();
            let is_relative = file["uriBaseId"] == "%SRCROOT%";
            assert_eq!(is_relative, !uri.starts_with("file:///"), "{file}");
            uri
        })
        .collect();
    assert!(
        files
            .iter()
            .any(|uri| uri.ends_with("/a%20b%C3%A9%25%5B1%5D%23%3F.yaml")),
        "{files:?}"
    );
    assert!(files.contains("workshop/05-rolebinding.yaml"), "{files:?}");
    // A whole path below the directory is told from there.
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workshop");
    let of_whole = json(&["audit", &whole.display().to_string(), "-o", "sarif"], "");
    let uri = "/runs/0/results/0/locations/0/physicalLocation/artifactLocation/uri";
    let uri = of_whole
        .pointer(uri)
        .and_then(Value::as_str)
        .expect("a URI");
    assert!(uri.starts_with("workshop/"), "{uri}");

    // The test can fail.
    sarif["runs"][0]["results"][0]["lines"] = 5.into();
    sarif["runs"][0]["results"][1]["message"] = Value::Null;
    sarif_errors("log", &sarif, "", &mut errors);
    assert_eq!(errors.len(), 2, "{errors:?}");
}

#[test]
fn what_is_excused_is_marked() {
    let excused = PRIVILEGED.replace(
        "{name: p}",
        "{name: p, annotations: {rampart.dev/ignore-RMP-POD-001: 'a CNI plugin'}}",
    );
    let sarif = json(
        &["audit", "-", "-o", "sarif", "--check", "RMP-POD-001"],
        &excused,
    );
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["suppressions"][0]["justification"], "a CNI plugin");
    let junit = text(&rampart(
        &["audit", "-", "-o", "junit", "--check", "RMP-POD-001"],
        &excused,
    ));
    assert!(
        junit.contains("<skipped message=\"a CNI plugin\"/>"),
        "{junit}"
    );
}

#[test]
fn build_servers_and_pull_requests_are_served() {
    let junit = text(&rampart(&["audit", "workshop", "-o", "junit"], ""));
    let failures = junit.matches("<failure ").count();
    assert!(
        junit.contains(&format!("failures=\"{failures}\"")),
        "{junit}"
    );
    assert_eq!(failures, 1);
    let tests = junit.matches("<testcase ").count();
    assert!(junit.contains(&format!("tests=\"{tests}\"")), "{junit}");
    let markdown = text(&rampart(&["audit", "workshop", "-o", "markdown"], ""));
    assert!(markdown.contains("| high | 1 |"), "{markdown}");
    let yaml = text(&rampart(&["audit", "workshop", "-o", "yaml"], ""));
    assert!(yaml.contains("schemaVersion: rampart.audit/v1"), "{yaml}");
}

#[test]
fn secrets_are_not_shown() {
    let secret = PRIVILEGED.replace(
        "image: a",
        "image: a\n    env: [{name: PASSWORD, value: hunter2}]",
    );
    for form in ["human", "json", "yaml", "sarif", "junit", "markdown"] {
        let output = rampart(&["audit", "-", "-o", form, "--all"], &secret);
        let shown = text(&output);
        assert!(shown.contains("RMP-SEC-002"), "{form}: {shown}");
        assert!(!shown.contains("hunter2"), "{form}: {shown}");
    }
}
