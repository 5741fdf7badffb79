//! Whatever stands where in a pod: it is read or refused, and nothing panics.

#![recursion_limit = "512"]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use jiff::Timestamp;
use model::Value;
use node_plan::env::{Facts, Sources, command_and_args, environment};
use node_plan::handlers::{Purpose, resolve};
use node_plan::lifecycle::{Situation, Verdicts, next, termination};
use node_plan::observed::{Exit, Made, Observed, Sandbox, State};
use node_plan::probe::{Kind, Probe, Timing};
use node_plan::security::{Image, Kernel, security, sysctls};
use node_plan::volumes::{Inputs, mounts, tokens, volume, writer};
use node_plan::{containers, dns, eviction, hosts, images, nftables, references, status, volumes};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A pod that says something in every field that the node reads.
fn pod() -> Value {
    json!({
        "metadata": {"name": "p", "namespace": "ns", "uid": "u", "labels": {"a": "b"},
            "deletionGracePeriodSeconds": 5},
        "spec": {
            "nodeName": "n", "restartPolicy": "OnFailure", "activeDeadlineSeconds": 100,
            "terminationGracePeriodSeconds": 3, "hostname": "h", "subdomain": "s",
            "setHostnameAsFQDN": true, "dnsPolicy": "ClusterFirst", "shareProcessNamespace": true,
            "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["x"],
                "options": [{"name": "ndots", "value": "2"}]},
            "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}],
            "readinessGates": [{"conditionType": "x/y"}],
            "imagePullSecrets": [{"name": "pull"}],
            "tolerations": [{"key": "k", "operator": "Exists"}],
            "securityContext": {"runAsUser": 7, "fsGroup": 5, "supplementalGroups": [6],
                "supplementalGroupsPolicy": "Strict", "runAsNonRoot": true,
                "seccompProfile": {"type": "Localhost", "localhostProfile": "x"},
                "seLinuxOptions": {"level": "s0"}, "appArmorProfile": {"type": "Localhost"},
                "sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]},
            "volumes": [
                {"name": "s", "secret": {"secretName": "s", "defaultMode": 256,
                    "items": [{"key": "k", "path": "a/b", "mode": 511}]}},
                {"name": "m", "configMap": {"name": "m"}},
                {"name": "d", "downwardAPI": {"items": [
                    {"path": "l", "fieldRef": {"fieldPath": "metadata.labels['a']"}},
                    {"path": "r", "resourceFieldRef": {"containerName": "c",
                        "resource": "limits.cpu", "divisor": "1m"}}]}},
                {"name": "j", "projected": {"sources": [
                    {"serviceAccountToken": {"path": "t", "expirationSeconds": 600}}]}},
                {"name": "e", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
                {"name": "g", "emptyDir": {"medium": "HugePages-2Mi"}},
                {"name": "h", "hostPath": {"path": "/x", "type": "File"}},
                {"name": "c", "persistentVolumeClaim": {"claimName": "c"}}],
            "initContainers": [{"name": "i", "restartPolicy": "Always"}],
            "ephemeralContainers": [{"name": "d", "targetContainerName": "c"}],
            "containers": [{
                "name": "c", "image": "busybox", "imagePullPolicy": "Always",
                "command": ["sh", "$(A)"], "args": ["$(B)"], "workingDir": "/",
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "terminationMessagePath": "/dev/termination-log",
                "env": [{"name": "A", "value": "$(B)"},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                    {"name": "C", "valueFrom": {"fieldRef":
                        {"apiVersion": "v1", "fieldPath": "status.podIP"}}},
                    {"name": "D", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}],
                "envFrom": [{"prefix": "p", "configMapRef": {"name": "m"}}],
                "ports": [{"name": "web", "containerPort": 80, "hostPort": 8080}],
                "resources": {"limits": {"cpu": "1", "memory": "1Mi", "ephemeral-storage": "1"},
                    "requests": {"hugepages-2Mi": "2Mi"}},
                "livenessProbe": {"httpGet": {"port": "web", "path": "/"}, "periodSeconds": 1,
                    "terminationGracePeriodSeconds": 1},
                "lifecycle": {"preStop": {"sleep": {"seconds": 1}}, "stopSignal": "SIGINT"},
                "securityContext": {"capabilities": {"add": ["ALL"], "drop": ["KILL"]},
                    "privileged": false, "procMount": "Default"},
                "volumeMounts": [{"name": "e", "mountPath": "/e", "subPathExpr": "$(A)",
                    "readOnly": true, "recursiveReadOnly": "Enabled"}],
            }],
        },
        "status": {"phase": "Running", "startTime": "2026-01-01T00:00:00Z",
            "podIPs": [{"ip": "10.0.0.5"}],
            "conditions": [{"type": "Ready", "status": "True",
                "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            "containerStatuses": [{"name": "c", "restartCount": 1,
                "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}}]},
    })
}

/// The pointers of everything in a value.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(inner, &format!("{at}/{key}"), all);
            }
        }
        Value::Array(items) => {
            for (i, inner) in items.iter().enumerate() {
                pointers(inner, &format!("{at}/{i}"), all);
            }
        }
        _ => {}
    }
}

