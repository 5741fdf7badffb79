//! Who is bound to roles, and to which.

use super::{BLANK, Check, Context, Run, Sink, cis, nsa, role_ref, some_of, was_read};
use crate::finding::Severity;
use model::meta;
use model::user::UserInfo;
use rbac::object::GROUP;
use rbac::{Attributes, RoleKind, Subject};
use snapshot::{Object, Origin, Snapshot, Standing, WORKLOADS};
use std::collections::BTreeMap;

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "RMP-RBAC-010",
        title: "anybody may ask",
        severity: Severity::Critical,
        what: "Bindings to system:anonymous or system:unauthenticated.",
        why: "Everyone who reaches the API server has the role, without any credentials.",
        fix: "remove the subject",
        references: &[nsa("Authentication and authorization")],
        run: Run::Whole(anonymous),
        ..BLANK
    },
    Check {
        id: "RMP-RBAC-011",
        title: "everybody may",
        severity: Severity::High,
        what: "Bindings to system:authenticated, or to the group of all service accounts.",
        why: "Every user and every pod, of whichever team, has the role.",
        fix: "bind those who need it",
        references: &[nsa("Authentication and authorization")],
        run: Run::Whole(everybody),
        ..BLANK
    },
    Check {
        id: "RMP-RBAC-012",
        title: "cluster administrator",
        severity: Severity::High,
        what: "Bindings to cluster-admin, and bindings of the whole cluster to admin or edit.",
        why: "The subject owns the cluster, or the secrets and workloads of all its namespaces.",
        fix: "bind a role with the rights that are needed, in the namespaces where they are needed",
        references: &[cis("5.1.1"), nsa("Authentication and authorization")],
        run: Run::Whole(administrators),
        ..BLANK
    },
    Check {
        id: "RMP-RBAC-013",
        title: "dangling role",
        severity: Severity::Medium,
        what: "Bindings whose role is not among what was read.",
        why: "Nobody gets the rights that were meant; and whoever may create roles decides what \
              the subjects get.",
        fix: "correct roleRef (a binding has to be made anew for that), or remove the binding",
        references: &[nsa("Authentication and authorization")],
        run: Run::Whole(dangling_roles),
        ..BLANK
    },
    Check {
        id: "RMP-RBAC-014",
        title: "dangling subject",
        severity: Severity::Medium,
        what: "Bindings to service accounts that are not among what was read.",
        why: "The account that was meant has no rights; and whoever creates one of that name, or \
              a pod that uses it, gets them.",
        fix: "correct the subject's name or namespace, or remove it",
        references: &[nsa("Authentication and authorization")],
        run: Run::Whole(dangling_subjects),
        ..BLANK
    },
    Check {
        id: "RMP-RBAC-015",
        title: "rights for the default service account",
        severity: Severity::Medium,
        what: "Bindings to the service account `default` of a namespace.",
        why: "Every pod that names no other account has the rights.",
        fix: "create a service account for the pod that needs them",
        references: &[cis("5.1.5")],
        run: Run::Whole(default_accounts),
        ..BLANK
    },
    Check {
        id: "RMP-RBAC-016",
        title: "creates pods beside secrets",
        severity: Severity::Medium,
        what: "Bindings whose subjects may create pods, or workloads that do, in namespaces that \
               hold secrets.",
        why: "A pod can mount every secret of its namespace and run as every service account of \
              it: to create pods is to read secrets, whatever the rules on secrets say.",
        fix: "keep the secrets in a namespace of their own, or grant workloads to fewer",
        references: &[cis("5.1.4"), cis("5.1.2")],
        run: Run::Whole(pod_creators),
        ..BLANK
    },
];

fn written_bindings<'a>(context: &Context<'a>) -> impl Iterator<Item = &'a Object> {
    let cluster = context.written(GROUP, "clusterrolebindings");
    cluster.chain(context.written(GROUP, "rolebindings"))
}

/// The subjects of a binding with their places.
fn subjects(binding: &Object) -> impl Iterator<Item = (usize, Subject)> {
    meta::list(&binding.value, &["subjects"])
        .iter()
        .enumerate()
        .filter_map(|(index, value)| {
            Some((index, Subject::from_value(value, binding.namespace())?))
        })
}

