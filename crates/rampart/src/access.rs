//! Questions about access, as people put them on the command line.

use anyhow::{Result, bail};
use model::user::{
    ALL_AUTHENTICATED, ALL_UNAUTHENTICATED, ANONYMOUS, SERVICE_ACCOUNT_PREFIX, SERVICE_ACCOUNTS,
    UserInfo,
};
use rbac::Attributes;
use serde::Serialize;
use snapshot::{Kinds, Problem, Severity, Snapshot};

/// What may be done, by whomever.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Question {
    /// The verb.
    pub(crate) verb: String,
    /// The API group, empty for the core group; none if a path is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    /// The plural name; empty if a path is meant.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) resource: String,
    /// The subresource.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) subresource: String,
    /// The namespace; empty for the whole cluster.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) namespace: String,
    /// The object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    /// The path, if no resource is meant.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) path: String,
}

impl Question {
    /// Understands `VERB RESOURCE[/NAME]`, as kubectl does: a plural, singular or short name or a
    /// kind, with or without its group. The second part is what a user should know of how it was
    /// understood.
    pub(crate) fn parse(
        verb: &str,
        resource: &str,
        subresource: Option<&str>,
        namespace: &str,
        kinds: &Kinds,
    ) -> (Self, Vec<String>) {
        let mut notes = Vec::new();
        let verb = verb.to_owned();
        if resource.starts_with('/') {
            let question = Self {
                verb,
                path: resource.to_owned(),
                ..Self::default()
            };
            return (question, notes);
        }
        let (resource, name) = resource.split_once('/').unwrap_or((resource, ""));
        let found = kinds.meant_by(resource);
        let subresource = subresource.unwrap_or_default().to_owned();
        let mut question = Self {
            verb,
            subresource,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..Self::default()
        };
        let Some(kind) = found else {
            let lower = resource.to_lowercase();
            let (plural, group) = lower.split_once('.').unwrap_or((&lower, ""));
            question.resource = plural.to_owned();
            question.group = Some(group.to_owned());
            if plural != "*" {
                notes.push(format!(
                    "no resource type {resource:?} is known: it is taken as it is"
                ));
            }
            return (question, notes);
        };
        question.resource = kind.plural.clone().into_owned();
        question.group = Some(kind.group.clone().into_owned());
        if !kind.namespaced {
            // A namespace counts as being in itself.
            question.namespace = if kind.plural == "namespaces" && kind.group.is_empty() {
                name.to_owned()
            } else {
                String::new()
            };
        }
        let is_subresource = |name: &str| {
            let builtin = kind.builtin.as_ref();
            builtin.is_some_and(|resource| resource.subresource(name).is_some())
        };
        if question.subresource.is_empty() && is_subresource(name) {
            notes.push(format!(
                "this asks about {} with the name {name:?}: for the subresource write \
                 --subresource {name}",
                kind.plural
            ));
        }
        if !question.subresource.is_empty()
            && kind.builtin.is_some()
            && !is_subresource(&question.subresource)
        {
            notes.push(format!(
                "{} has no subresource {:?}",
                kind.plural, question.subresource
            ));
        }
        (question, notes)
    }

    fn group(&self) -> &str {
        self.group.as_deref().unwrap_or_default()
    }

    /// The question as `rbac` takes it.
    pub(crate) fn attributes<'a>(&'a self, user: &'a UserInfo) -> Attributes<'a> {
        if !self.path.is_empty() {
            return Attributes::path(user, &self.verb, &self.path);
        }
        Attributes::resource(user, &self.verb, self.group(), &self.resource)
            .of_subresource(&self.subresource)
            .in_namespace(&self.namespace)
            .named(&self.name)
    }
}

impl std::fmt::Display for Question {
    /// `get pods.apps/exec "name" in namespace "ns"`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ", self.verb)?;
        if !self.path.is_empty() {
            return f.write_str(&self.path);
        }
        f.write_str(&model::status::qualified(self.group(), &self.resource))?;
        if !self.subresource.is_empty() {
            write!(f, "/{}", self.subresource)?;
        }
        if !self.name.is_empty() {
            write!(f, " {:?}", self.name)?;
        }
        if self.namespace.is_empty() {
            Ok(())
        } else {
            write!(f, " in namespace {:?}", self.namespace)
        }
    }
}

