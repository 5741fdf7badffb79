//! Repairs of pods.

use super::propose::{Decision, Proposal, Situation};
use crate::checks;
use crate::finding::Finding;
use manifest_edit::Change;
use model::{Value, meta};
use pod_security::Level;
use rbac::object::{GROUP, Subject};
use snapshot::{Container, PodTemplate, Standing};

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
fn template<'a>(s: &Situation<'a, '_>, finding: &Finding<'a>) -> Option<PodTemplate<'a>> {
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
pub(super) fn escalation<'a>(s: &Situation<'a, '_>, finding: &Finding<'a>) -> Decision<'a> {
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
pub(super) fn capabilities<'a>(s: &Situation<'a, '_>, finding: &Finding<'a>) -> Decision<'a> {
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
pub(super) fn may_run_as_root<'a>(s: &Situation<'a, '_>, finding: &Finding<'a>) -> Decision<'a> {
    if !s.asks_for(Level::Restricted) {
        return Decision::unclear(
            "the image decides as whom it runs, and may not start otherwise: --level restricted \
             says that it does not need root",
        );
    }
    let Some(template) = template(s, finding) else {
        return Decision::unclear(NO_POD);
    };
    non_root(template, finding.field.clone(), finding.container)
        .map_or_else(|| Decision::unclear(NO_POD), Decision::Repair)
}

/// Sets runAsNonRoot: where it says false, else for the pod, unless one of its containers is root
/// by its own word.
fn non_root<'a>(
    template: PodTemplate<'a>,
    field: String,
    container: Option<&'a str>,
) -> Option<Proposal<'a>> {
    let is_written = snapshot::Snapshot::field(template.owner, &field).is_some();
    let has_root = template.containers().any(|c| user(&c) == Some(0));
    let is_own = is_written || has_root;
    let field = if is_own {
        field
    } else {
        template.field("securityContext.runAsNonRoot")
    };
    let why = "the level that was asked for demands it; an image whose user is root will not start";
    let change = Change::Set(true.into());
    Proposal::new("RMP-POD-003", template.owner, field, change, why)
        .map(|proposal| proposal.in_container(container.filter(|_| is_own)))
}

/// RMP-ISO-001.
pub(super) fn seccomp_off<'a>(s: &Situation<'a, '_>, finding: &Finding<'a>) -> Decision<'a> {
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
pub(super) fn seccomp_missing<'a>(s: &Situation<'a, '_>, finding: &Finding<'a>) -> Decision<'a> {
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
pub(super) fn token<'a>(s: &Situation<'a, '_>, finding: &Finding<'a>) -> Decision<'a> {
    let Some(template) = template(s, finding) else {
        return Decision::unclear(NO_POD);
    };
    if template.spec.get("automountServiceAccountToken").is_some() {
        return Decision::unclear("somebody wrote that it shall have the token");
    }
    let namespace = template.namespace();
    if let Some(binding) = binding_of_default(s, namespace) {
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
fn binding_of_default(s: &Situation<'_, '_>, namespace: &str) -> Option<String> {
    let groups = [
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{namespace}"),
        "system:authenticated".to_owned(),
    ];
    let own_user = format!("system:serviceaccount:{namespace}:default");
    ["clusterrolebindings", "rolebindings"]
        .into_iter()
        .flat_map(|plural| s.snapshot.of(GROUP, plural))
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
        .map(snapshot::Object::title)
}

/// What the level that was asked for demands and no check finds: that a pod with another user than
/// root says so.
pub(super) fn beyond_findings<'a>(s: &Situation<'a, '_>) -> Vec<Proposal<'a>> {
    let is_enabled =
        checks::find("RMP-POD-003").is_some_and(|check| s.options.audit.settings.is_enabled(check));
    if !s.asks_for(Level::Restricted) || !is_enabled {
        return Vec::new();
    }
    s.snapshot
        .pod_templates()
        .filter(|t| t.owner.standing == Standing::Written && t.is_outermost())
        .filter(|t| meta::text(t.spec, &["os", "name"]) != "windows")
        .flat_map(|template| template.containers().map(move |c| (template, c)))
        .filter(|(_, container)| {
            user(container).is_some_and(|user| user > 0) && !is_true(container, "runAsNonRoot")
        })
        .filter(|(template, container)| {
            !s.report.suppressed.iter().any(|suppressed| {
                suppressed.finding.check.id == "RMP-POD-003"
                    && std::ptr::eq(suppressed.finding.object, template.owner)
                    && suppressed.finding.container == Some(container.name())
            })
        })
        .filter_map(|(template, container)| {
            let setting = container.security("runAsNonRoot");
            let field = setting.map_or_else(
                || container.field("securityContext.runAsNonRoot"),
                |setting| setting.path,
            );
            non_root(template, field, Some(container.name()))
        })
        .collect()
}
