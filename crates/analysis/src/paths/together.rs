//! Techniques that need several grants at once.

use super::holdings::{HeldRole, Holding};
use super::powers::Power;
use super::state::{Edge, Name, Need, Scope, State};
use super::world::World;
use model::user::MASTERS;
use rbac::RoleKind;
use std::collections::{BTreeMap, BTreeSet};

/// The signer of client certificates, and all of Kubernetes' own.
const CLIENT_SIGNERS: [&str; 2] = ["kubernetes.io/kube-apiserver-client", "kubernetes.io/*"];
/// The signer of kubelets' client certificates.
const KUBELET_SIGNERS: [&str; 2] = [
    "kubernetes.io/kube-apiserver-client-kubelet",
    "kubernetes.io/*",
];

/// All that a subject holds, with its groups.
struct Together<'h> {
    holdings: &'h [&'h Holding],
}

impl Together<'_> {
    /// What holds a power: in the scope, and on the object or (if it does not matter) on any.
    fn needs(&self, power: Power, scope: &Scope, name: Option<&str>) -> Vec<Need> {
        self.of(power)
            .filter(|h| h.scope.is_none() || h.scope == *scope)
            .filter(|h| match (h.held.name.as_deref(), name) {
                (None, _) => true,
                (Some(own), Some(name)) => own == name,
                (Some(_), None) => false,
            })
            .filter_map(|h| h.need)
            .collect()
    }

    fn of(&self, power: Power) -> impl Iterator<Item = &Holding> {
        let all = self.holdings.iter();
        all.copied().filter(move |h| h.held.question.power == power)
    }

    /// The objects that a power is held on in a scope; none stands for all.
    fn names(&self, power: Power, scope: &Scope) -> BTreeSet<Option<Name>> {
        self.of(power)
            .filter(|h| h.scope.is_none() || h.scope == *scope)
            .map(|h| h.held.name.clone())
            .collect()
    }

    /// The scopes in which one of the powers is held.
    fn scopes(&self, powers: [Power; 2]) -> BTreeSet<Scope> {
        powers
            .into_iter()
            .flat_map(|power| self.of(power))
            .map(|h| h.scope.clone())
            .collect()
    }
}

/// An edge that needs all of these; none if one of them cannot be met.
fn all_of(
    to: State,
    technique: &'static str,
    text: String,
    needs: impl IntoIterator<Item = Vec<Need>>,
) -> Option<Edge> {
    let mut edge = Edge::new(to, technique, text);
    for mut clause in needs {
        if clause.is_empty() {
            return None;
        }
        clause.sort_unstable();
        clause.dedup();
        edge.needs.push(clause);
    }
    Some(edge)
}

/// The techniques that a subject with these holdings and roles can use.
pub(crate) fn edges(world: &World<'_>, holdings: &[&Holding], roles: &[&HeldRole]) -> Vec<Edge> {
    let all = Together { holdings };
    let mut edges = Vec::new();
    groups(&all, &mut edges);
    token_secrets(world, &all, &mut edges);
    escalations(&all, roles, &mut edges);
    bindings(world, &all, &mut edges);
    certificates(&all, &mut edges);
    policies(world, &all, &mut edges);
    edges
}

/// Who may use a policy may create the pods that it admits: pods themselves, as those of workloads
/// are made by controllers.
fn policies(world: &World<'_>, all: &Together<'_>, edges: &mut Vec<Edge>) {
    let Some(policing) = &world.policing else {
        return;
    };
    for scope in all.scopes([Power::CreatePods, Power::UsePolicy]) {
        let within = |h: &&Holding| h.scope.is_none() || h.scope == scope;
        let create: Vec<Need> = all
            .of(Power::CreatePods)
            .filter(|h| h.held.question.resource == "pods")
            .filter(within)
            .filter_map(|h| h.need)
            .collect();
        let using = |policies: &BTreeSet<Name>| -> Vec<Need> {
            all.of(Power::UsePolicy)
                .filter(within)
                .filter(|h| match &h.held.name {
                    None => !policies.is_empty(),
                    Some(name) => policies.contains(name),
                })
                .filter_map(|h| h.need)
                .collect()
        };
        let (place, is_unguarded) = match &scope {
            None => ("any namespace".to_owned(), !world.unguarded.is_empty()),
            Some(namespace) => (
                format!("namespace {namespace}"),
                world.unguarded.contains(namespace),
            ),
        };
        let text = format!("creates a pod in {place} (create pods, use of a policy)");
        let needs = [create.clone(), using(&policing.admitting)];
        let to = State::MakesPods(scope.clone());
        edges.extend(all_of(to, "create-pod", text, needs));
        if is_unguarded {
            let text =
                format!("creates a privileged pod in {place} (create pods, use of a policy)");
            let needs = [create, using(&policing.opening)];
            edges.extend(all_of(State::AnyNode, "create-pod", text, needs));
        }
    }
}

