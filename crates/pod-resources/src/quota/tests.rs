use super::*;
use proptest::prelude::*;
use serde_json::json;

const PODS: Kind<'_> = Kind {
    group: "",
    plural: "pods",
};

fn quota(hard: Value, used: Value) -> Value {
    json!({
        "metadata": { "name": "q" },
        "spec": { "hard": hard },
        "status": { "hard": hard, "used": used },
    })
}

fn pod(cpu: &str) -> Value {
    let resources = json!({ "requests": { "cpu": cpu }, "limits": { "cpu": cpu } });
    json!({ "spec": { "containers": [{ "name": "c", "resources": resources }] } })
}

fn said(quota: &Value, kind: Kind<'_>, object: &Value, old: Option<&Value>) -> String {
    match charge(&[quota], kind, object, old, &[], &|_| false).as_deref() {
        Ok([share]) => show(&share.used.keys().collect::<Vec<_>>(), &share.used),
        Ok(_) => String::new(),
        Err(why) => why.to_string(),
    }
}

#[test]
fn room_is_taken_and_runs_out() {
    let hard = json!({ "pods": "3", "requests.cpu": "2", "memory": "1Gi" });
    let mut quota = quota(
        json!({ "pods": "3", "requests.cpu": "2" }),
        json!({ "pods": "1", "requests.cpu": "500m" }),
    );
    let taken = |quota: &Value, cpu| said(quota, PODS, &pod(cpu), None);
    assert_eq!(taken(&quota, "1"), "pods=2,requests.cpu=1500m");
    assert_eq!(
        taken(&quota, "1600m"),
        "exceeded quota: q, requested: requests.cpu=1600m, used: requests.cpu=500m, limited: \
         requests.cpu=2"
    );
    quota["status"]["used"]["pods"] = "3".into();
    assert_eq!(
        taken(&quota, "1600m"),
        "exceeded quota: q, requested: pods=1,requests.cpu=1600m, used: pods=3,requests.cpu=500m, \
         limited: pods=3,requests.cpu=2"
    );
    quota["status"]["hard"] = hard;
    assert_eq!(
        taken(&quota, "1"),
        "failed quota: q: must specify memory for: c"
    );
    quota["status"]["hard"] = json!({ "cpu": "1", "pods": "5" });
    assert_eq!(
        taken(&quota, "1"),
        "status unknown for quota: q, resources: cpu,pods"
    );
    quota["status"] = json!({});
    assert_eq!(
        taken(&quota, "1"),
        "",
        "a quota that nobody has counted yet limits nothing"
    );
}

#[test]
fn containers_must_name_what_is_limited() {
    let hard = json!({ "limits.cpu": "2", "requests.memory": "1Gi", "requests.storage": "1Gi" });
    let quota = quota(hard.clone(), hard);
    let it = json!({ "spec": {
        "containers": [
            { "name": "b" },
            { "name": "a", "resources": { "requests": { "memory": "1" } } },
        ],
        "initContainers": [{ "name": "i", "resources": { "limits": { "cpu": "1" } } }],
    } });
    assert_eq!(
        said(&quota, PODS, &it, None),
        "failed quota: q: must specify limits.cpu for: a,b; requests.memory for: b,i"
    );
}

