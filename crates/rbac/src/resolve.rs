//! The rules that apply to a user (upstream's `RulesFor`), as SelfSubjectRulesReview lists them
//! and escalation checks compare them.

use crate::index::Index;
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
    /// The `status` of a SelfSubjectRulesReview: rules on resources and on paths apart.
    pub fn review_status(&self) -> Value {
        let list = |texts: &[String]| Value::from(texts.to_vec());
        let mut resource_rules = Vec::new();
        let mut url_rules = Vec::new();
        for rule in &self.rules {
            if !rule.resources.is_empty() {
                let mut out = Map::new();
                out.insert("verbs".to_owned(), list(&rule.verbs));
                for (name, texts) in [
                    ("apiGroups", &rule.api_groups),
                    ("resources", &rule.resources),
                    ("resourceNames", &rule.resource_names),
                ] {
                    if !texts.is_empty() {
                        out.insert(name.to_owned(), list(texts));
                    }
                }
                resource_rules.push(Value::Object(out));
            }
            if !rule.non_resource_urls.is_empty() {
                let mut out = Map::new();
                out.insert("verbs".to_owned(), list(&rule.verbs));
                out.insert("nonResourceURLs".to_owned(), list(&rule.non_resource_urls));
                url_rules.push(Value::Object(out));
            }
        }
        let mut status = Map::new();
        status.insert("resourceRules".to_owned(), resource_rules.into());
        status.insert("nonResourceRules".to_owned(), url_rules.into());
        status.insert("incomplete".to_owned(), false.into());
        if !self.errors.is_empty() {
            let text = crate::index::aggregate_errors(&self.errors);
            status.insert("evaluationError".to_owned(), text.into());
        }
        Value::Object(status)
    }
}
