//! PodSecurityPolicy, as Kubernetes 1.24, the last version that had it, holds pods to it.
//!
//! Policies are compiled once ([`Policies`]); [`Policies::admit`] then tries them one after the
//! other: each fills in what it has defaults for and checks the result. The first that admits the
//! pod as it is wins, else, when the pod is created, the first that admits it with its defaults.
//! Whether a policy may be used at all is asked of the caller, and only where it matters.
//!
//! What is newer than 1.24 is held to the policies as far as they can speak of it: AppArmor profiles
//! in fields count as their annotations do, and `image` volumes are allowed by `*` alone. API servers
//! since 1.27 pay no attention to seccomp annotations, and the node reads fields, so what annotations
//! say of a new pod is written into the fields too, as the API server of 1.24 did.

mod container;
mod defaults;
mod policy;
mod profiles;
mod validate;
mod volumes;

pub use defaults::Change;
pub(crate) use policy::Groups;
pub use policy::{NotEnforceable, Policy};

use crate::containers::Pod;
use model::field::FieldError;
use model::{Value, meta};

/// The annotation that names the policy that has admitted a pod.
pub const ANNOTATION: &str = "kubernetes.io/psp";

/// The two times at which pods are held to policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// When a pod is created, before it is validated: policies may change it.
    Mutating,
    /// When a pod was changed by all others, and when it is updated: policies may not change it.
    Validating,
}

/// Why a policy does not admit a pod.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The name of the policy.
    pub policy: String,
    /// What the API server answers. Its path is upstream's, which is not always that of a field.
    pub error: FieldError,
    /// The path of the field of the pod that is wrong, or missing.
    pub field: String,
    /// The path of the field of the policy that decided, such as `spec.allowedHostPaths`.
    pub control: String,
}

impl Refusal {
    fn new(error: FieldError, field: impl Into<String>, control: impl Into<String>) -> Self {
        Self {
            policy: String::new(),
            error,
            field: field.into(),
            control: control.into(),
        }
    }
}

/// What a policy says of a pod.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// What the policy fills in.
    pub changes: Vec<Change>,
    /// Why it does not admit the pod, even so; empty if it does.
    pub refusals: Vec<Refusal>,
}

/// What was decided on a pod.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// A policy admits it.
    Admitted {
        /// The name of the policy.
        policy: String,
        /// What the policy has filled in; empty if it admits the pod as it is.
        changes: Vec<Change>,
        /// The pod with what was filled in and with the name of the policy, in the mutating pass;
        /// in the validating one nothing is changed.
        pod: Option<Value>,
    },
    /// No policy that may be used admits it. The refusals are those of these policies, by name.
    Refused(Vec<Refusal>),
    /// There is no policy that could be enforced, whoever may use it.
    NoPolicies,
}

impl Decision {
    /// The policy that admits the pod.
    pub fn policy(&self) -> Option<&str> {
        match self {
            Self::Admitted { policy, .. } => Some(policy),
            Self::Refused(_) | Self::NoPolicies => None,
        }
    }

    /// What follows `pods "NAME" is forbidden: ` in the API server's answer; `None` if the pod is
    /// admitted.
    pub fn message(&self, pass: Pass) -> Option<String> {
        let refusals = match self {
            Self::Admitted { .. } => return None,
            Self::NoPolicies => {
                let text = "PodSecurityPolicy: no providers available to validate pod request";
                return Some(text.to_owned());
            }
            Self::Refused(refusals) => refusals,
        };
        let verb = match pass {
            Pass::Mutating => "admit",
            Pass::Validating => "validate",
        };
        let errors: Vec<String> = refusals.iter().map(|r| r.error.to_string()).collect();
        let errors = errors.join(" ");
        Some(format!(
            "PodSecurityPolicy: unable to {verb} pod: [{errors}]"
        ))
    }
}

/// Compiled policies, by name.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    policies: Vec<Policy>,
    broken: Vec<(String, NotEnforceable)>,
}

