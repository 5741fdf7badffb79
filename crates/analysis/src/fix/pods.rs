//! Repairs of pods.

use super::propose::{Decision, Proposal, Situation};
use crate::finding::Finding;
use manifest_edit::Change;
use model::{Value, meta};
use pod_security::Level;
use rbac::object::{GROUP, Subject};
use snapshot::{Container, Object, PodTemplate, Snapshot, Standing};

/// The container that a finding's field is in.
fn container<'a>(template: PodTemplate<'a>, field: &str) -> Option<Container<'a>> {
    template
        .containers()
        .find(|container| field.starts_with(&container.field("securityContext")))
}

fn is_true(container: &Container<'_>, field: &str) -> bool {
    container.security(field).is_some_and(|s| s.is_true())
}

fn user(container: &Container<'_>) -> Option<i64> {
    container.security("runAsUser")?.value.as_i64()
}

fn repair<'a>(proposal: Option<Proposal<'a>>, finding: &Finding<'a>) -> Decision<'a> {
    match proposal {
        Some(proposal) => Decision::Repair(proposal.in_container(finding.container)),
        None => Decision::unclear(NO_FILE),
    }
}

/// The template that a finding is about.
fn template<'a>(s: &Situation<'a>, finding: &Finding<'a>) -> Option<PodTemplate<'a>> {
    s.snapshot.pod_template(finding.object)
}

const NO_FILE: &str = "no file that was read defines it";
const NO_POD: &str = "its pod template was not understood";

/// Capabilities whose presence makes the API server refuse `allowPrivilegeEscalation: false`.
fn adds_sys_admin(container: &Container<'_>) -> bool {
    meta::list(container.value, &["securityContext", "capabilities", "add"])
        .iter()
        .filter_map(Value::as_str)
        .any(|name| matches!(name, "SYS_ADMIN" | "CAP_SYS_ADMIN"))
}

/// RMP-POD-004.
pub(super) fn escalation<'a>(s: &Situation<'a>, finding: &Finding<'a>) -> Decision<'a> {
    let found = template(s, finding).and_then(|t| container(t, &finding.field));
    let Some(container) = found else {
        return Decision::unclear(NO_POD);
    };
    if is_true(&container, "privileged") {
        return Decision::unclear("the container is privileged, and may then not be denied it");
    }
    if adds_sys_admin(&container) {
        return Decision::unclear(
            "the container adds SYS_ADMIN, beside which the API server refuses it",
        );
    }
    let is_written = container.security("allowPrivilegeEscalation").is_some();
    let why = if !is_written {
        "nothing asks for more rights than the container starts with, and only set-user-ID \
         programs would"
    } else if s.asks_for(Level::Restricted) {
        "the level that was asked for demands it"
    } else {
        return Decision::unclear("true was written: a program in the image may rely on it");
    };
    let change = Change::Set(false.into());
    let field = finding.field.clone();
    repair(
        Proposal::new(finding.check.id, finding.object, field, change, why),
        finding,
    )
}

/// RMP-POD-005.
pub(super) fn capabilities<'a>(s: &Situation<'a>, finding: &Finding<'a>) -> Decision<'a> {
    let found = template(s, finding).and_then(|t| container(t, &finding.field));
    let Some(container) = found else {
        return Decision::unclear(NO_POD);
    };
    let escalates = container
        .security("allowPrivilegeEscalation")
        .is_none_or(|s| *s.value != Value::Bool(false));
    let is_user = match user(&container) {
        Some(user) => user > 0,
        None => is_true(&container, "runAsNonRoot"),
    };
    let why = if s.asks_for(Level::Restricted) {
        "the level that was asked for demands it"
    } else if !is_user {
        return Decision::unclear(
            "it may run as root, and programs that start as root may need capabilities that \
             runtimes give: --level restricted says that it does not",
        );
    } else if escalates {
        return Decision::unclear(
            "its programs may gain capabilities from files: not while privilege escalation is \
             allowed",
        );
    } else {
        "it does not run as root and cannot gain rights, so that it has no capabilities to lose"
    };
    let change = Change::Append("ALL".into());
    let field = finding.field.clone();
    repair(
        Proposal::new(finding.check.id, finding.object, field, change, why),
        finding,
    )
}

/// RMP-POD-003.
pub(super) fn may_run_as_root<'a>(s: &Situation<'a>, finding: &Finding<'a>) -> Decision<'a> {
    if !s.asks_for(Level::Restricted) {
        return Decision::unclear(
            "the image decides as whom it runs, and may not start otherwise: --level restricted \
             says that it does not need root",
        );
    }
    let why = "the level that was asked for demands it; an image whose user is root will not start";
    non_root(s, finding, why)
}

/// RMP-POD-008.
pub(super) fn not_held<'a>(s: &Situation<'a>, finding: &Finding<'a>) -> Decision<'a> {
    let why = "the user that is set is not root, so that nothing changes until somebody sets root";
    non_root(s, finding, why)
}

