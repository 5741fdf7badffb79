//! RBAC compiled to an index (`rbac.authorization.k8s.io/v1`), and the other authorizers that
//! decide from data alone. Every decision carries the rule, role and binding that made it.

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
