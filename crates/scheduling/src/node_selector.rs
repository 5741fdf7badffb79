//! Node selectors and node affinity, compiled once per pod.

use model::{Value, meta};
use std::collections::{BTreeMap, BTreeSet};

/// How an expression looks at a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
    Above(Option<i64>),
    Below(Option<i64>),
    /// An operator that is not known makes the whole term match nothing.
    Never,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Expression {
    key: String,
    test: Test,
}

impl Expression {
    fn of(requirement: &Value) -> Self {
        let values: Vec<String> = meta::list(requirement, &["values"])
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let bound = || match values.as_slice() {
            [one] => one.parse::<i64>().ok(),
            _ => None,
        };
        let test = match meta::text(requirement, &["operator"]) {
            "In" => Test::In(values),
            "NotIn" => Test::NotIn(values),
            "Exists" => Test::Exists,
            "DoesNotExist" => Test::DoesNotExist,
            "Gt" => Test::Above(bound()),
            "Lt" => Test::Below(bound()),
            _ => Test::Never,
        };
        Self {
            key: meta::text(requirement, &["key"]).to_owned(),
            test,
        }
    }

    fn holds(&self, actual: Option<&str>) -> bool {
        let number = || actual.and_then(|text| text.parse::<i64>().ok());
        let among = |values: &[String]| actual.is_some_and(|a| values.iter().any(|v| v == a));
        match &self.test {
            Test::In(values) => among(values),
            Test::NotIn(values) => !among(values),
            Test::Exists => actual.is_some(),
            Test::DoesNotExist => actual.is_none(),
            Test::Above(bound) => number().zip(*bound).is_some_and(|(a, b)| a > b),
            Test::Below(bound) => number().zip(*bound).is_some_and(|(a, b)| a < b),
            Test::Never => false,
        }
    }
}

/// A node selector term: all expressions must hold; one without any matches nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Term {
    labels: Vec<Expression>,
    fields: Vec<Expression>,
}

impl Term {
    pub(crate) fn of(term: &Value) -> Self {
        let expressions = |list: &str| {
            meta::list(term, &[list])
                .iter()
                .map(Expression::of)
                .collect::<Vec<_>>()
        };
        Self {
            labels: expressions("matchExpressions"),
            fields: expressions("matchFields"),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn matches(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        !self.is_empty()
            && self
                .labels
                .iter()
                .all(|e| e.holds(labels.get(&e.key).map(String::as_str)))
            && self
                .fields
                .iter()
                .all(|e| e.holds((e.key == "metadata.name").then_some(name)))
    }

    /// The nodes that the term asks for by name, if it does.
    fn names(&self) -> Option<BTreeSet<&str>> {
        let mut names: Option<BTreeSet<&str>> = None;
        for field in &self.fields {
            if let (true, Test::In(values)) = (field.key == "metadata.name", &field.test) {
                let these: BTreeSet<&str> = values.iter().map(String::as_str).collect();
                names = Some(match names {
                    Some(before) => before.intersection(&these).copied().collect(),
                    None => these,
                });
            }
        }
        names
    }
}

/// The terms of a node selector, which are alternatives; an empty list matches nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct NodeSelector(Vec<Term>);

impl NodeSelector {
    /// Reads a `NodeSelector`.
    pub(crate) fn of(selector: &Value) -> Self {
        let terms = meta::list(selector, &["nodeSelectorTerms"]);
        Self(terms.iter().map(Term::of).collect())
    }

    pub(crate) fn matches(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().any(|term| term.matches(name, labels))
    }
}

/// What `spec.nodeSelector` and required node affinity ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Required {
    selector: Vec<(String, String)>,
    affinity: Option<NodeSelector>,
}

const AFFINITY: [&str; 3] = ["spec", "affinity", "nodeAffinity"];

impl Required {
    /// What a pod asks for.
    pub(crate) fn of(pod: &Value) -> Self {
        let [spec, affinity, node] = AFFINITY;
        let path = [
            spec,
            affinity,
            node,
            "requiredDuringSchedulingIgnoredDuringExecution",
        ];
        Self {
            selector: meta::strings(pod, &["spec", "nodeSelector"])
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            affinity: meta::at(pod, &path).map(NodeSelector::of),
        }
    }

    /// Whether it asks for nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.selector.is_empty() && self.affinity.is_none()
    }

    pub(crate) fn matches(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.selector
            .iter()
            .all(|(key, value)| labels.get(key).is_some_and(|v| v == value))
            && self
                .affinity
                .as_ref()
                .is_none_or(|affinity| affinity.matches(name, labels))
    }

    /// The only nodes that can match, where every alternative names some: upstream looks at no
    /// others. An empty set is a contradiction.
    pub(crate) fn names(&self) -> Option<BTreeSet<&str>> {
        let terms = &self.affinity.as_ref()?.0;
        let mut all = BTreeSet::new();
        for term in terms {
            all.extend(term.names()?);
        }
        (!terms.is_empty()).then_some(all)
    }
}

/// Preferred terms with their weights; those that say nothing are left out, as upstream.
pub(crate) fn preferred(pod: &Value) -> Vec<(i64, Term)> {
    let [spec, affinity, node] = AFFINITY;
    let path = [
        spec,
        affinity,
        node,
        "preferredDuringSchedulingIgnoredDuringExecution",
    ];
    meta::list(pod, &path)
        .iter()
        .filter_map(|term| {
            let weight = meta::at(term, &["weight"])?.as_i64()?;
            let term = Term::of(meta::at(term, &["preference"])?);
            (weight != 0 && !term.is_empty()).then_some((weight, term))
        })
        .collect()
}
