//! The configuration file of admission plugins, upstream's `AdmissionConfiguration`.

use admission::{PodSecurityConfig, QuotaConfig};
use anyhow::{Context, Result, bail};
use model::decode::{Format, decode};
use model::{Value, meta};
use std::path::Path;

/// Versions of `AdmissionConfiguration`.
const VERSIONS: [&str; 3] = [
    "apiserver.config.k8s.io/v1",
    "apiserver.k8s.io/v1alpha1",
    "apiserver.config.k8s.io/v1alpha1",
];

/// What the file says of the plugins that can be told something.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    /// Of `PodSecurity`, if it does.
    pub(super) security: Option<PodSecurityConfig>,
    /// Of `ResourceQuota`, if it does.
    pub(super) quota: Option<QuotaConfig>,
}

impl Configuration {
    /// Reads the file, and those that it names.
    ///
    /// # Errors
    ///
    /// Another kind of file, fields that there are not, plugins that take no configuration or stand
    /// twice, and configurations that their plugin cannot use.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let shown = file.display().to_string();
        let whole = document(file)?;
        if meta::text(&whole, &["kind"]) != "AdmissionConfiguration"
            || !VERSIONS.contains(&meta::text(&whole, &["apiVersion"]))
        {
            bail!("{shown}: not an AdmissionConfiguration of {}", VERSIONS[0]);
        }
        known_fields(&whole, &["kind", "apiVersion", "plugins"]).context(shown.clone())?;
        let plugins = match whole.get("plugins") {
            None | Some(Value::Null) => &[],
            Some(Value::Array(plugins)) => plugins.as_slice(),
            Some(_) => bail!("{shown}: plugins must be a list"),
        };
        let mut all = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        for plugin in plugins {
            known_fields(plugin, &["name", "path", "configuration"]).context(shown.clone())?;
            let name = meta::text(plugin, &["name"]);
            if !matches!(name, "PodSecurity" | "ResourceQuota") {
                bail!(
                    "{shown}: plugin {name:?} takes no configuration; PodSecurity and ResourceQuota do"
                );
            }
            if seen.contains(&name) {
                bail!("{shown}: {name} is configured twice");
            }
            seen.push(name);
            let Some((config, place)) = of_plugin(plugin, file)? else {
                continue;
            };
            if name == "PodSecurity" {
                let read = PodSecurityConfig::from_value(&config);
                all.security = Some(read.with_context(|| format!("{place}: {name}"))?);
            } else {
                let read = QuotaConfig::from_value(&config);
                all.quota = Some(read.with_context(|| format!("{place}: {name}"))?);
            }
        }
        Ok(all)
    }
}

/// The configuration of one plugin, in the file itself or in one of its own, and where it stands.
fn of_plugin(plugin: &Value, file: &Path) -> Result<Option<(Value, String)>> {
    let own = plugin.get("configuration").filter(|own| !own.is_null());
    if let Some(own) = own {
        return Ok(Some((own.clone(), file.display().to_string())));
    }
    let path = meta::text(plugin, &["path"]);
    if path.is_empty() {
        return Ok(None);
    }
    let path = file.parent().unwrap_or(Path::new("")).join(path);
    Ok(Some((document(&path)?, path.display().to_string())))
}

fn known_fields(value: &Value, known: &[&str]) -> Result<()> {
    let Some(map) = value.as_object() else {
        bail!("an object is wanted where {value} stands");
    };
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => bail!("unknown field {key:?}"),
        None => Ok(()),
    }
}

fn document(file: &Path) -> Result<Value> {
    let shown = file.display();
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {shown}"))?;
    let decoded = decode(&bytes, Format::Yaml).with_context(|| shown.to_string())?;
    match decoded.strict_errors.first() {
        Some(error) => bail!("{shown}: {error}"),
        None => Ok(decoded.value),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "these are tests")]

    use super::*;

    fn read(text: &str) -> Result<Configuration> {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("admission.yaml");
        std::fs::write(&file, text).expect("written");
        std::fs::write(
            dir.path().join("quota.yaml"),
            "kind: ResourceQuotaConfiguration\napiVersion: apiserver.config.k8s.io/v1\n\
             limitedResources: [{resource: pods, matchContains: [cpu]}]\n",
        )
        .expect("written");
        Configuration::read(&file)
    }

    const HEAD: &str = "kind: AdmissionConfiguration\napiVersion: apiserver.config.k8s.io/v1\n";

    #[test]
    fn configurations_stand_in_the_file_or_beside_it() {
        let all = read(&format!(
            "{HEAD}plugins:\n- {{name: ResourceQuota, path: quota.yaml}}\n- name: PodSecurity\n  \
             configuration: {{kind: PodSecurityConfiguration, apiVersion: \
             pod-security.admission.config.k8s.io/v1, defaults: {{enforce: restricted}}}}\n"
        ))
        .expect("read");
        let limited = all.quota.expect("configured").limited;
        assert_eq!(limited.len(), 1);
        assert_eq!(limited.first().map(|l| l.plural.as_str()), Some("pods"));
        let enforce = all.security.expect("configured").defaults.enforce;
        assert_eq!(enforce.to_string(), "restricted:latest");
        let none = read(HEAD).expect("read");
        assert!(none.quota.is_none() && none.security.is_none());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (rest, want) in [
            ("plugins: 3\n", "plugins must be a list"),
            ("plugin: []\n", "unknown field \"plugin\""),
            (
                "plugins: [{name: LimitRanger}]\n",
                "plugin \"LimitRanger\" takes no configuration",
            ),
            (
                "plugins: [{name: ResourceQuota}, {name: ResourceQuota}]\n",
                "ResourceQuota is configured twice",
            ),
            (
                "plugins: [{name: ResourceQuota, path: missing.yaml}]\n",
                "cannot read",
            ),
            (
                "plugins: [{name: ResourceQuota, configuration: {kind: Configuration, apiVersion: \
                 resourcequota.admission.k8s.io/v1, limitedResources: [{}]}}]\n",
                "limitedResources[0].resource: Required value",
            ),
            (
                "plugins: [{name: ResourceQuota, configuration: {kind: X}}]\n",
                "no kind \"X\" is registered",
            ),
        ] {
            let error = read(&format!("{HEAD}{rest}")).expect_err(rest);
            let said = format!("{error:#}");
            assert!(said.contains(want), "{rest}: {said}");
        }
    }
}
