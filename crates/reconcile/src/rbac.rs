//! The bootstrap policy is there and no weaker than upstream's, and aggregating cluster roles
//! hold what they gather.
//!
//! Both are as upstream: rules, subjects, labels and annotations that are missing are added,
//! and nothing that somebody added is taken away; an object whose annotation
//! `rbac.authorization.kubernetes.io/autoupdate` is `false` is left as it is.

use crate::{Action, Propagation, Target};
use ::rbac::bootstrap::{self, AUTOUPDATE_ANNOTATION};
use ::rbac::escalation::uncovered;
use ::rbac::object::{GROUP, MalformedObject, rules_of};
use model::{Value, meta};

/// The target that an RBAC object is stored under.
pub fn target(object: &Value) -> Target {
    let resource = match meta::text(object, &["kind"]) {
        "ClusterRole" => "clusterroles",
        "ClusterRoleBinding" => "clusterrolebindings",
        "Role" => "roles",
        _ => "rolebindings",
    };
    Target {
        group: GROUP.to_owned(),
        version: "v1".to_owned(),
        resource: resource.to_owned(),
        namespace: meta::namespace(object).to_owned(),
        name: meta::name(object).to_owned(),
    }
}

/// What to do so that the whole bootstrap policy is there. `existing` finds objects as they are.
/// Namespaces `kube-system` and `kube-public` must exist before the actions are carried out.
pub fn bootstrap<'a>(
    existing: impl Fn(&Target) -> Option<&'a Value>,
) -> Result<Vec<Action>, MalformedObject> {
    let mut actions = Vec::new();
    for expected in bootstrap::objects() {
        let target = target(&expected);
        let found = existing(&target);
        actions.extend(match (target.resource.as_str(), found) {
            (_, None) => vec![Action::Create(target, expected)],
            ("roles" | "clusterroles", Some(found)) => role(&expected, found)?,
            (_, Some(found)) => binding(&expected, found),
        });
    }
    Ok(actions)
}

/// What to do so that `existing` is no weaker than `expected`, both roles of one name.
pub fn role(expected: &Value, existing: &Value) -> Result<Vec<Action>, MalformedObject> {
    if is_protected(existing) {
        return Ok(Vec::new());
    }
    let mut merged = existing.clone();
    merge_metadata(&mut merged, expected);
    let mut rules = rules_of(existing)?;
    let missing = uncovered(&rules, &rules_of(expected)?);
    if !missing.is_empty() {
        rules.extend(missing);
        // Rules are plain lists of text, which always have a JSON form.
        meta::set(
            &mut merged,
            &["rules"],
            serde_json::to_value(rules).unwrap_or_default(),
        );
    }
    add_missing(
        &mut merged,
        expected,
        &["aggregationRule", "clusterRoleSelectors"],
    );
    Ok(update_if_changed(existing, merged))
}

/// What to do so that `existing` grants what `expected` does, to at least its subjects. What a
/// binding grants cannot be changed, so that one that grants something else is made anew.
pub fn binding(expected: &Value, existing: &Value) -> Vec<Action> {
    if is_protected(existing) {
        return Vec::new();
    }
    let role_ref = |object: &Value| {
        ["apiGroup", "kind", "name"].map(|f| meta::text(object, &["roleRef", f]).to_owned())
    };
    let mut merged = existing.clone();
    merge_metadata(&mut merged, expected);
    add_missing(&mut merged, expected, &["subjects"]);
    if role_ref(expected) == role_ref(existing) {
        return update_if_changed(existing, merged);
    }
    for field in [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "managedFields",
    ] {
        meta::remove(&mut merged, &["metadata", field]);
    }
    let role_ref = meta::at(expected, &["roleRef"]).cloned();
    meta::set(&mut merged, &["roleRef"], role_ref.unwrap_or_default());
    let uid = meta::uid(existing).to_owned();
    vec![
        Action::Delete(target(existing), uid, Some(Propagation::Background)),
        Action::Create(target(expected), merged),
    ]
}

/// What to do so that every aggregating role among `cluster_roles` holds the rules that it
/// gathers. Roles may gather from roles that gather: call this again after every change. A role
/// whose own rules cannot be read is left as it is.
pub fn aggregation(cluster_roles: &[&Value]) -> Vec<Action> {
    cluster_roles
        .iter()
        .filter_map(|role| {
            let rules =
                ::rbac::aggregate::aggregate(role, cluster_roles.iter().copied()).ok()??;
            let mut updated = (*role).clone();
            meta::set(&mut updated, &["rules"], serde_json::to_value(rules).ok()?);
            Some(Action::Update(target(role), updated))
        })
        .collect()
}

fn is_protected(existing: &Value) -> bool {
    meta::annotations(existing).get(AUTOUPDATE_ANNOTATION) == Some(&"false")
}

fn merge_metadata(merged: &mut Value, expected: &Value) {
    for field in ["labels", "annotations"] {
        for (key, value) in meta::strings(expected, &["metadata", field]) {
            let path = ["metadata", field, key];
            if meta::at(merged, &path).is_none() {
                meta::set(merged, &path, value);
            }
        }
    }
}

