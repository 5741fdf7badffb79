//! The plugin's configuration: what namespaces without labels get, and what is exempt.

use model::{Map, Value, meta};
use pod_security::{Level, LevelVersion, NamespacePolicy, Version};
use std::collections::BTreeSet;

const GROUP: &str = "pod-security.admission.config.k8s.io";
const VERSIONS: [&str; 3] = ["v1", "v1beta1", "v1alpha1"];

/// Who is not held to any policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exemptions {
    /// Names of users.
    pub usernames: BTreeSet<String>,
    /// Namespaces.
    pub namespaces: BTreeSet<String>,
    /// Runtime classes of pods.
    pub runtime_classes: BTreeSet<String>,
}

impl Exemptions {
    pub(super) fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.contains(name)
    }

    pub(super) fn has_user(&self, name: &str) -> bool {
        self.usernames.contains(name)
    }

    pub(super) fn has_runtime_class(&self, name: &str) -> bool {
        self.runtime_classes.contains(name)
    }
}

/// What the plugin is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodSecurityConfig {
    /// What holds where a namespace has no labels.
    pub defaults: NamespacePolicy,
    /// Who is exempt.
    pub exemptions: Exemptions,
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is no `PodSecurityConfiguration` of a version that is known.
    #[error("no kind {kind:?} is registered for version {version:?}")]
    Kind {
        /// Its `kind`.
        kind: String,
        /// Its `apiVersion`.
        version: String,
    },
    /// There is a field that there is not in this version.
    #[error("unknown field {0:?}")]
    UnknownField(String),
    /// A field has a value that it cannot have.
    #[error("{field}: Invalid value: {value}: {why}")]
    Invalid {
        /// The path of the field.
        field: String,
        /// The value.
        value: Value,
        /// What is wrong with it.
        why: String,
    },
}

impl PodSecurityConfig {
    /// Rampart's own, where upstream's is privileged throughout: pods are refused by `enforced`, and
    /// users warned (and the audit log told) of what is not restricted, unless nothing is enforced.
    /// The namespace of the cluster's own parts is exempt.
    pub fn enforcing(enforced: Level) -> Self {
        let mut defaults = match enforced {
            Level::Privileged => NamespacePolicy::default(),
            _ => NamespacePolicy::all(Level::Restricted, Version::Latest),
        };
        defaults.enforce = LevelVersion::new(enforced, Version::Latest);
        Self {
            defaults,
            exemptions: Exemptions {
                namespaces: BTreeSet::from(["kube-system".to_owned()]),
                ..Exemptions::default()
            },
        }
    }

    /// Reads upstream's `PodSecurityConfiguration`, in any of its versions. What it does not say is
    /// privileged, latest, and not exempt.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it: another kind, unknown fields, levels and versions
    /// that there are not, exemptions that are empty, doubled or no possible names.
    pub fn from_value(config: &Value) -> Result<Self, ConfigError> {
        let (kind, version) = (
            meta::text(config, &["kind"]),
            meta::text(config, &["apiVersion"]),
        );
        let known = version
            .strip_prefix(GROUP)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|v| VERSIONS.contains(&v));
        if kind != "PodSecurityConfiguration" || !known {
            return Err(ConfigError::Kind {
                kind: kind.to_owned(),
                version: version.to_owned(),
            });
        }
        fields(
            config,
            "",
            &["kind", "apiVersion", "defaults", "exemptions"],
        )?;
        let mut read = Self {
            defaults: NamespacePolicy::default(),
            exemptions: Exemptions::default(),
        };
        let modes = [
            ("enforce", "enforce-version", &mut read.defaults.enforce),
            ("audit", "audit-version", &mut read.defaults.audit),
            ("warn", "warn-version", &mut read.defaults.warn),
        ];
        let names: Vec<&str> = modes.iter().flat_map(|(l, v, _)| [*l, *v]).collect();
        let defaults = config.get("defaults").unwrap_or(&Value::Null);
        fields(defaults, "defaults.", &names)?;
        for (level, version, mode) in modes {
            if let Some(level) = parsed::<Level>(defaults, level)? {
                mode.level = level;
            }
            if let Some(version) = parsed::<Version>(defaults, version)? {
                mode.version = version;
            }
        }
        let exemptions = config.get("exemptions").unwrap_or(&Value::Null);
        let lists = [
            ("usernames", &mut read.exemptions.usernames, false),
            ("namespaces", &mut read.exemptions.namespaces, true),
            (
                "runtimeClasses",
                &mut read.exemptions.runtime_classes,
                false,
            ),
        ];
        let names: Vec<&str> = lists.iter().map(|(name, ..)| *name).collect();
        fields(exemptions, "exemptions.", &names)?;
        for (name, list, is_label) in lists {
            *list = exempt(exemptions, name, is_label)?;
        }
        Ok(read)
    }
}

fn fields(value: &Value, at: &str, known: &[&str]) -> Result<(), ConfigError> {
    let empty = Map::new();
    let map = match value {
        Value::Null => &empty,
        Value::Object(map) => map,
        other => {
            return Err(ConfigError::Invalid {
                field: at.trim_end_matches('.').to_owned(),
                value: other.clone(),
                why: "must be an object".to_owned(),
            });
        }
    };
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(ConfigError::UnknownField(format!("{at}{key}"))),
        None => Ok(()),
    }
}

fn parsed<T: std::str::FromStr>(defaults: &Value, key: &str) -> Result<Option<T>, ConfigError>
where
    T::Err: std::fmt::Display,
{
    let invalid = |value: &Value, why: String| ConfigError::Invalid {
        field: format!("defaults.{key}"),
        value: value.clone(),
        why,
    };
    match defaults.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(value @ Value::String(text)) => text
            .parse()
            .map(Some)
            .map_err(|why: T::Err| invalid(value, why.to_string())),
        Some(other) => Err(invalid(other, "must be a string".to_owned())),
    }
}

fn exempt(exemptions: &Value, name: &str, is_label: bool) -> Result<BTreeSet<String>, ConfigError> {
    let mut all = BTreeSet::new();
    for (index, value) in meta::list(exemptions, &[name]).iter().enumerate() {
        let invalid = |why: &str| ConfigError::Invalid {
            field: format!("exemptions.{name}[{index}]"),
            value: value.clone(),
            why: why.to_owned(),
        };
        let text = value.as_str().ok_or_else(|| invalid("must be a string"))?;
        let is_dns = !text.is_empty()
            && text.len() <= 63
            && !text.starts_with('-')
            && !text.ends_with('-')
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if text.is_empty() {
            return Err(invalid("must not be empty"));
        }
        if is_label && !is_dns {
            return Err(invalid("must be the name of a namespace"));
        }
        if !all.insert(text.to_owned()) {
            return Err(invalid("is there twice"));
        }
    }
    Ok(all)
}
