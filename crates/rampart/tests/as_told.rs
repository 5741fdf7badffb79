//! What the analyst says of pods is what the cluster does with them: many pods, varied from a fixed
//! seed, are sent to a running cluster, and each outcome is held against the analyst's answer about
//! the manifests and about a snapshot of the cluster.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

#[path = "as_told/dice.rs"]
mod dice;
#[path = "as_told/pods.rs"]
mod pods;
#[path = "as_told/scheduled.rs"]
mod scheduled;

use dice::Dice;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use support::Cluster;
use support::analyst::rampart;
use support::wire::{Answer, Wire};

/// How many pods each question is asked about.
const MANY: usize = 40;

/// Sends an object to a collection.
fn post(wire: &Wire, target: &str, object: &Value, headers: &[(&str, &str)]) -> Answer {
    let json = [("content-type", "application/json")];
    wire.send(
        "POST",
        target,
        &[&json[..], headers].concat(),
        object.to_string().as_bytes(),
    )
}

/// Creates an object, which must succeed; what was stored.
#[track_caller]
fn create(wire: &Wire, target: &str, object: &Value) -> Value {
    let answer = post(wire, target, object, &[]);
    assert_eq!(answer.code, 201, "{object}: {}", answer.summary());
    answer.json()
}

fn get(wire: &Wire, target: &str) -> Answer {
    wire.send("GET", target, &[], b"")
}

fn write_list(file: &Path, items: &[Value]) -> String {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    std::fs::write(file, list.to_string()).expect("written");
    file.to_string_lossy().into_owned()
}

/// The document of an answer that could be given.
#[track_caller]
fn ask(arguments: &[&str]) -> Value {
    let output = rampart(&[arguments, &["-o", "json"]].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{arguments:?}: {error}"
    );
    serde_json::from_slice(&output.stdout).expect("a document")
}

/// The entries of an answer by the names of pods.
fn by_name(document: &Value) -> BTreeMap<String, Value> {
    let entries = document["pods"].as_array().expect("pods").iter();
    entries
        .map(|entry| {
            (
                entry["name"].as_str().expect("a name").to_owned(),
                entry.clone(),
            )
        })
        .collect()
}

/// Why a pod was refused, without what all refusals begin with; nothing if it was let in.
#[track_caller]
fn refusal(answer: &Answer, pod: &Value) -> Option<String> {
    if answer.code == 201 {
        return None;
    }
    let message = answer.json()["message"]
        .as_str()
        .expect("a message")
        .to_owned();
    let name = &pod["metadata"]["name"];
    let begin = format!("pods {name} is forbidden: ");
    let why = message.strip_prefix(&begin);
    Some(why.unwrap_or_else(|| panic!("{pod}: {message}")).to_owned())
}

/// What the user was warned of about pod security.
fn warned(answer: &Answer) -> Option<String> {
    let mut texts = answer.warnings().into_iter().filter_map(|header| {
        let quoted = header.strip_prefix("299 - \"")?.strip_suffix('"')?;
        let text = quoted.replace("\\\"", "\"");
        text.starts_with("would violate PodSecurity")
            .then_some(text)
    });
    let text = texts.next();
    assert_eq!(texts.next(), None);
    text
}

