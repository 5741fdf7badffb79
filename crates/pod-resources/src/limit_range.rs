//! LimitRanges: what they fill into containers, and what they refuse of pods and of claims.

use crate::effective::{self, Resources};
use model::quantity::Quantity;
use model::{Value, meta};
use std::collections::BTreeSet;

/// The annotation that says what was filled in.
pub const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// What a limit is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Container,
    Pod,
    Claim,
}

impl Scope {
    fn as_str(self) -> &'static str {
        match self {
            Self::Container => "Container",
            Self::Pod => "Pod",
            Self::Claim => "PersistentVolumeClaim",
        }
    }
}

fn limits(range: &Value, scope: Scope) -> impl Iterator<Item = &Value> {
    meta::list(range, &["spec", "limits"])
        .iter()
        .filter(move |limit| meta::text(limit, &["type"]) == scope.as_str())
}

/// Fills the range's defaults into the containers of a pod that ask for nothing, and says so in an
/// annotation, as upstream does. Returns whether anything was filled in.
pub fn fill(range: &Value, pod: &mut Value) -> bool {
    let mut defaults: [(&str, model::Map); 2] = [
        ("limits", model::Map::new()),
        ("requests", model::Map::new()),
    ];
    for limit in limits(range, Scope::Container) {
        for ((_, all), key) in defaults.iter_mut().zip(["default", "defaultRequest"]) {
            if let Some(more) = limit.get(key).and_then(Value::as_object) {
                all.extend(more.clone());
            }
        }
    }
    let mut said = Vec::new();
    for (list, what) in [
        ("containers", "container"),
        ("initContainers", "init container"),
    ] {
        let containers = pod.get_mut("spec").and_then(|spec| spec.get_mut(list));
        for container in containers
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let name = meta::text(container, &["name"]).to_owned();
            // Requests are named before limits.
            for ((key, defaults), noun) in defaults.iter().zip(["limit", "request"]).rev() {
                let set = fill_list(container, key, defaults);
                if !set.is_empty() {
                    said.push(format!("{} {noun} for {what} {name}", set.join(", ")));
                }
            }
        }
    }
    if said.is_empty() {
        return false;
    }
    let text = format!("LimitRanger plugin set: {}", said.join("; "));
    meta::set(pod, &["metadata", "annotations", ANNOTATION], text);
    true
}

fn fill_list(container: &mut Value, key: &str, defaults: &model::Map) -> Vec<String> {
    let own = meta::at(container, &["resources", key]);
    let missing: Vec<(String, Value)> = defaults
        .iter()
        .filter(|(name, _)| own.and_then(|own| own.get(name.as_str())).is_none())
        .map(|(name, amount)| (name.clone(), amount.clone()))
        .collect();
    let names = missing.iter().map(|(name, _)| name.clone()).collect();
    if !missing.is_empty() {
        meta::map_mut(container, &["resources", key]).extend(missing);
    }
    names
}

/// What the range refuses of a pod; upstream's texts, each once.
pub fn check_pod(range: &Value, pod: &Value) -> Vec<String> {
    let mut errors = Errors::default();
    for limit in limits(range, Scope::Container) {
        for list in ["containers", "initContainers"] {
            for container in meta::list(pod, &["spec", list]) {
                let of = |key| effective::of(container, &["resources", key]);
                errors.check(Scope::Container, limit, &of("requests"), &of("limits"));
            }
        }
    }
    for limit in limits(range, Scope::Pod) {
        errors.check(
            Scope::Pod,
            limit,
            &effective::without_overhead(pod, "requests"),
            &effective::without_overhead(pod, "limits"),
        );
    }
    errors.texts
}

