//! An image's configuration file.

use node_api::{Error, Image, ImageConfig, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What is read of the file.
#[derive(Debug, Deserialize)]
pub(crate) struct ConfigFile {
    #[serde(default)]
    os: String,
    #[serde(default)]
    config: Option<Settings>,
    rootfs: RootFs,
}

#[derive(Debug, Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

/// Docker writes `null` where a list is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Settings {
    user: Option<String>,
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    working_dir: Option<String>,
    stop_signal: Option<String>,
    volumes: Option<BTreeMap<String, serde_json::Value>>,
    exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
    labels: Option<BTreeMap<String, Option<String>>>,
}

/// Reads a configuration file.
pub(crate) fn parse(bytes: &[u8]) -> Result<ConfigFile> {
    let file: ConfigFile = serde_json::from_slice(bytes)
        .map_err(|error| Error::Invalid(format!("the image's configuration: {error}")))?;
    if !file.os.is_empty() && file.os != "linux" {
        return Err(Error::Invalid(format!("the image is for {}", file.os)));
    }
    Ok(file)
}

impl ConfigFile {
    /// The digests of the unpacked layers, lowest first.
    pub(crate) fn diffs(&self) -> &[String] {
        &self.rootfs.diff_ids
    }

    /// The image that it describes, with these names.
    pub(crate) fn image(self, id: String, names: Vec<String>, digests: Vec<String>) -> Image {
        let settings = self.config.unwrap_or_default();
        Image {
            id,
            names,
            digests,
            size: 0,
            config: ImageConfig {
                user: settings.user.unwrap_or_default(),
                env: settings.env.unwrap_or_default(),
                entrypoint: settings.entrypoint.unwrap_or_default(),
                cmd: settings.cmd.unwrap_or_default(),
                working_dir: settings.working_dir.unwrap_or_default(),
                stop_signal: settings.stop_signal.unwrap_or_default(),
                volumes: settings.volumes.unwrap_or_default().into_keys().collect(),
                exposed_ports: settings
                    .exposed_ports
                    .unwrap_or_default()
                    .into_keys()
                    .collect(),
                labels: settings
                    .labels
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(name, value)| (name, value.unwrap_or_default()))
                    .collect(),
            },
            used_at: 0,
        }
    }
}
