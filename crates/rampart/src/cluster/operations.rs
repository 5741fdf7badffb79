//! What operators see of a cluster: the audit log, metrics and health.

use crate::arguments::Up;
use crate::data_dir::DataDir;
use anyhow::{Context, Result};
use api_server::Config;
use api_server::auditing;
use api_server::health::{Gate, Health};
use api_server::metrics::{CountedAuthorizer, Metrics, MetricsPage, PodSecurityCounts};
use audit::{Auditor, Log, LogOptions, Policy};
use std::path::Path;
use std::sync::Arc;

/// The parts that the cluster must tell when it stops.
pub(crate) struct Operations {
    stopping: Gate,
    audit: Option<Arc<Log>>,
}

/// What counts by itself, and is shown with the metrics.
pub(crate) struct Counted {
    /// The authorizers of the chain whose decisions are counted.
    pub(crate) authorizers: Vec<Arc<CountedAuthorizer>>,
    /// What pod security decides.
    pub(crate) pod_security: Arc<PodSecurityCounts>,
    /// What the scheduler does.
    pub(crate) scheduling: Arc<scheduler::Metrics>,
}

impl Operations {
    /// Plugs everything into the server. `gates` are what must have happened before it is ready, under the names that
    /// `/readyz?verbose` shows.
    pub(crate) fn attach(
        config: &mut Config,
        arguments: &Up,
        data: &DataDir,
        counted: Counted,
        gates: impl IntoIterator<Item = (&'static str, Gate)>,
    ) -> Result<Self> {
        let auditor = auditor(arguments, data)?;
        let audit = auditor.as_ref().map(|a| a.log().clone());
        let mut metrics = Metrics::new(config.registry.clone(), env!("CARGO_PKG_VERSION"))
            .with_store(config.store.clone())
            .with_authorizers(counted.authorizers)
            .with_pod_security(counted.pod_security)
            .with_section(Arc::new(move |text| counted.scheduling.write(text)));
        if let Some(log) = &audit {
            metrics = metrics.with_audit(log.clone());
        }
        let metrics = Arc::new(metrics);
        let mut health = Health::new();
        for (name, gate) in gates {
            health = health.gate(name, gate);
        }
        let stopping = health.shutdown();
        config.authenticator = Arc::new(metrics.counted(config.authenticator.clone()));
        config.store = Arc::new(metrics.counted_store(config.store.clone()));
        config.telemetry = metrics.clone();
        config.endpoints.push(Arc::new(MetricsPage(metrics)));
        config.endpoints.push(Arc::new(health));
        config.auditor = auditor;
        Ok(Self { stopping, audit })
    }

    /// The cluster begins to stop: it is not ready any more.
    pub(crate) fn stopping(&self) {
        self.stopping.open();
    }

    /// The cluster has stopped: what is still to be written is written.
    pub(crate) fn stopped(&self) {
        if let Some(log) = &self.audit {
            log.close();
        }
    }
}

fn auditor(arguments: &Up, data: &DataDir) -> Result<Option<Auditor>> {
    let path = match &arguments.audit_log {
        Some(path) if path == Path::new("off") => return Ok(None),
        Some(path) => path.clone(),
        None => data.audit_log(),
    };
    let policy = match &arguments.audit_policy {
        Some(file) => {
            let text = std::fs::read(file)
                .with_context(|| format!("cannot read the audit policy {}", file.display()))?;
            Policy::parse(&text).with_context(|| file.display().to_string())?
        }
        None => Policy::secure_default(),
    };
    let clock: audit::Clock = Arc::new(auditing::now);
    let log = Log::open(LogOptions::new(path), clock.clone())?;
    Ok(Some(Auditor::new(policy, Arc::new(log), clock)))
}