#[test]
fn scopes_select_pods() {
    let best_effort = json!({ "spec": { "containers": [{ "name": "c" }] } });
    let mut classed = pod("1");
    classed["spec"]["priorityClassName"] = "high".into();
    let mut ending = pod("1");
    ending["spec"]["activeDeadlineSeconds"] = 5.into();
    let mut affine = pod("1");
    affine["spec"]["affinity"] = json!({ "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution":
            [{ "podAffinityTerm": { "namespaceSelector": {} } }],
    } });
    let pods = [&best_effort, &classed, &ending, &affine];
    let expression = |operator: &str, values: Value| json!([{ "scopeName": "PriorityClass", "operator": operator, "values": values }]);
    for (scopes, expressions, selected) in [
        (json!([]), json!([]), [true; 4]),
        (
            json!(["BestEffort"]),
            json!([]),
            [true, false, false, false],
        ),
        (
            json!(["NotBestEffort"]),
            json!([]),
            [false, true, true, true],
        ),
        (
            json!(["Terminating"]),
            json!([]),
            [false, false, true, false],
        ),
        (
            json!(["NotTerminating"]),
            json!([]),
            [true, true, false, true],
        ),
        (
            json!(["NotTerminating", "BestEffort"]),
            json!([]),
            [true, false, false, false],
        ),
        (
            json!(["CrossNamespacePodAffinity"]),
            json!([]),
            [false, false, false, true],
        ),
        (
            json!(["PriorityClass"]),
            json!([]),
            [false, true, false, false],
        ),
        (
            json!([]),
            expression("In", json!(["high"])),
            [false, true, false, false],
        ),
        (json!([]), expression("In", json!(["low"])), [false; 4]),
        (
            json!([]),
            expression("NotIn", json!(["high"])),
            [true, false, true, true],
        ),
        (
            json!([]),
            expression("Exists", json!([])),
            [false, true, false, false],
        ),
        (
            json!([]),
            expression("DoesNotExist", json!([])),
            [true, false, true, true],
        ),
        (json!(["SomethingNew"]), json!([]), [false; 4]),
    ] {
        let mut quota = quota(json!({ "pods": "1" }), json!({}));
        quota["spec"]["scopes"] = scopes.clone();
        quota["spec"]["scopeSelector"] = json!({ "matchExpressions": expressions });
        let found = pods.map(|pod| counts(&quota, PODS, pod));
        assert_eq!(found, selected, "{scopes} {expressions}");
        // Scopes speak of pods only.
        let plain =
            scopes.as_array().unwrap().is_empty() && expressions.as_array().unwrap().is_empty();
        let secrets = Kind {
            group: "",
            plural: "secrets",
        };
        quota["spec"]["hard"] = json!({ "secrets": "1" });
        assert_eq!(counts(&quota, secrets, &json!({})), plain);
    }
}

#[test]
fn every_kind_uses_what_it_uses() {
    let kind = |group: &'static str, plural: &'static str| Kind { group, plural };
    let claim = json!({ "spec": {
        "storageClassName": "fast", "resources": { "requests": { "storage": "2Gi" } },
    } });
    let service = |of: &str, more: Value| {
        let mut service = json!({ "spec": { "type": of, "ports": [{}, { "nodePort": 1 }] } });
        service["spec"]
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        service
    };
    let gpu = json!({ "spec": { "containers": [{ "resources": {
        "requests": { "example.com/gpu": "2", "hugepages-2Mi": "4Mi", "kubernetes.io/x": "1" },
        "limits": { "example.com/gpu": "2", "memory": "1" },
    } }] } });
    let mut over = pod("1");
    over["status"] = json!({ "phase": "Succeeded" });
    for (kind, object, want) in [
        (
            kind("apps", "deployments"),
            json!({}),
            "count/deployments.apps=1",
        ),
        (kind("", "secrets"), json!({}), "count/secrets=1,secrets=1"),
        (kind("", "endpoints"), json!({}), "count/endpoints=1"),
        (
            kind("", "persistentvolumeclaims"),
            claim,
            "count/persistentvolumeclaims=1,fast.storageclass.storage.k8s.io/persistentvolumeclaims=1,\
             fast.storageclass.storage.k8s.io/requests.storage=2Gi,persistentvolumeclaims=1,\
             requests.storage=2Gi",
        ),
        (
            kind("", "services"),
            service("NodePort", json!({})),
            "count/services=1,services=1,services.loadbalancers=0,services.nodeports=2",
        ),
        (
            kind("", "services"),
            service(
                "LoadBalancer",
                json!({ "allocateLoadBalancerNodePorts": false }),
            ),
            "count/services=1,services=1,services.loadbalancers=1,services.nodeports=1",
        ),
        (
            PODS,
            gpu,
            "count/pods=1,hugepages-2Mi=4Mi,limits.memory=1,pods=1,requests.example.com/gpu=2,\
             requests.hugepages-2Mi=4Mi",
        ),
        (PODS, over, "count/pods=1"),
    ] {
        let used = of_object(kind, &object);
        assert_eq!(show(&used.keys().collect::<Vec<_>>(), &used), want);
        for name in used.keys() {
            assert!(usage::concerns(kind, name), "{name}");
        }
    }
}

