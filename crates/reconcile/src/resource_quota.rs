//! Resource quotas: what is limited and what is used, as their status says it.

use crate::{Action, Target};
use model::{Value, meta};
use pod_resources::quota::{self, Kind};

/// Brings a quota's status up to date with all objects of its namespace that it may count, which are
/// of these kinds.
pub fn reconcile<'a>(
    quota: &Value,
    kinds: &[Kind<'_>],
    objects: impl IntoIterator<Item = (Kind<'a>, &'a Value)>,
) -> Vec<Action> {
    let mut object = quota.clone();
    let hard = meta::at(quota, &["spec", "hard"]).cloned();
    let used = quota::to_value(&quota::recount(quota, kinds, objects));
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

/// Whether the status speaks of other limits than the quota does, or of no use, so that nobody can
/// rely on it. Of some limits (events) no use is ever known.
pub fn is_outdated(quota: &Value) -> bool {
    let of = |part| meta::strings(quota, &[part, "hard"]);
    let is_counted = meta::at(quota, &["status", "used"]).is_some_and(|used| !used.is_null());
    of("spec") != of("status") || !is_counted && !of("spec").is_empty()
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
            "spec": { "hard": { "secrets": "3", "count/events": "1" } },
            "status": {},
        });
        assert!(is_outdated(&quota));
        // Events are never counted.
        let events = Kind {
            group: "",
            plural: "events",
        };
        let kinds = [secrets, events];
        let objects = [json!({}), json!({})];
        let all = || objects.iter().map(|object| (secrets, object));
        let actions = reconcile(&quota, &kinds, all());
        let [Action::Update(target, object)] = actions.as_slice() else {
            panic!("{actions:?}");
        };
        assert_eq!(target, &Target::core("resourcequotas/status", "n", "q"));
        assert_eq!(
            object["status"],
            json!({ "hard": { "secrets": "3", "count/events": "1" }, "used": { "secrets": "2" } })
        );
        assert_eq!(object["metadata"]["resourceVersion"], "7");
        assert!(!is_outdated(object));
        assert!(reconcile(object, &kinds, all()).is_empty());
    }
}
