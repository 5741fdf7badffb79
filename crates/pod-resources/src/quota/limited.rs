//! What nobody may use unless a quota of the namespace speaks of it: upstream's
//! `limitedResources`, from the plugin's configuration.

use super::{Kind, Refusal, scope, usage};
use crate::effective::Resources;
use model::{Value, meta};
use std::collections::BTreeSet;

/// Resources, or pods of some scope, that are limited even where there is no quota.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limited {
    /// The API group of the objects that this is about.
    pub group: String,
    /// Their plural name.
    pub plural: String,
    /// Resources whose name has one of these in it need a quota.
    pub contains: Vec<String>,
    /// Objects that one of these selects (`scopeName`, `operator`, `values`) need a quota with such
    /// a scope.
    pub scopes: Vec<Value>,
}

/// What the quotas of a namespace speak of, as far as it is about one object.
#[derive(Default)]
pub(super) struct Covered {
    resources: BTreeSet<String>,
    scopes: BTreeSet<String>,
}

impl Covered {
    /// Notes the scopes of a quota that select the object.
    pub(super) fn scopes(&mut self, quota: &Value, kind: Kind<'_>, object: &Value) {
        let selecting = scope::selecting(quota, kind, object);
        self.scopes.extend(selecting.map(str::to_owned));
    }

    /// Notes what a quota that counts the object limits.
    pub(super) fn resources(&mut self, hard: &Resources, kind: Kind<'_>) {
        let named = hard.keys().filter(|name| usage::concerns(kind, name));
        self.resources.extend(named.cloned());
    }

    /// Whether everything is covered that needs to be.
    pub(super) fn check(
        &self,
        limited: &[Limited],
        kind: Kind<'_>,
        object: &Value,
        usage: &Resources,
    ) -> Result<(), Refusal> {
        let of_kind = |limit: &&Limited| limit.group == kind.group && limit.plural == kind.plural;
        let needs = |name: &str| {
            { limited.iter().filter(of_kind) }
                .any(|limit| limit.contains.iter().any(|part| name.contains(part)))
        };
        let uncovered: Vec<&str> = usage
            .iter()
            .filter(|(_, amount)| !amount.is_zero())
            .map(|(name, _)| name.as_str())
            .filter(|name| needs(name) && !self.resources.contains(*name))
            .collect();
        if !uncovered.is_empty() {
            return Err(Refusal::Uncovered(uncovered.join(",")));
        }
        // As upstream, whatever kind the rule names: only pods have scopes.
        let missing: Vec<String> = limited
            .iter()
            .flat_map(|limit| &limit.scopes)
            .filter(|selector| scope::selects(selector, kind, object))
            .filter(|selector| !self.scopes.contains(meta::text(selector, &["scopeName"])))
            .map(shown)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Refusal::UncoveredScopes(format!("[{}]", missing.join(" "))))
    }
}

/// A selector as Go prints a structure.
fn shown(selector: &Value) -> String {
    let text = |key| meta::text(selector, &[key]);
    let values = meta::list(selector, &["values"]).iter();
    let values: Vec<&str> = values.filter_map(Value::as_str).collect();
    format!(
        "{{{} {} [{}]}}",
        text("scopeName"),
        text("operator"),
        values.join(" ")
    )
}
