//! RBAC compiled to an index (`rbac.authorization.k8s.io/v1`), and the other authorizers that
//! decide from data alone. Every decision carries the rule, role and binding that made it.

pub mod aggregate;
pub mod bootstrap;
pub mod escalation;
pub mod index;
pub mod node;
pub mod object;
pub mod resolve;
pub mod rule;

pub use index::{Because, Grant, Index, Ruling, SubjectRef};
pub use object::{Binding, MalformedObject, Role, RoleKind, RoleRef, Subject};
pub use rule::Rule;

use model::selector::FieldSelector;
use model::user::UserInfo;

/// What is asked of an authorizer (`authorization.k8s.io/v1` attributes).
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// Who asks.
    pub user: &'a UserInfo,
    /// The verb: `get`, `list`, …; for non-resource requests the HTTP method in lower case.
    pub verb: &'a str,
    /// The API group.
    pub group: &'a str,
    /// The API version; RBAC does not look at it.
    pub version: &'a str,
    /// The resource's plural name; empty for non-resource requests.
    pub resource: &'a str,
    /// The subresource, or empty.
    pub subresource: &'a str,
    /// The namespace, or empty.
    pub namespace: &'a str,
    /// The object's name, or empty.
    pub name: &'a str,
    /// The path of a non-resource request; empty for resource requests.
    pub path: &'a str,
    /// The field selector of a list, watch or deletecollection, if the request has one; only the
    /// Node authorizer looks at it (`AuthorizeNodeWithSelectors`).
    pub field_selector: Option<&'a FieldSelector>,
}

impl<'a> Attributes<'a> {
    /// A request for a resource of the whole cluster; the fields are public to be set further.
    pub fn resource(user: &'a UserInfo, verb: &'a str, group: &'a str, resource: &'a str) -> Self {
        Self {
            user,
            verb,
            group,
            version: "v1",
            resource,
            subresource: "",
            namespace: "",
            name: "",
            path: "",
            field_selector: None,
        }
    }

    /// A request for something that is no resource, such as `/healthz`.
    pub fn path(user: &'a UserInfo, verb: &'a str, path: &'a str) -> Self {
        Self {
            path,
            version: "",
            ..Self::resource(user, verb, "", "")
        }
    }

    /// The same question in `namespace`.
    pub fn in_namespace(self, namespace: &'a str) -> Self {
        Self { namespace, ..self }
    }

    /// The same question about the object called `name`.
    pub fn named(self, name: &'a str) -> Self {
        Self { name, ..self }
    }

    /// The same question about a subresource.
    pub fn of_subresource(self, subresource: &'a str) -> Self {
        Self {
            subresource,
            ..self
        }
    }

    /// Whether a resource is asked for, rather than a path.
    pub fn is_resource(&self) -> bool {
        self.path.is_empty()
    }
}

/// Something that decides requests from data alone.
pub trait Authorizer: Send + Sync {
    /// Decides one request. Never blocks and does no I/O.
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision;
}

/// What an authorizer answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Yes; nobody else is asked.
    Allow,
    /// No; nobody else is asked.
    Deny,
    /// This authorizer has no grant for it; the next is asked, and after the last it is a no.
    NoOpinion,
}

/// An answer with upstream's reason text, such as
/// `RBAC: allowed by RoleBinding "b/ns" of Role "r" to User "u"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub verdict: Verdict,
    /// Why; empty where upstream's is empty.
    pub reason: String,
}

impl Decision {
    /// A yes.
    pub fn allow(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Allow,
            reason: reason.into(),
        }
    }

    /// A no that ends the matter.
    pub fn deny(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Deny,
            reason: reason.into(),
        }
    }

    /// Neither; the next authorizer is asked.
    pub fn no_opinion(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::NoOpinion,
            reason: reason.into(),
        }
    }

    /// Whether the request may go on.
    pub fn allowed(&self) -> bool {
        self.verdict == Verdict::Allow
    }
}
