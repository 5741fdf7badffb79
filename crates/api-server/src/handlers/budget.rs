//! What requests take from budgets such as resource quotas: written into them before the object is
//! stored, and only if nobody changed them meanwhile; and given back if it is not stored after all.

use super::change::{Outcome, put};
use crate::cache::{CachedObject, ResourceCache};
use crate::key;
use crate::served::Served;
use crate::server::Server;
use admission::{Charge, Request, give_back};
use model::Value;
use model::meta;
use model::status::Status;
use std::collections::HashMap;
use std::sync::Arc;

/// How often a budget is tried that others write too (the controller that counts anew, above all).
const ATTEMPTS: usize = 8;

/// How each budget was last written here. As long as nobody else writes a budget, what a request
/// took of it is still in it and can be given back; afterwards it may have been counted anew.
#[derive(Default)]
pub(crate) struct Ledger(HashMap<String, Line>);

/// Writes of one budget that followed each other without anybody else's between them.
#[derive(Clone, Copy)]
struct Line {
    number: u64,
    /// The revision of the last one.
    revision: u64,
}

impl Ledger {
    /// Notes that what was at revision `from` was written as revision `to`; the number of the line
    /// that this continues or begins.
    fn wrote(&mut self, key: &str, from: u64, to: u64) -> u64 {
        match self.0.get_mut(key) {
            Some(line) if line.revision == from => {
                line.revision = to;
                line.number
            }
            Some(line) => {
                *line = Line {
                    number: line.number.wrapping_add(1),
                    revision: to,
                };
                line.number
            }
            None => {
                let line = Line {
                    number: 0,
                    revision: to,
                };
                self.0.insert(key.to_owned(), line);
                line.number
            }
        }
    }

    /// Whether nobody else has written the budget since that line began.
    fn holds(&self, key: &str, number: u64, revision: u64) -> bool {
        self.0
            .get(key)
            .is_some_and(|line| (line.number, line.revision) == (number, revision))
    }
}

/// What a request has taken, until its object is stored.
#[derive(Default)]
#[must_use]
pub(crate) struct Taken(Vec<(Charge, u64)>);

/// Whether there is room for what the request takes; nothing is written.
pub(super) fn check(server: &Server, request: &Request<'_>) -> Result<(), Status> {
    let lookup = server.services.lookup.as_ref();
    server.admission.charge(request, lookup, &[]).map(|_| ())
}

/// Writes what the request takes.
pub(super) async fn settle(server: &Server, request: &Request<'_>) -> Result<Taken, Status> {
    let lookup = server.services.lookup.as_ref();
    let first = server.admission.charge(request, lookup, &[])?;
    if first.is_empty() || request.dry_run {
        return Ok(Taken::default());
    }
    // Requests of this server need not race with each other.
    let mut ledger = server.charging.lock().await;
    let mut settled: Vec<Charge> = Vec::new();
    let mut lines = Vec::new();
    for _ in 0..ATTEMPTS {
        let charges = match server.admission.charge(request, lookup, &settled) {
            Ok(charges) => charges,
            Err(status) => {
                // Of several budgets one has become too small meanwhile.
                let taken = Taken(settled.into_iter().zip(lines).collect());
                undo(server, &mut ledger, taken).await;
                return Err(status);
            }
        };
        let mut raced = false;
        for charge in charges {
            match write(server, &mut ledger, &charge).await? {
                Some(line) => {
                    settled.push(charge);
                    lines.push(line);
                }
                None => {
                    raced = true;
                    break;
                }
            }
        }
        if !raced {
            return Ok(Taken(settled.into_iter().zip(lines).collect()));
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

/// Gives back what a request has taken whose object was not stored. Where that cannot be told apart
/// from what others did, the controller that counts anew finds it out.
pub(super) async fn refund(server: &Server, taken: Taken) {
    if taken.0.is_empty() {
        return;
    }
    let mut ledger = server.charging.lock().await;
    undo(server, &mut ledger, taken).await;
}

async fn undo(server: &Server, ledger: &mut Ledger, taken: Taken) {
    for (charge, number) in taken.0 {
        let Ok(place) = Place::of(server, &charge) else {
            continue;
        };
        let Some(current) = place.current() else {
            continue;
        };
        if !ledger.holds(&place.key, number, current.revision) {
            continue;
        }
        let Ok(value) = current.encoded.parse() else {
            continue;
        };
        let mut object = give_back(&value, &charge.taken);
        meta::remove(&mut object, &["metadata", "resourceVersion"]);
        // If it cannot be written, it stays taken until it is counted anew.
        let _ = place.write(server, ledger, &current, &object).await;
    }
}

/// Where a budget is kept.
struct Place<'a> {
    served: Served,
    cache: &'a ResourceCache,
    key: String,
}

impl<'a> Place<'a> {
    fn of(server: &'a Server, charge: &Charge) -> Result<Self, Status> {
        let registry = &server.services.registry;
        let served = Served::find(registry, charge.group, "v1", charge.resource)
            .ok_or_else(Status::no_such_path)?;
        let cache = server.objects(&served)?;
        let key = key::of_object(&cache.prefix, &charge.namespace, &charge.name);
        Ok(Self { served, cache, key })
    }

    fn current(&self) -> Option<Arc<CachedObject>> {
        self.cache.get(&self.key)
    }

    /// Writes the budget; the number of the line of writes, or nothing if somebody was faster.
    async fn write(
        &self,
        server: &Server,
        ledger: &mut Ledger,
        current: &CachedObject,
        object: &Value,
    ) -> Result<Option<u64>, Status> {
        match put(server, &self.served, self.cache, current, object).await? {
            Outcome::Written(written) => Ok(Some(ledger.wrote(
                &self.key,
                current.revision,
                written.revision,
            ))),
            Outcome::Done(_) | Outcome::Raced => Ok(None),
        }
    }
}

/// Writes one charge; nothing if somebody has changed the budget.
async fn write(
    server: &Server,
    ledger: &mut Ledger,
    charge: &Charge,
) -> Result<Option<u64>, Status> {
    let place = Place::of(server, charge)?;
    let Some(current) = place.current() else {
        return Ok(None);
    };
    let mut object = charge.object.clone();
    let looked_at = meta::remove(&mut object, &["metadata", "resourceVersion"]);
    let looked_at = looked_at.as_ref().and_then(|version| version.as_str());
    if looked_at != Some(current.revision.to_string().as_str()) {
        return Ok(None);
    }
    place.write(server, ledger, &current, &object).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_where_somebody_else_writes() {
        let mut ledger = Ledger::default();
        let first = ledger.wrote("q", 1, 2);
        assert!(ledger.holds("q", first, 2));
        assert_eq!(ledger.wrote("q", 2, 5), first);
        assert!(ledger.holds("q", first, 5));
        // Somebody wrote revision 6.
        assert!(!ledger.holds("q", first, 6));
        let second = ledger.wrote("q", 6, 7);
        assert_ne!(first, second);
        assert!(!ledger.holds("q", first, 7));
        assert!(ledger.holds("q", second, 7));
        assert!(!ledger.holds("other", second, 7));
    }
}
