//! What PodSecurityPolicies leave of the power to create pods, where they are in force.
//!
//! A pod is admitted by a policy that its creator or its service account may `use`. A controller
//! creates the pods of a workload, so that of those only the account counts.

use super::holdings::{Holding, Holdings};
use super::powers::Power;
use super::state::{Name, Need};
use model::user::{ALL_AUTHENTICATED, SERVICE_ACCOUNTS};
use pod_security::psp::{ANNOTATION, Pass, Policies};
use rbac::Subject;
use serde_json::{Value, json};
use snapshot::Snapshot;
use std::collections::{BTreeMap, BTreeSet};

/// What the policies of a cluster let through, and for whom.
#[derive(Debug)]
pub(crate) struct Policing {
    /// Policies that admit an ordinary pod.
    pub(crate) admitting: BTreeSet<Name>,
    /// Policies that admit a pod that gets to its node.
    pub(crate) opening: BTreeSet<Name>,
    /// By namespace, what lets one of its accounts use one of the former, and of the latter.
    by_accounts: BTreeMap<Name, Usable>,
}

/// What lets somebody use policies.
#[derive(Debug, Default, Clone)]
pub(crate) struct Usable {
    pub(crate) admitting: Vec<Need>,
    pub(crate) opening: Vec<Need>,
}

/// Whether the policies of a cluster are in force, as far as can be seen: some pod carries the name
/// of the one that admitted it.
pub fn are_policies_in_force(snapshot: &Snapshot) -> bool {
    snapshot.of("", "pods").iter().any(|pod| {
        let annotations = model::meta::annotations(&pod.value);
        annotations.contains_key(ANNOTATION)
    })
}

/// A pod that mounts a secret and asks for nothing else.
fn ordinary() -> Value {
    json!({"metadata": {}, "spec": {
        "volumes": [{"name": "v", "secret": {"secretName": "s"}}],
        "containers": [{"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
    }})
}

/// Pods that get to their node.
fn ways_out() -> [Value; 2] {
    [
        json!({"metadata": {}, "spec": {
            "containers": [{"name": "c", "securityContext": {"privileged": true}}],
        }}),
        json!({"metadata": {}, "spec": {
            "volumes": [{"name": "v", "hostPath": {"path": "/"}}],
            "containers": [{"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        }}),
    ]
}

impl Policing {
    /// Asks the policies of a snapshot, and who may use them.
    pub(crate) fn of(
        snapshot: &Snapshot,
        holdings: &Holdings,
        accounts: &BTreeMap<Name, BTreeSet<Name>>,
    ) -> Self {
        let objects = snapshot.of("policy", "podsecuritypolicies");
        let policies = Policies::new(objects.iter().map(|object| &*object.value));
        let admitting_any = |pods: &[Value]| -> BTreeSet<Name> {
            let admits = |pod: &Value, policy: &pod_security::psp::Policy| {
                policy.review(Pass::Mutating, pod).refusals.is_empty()
            };
            policies
                .iter()
                .filter(|policy| pods.iter().any(|pod| admits(pod, policy)))
                .map(|policy| policy.name().into())
                .collect()
        };
        let mut policing = Self {
            admitting: admitting_any(&[ordinary()]),
            opening: admitting_any(&ways_out()),
            by_accounts: BTreeMap::new(),
        };
        for (namespace, names) in accounts {
            let groups = [
                SERVICE_ACCOUNTS.to_owned(),
                format!("{SERVICE_ACCOUNTS}:{namespace}"),
                ALL_AUTHENTICATED.to_owned(),
            ];
            let own = names.iter().map(|name| Subject::account(namespace, name));
            let subjects = own.chain(groups.into_iter().map(Subject::Group));
            let held: Vec<Holding> = subjects
                .flat_map(|subject| holdings.of_subject(&subject).to_vec())
                .filter(|h| h.scope.as_ref().is_none_or(|scope| scope == namespace))
                .collect();
            let mut usable = Usable {
                admitting: policing.needs(&held, &policing.admitting),
                opening: policing.needs(&held, &policing.opening),
            };
            for needs in [&mut usable.admitting, &mut usable.opening] {
                needs.sort_unstable();
                needs.dedup();
            }
            policing.by_accounts.insert(Name::clone(namespace), usable);
        }
        policing
    }

    /// What of some holdings allows to use one of the policies.
    fn needs(&self, held: &[Holding], policies: &BTreeSet<Name>) -> Vec<Need> {
        held.iter()
            .filter(|holding| match holding.held.question.power {
                Power::Everything => !policies.is_empty(),
                Power::UsePolicy => match &holding.held.name {
                    None => !policies.is_empty(),
                    Some(name) => policies.contains(name),
                },
                _ => false,
            })
            .filter_map(|holding| holding.need)
            .collect()
    }

    /// What the accounts of a namespace may use.
    pub(crate) fn by_accounts(&self, namespace: &str) -> Usable {
        self.by_accounts.get(namespace).cloned().unwrap_or_default()
    }
}
