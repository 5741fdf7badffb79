//! The admission chain: mutating plugins, then (after the object was validated) validating ones,
//! in upstream's order. Plugins are pure: what they need to know of the cluster they ask of
//! [`Lookup`], which the API server answers from its cache.

mod always_pull_images;
mod certificates;
mod claim_resize;
mod default_classes;
mod default_tolerations;
mod extended_resources;
mod limit_ranger;
mod namespace_lifecycle;
mod node_restriction;
mod node_taint;
mod pod_security;
mod pod_security_policy;
mod priority;
mod resource_quota;
mod runtime_class;
mod service_account;
mod service_addresses;
mod storage_protection;

pub use always_pull_images::AlwaysPullImages;
pub use certificates::Certificates;
pub use claim_resize::PersistentVolumeClaimResize;
pub use default_classes::{DefaultIngressClass, DefaultStorageClass};
pub use default_tolerations::DefaultTolerationSeconds;
pub use extended_resources::ExtendedResourceToleration;
pub use limit_ranger::LimitRanger;
pub use namespace_lifecycle::NamespaceLifecycle;
pub use node_restriction::NodeRestriction;
pub use node_taint::TaintNodesByCondition;
pub use pod_security::{
    ConfigError, Evaluation, Exemptions, NoRecorder, Patience, PodSecurity, PodSecurityConfig,
    Recorder, Subject,
};
pub use pod_security_policy::PodSecurityPolicy;
pub use priority::Priority;
pub use resource_quota::{QuotaConfig, QuotaConfigError, ResourceQuota, give_back};
pub use runtime_class::RuntimeClass;
pub use service_account::{ServiceAccount, TOKEN_MOUNT, VOLUME_PREFIX};
pub use service_addresses::ServiceAddresses;
pub use storage_protection::StorageObjectInUseProtection;

use model::quantity::Quantity;
use model::resource::Resource;
use model::status::Status;
use model::user::UserInfo;
use model::{Value, meta};
use std::sync::Arc;

/// What a request does to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A new object, or a post to a subresource such as `pods/binding`.
    Create,
    /// A changed object.
    Update,
    /// A deletion.
    Delete,
    /// A stream to or through a pod, node or service.
    Connect,
}

/// A request as admission sees it.
#[derive(Debug)]
pub struct Request<'a> {
    /// What it does.
    pub operation: Operation,
    /// To which resource.
    pub resource: &'a Resource,
    /// To which subresource; empty for the object itself.
    pub subresource: &'a str,
    /// In which namespace; empty for cluster-scoped objects.
    pub namespace: &'a str,
    /// The object's name; empty while a generated name is still to be chosen.
    pub name: &'a str,
    /// The object as it would be stored (storage version); `Null` for deletions.
    pub object: Value,
    /// The object as it is, for updates and deletions.
    pub old_object: Option<&'a Value>,
    /// Who asks.
    pub user: &'a UserInfo,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    /// Texts to send as `Warning:` headers; plugins add to it.
    pub warnings: Vec<String>,
    /// Annotations for the audit event; plugins add to it.
    pub audit_annotations: Vec<(String, String)>,
}

/// Read access to the cluster for plugins; answers are at most a watch delay old.
pub trait Lookup: Send + Sync {
    /// The object, in storage version. `namespace` is empty for cluster-scoped resources.
    fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>>;
    /// All objects of a resource, in one namespace or (if empty) everywhere.
    fn list(&self, group: &str, resource: &str, namespace: &str) -> Vec<Arc<Value>>;
    /// At most `max` of these objects, and how many there are.
    fn first(
        &self,
        group: &str,
        resource: &str,
        namespace: &str,
        max: usize,
    ) -> (Vec<Arc<Value>>, usize) {
        let mut all = self.list(group, resource, namespace);
        let total = all.len();
        all.truncate(max);
        (all, total)
    }
}