fn snapshot(cluster: &Cluster) -> String {
    let file = cluster.scratch().join("cluster.json");
    let file = file.to_string_lossy().into_owned();
    let kubeconfig = cluster.kubeconfig();
    let kubeconfig = kubeconfig.to_string_lossy();
    let output = rampart(&["snapshot", "--kubeconfig", &kubeconfig, "-o", &file]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    file
}

#[test]
fn pod_security_admits_what_pss_admits() {
    let cluster = Cluster::start();
    let wire = Wire::admin(&cluster);
    let mut dice = Dice::new(1);
    let pods: Vec<Value> = (0..MANY)
        .map(|number| pods::secured(&mut dice, &format!("p{number}")))
        .collect();
    let file = write_list(&cluster.scratch().join("pods.json"), &pods);
    let mut counts = [0, 0];
    for (level, version) in [
        ("restricted", "latest"),
        ("restricted", "v1.0"),
        ("restricted", "v1.19"),
        ("restricted", "v1.25"),
        ("baseline", "latest"),
        ("baseline", "v1.8"),
        ("baseline", "v1.26"),
        ("privileged", "latest"),
    ] {
        let namespace = format!("{level}-{}", version.replace('.', "-"));
        let prefix = "pod-security.kubernetes.io";
        let labels = json!({
            format!("{prefix}/enforce"): level, format!("{prefix}/enforce-version"): version,
            format!("{prefix}/warn"): "restricted", format!("{prefix}/warn-version"): version,
        });
        let object = json!({"metadata": {"name": namespace, "labels": labels}});
        create(&wire, "/api/v1/namespaces", &object);
        let of = |level| {
            by_name(&ask(&[
                "pss",
                "--level",
                level,
                "--version",
                version,
                &file,
            ]))
        };
        let (enforced, strict) = (of(level), of("restricted"));
        let target = format!("/api/v1/namespaces/{namespace}/pods?dryRun=All");
        for pod in &pods {
            let name = pod["metadata"]["name"].as_str().expect("a name");
            let answer = post(&wire, &target, pod, &[]);
            let told = |entry: &Value| {
                let is_allowed = entry["allowed"] == true;
                (!is_allowed).then(|| entry["reason"].as_str().expect("a reason").to_owned())
            };
            let refused = refusal(&answer, pod);
            assert_eq!(refused, told(&enforced[name]), "{level} {version}: {pod}");
            counts[usize::from(refused.is_some())] += 1;
            // Whoever is refused is not warned.
            let warning = told(&strict[name])
                .map(|why| why.replacen("violates", "would violate", 1))
                .filter(|_| refused.is_none());
            assert_eq!(warned(&answer), warning, "{level} {version}: {pod}");
        }
    }
    assert!(counts.iter().all(|count| *count > MANY), "{counts:?}");
    // Of pods that are there the answer is the same.
    for pod in &pods {
        create(&wire, "/api/v1/namespaces/privileged-latest/pods", pod);
    }
    let file_of_cluster = snapshot(&cluster);
    for arguments in [
        &["pss", "--level", "restricted"][..],
        &["pss", "--level", "baseline"],
    ] {
        let of_files = by_name(&ask(&[arguments, &[&file]].concat()));
        let of_cluster = [arguments, &["-n", "privileged-latest", "--snapshot"]].concat();
        let of_cluster = by_name(&ask(&[&of_cluster[..], &[&file_of_cluster]].concat()));
        for (name, told) in of_files {
            let other = &of_cluster[&name];
            for field in ["level", "allowed", "reason"] {
                assert_eq!(told[field], other[field], "{name}: {field}");
            }
        }
    }
}

const POLICIES: &str = include_str!("as_told/policies.yaml");

/// The namespaces of `policies.yaml`, and how many policies their pods may use.
const NAMESPACES: [(&str, usize); 4] = [("none", 0), ("strict", 1), ("several", 3), ("all", 4)];

/// The value of a field as the analyst names it, such as `spec.containers[0].image`.
fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    let mut value = value;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let (index, after) = after.split_once(']').expect("an index");
            value = match index.parse::<usize>() {
                Ok(index) => &value[index],
                Err(_) => &value[index.trim_matches('"')],
            };
            rest = after;
        } else {
            let rest_of = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest_of.find(['.', '[']).unwrap_or(rest_of.len());
            value = &value[&rest_of[..end]];
            rest = &rest_of[end..];
        }
    }
    value
}