#[test]
fn changes_take_the_difference() {
    let services = Kind {
        group: "",
        plural: "services",
    };
    let hard = json!({ "services": "1", "services.nodeports": "2" });
    let quota = quota(
        hard.clone(),
        json!({ "services": "1", "services.nodeports": "1" }),
    );
    let with = |ports: Value| json!({ "spec": { "type": "NodePort", "ports": ports } });
    let one = with(json!([{}]));
    for (ports, want) in [
        (json!([{}]), ""),
        (json!([{}, {}]), "services=1,services.nodeports=2"),
        // Whoever counts anew finds out that there is room again.
        (json!([]), ""),
        (
            json!([{}, {}, {}]),
            "exceeded quota: q, requested: services.nodeports=2, used: services.nodeports=1, \
             limited: services.nodeports=2",
        ),
    ] {
        assert_eq!(said(&quota, services, &with(ports), Some(&one)), want);
    }
}

proptest! {
    /// What admission adds up is what counting anew finds, and never more than there may be.
    #[test]
    fn charges_add_up(cpus in prop::collection::vec(1_u32..2000, 0..12), hard in 0_u32..8000) {
        let hard = json!({ "pods": "8", "requests.cpu": format!("{hard}m") });
        let mut quota = quota(hard, json!({ "pods": "0", "requests.cpu": "0" }));
        let mut admitted = Vec::new();
        for cpu in cpus {
            let pod = pod(&format!("{cpu}m"));
            let shares = charge(&[&quota], PODS, &pod, None, &[], &|_| false);
            if let Ok([share]) = shares.as_deref() {
                let used = to_value(&share.used);
                let before = quota["status"]["used"].clone();
                prop_assert_eq!(give_back(&used, &share.taken), before);
                quota["status"]["used"] = used;
                admitted.push(pod);
            }
        }
        let counted = recount(&quota, &[PODS], admitted.iter().map(|pod| (PODS, pod)));
        prop_assert_eq!(&counted, &effective::of(&quota, &["status", "used"]));
        let hard = effective::of(&quota, &["spec", "hard"]);
        prop_assert!(counted.iter().all(|(name, used)| hard.get(name).is_some_and(|h| used <= h)));
    }
}

#[test]
fn what_containers_must_say_comes_before_what_there_is_room_for() {
    let named = |name: &str, hard: Value, used: Value| {
        let mut quota = quota(hard, used);
        quota["metadata"]["name"] = name.into();
        quota
    };
    let full = named("full", json!({ "pods": "1" }), json!({ "pods": "1" }));
    let strict = named("strict", json!({ "memory": "1" }), json!({ "memory": "0" }));
    let all = |quotas: &[&Value]| {
        let shares = charge(quotas, PODS, &pod("1"), None, &[], &|_| false);
        shares.expect_err("refused").to_string()
    };
    let want = "failed quota: strict: must specify memory for: c";
    assert_eq!(all(&[&full, &strict]), want);
    assert_eq!(all(&[&strict, &full]), want);
    assert!(all(&[&full]).starts_with("exceeded quota: full"));
}