/// A request that impersonates a group impersonates a user too.
fn groups(all: &Together<'_>, edges: &mut Vec<Edge>) {
    let mut users: Vec<Need> = all
        .of(Power::ImpersonateUsers)
        .chain(all.of(Power::ImpersonateAccounts))
        .filter_map(|h| h.need)
        .collect();
    users.sort_unstable();
    for name in all.names(Power::ImpersonateGroups, &None) {
        let groups = all.needs(Power::ImpersonateGroups, &None, name.as_deref());
        let targets = match &name {
            Some(name) => vec![State::Group(Name::clone(name))],
            None => vec![State::Group(MASTERS.into()), State::AnyGroup],
        };
        for to in targets {
            let text = "impersonates a user in the group (impersonate groups, users)".to_owned();
            edges.extend(all_of(
                to,
                "impersonate",
                text,
                [groups.clone(), users.clone()],
            ));
        }
    }
}

/// A secret of the right type and annotation is filled with a token of the account it names.
fn token_secrets(world: &World<'_>, all: &Together<'_>, edges: &mut Vec<Edge>) {
    for scope in all.scopes([Power::CreateSecrets, Power::ReadSecrets]) {
        // The attacker chooses the secret's name.
        let read: Vec<Need> = all
            .of(Power::ReadSecrets)
            .filter(|h| h.scope.is_none() || h.scope == scope)
            .filter_map(|h| h.need)
            .collect();
        let create = all.needs(Power::CreateSecrets, &scope, None);
        if scope
            .as_ref()
            .is_some_and(|ns| !world.accounts.contains_key(ns))
        {
            continue;
        }
        let text = "creates a token secret of the account, and reads it".to_owned();
        let to = State::Accounts(scope);
        edges.extend(all_of(to, "token-secret", text, [create, read]));
    }
}

/// Who may escalate and change a role that they hold can write any rule into it.
fn escalations(all: &Together<'_>, roles: &[&HeldRole], edges: &mut Vec<Edge>) {
    for (kind, escalate, write) in [
        (
            RoleKind::ClusterRole,
            Power::EscalateClusterRoles,
            Power::WriteClusterRoles,
        ),
        (RoleKind::Role, Power::EscalateRoles, Power::WriteRoles),
    ] {
        if all.of(escalate).next().is_none() || all.of(write).next().is_none() {
            continue;
        }
        // Roles that are open in the same way differ only in the binding that gives them.
        let mut open: BTreeMap<(Scope, Vec<Need>, Vec<Need>), Vec<Need>> = BTreeMap::new();
        for role in roles.iter().filter(|role| role.kind == kind) {
            let at = match kind {
                RoleKind::ClusterRole => None,
                RoleKind::Role => role.scope.clone(),
            };
            let by = all.needs(escalate, &at, Some(&role.name));
            let with = all.needs(write, &at, Some(&role.name));
            let held = open.entry((role.scope.clone(), by, with)).or_default();
            held.push(Need {
                grant: role.grant,
                rule: 0,
            });
        }
        for ((scope, by, with), held) in open {
            let (to, place) = match scope {
                None => (State::ClusterAdmin, "the cluster".to_owned()),
                Some(namespace) => {
                    let place = format!("namespace {namespace}");
                    (State::NamespaceAdmin(namespace), place)
                }
            };
            let text = format!("writes everything into a role it holds in {place} (escalate)");
            edges.extend(all_of(to, "escalate", text, [by, with, held]));
        }
    }
}

