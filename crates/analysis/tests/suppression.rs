//! What is excused, and what is known.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use analysis::audit::{Baseline, Config, Date, Options, Settings};
use support::{audit, snapshot};

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  labels: {LABELS}\n  \
                   annotations: {ANNOTATIONS}\nspec:\n  hostPID: true\n  containers:\n  - name: c\n    \
                   image: a\n    securityContext: {privileged: true}\n  - name: d\n    image: a\n    \
                   securityContext: {privileged: true}\n";

fn pod(labels: &str, annotations: &str) -> String {
    POD.replace("{LABELS}", &format!("{{{labels}}}"))
        .replace("{ANNOTATIONS}", &format!("{{{annotations}}}"))
}

/// The containers of RMP-POD-001 that are found, those that are excused with why, and notices.
fn outcome(text: &str, config: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
    let snapshot = snapshot(text);
    let report = audit(&snapshot, &format!("only: [RMP-POD-001]\n{config}"));
    let found = report.findings.iter().filter_map(|f| f.container);
    let excused = report.suppressed.iter().map(|s| {
        let container = s.finding.container.unwrap_or_default();
        format!("{container}: {}", s.reason)
    });
    (
        found.map(str::to_owned).collect(),
        excused.collect(),
        report.notices,
    )
}

#[test]
fn the_configuration_excuses_with_a_reason() {
    let suppression =
        |rest: &str| format!("suppressions: [{{check: RMP-POD-001, reason: why, {rest}}}]");
    let text = pod("", "");
    let (found, excused, notices) = outcome(&text, &suppression("container: c, name: 'p*'"));
    assert_eq!(
        (found, excused),
        (vec!["d".to_owned()], vec!["c: why".to_owned()])
    );
    assert!(notices.is_empty());
    let (found, _, notices) = outcome(&text, &suppression("expires: '2026-12-31'"));
    assert_eq!(found, ["c", "d"]);
    assert_eq!(
        notices,
        ["suppression 0 of RMP-POD-001 expired on 2026-12-31"]
    );
    let (found, _, _) = outcome(&text, &suppression("expires: '2027-01-01'"));
    assert!(found.is_empty());
    let (found, _, notices) = outcome(&text, &suppression("namespace: elsewhere"));
    assert_eq!(found, ["c", "d"]);
    assert_eq!(
        notices,
        ["suppression 0 of RMP-POD-001 excuses nothing: remove it"]
    );
}

#[test]
fn configurations_that_make_no_sense_are_refused() {
    for (config, message) in [
        (
            "suppressions: [{check: RMP-POD-001, reason: ' '}]",
            "gives no reason",
        ),
        (
            "suppressions: [{check: RMP-POD-001}]",
            "missing field `reason`",
        ),
        ("suppressions: [{check: X, reason: a}]", "no check \"X\""),
        (
            "suppressions: [{check: RMP-POD-001, reason: a, expires: soon}]",
            "is no day",
        ),
        (
            "checks: {RMP-POD-999: {enabled: false}}",
            "no check \"RMP-POD-999\"",
        ),
        (
            "checks: {RMP-POD-001: {parameters: {x: []}}}",
            "it has none",
        ),
        (
            "checks: {RMP-POD-006: {parameters: {x: []}}}",
            "it has allowed",
        ),
        (
            "checks: {RMP-POD-001: {severity: awful}}",
            "unknown variant `awful`",
        ),
        ("chekcs: {}", "unknown field `chekcs`"),
        ("a: [", "it is no YAML"),
    ] {
        let error = Config::parse(config.as_bytes())
            .and_then(Config::settings)
            .err()
            .unwrap_or_else(|| panic!("{config} is taken"));
        assert!(error.to_string().contains(message), "{config}: {error}");
    }
    assert!(Config::parse(b"").is_ok());
}

#[test]
fn checks_can_be_disabled_and_weighed() {
    let text = pod("", "");
    let snapshot = snapshot(&text);
    let report = audit(
        &snapshot,
        "checks: {rmp-pod-001: {severity: low}, RMP-HOST-001: {enabled: false}}",
    );
    let of = |id: &str| report.findings.iter().find(|f| f.check.id == id);
    assert_eq!(of("RMP-POD-001").expect("found").severity.as_str(), "low");
    assert!(of("RMP-HOST-001").is_none());
}

