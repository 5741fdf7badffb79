//! ReplicaSets, and the rules of templates that deployments share with them.

use crate::Value;
use crate::field::ErrorList;
use crate::kinds::core::{fill, pod_template, replication_controller};
use crate::kinds::neutral;
use crate::kinds::workload::{self, SelectorTexts, counts, field};
use crate::resource::Behavior;
use crate::selector::LabelSelector;
use crate::validation::at::At;
use crate::validation::names;

/// The texts for deployments, which upstream uses for replica sets too.
pub(super) const TEXTS: SelectorTexts = SelectorTexts {
    empty: "empty selector is invalid for deployment",
    broken: "invalid label selector",
};

/// The rules of replica sets.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default: |_, set| {
            if let Some(spec) = workload::spec_mut(set) {
                fill::absent(spec, "replicas", 1);
                workload::default_template(spec);
            }
        },
        validate_create: validate,
        validate_update,
        warnings: |set, old| workload::warnings(set, old, &["spec", "template"]),
        validate_name: names::object_subdomain,
        ..neutral()
    }
}

fn validate(set: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = field(set, "spec");
    let at = At::of("spec");
    counts(spec, &["replicas", "minReadySeconds"], &at, &mut errors);
    let selector = workload::validate_selector(spec, TEXTS, &at, &mut errors);
    if let Some(selector) = selector {
        validate_template(spec, &selector, &at, &mut errors);
    }
    errors
}

/// Reports what is wrong with the template of a spec at `at`.
pub(super) fn validate_template(
    spec: &Value,
    selector: &LabelSelector,
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    let template = field(spec, "template");
    let at = at.child("template");
    workload::validate_match(selector, template, &at, errors);
    pod_template::validate(template, &at, errors);
    pod_template::validate_long_running(template, "ReplicaSet", &at, errors);
}

fn validate_update(set: &Value, old: &Value, subresource: &str) -> ErrorList {
    if subresource == "status" {
        let mut errors = ErrorList::new();
        let at = At::of("status");
        replication_controller::replica_counts(field(set, "status"), &at, &mut errors);
        return errors;
    }
    let mut errors = validate(set);
    workload::selector_stays(set, old, &mut errors);
    errors
}
