//! `rampart psp`: which PodSecurityPolicy admits each pod, what it fills in, and what the others
//! refuse.

mod labels;

use super::pss::cite;
use crate::access;
use crate::arguments;
use crate::output::{Because, Colour, Outcome, Style, answer, shown, tell};
use crate::pods::{self, makes_pods};
use crate::refused;
use anyhow::Result;
use labels::Decided;
use model::user::UserInfo;
use model::{Value, meta};
use pod_security::psp::{Decision, Pass, Policies, Policy};
use rbac::Attributes;
use serde::Serialize;
use serde_json::{Map, json};
use snapshot::{Citation, PodTemplate, Snapshot};
use std::process::ExitCode;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.psp/v1";

/// One pod's answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    /// The kind of what makes the pod, or `Pod`.
    kind: String,
    namespace: String,
    name: String,
    /// Which of its templates, of a custom kind with several.
    #[serde(skip_serializing_if = "String::is_empty")]
    part: String,
    service_account: String,
    allowed: bool,
    /// The policy that is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    /// What it fills in.
    changes: Vec<Filled>,
    /// What the API server says.
    reason: String,
    /// Who may use the policy that is chosen, or what the policies refuse.
    because: Vec<Because>,
    /// What every policy says of the pod, whoever may use it.
    policies: Vec<Opinion>,
}

impl Entry {
    /// The policies that may be used for the pod.
    fn usable(&self) -> Vec<String> {
        let usable = self.policies.iter().filter(|opinion| opinion.usable);
        usable.map(|opinion| opinion.policy.clone()).collect()
    }
}

