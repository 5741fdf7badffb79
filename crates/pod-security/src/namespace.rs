//! What the labels of a namespace ask for.

use crate::level::{Level, LevelVersion, Version};
use model::field::{ErrorList, FieldError, Path};
use std::fmt::Display;

/// The labels by which a namespace says what it asks of its pods, and the keys of annotations of
/// audit events.
pub mod labels {
    /// The level that pods are refused by.
    pub const ENFORCE: &str = "pod-security.kubernetes.io/enforce";
    /// The version of that level.
    pub const ENFORCE_VERSION: &str = "pod-security.kubernetes.io/enforce-version";
    /// The level whose violations go to the audit log.
    pub const AUDIT: &str = "pod-security.kubernetes.io/audit";
    /// The version of that level.
    pub const AUDIT_VERSION: &str = "pod-security.kubernetes.io/audit-version";
    /// The level whose violations users are warned of.
    pub const WARN: &str = "pod-security.kubernetes.io/warn";
    /// The version of that level.
    pub const WARN_VERSION: &str = "pod-security.kubernetes.io/warn-version";
}

/// What a namespace asks of its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamespacePolicy {
    /// What pods are refused by.
    pub enforce: LevelVersion,
    /// What goes to the audit log.
    pub audit: LevelVersion,
    /// What users are warned of.
    pub warn: LevelVersion,
}

impl NamespacePolicy {
    /// The same for all three.
    pub const fn all(level: Level, version: Version) -> Self {
        let both = LevelVersion::new(level, version);
        Self {
            enforce: both,
            audit: both,
            warn: both,
        }
    }

    /// What the labels of a namespace ask for, and `self` where they say nothing. Upstream's rules
    /// hold for labels that make no sense: an unreadable version is the latest, an unreadable level
    /// to enforce is restricted, an unreadable level to audit or to warn of is privileged. An
    /// enforced level that is stricter than what is warned of by default is warned of too.
    ///
    /// The errors are what the API server answers to a change of such a namespace.
    pub fn with_labels<'a>(mut self, label: impl Fn(&str) -> Option<&'a str>) -> (Self, ErrorList) {
        let mut errors = ErrorList::new();
        let at = |key: &str| Path::new("metadata").child("labels").key(key);
        let mut fail = |key: &str, value: &str, why: &dyn Display| {
            errors.push(FieldError::invalid(&at(key), value, why.to_string()));
        };
        let mut enforces = false;
        for (key, mode, on_error) in [
            (labels::ENFORCE, &mut self.enforce, Level::Restricted),
            (labels::AUDIT, &mut self.audit, Level::Privileged),
            (labels::WARN, &mut self.warn, Level::Privileged),
        ] {
            if let Some(value) = label(key) {
                let parsed = value.parse::<Level>();
                enforces |= key == labels::ENFORCE && parsed.is_ok();
                mode.level = parsed.unwrap_or_else(|why| {
                    fail(key, value, &why);
                    on_error
                });
            }
            let key = match key {
                labels::ENFORCE => labels::ENFORCE_VERSION,
                labels::AUDIT => labels::AUDIT_VERSION,
                _ => labels::WARN_VERSION,
            };
            if let Some(value) = label(key) {
                mode.version = value.parse::<Version>().unwrap_or_else(|why| {
                    fail(key, value, &why);
                    Version::Latest
                });
            }
        }
        let warned = label(labels::WARN).is_some();
        if enforces && !warned && self.enforce.level > self.warn.level {
            self.warn.level = self.enforce.level;
            if label(labels::WARN_VERSION).is_none() {
                self.warn.version = self.enforce.version;
            }
        }
        (self, errors)
    }

    /// Whether no pod is refused, noted or warned of.
    pub fn is_privileged(&self) -> bool {
        [self.enforce, self.audit, self.warn]
            .iter()
            .all(|mode| mode.level == Level::Privileged)
    }

    /// Whether both ask for the same.
    pub fn is_equivalent(&self, other: &Self) -> bool {
        self.enforce.is_equivalent(other.enforce)
            && self.audit.is_equivalent(other.audit)
            && self.warn.is_equivalent(other.warn)
    }
}

impl Default for NamespacePolicy {
    /// Upstream's: privileged, latest.
    fn default() -> Self {
        Self::all(Level::Privileged, Version::Latest)
    }
}

#[cfg(test)]
mod tests;