/// What a request takes from a budget of the cluster: the object that keeps the budget, as it is to
/// be afterwards. It is written only if nobody has changed that object since it was looked at (its
/// `resourceVersion` says which version that was), and before the request's own object is.
#[derive(Debug, Clone, PartialEq)]
pub struct Charge {
    /// The API group of the budget.
    pub group: &'static str,
    /// Its plural name.
    pub resource: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The whole object, as it is to be.
    pub object: Value,
    /// By how much it is more than before, by resource: what is given back if the request comes to
    /// nothing after all.
    pub taken: Vec<(String, Quantity)>,
}

/// One step of the chain.
pub trait Plugin: Send + Sync {
    /// Upstream's name of the plugin, such as `ServiceAccount`.
    fn name(&self) -> &'static str;
    /// Whether the request should wait a moment, because something that a controller is about to
    /// make is missing. The server bounds the wait and then asks for the decision all the same.
    fn waits(&self, _request: &Request<'_>, _cluster: &dyn Lookup) -> bool {
        false
    }
    /// May change `request.object`.
    fn mutate(&self, _request: &mut Request<'_>, _cluster: &dyn Lookup) -> Result<(), Status> {
        Ok(())
    }
    /// Decides on the object as it will be stored.
    fn validate(&self, _request: &mut Request<'_>, _cluster: &dyn Lookup) -> Result<(), Status> {
        Ok(())
    }
    /// What the request takes from budgets, or why there is not enough left. Asked last, when all
    /// plugins have let the object in; asked anew, with what has been written (`settled`), if
    /// somebody else changed a budget meanwhile.
    fn charge(
        &self,
        _request: &Request<'_>,
        _cluster: &dyn Lookup,
        _settled: &[Charge],
    ) -> Result<Vec<Charge>, Status> {
        Ok(Vec::new())
    }
}

/// The plugins in order.
pub struct Chain {
    plugins: Vec<Box<dyn Plugin>>,
}

impl Chain {
    /// A chain of the given plugins.
    pub fn new(plugins: Vec<Box<dyn Plugin>>) -> Self {
        Self { plugins }
    }

    /// Whether a plugin waits for the cluster to catch up.
    pub fn waits(&self, request: &Request<'_>, cluster: &dyn Lookup) -> bool {
        self.plugins.iter().any(|p| p.waits(request, cluster))
    }

    /// Runs the mutating half.
    pub fn mutate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        self.plugins
            .iter()
            .try_for_each(|p| p.mutate(request, cluster))
    }

    /// Runs the validating half.
    pub fn validate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        self.plugins
            .iter()
            .try_for_each(|p| p.validate(request, cluster))
    }

    /// What the request takes from budgets that is not settled yet.
    pub fn charge(
        &self,
        request: &Request<'_>,
        cluster: &dyn Lookup,
        settled: &[Charge],
    ) -> Result<Vec<Charge>, Status> {
        let mut all = Vec::new();
        for plugin in &self.plugins {
            all.extend(plugin.charge(request, cluster, settled)?);
        }
        Ok(all)
    }
}

/// Whether the request is about a pod as a whole.
fn is_pod(request: &Request<'_>) -> bool {
    let resource = request.resource;
    resource.group.is_empty() && resource.plural == "pods" && request.subresource.is_empty()
}

/// A refusal of the request by one of its plugins, worded as upstream's `NewForbidden`. An object
/// whose name is still to be generated goes by what its name will begin with.
pub fn forbidden(request: &Request<'_>, why: &str) -> Status {
    let own = || match meta::name(&request.object) {
        "" => meta::text(&request.object, &["metadata", "generateName"]),
        name => name,
    };
    let name = match (request.name, request.operation) {
        ("", Operation::Create) if request.subresource.is_empty() => match own() {
            "" => "Unknown",
            name => name,
        },
        (name, _) => name,
    };
    Status::forbidden(&request.resource.group, &request.resource.plural, name, why)
}
