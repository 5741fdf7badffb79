//! `PodSecurityPolicy`, as of Kubernetes 1.24, the last version that had it: a pod needs a policy
//! that admits it and that the user who makes it, or its service account, may `use`.

use crate::{Lookup, Operation, Plugin, Request, forbidden};
use model::status::Status;
use model::user::{SERVICE_ACCOUNT_PREFIX, SERVICE_ACCOUNTS, UserInfo};
use model::{Value, meta};
use pod_security::psp::{Decision, Pass, Policies};
use rbac::{Attributes, Authorizer};
use std::sync::{Arc, Mutex, PoisonError};

const RESOURCE: &str = "podsecuritypolicies";
/// The groups in which the right to use a policy may be given: today's and the one of old.
const GROUPS: [&str; 2] = ["policy", "extensions"];
/// What annotations of audit events begin with.
const PREFIX: &str = "podsecuritypolicy.policy.k8s.io/";

/// The plugin of upstream's name and rules.
pub struct PodSecurityPolicy {
    authorizer: Arc<dyn Authorizer>,
    /// The policies as they were last compiled, and the objects that they were made from.
    compiled: Mutex<Compiled>,
}

type Compiled = (Vec<Arc<Value>>, Arc<Policies>);

impl PodSecurityPolicy {
    /// A plugin that asks `authorizer` who may `use` a policy.
    pub fn new(authorizer: Arc<dyn Authorizer>) -> Self {
        Self {
            authorizer,
            compiled: Mutex::default(),
        }
    }

    /// The cluster's policies, compiled anew only if one of them has changed.
    fn policies(&self, cluster: &dyn Lookup) -> Arc<Policies> {
        let objects = cluster.list("policy", RESOURCE, "");
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, policies) = &*compiled;
        let is_same = before.len() == objects.len()
            && before.iter().zip(&objects).all(|(a, b)| Arc::ptr_eq(a, b));
        if is_same {
            return Arc::clone(policies);
        }
        let policies = Arc::new(Policies::new(objects.iter().map(AsRef::as_ref)));
        *compiled = (objects, Arc::clone(&policies));
        policies
    }

    fn decide(
        &self,
        pass: Pass,
        pod: &Value,
        (user, namespace): (&UserInfo, &str),
        cluster: &dyn Lookup,
    ) -> Decision {
        let account = meta::text(pod, &["spec", "serviceAccountName"]);
        // As upstream, without the group of everybody who is authenticated.
        let account = (!account.is_empty()).then(|| {
            UserInfo::new(
                format!("{SERVICE_ACCOUNT_PREFIX}{namespace}:{account}"),
                [
                    SERVICE_ACCOUNTS.to_owned(),
                    format!("{SERVICE_ACCOUNTS}:{namespace}"),
                ],
            )
        });
        let who: Vec<&UserInfo> = account.iter().chain([user]).collect();
        self.policies(cluster).admit(pass, pod, |policy| {
            who.iter().any(|user| {
                GROUPS.into_iter().any(|group| {
                    let question = Attributes::resource(user, "use", group, RESOURCE)
                        .in_namespace(namespace)
                        .named(policy);
                    self.authorizer.authorize(&question).allowed()
                })
            })
        })
    }
}

/// Whether the request is about what policies speak of.
fn concerns(request: &Request<'_>) -> bool {
    let pod = request.resource.group.is_empty() && request.resource.plural == "pods";
    let part = matches!(request.subresource, "" | "ephemeralcontainers");
    let write = matches!(request.operation, Operation::Create | Operation::Update);
    // Whoever may delete a pod may also change what holds its deletion back.
    let is_clerical = || {
        let old = request.old_object;
        old.is_some_and(|old| differs_in_ownership_only(&request.object, old))
    };
    pod && part && write && !is_clerical()
}

/// Whether nothing differs but owners and finalizers.
fn differs_in_ownership_only(new: &Value, old: &Value) -> bool {
    const FREE: [&str; 4] = [
        "ownerReferences",
        "finalizers",
        "managedFields",
        "resourceVersion",
    ];
    let same = |new: Option<&Value>, old: Option<&Value>, free: &[&str]| {
        let none = model::Map::new();
        let new = new.and_then(Value::as_object).unwrap_or(&none);
        let old = old.and_then(Value::as_object).unwrap_or(&none);
        new.keys()
            .chain(old.keys())
            .filter(|key| !free.contains(&key.as_str()))
            .all(|key| new.get(key) == old.get(key))
    };
    same(Some(new), Some(old), &["metadata"])
        && same(new.get("metadata"), old.get("metadata"), &FREE)
}

impl Plugin for PodSecurityPolicy {
    fn name(&self) -> &'static str {
        "PodSecurityPolicy"
    }

    fn mutate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        if request.operation != Operation::Create || !concerns(request) {
            return Ok(());
        }
        let who = (request.user, request.namespace);
        let decision = self.decide(Pass::Mutating, &request.object, who, cluster);
        if let Some(why) = decision.message(Pass::Mutating) {
            return Err(forbidden(request, &why));
        }
        if let Decision::Admitted {
            policy,
            pod: Some(pod),
            ..
        } = decision
        {
            request.object = pod;
            request
                .audit_annotations
                .push((format!("{PREFIX}admit-policy"), policy));
        }
        Ok(())
    }

    fn validate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        if !concerns(request) {
            return Ok(());
        }
        let who = (request.user, request.namespace);
        let decision = self.decide(Pass::Validating, &request.object, who, cluster);
        if let Some(why) = decision.message(Pass::Validating) {
            return Err(forbidden(request, &why));
        }
        if let Some(policy) = decision.policy() {
            request
                .audit_annotations
                .push((format!("{PREFIX}validate-policy"), policy.to_owned()));
        }
        Ok(())
    }
}
