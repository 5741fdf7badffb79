//! Resource quotas: what is limited and what is used, as their status says it.

use crate::{Action, Target};
use model::{Value, meta};
use pod_resources::quota::{self, Kind};

/// Brings a quota's status up to date with all objects of its namespace that it may count.
pub fn reconcile<'a>(
    quota: &Value,
    objects: impl IntoIterator<Item = (Kind<'a>, &'a Value)>,
) -> Vec<Action> {
    let mut object = quota.clone();
    let hard = meta::at(quota, &["spec", "hard"]).cloned();
    let used = quota::to_value(&quota::recount(quota, objects));
    meta::set(&mut object, &["status", "used"], used);
    match hard {
        Some(hard) => meta::set(&mut object, &["status", "hard"], hard),
        None => {
            meta::remove(&mut object, &["status", "hard"]);
        }
    }
    if object == *quota {
        return Vec::new();
    }
    let target = Target::core(
        "resourcequotas/status",
        meta::namespace(quota),
        meta::name(quota),
    );
    vec![Action::Update(target, object)]
}

/// Whether the status speaks of other limits than the quota does, so that nobody can rely on it.
pub fn is_outdated(quota: &Value) -> bool {
    let of = |part| meta::strings(quota, &[part, "hard"]);
    let used = meta::strings(quota, &["status", "used"]);
    of("spec") != of("status") || of("spec").keys().any(|name| !used.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_status_follows_the_objects() {
        let secrets = Kind {
            group: "",
            plural: "secrets",
        };
        let quota = json!({
            "metadata": { "name": "q", "namespace": "n", "resourceVersion": "7" },
            "spec": { "hard": { "secrets": "3", "pods": "1" } },
            "status": {},
        });
        assert!(is_outdated(&quota));
        let objects = [json!({}), json!({})];
        let all = || objects.iter().map(|object| (secrets, object));
        let actions = reconcile(&quota, all());
        let [Action::Update(target, object)] = actions.as_slice() else {
            panic!("{actions:?}");
        };
        assert_eq!(target, &Target::core("resourcequotas/status", "n", "q"));
        assert_eq!(
            object["status"],
            json!({ "hard": { "secrets": "3", "pods": "1" }, "used": { "secrets": "2", "pods": "0" } })
        );
        assert_eq!(object["metadata"]["resourceVersion"], "7");
        assert!(!is_outdated(object));
        assert!(reconcile(object, all()).is_empty());
    }
}
