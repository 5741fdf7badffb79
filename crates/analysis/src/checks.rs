//! The checks of the audit. Each is a plain function over the snapshot with a stable ID; what it
//! looks for, why and what to do about it stand beside it, for `rampart explain`.

mod accounts;
mod bindings;
mod host;
mod images;
mod isolation;
mod namespaces;
mod network;
mod policies;
mod powers;
mod privileges;
mod resources;
mod roles;
mod secrets;
mod standard;
mod versions;

use crate::finding::{Finding, Framework, Reference, Severity};
use crate::network::SnapshotNetwork;
use pod_security::Violation;
use rbac::RoleKind;
use rbac::object::GROUP;
use snapshot::{Container, Object, PodTemplate, Snapshot, Standing};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::OnceLock;

/// A setting of a check: a list of texts.
#[derive(Debug)]
pub struct Parameter {
    /// The name, as in the configuration.
    pub name: &'static str,
    /// What it says.
    pub what: &'static str,
    /// What it is if nothing else is configured.
    pub default: &'static [&'static str],
}

/// A check.
pub struct Check {
    /// The stable ID.
    pub id: &'static str,
    /// The finding in a few words.
    pub title: &'static str,
    /// How bad findings are, if nothing speaks for less.
    pub severity: Severity,
    /// What is looked for.
    pub what: &'static str,
    /// What an attacker, or an accident, makes of it.
    pub why: &'static str,
    /// What to do about it.
    pub fix: &'static str,
    /// How it looks when it is right, as YAML; empty if that does not say much.
    pub example: &'static str,
    /// Rules of others that say the same.
    pub references: &'static [Reference],
    /// What can be configured.
    pub parameters: &'static [Parameter],
    /// The identifier of the override labels of kubeaudit that excuse its findings; empty if
    /// there is none, or if it follows from the finding.
    pub(crate) kubeaudit_override: &'static str,
    pub(crate) run: Run,
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.id).finish()
    }
}

/// What a check looks at.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// One pod template after the other.
    Pods(for<'a> fn(&Pod<'a>, &mut Sink<'a, '_>)),
    /// The snapshot as a whole.
    Whole(for<'a> fn(&Context<'a>, &mut Sink<'a, '_>)),
}

/// All checks, by ID.
pub fn all() -> impl Iterator<Item = &'static Check> {
    [
        privileges::CHECKS,
        host::CHECKS,
        isolation::CHECKS,
        resources::CHECKS,
        images::CHECKS,
        secrets::CHECKS,
        accounts::CHECKS,
        roles::CHECKS,
        bindings::CHECKS,
        network::CHECKS,
        namespaces::CHECKS,
        policies::CHECKS,
        versions::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// The check of an ID, in whatever case it is written.
pub fn find(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id.eq_ignore_ascii_case(id))
}

/// A pod template, with what most checks ask for.
pub(crate) struct Pod<'a> {
    pub(crate) template: PodTemplate<'a>,
    pub(crate) containers: Vec<Container<'a>>,
    /// Whether it runs on Windows, where much of what guards Linux means nothing.
    pub(crate) is_windows: bool,
    /// What the Pod Security Standards find fault with, whatever the level.
    weaknesses: Vec<Violation>,
}

impl<'a> Pod<'a> {
    pub(crate) fn new(template: PodTemplate<'a>) -> Self {
        Self {
            template,
            containers: template.containers().collect(),
            is_windows: model::meta::text(template.spec, &["os", "name"]) == "windows",
            weaknesses: pod_security::weaknesses(template.metadata, template.spec),
        }
    }

    pub(crate) fn snapshot(&self) -> &'a Snapshot {
        self.template.snapshot()
    }

    /// Containers, if they run on Linux.
    pub(crate) fn linux(&self) -> &[Container<'a>] {
        if self.is_windows {
            &[]
        } else {
            &self.containers
        }
    }
}

/// How a role is used.
#[derive(Debug, Default, Clone)]
pub(crate) struct Uses<'a> {
    /// The bindings of the whole cluster.
    pub(crate) cluster: Vec<&'a Object>,
    /// The bindings in namespaces.
    pub(crate) namespaced: Vec<&'a Object>,
}

impl<'a> Uses<'a> {
    fn extend(&mut self, others: &Self) {
        let add = |to: &mut Vec<&'a Object>, from: &[&'a Object]| {
            let known: HashSet<*const Object> = to.iter().map(|o| std::ptr::from_ref(*o)).collect();
            let is_new = |object: &&Object| !known.contains(&std::ptr::from_ref(*object));
            to.extend(from.iter().copied().filter(|object| is_new(object)));
        };
        add(&mut self.cluster, &others.cluster);
        add(&mut self.namespaced, &others.namespaced);
    }
}

