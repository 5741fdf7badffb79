//! What the disruption controller has seen.

use cluster_api::Update;
use model::{Value, meta};
use reconcile::disruption::{self, CoveredPod, Owner, Scale};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Namespace and name.
pub(super) type Key = (String, String);

/// The kinds whose objects are followed for how many pods they want, with group and plural.
pub(super) const OWNERS: [(&str, &str, &str); 4] = [
    ("Deployment", "apps", "deployments"),
    ("ReplicaSet", "apps", "replicasets"),
    ("ReplicationController", "", "replicationcontrollers"),
    ("StatefulSet", "apps", "statefulsets"),
];

/// What makes pods, or makes what makes them.
#[derive(Debug, PartialEq, Eq)]
struct Maker {
    uid: String,
    replicas: i64,
    owner: Option<Owner>,
}

#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) pods: BTreeMap<Key, CoveredPod>,
    budgets: BTreeMap<Key, Value>,
    owners: HashMap<&'static str, BTreeMap<Key, Maker>>,
    /// Budgets to be looked at.
    due: BTreeSet<Key>,
    has_pods: bool,
}

fn key(object: &Value) -> Key {
    let namespace = meta::namespace(object).to_owned();
    (namespace, meta::name(object).to_owned())
}

fn parse(object: &bytes::Bytes) -> Option<Value> {
    serde_json::from_slice(object).ok()
}

fn maker(object: &Value) -> Maker {
    let replicas = meta::at(object, &["spec", "replicas"]).and_then(Value::as_i64);
    Maker {
        uid: meta::uid(object).to_owned(),
        replicas: replicas.unwrap_or(1),
        owner: Owner::of(object),
    }
}

/// What stands in a namespace.
fn within<'a, T>(
    all: &'a BTreeMap<Key, T>,
    namespace: &str,
) -> impl Iterator<Item = (&'a Key, &'a T)> {
    let from = (namespace.to_owned(), String::new());
    let namespace = namespace.to_owned();
    all.range(from..)
        .take_while(move |(key, _)| key.0 == namespace)
}

impl Known {
    /// Whether a budget can be looked at.
    pub(super) fn is_due(&self) -> bool {
        // Without a first list of everything nothing can be said.
        self.has_pods && self.owners.len() == OWNERS.len() && !self.due.is_empty()
    }

    /// The budget that is to be looked at next; it is not due any more.
    pub(super) fn next_due(&mut self) -> Option<(Key, Value)> {
        let key = self.due.pop_first()?;
        let budget = self.budgets.get(&key)?.clone();
        Some((key, budget))
    }

    /// The budget is to be looked at.
    pub(super) fn touch(&mut self, key: Key) {
        if self.budgets.contains_key(&key) {
            self.due.insert(key);
        }
    }

    pub(super) fn budget(&mut self, update: Update) {
        match update {
            Update::Reset(items) => {
                let items = items.iter().filter_map(parse);
                self.budgets = items.map(|budget| (key(&budget), budget)).collect();
                self.due = self.budgets.keys().cloned().collect();
            }
            Update::Applied(object) => {
                if let Some(budget) = parse(&object) {
                    self.due.insert(key(&budget));
                    self.budgets.insert(key(&budget), budget);
                }
            }
            Update::Deleted(object) => {
                if let Some(budget) = parse(&object) {
                    self.budgets.remove(&key(&budget));
                    self.due.remove(&key(&budget));
                }
            }
            Update::Trouble(_) => {}
        }
    }

    /// Takes in what happened to pods; returns those that are there.
    pub(super) fn pod(&mut self, update: Update) -> Vec<Key> {
        match update {
            Update::Reset(items) => {
                let items = items.iter().filter_map(parse);
                let pods = items.map(|pod| (key(&pod), CoveredPod::new(&pod)));
                self.pods = pods.collect();
                self.due = self.budgets.keys().cloned().collect();
                self.has_pods = true;
                let doomed = self
                    .pods
                    .iter()
                    .filter(|(_, pod)| pod.doomed_since.is_some());
                doomed.map(|(key, _)| key.clone()).collect()
            }
            Update::Applied(object) => {
                let Some(pod) = parse(&object) else {
                    return Vec::new();
                };
                let (key, pod) = (key(&pod), CoveredPod::new(&pod));
                let before = self.pods.insert(key.clone(), pod.clone());
                if before.as_ref() == Some(&pod) {
                    return Vec::new();
                }
                self.touch_covering(&key.0, before.iter().chain([&pod]));
                vec![key]
            }
            Update::Deleted(object) => {
                if let Some(pod) = parse(&object) {
                    let before = self.pods.remove(&key(&pod));
                    self.touch_covering(meta::namespace(&pod), before.iter());
                }
                Vec::new()
            }
            Update::Trouble(_) => Vec::new(),
        }
    }

