//! Counting what pod security decides.

use admission::{Evaluation, Recorder, Subject};
use metrics::Family;
use metrics::Text;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the `PodSecurity` plugin decided, under upstream's names.
pub struct PodSecurityCounts {
    evaluations: Family<AtomicU64>,
    exemptions: Family<AtomicU64>,
    errors: Family<AtomicU64>,
}

const EVALUATIONS: [&str; 7] = [
    "decision",
    "mode",
    "policy_level",
    "policy_version",
    "request_operation",
    "resource",
    "subresource",
];
const EXEMPTIONS: [&str; 3] = ["request_operation", "resource", "subresource"];
const ERRORS: [&str; 4] = ["fatal", "request_operation", "resource", "subresource"];

impl Default for PodSecurityCounts {
    /// What is usual is shown from the start, as upstream does.
    fn default() -> Self {
        let counts = Self {
            evaluations: Family::default(),
            exemptions: Family::default(),
            errors: Family::default(),
        };
        let none = |_: &AtomicU64| {};
        for operation in ["create", "update"] {
            let privileged = ["allow", "enforce", "privileged", "latest"];
            let [decision, mode, level, version] = privileged;
            let labels = [decision, mode, level, version, operation, "pod", ""];
            counts.evaluations.with(&labels, none);
            for resource in ["pod", "controller"] {
                counts.exemptions.with(&[operation, resource, ""], none);
            }
        }
        counts
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Recorder for PodSecurityCounts {
    fn evaluated(&self, evaluation: &Evaluation<'_>) {
        let subject = evaluation.subject;
        let labels = [
            if evaluation.allowed { "allow" } else { "deny" },
            evaluation.mode,
            evaluation.policy.level.as_str(),
            &evaluation.version(),
            subject.operation,
            subject.resource,
            subject.subresource,
        ];
        self.evaluations.with(&labels, count);
    }

    fn exempted(&self, subject: Subject<'_>) {
        let labels = [subject.operation, subject.resource, subject.subresource];
        self.exemptions.with(&labels, count);
    }

    fn failed(&self, fatal: bool, subject: Subject<'_>) {
        let labels = [
            if fatal { "true" } else { "false" },
            subject.operation,
            subject.resource,
            subject.subresource,
        ];
        self.errors.with(&labels, count);
    }
}

impl PodSecurityCounts {
    pub(super) fn write(&self, text: &mut Text) {
        let mut family = |name, help, names: &[&str], values: &Family<AtomicU64>| {
            text.family(name, "counter", help);
            values.each(|labels, value| {
                let labels: Vec<(&str, &str)> =
                    names.iter().copied().zip(labels.iter().copied()).collect();
                text.value(&labels, value.load(Ordering::Relaxed));
            });
        };
        family(
            "pod_security_errors_total",
            "Number of errors preventing normal evaluation. Non-fatal errors may result in the \
             latest restricted profile being used for evaluation.",
            &ERRORS,
            &self.errors,
        );
        family(
            "pod_security_evaluations_total",
            "Number of policy evaluations that occurred, not counting ignored or exempt requests.",
            &EVALUATIONS,
            &self.evaluations,
        );
        family(
            "pod_security_exemptions_total",
            "Number of exempt requests, not counting ignored or out of scope requests.",
            &EXEMPTIONS,
            &self.exemptions,
        );
    }
}