fn role_of(binding: &Object) -> String {
    match role_ref(binding) {
        Some((kind, name)) => format!("{kind} {name}"),
        None => "a role".to_owned(),
    }
}

fn place_of(binding: &Object) -> String {
    match binding.namespace() {
        "" => "in the whole cluster".to_owned(),
        namespace => format!("in namespace {namespace}"),
    }
}

fn anonymous<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for binding in written_bindings(context) {
        for (index, subject) in subjects(binding) {
            let name = match &subject {
                Subject::User(name) if name == "system:anonymous" => name,
                Subject::Group(name) if name == "system:unauthenticated" => name,
                _ => continue,
            };
            let message = format!(
                "{name} has {} {}: no login is needed",
                role_of(binding),
                place_of(binding)
            );
            sink.add(binding, format!("subjects[{index}].name"), message);
        }
    }
}

fn everybody<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for binding in written_bindings(context) {
        for (index, subject) in subjects(binding) {
            let Subject::Group(name) = &subject else {
                continue;
            };
            let who = match name.as_str() {
                "system:authenticated" => "everybody who can log in".to_owned(),
                "system:serviceaccounts" => "every pod of the cluster".to_owned(),
                other => match other.strip_prefix("system:serviceaccounts:") {
                    Some(namespace) => format!("every pod of namespace {namespace}"),
                    None => continue,
                },
            };
            let severity = match (name.as_str(), binding.namespace()) {
                ("system:authenticated" | "system:serviceaccounts", "") => Severity::High,
                _ => Severity::Medium,
            };
            let message = format!("{who} has {} {}", role_of(binding), place_of(binding));
            sink.add(binding, format!("subjects[{index}].name"), message)
                .severity(severity);
        }
    }
}

fn administrators<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for binding in written_bindings(context) {
        let Some((RoleKind::ClusterRole, role)) = role_ref(binding) else {
            continue;
        };
        let names: Vec<String> = subjects(binding)
            // That group needs no binding: nothing is granted that it has not anyway.
            .filter(|(_, s)| *s != Subject::Group("system:masters".to_owned()))
            .map(|(_, subject)| named(&subject))
            .collect();
        if names.is_empty() {
            continue;
        }
        let is_cluster = binding.namespace().is_empty();
        let severity = match (role, is_cluster) {
            ("cluster-admin", true) => Severity::High,
            ("cluster-admin", false) | ("admin" | "edit", true) => Severity::Medium,
            _ => continue,
        };
        let message = format!("{} has {role} {}", some_of(&names), place_of(binding));
        sink.add(binding, "roleRef.name", message)
            .severity(severity);
    }
}

/// A subject in words.
fn named(subject: &Subject) -> String {
    match subject {
        Subject::User(name) => format!("User {name}"),
        Subject::Group(name) => format!("Group {name}"),
        Subject::ServiceAccount { namespace, name } => {
            format!("ServiceAccount {namespace}/{name}")
        }
    }
}

fn dangling_roles<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    let snapshot = context.snapshot;
    for binding in written_bindings(context) {
        let Some((kind, name)) = role_ref(binding) else {
            continue;
        };
        // Without the roles of every cluster, those may be meant.
        let is_unknown = kind == RoleKind::ClusterRole
            && snapshot.origin() == Origin::Manifests
            && !snapshot.has_given();
        let is_there = snapshot.role(kind, binding.namespace(), name).is_some();
        if is_there || is_unknown || !was_read(snapshot, &format!("{}.{GROUP}", kind.plural())) {
            continue;
        }
        let place = match kind {
            RoleKind::Role => format!(" in namespace {}", binding.namespace()),
            RoleKind::ClusterRole => String::new(),
        };
        let message = format!("there is no {kind} {name}{place}");
        sink.add(binding, "roleRef.name", message);
    }
}

