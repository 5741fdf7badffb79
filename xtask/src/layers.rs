//! The layer check: what `docs/architecture.md` draws, held against `cargo metadata`.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// The layer of every crate. A crate that is not listed fails the check, so that a new one is
/// placed on purpose.
const LAYERS: &[(u8, &[&str])] = &[
    (0, &["model"]),
    (
        1,
        &[
            "rbac",
            "pod-security",
            "pod-resources",
            "scheduling",
            "network-policy",
            "manifest-edit",
            "metrics",
        ],
    ),
    (
        2,
        &[
            "storage-api",
            "cluster-api",
            "node-api",
            "admission",
            "reconcile",
            "node-plan",
            "snapshot",
            "analysis",
        ],
    ),
    (
        3,
        &[
            "api-server",
            "identity",
            "audit",
            "controllers",
            "scheduler",
            "node-agent",
            "node-linux",
            "inputs",
            "api-client",
            "storage-embedded",
            "storage-encryption",
        ],
    ),
    (4, &["rampart"]),
];

/// Dependencies within one layer, each with the reason why a plan needs a plan.
const SAME_LAYER: &[(&str, &str, &str)] = &[
    (
        "scheduling",
        "pod-resources",
        "placement asks what a pod requests",
    ),
    ("analysis", "snapshot", "every analysis reads a snapshot"),
    (
        "api-server",
        "identity",
        "the request pipeline starts with the authenticator chain",
    ),
    (
        "api-server",
        "audit",
        "the request pipeline is wrapped by the audit event",
    ),
];

/// Crates that stand outside the layers: only tests, benches and tasks may use them.
const OUTSIDE: &[&str] = &[
    "generators",
    "reference-models",
    "conformance",
    "load",
    "xtask",
];

/// What the inner layers (0 to 2) must not reach, even indirectly.
const IMPURE: &[&str] = &[
    "tokio",
    "hyper",
    "nix",
    "rustix",
    "mio",
    "socket2",
    "tracing-subscriber",
];

/// Where `anyhow` is allowed.
const ANYHOW: &[&str] = &["rampart", "xtask", "conformance", "load"];

/// Where `unsafe` may ever be allowed.
const UNSAFE: &[&str] = &["node-linux"];

/// Checks the workspace; the error lists every violation.
pub(crate) fn check() -> Result<()> {
    let metadata = metadata()?;
    let members = members(&metadata)?;
    let layer = |name: &str| {
        LAYERS
            .iter()
            .find(|(_, names)| names.contains(&name))
            .map(|(layer, _)| *layer)
    };
    let mut violations = Vec::new();
    for (name, package) in &members {
        let outside = OUTSIDE.contains(&name.as_str());
        let own = layer(name);
        if own.is_none() && !outside {
            violations.push(format!(
                "{name}: belongs to no layer; place it in xtask/src/layers.rs"
            ));
            continue;
        }
        for dependency in direct(package) {
            if dependency == "anyhow" && !ANYHOW.contains(&name.as_str()) {
                violations.push(format!("{name}: anyhow is for the outermost crates only"));
            }
            if !outside && OUTSIDE.contains(&dependency.as_str()) {
                violations.push(format!("{name} -> {dependency}: only tests may use it"));
            }
            let (Some(own), Some(other)) = (own, layer(&dependency)) else {
                continue;
            };
            let excused = SAME_LAYER
                .iter()
                .any(|(a, b, _)| (*a, *b) == (name.as_str(), &*dependency));
            if other > own || (other == own && !excused) {
                violations.push(format!(
                    "{name} (layer {own}) -> {dependency} (layer {other}): must point inward"
                ));
            }
        }
        violations.extend(lints(name, package)?);
        if own.is_some_and(|layer| layer <= 2) {
            violations.extend(purity(name, package, &metadata)?);
        }
    }
    if violations.is_empty() {
        println!(
            "layers: {} crates, all dependencies point inward",
            members.len()
        );
        return Ok(());
    }
    bail!("layer check failed:\n  {}", violations.join("\n  "))
}

fn metadata() -> Result<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .context("cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn members(metadata: &Value) -> Result<BTreeMap<String, &Value>> {
    let ids: BTreeSet<_> = list(metadata, "workspace_members")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let members: BTreeMap<_, _> = list(metadata, "packages")
        .iter()
        .filter(|p| ids.contains(text(p, "id")))
        .map(|p| (text(p, "name").to_owned(), p))
        .collect();
    if members.is_empty() {
        bail!("cargo metadata lists no workspace members");
    }
    Ok(members)
}

/// Names of normal and build dependencies; tests may depend on anything.
fn direct(package: &Value) -> BTreeSet<String> {
    list(package, "dependencies")
        .iter()
        .filter(|d| text(d, "kind") != "dev")
        .map(|d| text(d, "name").to_owned())
        .collect()
}

/// Every crate takes the workspace's lints, which forbid `unsafe`.
fn lints(name: &str, package: &Value) -> Result<Vec<String>> {
    let manifest = std::fs::read_to_string(text(package, "manifest_path"))?;
    let inherits = manifest
        .split("[lints]")
        .nth(1)
        .is_some_and(|rest| rest.trim_start().starts_with("workspace = true"));
    Ok(if inherits || UNSAFE.contains(&name) {
        Vec::new()
    } else {
        vec![format!(
            "{name}: Cargo.toml must end with [lints] workspace = true"
        )]
    })
}

/// An inner crate reaches no runtime, socket or log, and its clippy.toml bans clock, environment
/// and files.
fn purity(name: &str, package: &Value, metadata: &Value) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    let manifest = Path::new(text(package, "manifest_path"));
    let root = Path::new(text(metadata, "workspace_root"));
    let own = manifest.with_file_name("clippy.toml");
    let shared = std::fs::read_to_string(root.join("clippy-pure.toml"))?;
    if std::fs::read_to_string(&own).ok().as_deref() != Some(shared.as_str()) {
        violations.push(format!(
            "{name}: clippy.toml must be a link to clippy-pure.toml"
        ));
    }
    let nodes: BTreeMap<_, _> = metadata
        .get("resolve")
        .map_or(&[][..], |r| list(r, "nodes"))
        .iter()
        .map(|node| (text(node, "id"), node))
        .collect();
    let mut seen = BTreeSet::new();
    let mut open = vec![text(package, "id")];
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let Some(node) = nodes.get(id) else { continue };
        for dependency in list(node, "deps") {
            let normal = list(dependency, "dep_kinds")
                .iter()
                .any(|k| text(k, "kind").is_empty());
            if normal {
                let crate_name = text(dependency, "name").replace('_', "-");
                if IMPURE.contains(&crate_name.as_str()) {
                    violations.push(format!(
                        "{name}: reaches {crate_name}, the inner layers are pure"
                    ));
                }
                open.push(text(dependency, "pkg"));
            }
        }
    }
    violations.dedup();
    Ok(violations)
}
