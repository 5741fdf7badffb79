//! Placements, preemptions and refusals of the scheduler, one pod at a time.

use crate::dice::Dice;
use crate::support::Cluster;
use crate::support::wire::Wire;
use crate::{ask, create, get};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const PODS: &str = "/api/v1/namespaces/default/pods";
const BUDGETS: &str = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
/// How many pods are sent.
const STEPS: usize = 56;
/// How many seeds may be tried where nodes are equally good.
const SEEDS: u64 = 64;

fn send(wire: &Wire, method: &str, target: &str, kind: &str, body: &Value) -> Value {
    let headers = [("content-type", kind)];
    let answer = wire.send(method, target, &headers, body.to_string().as_bytes());
    assert_eq!(answer.code, 200, "{method} {target}: {}", answer.summary());
    answer.json()
}

fn set_status(wire: &Wire, target: &str, status: &Value) {
    let target = format!("{target}/status");
    let body = json!({ "status": status });
    send(
        wire,
        "PATCH",
        &target,
        "application/merge-patch+json",
        &body,
    );
}

/// Asks again until there is an answer.
#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let found = (0..3000).find_map(|_| look());
    found.unwrap_or_else(|| panic!("never: {what}"))
}

fn node(name: &str, zone: &str, cpu: &str, memory: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {
        "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone,
    }}, "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": "8"}}})
}

fn set_up(wire: &Wire) {
    // What the tests make up has no kubelet; the cluster's own node is left out.
    let own = "/api/v1/nodes/simulated";
    until("the node", || (get(wire, own).code == 200).then_some(()));
    let cordon = json!({"spec": {"unschedulable": true}});
    send(wire, "PATCH", own, "application/merge-patch+json", &cordon);
    let mut nodes = vec![
        node("n1", "a", "2", "3Gi"),
        node("n2", "a", "3", "2500Mi"),
        node("n3", "b", "1900m", "4Gi"),
        node("n4", "b", "2500m", "2Gi"),
        node("n5", "c", "3100m", "3500Mi"),
    ];
    nodes[3]["spec"]["taints"] =
        json!([{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]);
    nodes[4]["spec"]["taints"] =
        json!([{"key": "slow", "value": "", "effect": "PreferNoSchedule"}]);
    for node in nodes {
        let made = create(wire, "/api/v1/nodes", &node);
        let target = format!(
            "/api/v1/nodes/{}",
            made["metadata"]["name"].as_str().expect("a name")
        );
        set_status(wire, &target, &node["status"]);
    }
    for (name, value, policy) in [
        ("low", -5, "PreemptLowerPriority"),
        ("middle", 100, "PreemptLowerPriority"),
        ("high", 1000, "PreemptLowerPriority"),
        ("patient", 1000, "Never"),
    ] {
        let class = json!({
            "metadata": {"name": name}, "value": value, "preemptionPolicy": policy,
        });
        create(wire, "/apis/scheduling.k8s.io/v1/priorityclasses", &class);
    }
    for (app, least) in [("web", 2), ("db", 1)] {
        let budget = json!({"metadata": {"name": app}, "spec": {
            "minAvailable": least, "selector": {"matchLabels": {"app": app}},
        }});
        create(wire, BUDGETS, &budget);
    }
}

/// A pod that asks for all kinds of things.
fn pod(dice: &mut Dice, name: &str) -> Value {
    let app = dice.of(&["web", "db", "job"]);
    let selector = json!({"matchLabels": {"app": app}});
    let term = |key: &str| json!({"topologyKey": key, "labelSelector": selector});
    let cpu = dice.of(&["150m", "300m", "700m", "1100m", "1900m"]);
    let memory = dice.of(&["100Mi", "350Mi", "900Mi"]);
    let mut spec = json!({"terminationGracePeriodSeconds": 30, "containers": [{
        "name": "c", "image": "i", "resources": {"requests": {"cpu": cpu, "memory": memory}},
    }]});
    if let Some(class) = dice.maybe(75, &["low", "middle", "middle", "high", "patient"]) {
        spec["priorityClassName"] = class.into();
    }
    if dice.percent(25) {
        spec["tolerations"] = json!([{"key": "dedicated", "operator": "Exists"}]);
    }
    if let Some(zone) = dice.maybe(20, &["a", "b", "z"]) {
        spec["nodeSelector"] = json!({"topology.kubernetes.io/zone": zone});
    }
    let zone = "topology.kubernetes.io/zone";
    match dice.below(8) {
        0 => {
            spec["affinity"]["podAntiAffinity"] = json!({
                "requiredDuringSchedulingIgnoredDuringExecution": [term("kubernetes.io/hostname")],
            });
        }
        1 => {
            spec["affinity"]["podAffinity"] = json!({
                "requiredDuringSchedulingIgnoredDuringExecution": [term(zone)],
            });
        }
        2 => {
            spec["affinity"]["podAffinity"] = json!({
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 40, "podAffinityTerm": term(zone)},
                ],
            });
        }
        3 | 4 => {
            let when = dice.of(&["DoNotSchedule", "ScheduleAnyway"]);
            spec["topologySpreadConstraints"] = json!([{
                "maxSkew": 1, "topologyKey": zone, "whenUnsatisfiable": when,
                "labelSelector": selector,
            }]);
        }
        5 => {
            let term = json!({"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["n1", "n3"]},
            ]});
            spec["affinity"]["nodeAffinity"] = json!({
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]},
            });
        }
        6 => spec["containers"][0]["ports"] = json!([{"containerPort": 80, "hostPort": 8080}]),
        _ => {}
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": name, "namespace": "default", "labels": {"app": app},
    }, "spec": spec})
}

