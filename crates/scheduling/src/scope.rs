//! Which pods a term of affinity or spreading means: namespaces and labels.

use crate::PodInfo;
use foldhash::HashMap;
use model::selector::{LabelSelector, Operator};
use model::{Value, meta};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The labels of namespaces, by name.
pub(crate) type NamespaceLabels = HashMap<String, BTreeMap<String, String>>;

/// Pods by namespace and labels.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    namespaces: BTreeSet<String>,
    namespace_selector: LabelSelector,
    pub(crate) selector: LabelSelector,
    /// Equal for equal scopes only.
    pub(crate) signature: Arc<str>,
}

impl Scope {
    pub(crate) fn new(
        namespaces: BTreeSet<String>,
        namespace_selector: LabelSelector,
        selector: LabelSelector,
    ) -> Self {
        let shown = |selector: &LabelSelector| {
            if selector.requirements().is_empty() && !selector.is_empty() {
                "<none>".to_owned()
            } else {
                selector.to_string()
            }
        };
        let names: Vec<&str> = namespaces.iter().map(String::as_str).collect();
        let signature = format!(
            "{}|{}|{}",
            names.join(","),
            shown(&namespace_selector),
            shown(&selector)
        );
        Self {
            namespaces,
            namespace_selector,
            selector,
            signature: signature.into(),
        }
    }

    /// The pods of one namespace that a selector matches.
    pub(crate) fn within(namespace: &str, selector: LabelSelector) -> Self {
        let namespaces = BTreeSet::from([namespace.to_owned()]);
        Self::new(namespaces, LabelSelector::nothing(), selector)
    }

    /// Whether which pods are meant depends on the labels of namespaces.
    pub(crate) fn looks_at_namespaces(&self) -> bool {
        !self.namespace_selector.requirements().is_empty()
    }

    pub(crate) fn matches(&self, pod: &PodInfo, labels: &NamespaceLabels) -> bool {
        let namespace = self.namespaces.contains(&pod.key.namespace)
            || self.namespace_selector.matches(|key| {
                let labels = labels.get(&pod.key.namespace)?;
                labels.get(key).map(String::as_str)
            });
        namespace && selects(&self.selector, &pod.labels)
    }
}

/// Whether a selector matches labels.
pub(crate) fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    selector.matches(|key| labels.get(key).map(String::as_str))
}

/// A term of pod affinity or anti-affinity.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    pub(crate) scope: Arc<Scope>,
    pub(crate) topology_key: Arc<str>,
}

impl Term {
    /// Reads a `PodAffinityTerm` of a pod. A selector that cannot be read means no pods, as
    /// validation refuses it before it is stored.
    pub(crate) fn of(term: &Value, namespace: &str, labels: &BTreeMap<String, String>) -> Self {
        let mut namespaces: BTreeSet<String> = meta::list(term, &["namespaces"])
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let selected = meta::at(term, &["namespaceSelector"]);
        if namespaces.is_empty() && selected.is_none() {
            namespaces.insert(namespace.to_owned());
        }
        let selector = meta::at(term, &["labelSelector"]).unwrap_or(&Value::Null);
        let mut selector = read(selector);
        if meta::at(term, &["labelSelector"]).is_some() {
            for (field, operator) in [
                ("matchLabelKeys", Operator::In),
                ("mismatchLabelKeys", Operator::NotIn),
            ] {
                selector = with_keys(selector, meta::list(term, &[field]), operator, labels);
            }
        }
        Self {
            scope: Arc::new(Scope::new(
                namespaces,
                selected.map_or_else(LabelSelector::nothing, read),
                selector,
            )),
            topology_key: Arc::from(meta::text(term, &["topologyKey"])),
        }
    }
}

/// A selector; one that cannot be read matches nothing.
pub(crate) fn read(selector: &Value) -> LabelSelector {
    LabelSelector::from_value(selector).unwrap_or_else(|_| LabelSelector::nothing())
}

/// Adds the pod's own values of some labels to a selector. The API server has done so at creation
/// already for affinity; the requirement it left there is kept as it is.
pub(crate) fn with_keys(
    selector: LabelSelector,
    keys: &[Value],
    operator: Operator,
    labels: &BTreeMap<String, String>,
) -> LabelSelector {
    use model::selector::Requirement;
    if keys.is_empty() || (selector.requirements().is_empty() && !selector.is_empty()) {
        return selector;
    }
    let mut requirements = selector.requirements().to_vec();
    for key in keys.iter().filter_map(Value::as_str) {
        let Some(value) = labels.get(key) else {
            continue;
        };
        if requirements
            .iter()
            .any(|r| r.key() == key && r.operator() == operator)
        {
            continue;
        }
        if let Ok(one) = Requirement::new(key, operator, BTreeSet::from([value.clone()])) {
            requirements.push(one);
        }
    }
    LabelSelector::new(requirements)
}

/// Finds the scopes that a pod may be in by one of its labels, without looking at all of them.
#[derive(Debug, Default)]
pub(crate) struct ScopeIndex {
    by_label: HashMap<String, HashMap<String, Vec<u32>>>,
    rest: Vec<u32>,
}

impl ScopeIndex {
    /// The label that every pod of the scope has, if its selector says one.
    fn label(scope: &Scope) -> Option<(&str, &str)> {
        scope.selector.requirements().iter().find_map(|r| {
            let one = matches!(
                r.operator(),
                Operator::In | Operator::Equals | Operator::DoubleEquals
            ) && r.values().len() == 1;
            Some((r.key(), r.values().first()?.as_str())).filter(|_| one)
        })
    }

    pub(crate) fn insert(&mut self, id: u32, scope: &Scope) {
        match Self::label(scope) {
            Some((key, value)) => self
                .by_label
                .entry(key.to_owned())
                .or_default()
                .entry(value.to_owned())
                .or_default()
                .push(id),
            None => self.rest.push(id),
        }
    }

    pub(crate) fn remove(&mut self, id: u32, scope: &Scope) {
        let Some((key, value)) = Self::label(scope) else {
            self.rest.retain(|known| *known != id);
            return;
        };
        let Some(values) = self.by_label.get_mut(key) else {
            return;
        };
        if let Some(ids) = values.get_mut(value) {
            ids.retain(|known| *known != id);
            if ids.is_empty() {
                values.remove(value);
            }
        }
        if values.is_empty() {
            self.by_label.remove(key);
        }
    }

    /// All scopes that may have a pod with these labels, and maybe some more.
    pub(crate) fn candidates(
        &self,
        labels: &BTreeMap<String, String>,
    ) -> impl Iterator<Item = u32> {
        labels
            .iter()
            .filter_map(|(key, value)| self.by_label.get(key)?.get(value))
            .flatten()
            .chain(&self.rest)
            .copied()
    }
}
