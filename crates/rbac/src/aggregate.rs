//! ClusterRoles that gather the rules of others by label.

use crate::object::{MalformedObject, rules_of};
use crate::rule::Rule;
use model::selector::LabelSelector;
use model::{Value, meta};

/// The rules that an aggregating ClusterRole should have, if it is one and does not have them;
/// as upstream's controller: rules of the selected roles (but never its own) in the order of the
/// roles' names for each selector in turn, each distinct rule once.
///
/// A role whose rules cannot be read contributes none. The error is that of `role` itself.
pub fn aggregate<'a>(
    role: &Value,
    all: impl IntoIterator<Item = &'a Value>,
) -> Result<Option<Vec<Rule>>, MalformedObject> {
    if meta::at(role, &["aggregationRule"]).is_none() {
        return Ok(None);
    }
    let mut sources: Vec<&Value> = all
        .into_iter()
        .filter(|other| meta::name(other) != meta::name(role))
        .collect();
    sources.sort_by_key(|other| meta::name(other));
    let mut rules: Vec<Rule> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for selector in meta::list(role, &["aggregationRule", "clusterRoleSelectors"]) {
        let Ok(selector) = LabelSelector::from_value(selector) else {
            continue;
        };
        for source in &sources {
            let labels = meta::labels(source);
            if !selector.matches(|key| labels.get(key).copied()) {
                continue;
            }
            for rule in rules_of(source).unwrap_or_default() {
                if seen.insert(rule.clone()) {
                    rules.push(rule);
                }
            }
        }
    }
    Ok((rules_of(role)? != rules).then_some(rules))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap;
    use serde_json::json;

    /// Aggregates until nothing changes; `edit` is gathered into `admin` and so on.
    fn settled() -> Vec<Value> {
        let mut objects = bootstrap::objects();
        objects.retain(|o| meta::text(o, &["kind"]) == "ClusterRole");
        for _ in 0..10 {
            for i in 0..objects.len() {
                if let Some(rules) = aggregate(&objects[i], &objects).unwrap() {
                    objects[i]["rules"] = serde_json::to_value(rules).unwrap();
                }
            }
        }
        objects
    }

    #[test]
    fn admin_holds_edit_holds_view() {
        let objects = settled();
        let rules = |name: &str| {
            let role = objects.iter().find(|o| meta::name(o) == name).unwrap();
            rules_of(role).unwrap()
        };
        for rule in rules("view") {
            assert!(rules("edit").contains(&rule));
        }
        for rule in rules("edit") {
            assert!(rules("admin").contains(&rule));
        }
        assert!(rules("view").len() > 5);
        assert!(rules("admin").len() > rules("edit").len());
        for object in &objects {
            assert_eq!(aggregate(object, &objects).unwrap(), None);
        }
    }

    #[test]
    fn what_selects_nothing_empties_the_role() {
        let role = json!({
            "metadata": {"name": "r", "labels": {"a": "b"}},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
            "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
        });
        assert_eq!(aggregate(&role, [&role]).unwrap(), Some(Vec::new()));
        assert_eq!(
            aggregate(&json!({"metadata": {"name": "r"}}), []).unwrap(),
            None
        );
    }
}
