//! `pods/eviction`: a pod is deleted if the disruption budgets that cover it allow.

use super::binding;
use super::change::{Outcome, put};
use super::decode::{self, Expected};
use super::delete::{self, DeleteOptions};
use super::read::find;
use super::update::ATTEMPTS;
use super::write_options::WriteOptions;
use crate::cache::{CachedObject, Filter};
use crate::clock;
use crate::context::{BodySource, Context};
use crate::key;
use crate::reply::Reply;
use crate::served::Served;
use crate::server::Server;
use model::Value;
use model::field::ErrorList;
use model::meta;
use model::resource::GroupVersionKind;
use model::selector::LabelSelector;
use model::status::{Cause, Status};
use serde_json::json;
use std::sync::Arc;

const REFUSED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
/// Upstream bounds what an attacker of the API could make a budget remember.
const DISRUPTED_MAX: usize = 2000;
/// When to ask again while a budget's controller has not caught up.
const STALE_SECONDS: u32 = 10;

/// Evicts a pod.
pub async fn create(
    server: &Server,
    ctx: &mut Context,
    pods: &Served,
    body: BodySource,
) -> Result<Reply, Status> {
    let options = WriteOptions::parse(ctx, "CreateOptions", false)?;
    let expected = Expected {
        kind: GroupVersionKind {
            group: "policy".into(),
            version: "v1".into(),
            kind: "Eviction".into(),
        },
        schema: "io.k8s.api.policy.v1.Eviction".to_owned(),
    };
    let payload = ctx.read(body, server.limits.body).await?;
    let (mut eviction, duplicates) = decode::parse(ctx, payload, "Eviction")?;
    // Clients of before 1.22 know evictions by this version; the type is the same.
    if meta::text(&eviction, &["apiVersion"]) == "policy/v1beta1" {
        meta::set(&mut eviction, &["apiVersion"], "policy/v1");
    }
    let registry = &server.services.registry;
    decode::check_kind(registry, &expected, &mut eviction)?;
    let validation = options.validation;
    decode::conform(
        server.schema,
        ctx,
        &expected,
        validation,
        &mut eviction,
        duplicates,
    )?;
    let name = ctx.info.name.clone();
    let namespace = ctx.info.namespace.clone();
    let body_name = meta::name(&eviction);
    if !body_name.is_empty() && body_name != name {
        return Err(Status::bad_request(
            "name in URL does not match name in Eviction object",
        ));
    }
    // What is admitted is the eviction; the deletion that follows is not asked for by anybody.
    let about = (name.as_str(), "eviction");
    let eviction = binding::admit(server, ctx, pods, about, eviction, options.dry_run)?;
    let mut errors = ErrorList::new();
    let none = Value::Null;
    let wanted = meta::at(&eviction, &["deleteOptions"]).unwrap_or(&none);
    let mut deletion = DeleteOptions::from_value(wanted, &mut errors)?;
    if !errors.is_empty() {
        return Err(Status::invalid("meta.k8s.io", "DeleteOptions", "", &errors));
    }
    if options.dry_run {
        deletion.set_dry_run();
    }
    deletion.set_admitted();
    for _ in 0..ATTEMPTS {
        server.fresh().await?;
        let pod = find(server, pods, &namespace, &name)?;
        let standing = allow(server, &pod, &name, deletion.is_dry_run()).await?;
        let mut deletion = deletion.clone();
        // A pod that no budget counts may have become one that counts meanwhile.
        let bound = standing == Standing::Uncounted && deletion.bind(pod.revision);
        if !deletion.is_dry_run() {
            match mark(server, pods, &namespace, &name, &deletion).await {
                Ok(revision) => deletion.rebind(revision),
                Err(status) if bound && status.is_conflict() => continue,
                Err(status) => return Err(status),
            }
        }
        match delete::run(server, ctx, pods, &namespace, &name, &deletion).await {
            Err(status) if bound && status.is_conflict() => {}
            done => return done.map(|_| success()),
        }
    }
    Err(pods.stale(&name))
}