#[derive(Debug, Serialize)]
struct Filled {
    field: String,
    value: Value,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Opinion {
    policy: String,
    /// Whether it may be used for this pod.
    usable: bool,
    /// Whether it admits the pod, with what it fills in.
    admits: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Filled>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refusals: Vec<Because>,
}

fn wanted(group: &str, plural: &str) -> bool {
    makes_pods(group, plural)
        || access::wanted(group, plural)
        || (group, plural) == ("policy", "podsecuritypolicies")
        || (group, plural) == ("", "serviceaccounts")
}

/// Reads pods, policies and roles, and answers.
pub(crate) fn run(arguments: &arguments::Psp) -> Result<ExitCode> {
    let input = arguments.input.load(wanted)?;
    let problems = refused::with_refused(&input.snapshot);
    tell(&problems, &input.texts);
    let snapshot = &input.snapshot;
    let user = match (&arguments.user, arguments.groups.as_slice()) {
        (None, []) => None,
        (name, groups) => Some(access::user(name.as_deref().unwrap_or(""), groups)?),
    };
    let objects = snapshot.of("policy", "podsecuritypolicies");
    let policies = Policies::new(objects.iter().map(|object| &*object.value));
    let style = Style::stderr();
    for (name, why) in policies.broken() {
        let warning = style.paint(Colour::Attention, "warning");
        let name = shown(name);
        eprintln!("{warning}: PodSecurityPolicy {name} cannot be enforced: {why}");
    }
    let only = arguments.input.source.namespace.as_deref();
    let all = || {
        snapshot
            .pod_templates()
            .filter(|template| only.is_none_or(|namespace| template.namespace() == namespace))
    };
    let templates: Vec<PodTemplate<'_>> = all().filter(PodTemplate::is_outermost).collect();
    let (entries, decisions): (Vec<Entry>, Vec<Decision>) = templates
        .iter()
        .map(|template| entry(template, &policies, user.as_ref()))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .unzip();
    let mut document = Map::new();
    let question = match &user {
        Some(user) => json!({"user": user.name, "groups": user.groups}),
        None => json!({}),
    };
    document.insert("question".into(), question);
    let allowed = entries.iter().all(|entry| entry.allowed);
    document.insert("allowed".into(), allowed.into());
    document.insert("pods".into(), serde_json::to_value(&entries)?);
    let usable: Vec<Vec<String>> = entries.iter().map(Entry::usable).collect();
    let mut decided: Vec<Decided<'_, '_>> = templates
        .iter()
        .zip(&decisions)
        .zip(&usable)
        .map(|((template, decision), usable)| Decided {
            template: *template,
            decision: Some(decision),
            usable,
        })
        .collect();
    // Pods that controllers made, and what controllers made of others, must not break a level
    // either.
    let made = all().filter(|template| !template.is_outermost());
    decided.extend(made.map(|template| Decided {
        template,
        decision: None,
        usable: &[],
    }));
    let proposals = labels::proposals(&decided, &policies);
    let has_policies = policies.iter().next().is_some();
    document.insert("note".into(), labels::note().into());
    document.insert("namespaces".into(), serde_json::to_value(&proposals)?);
    answer(
        arguments.output.output,
        SCHEMA,
        document,
        &problems,
        |style| {
            let mut text = human(&entries, style);
            if !proposals.is_empty() {
                text.push_str(&labels::human(&proposals, has_policies, style));
            }
            text
        },
    )?;
    let outcome = if allowed { Outcome::Good } else { Outcome::Bad };
    Ok(outcome.status(snapshot.worst_problem()))
}

fn entry(
    template: &PodTemplate<'_>,
    policies: &Policies,
    user: Option<&UserInfo>,
) -> Result<(Entry, Decision)> {
    let snapshot = template.snapshot();
    let namespace = template.namespace();
    let account = template.service_account_name();
    let name = format!("system:serviceaccount:{namespace}:{account}");
    let account_user = access::user(&name, &[])?;
    let users: Vec<&UserInfo> = std::iter::once(&account_user).chain(user).collect();
    let may_use = |policy: &str| grant(snapshot, &users, namespace, policy);
    let pod = created(template);
    let decision = policies.admit(Pass::Mutating, &pod, |name| may_use(name).is_some());
    let (changes, because) = match &decision {
        Decision::Admitted {
            policy, changes, ..
        } => {
            let grant = may_use(policy).unwrap_or_default().into_iter();
            let because = grant.map(|citation| Because {
                reason: format!("may use {policy}"),
                citation,
            });
            (changes.as_slice(), because.collect())
        }
        Decision::Refused(refusals) => (&[][..], reasons(template, refusals)),
        Decision::NoPolicies => (&[][..], Vec::new()),
    };
    let opinion = |policy: &Policy| {
        let review = policy.review(Pass::Mutating, &pod);
        Opinion {
            policy: policy.name().to_owned(),
            usable: may_use(policy.name()).is_some(),
            admits: review.refusals.is_empty(),
            changes: filled(&review.changes),
            refusals: reasons(template, &review.refusals),
        }
    };
    let entry = Entry {
        kind: template.owner.kind.kind.to_string(),
        namespace: namespace.to_owned(),
        name: template.owner.name().to_owned(),
        part: template.part.to_owned(),
        service_account: account.to_owned(),
        allowed: decision.policy().is_some(),
        policy: decision.policy().map(str::to_owned),
        changes: filled(changes),
        reason: match (decision.message(Pass::Mutating), decision.policy()) {
            (Some(message), _) => message,
            (None, policy) => format!("admitted by {}", policy.unwrap_or_default()),
        },
        because,
        policies: policies.iter().map(opinion).collect(),
    };
    Ok((entry, decision))
}

/// What gives one of the users the right to use a policy, as upstream asks for it.
fn grant(
    snapshot: &Snapshot,
    users: &[&UserInfo],
    namespace: &str,
    policy: &str,
) -> Option<Vec<Citation>> {
    users.iter().find_map(|user| {
        ["policy", "extensions"].into_iter().find_map(|group| {
            let question = Attributes::resource(user, "use", group, "podsecuritypolicies")
                .in_namespace(namespace)
                .named(policy);
            if user.in_group(model::user::MASTERS) {
                return Some(Vec::new());
            }
            let ruling = snapshot.rbac().decide(&question);
            let because = ruling.because().map(|because| snapshot.because(&because));
            ruling.allowed().then(|| because.unwrap_or_default())
        })
    })
}

/// The pod of a template as the API server would hold it to policies: with the volume of its
/// service account's token, whether it was read from a cluster or not.
fn created(template: &PodTemplate<'_>) -> Value {
    let mut spec = template.spec.clone();
    let mut volumes: Vec<Value> = template.volumes().map(|(_, v)| v.clone()).collect();
    if template.automounts_token() {
        let namespace = json!({"path": "namespace", "fieldRef": {
            "apiVersion": "v1", "fieldPath": "metadata.namespace",
        }});
        volumes.push(json!({"name": "kube-api-access", "projected": {"sources": [
            {"serviceAccountToken": {"path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt"}},
            {"downwardAPI": {"items": [namespace]}},
        ]}}));
    }
    meta::set(&mut spec, &["volumes"], volumes);
    json!({"metadata": template.metadata, "spec": spec})
}

fn filled(changes: &[pod_security::psp::Change]) -> Vec<Filled> {
    let of = |change: &pod_security::psp::Change| Filled {
        field: change.field(),
        value: change.value.clone(),
    };
    changes.iter().map(of).collect()
}

/// The fields of the pod that are refused, each with the field of the policy that refuses it.
fn reasons(template: &PodTemplate<'_>, refusals: &[pod_security::psp::Refusal]) -> Vec<Because> {
    let snapshot = template.snapshot();
    refusals
        .iter()
        .flat_map(|refusal| {
            let policy = snapshot.find("policy", "podsecuritypolicies", "", &refusal.policy);
            let policy = policy.map(|policy| snapshot.cite(policy, &refusal.control));
            std::iter::once(cite(template, &refusal.field))
                .chain(policy)
                .map(|citation| Because {
                    reason: refusal.error.to_string(),
                    citation,
                })
        })
        .collect()
}

fn human(entries: &[Entry], style: Style) -> String {
    if entries.is_empty() {
        return "There are no pods.\n".to_owned();
    }
    let mut text = String::new();
    for entry in entries {
        let pod = shown(&format!(
            "{} {}/{}",
            entry.kind,
            entry.namespace,
            pods::title(&entry.name, &entry.part)
        ));
        let verdict = match &entry.policy {
            Some(policy) => style.paint(Colour::Good, &format!("admitted by {}", shown(policy))),
            None => style.paint(Colour::Bad, "refused"),
        };
        text.push_str(&format!("{pod}: {verdict}\n"));
        if entry.policies.is_empty() {
            text.push_str(&format!("  {}\n", shown(&entry.reason)));
        }
        for change in &entry.changes {
            let change = format!("{} = {}", change.field, change.value);
            text.push_str(&format!("  sets {}\n", shown(&change)));
        }
        if entry.allowed {
            for because in &entry.because {
                text.push_str(&format!("  {}\n", shown(&because.citation.to_string())));
            }
            continue;
        }
        for opinion in &entry.policies {
            let policy = shown(&opinion.policy);
            if !opinion.usable {
                let would = if opinion.admits {
                    "would admit it, but "
                } else {
                    ""
                };
                let account = shown(&entry.service_account);
                text.push_str(&format!(
                    "  {policy}: {would}may not be used by the service account {account}\n"
                ));
                continue;
            }
            for refusal in &opinion.refusals {
                let (what, place) = (shown(&refusal.reason), refusal.citation.to_string());
                text.push_str(&format!("  {policy}: {what}\n"));
                let place = style.paint(Colour::Faint, &shown(&place));
                text.push_str(&format!("    {place}\n"));
            }
        }
    }
    text
}
