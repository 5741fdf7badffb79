//! Limit ranges: defaults that follow from each other, and bounds that must fit together.

use super::{fill, resources};
use crate::field::ErrorList;
use crate::kinds::neutral;
use crate::resource::Behavior;
use crate::validation::amounts::Amount;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{list, map, text};
use crate::{Map, Value};
use std::collections::BTreeSet;

/// The rules of limit ranges.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default,
        validate_create,
        validate_update: |range, _, _| validate_create(range),
        validate_name: names::object_subdomain,
        ..neutral()
    }
}

fn default(_version: &str, range: &mut Value) {
    let spec = range.get_mut("spec").and_then(Value::as_object_mut);
    let Some(spec) = spec else {
        return;
    };
    for limit in fill::maps(spec, "limits") {
        for key in BOUNDS {
            fill::round_amounts(limit, key);
        }
        if fill::get(limit, "type") != "Container" {
            continue;
        }
        // The limit is at most the maximum, the request at most the limit, else the minimum.
        inherit(limit, "default", "max");
        inherit(limit, "defaultRequest", "default");
        inherit(limit, "defaultRequest", "min");
    }
}

fn inherit(limit: &mut Map, key: &str, from: &str) {
    let Some(Value::Object(source)) = limit.get(from).cloned() else {
        return;
    };
    if source.is_empty() {
        return;
    }
    fill::empty_map(limit, key);
    if let Some(target) = fill::map(limit, key) {
        for (name, amount) in source {
            target.entry(name).or_insert(amount);
        }
    }
}

const BOUNDS: [&str; 5] = [
    "max",
    "min",
    "default",
    "defaultRequest",
    "maxLimitRequestRatio",
];

fn validate_create(range: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = range.get("spec").unwrap_or(&Value::Null);
    let list_at = At::of("spec.limits");
    let mut seen = BTreeSet::new();
    for (i, limit) in list(spec, "limits").iter().enumerate() {
        let at = list_at.index(i);
        let kind = text(limit, "type");
        errors.invalid_each(&at.child("type"), kind, names::qualified_name(kind));
        let standard = matches!(kind, "" | "Container" | "PersistentVolumeClaim" | "Pod");
        if !kind.contains('/') && !standard {
            errors.invalid(
                &at.child("type"),
                kind,
                "must be a standard limit type or fully qualified",
            );
        }
        if !seen.insert(kind) {
            errors.duplicate(&at.child("type"), kind);
        }
        limit_names(limit, kind, &at, &mut errors);
        bounds(limit, &at, &mut errors);
    }
    errors
}

fn limit_names(limit: &Value, kind: &str, at: &At<'_>, errors: &mut ErrorList) {
    for key in BOUNDS {
        let amounts = map(limit, key).filter(|m| !m.is_empty());
        let key_at = at.child(key);
        if kind == "Pod" && key.starts_with("default") {
            if amounts.is_some() {
                errors.forbidden(&key_at, "may not be specified when `type` is 'Pod'");
            }
            continue;
        }
        for name in amounts.into_iter().flatten().map(|(name, _)| name) {
            let at = key_at.key(name);
            resources::validate_name(name, &at, errors);
            let for_container = matches!(kind, "Container" | "Pod");
            if for_container && !name.contains('/') && !resources::is_standard_for_containers(name)
            {
                let why = "must be a standard resource for containers";
                resources::invalid_name(name, why, &at, errors);
            }
        }
    }
    let has = |key: &str| map(limit, key).is_some_and(|m| m.contains_key("storage"));
    if kind == "PersistentVolumeClaim" && !has("min") && !has("max") {
        errors.required(
            &at.child("limits"),
            "either minimum or maximum storage value is required, but neither was provided",
        );
    }
}

/// A bound of one resource: its amount, and as it was written.
type Bound = Option<(Amount, String)>;