/// What checks of the whole snapshot look at.
pub(crate) struct Context<'a> {
    pub(crate) snapshot: &'a Snapshot,
    uses: HashMap<(RoleKind, &'a str, &'a str), Uses<'a>>,
    templates: HashMap<&'a str, Vec<PodTemplate<'a>>>,
    network: OnceLock<(SnapshotNetwork<'a>, Vec<network_policy::lint::Finding>)>,
    own_rules: OnceLock<Vec<roles::OwnRules<'a>>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        let mut uses: HashMap<(RoleKind, &str, &str), Uses<'a>> = HashMap::new();
        for plural in ["clusterrolebindings", "rolebindings"] {
            for binding in snapshot.of(GROUP, plural) {
                let Some((kind, name)) = role_ref(binding) else {
                    continue;
                };
                if model::meta::list(&binding.value, &["subjects"]).is_empty() {
                    continue;
                }
                let namespace = match kind {
                    RoleKind::Role => binding.namespace(),
                    RoleKind::ClusterRole => "",
                };
                let uses = uses.entry((kind, namespace, name)).or_default();
                if binding.namespace().is_empty() {
                    uses.cluster.push(binding);
                } else {
                    uses.namespaced.push(binding);
                }
            }
        }
        // Who holds a role that gathers holds what it was gathered from.
        for role in snapshot.of(GROUP, "clusterroles") {
            let held = uses.get(&(RoleKind::ClusterRole, "", role.name()));
            let Some(held) = held.cloned() else {
                continue;
            };
            for source in snapshot.rule_sources(role) {
                let key = (RoleKind::ClusterRole, "", source.name());
                uses.entry(key).or_default().extend(&held);
            }
        }
        let mut templates: HashMap<&str, Vec<PodTemplate<'a>>> = HashMap::new();
        for template in snapshot.pod_templates() {
            if template.owner.standing == Standing::Written {
                let namespace = templates.entry(template.namespace()).or_default();
                namespace.push(template);
            }
        }
        Self {
            snapshot,
            uses,
            templates,
            network: OnceLock::new(),
            own_rules: OnceLock::new(),
        }
    }

    /// Roles that somebody wrote, with the rules that are their own.
    pub(crate) fn own_rules(&self) -> &[roles::OwnRules<'a>] {
        self.own_rules.get_or_init(|| roles::own_rules(self))
    }

    /// The network, and what is wrong with its policies.
    pub(crate) fn network(&self) -> (&SnapshotNetwork<'a>, &[network_policy::lint::Finding]) {
        let (network, found) = self.network.get_or_init(|| {
            let network = SnapshotNetwork::new(self.snapshot);
            let found = network.network().lint();
            (network, found)
        });
        (network, found)
    }

    /// The pod templates of a namespace that somebody wrote.
    pub(crate) fn templates(&self, namespace: &str) -> &[PodTemplate<'a>] {
        self.templates.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// The bindings of a role that have subjects.
    pub(crate) fn uses(&self, role: &'a Object) -> Option<&Uses<'a>> {
        let kind = match role.namespace() {
            "" => RoleKind::ClusterRole,
            _ => RoleKind::Role,
        };
        self.uses.get(&(kind, role.namespace(), role.name()))
    }

    /// The objects of a resource that somebody wrote.
    pub(crate) fn written(&self, group: &str, plural: &str) -> impl Iterator<Item = &'a Object> {
        self.snapshot
            .of(group, plural)
            .iter()
            .filter(|object| object.standing == Standing::Written)
    }
}

/// The role that a binding names.
pub(crate) fn role_ref(binding: &Object) -> Option<(RoleKind, &str)> {
    let kind = match model::meta::text(&binding.value, &["roleRef", "kind"]) {
        "Role" => RoleKind::Role,
        "ClusterRole" => RoleKind::ClusterRole,
        _ => return None,
    };
    Some((
        kind,
        model::meta::text(&binding.value, &["roleRef", "name"]),
    ))
}

/// What a check found so far, and how it is configured.
pub(crate) struct Sink<'a, 's> {
    pub(crate) check: &'static Check,
    pub(crate) parameters: &'s BTreeMap<String, Vec<String>>,
    pub(crate) findings: &'s mut Vec<Finding<'a>>,
}

