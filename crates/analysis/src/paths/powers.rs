//! What a rule is worth to an attacker: a fixed list of questions, each put to `rbac`.

use model::user::UserInfo;
use rbac::object::GROUP as RBAC;
use rbac::{Attributes, Rule};
use snapshot::{Kind, Makes, WORKLOADS};
use std::borrow::Cow;
use std::sync::Arc;

/// Something that a rule may allow and that leads somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Power {
    /// Everything on everything.
    Everything,
    ReadSecrets,
    CreateSecrets,
    /// Makes pods, itself or through a controller.
    CreatePods,
    /// Changes what a controller makes pods from; which, the question says.
    ChangeWorkloads,
    Exec,
    Attach,
    Debug,
    Forward,
    ReplaceImage,
    CreateTokens,
    ImpersonateUsers,
    ImpersonateGroups,
    ImpersonateAccounts,
    EscalateRoles,
    WriteRoles,
    BindRoles,
    CreateRoleBindings,
    EscalateClusterRoles,
    WriteClusterRoles,
    BindClusterRoles,
    CreateClusterRoleBindings,
    RequestCertificates,
    ApproveCertificates,
    ApproveSigner,
    ProxyNodes,
    MutatePods,
    UsePolicy,
}

/// A question: one of the verbs on a resource gives the power.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) power: Power,
    pub(crate) verbs: &'static [&'static str],
    pub(crate) group: Cow<'static, str>,
    pub(crate) resource: Cow<'static, str>,
    pub(crate) subresource: &'static str,
    /// Whether requests carry the name of an object, so that rules with names may allow them.
    named: bool,
    /// Whether the resource lives in namespaces, so that a RoleBinding may give the power.
    pub(crate) namespaced: bool,
}

impl Question {
    /// The resource as rules write it with its group: `pods/exec`, `deployments.apps`.
    pub(crate) fn resource_text(&self) -> String {
        let resource = model::status::qualified(&self.group, &self.resource);
        if self.subresource.is_empty() {
            resource
        } else {
            format!("{resource}/{}", self.subresource)
        }
    }
}

/// A namespaced resource whose requests carry names.
const fn ask(
    power: Power,
    verbs: &'static [&'static str],
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
) -> Question {
    Question {
        power,
        verbs,
        group: Cow::Borrowed(group),
        resource: Cow::Borrowed(resource),
        subresource,
        named: true,
        namespaced: true,
    }
}

/// Requests that carry no name: the object is yet to be made.
const fn unnamed(mut question: Question) -> Question {
    question.named = false;
    question
}

/// A resource of the whole cluster.
const fn cluster(mut question: Question) -> Question {
    question.namespaced = false;
    question
}

const CREATE: &[&str] = &["create"];
const CHANGE: &[&str] = &["patch", "update"];
const WRITE: &[&str] = &["create", "patch", "update"];
/// Streams are opened by GET (WebSocket) or POST (SPDY).
const STREAM: &[&str] = &["create", "get"];
const CERTIFICATES: &str = "certificates.k8s.io";

/// The questions but for those about what makes pods.
static QUESTIONS: &[Question] = &[
    unnamed(ask(Power::Everything, &["*"], "*", "*", "")),
    ask(
        Power::ReadSecrets,
        &["get", "list", "watch"],
        "",
        "secrets",
        "",
    ),
    unnamed(ask(Power::CreateSecrets, CREATE, "", "secrets", "")),
    ask(Power::Exec, STREAM, "", "pods", "exec"),
    ask(Power::Attach, STREAM, "", "pods", "attach"),
    ask(Power::Debug, CHANGE, "", "pods", "ephemeralcontainers"),
    ask(Power::Forward, STREAM, "", "pods", "portforward"),
    ask(Power::ReplaceImage, CHANGE, "", "pods", ""),
    ask(Power::CreateTokens, CREATE, "", "serviceaccounts", "token"),
    cluster(ask(
        Power::ImpersonateUsers,
        &["impersonate"],
        "",
        "users",
        "",
    )),
    cluster(ask(
        Power::ImpersonateGroups,
        &["impersonate"],
        "",
        "groups",
        "",
    )),
    ask(
        Power::ImpersonateAccounts,
        &["impersonate"],
        "",
        "serviceaccounts",
        "",
    ),
    ask(Power::EscalateRoles, &["escalate"], RBAC, "roles", ""),
    ask(Power::WriteRoles, CHANGE, RBAC, "roles", ""),
    ask(Power::BindRoles, &["bind"], RBAC, "roles", ""),
    unnamed(ask(
        Power::CreateRoleBindings,
        CREATE,
        RBAC,
        "rolebindings",
        "",
    )),
    cluster(ask(
        Power::EscalateClusterRoles,
        &["escalate"],
        RBAC,
        "clusterroles",
        "",
    )),
    cluster(ask(
        Power::WriteClusterRoles,
        CHANGE,
        RBAC,
        "clusterroles",
        "",
    )),
    // A RoleBinding may bind a ClusterRole: `bind` is then asked in its namespace.
    ask(Power::BindClusterRoles, &["bind"], RBAC, "clusterroles", ""),
    cluster(unnamed(ask(
        Power::CreateClusterRoleBindings,
        CREATE,
        RBAC,
        "clusterrolebindings",
        "",
    ))),
    cluster(unnamed(ask(
        Power::RequestCertificates,
        CREATE,
        CERTIFICATES,
        "certificatesigningrequests",
        "",
    ))),
    // Who requests the certificate chooses the request's name.
    cluster(ask(
        Power::ApproveCertificates,
        CHANGE,
        CERTIFICATES,
        "certificatesigningrequests",
        "approval",
    )),
    cluster(ask(
        Power::ApproveSigner,
        &["approve"],
        CERTIFICATES,
        "signers",
        "",
    )),
    cluster(ask(Power::ProxyNodes, STREAM, "", "nodes", "proxy")),
    cluster(ask(
        Power::MutatePods,
        WRITE,
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "",
    )),
    ask(
        Power::UsePolicy,
        &["use"],
        "policy",
        "podsecuritypolicies",
        "",
    ),
    // Upstream asks for both groups.
    ask(
        Power::UsePolicy,
        &["use"],
        "extensions",
        "podsecuritypolicies",
        "",
    ),
];