fn dangling_subjects<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    let snapshot = context.snapshot;
    if !was_read(snapshot, "serviceaccounts") {
        return;
    }
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for account in snapshot.of("", "serviceaccounts") {
        let namespaces = places.entry(account.name()).or_default();
        namespaces.push(account.namespace());
    }
    for binding in written_bindings(context) {
        for (index, subject) in subjects(binding) {
            let Subject::ServiceAccount { namespace, name } = &subject else {
                continue;
            };
            let is_manifests = snapshot.origin() == Origin::Manifests;
            let is_given = name == "default" && is_manifests && !snapshot.has_given();
            // Controllers make accounts there that no manifest has.
            let is_system = namespace == "kube-system" && is_manifests;
            if is_given || is_system || snapshot.service_account(namespace, name).is_some() {
                continue;
            }
            let mut message = format!("there is no ServiceAccount {name} in namespace {namespace}");
            let elsewhere: Vec<&str> = places.get(name.as_str()).cloned().unwrap_or_default();
            let mut fix = sink.check.fix.to_owned();
            if name != "default"
                && let Some(first) = elsewhere.first()
            {
                message.push_str(&format!(": it is in {}", some_of(&elsewhere)));
                fix = format!(
                    "set namespace: {first}, if that account is meant; else remove the subject"
                );
            }
            let field = if meta::list(&binding.value, &["subjects"])
                .get(index)
                .is_some_and(|s| !meta::text(s, &["namespace"]).is_empty())
                && !elsewhere.is_empty()
            {
                format!("subjects[{index}].namespace")
            } else {
                format!("subjects[{index}].name")
            };
            sink.add(binding, field, message).fix(fix);
        }
    }
}

fn default_accounts<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    for binding in written_bindings(context) {
        for (index, subject) in subjects(binding) {
            if let Subject::ServiceAccount { namespace, name } = &subject
                && name == "default"
            {
                let message = format!(
                    "pods of namespace {namespace} that name no account have {} {}",
                    role_of(binding),
                    place_of(binding)
                );
                sink.add(binding, format!("subjects[{index}].name"), message);
            }
        }
    }
}

/// A binding that lets create pods: what it lets create, and the secrets in reach.
#[derive(Default)]
struct Creator<'a> {
    resources: Vec<&'a str>,
    secrets: Vec<String>,
    subjects: Vec<String>,
    because: Vec<&'a Object>,
}

/// What makes pods when it is created, by group and plural name.
fn makers(snapshot: &Snapshot) -> impl Iterator<Item = (&str, &str)> {
    let built_in = WORKLOADS.iter().filter(|workload| workload.makes_pods());
    let built_in = built_in.map(|workload| (workload.group, workload.plural));
    let custom = snapshot.custom_workloads();
    built_in.chain(custom.map(|kind| (&*kind.group, &*kind.plural)))
}

fn pod_creators<'a>(context: &Context<'a>, sink: &mut Sink<'a, '_>) {
    let snapshot = context.snapshot;
    let mut holders: BTreeMap<&str, Vec<&'a Object>> = BTreeMap::new();
    for secret in context.written("", "secrets") {
        holders.entry(secret.namespace()).or_default().push(secret);
    }
    let nobody = UserInfo::default();
    let mut creators: BTreeMap<(&str, &str), Creator<'a>> = BTreeMap::new();
    for (namespace, secrets) in &holders {
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for (group, resource) in makers(snapshot) {
            let asked =
                Attributes::resource(&nobody, "create", group, resource).in_namespace(namespace);
            for grant in snapshot.rbac().who_can(&asked) {
                let key = (grant.binding_namespace, grant.binding);
                let creator = creators.entry(key).or_default();
                if !creator.resources.contains(&resource) {
                    creator.resources.push(resource);
                }
                let subject = named(&grant.subject.to_subject());
                if !creator.subjects.contains(&subject) {
                    creator.subjects.push(subject);
                }
                if !seen.contains(&key) {
                    seen.push(key);
                    let names = secrets.iter().map(|s| format!("{namespace}/{}", s.name()));
                    creator.secrets.extend(names);
                    creator.because.extend(secrets.iter().copied().take(3));
                }
            }
        }
    }
    for ((namespace, name), creator) in creators {
        let Some(binding) = snapshot.binding(namespace, name) else {
            continue;
        };
        // Whoever has everything is told of as that.
        let is_admin = role_ref(binding).is_some_and(|(_, role)| role == "cluster-admin");
        if binding.standing != Standing::Written || is_admin {
            continue;
        }
        let message = format!(
            "{} may create {}, and so read {}",
            some_of(&creator.subjects),
            some_of(&creator.resources),
            some_of(&creator.secrets)
        );
        let because = creator
            .because
            .iter()
            .take(5)
            .map(|secret| snapshot.cite(secret, ""))
            .collect();
        sink.add(binding, "roleRef.name", message).because(because);
    }
}
