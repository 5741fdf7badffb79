//! `Priority`: a pod's priority and preemption policy are those of its priority class.

use crate::{Lookup, Operation, Plugin, Request, forbidden};
use model::status::Status;
use model::{Value, meta};

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct Priority;

const GROUP: &str = "scheduling.k8s.io";

impl Plugin for Priority {
    fn name(&self) -> &'static str {
        "Priority"
    }

    fn mutate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        let pod = request.resource.group.is_empty() && request.resource.plural == "pods";
        if !pod || !request.subresource.is_empty() {
            return Ok(());
        }
        match request.operation {
            Operation::Create => assign(request, cluster),
            Operation::Update => keep(request),
            _ => Ok(()),
        }
    }

    fn validate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        let class = request.resource.group == GROUP
            && request.resource.plural == "priorityclasses"
            && matches!(request.operation, Operation::Create | Operation::Update);
        if !class || !is_default(&request.object) {
            return Ok(());
        }
        let name = meta::name(&request.object);
        let other = cluster
            .list(GROUP, "priorityclasses", "")
            .into_iter()
            .find(|class| is_default(class) && meta::name(class) != name);
        match other {
            None => Ok(()),
            Some(other) => Err(forbidden(
                request,
                &format!(
                    "PriorityClass {} is already marked as default. Only one default can exist",
                    meta::name(&other)
                ),
            )),
        }
    }
}

fn is_default(class: &Value) -> bool {
    meta::at(class, &["globalDefault"])
        .and_then(Value::as_bool)
        .unwrap_or_default()
}

/// Updates cannot change what admission set; a field that an older client dropped is put back.
fn keep(request: &mut Request<'_>) -> Result<(), Status> {
    for field in ["priority", "preemptionPolicy"] {
        let old = request
            .old_object
            .and_then(|old| meta::at(old, &["spec", field]))
            .cloned();
        if let (Some(old), None) = (old, meta::at(&request.object, &["spec", field])) {
            meta::set(&mut request.object, &["spec", field], old);
        }
    }
    Ok(())
}

fn assign(request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
    let name = meta::text(&request.object, &["spec", "priorityClassName"]).to_owned();
    let class = if name.is_empty() {
        // Of several defaults (they can come about in a race) the lowest counts.
        cluster
            .list(GROUP, "priorityclasses", "")
            .into_iter()
            .filter(|class| is_default(class))
            .min_by_key(|class| value(class))
    } else {
        Some(
            cluster
                .get(GROUP, "priorityclasses", "", &name)
                .ok_or_else(|| {
                    forbidden(
                        request,
                        &format!("no PriorityClass with name {name} was found"),
                    )
                })?,
        )
    };
    let priority = class.as_deref().map(value).unwrap_or_default();
    let policy = class
        .as_deref()
        .map(|class| meta::text(class, &["preemptionPolicy"]))
        .filter(|policy| !policy.is_empty())
        .unwrap_or("PreemptLowerPriority");
    let spec = |field: &str| meta::at(&request.object, &["spec", field]);
    if let Some(given) = spec("priority")
        .and_then(Value::as_i64)
        .filter(|p| *p != priority)
    {
        return Err(forbidden(
            request,
            &format!(
                "the integer value of priority ({given}) must not be provided in pod spec; priority \
                 admission controller computed {priority} from the given PriorityClass name"
            ),
        ));
    }
    if let Some(given) = spec("preemptionPolicy")
        .and_then(Value::as_str)
        .filter(|p| *p != policy)
    {
        return Err(forbidden(
            request,
            &format!(
                "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; \
                 priority admission controller computed {policy} from the given PriorityClass name"
            ),
        ));
    }
    if let Some(class) = class.as_deref().filter(|_| name.is_empty()) {
        let default = meta::name(class).to_owned();
        meta::set(&mut request.object, &["spec", "priorityClassName"], default);
    }
    meta::set(&mut request.object, &["spec", "priority"], priority);
    meta::set(&mut request.object, &["spec", "preemptionPolicy"], policy);
    Ok(())
}

fn value(class: &Value) -> i64 {
    meta::at(class, &["value"])
        .and_then(Value::as_i64)
        .unwrap_or_default()
}