    /// The budgets that cover any of the pods are due.
    fn touch_covering<'a>(
        &mut self,
        namespace: &str,
        pods: impl Iterator<Item = &'a CoveredPod> + Clone,
    ) {
        let mut touched = Vec::new();
        for (key, budget) in within(&self.budgets, namespace) {
            let selector = disruption::selector(budget);
            if pods.clone().any(|pod| pod.is_covered(&selector)) {
                touched.push(key.clone());
            }
        }
        self.due.extend(touched);
    }

    /// Of several budgets that cover a pod, the first by name.
    pub(super) fn contended(&self, (namespace, _): &Key, pod: &CoveredPod) -> Option<String> {
        let mut covering = within(&self.budgets, namespace)
            .filter(|(_, budget)| pod.is_covered(&disruption::selector(budget)));
        let (first, _) = covering.next()?;
        covering.next().map(|_| first.1.clone())
    }

    pub(super) fn owner(&mut self, kind: &'static str, update: Update) {
        let makers = self.owners.entry(kind).or_default();
        let mut touched = BTreeSet::new();
        match update {
            Update::Reset(items) => {
                let items = items.iter().filter_map(parse);
                *makers = items.map(|object| (key(&object), maker(&object))).collect();
                self.due = self.budgets.keys().cloned().collect();
                return;
            }
            Update::Applied(object) => {
                if let Some(object) = parse(&object) {
                    let fresh = maker(&object);
                    let place = makers.entry(key(&object));
                    let is_new = match place {
                        std::collections::btree_map::Entry::Vacant(place) => {
                            place.insert(fresh);
                            true
                        }
                        std::collections::btree_map::Entry::Occupied(mut place) => {
                            place.insert(fresh) != *place.get()
                        }
                    };
                    if is_new {
                        touched.insert(meta::namespace(&object).to_owned());
                    }
                }
            }
            Update::Deleted(object) => {
                if let Some(object) = parse(&object) {
                    makers.remove(&key(&object));
                    touched.insert(meta::namespace(&object).to_owned());
                }
            }
            Update::Trouble(_) => {}
        }
        for namespace in touched {
            let relative = within(&self.budgets, &namespace)
                .filter(|(_, budget)| disruption::is_relative(budget));
            let keys: Vec<Key> = relative.map(|(key, _)| key.clone()).collect();
            self.due.extend(keys);
        }
    }

    /// The pods that a budget covers.
    pub(super) fn covered(&self, namespace: &str, budget: &Value) -> Vec<CoveredPod> {
        let selector = disruption::selector(budget);
        within(&self.pods, namespace)
            .filter(|(_, pod)| pod.is_covered(&selector))
            .map(|(_, pod)| pod.clone())
            .collect()
    }

    /// How many pods an owner wants, if it is followed. Of a ReplicaSet that a Deployment made,
    /// what that wants.
    pub(super) fn scale(&self, namespace: &str, owner: &Owner) -> Option<Scale> {
        let group = match owner.api_version.split_once('/') {
            Some((group, _)) => group,
            None => "",
        };
        match (group, owner.kind.as_str()) {
            ("", "ReplicationController")
            | ("apps" | "extensions", "ReplicaSet")
            | ("apps", "StatefulSet") => {}
            _ => return None,
        }
        let maker = self.maker(namespace, owner)?;
        let above = maker.owner.as_ref();
        let above = above.filter(|_| owner.kind == "ReplicaSet");
        let above = above.filter(|above| {
            let group = above.api_version.split_once('/').map(|(group, _)| group);
            above.kind == "Deployment" && matches!(group, Some("apps" | "extensions"))
        });
        let above = above.and_then(|above| self.maker(namespace, above));
        let counted = above.unwrap_or(maker);
        Some(Scale {
            uid: counted.uid.clone(),
            replicas: counted.replicas,
        })
    }

    fn maker(&self, namespace: &str, owner: &Owner) -> Option<&Maker> {
        let makers = self.owners.get(owner.kind.as_str())?;
        let maker = makers.get(&(namespace.to_owned(), owner.name.clone()))?;
        (maker.uid == owner.uid).then_some(maker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn owned(kind: &str, name: &str, extra: Value) -> Value {
        let mut object = json!({
            "metadata": { "name": name, "namespace": "n", "uid": name },
            "spec": { "replicas": 2 },
        });
        for (key, value) in extra.as_object().cloned().unwrap_or_default() {
            meta::set(&mut object, &["metadata", &key], value);
        }
        meta::set(&mut object, &["kind"], kind);
        object
    }

    fn by(kind: &str, name: &str) -> Value {
        json!({ "ownerReferences": [{
            "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": name, "controller": true,
        }] })
    }

    fn applied(object: &Value) -> Update {
        Update::Applied(object.to_string().into())
    }

    /// Budgets `n/one` (relative) and `n/two` over `app: web`, and everything listed.
    fn known() -> Known {
        let mut known = Known::default();
        let budget = |name: &str, spec: &str| {
            json!({
                "metadata": { "name": name, "namespace": "n" },
                "spec": { spec: 1, "selector": { "matchLabels": { "app": "web" } } },
            })
        };
        known.budget(applied(&budget("one", "maxUnavailable")));
        known.budget(applied(&budget("two", "minAvailable")));
        assert!(!known.is_due(), "nothing is known of pods and owners");
        known.pod(Update::Reset(Vec::new()));
        for (kind, _, _) in OWNERS {
            known.owner(kind, Update::Reset(Vec::new()));
        }
        known
    }

    fn due(known: &mut Known) -> Vec<String> {
        std::iter::from_fn(|| known.next_due().map(|(key, _)| key.1)).collect()
    }

    #[test]
    fn who_is_touched_is_due() {
        let mut known = known();
        assert_eq!(due(&mut known), ["one", "two"]);
        let labels = json!({ "labels": { "app": "web" } });
        let pod = owned("Pod", "p", labels);
        let seen = known.pod(applied(&pod));
        assert_eq!(due(&mut known), ["one", "two"]);
        let [key] = &seen[..] else { panic!("{seen:?}") };
        let covered = known.pods[key].clone();
        assert_eq!(known.contended(key, &covered).as_deref(), Some("one"));
        // What budgets do not look at changes nothing.
        let mut same = pod.clone();
        meta::set(&mut same, &["metadata", "annotations", "a"], "b");
        assert!(known.pod(applied(&same)).is_empty());
        known.pod(applied(&owned("Pod", "other", json!({}))));
        assert_eq!(due(&mut known), [""; 0]);
        // Only who looks at controllers is touched by them.
        let set = owned("ReplicaSet", "r", json!({}));
        known.owner("ReplicaSet", applied(&set));
        assert_eq!(due(&mut known), ["one"]);
        known.owner("ReplicaSet", applied(&set));
        assert_eq!(due(&mut known), [""; 0]);
        known.pod(Update::Deleted(pod.to_string().into()));
        assert_eq!(due(&mut known), ["one", "two"]);
    }

    #[test]
    fn a_replica_set_wants_what_its_deployment_wants() {
        let mut known = known();
        let mut deployment = owned("Deployment", "d", json!({}));
        meta::set(&mut deployment, &["spec", "replicas"], 5);
        known.owner("Deployment", applied(&deployment));
        let plain = owned("ReplicaSet", "plain", json!({}));
        for set in [
            plain,
            owned("ReplicaSet", "made", by("Deployment", "d")),
            owned("ReplicaSet", "orphan", by("Deployment", "gone")),
        ] {
            known.owner("ReplicaSet", applied(&set));
        }
        let owner = |api_version: &str, kind: &str, name: &str, uid: &str| Owner {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
        };
        for (owner, found) in [
            (
                owner("apps/v1", "ReplicaSet", "plain", "plain"),
                Some(("plain", 2)),
            ),
            (
                owner("apps/v1", "ReplicaSet", "made", "made"),
                Some(("d", 5)),
            ),
            (
                owner("apps/v1", "ReplicaSet", "orphan", "orphan"),
                Some(("orphan", 2)),
            ),
            (owner("apps/v1", "ReplicaSet", "plain", "another"), None),
            (
                owner("example.com/v1", "ReplicaSet", "plain", "plain"),
                None,
            ),
            (owner("apps/v1", "Deployment", "d", "d"), None),
        ] {
            let scale = known.scale("n", &owner);
            let scale = scale
                .as_ref()
                .map(|scale| (scale.uid.as_str(), scale.replicas));
            assert_eq!(scale, found, "{owner:?}");
        }
    }
}