/// What the range refuses of a claim of a volume.
pub fn check_claim(range: &Value, claim: &Value) -> Vec<String> {
    let mut errors = Errors::default();
    let requests = effective::of(claim, &["spec", "resources", "requests"]);
    for limit in limits(range, Scope::Claim) {
        let what = Scope::Claim.as_str();
        for (name, least) in effective::of(limit, &["min"]) {
            errors.push(below(what, &name, least, &requests, &Resources::new()));
        }
        for (name, most) in effective::of(limit, &["max"]) {
            let head = format!("maximum {name} usage per {what} is {most}");
            errors.push(match requests.get(&name) {
                None => Some(format!("{head}.  No request is specified")),
                Some(given) if given > &most => Some(format!("{head}, but request is {given}")),
                Some(_) => None,
            });
        }
    }
    errors.texts
}

#[derive(Default)]
struct Errors {
    texts: Vec<String>,
    seen: BTreeSet<String>,
}

impl Errors {
    fn push(&mut self, error: Option<String>) {
        if let Some(text) = error
            && self.seen.insert(text.clone())
        {
            self.texts.push(text);
        }
    }

    fn check(&mut self, scope: Scope, limit: &Value, requests: &Resources, limits: &Resources) {
        let what = scope.as_str();
        for (name, least) in effective::of(limit, &["min"]) {
            self.push(below(what, &name, least, requests, limits));
        }
        for (name, most) in effective::of(limit, &["max"]) {
            self.push(above(what, &name, most, requests, limits));
        }
        for (name, most) in effective::of(limit, &["maxLimitRequestRatio"]) {
            self.push(apart(what, &name, most, requests, limits));
        }
    }
}

fn below(
    what: &str,
    name: &str,
    least: Quantity,
    requests: &Resources,
    limits: &Resources,
) -> Option<String> {
    let head = format!("minimum {name} usage per {what} is {least}");
    let Some(request) = requests.get(name) else {
        return Some(format!("{head}.  No request is specified"));
    };
    if *request < least {
        return Some(format!("{head}, but request is {request}"));
    }
    let limit = limits.get(name).filter(|limit| **limit < least)?;
    Some(format!("{head}, but limit is {limit}"))
}

fn above(
    what: &str,
    name: &str,
    most: Quantity,
    requests: &Resources,
    limits: &Resources,
) -> Option<String> {
    let head = format!("maximum {name} usage per {what} is {most}");
    let Some(limit) = limits.get(name) else {
        return Some(format!("{head}.  No limit is specified"));
    };
    if *limit > most {
        return Some(format!("{head}, but limit is {limit}"));
    }
    let request = requests.get(name).filter(|request| **request > most)?;
    Some(format!("{head}, but request is {request}"))
}