impl<'a> Sink<'a, '_> {
    /// Adds a finding; what is returned can be made more precise.
    pub(crate) fn add(
        &mut self,
        object: &'a Object,
        field: impl Into<String>,
        message: impl Into<Cow<'static, str>>,
    ) -> Added<'a, '_> {
        let index = self.findings.len();
        let finding = Finding::new(self.check, object, field, message);
        self.findings.push(finding);
        Added {
            finding: self.findings.get_mut(index),
        }
    }

    /// Adds a finding about a container, at a field of it.
    pub(crate) fn container(
        &mut self,
        container: &Container<'a>,
        field: &str,
        message: impl Into<Cow<'static, str>>,
    ) -> Added<'a, '_> {
        let path = container.field(field);
        let name = container.name();
        self.add(container.template.owner, path, message)
            .in_container(name)
    }

    /// Adds a finding about a pod, at a field of its spec.
    pub(crate) fn pod(
        &mut self,
        pod: &Pod<'a>,
        field: &str,
        message: impl Into<Cow<'static, str>>,
    ) -> Added<'a, '_> {
        self.add(pod.template.owner, pod.template.field(field), message)
    }

    /// Whether a parameter's list holds a text, in whatever case.
    pub(crate) fn lists(&self, parameter: &str, text: &str) -> bool {
        self.values(parameter).any(|v| v.eq_ignore_ascii_case(text))
    }

    /// Whether somebody configured a parameter, and does not leave it at its default.
    pub(crate) fn is_configured(&self, parameter: &str) -> bool {
        self.parameters.contains_key(parameter)
    }

    /// The texts of a parameter's list.
    pub(crate) fn values(&self, parameter: &str) -> impl Iterator<Item = &str> {
        let configured = self.parameters.get(parameter);
        let default = self.check.parameters.iter().find(|p| p.name == parameter);
        let default = default
            .filter(|_| configured.is_none())
            .map_or(&[][..], |p| p.default);
        let configured = configured.into_iter().flatten().map(String::as_str);
        configured.chain(default.iter().copied())
    }
}

/// A finding that was just added.
pub(crate) struct Added<'a, 's> {
    finding: Option<&'s mut Finding<'a>>,
}

impl<'a> Added<'a, '_> {
    fn change(mut self, change: impl FnOnce(&mut Finding<'a>)) -> Self {
        if let Some(finding) = &mut self.finding {
            change(finding);
        }
        self
    }

    pub(crate) fn in_container(self, name: &'a str) -> Self {
        self.change(|f| f.container = Some(name))
    }

    pub(crate) fn severity(self, severity: Severity) -> Self {
        self.change(|f| f.severity = severity)
    }

    pub(crate) fn fix(self, fix: impl Into<Cow<'static, str>>) -> Self {
        self.change(|f| f.fix = fix.into())
    }

    pub(crate) fn excused_by(self, identifier: impl Into<Cow<'static, str>>) -> Self {
        self.change(|f| f.excused_by = identifier.into())
    }

    pub(crate) fn because(self, because: Vec<snapshot::Citation>) -> Self {
        self.change(|f| f.because = because)
    }

    pub(crate) fn shown_at(self, object: &'a Object, field: impl Into<String>) -> Self {
        self.change(|f| f.anchor = Some(Box::new((object, field.into()))))
    }

    pub(crate) fn secret(self) -> Self {
        self.change(|f| f.is_secret = true)
    }
}

const fn reference(framework: Framework, control: &'static str) -> Reference {
    Reference { framework, control }
}

const fn pss(control: &'static str) -> Reference {
    reference(Framework::PodSecurityStandards, control)
}

const fn cis(section: &'static str) -> Reference {
    reference(Framework::Cis, section)
}

const fn nsa(section: &'static str) -> Reference {
    reference(Framework::NsaCisa, section)
}

const fn kubeaudit(auditor: &'static str) -> Reference {
    reference(Framework::Kubeaudit, auditor)
}

const fn kubesec(rule: &'static str) -> Reference {
    reference(Framework::Kubesec, rule)
}

/// What most checks have nothing of; the rest is told with the struct update syntax.
const BLANK: Check = Check {
    id: "",
    title: "",
    severity: Severity::Info,
    what: "",
    why: "",
    fix: "",
    example: "",
    references: &[],
    parameters: &[],
    kubeaudit_override: "",
    run: Run::Pods(|_, _| {}),
};

/// Names, at most three of them and how many more.
pub(crate) fn some_of<T: fmt::Display>(names: &[T]) -> String {
    let mut text = names
        .iter()
        .take(3)
        .map(T::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > 3 {
        text.push_str(&format!(" and {} more", names.len() - 3));
    }
    text
}

/// Whether the objects of a resource were read: of what a user may not list nothing can be said
/// to be missing.
pub(crate) fn was_read(snapshot: &Snapshot, resource: &str) -> bool {
    use snapshot::ProblemKind::{Forbidden, Unavailable};
    !snapshot.problems().iter().any(|problem| {
        matches!(problem.kind, Forbidden | Unavailable)
            && problem.resource.as_deref().is_none_or(|r| r == resource)
    })
}
