//! `rampart score` of the workshop, as kubesec would give it and by its own rules.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

fn score(arguments: &[&str]) -> Output {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    Command::new(env!("CARGO_BIN_EXE_rampart"))
        .arg("score")
        .args(arguments)
        .current_dir(directory)
        .stdin(std::process::Stdio::null())
        .output()
        .expect("rampart runs")
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn the_workshop_as_kubesec_scores_it() {
    let output = score(&["--profile", "kubesec", "-o", "json", "workshop"]);
    let golden = include_str!("golden/score-kubesec.json");
    assert_eq!(String::from_utf8_lossy(&output.stdout), golden);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_workshop_by_the_points() {
    let output = score(&["--profile", "kubesec", "-o", "json", "workshop"]);
    let reports = document(&output);
    let of = |object: &str| {
        let mut found = reports.as_array().expect("an array").iter();
        let report = found.find(|r| r["object"] == object).expect("a report");
        (report["score"].clone(), report["fileName"].clone())
    };
    assert_eq!(
        of("Pod/qos-demo.qos-example"),
        (json!(4), json!("workshop/11-qos.yaml"))
    );
    assert_eq!(of("Pod/qos-demo-2.qos-example").0, json!(2));
    assert_eq!(of("Pod/qos-demo-3.qos-example").0, json!(0));
    assert_eq!(of("Pod/secret-env-pod.default").0, json!(-5));
}

#[test]
fn statuses() {
    let qos = "workshop/11-qos.yaml";
    let status = |arguments: &[&str]| score(arguments).status.code();
    assert_eq!(status(&["--profile", "kubesec", qos]), Some(1));
    let lenient = ["--profile", "kubesec", "--fail-below", "0", qos];
    assert_eq!(status(&lenient), Some(0));
    assert_eq!(status(&["--fail-on", "critical", qos]), Some(0));
    assert_eq!(
        status(&["--fail-on", "critical", "--fail-below", "99", qos]),
        Some(1)
    );
    assert_eq!(
        status(&["--profile", "kubesec", "--fail-on", "low", qos]),
        Some(2)
    );
    assert_eq!(status(&["--profile", "kubesec", "nowhere"]), Some(2));
}

#[test]
fn the_workshop_by_its_findings() {
    let output = score(&["-o", "json", "workshop"]);
    let document = document(&output);
    assert_eq!(document["schemaVersion"], "rampart.score/v1");
    let scores = document["scores"].as_array().expect("scores");
    let pods = scores.iter().filter(|s| s["hasPods"] == true).count();
    assert!(pods >= 5, "{pods}");
    let numbers: Vec<u64> = scores
        .iter()
        .map(|s| s["score"].as_u64().expect("a number"))
        .collect();
    assert_eq!(document["overall"].as_u64(), numbers.iter().copied().min());
    for entry in scores {
        if entry["worst"] == "critical" {
            assert!(entry["score"].as_u64() <= Some(10), "{entry}");
        }
        let taken: u64 = entry["deductions"]
            .as_array()
            .expect("deductions")
            .iter()
            .map(|d| {
                assert!(!d["findings"].as_array().expect("findings").is_empty());
                assert!(d["findings"][0]["location"]["line"].as_u64() > Some(0));
                d["points"].as_u64().expect("points")
            })
            .sum();
        let expected = 100_u64
            .saturating_sub(taken)
            .min(entry["atMost"].as_u64().unwrap_or(100));
        assert_eq!(entry["score"].as_u64(), Some(expected), "{entry}");
    }
}