fn bounds(limit: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let resources: BTreeSet<&str> = BOUNDS
        .iter()
        .filter_map(|key| map(limit, key))
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    for name in resources {
        let bound = |key: &str| -> Bound {
            let value = map(limit, key)?.get(name)?;
            Some((Amount::of(value)?, resources::shown(value)))
        };
        let [max, min, default, request, ratio] = BOUNDS.map(bound);
        let mut ordered = |low: &Bound, high: &Bound, key: &str, shown: &Bound, text: [&str; 2]| {
            if let (Some(low), Some(high), Some(shown)) = (low, high, shown)
                && low.0 > high.0
            {
                errors.invalid(
                    &at.child(key).key(name),
                    shown.1.as_str(),
                    format!(
                        "{} {} is greater than {} {}",
                        text[0], low.1, text[1], high.1
                    ),
                );
            }
        };
        let (least, most) = ("min value", "max value");
        ordered(&min, &max, "min", &min, [least, most]);
        let what = "default request value";
        ordered(&min, &request, "defaultRequest", &request, [least, what]);
        ordered(&request, &max, "defaultRequest", &request, [what, most]);
        ordered(
            &request,
            &default,
            "defaultRequest",
            &request,
            [what, "default limit value"],
        );
        let what = "default value";
        ordered(&min, &default, "default", &min, [least, what]);
        ordered(&default, &max, "default", &max, [what, most]);
        if let (Some(ratio), Some(min), Some(max)) = (&ratio, &min, &max) {
            let most = max.0.ratio_to(min.0);
            if ratio.0.ratio_to(Amount::whole(1)) > most {
                errors.invalid(
                    &at.child("maxLimitRequestRatio").key(name),
                    ratio.1.as_str(),
                    format!("ratio {} is greater than max/min = {most:.6}", ratio.1),
                );
            }
        }
        if let Some(ratio) = ratio
            && ratio.0 < Amount::whole(1)
        {
            errors.invalid(
                &at.child("maxLimitRequestRatio").key(name),
                ratio.1.as_str(),
                format!("ratio {} is less than 1", ratio.1),
            );
        }
        if !resources::is_overcommit_allowed(name)
            && let (Some(default), Some(request)) = (default, request)
            && default.0 != request.0
        {
            let detail = format!(
                "default value {} must equal to defaultRequest value {} in {name}",
                default.1, request.1
            );
            errors.invalid(&at.child("defaultRequest").key(name), request.1, detail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn created(limits: Value) -> (Value, Vec<String>) {
        let mut range = json!({"spec": {"limits": limits}});
        default("v1", &mut range);
        let errors = validate_create(&range);
        (range, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn defaults_follow_from_bounds() {
        let (range, errors) = created(json!([{"type": "Container",
            "max": {"cpu": "2"}, "min": {"cpu": "1", "memory": "1Mi"}}]));
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(range["spec"]["limits"][0]["default"], json!({"cpu": "2"}));
        assert_eq!(
            range["spec"]["limits"][0]["defaultRequest"],
            json!({"cpu": "2", "memory": "1Mi"})
        );
    }

    #[test]
    fn rules() {
        let cases: Vec<(Value, Vec<&str>)> = vec![
            (
                json!([{"type": "X"}]),
                vec!["spec.limits[0].type: Invalid value: \"X\": must be a standard limit type or"],
            ),
            (
                json!([{"type": "Pod"}, {"type": "Pod"}]),
                vec!["spec.limits[1].type: Duplicate value: \"Pod\""],
            ),
            (
                json!([{"type": "Pod", "default": {"cpu": "1"}}]),
                vec![
                    "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
                ],
            ),
            (
                json!([{"type": "Pod", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]),
                vec![
                    "spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than \
                      max value 1",
                ],
            ),
            (
                json!([{"type": "Pod", "max": {"pods": "1"}}]),
                vec![
                    "spec.limits[0].max[pods]: Invalid value: pods: must be a standard \
                      resource for containers",
                ],
            ),
            (
                json!([{"type": "Pod", "maxLimitRequestRatio": {"cpu": "500m"}}]),
                vec![
                    "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"500m\": ratio \
                      500m is less than 1",
                ],
            ),
            (
                json!([{"type": "PersistentVolumeClaim"}]),
                vec!["spec.limits[0].limits: Required value: either minimum or maximum storage"],
            ),
            (
                json!([{"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}]),
                vec![],
            ),
        ];
        for (limits, want) in cases {
            let (_, got) = created(limits.clone());
            assert_eq!(got.len(), want.len(), "{limits}: {got:?}");
            for (got, want) in got.iter().zip(want) {
                assert!(got.starts_with(want), "{got}");
            }
        }
    }
}
