//! Which pods are of one kind though they say nothing of spreading: those of the same Services and
//! the same owner.

use crate::pod::PodInfo;
use crate::scope;
use foldhash::HashMap;
use model::selector::{LabelSelector, Operator, Requirement};
use model::{Value, meta};
use std::collections::{BTreeMap, BTreeSet};

/// Services by namespace and name, and owners by kind, namespace and name, with what they select.
#[derive(Debug, Default)]
pub(crate) struct Kinships {
    services: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>,
    owners: HashMap<(String, String, String), LabelSelector>,
}

impl Kinships {
    pub(crate) fn set_service(&mut self, service: &Value) {
        let selector: BTreeMap<String, String> = meta::strings(service, &["spec", "selector"])
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        let services = self.services.entry(meta::namespace(service).to_owned());
        let services = services.or_default();
        if selector.is_empty() {
            services.remove(meta::name(service));
        } else {
            services.insert(meta::name(service).to_owned(), selector);
        }
    }

    pub(crate) fn remove_service(&mut self, namespace: &str, name: &str) {
        if let Some(services) = self.services.get_mut(namespace) {
            services.remove(name);
        }
    }

    pub(crate) fn set_owner(&mut self, kind: &str, owner: &Value) {
        let selector = meta::at(owner, &["spec", "selector"]).unwrap_or(&Value::Null);
        let selector = if kind == "ReplicationController" {
            LabelSelector::from_labels(selector)
        } else {
            scope::read(selector)
        };
        let name = meta::name(owner).to_owned();
        let namespace = meta::namespace(owner).to_owned();
        self.owners
            .insert((kind.to_owned(), namespace, name), selector);
    }

    pub(crate) fn remove_owner(&mut self, kind: &str, namespace: &str, name: &str) {
        let key = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        self.owners.remove(&key);
    }

    /// What pods of the same Services and the same owner have in common, as upstream's
    /// `DefaultSelector`; empty if nothing.
    pub(crate) fn of(&self, pod: &PodInfo) -> LabelSelector {
        let mut labels: BTreeMap<&str, &str> = BTreeMap::new();
        let services = self.services.get(&pod.key.namespace);
        for selector in services.into_iter().flat_map(BTreeMap::values) {
            if selector.iter().all(|(k, v)| pod.labels.get(k) == Some(v)) {
                labels.extend(selector.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            }
        }
        let mut requirements: Vec<Requirement> = labels
            .into_iter()
            .filter_map(|(key, value)| {
                let values = BTreeSet::from([value.to_owned()]);
                Requirement::new(key, Operator::Equals, values).ok()
            })
            .collect();
        if let Some((kind, name)) = &pod.owner {
            let key = (kind.clone(), pod.key.namespace.clone(), name.clone());
            if let Some(selector) = self.owners.get(&key) {
                requirements.extend(selector.requirements().iter().cloned());
            }
        }
        LabelSelector::new(requirements)
    }
}
