//! `ResourceQuota`: what a namespace may use in all. What a request takes is written into the
//! quota's status before the object is stored, so that two requests cannot take the same room.

mod config;

pub use config::{QuotaConfig, QuotaConfigError};

use crate::{Charge, Lookup, Operation, Plugin, Request, forbidden};
use model::quantity::Quantity;
use model::status::Status;
use model::{Value, meta};
use pod_resources::quota::{self, Kind, Refusal};

/// The plugin of upstream's name and rules.
#[derive(Debug, Default)]
pub struct ResourceQuota {
    config: QuotaConfig,
}

impl ResourceQuota {
    /// The plugin with what is limited even where there is no quota.
    pub fn new(config: QuotaConfig) -> Self {
        Self { config }
    }
}

impl Plugin for ResourceQuota {
    fn name(&self) -> &'static str {
        "ResourceQuota"
    }

    fn charge(
        &self,
        request: &Request<'_>,
        cluster: &dyn Lookup,
        settled: &[Charge],
    ) -> Result<Vec<Charge>, Status> {
        let kind = Kind {
            group: &request.resource.group,
            plural: &request.resource.plural,
        };
        let counts = match (request.operation, request.old_object) {
            (Operation::Create, _) => request.subresource.is_empty(),
            (Operation::Update, Some(old)) => {
                quota::changes(kind, request.subresource, &request.object, old)
            }
            _ => false,
        };
        // Access reviews and the like are never stored.
        let stored = request.resource.verbs.iter().any(|verb| verb == "list");
        if !counts || !stored || request.namespace.is_empty() {
            return Ok(Vec::new());
        }
        let quotas = cluster.list("", "resourcequotas", request.namespace);
        let limited = &self.config.limited;
        if quotas.is_empty() && limited.is_empty() {
            return Ok(Vec::new());
        }
        let seen: Vec<&Value> = quotas.iter().map(AsRef::as_ref).collect();
        let is_settled =
            |quota: &Value| { settled.iter() }.any(|charge| charge.name == meta::name(quota));
        let (object, old) = (&request.object, request.old_object);
        let shares = quota::charge(&seen, kind, object, old, limited, &is_settled);
        let shares = shares.map_err(|why| match why {
            // Upstream answers this one as an error of its own.
            Refusal::UncoveredScopes(_) => Status::new(500, "", why.to_string()),
            _ => forbidden(request, &why.to_string()),
        })?;
        let mut charges = Vec::with_capacity(shares.len());
        for share in shares {
            let Some(quota) = quotas.get(share.quota) else {
                continue;
            };
            let mut object = Value::clone(quota);
            meta::set(
                &mut object,
                &["status", "used"],
                quota::to_value(&share.used),
            );
            charges.push(Charge {
                group: "",
                resource: "resourcequotas",
                namespace: request.namespace.to_owned(),
                name: meta::name(quota).to_owned(),
                object,
                taken: share.taken.into_iter().collect(),
            });
        }
        Ok(charges)
    }
}

/// A quota as it is once `taken` is given back.
pub fn give_back(quota: &Value, taken: &[(String, Quantity)]) -> Value {
    let mut object = quota.clone();
    if let Some(used) = meta::at(quota, &["status", "used"]) {
        let used = quota::give_back(used, &taken.iter().cloned().collect());
        meta::set(&mut object, &["status", "used"], used);
    }
    object
}