/// The user that a name means, in all groups that a cluster would put it in: a service account
/// (`system:serviceaccount:NS:NAME`, or `serviceaccount/NS/NAME` for short) in those of its
/// namespace, everybody in `system:authenticated`, but `system:anonymous` in
/// `system:unauthenticated`.
pub(crate) fn user(name: &str, groups: &[String]) -> Result<UserInfo> {
    let name = match name.split('/').collect::<Vec<_>>().as_slice() {
        ["serviceaccount" | "sa", namespace, account] => {
            format!("{SERVICE_ACCOUNT_PREFIX}{namespace}:{account}")
        }
        _ => name.to_owned(),
    };
    let mut user = UserInfo::new(name, groups.iter().cloned());
    let mut implied = Vec::new();
    if let Some((namespace, _)) = user.service_account() {
        implied.push(SERVICE_ACCOUNTS.to_owned());
        implied.push(format!("{SERVICE_ACCOUNTS}:{namespace}"));
    } else if user.name.starts_with(SERVICE_ACCOUNT_PREFIX) {
        bail!(
            "{:?} names no service account: write system:serviceaccount:NAMESPACE:NAME",
            user.name
        );
    }
    if user.name == ANONYMOUS {
        implied.push(ALL_UNAUTHENTICATED.to_owned());
    } else if !user.in_group(ALL_UNAUTHENTICATED) {
        implied.push(ALL_AUTHENTICATED.to_owned());
    }
    for group in implied {
        if !user.in_group(&group) {
            user.groups.push(group);
        }
    }
    Ok(user)
}

/// The kinds that decide about access, and those that make other kinds known.
pub(crate) fn wanted(group: &str, plural: &str) -> bool {
    matches!(
        (group, plural),
        ("rbac.authorization.k8s.io", _)
            | ("apiextensions.k8s.io", "customresourcedefinitions")
            | ("", "namespaces")
    )
}

/// How far the worst problem reaches of those that may change an answer about access.
pub(crate) fn worst_problem(snapshot: &Snapshot) -> Option<Severity> {
    let matters = |problem: &&Problem| {
        problem
            .resource
            .as_deref()
            .is_none_or(|resource| resource.ends_with(".rbac.authorization.k8s.io"))
    };
    snapshot
        .problems()
        .iter()
        .filter(matters)
        .map(|p| p.severity)
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::registry::Registry;
    use std::sync::Arc;

    fn parse(resource: &str, subresource: Option<&str>) -> (String, usize) {
        let kinds = Kinds::new(Arc::new(Registry::builtin()));
        let (question, notes) = Question::parse("get", resource, subresource, "ns", &kinds);
        (question.to_string(), notes.len())
    }

    #[test]
    fn questions_are_understood_as_kubectl_does() {
        for (resource, subresource, want, notes) in [
            ("pods", None, "get pods in namespace \"ns\"", 0),
            ("po/x", None, "get pods \"x\" in namespace \"ns\"", 0),
            (
                "pods/exec",
                None,
                "get pods \"exec\" in namespace \"ns\"",
                1,
            ),
            ("pod", Some("exec"), "get pods/exec in namespace \"ns\"", 0),
            (
                "pod",
                Some("scale"),
                "get pods/scale in namespace \"ns\"",
                1,
            ),
            (
                "deploy",
                None,
                "get deployments.apps in namespace \"ns\"",
                0,
            ),
            (
                "Deployment.apps/d",
                None,
                "get deployments.apps \"d\" in namespace \"ns\"",
                0,
            ),
            ("nodes/n", None, "get nodes \"n\"", 0),
            ("ns", None, "get namespaces", 0),
            ("ns/a", None, "get namespaces \"a\" in namespace \"a\"", 0),
            (
                "things.x.io",
                None,
                "get things.x.io in namespace \"ns\"",
                1,
            ),
            ("*", None, "get * in namespace \"ns\"", 0),
            ("/healthz", None, "get /healthz", 0),
        ] {
            assert_eq!(
                parse(resource, subresource),
                (want.to_owned(), notes),
                "{resource}"
            );
        }
    }

    #[test]
    fn users_are_in_the_groups_that_everybody_is_in() {
        let groups = |name: &str| user(name, &["g".to_owned()]).unwrap().groups.join(" ");
        assert_eq!(groups("jane"), "g system:authenticated");
        assert_eq!(groups("system:anonymous"), "g system:unauthenticated");
        assert_eq!(
            groups("serviceaccount/ns/robot"),
            "g system:serviceaccounts system:serviceaccounts:ns system:authenticated"
        );
        assert!(user("system:serviceaccount:ns", &[]).is_err());
    }
}
