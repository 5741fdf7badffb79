//! The plugin's configuration: what is limited even where there is no quota.

use model::{Map, Value, meta};
use pod_resources::quota::Limited;

const GROUP: &str = "resourcequota.admission.k8s.io";
const VERSIONS: [&str; 3] = ["v1", "v1beta1", "v1alpha1"];
/// Version 1 stands in the group of the server's own configuration too.
const SERVER_VERSION: &str = "apiserver.config.k8s.io/v1";

/// What the plugin is told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QuotaConfig {
    /// What may only be used if a quota speaks of it.
    pub limited: Vec<Limited>,
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuotaConfigError {
    /// It is no configuration of quotas of a version that is known.
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
    /// A rule does not say what it is about.
    #[error("{0}: Required value")]
    Required(String),
    /// A field has a value of another type.
    #[error("{0}: must be {1}")]
    Type(String, &'static str),
}

impl QuotaConfig {
    /// Reads upstream's configuration: `ResourceQuotaConfiguration` of `apiserver.config.k8s.io/v1`
    /// or `Configuration` of `resourcequota.admission.k8s.io`, in any of its versions.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it: another kind, unknown fields, fields of another type,
    /// rules without a resource.
    pub fn from_value(config: &Value) -> Result<Self, QuotaConfigError> {
        let text = |key| meta::text(config, &[key]);
        let (kind, version) = (text("kind"), text("apiVersion"));
        let own = version
            .strip_prefix(GROUP)
            .and_then(|rest| rest.strip_prefix('/'));
        let is_known = match kind {
            "Configuration" => own.is_some_and(|v| VERSIONS.contains(&v)),
            "ResourceQuotaConfiguration" => version == SERVER_VERSION,
            _ => false,
        };
        if !is_known {
            return Err(QuotaConfigError::Kind {
                kind: kind.to_owned(),
                version: version.to_owned(),
            });
        }
        fields(config, "", &["kind", "apiVersion", "limitedResources"])?;
        let rules = list(config, "", "limitedResources")?.iter().enumerate();
        let limited = rules
            .map(|(index, rule)| rule_at(rule, &format!("limitedResources[{index}].")))
            .collect::<Result<_, _>>()?;
        Ok(Self { limited })
    }
}

fn rule_at(rule: &Value, at: &str) -> Result<Limited, QuotaConfigError> {
    let known = ["apiGroup", "resource", "matchContains", "matchScopes"];
    fields(rule, at, &known)?;
    let plural = text(rule, at, "resource")?;
    if plural.is_empty() {
        return Err(QuotaConfigError::Required(format!("{at}resource")));
    }
    let scopes = list(rule, at, "matchScopes")?;
    for (index, scope) in scopes.iter().enumerate() {
        let at = format!("{at}matchScopes[{index}].");
        fields(scope, &at, &["scopeName", "operator", "values"])?;
        text(scope, &at, "scopeName")?;
        text(scope, &at, "operator")?;
        texts(scope, &at, "values")?;
    }
    Ok(Limited {
        group: text(rule, at, "apiGroup")?,
        plural,
        contains: texts(rule, at, "matchContains")?,
        scopes: scopes.to_vec(),
    })
}

fn fields(value: &Value, at: &str, known: &[&str]) -> Result<(), QuotaConfigError> {
    let Some(map) = value.as_object() else {
        let at = at.trim_end_matches('.').to_owned();
        return Err(QuotaConfigError::Type(at, "an object"));
    };
    let unknown = |map: &Map| map.keys().find(|k| !known.contains(&k.as_str())).cloned();
    match unknown(map) {
        Some(key) => Err(QuotaConfigError::UnknownField(format!("{at}{key}"))),
        None => Ok(()),
    }
}

fn text(value: &Value, at: &str, key: &str) -> Result<String, QuotaConfigError> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(QuotaConfigError::Type(format!("{at}{key}"), "a string")),
    }
}

fn list<'a>(value: &'a Value, at: &str, key: &str) -> Result<&'a [Value], QuotaConfigError> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(QuotaConfigError::Type(format!("{at}{key}"), "a list")),
    }
}

fn texts(value: &Value, at: &str, key: &str) -> Result<Vec<String>, QuotaConfigError> {
    let read = |item: &Value| item.as_str().map(str::to_owned);
    let all: Option<Vec<String>> = list(value, at, key)?.iter().map(read).collect();
    all.ok_or_else(|| QuotaConfigError::Type(format!("{at}{key}"), "a list of strings"))
}