/// All questions: of what makes pods one for each built-in kind, and for each custom one that is
/// known to do so.
pub(crate) fn questions<'k>(custom: impl Iterator<Item = &'k Kind>) -> Vec<Arc<Question>> {
    let custom = custom.map(|kind| {
        let owned = |text: &str| Cow::Owned(text.to_owned());
        (owned(&kind.group), owned(&kind.plural), Makes::Always)
    });
    let makers = WORKLOADS
        .iter()
        .filter(|workload| workload.makes_pods())
        .map(|w| (Cow::Borrowed(w.group), Cow::Borrowed(w.plural), w.makes))
        .chain(custom);
    let mut all: Vec<Question> = QUESTIONS.to_vec();
    for (group, resource, makes) in makers {
        let about = |power, verbs| Question {
            group: group.clone(),
            resource: resource.clone(),
            ..ask(power, verbs, "", "", "")
        };
        all.push(unnamed(about(Power::CreatePods, CREATE)));
        if makes == Makes::Always {
            all.push(about(Power::ChangeWorkloads, CHANGE));
        }
    }
    all.into_iter().map(Arc::new).collect()
}

/// A power that a rule of a role gives.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// Which question.
    pub(crate) question: Arc<Question>,
    /// The verb that is allowed.
    pub(crate) verb: &'static str,
    /// The only object that it is allowed on; none if on all.
    pub(crate) name: Option<Arc<str>>,
    /// Which rule of the role.
    pub(crate) rule: usize,
}

/// What the rules of a role are worth, each power once by the first rule that gives it.
pub(crate) fn of_rules(rules: &[Rule], questions: &[Arc<Question>]) -> Vec<Held> {
    let nobody = UserInfo::default();
    let mut all: Vec<Held> = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        for question in questions {
            for name in std::iter::once(None).chain(rule.resource_names.iter().map(Some)) {
                if name.is_some() && !question.named {
                    continue;
                }
                let Some(verb) = question.verbs.iter().find(|verb| {
                    let mut a =
                        Attributes::resource(&nobody, verb, &question.group, &question.resource)
                            .of_subresource(question.subresource);
                    if let Some(name) = name {
                        a = a.named(name);
                    }
                    // A rule without names allows every name; it is asked once, without one.
                    (name.is_some() || rule.resource_names.is_empty()) && rule.allows(&a)
                }) else {
                    continue;
                };
                let known = all.iter().any(|held| {
                    Arc::ptr_eq(&held.question, question)
                        && (held.name.is_none() || held.name.as_deref() == name.map(String::as_str))
                });
                if !known {
                    all.push(Held {
                        question: Arc::clone(question),
                        verb,
                        name: name.map(|name| name.as_str().into()),
                        rule: at,
                    });
                }
            }
        }
        if all.iter().any(|h| h.question.power == Power::Everything) {
            // Nothing can be added.
            all.retain(|h| h.question.power == Power::Everything);
            break;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn powers(rule: Rule) -> Vec<(Power, Option<String>)> {
        of_rules(&[rule], &questions(std::iter::empty()))
            .into_iter()
            .map(|h| (h.question.power, h.name.map(|n| n.to_string())))
            .collect()
    }

    #[test]
    fn what_rules_are_worth() {
        let some = |n: &str| Some(n.to_owned());
        for (rule, want) in [
            (
                Rule::on(["*"], ["*"], ["*"]),
                vec![(Power::Everything, None)],
            ),
            (
                Rule::on(["watch"], [""], ["secrets"]).named(["a", "b"]),
                vec![
                    (Power::ReadSecrets, some("a")),
                    (Power::ReadSecrets, some("b")),
                ],
            ),
            // Creates carry no name.
            (Rule::on(["create"], [""], ["pods"]).named(["a"]), vec![]),
            (Rule::on(["get", "list"], [""], ["pods"]), vec![]),
            (
                Rule::on(["create"], [""], ["pods/exec"]),
                vec![(Power::Exec, None)],
            ),
            (
                Rule::on(["create"], [""], ["serviceaccounts/token"]).named(["a"]),
                vec![(Power::CreateTokens, some("a"))],
            ),
            (
                Rule::on(["get"], ["*"], ["*/exec"]),
                vec![(Power::Exec, None)],
            ),
            (
                Rule::on(["approve"], ["certificates.k8s.io"], ["signers"])
                    .named(["kubernetes.io/*"]),
                vec![(Power::ApproveSigner, some("kubernetes.io/*"))],
            ),
        ] {
            let text = rule.compact();
            assert_eq!(powers(rule), want, "{text}");
        }
    }
}