/// What the scheduler made of a pod.
#[derive(Debug, PartialEq)]
enum Outcome {
    Placed(String),
    /// It waits for the node, whose victims are to go.
    Nominated(String, String),
    Refused(String),
}

fn outcome(wire: &Wire, name: &str) -> Outcome {
    let target = format!("{PODS}/{name}");
    until(&format!("a decision on {name}"), || {
        let pod = get(wire, &target).json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(node) = pod["spec"]["nodeName"].as_str() {
            return Some(Outcome::Placed(node.to_owned()));
        }
        let conditions = pod["status"]["conditions"].as_array()?;
        let condition = conditions.iter().find(|c| c["type"] == "PodScheduled")?;
        let message = text(&condition["message"]);
        Some(match pod["status"]["nominatedNodeName"].as_str() {
            Some(node) if !node.is_empty() => Outcome::Nominated(node.to_owned(), message),
            _ => Outcome::Refused(message),
        })
    })
}

fn list(wire: &Wire, target: &str) -> Vec<Value> {
    get(wire, target).json()["items"]
        .as_array()
        .expect("items")
        .clone()
}

/// Reports that the pod runs, since a time of its own, and waits until its budgets know.
fn run(wire: &Wire, name: &str, step: usize) {
    let minutes = format!("2026-01-01T{:02}:{:02}:00Z", step / 60, step % 60);
    let status = json!({"phase": "Running", "startTime": minutes, "conditions": [
        {"type": "PodScheduled", "status": "True"},
        {"type": "Ready", "status": "True", "lastTransitionTime": minutes},
    ]});
    set_status(wire, &format!("{PODS}/{name}"), &status);
    settle(wire);
}

/// Waits until the budgets know of every pod.
fn settle(wire: &Wire) {
    until("budgets", || {
        let pods = list(wire, PODS);
        let is_known = list(wire, BUDGETS).iter().all(|budget| {
            let app = &budget["spec"]["selector"]["matchLabels"]["app"];
            let own = || {
                pods.iter()
                    .filter(|pod| pod["metadata"]["labels"]["app"] == *app)
            };
            let healthy = own().filter(|pod| {
                let conditions = pod["status"]["conditions"].as_array();
                pod["metadata"]["deletionTimestamp"].is_null()
                    && conditions.is_some_and(|all| {
                        all.iter()
                            .any(|c| c["type"] == "Ready" && c["status"] == "True")
                    })
            });
            let status = &budget["status"];
            status["expectedPods"] == own().count() && status["currentHealthy"] == healthy.count()
        });
        is_known.then_some(())
    });
}

fn remove(wire: &Wire, name: &str) {
    let now = json!({"gracePeriodSeconds": 0});
    send(
        wire,
        "DELETE",
        &format!("{PODS}/{name}"),
        "application/json",
        &now,
    );
}

