//! PodDisruptionBudgets as preemption looks at them.

use crate::pod::PodInfo;
use crate::scope::{self, selects};
use model::selector::LabelSelector;
use model::{Value, meta};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many of some pods may go.
#[derive(Debug, Clone)]
struct Budget {
    selector: LabelSelector,
    allowed: i64,
    /// Pods whose going was counted already.
    disrupted: BTreeSet<String>,
}

/// All budgets, by namespace and name.
#[derive(Debug, Default)]
pub(crate) struct Budgets(BTreeMap<String, BTreeMap<String, Budget>>);

impl Budgets {
    pub(crate) fn set(&mut self, budget: &Value) {
        let status = |field: &str| meta::at(budget, &["status", field]);
        let selector = meta::at(budget, &["spec", "selector"]);
        let read = Budget {
            selector: selector.map_or_else(LabelSelector::nothing, scope::read),
            allowed: status("disruptionsAllowed")
                .and_then(Value::as_i64)
                .unwrap_or(0),
            disrupted: status("disruptedPods")
                .and_then(Value::as_object)
                .into_iter()
                .flat_map(|pods| pods.keys().cloned())
                .collect(),
        };
        let namespace = self.0.entry(meta::namespace(budget).to_owned());
        namespace
            .or_default()
            .insert(meta::name(budget).to_owned(), read);
    }

    pub(crate) fn remove(&mut self, namespace: &str, name: &str) {
        if let Some(budgets) = self.0.get_mut(namespace) {
            budgets.remove(name);
            if budgets.is_empty() {
                self.0.remove(namespace);
            }
        }
    }

    /// A pod goes: what its budgets still allow becomes one less.
    pub(crate) fn note(&mut self, pod: &PodInfo) {
        let budgets = self.0.get_mut(&pod.key.namespace).into_iter();
        for budget in budgets.flat_map(BTreeMap::values_mut) {
            if !budget.selector.is_empty() && selects(&budget.selector, &pod.labels) {
                budget.allowed = budget.allowed.saturating_sub(1).max(0);
            }
        }
    }

    /// Parts pods, of which the most important come first, into those whose going would break a
    /// budget if all before them went too, and the others.
    pub(crate) fn part(&self, pods: Vec<Arc<PodInfo>>) -> (Vec<Arc<PodInfo>>, Vec<Arc<PodInfo>>) {
        if self.0.is_empty() {
            return (Vec::new(), pods);
        }
        let mut left: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        pods.into_iter().partition(|pod| {
            let mut is_broken = false;
            if pod.labels.is_empty() {
                return false;
            }
            let Some((namespace, budgets)) = self.0.get_key_value(&pod.key.namespace) else {
                return false;
            };
            for (name, budget) in budgets {
                if budget.selector.is_empty()
                    || !selects(&budget.selector, &pod.labels)
                    || budget.disrupted.contains(&pod.key.name)
                {
                    continue;
                }
                let left = left.entry((namespace, name)).or_insert(budget.allowed);
                *left -= 1;
                is_broken |= *left < 0;
            }
            is_broken
        })
    }
}
