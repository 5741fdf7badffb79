//! `RuntimeClass`: a pod gets the overhead of its runtime class, and is kept to the nodes that have
//! that runtime.

use crate::{Lookup, Operation, Plugin, Request, forbidden, is_pod};
use model::quantity::Quantity;
use model::status::Status;
use model::{Value, meta};
use std::sync::Arc;

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct RuntimeClass;

const MISMATCH: &str = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

/// The class that the pod names; an error if there is none of that name.
fn class(request: &Request<'_>, cluster: &dyn Lookup) -> Result<Option<Arc<Value>>, Status> {
    let name = meta::text(&request.object, &["spec", "runtimeClassName"]);
    if name.is_empty() {
        return Ok(None);
    }
    let found = cluster.get("node.k8s.io", "runtimeclasses", "", name);
    found.map(Some).ok_or_else(|| {
        let why = format!("pod rejected: RuntimeClass {name:?} not found");
        forbidden(request, &why)
    })
}

/// What the class adds to its pods; nothing if it says nothing of it.
fn overhead(class: &Value) -> Option<&Value> {
    meta::at(class, &["overhead"]).filter(|overhead| !overhead.is_null())?;
    Some(meta::at(class, &["overhead", "podFixed"]).unwrap_or(&Value::Null))
}

/// Whether two lists of amounts are the same, however they are written.
fn same(a: &Value, b: &Value) -> bool {
    let read = |of: &Value| -> Vec<(String, Option<Quantity>)> {
        let all = of.as_object().into_iter().flatten();
        all.map(|(name, amount)| (name.clone(), Quantity::from_value(amount).ok()))
            .collect()
    };
    read(a) == read(b)
}

impl Plugin for RuntimeClass {
    fn name(&self) -> &'static str {
        "RuntimeClass"
    }

    fn mutate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        if !is_pod(request) || request.operation != Operation::Create {
            return Ok(());
        }
        let Some(class) = class(request, cluster)? else {
            return Ok(());
        };
        if let Some(overhead) = overhead(&class) {
            let own = meta::at(&request.object, &["spec", "overhead"]);
            if own.is_some_and(|own| !same(own, overhead)) {
                return Err(forbidden(request, MISMATCH));
            }
            meta::set(&mut request.object, &["spec", "overhead"], overhead.clone());
        }
        select_nodes(request, &class)?;
        tolerate(request, &class);
        Ok(())
    }

    fn validate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        if !is_pod(request) || request.operation != Operation::Create {
            return Ok(());
        }
        let class = class(request, cluster)?;
        let own = meta::at(&request.object, &["spec", "overhead"]).unwrap_or(&Value::Null);
        match class.as_deref().and_then(overhead) {
            Some(overhead) if !same(own, overhead) => Err(forbidden(request, MISMATCH)),
            None if own.as_object().is_some_and(|own| !own.is_empty()) => Err(forbidden(
                request,
                "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
            )),
            _ => Ok(()),
        }
    }
}

fn select_nodes(request: &mut Request<'_>, class: &Value) -> Result<(), Status> {
    let wanted = meta::strings(class, &["scheduling", "nodeSelector"]);
    if wanted.is_empty() {
        return Ok(());
    }
    let own = meta::strings(&request.object, &["spec", "nodeSelector"]);
    let conflict = wanted.iter().find_map(|(key, value)| {
        let other = own.get(key).filter(|other| *other != value)?;
        Some(format!(
            "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; \
             pod.spec.nodeSelector[{key}] = {other}"
        ))
    });
    if let Some(why) = conflict {
        return Err(forbidden(request, &why));
    }
    let selector = meta::map_mut(&mut request.object, &["spec", "nodeSelector"]);
    for (key, value) in wanted {
        selector.insert(key.to_owned(), value.into());
    }
    Ok(())
}

fn tolerate(request: &mut Request<'_>, class: &Value) {
    let more = meta::list(class, &["scheduling", "tolerations"]);
    if more.is_empty() {
        return;
    }
    let own = meta::list(&request.object, &["spec", "tolerations"]);
    let all: Vec<&Value> = own.iter().chain(more).collect();
    // Of two of which one tolerates all that the other does, only that one stays.
    let mut merged: Vec<Value> = Vec::new();
    for (place, toleration) in all.iter().enumerate() {
        let mut later = all.iter().skip(place.saturating_add(1));
        let is_redundant = merged.iter().any(|kept| covers(kept, toleration))
            || later.any(|other| other != toleration && covers(other, toleration));
        if !is_redundant {
            merged.push(Value::clone(toleration));
        }
    }
    meta::set(&mut request.object, &["spec", "tolerations"], merged);
}

/// Whether `wide` tolerates everything that `narrow` does.
fn covers(wide: &Value, narrow: &Value) -> bool {
    if wide == narrow {
        return true;
    }
    let text = |of, key| meta::text(of, &[key]);
    let exists = text(wide, "operator") == "Exists";
    let is_any_key = text(wide, "key").is_empty() && exists;
    if text(wide, "key") != text(narrow, "key") && !is_any_key {
        return false;
    }
    let effect = text(wide, "effect");
    if !effect.is_empty() && effect != text(narrow, "effect") {
        return false;
    }
    if effect == "NoExecute" {
        let seconds = |of: &Value| meta::at(of, &["tolerationSeconds"]).and_then(Value::as_i64);
        let is_shorter =
            seconds(wide).is_some_and(|most| seconds(narrow).is_none_or(|seconds| seconds > most));
        if is_shorter {
            return false;
        }
    }
    exists || text(narrow, "operator") == "Equal" && text(wide, "value") == text(narrow, "value")
}