fn victims(wire: &Wire) -> BTreeSet<String> {
    let is_victim = |pod: &Value| {
        let conditions = pod["status"]["conditions"].as_array();
        !pod["metadata"]["deletionTimestamp"].is_null()
            && conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "DisruptionTarget"))
    };
    let pods = list(wire, PODS);
    let names = pods.iter().filter(|pod| is_victim(pod));
    names
        .map(|pod| pod["metadata"]["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn decision(arguments: &[&str], seed: u64) -> Value {
    let seed = seed.to_string();
    let document = ask(&[&["schedule", "--seed", &seed], arguments].concat());
    let decisions = document["decisions"].as_array().expect("decisions").clone();
    let [only] = decisions.as_slice() else {
        panic!("{document}");
    };
    only.clone()
}

/// How many nodes were equally good, as the reason says.
fn alike(decision: &Value) -> usize {
    let reason = decision["reason"].as_str().expect("a reason");
    let before = reason
        .split(" alike")
        .next()
        .filter(|before| *before != reason);
    let number = before.and_then(|before| before.rsplit(' ').next()?.parse().ok());
    number.unwrap_or(1)
}

/// The nodes that a pod may get: where several are equally good chance decides, which seeds stand
/// for.
fn nodes_for(question: &[&str], told: &Value) -> BTreeSet<String> {
    let node = |told: &Value| told["node"].as_str().map(str::to_owned);
    let mut nodes: BTreeSet<String> = node(told).into_iter().collect();
    let alike = alike(told);
    for seed in (1..SEEDS).take_while(|_| alike > 1) {
        if nodes.len() == alike {
            break;
        }
        nodes.extend(node(&decision(question, seed)));
    }
    nodes
}

#[test]
fn the_scheduler_does_what_schedule_says() {
    let cluster = Cluster::start_with(&["--pod-security-default=privileged"]);
    let wire = Wire::admin(&cluster);
    set_up(&wire);
    let kubeconfig = cluster.kubeconfig();
    let kubeconfig = kubeconfig.to_string_lossy();
    let file = cluster.scratch().join("pod.json");
    let mut dice = Dice::new(4);
    let (mut placed, mut refused, mut preempted) = (0, 0, 0);
    for step in 0..STEPS {
        let name = format!("p{step:02}");
        let pod = pod(&mut dice, &name);
        std::fs::write(&file, pod.to_string()).expect("written");
        let path = file.to_string_lossy();
        let question = ["--live", "--kubeconfig", &kubeconfig, &path];
        let told = decision(&question, 0);
        let nodes = nodes_for(&question, &told);
        if step % 10 == 0 {
            check_snapshot(&cluster, &path, &told);
        }
        create(&wire, PODS, &pod);
        match outcome(&wire, &name) {
            Outcome::Placed(node) => {
                let is_told = nodes.contains(&node) && told["preempts"].is_null();
                assert!(is_told, "{node} of {nodes:?}: {told}\n{pod}");
                run(&wire, &name, step);
                placed += 1;
            }
            Outcome::Refused(why) => {
                assert_eq!(
                    (&told["allowed"], &told["reason"]),
                    (&json!(false), &json!(why)),
                    "{pod}"
                );
                remove(&wire, &name);
                settle(&wire);
                refused += 1;
            }
            Outcome::Nominated(node, _) => {
                let names = told["preempts"].as_array();
                let names = names
                    .unwrap_or_else(|| panic!("{node}: {told}\n{pod}"))
                    .iter();
                let names: BTreeSet<String> = names
                    .map(|victim| victim["name"].as_str().expect("a name").to_owned())
                    .collect();
                assert_eq!(told["nominated"], *node, "{pod}");
                // They are told to go one by one, once the pod is nominated.
                let going = || (victims(&wire) == names).then_some(());
                until(&format!("{names:?} go for {pod}"), going);
                assert_eq!(told["reason"], format!("preemption makes room on {node}"));
                names.iter().for_each(|victim| remove(&wire, victim));
                let target = format!("{PODS}/{name}");
                let there = until(&format!("{name} gets its room"), || {
                    let pod = get(&wire, &target).json();
                    pod["spec"]["nodeName"].as_str().map(str::to_owned)
                });
                assert_eq!(told["node"], *there, "{pod}");
                run(&wire, &name, step);
                preempted += 1;
            }
        }
    }
    eprintln!("{placed} placed, {refused} refused, {preempted} preempted");
    assert!(placed > 12 && refused > 5 && preempted > 3);
}

/// A snapshot gives the answer that the cluster itself gives.
fn check_snapshot(cluster: &Cluster, pod: &str, told: &Value) {
    let snapshot = crate::snapshot(cluster);
    assert!(Path::new(&snapshot).exists());
    assert_eq!(&decision(&["--snapshot", &snapshot, pod], 0), told);
}
