//! `PodSecurity`: namespaces say by their labels which level of the Pod Security Standards their
//! pods must keep. Pods that break the enforced level are refused; of other levels the user is
//! warned and the audit log told, for the templates of workloads too.

mod config;
mod namespaces;
mod significance;

pub use config::{ConfigError, Exemptions, PodSecurityConfig};

use crate::{Lookup, Operation, Plugin, Request, forbidden};
use model::field::ErrorList;
use model::status::Status;
use model::{Value, meta};
use pod_security::standards::{refusal, warning};
use pod_security::{LevelVersion, NamespacePolicy, Version, Violation, evaluate};
use std::sync::Arc;

/// What annotations of audit events begin with.
const PREFIX: &str = "pod-security.kubernetes.io/";

/// What a request is about, as labels of metrics say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// `create` or `update`.
    pub operation: &'static str,
    /// `pod`, `namespace` or `controller`.
    pub resource: &'static str,
    /// The subresource, or empty.
    pub subresource: &'a str,
}

/// One policy that was held against one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evaluation<'a> {
    /// Whether the policy admits the pod.
    pub allowed: bool,
    /// `enforce`, `audit` or `warn`.
    pub mode: &'static str,
    /// The policy.
    pub policy: LevelVersion,
    /// The request.
    pub subject: Subject<'a>,
}

impl Evaluation<'_> {
    /// The version as upstream's metric shows it: what is newer than the server is `future`.
    pub fn version(&self) -> String {
        match self.policy.version {
            Version::Minor(minor) if self.policy.level != pod_security::Level::Privileged => {
                if minor > Version::NEWEST {
                    "future".to_owned()
                } else {
                    self.policy.version.to_string()
                }
            }
            _ => "latest".to_owned(),
        }
    }
}

