//! What requests take from budgets such as resource quotas: written into them before the object is
//! stored, and only if nobody changed them meanwhile.

use super::change::{Outcome, put};
use crate::key;
use crate::served::Served;
use crate::server::Server;
use admission::{Charge, Request};
use model::meta;
use model::status::Status;

/// How often a budget is tried that others write too (the controller that counts anew, above all).
const ATTEMPTS: usize = 8;

/// Writes what the request takes. What is written stays written if the object is not stored after
/// all; the controller that counts anew finds that out, as on upstream.
pub(super) async fn settle(server: &Server, request: &Request<'_>) -> Result<(), Status> {
    let lookup = server.services.lookup.as_ref();
    let first = server.admission.charge(request, lookup, &[])?;
    if first.is_empty() || request.dry_run {
        return Ok(());
    }
    // Requests of this server need not race with each other.
    let _turn = server.charging.lock().await;
    let mut settled: Vec<Charge> = Vec::new();
    for _ in 0..ATTEMPTS {
        let charges = server.admission.charge(request, lookup, &settled)?;
        let mut raced = false;
        for charge in charges {
            if write(server, &charge).await? {
                settled.push(charge);
            } else {
                raced = true;
                break;
            }
        }
        if !raced {
            return Ok(());
        }
        server.fresh().await?;
    }
    let contested = first.first().map_or("", |charge| charge.name.as_str());
    Err(Status::conflict(
        "",
        "resourcequotas",
        contested,
        "the object has been modified; please apply your changes to the latest version and try again",
    ))
}

/// Writes one charge; false if somebody has changed the budget.
async fn write(server: &Server, charge: &Charge) -> Result<bool, Status> {
    let registry = &server.services.registry;
    let served = Served::find(registry, charge.group, "v1", charge.resource)
        .ok_or_else(Status::no_such_path)?;
    let cache = server.objects(&served)?;
    let key = key::of_object(&cache.prefix, &charge.namespace, &charge.name);
    let Some(current) = cache.get(&key) else {
        return Ok(false);
    };
    let mut object = charge.object.clone();
    let looked_at = meta::remove(&mut object, &["metadata", "resourceVersion"]);
    let looked_at = looked_at.as_ref().and_then(|version| version.as_str());
    if looked_at != Some(current.revision.to_string().as_str()) {
        return Ok(false);
    }
    let outcome = put(server, &served, cache, &current, &object).await?;
    Ok(!matches!(outcome, Outcome::Raced))
}
