//! Which nodes a pod can run on, and why not, straight from the objects: every question is
//! answered by looking at all pods on all nodes anew.

use model::quantity::Quantity;
use model::selector::LabelSelector;
use model::{Value, meta};

/// Nodes, running pods (with `spec.nodeName`) and namespaces.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    /// Node objects.
    pub nodes: Vec<Value>,
    /// Pod objects.
    pub pods: Vec<Value>,
    /// Namespace objects.
    pub namespaces: Vec<Value>,
}

impl Cluster {
    /// What keeps a pod off a node, as upstream words it; `None` if it fits.
    pub fn verdict(&self, pod: &Value, node: &Value) -> Option<String> {
        let checks = [
            Self::cordon,
            Self::taint,
            Self::node_affinity,
            Self::ports,
            Self::resources,
            Self::spread,
            Self::affinity,
        ];
        checks.iter().find_map(|check| check(self, pod, node))
    }

    /// The same cluster without some pods.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Self {
        let mut rest = self.clone();
        rest.pods.retain(|pod| !names.contains(&meta::name(pod)));
        rest
    }

    fn on<'a>(&'a self, node: &'a Value) -> impl Iterator<Item = &'a Value> {
        let name = meta::name(node);
        self.pods
            .iter()
            .filter(move |pod| meta::text(pod, &["spec", "nodeName"]) == name)
    }

    fn cordon(&self, pod: &Value, node: &Value) -> Option<String> {
        let taint = serde_json::json!({
            "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule",
        });
        let cordon = meta::at(node, &["spec", "unschedulable"]);
        let is_cordoned = cordon.and_then(Value::as_bool) == Some(true);
        (is_cordoned && !tolerates(pod, &taint)).then(|| "node(s) were unschedulable".to_owned())
    }

    fn taint(&self, pod: &Value, node: &Value) -> Option<String> {
        let taint = untolerated(pod, node)?;
        let (key, value) = (meta::text(taint, &["key"]), meta::text(taint, &["value"]));
        Some(format!("node(s) had untolerated taint {{{key}: {value}}}"))
    }

    fn node_affinity(&self, pod: &Value, node: &Value) -> Option<String> {
        (!selects_node(pod, node))
            .then(|| "node(s) didn't match Pod's node affinity/selector".to_owned())
    }

    fn ports(&self, pod: &Value, node: &Value) -> Option<String> {
        let ports = |pod: &Value| -> Vec<i64> {
            meta::list(pod, &["spec", "containers"])
                .iter()
                .flat_map(|container| meta::list(container, &["ports"]))
                .filter_map(|port| port["hostPort"].as_i64())
                .collect()
        };
        let wanted = ports(pod);
        self.on(node)
            .flat_map(ports)
            .any(|port| wanted.contains(&port))
            .then(|| "node(s) didn't have free ports for the requested pod ports".to_owned())
    }

    fn resources(&self, pod: &Value, node: &Value) -> Option<String> {
        let allocatable = |name: &str| {
            let amount = meta::at(node, &["status", "allocatable", name])?;
            Some(Quantity::from_value(amount).ok()?.nanos())
        };
        let mut short = Vec::new();
        let count = i128::try_from(self.on(node).count()).unwrap_or(i128::MAX);
        if count + 1 > allocatable("pods").unwrap_or(0) / 1_000_000_000 {
            short.push("Too many pods".to_owned());
        }
        let of = |pod: &Value, name: &str| {
            pod_resources::requests(pod)
                .get(name)
                .map_or(0, Quantity::nanos)
        };
        for name in ["cpu", "memory", "example.com/gpu"] {
            let wanted = of(pod, name);
            let used: i128 = self.on(node).map(|other| of(other, name)).sum();
            if wanted > 0 && wanted + used > allocatable(name).unwrap_or(0) {
                short.push(format!("Insufficient {name}"));
            }
        }
        (!short.is_empty()).then(|| short.join(", "))
    }

    fn spread(&self, pod: &Value, node: &Value) -> Option<String> {
        let all = meta::list(pod, &["spec", "topologySpreadConstraints"]);
        let hard: Vec<&Value> = all
            .iter()
            .filter(|c| c["whenUnsatisfiable"] == "DoNotSchedule")
            .collect();
        let has_all = |node: &Value| hard.iter().all(|c| domain(node, c).is_some());
        for constraint in &hard {
            let Some(here) = domain(node, constraint) else {
                return Some(
                    "node(s) didn't match pod topology spread constraints (missing required label)"
                        .to_owned(),
                );
            };
            let counted: Vec<&Value> = self
                .nodes
                .iter()
                .filter(|node| has_all(node))
                .filter(|n| constraint["nodeAffinityPolicy"] == "Ignore" || selects_node(pod, n))
                .filter(|n| {
                    constraint["nodeTaintsPolicy"] != "Honor" || untolerated(pod, n).is_none()
                })
                .collect();
            let selector = selector(&constraint["labelSelector"]);
            let matching = |value: &str| {
                let nodes = counted
                    .iter()
                    .filter(|n| domain(n, constraint) == Some(value));
                let pods = nodes.flat_map(|node| self.on(node)).filter(|other| {
                    meta::namespace(other) == meta::namespace(pod)
                        && meta::at(other, &["metadata", "deletionTimestamp"]).is_none()
                        && !selector.is_empty()
                        && selector.matches_object(other)
                });
                i64::try_from(pods.count()).unwrap_or(i64::MAX)
            };
            let mut domains: Vec<&str> = counted
                .iter()
                .filter_map(|n| domain(n, constraint))
                .collect();
            domains.sort_unstable();
            domains.dedup();
            let mut least = domains.iter().map(|value| matching(value)).min();
            let wanted = constraint["minDomains"].as_u64().unwrap_or(1);
            if u64::try_from(domains.len()).unwrap_or(0) < wanted {
                least = Some(0);
            }
            let own = i64::from(selector.matches_object(pod));
            let skew = matching(here) + own - least.unwrap_or(i64::from(i32::MAX));
            if skew > constraint["maxSkew"].as_i64().unwrap_or(1) {
                return Some("node(s) didn't match pod topology spread constraints".to_owned());
            }
        }
        None
    }

    fn affinity(&self, pod: &Value, node: &Value) -> Option<String> {
        let near = terms(pod, "podAffinity");
        let is_near_all = |other: &Value| near.iter().all(|term| self.means(term, pod, other));
        if near.iter().any(|term| domain(node, term).is_none()) {
            return Some("node(s) didn't match pod affinity rules".to_owned());
        }
        let meets = near.iter().all(|term| {
            let mut nodes = self
                .nodes
                .iter()
                .filter(|n| domain(n, term) == domain(node, term));
            nodes.any(|node| self.on(node).any(is_near_all))
        });
        let nowhere = near.iter().all(|term| {
            let mut nodes = self.nodes.iter().filter(|n| domain(n, term).is_some());
            !nodes.any(|node| self.on(node).any(is_near_all))
        });
        if !(meets || nowhere && is_near_all(pod)) {
            return Some("node(s) didn't match pod affinity rules".to_owned());
        }
        let same = |term: &Value, other: &Value| {
            let place = domain(node, term);
            place.is_some() && place == domain(other, term)
        };
        let repels = |one: &Value, whose: &Value, at: &Value| {
            let terms = terms(whose, "podAntiAffinity");
            terms
                .iter()
                .any(|t| same(t, at) && self.means(t, whose, one))
        };
        let mut there = self
            .nodes
            .iter()
            .flat_map(|at| self.on(at).map(move |other| (at, other)));
        if there.any(|(at, other)| repels(other, pod, at)) {
            return Some("node(s) didn't match pod anti-affinity rules".to_owned());
        }
        let mut there = self
            .nodes
            .iter()
            .flat_map(|at| self.on(at).map(move |other| (at, other)));
        there
            .any(|(at, other)| repels(pod, other, at))
            .then(|| "node(s) didn't satisfy existing pods anti-affinity rules".to_owned())
    }

    /// Whether a term of the pod `of` means the pod `other`.
    fn means(&self, term: &Value, of: &Value, other: &Value) -> bool {
        let namespace = meta::namespace(other);
        let named = meta::list(term, &["namespaces"]);
        let selected = &term["namespaceSelector"];
        let in_scope = if named.is_empty() && selected.is_null() {
            namespace == meta::namespace(of)
        } else {
            let none = Value::Null;
            let object = self.namespaces.iter().find(|n| meta::name(n) == namespace);
            named.iter().any(|name| name == namespace)
                || selector(selected).matches_object(object.unwrap_or(&none))
        };
        in_scope && selector(&term["labelSelector"]).matches_object(other)
    }
}

