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
    match charge(quota, kind, object, old) {
        Ok(None) => String::new(),
        Ok(Some(used)) => show(&used.keys().collect::<Vec<_>>(), &used),
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
        (json!([]), "services=1,services.nodeports=0"),
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
            if let Ok(Some(used)) = charge(&quota, PODS, &pod, None) {
                quota["status"]["used"] = to_value(&used);
                admitted.push(pod);
            }
        }
        let counted = recount(&quota, admitted.iter().map(|pod| (PODS, pod)));
        prop_assert_eq!(&counted, &effective::of(&quota, &["status", "used"]));
        let hard = effective::of(&quota, &["spec", "hard"]);
        prop_assert!(counted.iter().all(|(name, used)| hard.get(name).is_some_and(|h| used <= h)));
    }
}
