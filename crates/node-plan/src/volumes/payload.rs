//! The files of volumes that are made from objects: secrets, config maps, the downward API,
//! service account tokens, and several of them projected into one.

use super::{Inputs, VolumeError, tokens};
use crate::env::downward;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::validation::read::{get, int, is_true, list, text};
use model::{Value, meta};
use std::collections::BTreeMap;

/// The mode of files where the API server gave no default.
const DEFAULT_MODE: u32 = 0o644;

/// A file of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// What is in it.
    pub data: Vec<u8>,
    /// Its permission bits, before the pod's `fsGroup` is given its share.
    pub mode: u32,
    /// Its owner; `None` leaves it to the node's root.
    pub user: Option<u32>,
}

/// Files by their path in the volume.
pub type Payload = BTreeMap<String, File>;

/// The files of a `secret` volume.
pub(super) fn of_secret(inputs: &Inputs<'_>, source: &Value) -> Result<Payload, VolumeError> {
    secret(
        inputs,
        source,
        text(source, "secretName"),
        default_mode(source),
    )
}

/// The files of a `configMap` volume.
pub(super) fn of_config_map(inputs: &Inputs<'_>, source: &Value) -> Result<Payload, VolumeError> {
    config_map(inputs, source, default_mode(source))
}

/// The files of a `downwardAPI` volume.
pub(super) fn of_downward(inputs: &Inputs<'_>, source: &Value) -> Result<Payload, VolumeError> {
    downward_api(inputs, source, default_mode(source))
}

/// The files of a `projected` volume; sources that come later win. All that is wrong is said at
/// once.
pub(super) fn of_projected(inputs: &Inputs<'_>, source: &Value) -> Result<Payload, VolumeError> {
    let mode = default_mode(source);
    let mut payload = Payload::new();
    let mut errors = Vec::new();
    for projection in list(source, "sources") {
        let part = if let Some(source) = get(projection, "secret") {
            secret(inputs, source, text(source, "name"), mode)
        } else if let Some(source) = get(projection, "configMap") {
            config_map(inputs, source, mode)
        } else if let Some(source) = get(projection, "downwardAPI") {
            downward_api(inputs, source, mode)
        } else if let Some(source) = get(projection, "serviceAccountToken") {
            token(inputs, source, mode)
        } else if get(projection, "clusterTrustBundle").is_some() {
            Err(VolumeError::Unsupported("clusterTrustBundle".to_owned()))
        } else {
            continue;
        };
        match part {
            Ok(part) => payload.extend(part),
            Err(error) => errors.push(error),
        }
    }
    VolumeError::together(errors).map_or(Ok(payload), Err)
}

fn default_mode(source: &Value) -> u32 {
    mode(source, "defaultMode").unwrap_or(DEFAULT_MODE)
}

fn mode(value: &Value, key: &str) -> Option<u32> {
    int(value, key).and_then(|mode| u32::try_from(mode).ok())
}

fn secret(
    inputs: &Inputs<'_>,
    source: &Value,
    name: &str,
    default: u32,
) -> Result<Payload, VolumeError> {
    let optional = is_true(source, "optional");
    let Some(object) = inputs.secrets.get(name) else {
        return if optional {
            Ok(Payload::new())
        } else {
            Err(VolumeError::Secret(name.to_owned()))
        };
    };
    let data = binary(object, "data");
    select(source, data, default, optional, VolumeError::SecretKey)
}

fn config_map(inputs: &Inputs<'_>, source: &Value, default: u32) -> Result<Payload, VolumeError> {
    let name = text(source, "name");
    let optional = is_true(source, "optional");
    let Some(object) = inputs.config_maps.get(name) else {
        return if optional {
            Ok(Payload::new())
        } else {
            Err(VolumeError::ConfigMap(name.to_owned()))
        };
    };
    let mut data = binary(object, "binaryData");
    for (key, value) in meta::strings(object, &["data"]) {
        data.insert(key, value.as_bytes().to_vec());
    }
    select(source, data, default, optional, VolumeError::ConfigMapKey)
}

/// Base64 of the API is canonical, as it was decoded on the way in; what is not reads as empty.
fn binary<'a>(object: &'a Value, field: &str) -> BTreeMap<&'a str, Vec<u8>> {
    meta::strings(object, &[field])
        .into_iter()
        .map(|(key, value)| (key, STANDARD.decode(value).unwrap_or_default()))
        .collect()
}

/// All of the data under their keys, or the `items` that were asked for.
fn select(
    source: &Value,
    mut data: BTreeMap<&str, Vec<u8>>,
    default: u32,
    optional: bool,
    missing: impl Fn(String) -> VolumeError,
) -> Result<Payload, VolumeError> {
    let items = list(source, "items");
    let mut payload = Payload::new();
    if items.is_empty() {
        for (key, data) in std::mem::take(&mut data) {
            payload.insert(
                key.to_owned(),
                File {
                    data,
                    mode: default,
                    user: None,
                },
            );
        }
    }
    for item in items {
        let key = text(item, "key");
        match data.get(key) {
            Some(data) => {
                let file = File {
                    data: data.clone(),
                    mode: mode(item, "mode").unwrap_or(default),
                    user: None,
                };
                payload.insert(text(item, "path").to_owned(), file);
            }
            None if optional => {}
            None => return Err(missing(key.to_owned())),
        }
    }
    Ok(payload)
}

fn downward_api(inputs: &Inputs<'_>, source: &Value, default: u32) -> Result<Payload, VolumeError> {
    let mut payload = Payload::new();
    let mut errors = Vec::new();
    for item in list(source, "items") {
        let value = if let Some(field) = get(item, "fieldRef") {
            downward::metadata_field(text(field, "fieldPath"), inputs.pod)
        } else if let Some(resource) = get(item, "resourceFieldRef") {
            downward::file_resource(resource, inputs.pod, inputs.allocatable)
        } else {
            Ok(String::new())
        };
        match value {
            Ok(value) => {
                let file = File {
                    data: value.into_bytes(),
                    mode: mode(item, "mode").unwrap_or(default),
                    user: None,
                };
                payload.insert(text(item, "path").to_owned(), file);
            }
            Err(error) => errors.push(VolumeError::Downward(error)),
        }
    }
    VolumeError::together(errors).map_or(Ok(payload), Err)
}

/// Only its reader may read a token where the pod says who that is: the one user of all its
/// containers, or its `fsGroup` (which gets its share when ownership is applied).
fn token(inputs: &Inputs<'_>, source: &Value, default: u32) -> Result<Payload, VolumeError> {
    let request = tokens::TokenRequest::of(source);
    let token = inputs
        .tokens
        .get(&request)
        .ok_or(VolumeError::Token)?
        .as_bytes()
        .to_vec();
    let user = tokens::reader(inputs.pod);
    let group = super::fs_group(inputs.pod);
    let file = File {
        data: token,
        mode: if user.is_some() || group.is_some() {
            0o600
        } else {
            default
        },
        user,
    };
    Ok(Payload::from([(text(source, "path").to_owned(), file)]))
}