/// Who may bind a role and create bindings can give it to anyone.
fn bindings(world: &World<'_>, all: &Together<'_>, edges: &mut Vec<Edge>) {
    if all.of(Power::CreateClusterRoleBindings).next().is_some() {
        let create = all.needs(Power::CreateClusterRoleBindings, &None, None);
        for name in all.names(Power::BindClusterRoles, &None) {
            // `bind` in one namespace does not help here.
            let bind: Vec<Need> = all
                .of(Power::BindClusterRoles)
                .filter(|h| h.scope.is_none() && (h.held.name.is_none() || h.held.name == name))
                .filter_map(|h| h.need)
                .collect();
            let (to, text) = match name {
                None => (
                    State::ClusterAdmin,
                    "binds cluster-admin to itself (bind clusterroles)".to_owned(),
                ),
                Some(name) => (
                    State::Holds("".into(), Name::clone(&name), None),
                    format!("binds the ClusterRole {name} to itself (bind clusterroles)"),
                ),
            };
            edges.extend(all_of(to, "bind", text, [bind, create.clone()]));
        }
    }
    for (power, of_cluster) in [(Power::BindClusterRoles, true), (Power::BindRoles, false)] {
        let mut scopes = all.scopes([power, Power::CreateRoleBindings]);
        if all.of(power).next().is_none() || all.of(Power::CreateRoleBindings).next().is_none() {
            continue;
        }
        if scopes.remove(&None) {
            scopes.extend(world.namespaces.iter().cloned().map(Some));
        }
        for scope in scopes {
            let Some(namespace) = scope.clone() else {
                continue;
            };
            let create = all.needs(Power::CreateRoleBindings, &scope, None);
            for name in all.names(power, &scope) {
                let bind = all.needs(power, &scope, name.as_deref());
                let text = match (&name, of_cluster) {
                    (None, true) => format!("binds cluster-admin to itself in {namespace} (bind)"),
                    (None, false) => format!("binds any Role of {namespace} to itself (bind)"),
                    (Some(name), _) => format!("binds {name} to itself in {namespace} (bind)"),
                };
                let owner: Name = if of_cluster {
                    "".into()
                } else {
                    Name::clone(&namespace)
                };
                let targets = match name {
                    None if of_cluster => vec![State::NamespaceAdmin(Name::clone(&namespace))],
                    None => {
                        let names = world.holdings.role_names(&namespace);
                        let held = |role| State::Holds(Name::clone(&owner), role, scope.clone());
                        names.into_iter().map(held).collect()
                    }
                    Some(name) => vec![State::Holds(owner, name, scope.clone())],
                };
                for to in targets {
                    let needs = [bind.clone(), create.clone()];
                    edges.extend(all_of(to, "bind", text.clone(), needs));
                }
            }
        }
    }
}

/// Who may request, approve and have signed a client certificate is whom they like, but for
/// `system:masters`, which admission refuses.
fn certificates(all: &Together<'_>, edges: &mut Vec<Edge>) {
    let request = all.needs(Power::RequestCertificates, &None, None);
    let approve: Vec<Need> = all
        .of(Power::ApproveCertificates)
        .filter_map(|h| h.need)
        .collect();
    let signer = |names: [&str; 2]| -> Vec<Need> {
        all.of(Power::ApproveSigner)
            .filter(|h| h.held.name.as_deref().is_none_or(|n| names.contains(&n)))
            .filter_map(|h| h.need)
            .collect()
    };
    for (names, to, what) in [
        (CLIENT_SIGNERS, State::AnyUser, "any user"),
        (CLIENT_SIGNERS, State::AnyGroup, "any group"),
        (KUBELET_SIGNERS, State::Kubelet, "any kubelet"),
    ] {
        let text = format!("approves its own client certificate as {what}");
        let needs = [request.clone(), approve.clone(), signer(names)];
        edges.extend(all_of(to, "certificate", text, needs));
    }
}