fn selector(value: &Value) -> LabelSelector {
    LabelSelector::from_value(value).unwrap_or_else(|_| LabelSelector::nothing())
}

fn domain<'a>(node: &'a Value, term: &Value) -> Option<&'a str> {
    let key = term["topologyKey"].as_str()?;
    meta::at(node, &["metadata", "labels", key])?.as_str()
}

fn terms<'a>(pod: &'a Value, kind: &str) -> &'a [Value] {
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    meta::list(pod, &["spec", "affinity", kind, required])
}

fn tolerates(pod: &Value, taint: &Value) -> bool {
    let tolerations = meta::list(pod, &["spec", "tolerations"]);
    tolerations.iter().any(|toleration| {
        let given = |field: &str| meta::text(toleration, &[field]);
        let of = |field: &str| meta::text(taint, &[field]);
        (given("effect").is_empty() || given("effect") == of("effect"))
            && (given("key").is_empty() || given("key") == of("key"))
            && (given("operator") == "Exists" || given("value") == of("value"))
    })
}

fn untolerated<'a>(pod: &Value, node: &'a Value) -> Option<&'a Value> {
    meta::list(node, &["spec", "taints"]).iter().find(|taint| {
        matches!(meta::text(taint, &["effect"]), "NoSchedule" | "NoExecute")
            && !tolerates(pod, taint)
    })
}

fn selects_node(pod: &Value, node: &Value) -> bool {
    let labels = meta::labels(node);
    let wanted = meta::strings(pod, &["spec", "nodeSelector"]);
    wanted
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
}
