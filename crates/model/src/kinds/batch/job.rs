//! Jobs: their defaults, the selector they are given, and what of them may change.

use super::{job_policies, job_spec, job_status};
use crate::field::ErrorList;
use crate::kinds::core::fill;
use crate::kinds::neutral;
use crate::kinds::workload::{self, field};
use crate::resource::Behavior;
use crate::selector::LabelSelector;
use crate::validation::at::{At, Report};
use crate::validation::object_meta::immutable_field;
use crate::validation::read::{get, int, is_blank, is_true, same_field, text};
use crate::validation::{names, selector};
use crate::{Value, meta};

/// The labels of a job's pods: each of the two facts under its old and its new name.
const UID_LABELS: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];
const NAME_LABELS: [&str; 2] = ["job-name", "batch.kubernetes.io/job-name"];
const SELECTED_LABEL: &str = "batch.kubernetes.io/controller-uid";

/// The rules of jobs.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default,
        prepare_create: generate_selector,
        validate_create: validate,
        validate_update,
        warnings,
        validate_name: names::object_subdomain,
        ..neutral()
    }
}

fn default(_version: &str, job: &mut Value) {
    // The labels of the job are those of its pods, unless it has its own.
    let labels = meta::at(job, &["spec", "template", "metadata", "labels"])
        .filter(|labels| !is_blank(Some(labels)))
        .cloned();
    if let Some(labels) = labels
        && is_blank(meta::at(job, &["metadata", "labels"]))
    {
        meta::set(job, &["metadata", "labels"], labels);
    }
    let Some(spec) = workload::spec_mut(job) else {
        return;
    };
    let set = |spec: &crate::Map, key: &str| spec.get(key).is_some_and(|v| !v.is_null());
    if !set(spec, "completions") && !set(spec, "parallelism") {
        fill::absent(spec, "completions", 1);
    }
    fill::absent(spec, "parallelism", 1);
    let retries = if set(spec, "backoffLimitPerIndex") {
        i64::from(i32::MAX)
    } else {
        6
    };
    fill::absent(spec, "backoffLimit", retries);
    fill::text(spec, "completionMode", "NonIndexed");
    fill::absent(spec, "suspend", false);
    fill::absent(spec, "manualSelector", false);
    let replacement = if set(spec, "podFailurePolicy") {
        "Failed"
    } else {
        "TerminatingOrFailed"
    };
    fill::text(spec, "podReplacementPolicy", replacement);
    job_policies::default(spec);
    workload::default_template(spec);
}

/// Makes the job select exactly its own pods by its UID, unless the client wants to say itself
/// which ones. The job must have its name and UID.
fn generate_selector(job: &mut Value) {
    if is_true(field(job, "spec"), "manualSelector") {
        return;
    }
    let (name, uid) = (meta::name(job).to_owned(), meta::uid(job).to_owned());
    let of_template = ["spec", "template", "metadata", "labels"];
    let before = meta::at(job, &of_template).cloned().unwrap_or_default();
    let labels = meta::map_mut(job, &of_template);
    // What the client set is left for validation to refuse.
    for (keys, value) in [(NAME_LABELS, &name), (UID_LABELS, &uid)] {
        for key in keys {
            fill::absent(labels, key, value.as_str());
        }
    }
    let labels = labels.clone();
    let selected = meta::map_mut(job, &["spec", "selector", "matchLabels"]);
    fill::absent(selected, SELECTED_LABEL, uid);
    let own = meta::at(job, &["metadata", "labels"]);
    if is_blank(own) || own == Some(&before) {
        meta::set(job, &["metadata", "labels"], labels);
    }
}

fn validate(job: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    generated_selector(job, &mut errors);
    let spec = field(job, "spec");
    validate_spec(spec, &mut errors);
    let completions = int(spec, "completions").unwrap_or(0);
    if text(spec, "completionMode") == "Indexed" && completions > 0 {
        // The pods are named after their index.
        let name = meta::name(job);
        let host = format!("{name}-{}", completions - 1);
        if !names::dns1123_label(&host).is_empty() {
            let why = format!("will not able to create pod with invalid DNS label: {host}");
            errors.invalid(&At::of("metadata.name"), name, why);
        }
    }
    errors
}

