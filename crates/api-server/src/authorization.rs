//! Whether a user may do what a request asks: the authorizer port, its composition, and the
//! refusal in upstream's words.

use crate::request_info::RequestInfo;
use model::Value;
use model::status::Status;
use model::user::{MASTERS, UserInfo};
use rbac::{Attributes, Decision, Verdict};
use std::sync::Arc;

/// What a user may do in a namespace, as `SelfSubjectRulesReview` reports it.
#[derive(Debug, Clone, Default)]
pub struct RuleList {
    /// `authorization.k8s.io/v1` ResourceRule objects.
    pub resource: Vec<Value>,
    /// `authorization.k8s.io/v1` NonResourceRule objects.
    pub non_resource: Vec<Value>,
    /// Whether more than this may be allowed.
    pub incomplete: bool,
    /// What went wrong in finding out; mostly empty.
    pub error: String,
}

/// An authorizer that can also list what it allows.
pub trait Authorizer: rbac::Authorizer {
    /// What the user may do in `namespace`, for display only.
    fn rules(&self, _user: &UserInfo, _namespace: &str) -> RuleList {
        RuleList::default()
    }
}

/// Asks one authorizer after the other until one has an opinion.
pub struct Union(pub Vec<Arc<dyn Authorizer>>);

impl rbac::Authorizer for Union {
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let mut reasons: Vec<String> = Vec::new();
        for authorizer in &self.0 {
            let decision = authorizer.authorize(attributes);
            if decision.verdict != Verdict::NoOpinion {
                return decision;
            }
            if !decision.reason.is_empty() {
                reasons.push(decision.reason);
            }
        }
        Decision {
            verdict: Verdict::NoOpinion,
            reason: reasons.join("\n"),
        }
    }
}

impl Authorizer for Union {
    fn rules(&self, user: &UserInfo, namespace: &str) -> RuleList {
        let mut all = RuleList::default();
        for authorizer in &self.0 {
            let some = authorizer.rules(user, namespace);
            all.resource.extend(some.resource);
            all.non_resource.extend(some.non_resource);
            all.incomplete |= some.incomplete;
            if !some.error.is_empty() {
                if !all.error.is_empty() {
                    all.error.push_str(", ");
                }
                all.error.push_str(&some.error);
            }
        }
        all
    }
}

/// Lets members of `system:masters` do everything, whatever the stored roles say, so that a
/// cluster cannot lock its administrators out.
#[derive(Debug, Default, Clone, Copy)]
pub struct Masters;

impl Authorizer for Masters {}

impl rbac::Authorizer for Masters {
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        if attributes.user.in_group(MASTERS) {
            Decision::allow("")
        } else {
            Decision::no_opinion("")
        }
    }
}

/// Lets everybody, also without credentials, read the paths that upstream keeps open: health,
/// the version, and what others need to check this cluster's tokens.
#[derive(Debug, Default, Clone, Copy)]
pub struct OpenPaths;

/// Whether a path is open to everybody.
pub fn is_open_path(path: &str) -> bool {
    let health = ["/healthz", "/livez", "/readyz"].into_iter().any(|root| {
        path.strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    health
        || matches!(
            path,
            "/version" | "/version/" | "/.well-known/openid-configuration" | "/openid/v1/jwks"
        )
}

impl Authorizer for OpenPaths {}

impl rbac::Authorizer for OpenPaths {
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let open = attributes.resource.is_empty()
            && matches!(attributes.verb, "get" | "head")
            && is_open_path(attributes.path);
        if open {
            Decision::allow("")
        } else {
            Decision::no_opinion("")
        }
    }
}

/// The question that a request puts to the authorizers.
pub fn attributes<'a>(user: &'a UserInfo, info: &'a RequestInfo) -> Attributes<'a> {
    Attributes {
        user,
        verb: info.verb,
        group: &info.group,
        version: &info.version,
        resource: &info.resource,
        subresource: &info.subresource,
        namespace: &info.namespace,
        name: &info.name,
        path: if info.is_resource { "" } else { &info.path },
        field_selector: info.field_selector.as_ref(),
    }
}

/// Holds a question against the authorizers; a no is a 403.
pub fn require(authorizer: &dyn Authorizer, question: &Attributes<'_>) -> Result<String, Status> {
    judge(authorizer.authorize(question), question)
}

/// Turns the answer to a question into a reason or a refusal.
pub fn judge(decision: Decision, question: &Attributes<'_>) -> Result<String, Status> {
    match decision.verdict {
        Verdict::Allow => Ok(decision.reason),
        Verdict::Deny | Verdict::NoOpinion => Err(forbidden(question, &decision.reason)),
    }
}

/// The refusal of a question.
pub fn forbidden(question: &Attributes<'_>, reason: &str) -> Status {
    let user = &question.user.name;
    let verb = question.verb;
    let mut text = if question.resource.is_empty() {
        format!("User \"{user}\" cannot {verb} path \"{}\"", question.path)
    } else {
        let mut resource = question.resource.to_owned();
        if !question.subresource.is_empty() {
            resource = format!("{resource}/{}", question.subresource);
        }
        let place = match question.namespace {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace \"{namespace}\""),
        };
        format!(
            "User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{}\" {place}",
            question.group
        )
    };
    if !reason.is_empty() {
        text.push_str(": ");
        text.push_str(reason);
    }
    Status::forbidden(question.group, question.resource, question.name, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Query;

    fn refusal(method: &str, path: &str) -> String {
        let user = UserInfo::new("jane", ["dev"]);
        let info = RequestInfo::new(&method.parse().unwrap(), path, &Query::default());
        let union = Union(vec![Arc::new(Masters), Arc::new(OpenPaths)]);
        match require(&union, &attributes(&user, &info)) {
            Ok(_) => String::new(),
            Err(status) => status.message,
        }
    }

    #[test]
    fn refusals_read_as_upstreams() {
        for (method, path, want) in [
            (
                "GET",
                "/api/v1/namespaces/default/pods",
                "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" \
                 in the namespace \"default\"",
            ),
            (
                "POST",
                "/api/v1/namespaces/default/pods/x/exec",
                "pods \"x\" is forbidden: User \"jane\" cannot create resource \"pods/exec\" in \
                 API group \"\" in the namespace \"default\"",
            ),
            (
                "GET",
                "/apis/apps/v1/deployments",
                "deployments.apps is forbidden: User \"jane\" cannot list resource \
                 \"deployments\" in API group \"apps\" at the cluster scope",
            ),
            (
                "GET",
                "/foo",
                "forbidden: User \"jane\" cannot get path \"/foo\"",
            ),
            ("GET", "/healthz", ""),
            ("GET", "/readyz/etcd", ""),
            ("GET", "/version", ""),
            (
                "POST",
                "/version",
                "forbidden: User \"jane\" cannot post path \"/version\"",
            ),
        ] {
            assert_eq!(refusal(method, path), want);
        }
    }

    #[test]
    fn masters_may_do_everything() {
        let user = UserInfo::new("root", [MASTERS]);
        let info = RequestInfo::new(&http::Method::DELETE, "/api/v1/nodes", &Query::default());
        assert!(require(&Masters, &attributes(&user, &info)).is_ok());
    }
}