/// Appends the members of the list at `path` that are missing.
fn add_missing(merged: &mut Value, expected: &Value, path: &[&str]) {
    let mut list = meta::list(merged, path).to_vec();
    let before = list.len();
    for member in meta::list(expected, path) {
        if !list.contains(member) {
            list.push(member.clone());
        }
    }
    if list.len() > before {
        meta::set(merged, path, list);
    }
}

fn update_if_changed(existing: &Value, merged: Value) -> Vec<Action> {
    if *existing == merged {
        Vec::new()
    } else {
        vec![Action::Update(target(existing), merged)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn apply(cluster: &mut BTreeMap<Target, Value>, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Create(target, object) | Action::Update(target, object) => {
                    cluster.insert(target, object);
                }
                Action::Delete(target, ..) => {
                    cluster.remove(&target);
                }
                Action::Patch(..) => unreachable!(),
            }
        }
    }

    fn settle(cluster: &mut BTreeMap<Target, Value>) -> usize {
        let actions = bootstrap(|target| cluster.get(target)).unwrap();
        let count = actions.len();
        apply(cluster, actions);
        count
    }

    fn find<'a>(cluster: &'a mut BTreeMap<Target, Value>, name: &str) -> &'a mut Value {
        cluster
            .iter_mut()
            .find(|(target, _)| target.name == name)
            .unwrap()
            .1
    }

    #[test]
    fn an_empty_cluster_gets_everything_once() {
        let mut cluster = BTreeMap::new();
        assert_eq!(settle(&mut cluster), bootstrap::objects().len());
        assert_eq!(settle(&mut cluster), 0);
        for _ in 0..4 {
            let roles: Vec<&Value> = cluster
                .iter()
                .filter(|(t, _)| t.resource == "clusterroles")
                .map(|(_, o)| o)
                .collect();
            let actions = aggregation(&roles);
            apply(&mut cluster, actions);
        }
        // What was gathered is no reason to reconcile.
        assert_eq!(settle(&mut cluster), 0);
        let admin = rules_of(find(&mut cluster, "admin")).unwrap();
        assert!(
            admin
                .iter()
                .any(|r| r.resources.contains(&"rolebindings".into()))
        );
        assert!(
            admin
                .iter()
                .any(|r| r.resources.contains(&"pods/log".into()))
        );
    }

    #[test]
    fn what_is_missing_is_added_and_what_is_more_stays() {
        let mut cluster = BTreeMap::new();
        settle(&mut cluster);
        let more = json!({"verbs": ["get"], "apiGroups": ["x.io"], "resources": ["y"]});
        find(&mut cluster, "system:node-bootstrapper")["rules"] = json!([more]);
        let custom = json!({"kind": "User", "apiGroup": GROUP, "name": "jane"});
        let binding = cluster
            .iter_mut()
            .find(|(t, _)| t.resource == "clusterrolebindings" && t.name == "system:discovery")
            .unwrap()
            .1;
        binding["subjects"] = json!([custom]);
        binding["metadata"]["labels"] = json!({"mine": "1"});
        assert_eq!(settle(&mut cluster), 2);
        let rules = rules_of(find(&mut cluster, "system:node-bootstrapper")).unwrap();
        assert_eq!(rules[0].resources, ["y"]);
        assert_eq!(rules.len(), 5, "one for each verb that was missing");
        let binding = cluster
            .iter()
            .find(|(t, _)| t.resource == "clusterrolebindings" && t.name == "system:discovery")
            .unwrap()
            .1;
        assert_eq!(binding["subjects"].as_array().unwrap().len(), 2);
        assert_eq!(binding["metadata"]["labels"]["mine"], "1");
        assert_eq!(
            binding["metadata"]["labels"]["kubernetes.io/bootstrapping"],
            "rbac-defaults"
        );
        assert_eq!(settle(&mut cluster), 0);
    }

    #[test]
    fn protected_objects_stay_as_they_are() {
        let mut cluster = BTreeMap::new();
        settle(&mut cluster);
        let role = find(&mut cluster, "system:node-bootstrapper");
        role["rules"] = json!([]);
        role["metadata"]["annotations"][AUTOUPDATE_ANNOTATION] = json!("false");
        assert_eq!(settle(&mut cluster), 0);
    }

    #[test]
    fn a_binding_of_another_role_is_made_anew() {
        let mut cluster = BTreeMap::new();
        settle(&mut cluster);
        let key = cluster
            .keys()
            .find(|t| t.resource == "clusterrolebindings" && t.name == "system:kube-dns")
            .unwrap()
            .clone();
        let binding = cluster.get_mut(&key).unwrap();
        binding["roleRef"]["name"] = json!("cluster-admin");
        binding["metadata"]["uid"] = json!("u-1");
        let actions = bootstrap(|target| cluster.get(target)).unwrap();
        let [
            Action::Delete(deleted, uid, _),
            Action::Create(created, object),
        ] = &actions[..]
        else {
            panic!("{actions:?}");
        };
        assert_eq!((deleted, created, uid.as_str()), (&key, &key, "u-1"));
        assert_eq!(object["roleRef"]["name"], "system:kube-dns");
        assert!(object["metadata"].get("uid").is_none());
    }
}
