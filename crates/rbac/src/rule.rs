//! A rule of a role, as people write it, and what it allows on its own.

use crate::Attributes;
use model::go::quoted_list;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// In verbs, API groups, resources and URLs: everything.
pub const ALL: &str = "*";

/// A `PolicyRule` of `rbac.authorization.k8s.io/v1`. Absent and null lists are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// The API groups; `""` is the core group.
    #[serde(deserialize_with = "texts", skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    /// Paths of things that are no resources; a trailing `*` matches any rest.
    #[serde(
        rename = "nonResourceURLs",
        deserialize_with = "texts",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub non_resource_urls: Vec<String>,
    /// Names of single objects; empty means every object, and requests without a name too.
    #[serde(deserialize_with = "texts", skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    /// `pods`, `pods/status`, `*/status` or `*`.
    #[serde(deserialize_with = "texts", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// The verbs.
    #[serde(deserialize_with = "texts")]
    pub verbs: Vec<String>,
}

fn texts<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or_default())
}

impl Rule {
    /// A rule on resources.
    pub fn on<S: Into<String>>(
        verbs: impl IntoIterator<Item = S>,
        api_groups: impl IntoIterator<Item = S>,
        resources: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            verbs: collect(verbs),
            api_groups: collect(api_groups),
            resources: collect(resources),
            ..Self::default()
        }
    }

    /// A rule on paths.
    pub fn on_urls<S: Into<String>>(
        verbs: impl IntoIterator<Item = S>,
        urls: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            verbs: collect(verbs),
            non_resource_urls: collect(urls),
            ..Self::default()
        }
    }

    /// The same rule for single objects.
    pub fn named<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        Self {
            resource_names: collect(names),
            ..self
        }
    }

    /// Whether this rule alone allows the request (upstream's `RuleAllows`).
    pub fn allows(&self, a: &Attributes<'_>) -> bool {
        if !has_or_all(&self.verbs, a.verb) {
            return false;
        }
        if !a.is_resource() {
            return self.non_resource_urls.iter().any(|u| url_covers(u, a.path));
        }
        has_or_all(&self.api_groups, a.group)
            && self
                .resources
                .iter()
                .any(|r| resource_matches(r, a.resource, a.subresource))
            && (self.resource_names.is_empty() || self.resource_names.iter().any(|n| n == a.name))
    }

    /// The rule on one line, as upstream's escalation errors write it:
    /// `{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}`.
    pub fn compact(&self) -> String {
        let parts: Vec<String> = [
            ("APIGroups", &self.api_groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.non_resource_urls),
            ("ResourceNames", &self.resource_names),
            ("Verbs", &self.verbs),
        ]
        .iter()
        .filter(|(_, texts)| !texts.is_empty())
        .map(|(name, texts)| format!("{name}:{}", quoted_list(texts)))
        .collect();
        format!("{{{}}}", parts.join(", "))
    }

    /// The group, resource and name of a rule on one resource (and at most one name), whose verbs
    /// can be merged with those of its like.
    fn simple(&self) -> Option<(String, String, Option<String>)> {
        match (
            self.api_groups.as_slice(),
            self.resources.as_slice(),
            self.resource_names.as_slice(),
        ) {
            ([group], [resource], names @ ([] | [_])) if self.non_resource_urls.is_empty() => {
                Some((group.clone(), resource.clone(), names.first().cloned()))
            }
            _ => None,
        }
    }
}

/// Merges the verbs of rules on the same single resource (upstream's `CompactRules`). Other rules
/// come first, unchanged; merged ones follow in the order of group, resource and name.
pub fn compact_rules(rules: impl IntoIterator<Item = Rule>) -> Vec<Rule> {
    let mut kept = Vec::new();
    let mut merged: BTreeMap<_, Rule> = BTreeMap::new();
    for rule in rules {
        match rule.simple() {
            None => kept.push(rule),
            Some(key) => match merged.get_mut(&key) {
                Some(known) => known.verbs.extend(rule.verbs),
                None => {
                    merged.insert(key, rule);
                }
            },
        }
    }
    kept.extend(merged.into_values());
    kept
}