#[test]
fn a_pod_that_comes_to_be_counted_takes_all_of_its_use() {
    let mut ending = quota(json!({ "pods": "1" }), json!({ "pods": "0" }));
    ending["spec"]["scopes"] = json!(["Terminating"]);
    let before = pod("1");
    let mut after = before.clone();
    after["spec"]["activeDeadlineSeconds"] = 5.into();
    assert!(changes(PODS, "", &after, &before));
    assert!(!changes(PODS, "", &before, &before));
    assert!(changes(PODS, "resize", &before, &before));
    assert_eq!(said(&ending, PODS, &after, Some(&before)), "pods=1");
    assert_eq!(said(&ending, PODS, &before, Some(&after)), "");
    ending["spec"]["scopes"] = json!([]);
    assert_eq!(said(&ending, PODS, &after, Some(&before)), "");
}

#[test]
fn events_and_reviews_are_not_counted_and_claims_by_whole_bytes() {
    let used = |group, plural, object: Value, name: &str| {
        let kind = Kind { group, plural };
        let quota = quota(json!({ name: "9" }), json!({ name: "0" }));
        said(&quota, kind, &object, None)
    };
    assert_eq!(used("", "events", json!({}), "count/events"), "");
    assert_eq!(
        used(
            "events.k8s.io",
            "events",
            json!({}),
            "count/events.events.k8s.io"
        ),
        ""
    );
    let claim = |storage: &str| {
        json!({ "spec": { "resources": { "requests": {
        "storage": storage } } } })
    };
    assert_eq!(
        used(
            "",
            "persistentvolumeclaims",
            claim("1500m"),
            "requests.storage"
        ),
        "requests.storage=2"
    );
}

#[test]
fn what_is_limited_needs_a_quota() {
    let limited = |contains: &[&str], scopes: Value| Limited {
        plural: "pods".to_owned(),
        contains: contains.iter().map(|part| (*part).to_owned()).collect(),
        scopes: scopes.as_array().cloned().unwrap_or_default(),
        ..Limited::default()
    };
    let classes = json!([{ "scopeName": "PriorityClass", "operator": "In", "values": ["high"] }]);
    let cpu = quota(
        json!({ "requests.cpu": "9" }),
        json!({ "requests.cpu": "0" }),
    );
    let mut of_class = quota(json!({ "pods": "9" }), json!({ "pods": "0" }));
    of_class["spec"]["scopeSelector"] = json!({ "matchExpressions": classes });
    let mut high = pod("1");
    high["spec"]["priorityClassName"] = "high".into();
    let plain = pod("1");
    for (rule, quotas, pod, want) in [
        (
            limited(&["cpu"], json!([])),
            vec![],
            &plain,
            "insufficient quota to consume: cpu,limits.cpu,requests.cpu",
        ),
        (
            limited(&["requests.cpu"], json!([])),
            vec![&cpu],
            &plain,
            "",
        ),
        (
            limited(&["limits"], json!([])),
            vec![&cpu],
            &plain,
            "insufficient quota to consume: limits.cpu",
        ),
        (limited(&["memory"], json!([])), vec![], &plain, ""),
        (limited(&[], classes.clone()), vec![], &plain, ""),
        (
            limited(&[], classes.clone()),
            vec![],
            &high,
            "insufficient quota to match these scopes: [{PriorityClass In [high]}]",
        ),
        (limited(&[], classes.clone()), vec![&of_class], &high, ""),
        (
            limited(&[], classes.clone()),
            vec![&cpu],
            &high,
            "insufficient quota to match these scopes: [{PriorityClass In [high]}]",
        ),
    ] {
        let shares = charge(
            &quotas,
            PODS,
            pod,
            None,
            std::slice::from_ref(&rule),
            &|_| false,
        );
        let said = shares.err().map(|why| why.to_string()).unwrap_or_default();
        assert_eq!(said, want, "{rule:?}");
    }
    let secrets = Kind {
        group: "",
        plural: "secrets",
    };
    let rule = limited(&["secrets"], json!([]));
    assert!(charge(&[], secrets, &json!({}), None, &[rule], &|_| false).is_ok());
}