/// Counts what the plugin decides.
pub trait Recorder: Send + Sync {
    /// A policy was held against a request.
    fn evaluated(&self, evaluation: &Evaluation<'_>);
    /// A request was exempt.
    fn exempted(&self, subject: Subject<'_>);
    /// A request could not be evaluated (`fatal`), or only with the strictest policy.
    fn failed(&self, fatal: bool, subject: Subject<'_>);
}

/// Counts nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoRecorder;

impl Recorder for NoRecorder {
    fn evaluated(&self, _: &Evaluation<'_>) {}
    fn exempted(&self, _: Subject<'_>) {}
    fn failed(&self, _: bool, _: Subject<'_>) {}
}

/// How long the pods of a namespace may be looked at; the clock is not this crate's.
pub trait Patience: Send + Sync {
    /// Begins to wait. What it returns says, each time it is asked, whether it has been too long.
    fn begin(&self) -> Box<dyn Fn() -> bool>;
}

/// Waits for ever.
struct Endless;

impl Patience for Endless {
    fn begin(&self) -> Box<dyn Fn() -> bool> {
        Box::new(|| false)
    }
}

/// The plugin of upstream's name and rules.
pub struct PodSecurity {
    config: PodSecurityConfig,
    recorder: Arc<dyn Recorder>,
    patience: Arc<dyn Patience>,
}

/// What the plugin has to say about a kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Namespace,
    Pod,
    /// Something with a template of pods, which is at this path.
    Workload(&'static [&'static str]),
}

impl Kind {
    fn of(request: &Request<'_>) -> Option<Self> {
        let template = &["spec", "template"];
        let kind = match (
            request.resource.group.as_ref(),
            request.resource.plural.as_ref(),
        ) {
            ("", "namespaces") => Self::Namespace,
            ("", "pods") => Self::Pod,
            ("", "podtemplates") => Self::Workload(&["template"]),
            ("", "replicationcontrollers")
            | ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets")
            | ("batch", "jobs") => Self::Workload(template),
            ("batch", "cronjobs") => Self::Workload(&["spec", "jobTemplate", "spec", "template"]),
            _ => return None,
        };
        Some(kind)
    }

    fn label(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Pod => "pod",
            Self::Workload(_) => "controller",
        }
    }
}

impl Plugin for PodSecurity {
    fn name(&self) -> &'static str {
        "PodSecurity"
    }

    fn validate(&self, request: &mut Request<'_>, cluster: &dyn Lookup) -> Result<(), Status> {
        let operation = match request.operation {
            Operation::Create => "create",
            Operation::Update => "update",
            Operation::Delete | Operation::Connect => return Ok(()),
        };
        let Some(kind) = Kind::of(request) else {
            return Ok(());
        };
        let subject = Subject {
            operation,
            resource: kind.label(),
            subresource: request.subresource,
        };
        match kind {
            Kind::Namespace => self.namespace(request, cluster),
            Kind::Pod => self.pod(request, subject, cluster),
            Kind::Workload(template) => self.workload(request, template, subject, cluster),
        }
    }
}

impl PodSecurity {
    /// The plugin with the policy of namespaces without labels, and what is exempt. What it decides
    /// is told to `recorder`.
    pub fn new(config: PodSecurityConfig, recorder: Arc<dyn Recorder>) -> Self {
        Self {
            config,
            recorder,
            patience: Arc::new(Endless),
        }
    }

    /// The same, with a bound to how long the pods of a namespace are looked at whose labels
    /// change.
    pub fn with_patience(self, patience: Arc<dyn Patience>) -> Self {
        Self { patience, ..self }
    }

    fn policy_of(&self, namespace: &Value) -> (NamespacePolicy, ErrorList) {
        let labels = meta::at(namespace, &["metadata", "labels"]);
        self.config
            .defaults
            .with_labels(|key| labels?.get(key)?.as_str())
    }

    /// Whether the request is exempt by its namespace or its user, which is then noted.
    fn is_exempt(&self, request: &mut Request<'_>, subject: Subject<'_>) -> bool {
        let exemptions = &self.config.exemptions;
        let by = if exemptions.has_namespace(request.namespace) {
            "namespace"
        } else if exemptions.has_user(&request.user.name) {
            "user"
        } else {
            return false;
        };
        self.exempt(request, subject, by);
        true
    }

    fn exempt(&self, request: &mut Request<'_>, subject: Subject<'_>, by: &str) {
        self.recorder.exempted(subject);
        annotate(request, "exempt", by.to_owned());
    }

    fn pod(
        &self,
        request: &mut Request<'_>,
        subject: Subject<'_>,
        cluster: &dyn Lookup,
    ) -> Result<(), Status> {
        // `resize` and `ephemeralcontainers` are looked at; all others change nothing that counts.
        let passed_over = matches!(
            request.subresource,
            "exec" | "attach" | "binding" | "eviction" | "log" | "portforward" | "proxy" | "status"
        );
        if passed_over || self.is_exempt(request, subject) {
            return Ok(());
        }
        let Some(namespace) = cluster.get("", "namespaces", "", request.namespace) else {
            self.recorder.failed(true, subject);
            let why = format!("failed to lookup namespace {:?}", request.namespace);
            return Err(Status::internal(why));
        };
        let (policy, errors) = self.policy_of(&namespace);
        if errors.is_empty() && policy.is_privileged() {
            self.record(true, "enforce", policy.enforce, subject);
            annotate(request, "enforce-policy", policy.enforce.to_string());
            return Ok(());
        }
        if request.operation == Operation::Update
            && let Some(old) = request.old_object
            && !significance::changes(&request.object, old)
        {
            return Ok(());
        }
        // Taken out while the request's annotations and warnings are written.
        let pod = std::mem::take(&mut request.object);
        let verdict = self.evaluate(request, (&policy, &errors), &pod, true, subject);
        request.object = pod;
        verdict
    }

    fn workload(
        &self,
        request: &mut Request<'_>,
        template: &[&str],
        subject: Subject<'_>,
        cluster: &dyn Lookup,
    ) -> Result<(), Status> {
        if !request.subresource.is_empty() || self.is_exempt(request, subject) {
            return Ok(());
        }
        let Some(namespace) = cluster.get("", "namespaces", "", request.namespace) else {
            self.recorder.failed(true, subject);
            let why = format!("failed to lookup namespace {:?}", request.namespace);
            annotate(request, "error", why);
            return Ok(());
        };
        let (policy, errors) = self.policy_of(&namespace);
        let is_silent = [policy.warn, policy.audit]
            .iter()
            .all(|mode| mode.level == pod_security::Level::Privileged);
        if errors.is_empty() && is_silent {
            return Ok(());
        }
        let object = std::mem::take(&mut request.object);
        let verdict = match meta::at(&object, template) {
            Some(pod) => self.evaluate(request, (&policy, &errors), pod, false, subject),
            None => Ok(()),
        };
        request.object = object;
        verdict
    }

    /// Holds a pod, or a template of pods, to what its namespace asks for.
    fn evaluate(
        &self,
        request: &mut Request<'_>,
        (policy, errors): (&NamespacePolicy, &ErrorList),
        pod: &Value,
        enforces: bool,
        subject: Subject<'_>,
    ) -> Result<(), Status> {
        let spec = pod.get("spec").unwrap_or(&Value::Null);
        let metadata = pod.get("metadata").unwrap_or(&Value::Null);
        let class = meta::text(spec, &["runtimeClassName"]);
        if self.config.exemptions.has_runtime_class(class) {
            self.exempt(request, subject, "runtimeClass");
            return Ok(());
        }
        if !errors.is_empty() {
            let why = format!("Failed to parse policy: {}", aggregate(errors));
            annotate(request, "error", why);
            self.recorder.failed(false, subject);
        }
        // Modes that ask for the same are answered once.
        let mut known: Vec<(LevelVersion, Vec<Violation>)> = Vec::with_capacity(3);
        let mut violations = |of: LevelVersion| -> Vec<Violation> {
            if let Some((_, found)) = known.iter().find(|(policy, _)| *policy == of) {
                return found.clone();
            }
            let found = evaluate(of, metadata, spec);
            known.push((of, found.clone()));
            found
        };
        let mut verdict = Ok(());
        if enforces {
            annotate(request, "enforce-policy", policy.enforce.to_string());
            let found = violations(policy.enforce);
            self.record(found.is_empty(), "enforce", policy.enforce, subject);
            if !found.is_empty() {
                verdict = Err(forbidden(request, &refusal(policy.enforce, &found)));
            }
        }
        let found = violations(policy.audit);
        if !found.is_empty() {
            annotate(request, "audit-violations", warning(policy.audit, &found));
            self.record(false, "audit", policy.audit, subject);
        }
        // Whoever is refused need not be warned.
        if verdict.is_ok() {
            let found = violations(policy.warn);
            if !found.is_empty() {
                request.warnings.push(warning(policy.warn, &found));
                self.record(false, "warn", policy.warn, subject);
            }
        }
        verdict
    }

    fn record(
        &self,
        allowed: bool,
        mode: &'static str,
        policy: LevelVersion,
        subject: Subject<'_>,
    ) {
        self.recorder.evaluated(&Evaluation {
            allowed,
            mode,
            policy,
            subject,
        });
    }
}

fn annotate(request: &mut Request<'_>, key: &str, value: String) {
    request
        .audit_annotations
        .push((format!("{PREFIX}{key}"), value));
}

/// Several errors as upstream shows them in one line.
fn aggregate(errors: &ErrorList) -> String {
    let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
    match all.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}