fn collect<S: Into<String>>(texts: impl IntoIterator<Item = S>) -> Vec<String> {
    texts.into_iter().map(Into::into).collect()
}

fn has_or_all(texts: &[String], wanted: &str) -> bool {
    texts.iter().any(|t| t == ALL || t == wanted)
}

/// Whether a rule's resource covers the requested one. There is no `pods/*`: only `*`, the exact
/// name, and `*/subresource`.
pub(crate) fn resource_matches(rule: &str, resource: &str, subresource: &str) -> bool {
    if rule == ALL {
        return true;
    }
    if subresource.is_empty() {
        return rule == resource;
    }
    let rest = rule
        .strip_prefix("*/")
        .filter(|rest| *rest == subresource)
        .or_else(|| rule.strip_prefix(resource)?.strip_prefix('/'));
    rest == Some(subresource)
}

/// Whether a rule's URL covers a path (or another rule's URL).
pub(crate) fn url_covers(rule: &str, path: &str) -> bool {
    rule == path || (rule.ends_with('*') && path.starts_with(rule.trim_end_matches('*')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::user::UserInfo;

    #[test]
    fn resources() {
        for (rule, resource, sub, want) in [
            ("*", "pods", "", true),
            ("*", "pods", "status", true),
            ("pods", "pods", "", true),
            ("pods", "pods", "status", false),
            ("pods/status", "pods", "status", true),
            ("pods/status", "pods", "", false),
            ("*/status", "pods", "status", true),
            ("*/status", "pods", "", false),
            ("pods/*", "pods", "status", false),
            ("pods/*", "pods", "", false),
        ] {
            assert_eq!(resource_matches(rule, resource, sub), want, "{rule}");
        }
    }

    #[test]
    fn urls() {
        for (rule, path, want) in [
            ("*", "/healthz", true),
            ("/healthz", "/healthz", true),
            ("/healthz", "/healthz/ping", false),
            ("/healthz/*", "/healthz/ping", true),
            ("/healthz/*", "/healthz", false),
            ("/api*", "/apis", true),
            ("/api**", "/apis", true),
            ("/*/x", "/a/x", false),
        ] {
            assert_eq!(url_covers(rule, path), want, "{rule} {path}");
        }
    }

    #[test]
    fn names() {
        let user = UserInfo::default();
        let rule = Rule::on(["get"], [""], ["configmaps"]).named(["a"]);
        let ask = Attributes::resource(&user, "get", "", "configmaps");
        assert!(rule.allows(&ask.named("a")));
        assert!(!rule.allows(&ask.named("b")));
        assert!(!rule.allows(&ask));
        assert!(!rule.allows(&Attributes::path(&user, "get", "/healthz")));
    }

    #[test]
    fn one_line() {
        assert_eq!(
            Rule::on(["get", "list"], [""], ["secrets"])
                .named(["a"])
                .compact(),
            r#"{APIGroups:[""], Resources:["secrets"], ResourceNames:["a"], Verbs:["get" "list"]}"#
        );
        assert_eq!(
            Rule::on_urls(["get"], ["/healthz"]).compact(),
            r#"{NonResourceURLs:["/healthz"], Verbs:["get"]}"#
        );
    }

    #[test]
    fn merging() {
        let rules = compact_rules([
            Rule::on(["get"], [""], ["pods"]),
            Rule::on_urls(["get"], ["/x"]),
            Rule::on(["list"], [""], ["pods"]),
            Rule::on(["list"], [""], ["pods"]).named(["a"]),
        ]);
        assert_eq!(
            rules,
            [
                Rule::on_urls(["get"], ["/x"]),
                Rule::on(["get", "list"], [""], ["pods"]),
                Rule::on(["list"], [""], ["pods"]).named(["a"]),
            ]
        );
    }

    #[test]
    fn null_lists() {
        let rule: Rule = serde_json::from_str(r#"{"verbs":["get"],"resources":null}"#).unwrap();
        assert_eq!(rule.verbs, ["get"]);
        assert!(rule.resources.is_empty());
    }
}
