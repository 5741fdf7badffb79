//! What changed in access from one snapshot to another.

use super::{Access, Cells, Difference, Matrix, Resource, differences, resources};
use rbac::Subject;
use snapshot::Snapshot;
use std::collections::{BTreeMap, BTreeSet};

/// What a subject gained and lost in one scope.
#[derive(Debug, Clone)]
pub struct Change {
    /// Who.
    pub subject: Subject,
    /// The only namespace; empty for all.
    pub namespace: String,
    /// The verbs that are not allowed as before; at least one.
    pub differences: Vec<Difference>,
}

/// What is allowed on which resources.
type Rights = Vec<(Resource, Cells)>;

/// What bindings give to subjects in `new` and not in `old`, and the other way round, by subject
/// and namespace. Both are asked about the resources that either knows.
pub fn changes(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let known: BTreeSet<Resource> = resources(old).into_iter().chain(resources(new)).collect();
    let known: Vec<Resource> = known.into_iter().collect();
    let before = Matrix::of(old, known.clone(), None);
    let after = Matrix::of(new, known, None);
    let mut pairs: BTreeMap<(Subject, String), [Rights; 2]> = BTreeMap::new();
    for (matrix, is_after) in [(before, false), (after, true)] {
        for row in matrix.rows {
            let cells = row.cells.into_iter().filter_map(|(at, cells)| {
                let resource = matrix.resources.get(at)?;
                Some((resource.clone(), cells))
            });
            let [old, new] = pairs.entry((row.subject, row.namespace)).or_default();
            let side = if is_after { new } else { old };
            side.extend(cells);
        }
    }
    pairs
        .into_iter()
        .map(|((subject, namespace), [old, new])| Change {
            subject,
            namespace,
            differences: differences(&old, &new),
        })
        .filter(|change| !change.differences.is_empty())
        .collect()
}

impl Difference {
    /// Whether more is allowed than before.
    pub fn is_gain(&self) -> bool {
        self.after > self.before
    }

    /// How far the verb was allowed, or is now: the one that is more.
    pub fn access(&self) -> Access {
        self.after.max(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::registry::Registry;
    use serde_json::json;
    use snapshot::{Builder, Options};
    use std::sync::Arc;

    fn snapshot(verbs: &[&str], user: &str) -> Snapshot {
        let mut builder = Builder::new(Arc::new(Registry::builtin()), Options::manifests("a"));
        let group = "rbac.authorization.k8s.io";
        let api_version = format!("{group}/v1");
        builder.object(json!({
            "apiVersion": api_version, "kind": "Role", "metadata": {"name": "r"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}],
        }));
        builder.object(json!({
            "apiVersion": api_version, "kind": "RoleBinding", "metadata": {"name": "b"},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "r"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        }));
        builder.build()
    }

    #[test]
    fn gains_and_losses_are_told_apart() {
        let old = snapshot(&["get", "list"], "jane");
        assert!(changes(&old, &old).is_empty());
        let all = changes(&old, &snapshot(&["get", "delete"], "jane"));
        let told: Vec<_> = all
            .iter()
            .flat_map(|change| &change.differences)
            .map(|d| (d.resource.to_string(), d.verb, d.is_gain()))
            .collect();
        assert_eq!(
            told,
            [
                ("pods".to_owned(), "list", false),
                ("pods".to_owned(), "delete", true)
            ]
        );
        assert_eq!(all[0].namespace, "a");
        // Another subject: one loses everything, the other gains it.
        let all = changes(&old, &snapshot(&["get", "list"], "john"));
        let gains: Vec<_> = all
            .iter()
            .map(|c| {
                (
                    c.subject.clone(),
                    c.differences.iter().all(Difference::is_gain),
                )
            })
            .collect();
        let user = |name: &str| Subject::User(name.to_owned());
        assert_eq!(gains, [(user("jane"), false), (user("john"), true)]);
    }
}
