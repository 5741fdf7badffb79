//! The kinds that make pods, and those that guard them.

use super::age;
use super::cells::{
    AGE, CONTAINERS, IMAGES, NAME, NONE, SELECTOR, UNSET, age_of, boolean, cells, containers,
    count, flag, int, int_or_string, integer, is_deleted, labels, or, selector, text,
};
use crate::resource::{Column, split_api_version};
use crate::{Value, meta};

const POD_SPEC: &[&str] = &["spec", "template", "spec"];

pub(super) const POD_TEMPLATE: &[Column] = &[
    NAME,
    text("Containers", "Names of each container in the template."),
    text(
        "Images",
        "Images referenced by each container in the template.",
    ),
    text("Pod Labels", "The labels for the pod template."),
];

pub(super) fn pod_template(object: &Value, _now: i64) -> Vec<Value> {
    let (names, images) = containers(object, &["template", "spec"]);
    cells![
        meta::name(object),
        names,
        images,
        labels(object, &["template", "metadata", "labels"]),
    ]
}

pub(super) const REPLICAS: &[Column] = &[
    NAME,
    integer("Desired", "How many pods there should be."),
    integer("Current", "How many pods there are."),
    integer("Ready", "How many pods are ready."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) fn replica_set(object: &Value, now: i64) -> Vec<Value> {
    replicas(object, now, selector(object, &["spec", "selector"]))
}

pub(super) fn replication_controller(object: &Value, now: i64) -> Vec<Value> {
    replicas(object, now, labels(object, &["spec", "selector"]))
}

fn replicas(object: &Value, now: i64, selector: String) -> Vec<Value> {
    let (names, images) = containers(object, POD_SPEC);
    cells![
        meta::name(object),
        int(object, &["spec", "replicas"]),
        int(object, &["status", "replicas"]),
        int(object, &["status", "readyReplicas"]),
        age_of(object, now),
        names,
        images,
        selector,
    ]
}

pub(super) const DEPLOYMENT: &[Column] = &[
    NAME,
    text("Ready", "Number of the pod with ready state"),
    text("Up-to-date", "How many pods have the present template."),
    text(
        "Available",
        "How many pods have been ready for long enough.",
    ),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) fn deployment(object: &Value, now: i64) -> Vec<Value> {
    let (names, images) = containers(object, POD_SPEC);
    let wanted = selector(object, &["spec", "selector"]);
    cells![
        meta::name(object),
        ready(object),
        int(object, &["status", "updatedReplicas"]),
        int(object, &["status", "availableReplicas"]),
        age_of(object, now),
        names,
        images,
        // Of all kinds, this one shows nothing for a selector of everything.
        if wanted == NONE {
            String::new()
        } else {
            wanted
        },
    ]
}

fn ready(object: &Value) -> String {
    format!(
        "{}/{}",
        int(object, &["status", "readyReplicas"]),
        int(object, &["spec", "replicas"])
    )
}

pub(super) const STATEFUL_SET: &[Column] = &[
    NAME,
    text("Ready", "Number of the pod with ready state"),
    AGE,
    CONTAINERS,
    IMAGES,
];

pub(super) fn stateful_set(object: &Value, now: i64) -> Vec<Value> {
    let (names, images) = containers(object, POD_SPEC);
    cells![
        meta::name(object),
        ready(object),
        age_of(object, now),
        names,
        images
    ]
}

pub(super) const DAEMON_SET: &[Column] = &[
    NAME,
    integer("Desired", "How many nodes should run the pod."),
    integer("Current", "How many of those nodes have the pod."),
    integer("Ready", "How many of those nodes have the pod ready."),
    integer("Up-to-date", "How many nodes have the present template."),
    integer(
        "Available",
        "How many of those nodes have had the pod ready for long enough.",
    ),
    text("Node Selector", "The labels that a node must have."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) fn daemon_set(object: &Value, now: i64) -> Vec<Value> {
    let (names, images) = containers(object, POD_SPEC);
    let status = |key| int(object, &["status", key]);
    cells![
        meta::name(object),
        status("desiredNumberScheduled"),
        status("currentNumberScheduled"),
        status("numberReady"),
        status("updatedNumberScheduled"),
        status("numberAvailable"),
        labels(object, &["spec", "template", "spec", "nodeSelector"]),
        age_of(object, now),
        names,
        images,
        selector(object, &["spec", "selector"]),
    ]
}

pub(super) const REVISION: &[Column] = &[
    NAME,
    text("Controller", "Controller of the object"),
    text("Revision", "The place of this state in the history."),
    AGE,
];

pub(super) fn revision(object: &Value, now: i64) -> Vec<Value> {
    let controller = meta::list(object, &["metadata", "ownerReferences"])
        .iter()
        .find(|owner| flag(owner, &["controller"]) == Some(true))
        .map_or(NONE.to_owned(), |owner| {
            let (group, _) = split_api_version(meta::text(owner, &["apiVersion"]));
            let kind = meta::text(owner, &["kind"]).to_lowercase();
            let name = meta::text(owner, &["name"]);
            format!("{}/{name}", crate::status::qualified(group, &kind))
        });
    cells![
        meta::name(object),
        controller,
        int(object, &["revision"]),
        age_of(object, now)
    ]
}

pub(super) const JOB: &[Column] = &[
    NAME,
    text("Status", "Status of the job."),
    text("Completions", "How many pods have succeeded, of how many."),
    text("Duration", "Time required to complete the job."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) fn job(object: &Value, now: i64) -> Vec<Value> {
    let succeeded = int(object, &["status", "succeeded"]);
    let parallelism = int(object, &["spec", "parallelism"]);
    let completions = match meta::at(object, &["spec", "completions"]) {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        None => format!("{succeeded}/1"),
    };
    let time = |key| age::seconds(meta::text(object, &["status", key]));
    let duration = time("startTime").map_or(String::new(), |start| {
        let end = time("completionTime").unwrap_or(now);
        age::human_duration(end.saturating_sub(start))
    });
    let (names, images) = containers(object, POD_SPEC);
    cells![
        meta::name(object),
        job_status(object),
        completions,
        duration,
        age_of(object, now),
        names,
        images,
        selector(object, &["spec", "selector"]),
    ]
}

fn job_status(job: &Value) -> &'static str {
    let holds = |r#type: &str| {
        meta::list(job, &["status", "conditions"])
            .iter()
            .find(|c| meta::text(c, &["type"]) == r#type)
            .is_some_and(|c| meta::text(c, &["status"]) == "True")
    };
    if holds("Complete") {
        "Complete"
    } else if holds("Failed") {
        "Failed"
    } else if is_deleted(job) {
        "Terminating"
    } else if holds("Suspended") {
        "Suspended"
    } else if holds("FailureTarget") {
        "FailureTarget"
    } else {
        "Running"
    }
}

pub(super) const CRON_JOB: &[Column] = &[
    NAME,
    text("Schedule", "When jobs are made, in Cron format."),
    text("Timezone", "The time zone of the schedule."),
    boolean("Suspend", "Whether no jobs are made for now."),
    integer("Active", "How many jobs are running."),
    text("Last Schedule", "When the last job was made."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) fn cron_job(object: &Value, now: i64) -> Vec<Value> {
    let last = meta::text(object, &["status", "lastScheduleTime"]);
    let (names, images) = containers(object, &["spec", "jobTemplate", "spec", "template", "spec"]);
    cells![
        meta::name(object),
        meta::text(object, &["spec", "schedule"]),
        or(meta::text(object, &["spec", "timeZone"]), NONE),
        match flag(object, &["spec", "suspend"]) {
            Some(true) => "True",
            Some(false) => "False",
            None => UNSET,
        },
        count(object, &["status", "active"]),
        if last.is_empty() {
            NONE.to_owned()
        } else {
            age::since(last, now)
        },
        age_of(object, now),
        names,
        images,
        selector(object, &["spec", "jobTemplate", "spec", "selector"]),
    ]
}

pub(super) const BUDGET: &[Column] = &[
    NAME,
    text(
        "Min Available",
        "The minimum number of pods that must be available.",
    ),
    text(
        "Max Unavailable",
        "The maximum number of pods that may be unavailable.",
    ),
    integer(
        "Allowed Disruptions",
        "Calculated number of pods that may be disrupted at this time.",
    ),
    AGE,
];

pub(super) fn budget(object: &Value, now: i64) -> Vec<Value> {
    let limit = |key| int_or_string(object, &["spec", key]).unwrap_or_else(|| "N/A".to_owned());
    cells![
        meta::name(object),
        limit("minAvailable"),
        limit("maxUnavailable"),
        int(object, &["status", "disruptionsAllowed"]),
        age_of(object, now),
    ]
}