fn apart(
    what: &str,
    name: &str,
    most: Quantity,
    requests: &Resources,
    limits: &Resources,
) -> Option<String> {
    let head = format!("{name} max limit to request ratio per {what} is {most}");
    let some = |of: &Resources| of.get(name).copied().filter(|amount| !amount.is_zero());
    let Some(request) = some(requests) else {
        return Some(format!(
            "{head}, but no request is specified or request is 0"
        ));
    };
    let Some(limit) = some(limits) else {
        return Some(format!("{head}, but no limit is specified or limit is 0"));
    };
    let ratio = limit.as_f64() / request.as_f64();
    (ratio > most.as_f64()).then(|| format!("{head}, but provided ratio is {ratio:.6}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn range(limit: Value) -> Value {
        json!({ "spec": { "limits": [limit] } })
    }

    fn pod(resources: Value) -> Value {
        json!({ "spec": { "containers": [{ "name": "c", "resources": resources }] } })
    }

    #[test]
    fn defaults_are_filled_in_where_nothing_is_said() {
        let range = range(json!({
            "type": "Container",
            "default": { "cpu": "1", "memory": "1Gi" },
            "defaultRequest": { "cpu": "500m" },
        }));
        let mut it = json!({ "spec": {
            "containers": [
                { "name": "a" },
                { "name": "b", "resources": { "limits": { "cpu": "2" }, "requests": { "cpu": "2" } } },
            ],
            "initContainers": [{ "name": "i" }],
        } });
        assert!(fill(&range, &mut it));
        assert_eq!(
            it["spec"]["containers"][0]["resources"],
            json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "500m" } })
        );
        assert_eq!(
            it["spec"]["containers"][1]["resources"],
            json!({ "limits": { "cpu": "2", "memory": "1Gi" }, "requests": { "cpu": "2" } })
        );
        assert_eq!(
            it["metadata"]["annotations"][ANNOTATION],
            "LimitRanger plugin set: cpu request for container a; cpu, memory limit for container a; \
             memory limit for container b; cpu request for init container i; cpu, memory limit for \
             init container i"
        );
        let once = it.clone();
        assert!(!fill(&range, &mut it));
        assert_eq!(it, once);
    }

    #[test]
    fn bounds() {
        let both = |request: &str, limit: &str| {
            let mut resources = json!({});
            if !request.is_empty() {
                resources["requests"] = json!({ "cpu": request });
            }
            if !limit.is_empty() {
                resources["limits"] = json!({ "cpu": limit });
            }
            resources
        };
        for (rule, request, limit, want) in [
            (
                "min",
                "",
                "",
                "minimum cpu usage per Container is 1.  No request is specified",
            ),
            (
                "min",
                "500m",
                "",
                "minimum cpu usage per Container is 1, but request is 500m",
            ),
            (
                "min",
                "1",
                "900m",
                "minimum cpu usage per Container is 1, but limit is 900m",
            ),
            ("min", "1", "", ""),
            (
                "max",
                "1",
                "",
                "maximum cpu usage per Container is 1.  No limit is specified",
            ),
            (
                "max",
                "1",
                "1001m",
                "maximum cpu usage per Container is 1, but limit is 1001m",
            ),
            (
                "max",
                "2",
                "1",
                "maximum cpu usage per Container is 1, but request is 2",
            ),
            ("max", "1", "1", ""),
            (
                "maxLimitRequestRatio",
                "",
                "1",
                "cpu max limit to request ratio per Container is 1, but no request is specified or \
                 request is 0",
            ),
            (
                "maxLimitRequestRatio",
                "1",
                "0",
                "cpu max limit to request ratio per Container is 1, but no limit is specified or \
                 limit is 0",
            ),
            (
                "maxLimitRequestRatio",
                "1",
                "1500m",
                "cpu max limit to request ratio per Container is 1, but provided ratio is 1.500000",
            ),
            ("maxLimitRequestRatio", "1", "1", ""),
        ] {
            let range = range(json!({ "type": "Container", rule: { "cpu": "1" } }));
            let said = check_pod(&range, &pod(both(request, limit)));
            assert_eq!(said.join(" | "), want, "{rule} {request} {limit}");
        }
    }

    #[test]
    fn pods_are_held_to_their_sum_and_claims_to_their_request() {
        let range = range(json!({ "type": "Pod", "max": { "memory": "1Gi" } }));
        let mut it = pod(json!({ "limits": { "memory": "600Mi" } }));
        assert!(check_pod(&range, &it).is_empty());
        let twice = it["spec"]["containers"][0].clone();
        it["spec"]["containers"].as_array_mut().unwrap().push(twice);
        assert_eq!(
            check_pod(&range, &it),
            ["maximum memory usage per Pod is 1Gi, but limit is 1200Mi"]
        );
        let range = super::tests::range(json!({
            "type": "PersistentVolumeClaim",
            "min": { "storage": "1Gi" },
            "max": { "storage": "2Gi" },
        }));
        for (storage, want) in [
            ("1Gi", ""),
            (
                "512Mi",
                "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 512Mi",
            ),
            (
                "3Gi",
                "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi",
            ),
        ] {
            let claim = json!({ "spec": { "resources": { "requests": { "storage": storage } } } });
            assert_eq!(check_claim(&range, &claim).join(" | "), want);
        }
    }
}