/// Writes into the pod why it is going, before it goes; returns its new revision.
async fn mark(
    server: &Server,
    pods: &Served,
    namespace: &str,
    name: &str,
    deletion: &DeleteOptions,
) -> Result<u64, Status> {
    let cache = server.objects(pods)?;
    for _ in 0..ATTEMPTS {
        server.fresh().await?;
        let current = find(server, pods, namespace, name)?;
        let mut pod = current.encoded.parse().map_err(Status::internal)?;
        deletion.check(&pod, |why| Status::conflict("", "Pod", name, why))?;
        let before = pod.clone();
        let condition = json!({
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
            "lastProbeTime": null,
        });
        set_condition(&mut pod, condition, &clock::timestamp(clock::now()));
        if pod == before {
            return Ok(current.revision);
        }
        meta::remove(&mut pod, &["metadata", "resourceVersion"]);
        if let Outcome::Written(written) = put(server, pods, cache, &current, &pod).await? {
            return Ok(written.revision);
        }
    }
    Err(pods.stale(name))
}

fn success() -> Reply {
    Reply::Value {
        code: 201,
        value: json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "code": 201,
        }),
    }
}

/// Why a pod may go.
#[derive(PartialEq, Eq)]
enum Standing {
    /// A budget counted it, or none covers it.
    Free,
    /// Its state makes that no budget counts it.
    Uncounted,
}

/// Asks the budget that covers the pod, and notes the disruption there.
async fn allow(
    server: &Server,
    pod: &CachedObject,
    name: &str,
    dry_run: bool,
) -> Result<Standing, Status> {
    let value = pod.encoded.parse().map_err(Status::internal)?;
    let phase = meta::text(&value, &["status", "phase"]);
    let going = meta::at(&value, &["metadata", "deletionTimestamp"]).is_some();
    if matches!(phase, "Succeeded" | "Failed" | "Pending") || going {
        return Ok(Standing::Uncounted);
    }
    let mut contested = String::new();
    for _ in 0..ATTEMPTS {
        let mut budgets = budgets(server, pod);
        let Some(budget) = budgets.pop() else {
            return Ok(Standing::Free);
        };
        if !budgets.is_empty() {
            return Err(Status::new(
                500,
                "",
                "This pod has more than one PodDisruptionBudget, which the eviction subresource \
                 does not support.",
            ));
        }
        let mut object = budget.encoded.parse().map_err(Status::internal)?;
        if !ready(&value) && evicts_unready(&object) {
            return Ok(Standing::Uncounted);
        }
        take(&mut object, name)?;
        if dry_run {
            return Ok(Standing::Free);
        }
        meta::remove(&mut object, &["metadata", "resourceVersion"]);
        let registry = &server.services.registry;
        let served = Served::find(registry, "policy", "v1", "poddisruptionbudgets")
            .ok_or_else(Status::no_such_path)?;
        let cache = server.objects(&served)?;
        match put(server, &served, cache, &budget, &object).await? {
            Outcome::Raced => server.fresh().await?,
            Outcome::Done(_) | Outcome::Written(_) => return Ok(Standing::Free),
        };
        meta::name(&object).clone_into(&mut contested);
    }
    Err(Status::timeout(format!(
        "couldn't update PodDisruptionBudget {contested:?} due to conflicts"
    )))
}

/// The budgets that cover the pod.
fn budgets(server: &Server, pod: &CachedObject) -> Vec<Arc<CachedObject>> {
    let Some(cache) = server.cache().named("policy", "poddisruptionbudgets") else {
        return Vec::new();
    };
    let here = Filter::below(key::of_namespace(&cache.prefix, pod.namespace()));
    let mut budgets = cache.page(&here, None, 0).objects;
    budgets.retain(|budget| {
        let Ok(object) = budget.encoded.parse() else {
            return false;
        };
        let selector = meta::at(&object, &["spec", "selector"]).unwrap_or(&Value::Null);
        LabelSelector::from_value(selector).is_ok_and(|s| s.matches(|name| pod.label(name)))
    });
    budgets
}

fn number(object: &Value, path: &[&str]) -> i64 {
    meta::at(object, path).and_then(Value::as_i64).unwrap_or(0)
}

fn ready(pod: &Value) -> bool {
    meta::list(pod, &["status", "conditions"])
        .iter()
        .any(|c| meta::text(c, &["type"]) == "Ready" && meta::text(c, &["status"]) == "True")
}

/// Whether the budget lets pods go that are not ready without counting them.
fn evicts_unready(budget: &Value) -> bool {
    if meta::text(budget, &["spec", "unhealthyPodEvictionPolicy"]) == "AlwaysAllow" {
        return true;
    }
    let healthy = number(budget, &["status", "currentHealthy"]);
    let desired = number(budget, &["status", "desiredHealthy"]);
    desired > 0 && healthy >= desired
}