#[test]
fn annotations_excuse_with_a_reason() {
    let whole = pod("", "rampart.dev/ignore-RMP-POD-001: 'it is a CNI plugin'");
    let (found, excused, _) = outcome(&whole, "");
    assert!(found.is_empty());
    assert_eq!(excused, ["c: it is a CNI plugin", "d: it is a CNI plugin"]);
    let one = pod(
        "",
        "container.rampart.dev/c.ignore-RMP-POD-001: 'why (until 2027-01-01)'",
    );
    let (found, excused, _) = outcome(&one, "");
    assert_eq!(
        (found, excused),
        (vec!["d".to_owned()], vec!["c: why".to_owned()])
    );
    for (annotation, notice) in [
        ("''", "gives no reason"),
        ("'(until 2028-01-01)'", "gives no reason"),
        ("'why (until 2026-12-31)'", "expired on 2026-12-31"),
        ("'why (until soon)'", "is no day"),
    ] {
        let void = pod("", &format!("rampart.dev/ignore-RMP-POD-001: {annotation}"));
        let (found, _, notices) = outcome(&void, "");
        assert_eq!(found, ["c", "d"], "{annotation}");
        assert_eq!(notices.len(), 1, "{annotation}");
        assert!(notices[0].contains(notice), "{annotation}: {notices:?}");
    }
}

#[test]
fn labels_of_kubeaudit_excuse() {
    for prefix in [
        "container.audit.kubernetes.io/c.",
        "container.kubeaudit.io/c.",
    ] {
        let (found, excused, _) =
            outcome(&pod(&format!("{prefix}allow-privileged: because"), ""), "");
        assert_eq!(found, ["d"]);
        assert_eq!(
            excused,
            [format!("c: because (label {prefix}allow-privileged)")]
        );
    }
    for prefix in ["audit.kubernetes.io/pod.", "kubeaudit.io/"] {
        let (found, _, _) = outcome(&pod(&format!("{prefix}allow-privileged: ''"), ""), "");
        assert!(found.is_empty(), "{prefix}");
    }
    let (found, _, _) = outcome(
        &pod("audit.kubernetes.io/pod.allow-run-as-root: ''", ""),
        "",
    );
    assert_eq!(found, ["c", "d"]);
}

#[test]
fn labels_of_kubeaudit_name_what_they_excuse() {
    for (labels, check, text) in [
        (
            "audit.kubernetes.io/pod.allow-capability-net-admin: ''",
            "RMP-POD-006",
            "containers: [{name: c, image: a, securityContext: {capabilities: {add: [NET_ADMIN, SYS_TIME]}}}]",
        ),
        (
            "audit.kubernetes.io/pod.allow-host-path-mount-etc: ''",
            "RMP-HOST-005",
            "containers: [{name: c, image: a}]\n  volumes: [{name: etc, hostPath: {path: /etc}}, \
             {name: root, hostPath: {path: /root}}]",
        ),
    ] {
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, labels: {{{labels}}}}}\nspec:\n  {text}\n"
        );
        let snapshot = snapshot(&text);
        let report = audit(&snapshot, &format!("only: [{check}]"));
        assert_eq!(
            (report.findings.len(), report.suppressed.len()),
            (1, 1),
            "{check}"
        );
    }
}

#[test]
fn a_baseline_leaves_what_is_new() {
    let settings = Settings::default();
    let run = |text: &str, baseline: Option<&Baseline>| {
        let snapshot = snapshot(text);
        let report = analysis::audit::run(
            &snapshot,
            Options {
                settings: &settings,
                baseline,
                today: Date::of_epoch_seconds(0),
                workers: 1,
            },
        );
        let document = serde_json::json!({"findings": report.findings, "known": report.known});
        let found: Vec<String> = report
            .findings
            .iter()
            .map(|f| format!("{} {}", f.check.id, f.container.unwrap_or_default()))
            .collect();
        (document.to_string(), found)
    };
    let before = pod("", "");
    let (json, _) = run(&before, None);
    let baseline = Baseline::parse(json.as_bytes()).expect("a baseline");
    let (again, found) = run(&before, Some(&baseline));
    assert_eq!(found, Vec::<String>::new());
    // A baseline of a run with a baseline holds as much.
    assert!(Baseline::parse(again.as_bytes()).is_ok());
    // Lines and containers before it do not make a finding new; a further one does.
    let after = format!("# a comment\n{before}").replace(
        "  - name: c\n",
        "  - name: new\n    image: a@sha256:ab\n  - name: c\n",
    );
    let (_, found) = run(&after, Some(&baseline));
    assert!(!found.is_empty());
    assert!(found.iter().all(|f| f.ends_with(" new")), "{found:?}");
    assert!(Baseline::parse(b"[]").is_err());
}

#[test]
fn however_many_threads_the_answer_is_one() {
    let text: String = (0..300)
        .map(|i| pod("", "").replace("name: p\n", &format!("name: p{i}\n")) + "---\n")
        .collect();
    let snapshot = snapshot(&text);
    let settings = Settings::default();
    let run = |workers| {
        let today = Date::of_epoch_seconds(0);
        let options = Options {
            settings: &settings,
            baseline: None,
            today,
            workers,
        };
        let report = analysis::audit::run(&snapshot, options);
        serde_json::to_string(&report.findings).expect("JSON")
    };
    assert_eq!(run(1), run(5));
}