/// Sets runAsNonRoot for the pod if none of the containers that take it over may need root, else
/// for the container.
fn non_root<'a>(s: &Situation<'a>, finding: &Finding<'a>, why: &str) -> Decision<'a> {
    let Some(template) = template(s, finding) else {
        return Decision::unclear(NO_POD);
    };
    if template.containers().any(|c| is_true(&c, "privileged")) {
        return Decision::unclear("the pod has a privileged container, which may be for root");
    }
    let of_pod = template.field("securityContext.runAsNonRoot");
    let has_own = |c: &Container<'_>| {
        let own = meta::at(c.value, &["securityContext", "runAsNonRoot"]);
        own.is_some_and(|value| !value.is_null())
    };
    let heirs_can = template
        .containers()
        .filter(|c| !has_own(c))
        .all(|c| match user(&c) {
            Some(user) => user > 0,
            None => s.asks_for(Level::Restricted),
        });
    let is_own =
        Snapshot::field(template.owner, &finding.field).is_some_and(|value| !value.is_null());
    let field = if finding.field == of_pod && !heirs_can {
        return Decision::unclear("a container that takes it over from the pod may need root");
    } else if heirs_can && !is_own {
        of_pod.clone()
    } else {
        finding.field.clone()
    };
    let container = finding.container.filter(|_| field != of_pod);
    let change = Change::Set(true.into());
    match Proposal::new(finding.check.id, finding.object, field, change, why) {
        Some(proposal) => Decision::Repair(proposal.in_container(container)),
        None => Decision::unclear(NO_FILE),
    }
}

/// RMP-ISO-001.
pub(super) fn seccomp_off<'a>(s: &Situation<'a>, finding: &Finding<'a>) -> Decision<'a> {
    if !s.asks_for(Level::Baseline) {
        return Decision::unclear("somebody wrote that it shall be unconfined");
    }
    if !finding.field.ends_with("seccompProfile.type") {
        return Decision::unclear(
            "an annotation asks for it that has no effect: remove it, and the field can be set",
        );
    }
    let change = Change::Set("RuntimeDefault".into());
    let why = "the level that was asked for demands a profile";
    let field = finding.field.clone();
    repair(
        Proposal::new(finding.check.id, finding.object, field, change, why),
        finding,
    )
}

/// RMP-ISO-002.
pub(super) fn seccomp_missing<'a>(s: &Situation<'a>, finding: &Finding<'a>) -> Decision<'a> {
    let Some(template) = template(s, finding) else {
        return Decision::unclear(NO_POD);
    };
    // What annotations ask for was in effect once, and is what somebody wants.
    let wanted = template
        .containers()
        .filter_map(|c| c.seccomp_annotation())
        .find(|(value, _)| !matches!(*value, "runtime/default" | "docker/default"));
    if let Some((value, _)) = wanted {
        return Decision::unclear(format!(
            "an annotation without effect asks for the profile {value:?}, and not for the \
             runtime's"
        ));
    }
    let change = Change::Set("RuntimeDefault".into());
    let field = template.field("securityContext.seccompProfile.type");
    let why = "it is the profile that container runtimes use unless told otherwise";
    match Proposal::new(finding.check.id, finding.object, field, change, why) {
        Some(proposal) => Decision::Repair(proposal),
        None => Decision::unclear(NO_FILE),
    }
}

/// RMP-SA-001.
pub(super) fn token<'a>(s: &Situation<'a>, finding: &Finding<'a>) -> Decision<'a> {
    let Some(template) = template(s, finding) else {
        return Decision::unclear(NO_POD);
    };
    if template.spec.get("automountServiceAccountToken").is_some() {
        return Decision::unclear("somebody wrote that it shall have the token");
    }
    let namespace = template.namespace();
    if let Some(binding) = s.binding_of_default(namespace) {
        return Decision::unclear(format!(
            "{binding} gives the account rights, which the pod may use"
        ));
    }
    let change = Change::Set(false.into());
    let field = template.field("automountServiceAccountToken");
    let why = "nothing that was read gives the account any rights that not everybody has";
    repair(
        Proposal::new(finding.check.id, finding.object, field, change, why),
        finding,
    )
}

/// A binding that somebody wrote for the account `default` of a namespace, or a group that it is
/// in.
pub(super) fn binding_of_default(snapshot: &Snapshot, namespace: &str) -> Option<String> {
    let groups = [
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{namespace}"),
        "system:authenticated".to_owned(),
    ];
    let own_user = format!("system:serviceaccount:{namespace}:default");
    ["clusterrolebindings", "rolebindings"]
        .into_iter()
        .flat_map(|plural| snapshot.of(GROUP, plural))
        .filter(|binding| binding.standing == Standing::Written)
        .find(|binding| {
            meta::list(&binding.value, &["subjects"])
                .iter()
                .filter_map(|value| Subject::from_value(value, binding.namespace()))
                .any(|subject| match subject {
                    Subject::ServiceAccount {
                        namespace: of,
                        name,
                    } => of == namespace && name == "default",
                    Subject::Group(name) => groups.contains(&name),
                    Subject::User(name) => name == own_user,
                })
        })
        .map(Object::title)
}
