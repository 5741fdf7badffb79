//! `/healthz`, `/livez` and `/readyz`, in upstream's format: a word, or with `?verbose` a line per
//! check; each check has a path of its own, and `?exclude=` leaves checks out.

use crate::plugin::{Endpoint, EndpointRequest, EndpointResponse, Services};
use futures::future::{BoxFuture, ready};
use model::status::Status;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A check that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(2);

type Run = dyn for<'a> Fn(&'a Services) -> BoxFuture<'a, Result<(), String>> + Send + Sync;

struct Check {
    name: String,
    /// Whether a failure means that the process should be started again.
    vital: bool,
    run: Box<Run>,
}

/// The health of the server: its checks, and what it answers about them.
pub struct Health {
    checks: Vec<Check>,
    shutdown: Gate,
}

/// Something that has not happened yet. It is part of readiness until it has.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    /// It has happened.
    pub fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// The checks that every server has: `ping` (it answers at all), `etcd` (the store answers and
    /// the cache has what it holds; the name is upstream's, whatever the store is) and, for
    /// readiness, `shutdown`.
    pub fn new() -> Self {
        let shutdown = Gate::default();
        let stopping = shutdown.clone();
        let health = Self {
            checks: Vec::new(),
            shutdown,
        };
        health
            .check("ping", true, |_| Box::pin(ready(Ok(()))))
            .check("etcd", true, |services| {
                Box::pin(async move {
                    let fresh = services.cache.fresh().await;
                    fresh.map(drop).map_err(|e| e.to_string())
                })
            })
            .check("shutdown", false, move |_| {
                Box::pin(ready(if stopping.is_open() {
                    Err("process is shutting down".to_owned())
                } else {
                    Ok(())
                }))
            })
    }

    /// Adds a check. A vital one is part of `/livez` too: when it fails, a supervisor starts the
    /// process again.
    #[must_use]
    pub fn check(
        mut self,
        name: impl Into<String>,
        vital: bool,
        run: impl for<'a> Fn(&'a Services) -> BoxFuture<'a, Result<(), String>> + Send + Sync + 'static,
    ) -> Self {
        self.checks.push(Check {
            name: name.into(),
            vital,
            run: Box::new(run),
        });
        self
    }

    /// Adds something that must have happened before the server is ready, such as
    /// `poststarthook/rbac/bootstrap-roles`.
    #[must_use]
    pub fn gate(self, name: impl Into<String>, gate: Gate) -> Self {
        self.check(name, false, move |_| {
            Box::pin(ready(if gate.is_open() {
                Ok(())
            } else {
                Err("not finished".to_owned())
            }))
        })
    }

    /// To be opened when the server begins to stop: it is not ready from then on.
    pub fn shutdown(&self) -> Gate {
        self.shutdown.clone()
    }

    /// The checks behind a path's first part.
    fn of(&self, root: &str) -> Option<Vec<&Check>> {
        let vital_only = match root {
            "livez" => true,
            "readyz" | "healthz" => false,
            _ => return None,
        };
        let checks = self.checks.iter().filter(|c| {
            // As upstream, stopping is no reason for `healthz` to fail.
            (c.vital || !vital_only) && !(root == "healthz" && c.name == "shutdown")
        });
        Some(checks.collect())
    }

    async fn answer(&self, request: EndpointRequest<'_>) -> Result<EndpointResponse, Status> {
        let path = request.path.trim_start_matches('/');
        let (root, name) = path.split_once('/').unwrap_or((path, ""));
        let checks = self.of(root).ok_or_else(Status::no_such_path)?;
        if name.is_empty() {
            return Ok(overall(root, &checks, &request).await);
        }
        let check = checks
            .into_iter()
            .find(|c| c.name == name)
            .ok_or_else(Status::no_such_path)?;
        Ok(match examine(check, request.services).await {
            Ok(()) => text(200, "ok".to_owned()),
            Err(why) => text(500, format!("internal server error: {why}\n")),
        })
    }
}

async fn examine(check: &Check, services: &Services) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, (check.run)(services)).await {
        Ok(outcome) => outcome,
        Err(_) => Err("timed out".to_owned()),
    }
}

async fn overall(root: &str, checks: &[&Check], request: &EndpointRequest<'_>) -> EndpointResponse {
    let mut excluded: Vec<&str> = request
        .query
        .all("exclude")
        .filter(|name| !name.is_empty())
        .collect();
    excluded.sort_unstable();
    excluded.dedup();
    let mut lines = String::new();
    let mut failed = Vec::new();
    for check in checks {
        let name = &check.name;
        let known = excluded.len();
        excluded.retain(|e| e != name);
        let line = if excluded.len() < known {
            writeln!(lines, "[+]{name} excluded: ok")
        } else {
            match examine(check, request.services).await {
                Ok(()) => writeln!(lines, "[+]{name} ok"),
                Err(why) => {
                    tracing::warn!(check = %name, %why, "a health check failed");
                    failed.push(name.as_str());
                    // Whoever may ask need not learn the inside of the server.
                    writeln!(lines, "[-]{name} failed: reason withheld")
                }
            }
        };
        // Writing to a String does not fail.
        let _ = line;
    }
    if !excluded.is_empty() {
        let names: Vec<String> = excluded.iter().map(|e| format!("\"{e}\"")).collect();
        lines.push_str(&format!(
            "warn: some health checks cannot be excluded: no matches for {}\n",
            names.join(", ")
        ));
    }
    if !failed.is_empty() {
        return text(500, format!("{lines}{root} check failed\n"));
    }
    if request.query.find("verbose").is_some() {
        return text(200, format!("{lines}{root} check passed\n"));
    }
    text(200, "ok".to_owned())
}

fn text(code: u16, body: String) -> EndpointResponse {
    EndpointResponse {
        code,
        content_type: "text/plain; charset=utf-8",
        body: body.into(),
        headers: vec![("x-content-type-options", "nosniff".to_owned())],
    }
}

impl Endpoint for Health {
    fn serves(&self, path: &str) -> bool {
        let path = path.trim_start_matches('/');
        let root = path.split_once('/').map_or(path, |(root, _)| root);
        matches!(root, "healthz" | "livez" | "readyz")
    }

    fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for root in ["healthz", "livez", "readyz"] {
            paths.push(format!("/{root}"));
            let checks = self.of(root).unwrap_or_default();
            paths.extend(checks.iter().map(|c| format!("/{root}/{}", c.name)));
        }
        paths
    }

    fn get<'a>(
        &'a self,
        request: EndpointRequest<'a>,
    ) -> BoxFuture<'a, Result<EndpointResponse, Status>> {
        Box::pin(self.answer(request))
    }
}

#[cfg(test)]
mod tests;