fn observed(state: State) -> Observed {
    let made = |state: State| Made {
        id: "x".to_owned(),
        image: String::new(),
        image_id: String::new(),
        restarts: i64::MAX,
        changed: true,
        state,
    };
    Observed {
        sandbox: Some(Sandbox {
            ready: true,
            addresses: vec!["10.0.0.5".to_owned()],
            attempt: u32::MAX,
        }),
        containers: [("c", state.clone()), ("i", State::Unknown)]
            .into_iter()
            .map(|(name, state)| (name.to_owned(), vec![made(state)]))
            .collect(),
    }
}

fn use_all(pod: &Value) {
    let one = |name: &str, object: Value| BTreeMap::from([(name.to_owned(), object)]);
    let secrets = one("s", json!({"data": {"k": "YQ=="}}));
    let config_maps = one("m", json!({"data": {"k": "v"}}));
    let facts = Facts::default();
    let sources = Sources {
        pod,
        config_maps: &config_maps,
        secrets: &secrets,
        services: &[],
        facts,
    };
    let claims = BTreeMap::new();
    let inputs = Inputs {
        pod,
        config_maps: &config_maps,
        secrets: &secrets,
        tokens: &BTreeMap::new(),
        claims: &claims,
        persistent_volumes: &claims,
        allocatable: None,
    };
    references::references(pod);
    tokens::requests(pod);
    for listed in model::meta::list(pod, &["spec", "volumes"]) {
        volumes::directory(pod, listed);
        if let Ok(volumes::Volume::Files(files)) = volume(&inputs, listed) {
            writer::steps(&files, volumes::fs_group(pod), "..new", None);
        }
    }
    let named = hosts::names(pod, "cluster.local");
    if let Ok(named) = &named {
        hosts::hosts_file(pod, named, &["10.0.0.5".to_owned()], "");
    }
    let node = dns::Resolver::default();
    dns::resolver(
        pod,
        &dns::Surroundings {
            node: &node,
            cluster_servers: &[],
            cluster_domain: "c",
        },
    );
    let kernel = Kernel {
        app_armor: true,
        se_linux: true,
        seccomp: true,
    };
    let site = mounts::Site {
        pod,
        has_address: true,
        recursive_read_only: true,
        read_only: &BTreeSet::new(),
    };
    for container in containers::all(pod) {
        let made = environment(&sources, container.spec).unwrap_or_default();
        command_and_args(container.spec, &made.variables);
        let _ = mounts::mounts(&site, container, &made.variables);
        let _ = security(pod, container, &Image::default(), kernel);
        let _ = images::name::ImageName::parse(model::meta::text(container.spec, &["image"]));
        termination::one(pod, container, termination::Cause::Probe(Kind::Liveness));
        status::last_words(container.spec, b"\xff", "x", 1);
        for kind in [Kind::Startup, Kind::Liveness, Kind::Readiness] {
            if let Some(timing) = Timing::of(container.spec, kind) {
                let mut probe = Probe::new(kind, timing);
                probe.answer(false);
                probe.is_due(Timestamp::MIN, Timestamp::MAX, None, true, false);
            }
            let probe = container.spec.get(kind.field()).unwrap_or(&Value::Null);
            let _ = resolve(Purpose::Probe, probe, container.spec, "");
        }
    }
    let _ = sysctls::sysctls(pod, &[]);
    let _ = eviction::admit(pod, &[eviction::NodeCondition::Memory]);
    eviction::storage::exceeded(pod, &BTreeMap::new(), &[]);
    nftables::nat::services(std::slice::from_ref(pod), std::slice::from_ref(pod), "n");
    nftables::nat::host_ports(std::slice::from_ref(pod));
    let exit = Exit {
        code: i64::MIN,
        reason: String::new(),
        message: String::new(),
        started: None,
        finished: Timestamp::MAX,
    };
    for (state, now) in [
        (State::Created, Timestamp::MIN),
        (State::Running(Timestamp::MIN), Timestamp::MAX),
        (State::Exited(exit), Timestamp::MIN),
    ] {
        let observed = observed(state);
        next(&Situation {
            pod,
            observed: &observed,
            verdicts: &Verdicts::new(),
            backoffs: &BTreeMap::new(),
            now,
        });
        status::status(&status::Input {
            pod,
            observed: &observed,
            verdicts: &Verdicts::new(),
            errors: &BTreeMap::new(),
            failed: None,
            over: false,
            host_ips: &[],
            recursive_read_only: true,
            now,
        });
        termination::all(pod, &observed, termination::Cause::Deletion);
    }
}

#[test]
fn nothing_in_a_pod_makes_the_node_panic() {
    let pod = pod();
    use_all(&pod);
    let junk = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(""),
        json!("\u{1f4a5}/"),
        json!("9".repeat(300)),
        json!("é".repeat(50)),
        json!([]),
        json!([null]),
        json!({}),
        json!({"": null}),
    ];
    let mut all = Vec::new();
    pointers(&pod, "", &mut all);
    for (n, at) in all.iter().enumerate() {
        // Each place gets four of them, its neighbours others.
        for junk in junk.iter().cycle().skip(n).step_by(3).take(4) {
            let mut spoiled = pod.clone();
            *spoiled.pointer_mut(at).unwrap() = junk.clone();
            use_all(&spoiled);
        }
    }
}
