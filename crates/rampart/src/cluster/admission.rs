//! The admission chain: which plugins there are, which of them run, and how they are set up.

mod configuration;

use crate::arguments::admission::AdmissionArguments;
use admission::{
    AlwaysPullImages, Certificates, Chain, DefaultIngressClass, DefaultStorageClass,
    DefaultTolerationSeconds, ExtendedResourceToleration, LimitRanger, NamespaceLifecycle,
    NodeRestriction, Patience, PersistentVolumeClaimResize, Plugin, PodSecurity, PodSecurityConfig,
    PodSecurityPolicy, Priority, ResourceQuota, RuntimeClass, ServiceAccount, ServiceAddresses,
    StorageObjectInUseProtection, TaintNodesByCondition,
};
use anyhow::{Result, bail};
use api_server::authorization::Authorizer;
use api_server::live_authorizers::{EscalationCheck, StoredRoles};
use api_server::metrics::PodSecurityCounts;
use configuration::Configuration;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Names that the plugins of [`Certificates`] go by; they run as one.
const CERTIFICATES: [&str; 3] = [
    "CertificateApproval",
    "CertificateSigning",
    "CertificateSubjectRestriction",
];

/// What the plugins work with.
pub(super) struct Parts<'a> {
    pub(super) arguments: &'a AdmissionArguments,
    pub(super) roles: &'a Arc<StoredRoles>,
    pub(super) authorizer: &'a Arc<dyn Authorizer>,
    pub(super) counts: &'a Arc<PodSecurityCounts>,
    /// The network of the addresses of services.
    pub(super) services: (Ipv4Addr, u8),
}

/// The pods of a namespace are looked at for a second at most, as upstream.
struct OneSecond;

impl Patience for OneSecond {
    fn begin(&self) -> Box<dyn Fn() -> bool> {
        let end = Instant::now() + Duration::from_secs(1);
        Box::new(move || Instant::now() >= end)
    }
}

/// A plugin in its place.
struct Step {
    plugin: Box<dyn Plugin>,
    runs: Runs,
}

/// Whether a plugin runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runs {
    /// Whatever is said: it is part of what makes the cluster safe.
    Always,
    /// Unless it is disabled.
    ByDefault,
    /// Only if it is enabled.
    IfAsked,
}

/// The admission chain, in upstream's order.
///
/// # Errors
///
/// Names of plugins that there are not, and a configuration that cannot be used.
pub(super) fn chain(parts: &Parts<'_>) -> Result<Chain> {
    let configured = match &parts.arguments.config {
        Some(file) => Configuration::read(file)?,
        None => Configuration::default(),
    };
    let security = configured.security.unwrap_or_else(|| {
        PodSecurityConfig::enforcing(parts.arguments.pod_security_default.level())
    });
    let asked: Arc<dyn rbac::Authorizer> = parts.authorizer.clone();
    let step = |runs, plugin| Step { plugin, runs };
    let steps = vec![
        step(
            Runs::Always,
            Box::new(NamespaceLifecycle) as Box<dyn Plugin>,
        ),
        step(Runs::ByDefault, Box::new(LimitRanger)),
        step(Runs::ByDefault, Box::new(ServiceAccount)),
        step(
            Runs::ByDefault,
            Box::new(NodeRestriction::new(asked.clone())),
        ),
        step(Runs::ByDefault, Box::new(TaintNodesByCondition)),
        step(Runs::IfAsked, Box::new(AlwaysPullImages)),
        step(
            Runs::ByDefault,
            Box::new(
                PodSecurity::new(security, parts.counts.clone()).with_patience(Arc::new(OneSecond)),
            ),
        ),
        step(
            Runs::IfAsked,
            Box::new(PodSecurityPolicy::new(asked.clone())),
        ),
        step(Runs::ByDefault, Box::new(Priority)),
        step(Runs::ByDefault, Box::new(DefaultTolerationSeconds)),
        step(Runs::IfAsked, Box::new(ExtendedResourceToleration)),
        step(Runs::ByDefault, Box::new(DefaultStorageClass)),
        step(Runs::ByDefault, Box::new(StorageObjectInUseProtection)),
        step(Runs::ByDefault, Box::new(PersistentVolumeClaimResize)),
        step(Runs::ByDefault, Box::new(RuntimeClass)),
        step(
            Runs::Always,
            Box::new(ServiceAddresses::new(parts.services.0, parts.services.1)),
        ),
        step(Runs::Always, Box::new(Certificates::new(asked))),
        step(Runs::ByDefault, Box::new(DefaultIngressClass)),
        step(
            Runs::Always,
            Box::new(EscalationCheck {
                roles: parts.roles.clone(),
                authorizer: parts.authorizer.clone(),
            }),
        ),
        step(
            Runs::ByDefault,
            Box::new(ResourceQuota::new(configured.quota.unwrap_or_default())),
        ),
    ];
    check_names(parts.arguments, &steps)?;
    let says = |names: &[String], step: &Step| names.iter().any(|n| n == step.plugin.name());
    let runs = |step: &Step| match step.runs {
        Runs::Always => true,
        Runs::ByDefault => !says(&parts.arguments.disabled, step),
        Runs::IfAsked => says(&parts.arguments.enabled, step),
    };
    let plugins = steps.into_iter().filter(runs).map(|step| step.plugin);
    Ok(Chain::new(plugins.collect()))
}

fn check_names(arguments: &AdmissionArguments, steps: &[Step]) -> Result<()> {
    let mut known: Vec<&str> = steps.iter().map(|step| step.plugin.name()).collect();
    known.extend(CERTIFICATES);
    known.sort_unstable();
    known.dedup();
    for (flag, names) in [
        ("enable", &arguments.enabled),
        ("disable", &arguments.disabled),
    ] {
        for name in names {
            if !known.contains(&name.as_str()) {
                bail!(
                    "--{flag}-admission-plugins: plugin {name:?} is unknown; there are {}",
                    known.join(", ")
                );
            }
        }
    }
    for name in &arguments.disabled {
        if arguments.enabled.contains(name) {
            bail!("{name} is named by --enable-admission-plugins and --disable-admission-plugins");
        }
        let always = steps
            .iter()
            .any(|step| step.runs == Runs::Always && step.plugin.name() == name);
        if always || CERTIFICATES.contains(&name.as_str()) {
            bail!("--disable-admission-plugins: {name} cannot be turned off");
        }
    }
    Ok(())
}
