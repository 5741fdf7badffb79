//! What an analysis found: one type for all of them.

use crate::checks::Check;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use snapshot::{Citation, Location, Object, Snapshot};
use std::borrow::Cow;
use std::fmt;

/// How bad a finding is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Hardening that few clusters have; good to know.
    Info,
    /// A layer of defence that is missing, of several.
    Low,
    /// Helps an attacker who is in already.
    Medium,
    /// One step from taking over a node, a namespace or somebody else's rights.
    High,
    /// Takes over a node or the cluster as it stands.
    Critical,
}

impl Severity {
    /// All, worst first.
    pub const WORST_FIRST: [Self; 5] = [
        Self::Critical,
        Self::High,
        Self::Medium,
        Self::Low,
        Self::Info,
    ];

    /// The name, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The next lower one; of the lowest, itself.
    #[must_use]
    pub fn lowered(self) -> Self {
        match self {
            Self::Critical => Self::High,
            Self::High => Self::Medium,
            Self::Medium => Self::Low,
            Self::Low | Self::Info => Self::Info,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose rule a check carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Framework {
    /// The Pod Security Standards of Kubernetes.
    PodSecurityStandards,
    /// The CIS Kubernetes Benchmark, 1.10.
    Cis,
    /// The Kubernetes Hardening Guide of NSA and CISA, 1.2.
    NsaCisa,
    /// An auditor of kubeaudit.
    Kubeaudit,
    /// A rule of kubesec.
    Kubesec,
    /// A published vulnerability.
    Cve,
    /// A page of the documentation of Kubernetes.
    Kubernetes,
}

impl Framework {
    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PodSecurityStandards => "Pod Security Standards",
            Self::Cis => "CIS Kubernetes Benchmark",
            Self::NsaCisa => "NSA/CISA Kubernetes Hardening Guide",
            Self::Kubeaudit => "kubeaudit",
            Self::Kubesec => "kubesec",
            Self::Cve => "CVE",
            Self::Kubernetes => "Kubernetes",
        }
    }
}

/// A rule of others that says the same as a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Whose rule.
    pub framework: Framework,
    /// Which: a control, a section or a rule ID.
    pub control: &'static str,
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reference = serializer.serialize_struct("Reference", 2)?;
        reference.serialize_field("control", self.control)?;
        reference.serialize_field("framework", self.framework.as_str())?;
        reference.end()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.framework.as_str(), self.control)
    }
}

/// Something that a check found.
#[derive(Debug, Clone)]
pub struct Finding<'a> {
    /// The check that found it.
    pub check: &'static Check,
    /// How bad it is here: the check's severity, unless the case or the configuration says other.
    pub severity: Severity,
    /// The object that it is about.
    pub object: &'a Object,
    /// The container, if it is about one.
    pub container: Option<&'a str>,
    /// The path of the field in the object; of a field that is missing, where it belongs.
    pub field: String,
    /// Why it was found, in one line.
    pub message: Cow<'static, str>,
    /// What to do about it here.
    pub fix: Cow<'static, str>,
    /// Other objects that it follows from.
    pub because: Vec<Citation>,
    /// Where it stands; `None` if the object was read from no file.
    pub location: Option<Location>,
    /// Whether the source at the location holds a secret, so that it must not be shown.
    pub is_secret: bool,
    /// The identifier of kubeaudit's override labels that excuses it; empty if none does.
    pub(crate) excused_by: Cow<'static, str>,
    /// Where to look, if not at `field` of `object`.
    pub(crate) anchor: Option<Box<(&'a Object, String)>>,
}

impl<'a> Finding<'a> {
    /// A finding as its check describes it.
    pub fn new(
        check: &'static Check,
        object: &'a Object,
        field: impl Into<String>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            check,
            severity: check.severity,
            object,
            container: None,
            field: field.into(),
            message: message.into(),
            fix: Cow::Borrowed(check.fix),
            because: Vec::new(),
            location: None,
            is_secret: false,
            excused_by: Cow::Borrowed(check.kubeaudit_override),
            anchor: None,
        }
    }

    /// Finds out where it stands.
    pub(crate) fn locate(&mut self, snapshot: &Snapshot) {
        let (object, field) = match self.anchor.as_deref() {
            Some((object, field)) => (*object, field.as_str()),
            None => (self.object, self.field.as_str()),
        };
        self.location = snapshot.locate_line(object, field);
    }

    /// The object's namespace and name, without the former for kinds of the whole cluster.
    pub fn object_name(&self) -> String {
        match self.object.namespace() {
            "" => self.object.name().to_owned(),
            namespace => format!("{namespace}/{}", self.object.name()),
        }
    }

    /// What tells this finding from others, wherever the object stands: the same for manifests
    /// and the live cluster, and not changed by lines or containers that come or go before it.
    pub fn fingerprint(&self) -> String {
        let field = match (self.container, self.field.find("ontainers[")) {
            (Some(_), Some(at)) => {
                let rest = self.field.get(at..).unwrap_or_default();
                rest.split_once(']').map_or("", |(_, after)| after)
            }
            _ => self.field.as_str(),
        };
        format!(
            "{}|{}.{}|{}|{}|{}|{}",
            self.check.id,
            self.object.resource(),
            self.object.group(),
            self.object.namespace(),
            self.object.name(),
            self.container.unwrap_or_default(),
            field.trim_start_matches('.')
        )
    }
}

/// Fields are sorted by name, as everywhere in answers.
impl Serialize for Finding<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Named<'a> {
            group: &'a str,
            kind: &'a str,
            name: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            namespace: &'a str,
        }
        #[derive(serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Place<'a> {
            column: u32,
            end_column: u32,
            end_line: u32,
            file: &'a str,
            line: u32,
        }
        let object = Named {
            group: self.object.group(),
            kind: &self.object.kind.kind,
            namespace: self.object.namespace(),
            name: self.object.name(),
        };
        let location = self.location.as_ref().map(|at| Place {
            file: &at.file,
            line: at.line,
            column: at.column,
            end_line: at.end_line,
            end_column: at.end_column,
        });
        let mut finding = serializer.serialize_struct("Finding", 12)?;
        if !self.because.is_empty() {
            finding.serialize_field("because", &self.because)?;
        }
        if let Some(container) = self.container {
            finding.serialize_field("container", container)?;
        }
        finding.serialize_field("field", &self.field)?;
        finding.serialize_field("fingerprint", &self.fingerprint())?;
        finding.serialize_field("fix", &self.fix)?;
        finding.serialize_field("id", self.check.id)?;
        if let Some(location) = &location {
            finding.serialize_field("location", location)?;
        }
        finding.serialize_field("message", &self.message)?;
        finding.serialize_field("object", &object)?;
        finding.serialize_field("references", self.check.references)?;
        finding.serialize_field("severity", &self.severity)?;
        finding.serialize_field("title", self.check.title)?;
        finding.end()
    }
}
