//! The configuration file.

use super::suppression::Suppression;
use crate::checks::{self, Check};
use crate::finding::{Finding, Severity};
use model::decode::{DecodeError, Format, decode};
use serde::Deserialize;
use snapshot::{PodTemplatePath, PodTemplatePathError};
use std::collections::BTreeMap;

/// What is configured of a check.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckConfig {
    /// Whether it runs.
    pub enabled: Option<bool>,
    /// How bad its findings are, whatever the case.
    pub severity: Option<Severity>,
    /// Its parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, Vec<String>>,
}

/// The configuration file of the audit.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Checks by ID.
    #[serde(default)]
    pub checks: BTreeMap<String, CheckConfig>,
    /// Checks that run alone, if any are named.
    #[serde(default)]
    pub only: Vec<String>,
    /// What is excused.
    #[serde(default)]
    pub suppressions: Vec<Suppression>,
    /// How bad a finding must be for exit status 1.
    pub fail_on: Option<Severity>,
    /// Where custom kinds keep pod templates: known before anything is read.
    #[serde(default)]
    pub pod_templates: Vec<PodTemplatePath>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is no YAML.
    #[error("it is no YAML: {0}")]
    Unparsable(DecodeError),
    /// It has no such form.
    #[error("{0}")]
    Malformed(serde_json::Error),
    /// There is no such check.
    #[error("there is no check {0:?} (`rampart audit --list-checks` lists them)")]
    UnknownCheck(String),
    /// The check has no such parameter.
    #[error("{check} has no parameter {parameter:?}{known}")]
    UnknownParameter {
        /// The check.
        check: &'static str,
        /// What was configured.
        parameter: String,
        /// What it has, in words.
        known: String,
    },
    /// A path of pod templates cannot be one.
    #[error("podTemplates: {0}")]
    PodTemplate(#[from] PodTemplatePathError),
    /// A suppression gives no reason.
    #[error("suppression {0} of {1} gives no reason")]
    NoReason(usize, String),
}

impl Config {
    /// Reads a configuration file: YAML, of which JSON is a part. An empty one configures
    /// nothing.
    pub fn parse(text: &[u8]) -> Result<Self, ConfigError> {
        let decoded = decode(text, Format::Yaml).map_err(ConfigError::Unparsable)?;
        if decoded.value.is_null() {
            return Ok(Self::default());
        }
        serde_json::from_value(decoded.value).map_err(ConfigError::Malformed)
    }

    /// Makes settings of it: finds the checks that it names.
    pub fn settings(self) -> Result<Settings, ConfigError> {
        let find =
            |id: &str| checks::find(id).ok_or_else(|| ConfigError::UnknownCheck(id.to_owned()));
        let mut configured = BTreeMap::new();
        for (id, config) in self.checks {
            let check = find(&id)?;
            for name in config.parameters.keys() {
                if !check.parameters.iter().any(|p| p.name == name) {
                    let known: Vec<&str> = check.parameters.iter().map(|p| p.name).collect();
                    let known = if known.is_empty() {
                        ": it has none".to_owned()
                    } else {
                        format!(": it has {}", known.join(", "))
                    };
                    return Err(ConfigError::UnknownParameter {
                        check: check.id,
                        parameter: name.clone(),
                        known,
                    });
                }
            }
            configured.insert(check.id, config);
        }
        for path in &self.pod_templates {
            path.check()?;
        }
        let mut only = Vec::new();
        for id in &self.only {
            only.push(find(id)?.id);
        }
        for (index, suppression) in self.suppressions.iter().enumerate() {
            if suppression.check != "*" {
                find(&suppression.check)?;
            }
            if suppression.reason.trim().is_empty() {
                return Err(ConfigError::NoReason(index, suppression.check.clone()));
            }
        }
        Ok(Settings {
            configured,
            only,
            suppressions: self.suppressions,
            fail_on: self.fail_on.unwrap_or(Severity::High),
            pod_templates: self.pod_templates,
            none: BTreeMap::new(),
        })
    }
}

/// A configuration whose checks were found.
#[derive(Debug)]
pub struct Settings {
    configured: BTreeMap<&'static str, CheckConfig>,
    only: Vec<&'static str>,
    pub(super) suppressions: Vec<Suppression>,
    /// How bad a finding must be for exit status 1.
    pub fail_on: Severity,
    /// Where custom kinds keep pod templates.
    pub pod_templates: Vec<PodTemplatePath>,
    none: BTreeMap<String, Vec<String>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            configured: BTreeMap::new(),
            only: Vec::new(),
            suppressions: Vec::new(),
            fail_on: Severity::High,
            pod_templates: Vec::new(),
            none: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Whether a check runs.
    pub fn is_enabled(&self, check: &Check) -> bool {
        if !self.only.is_empty() && !self.only.contains(&check.id) {
            return false;
        }
        let config = self.configured.get(check.id);
        config.and_then(|c| c.enabled).unwrap_or(true)
    }

    pub(super) fn parameters(&self, check: &Check) -> &BTreeMap<String, Vec<String>> {
        let config = self.configured.get(check.id);
        config.map_or(&self.none, |c| &c.parameters)
    }

    /// Gives a finding the severity that is configured.
    pub(super) fn adjust(&self, finding: &mut Finding<'_>) {
        let config = self.configured.get(finding.check.id);
        if let Some(severity) = config.and_then(|c| c.severity) {
            finding.severity = severity;
        }
    }
}