#[test]
fn policies_admit_what_psp_admits() {
    let cluster = Cluster::start_with(&[
        "--enable-admission-plugins=PodSecurityPolicy",
        "--pod-security-default=privileged",
    ]);
    let kubectl = support::kubectls().into_iter().next().expect("a kubectl");
    cluster.kubectl(&kubectl).apply(POLICIES);
    let policies = cluster.scratch().join("policies.yaml");
    std::fs::write(&policies, POLICIES).expect("written");
    let policies = policies.to_string_lossy();
    let wire = Wire::admin(&cluster);
    let as_ann = [("impersonate-user", "ann")];
    let mut dice = Dice::new(2);
    let mut chosen: BTreeMap<String, usize> = BTreeMap::new();
    let mut filled = 0;
    let mut stored = Vec::new();
    for (namespace, usable) in NAMESPACES {
        let pods: Vec<Value> = (0..MANY)
            .map(|number| {
                let mut pod = pods::secured(&mut dice, &format!("p{number}"));
                pod["metadata"]["namespace"] = namespace.into();
                pod
            })
            .collect();
        let file = write_list(&cluster.scratch().join("pods.json"), &pods);
        let question = ["psp", "--as", "ann", "-n", namespace, &policies, &file];
        let told = by_name(&ask(&question));
        let target = format!("/api/v1/namespaces/{namespace}/pods");
        for pod in &pods {
            let name = pod["metadata"]["name"].as_str().expect("a name");
            let entry = &told[name];
            let answer = post(&wire, &target, pod, &as_ann);
            let refused = refusal(&answer, pod);
            let count = entry["policies"].as_array().expect("policies").iter();
            assert_eq!(
                count.filter(|policy| policy["usable"] == true).count(),
                usable
            );
            if entry["allowed"] == true {
                assert_eq!(refused, None, "{pod}");
                let made = answer.json();
                let policy = entry["policy"].as_str().expect("a policy").to_owned();
                assert_eq!(
                    made["metadata"]["annotations"]["kubernetes.io/psp"], *policy,
                    "{pod}"
                );
                *chosen.entry(policy).or_default() += 1;
                for change in entry["changes"].as_array().expect("changes") {
                    let field = change["field"].as_str().expect("a field");
                    assert_eq!(at(&made, field), &change["value"], "{field} of {made}");
                    filled += 1;
                }
                stored.push((namespace, name.to_owned()));
            } else {
                assert_eq!(refused.as_deref(), entry["reason"].as_str(), "{pod}");
            }
        }
    }
    assert_eq!(chosen.len(), 4, "{chosen:?}");
    assert!(filled > MANY, "{filled}");
    // As they are stored, with what policies have filled in, they would be admitted again.
    let file = snapshot(&cluster);
    let document = ask(&["psp", "--as", "ann", "--snapshot", &file]);
    for (namespace, name) in stored {
        let entries = document["pods"].as_array().expect("pods").iter();
        let mut own = entries.filter(|pod| pod["name"] == *name && pod["namespace"] == namespace);
        let own = own.next().expect("the pod");
        assert_eq!(own["allowed"], true, "{own}");
    }
}

#[test]
fn classes_are_as_qos_says() {
    let cluster = Cluster::start_with(&["--pod-security-default=privileged"]);
    let wire = Wire::admin(&cluster);
    let range = json!({"apiVersion": "v1", "kind": "LimitRange",
    "metadata": {"name": "l", "namespace": "limited"}, "spec": {"limits": [{
        "type": "Container", "default": {"cpu": "200m"},
        "defaultRequest": {"memory": "32Mi"}, "max": {"memory": "1Gi"},
    }]}});
    let mut dice = Dice::new(3);
    let mut everything = vec![range.clone()];
    let mut made: BTreeMap<(String, String), Answer> = BTreeMap::new();
    for namespace in ["plain", "limited"] {
        let object = json!({"metadata": {"name": namespace}});
        create(&wire, "/api/v1/namespaces", &object);
        if namespace == "limited" {
            create(&wire, "/api/v1/namespaces/limited/limitranges", &range);
        }
        for number in 0..MANY {
            let name = format!("p{number}");
            let mut pod = pods::resourced(&mut dice, &name);
            pod["metadata"]["namespace"] = namespace.into();
            let target = format!("/api/v1/namespaces/{namespace}/pods");
            let answer = post(&wire, &target, &pod, &[]);
            made.insert((namespace.to_owned(), name), answer);
            everything.push(pod);
        }
    }
    let of_files = write_list(&cluster.scratch().join("pods.json"), &everything);
    let of_cluster = snapshot(&cluster);
    let mut classes: BTreeMap<String, usize> = BTreeMap::new();
    let mut refused = 0;
    for source in [&[&*of_files][..], &["--snapshot", &of_cluster]] {
        let document = ask(&[&["qos"], source].concat());
        for entry in document["pods"].as_array().expect("pods") {
            let text = |field: &str| entry[field].as_str().expect("a text").to_owned();
            let answer = &made[&(text("namespace"), text("name"))];
            if answer.code == 201 {
                assert_eq!(entry["refusal"], Value::Null, "{entry}");
                assert_eq!(
                    answer.json()["status"]["qosClass"],
                    entry["class"],
                    "{entry}"
                );
                *classes.entry(text("class")).or_default() += 1;
            } else {
                assert_eq!(answer.json()["message"], entry["refusal"], "{entry}");
                refused += 1;
            }
        }
    }
    assert_eq!(classes.len(), 3, "{classes:?}");
    let all: usize = classes.values().sum();
    // Those that were refused are not in the cluster.
    assert_eq!(all + 2 * refused, 2 * made.len(), "{refused} {classes:?}");
    assert!(refused > 0);
}