impl Policies {
    /// Compiles PodSecurityPolicy objects. Those that cannot be enforced are passed over, as
    /// upstream does.
    pub fn new<'a>(objects: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut all = Self::default();
        for object in objects {
            match Policy::new(object) {
                Ok(policy) => all.policies.push(policy),
                Err(why) => all.broken.push((meta::name(object).to_owned(), why)),
            }
        }
        all.policies.sort_by(|a, b| a.name().cmp(b.name()));
        all.broken.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// The policies, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.policies.iter()
    }

    /// The names of the policies that cannot be enforced, each with the reason.
    pub fn broken(&self) -> &[(String, NotEnforceable)] {
        &self.broken
    }

    /// Decides on a pod. `may_use` says whether the user who asks, or the pod's service account, is
    /// authorized to `use` the policy of this name in the pod's namespace.
    pub fn admit(
        &self,
        pass: Pass,
        pod: &Value,
        mut may_use: impl FnMut(&str) -> bool,
    ) -> Decision {
        if self.policies.is_empty() {
            return Decision::NoPolicies;
        }
        let mut with_changes = None;
        let mut refusing = Vec::new();
        for policy in self.in_order(pass, pod) {
            // One that changes the pod would not be taken any more, whatever it says of it.
            if with_changes.is_some() && policy.would_change(pass, pod) {
                continue;
            }
            let changes = policy.changes(pass, pod);
            let (review, changed) = policy.review_with(changes, pod);
            if !review.refusals.is_empty() {
                refusing.push((policy, review.refusals));
                continue;
            }
            let changes = !review.changes.is_empty();
            if changes && pass == Pass::Validating {
                continue;
            }
            if !may_use(policy.name()) {
                continue;
            }
            let admitted = (policy, review.changes, changed);
            if !changes {
                return admit(pass, pod, admitted);
            }
            with_changes = Some(admitted);
        }
        if let Some(admitted) = with_changes {
            return admit(pass, pod, admitted);
        }
        refusing.sort_by(|a, b| a.0.name().cmp(b.0.name()));
        let refusals = refusing
            .into_iter()
            .filter(|(policy, _)| may_use(policy.name()))
            .flat_map(|(_, refusals)| refusals)
            .collect();
        Decision::Refused(refusals)
    }

    /// The policies by name; in the validating pass, first the one that has admitted the pod before.
    fn in_order(&self, pass: Pass, pod: &Value) -> impl Iterator<Item = &Policy> {
        let hint = match pass {
            Pass::Mutating => None,
            Pass::Validating => meta::at(pod, &["metadata", "annotations", ANNOTATION]),
        };
        let is_hint = move |p: &&Policy| hint.and_then(Value::as_str) == Some(p.name());
        let first = self.policies.iter().filter(is_hint);
        first.chain(self.policies.iter().filter(move |p| !is_hint(p)))
    }
}

/// A policy that admits a pod, what it fills in, and the pod with that, unless it is nothing.
type Admitted<'a> = (&'a Policy, Vec<Change>, Option<Value>);

fn admit(pass: Pass, pod: &Value, (policy, changes, changed): Admitted<'_>) -> Decision {
    let pod = (pass == Pass::Mutating).then(|| {
        let mut pod = changed.unwrap_or_else(|| pod.clone());
        profiles::keep_in_step(&mut pod);
        meta::set(
            &mut pod,
            &["metadata", "annotations", ANNOTATION],
            policy.name(),
        );
        pod
    });
    Decision::Admitted {
        policy: policy.name().to_owned(),
        changes,
        pod,
    }
}

impl Policy {
    /// What this policy says of a pod, whoever may use it.
    pub fn review(&self, pass: Pass, pod: &Value) -> Review {
        self.review_with(self.changes(pass, pod), pod).0
    }

    fn changes(&self, pass: Pass, pod: &Value) -> Vec<Change> {
        let (metadata, spec) = parts(pod);
        defaults::of(self, pass, &Pod::new(metadata, spec), false)
    }

    fn would_change(&self, pass: Pass, pod: &Value) -> bool {
        let (metadata, spec) = parts(pod);
        !defaults::of(self, pass, &Pod::new(metadata, spec), true).is_empty()
    }

    /// What the policy says of a pod that it changes so, and the pod then; `None` as it came.
    fn review_with(&self, changes: Vec<Change>, pod: &Value) -> (Review, Option<Value>) {
        let changed = (!changes.is_empty()).then(|| {
            let mut pod = pod.clone();
            changes.iter().for_each(|change| change.apply(&mut pod));
            pod
        });
        let (metadata, spec) = parts(changed.as_ref().unwrap_or(pod));
        let mut refusals = validate::refusals(self, &Pod::new(metadata, spec));
        for refusal in &mut refusals {
            self.name().clone_into(&mut refusal.policy);
        }
        (Review { changes, refusals }, changed)
    }
}

/// The metadata and the spec of a pod.
fn parts(pod: &Value) -> (&Value, &Value) {
    let of = |key| pod.get(key).unwrap_or(&Value::Null);
    (of("metadata"), of("spec"))
}

#[cfg(test)]
mod tests;