/// Counts one disruption, if the budget has one left.
fn take(budget: &mut Value, pod: &str) -> Result<(), Status> {
    let refuse = |message: String, seconds: u32| {
        let mut status = Status::too_many_requests(REFUSED, seconds);
        status.details.causes = vec![Cause {
            reason: "DisruptionBudget".to_owned(),
            message,
            field: String::new(),
        }];
        Err(status)
    };
    let name = meta::name(budget).to_owned();
    let observed = number(budget, &["status", "observedGeneration"]);
    if observed < number(budget, &["metadata", "generation"]) {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return refuse(why, STALE_SECONDS);
    }
    let never = |why: &str| {
        Err(Status::forbidden(
            "policy",
            "poddisruptionbudget",
            &name,
            why,
        ))
    };
    let left = number(budget, &["status", "disruptionsAllowed"]);
    if left < 0 {
        return never("pdb disruptions allowed is negative");
    }
    let before = meta::at(budget, &["status", "disruptedPods"]).and_then(Value::as_object);
    if before.is_some_and(|pods| pods.len() > DISRUPTED_MAX) {
        return never(
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
        );
    }
    if left == 0 {
        return refuse(exhausted(budget, &name), 0);
    }
    let disrupted = meta::map_mut(budget, &["status", "disruptedPods"]);
    let now = clock::timestamp(clock::now());
    disrupted.insert(pod.to_owned(), now.as_str().into());
    meta::set(budget, &["status", "disruptionsAllowed"], left - 1);
    if left == 1 {
        let condition = json!({
            "type": "DisruptionAllowed",
            "status": "False",
            "reason": "InsufficientPods",
            "message": "",
            "observedGeneration": observed,
        });
        set_condition(budget, condition, &now);
    }
    Ok(())
}

/// Why a budget has nothing left.
fn exhausted(budget: &Value, name: &str) -> String {
    format!(
        "The disruption budget {name} needs {} healthy pods and has {} currently",
        number(budget, &["status", "desiredHealthy"]),
        number(budget, &["status", "currentHealthy"]),
    )
}

/// Puts a condition in the place of the one of its type, which keeps its time if it said the same.
fn set_condition(budget: &mut Value, mut condition: Value, now: &str) {
    let mut conditions = meta::list(budget, &["status", "conditions"]).to_vec();
    let kind = meta::text(&condition, &["type"]).to_owned();
    let place = conditions
        .iter_mut()
        .find(|c| meta::text(c, &["type"]) == kind);
    let same = place
        .as_deref()
        .filter(|before| before.get("status") == condition.get("status"))
        .map(|before| meta::text(before, &["lastTransitionTime"]).to_owned());
    meta::set(
        &mut condition,
        &["lastTransitionTime"],
        same.unwrap_or_else(|| now.to_owned()),
    );
    match place {
        Some(place) => *place = condition,
        None => conditions.push(condition),
    }
    meta::set(budget, &["status", "conditions"], conditions);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_used_up() {
        let mut budget = json!({
            "metadata": {"name": "b", "generation": 1},
            "status": {
                "observedGeneration": 1, "disruptionsAllowed": 1,
                "desiredHealthy": 2, "currentHealthy": 3,
            },
        });
        take(&mut budget, "web-0").unwrap();
        assert_eq!(budget["status"]["disruptionsAllowed"], 0);
        assert!(budget["status"]["disruptedPods"]["web-0"].is_string());
        let condition = &budget["status"]["conditions"][0];
        assert_eq!(condition["reason"], "InsufficientPods");
        let refused = take(&mut budget, "web-1").unwrap_err();
        assert_eq!((refused.code, refused.message.as_str()), (429, REFUSED));
        assert_eq!(
            refused.details.causes[0].message,
            "The disruption budget b needs 2 healthy pods and has 3 currently"
        );
        let mut negative = budget.clone();
        negative["status"]["disruptionsAllowed"] = (-1).into();
        assert_eq!(take(&mut negative, "web-1").unwrap_err().code, 403);
        budget["metadata"]["generation"] = 2.into();
        let stale = take(&mut budget, "web-1").unwrap_err();
        assert!(
            stale.details.causes[0]
                .message
                .contains("still being processed")
        );
    }
}