fn generated_selector(job: &Value, errors: &mut ErrorList) {
    let spec = field(job, "spec");
    let Some(selected) = get(spec, "selector").filter(|_| !is_true(spec, "manualSelector")) else {
        return;
    };
    let (name, uid) = (meta::name(job), meta::uid(job));
    if uid.is_empty() {
        errors.required(&At::of("metadata.uid"), "");
    }
    let metadata = field(field(spec, "template"), "metadata");
    let at = At::of("spec.template.metadata.labels");
    for (key, want) in [(UID_LABELS, uid), (NAME_LABELS, name)]
        .into_iter()
        .flat_map(|(keys, want)| keys.map(|key| (key, want)))
    {
        let labels = field(metadata, "labels");
        match labels.get(key).and_then(Value::as_str) {
            None => errors.required(&at.key(key), format!("must be '{want}'")),
            Some(found) if found != want => {
                errors.invalid(&at.key(key), labels.clone(), format!("must be '{want}'"));
            }
            Some(_) => {}
        }
    }
    let own = |key: &str| match key {
        key if UID_LABELS.contains(&key) => Some(uid),
        key if NAME_LABELS.contains(&key) => Some(name),
        _ => None,
    };
    if let Ok(read) = LabelSelector::from_value(selected)
        && !read.matches(own)
    {
        let at = At::of("spec.selector");
        errors.invalid(&at, selected.clone(), "`selector` not auto-generated");
    }
}

fn validate_spec(spec: &Value, errors: &mut ErrorList) {
    let at = At::of("spec");
    job_spec::validate(spec, &at, errors);
    let selected = field(spec, "selector");
    if selected.is_null() {
        errors.required(&at.child("selector"), "");
    } else {
        selector::validate(selected, &at.child("selector"), errors);
    }
    if let Ok(read) = LabelSelector::from_value(selected) {
        let template_at = at.child("template");
        workload::validate_match(&read, field(spec, "template"), &template_at, errors);
    }
}

fn validate_update(job: &Value, old: &Value, subresource: &str) -> ErrorList {
    if subresource == "status" {
        return job_status::validate_update(job, old);
    }
    let mut errors = ErrorList::new();
    let at = At::of("spec");
    let (spec, old_spec) = (field(job, "spec"), field(old, "spec"));
    validate_spec(spec, &mut errors);
    completions_stay(spec, old_spec, &at, &mut errors);
    immutable_field(spec, old_spec, "selector", &at, &mut errors);
    template_stays(spec, old, &at, &mut errors);
    for key in [
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ] {
        immutable_field(spec, old_spec, key, &at, &mut errors);
    }
    errors
}

/// Only an indexed job may be given another number of completions, and then must run as many pods
/// at once.
fn completions_stay(spec: &Value, old: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if text(spec, "completionMode") != "Indexed" {
        immutable_field(spec, old, "completions", at, errors);
        return;
    }
    let completions = int(spec, "completions");
    if let Some(number) = completions
        && completions != int(old, "completions")
        && completions != int(spec, "parallelism")
    {
        let at = at.child("completions");
        errors.invalid(
            &at,
            number,
            "can only be modified in tandem with spec.parallelism",
        );
    }
}

/// Pods that are not made yet, because the job is suspended, may still be sent elsewhere.
fn template_stays(spec: &Value, old: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let old_spec = field(old, "spec");
    if same_field(spec, old_spec, "template") {
        return;
    }
    let waiting = is_true(old_spec, "suspend") && get(field(old, "status"), "startTime").is_none();
    let mut expected = old_spec.clone();
    if waiting {
        let movable = [
            ["metadata", "annotations"],
            ["metadata", "labels"],
            ["spec", "affinity"],
            ["spec", "nodeSelector"],
            ["spec", "tolerations"],
            ["spec", "schedulingGates"],
        ];
        for [part, key] in movable {
            let path = ["template", part, key];
            match meta::at(spec, &path) {
                Some(value) => meta::set(&mut expected, &path, value.clone()),
                None => {
                    meta::remove(&mut expected, &path);
                }
            }
        }
    }
    immutable_field(spec, &expected, "template", at, errors);
}

fn warnings(job: &Value, old: Option<&Value>) -> Vec<String> {
    let mut warnings = workload::warnings(job, old, &["spec", "template"]);
    let spec = field(job, "spec");
    let many = int(spec, "completions").is_some_and(|count| count > 100_000)
        && int(spec, "parallelism").is_some_and(|count| count > 10_000);
    if many && text(spec, "completionMode") == "Indexed" {
        warnings.push(
            "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism \
             higher than 10^4, Kubernetes might not be able to track completedIndexes when a big \
             number of indexes fail"
                .to_owned(),
        );
    }
    warnings
}
