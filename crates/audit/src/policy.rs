//! The policy: the first rule that matches a request says how much is written about it.

mod parse;

use crate::event::Stage;
use model::user::UserInfo;
use serde::{Deserialize, Serialize};

/// How much is written about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Nothing.
    None,
    /// Who, what, when and the outcome.
    Metadata,
    /// And the object in the request.
    Request,
    /// And the object in the response.
    RequestResponse,
}

/// A request as rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// Who asks (before impersonation).
    pub user: &'a UserInfo,
    /// The verb; for other than resource requests the HTTP method in lower case.
    pub verb: &'a str,
    /// Whether API objects are asked for.
    pub is_resource: bool,
    /// The API group.
    pub group: &'a str,
    /// The API version.
    pub version: &'a str,
    /// The resource's plural name.
    pub resource: &'a str,
    /// The subresource, or empty.
    pub subresource: &'a str,
    /// The namespace, or empty.
    pub namespace: &'a str,
    /// The object's name, or empty.
    pub name: &'a str,
    /// The path.
    pub path: &'a str,
}

/// What the policy says about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruling {
    /// How much is written.
    pub level: Level,
    omitted: [bool; Stage::ALL.len()],
    /// Whether `metadata.managedFields` is left out of objects.
    pub omit_managed_fields: bool,
}

impl Ruling {
    /// Whether an event is written at `stage`.
    pub fn writes(&self, stage: Stage) -> bool {
        self.level > Level::None && !self.omitted.get(stage as usize).copied().unwrap_or(true)
    }
}

/// A policy file that cannot be used. The text names each field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit policy cannot be used: {0}")]
pub struct PolicyError(String);

/// An `audit.k8s.io/v1` Policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    rules: Vec<Rule>,
    omit_stages: Vec<Stage>,
    omit_managed_fields: bool,
    record_refusals: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    level: Level,
    users: Vec<String>,
    user_groups: Vec<String>,
    verbs: Vec<String>,
    resources: Vec<GroupResources>,
    namespaces: Vec<String>,
    non_resource_urls: Vec<String>,
    omit_stages: Vec<Stage>,
    omit_managed_fields: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct GroupResources {
    group: String,
    resources: Vec<String>,
    resource_names: Vec<String>,
}

/// The policy of a server that was given none, in the words of a policy file.
///
/// It writes what changes the cluster and what touches credentials, at `Metadata` and when the
/// response is complete; it leaves out health checks, discovery, questions that change nothing,
/// the control plane's own heartbeats and plain reads. On top of that, every refused request
/// (401, 403) is written, reads included: a policy file cannot say that, since upstream's rules
/// are applied before the outcome is known.
const DEFAULT: &str = include_str!("policy/default.json");

impl Policy {
    /// The policy for servers that are given none.
    pub fn secure_default() -> Self {
        // The file is part of the program and a test reads it; were it broken, everything would
        // be written rather than nothing.
        let mut policy = Self::parse(DEFAULT.as_bytes()).unwrap_or_else(|_| Self::everything());
        policy.record_refusals = true;
        policy
    }

    fn everything() -> Self {
        Self {
            rules: vec![Rule {
                level: Level::Metadata,
                users: Vec::new(),
                user_groups: Vec::new(),
                verbs: Vec::new(),
                resources: Vec::new(),
                namespaces: Vec::new(),
                non_resource_urls: Vec::new(),
                omit_stages: Vec::new(),
                omit_managed_fields: None,
            }],
            ..Self::default()
        }
    }

    /// Whether refused requests are written (at `Metadata`) even if no rule asks for it.
    pub fn records_refusals(&self) -> bool {
        self.record_refusals
    }

    /// What the first matching rule says; without one, nothing is written.
    pub fn decide(&self, request: &Attributes<'_>) -> Ruling {
        let rule = self.rules.iter().find(|r| r.matches(request));
        let mut omitted = [false; Stage::ALL.len()];
        let of_rule = rule.map_or(&[][..], |r| &r.omit_stages);
        for stage in self.omit_stages.iter().chain(of_rule) {
            if let Some(slot) = omitted.get_mut(*stage as usize) {
                *slot = true;
            }
        }
        Ruling {
            level: rule.map_or(Level::None, |r| r.level),
            omitted,
            omit_managed_fields: rule
                .and_then(|r| r.omit_managed_fields)
                .unwrap_or(self.omit_managed_fields),
        }
    }

    pub(crate) fn refusal_ruling() -> Ruling {
        Ruling {
            level: Level::Metadata,
            omitted: [false; Stage::ALL.len()],
            omit_managed_fields: true,
        }
    }
}

fn has(list: &[String], text: &str) -> bool {
    list.iter().any(|t| t == text)
}

impl Rule {
    fn matches(&self, request: &Attributes<'_>) -> bool {
        if !self.users.is_empty() && !has(&self.users, &request.user.name) {
            return false;
        }
        if !self.user_groups.is_empty()
            && !self.user_groups.iter().any(|g| request.user.in_group(g))
        {
            return false;
        }
        if !self.verbs.is_empty() && !has(&self.verbs, request.verb) {
            return false;
        }
        if !self.namespaces.is_empty() || !self.resources.is_empty() {
            return request.is_resource && self.matches_resource(request);
        }
        if !self.non_resource_urls.is_empty() {
            return !request.is_resource
                && self
                    .non_resource_urls
                    .iter()
                    .any(|url| match url.strip_suffix('*') {
                        Some(prefix) => request.path.starts_with(prefix),
                        None => url == request.path,
                    });
        }
        true
    }

    fn matches_resource(&self, request: &Attributes<'_>) -> bool {
        if !self.namespaces.is_empty() && !has(&self.namespaces, request.namespace) {
            return false;
        }
        self.resources.is_empty()
            || self
                .resources
                .iter()
                .any(|r| r.group == request.group && r.matches(request))
    }
}

impl GroupResources {
    fn matches(&self, request: &Attributes<'_>) -> bool {
        if self.resources.is_empty() {
            return true;
        }
        if !self.resource_names.is_empty() && !has(&self.resource_names, request.name) {
            return false;
        }
        self.resources.iter().any(|resource| {
            if resource == "*" {
                return true;
            }
            match resource.split_once('/') {
                None => request.subresource.is_empty() && resource == request.resource,
                Some(("*", sub)) => !sub.is_empty() && sub == request.subresource,
                Some((main, "*")) => main == request.resource,
                Some((main, sub)) => main == request.resource && sub == request.subresource,
            }
        })
    }
}

#[cfg(test)]
mod tests;
