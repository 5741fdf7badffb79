//! What `rampart up` is told about admission.

use clap::{Args, ValueEnum};
use pod_security::Level;
use std::path::PathBuf;

/// Which plugins admit requests, and how they are set up.
#[derive(Debug, Clone, Args)]
pub(crate) struct AdmissionArguments {
    /// Admission plugins to run besides those that run by default, such as PodSecurityPolicy
    #[arg(
        long = "enable-admission-plugins",
        value_name = "NAME,…",
        value_delimiter = ','
    )]
    pub(crate) enabled: Vec<String>,
    /// Admission plugins not to run
    #[arg(
        long = "disable-admission-plugins",
        value_name = "NAME,…",
        value_delimiter = ','
    )]
    pub(crate) disabled: Vec<String>,
    /// Configuration of admission plugins (apiserver.config.k8s.io/v1 AdmissionConfiguration); what
    /// it says of PodSecurity counts instead of --pod-security-default
    #[arg(long = "admission-control-config-file", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What pods are held to in namespaces whose labels say nothing: the level is enforced, and
    /// users are warned of what is not restricted (with `privileged`, of nothing)
    #[arg(
        long,
        value_enum,
        value_name = "LEVEL",
        default_value_t = DefaultLevel::Baseline
    )]
    pub(crate) pod_security_default: DefaultLevel,
}

/// A level of the Pod Security Standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DefaultLevel {
    /// Everything goes, as on upstream
    Privileged,
    /// Known ways to more privileges are closed
    Baseline,
    /// Pods must be hardened
    Restricted,
}

impl DefaultLevel {
    pub(crate) fn level(self) -> Level {
        match self {
            Self::Privileged => Level::Privileged,
            Self::Baseline => Level::Baseline,
            Self::Restricted => Level::Restricted,
        }
    }
}
