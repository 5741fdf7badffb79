//! The rules that apply to a user (upstream's `RulesFor`), as SelfSubjectRulesReview lists them
//! and escalation checks compare them.

use crate::index::{Index, aggregate_errors};
use crate::rule::Rule;
use model::user::UserInfo;
use model::{Map, Value};

/// The rules of a user in a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// The rules, in the order of bindings and of rules in roles, with duplicates, as upstream.
    pub rules: Vec<Rule>,
    /// One error per binding whose role does not exist.
    pub errors: Vec<String>,
}

/// Something that knows roles and bindings.
pub trait RuleResolver {
    /// The rules that apply to a user in a namespace.
    fn rules_for(&self, user: &UserInfo, namespace: &str) -> Rules;
    /// The rules of a Role, or (with an empty namespace) of a ClusterRole.
    fn role_rules(&self, namespace: &str, name: &str) -> Option<Vec<Rule>>;
}

impl RuleResolver for Index {
    fn rules_for(&self, user: &UserInfo, namespace: &str) -> Rules {
        Index::rules_for(self, user, namespace)
    }

    fn role_rules(&self, namespace: &str, name: &str) -> Option<Vec<Rule>> {
        Index::role_rules(self, namespace, name)
    }
}

impl Index {
    /// The rules that apply to a user in a namespace; with an empty namespace, those of
    /// ClusterRoleBindings only.
    pub fn rules_for(&self, user: &UserInfo, namespace: &str) -> Rules {
        let mut rules = Vec::new();
        for binding in self.bindings_for(user, namespace) {
            if let Some(of_role) = self.role_rules(binding.role_namespace, binding.role) {
                rules.extend(of_role);
            }
        }
        Rules {
            rules,
            errors: self.missing_roles(user, namespace),
        }
    }
}

impl Rules {
    /// `authorization.k8s.io/v1` ResourceRule objects, one per rule on resources.
    pub fn resource_rules(&self) -> Vec<Value> {
        self.rules
            .iter()
            .filter(|rule| !rule.resources.is_empty())
            .map(|rule| {
                object([
                    ("verbs", &rule.verbs),
                    ("apiGroups", &rule.api_groups),
                    ("resources", &rule.resources),
                    ("resourceNames", &rule.resource_names),
                ])
            })
            .collect()
    }

    /// `authorization.k8s.io/v1` NonResourceRule objects, one per rule on paths.
    pub fn non_resource_rules(&self) -> Vec<Value> {
        self.rules
            .iter()
            .filter(|rule| !rule.non_resource_urls.is_empty())
            .map(|rule| {
                object([
                    ("verbs", &rule.verbs),
                    ("nonResourceURLs", &rule.non_resource_urls),
                ])
            })
            .collect()
    }

    /// The errors as one text; empty if there are none.
    pub fn error(&self) -> String {
        if self.errors.is_empty() {
            String::new()
        } else {
            aggregate_errors(&self.errors)
        }
    }
}

/// An object of lists; those that are empty are left out, but never `verbs`.
fn object<const N: usize>(lists: [(&str, &Vec<String>); N]) -> Value {
    let lists = lists
        .into_iter()
        .filter(|(name, texts)| *name == "verbs" || !texts.is_empty())
        .map(|(name, texts)| (name.to_owned(), Value::from(texts.clone())));
    Value::Object(lists.collect::<Map>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_are_listed_by_what_they_are_about() {
        let rules = Rules {
            rules: vec![
                Rule::on(["get", "list"], [""], ["pods"]),
                Rule::on(["get"], [""], ["secrets"]).named(["a"]),
                Rule::on_urls(["get"], ["/healthz"]),
                Rule::default(),
            ],
            errors: vec!["x".to_owned(), "y".to_owned()],
        };
        assert_eq!(
            rules.resource_rules(),
            [
                json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}),
                json!({
                    "verbs": ["get"],
                    "apiGroups": [""],
                    "resources": ["secrets"],
                    "resourceNames": ["a"],
                }),
            ]
        );
        assert_eq!(
            rules.non_resource_rules(),
            [json!({"verbs": ["get"], "nonResourceURLs": ["/healthz"]})]
        );
        assert_eq!(rules.error(), "[x, y]");
        assert_eq!(Rules::default().error(), "");
    }
}
