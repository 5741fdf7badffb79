//! Imports images from a directory or tar archive: an OCI layout, or what `docker save` writes.

use super::config;
use super::layer::{chain, digest_of};
use super::reference::{hex, parse, with_digest};
use super::store::Inner;
use node_api::{Error, Image, Result};
use oci_client::client::current_platform_resolver;
use oci_client::manifest::{ImageIndexEntry, OciDescriptor, OciImageManifest, OciManifest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// The largest manifest or configuration.
const SMALL: u64 = 4 << 20;
/// Annotations under which an image's name is found in a layout.
const NAMES: [&str; 2] = [
    "io.containerd.image.name",
    "org.opencontainers.image.ref.name",
];

/// One image of a docker archive.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

fn failed(error: io::Error) -> Error {
    Error::Failed(format!("import: {error}"))
}

/// Imports all images of an archive.
pub(super) fn import(inner: &Inner, path: &Path) -> Result<Vec<Image>> {
    let metadata = fs::metadata(path)
        .map_err(|error| Error::Invalid(format!("{}: {error}", path.display())))?;
    if metadata.is_dir() {
        return directory(inner, path);
    }
    let temporary = inner.temporary().map_err(failed)?;
    extract(inner, path, &temporary.0).map_err(failed)?;
    directory(inner, &temporary.0)
}

/// A file that an archive's own lists name; nothing outside the directory is ever read.
fn inside(directory: &Path, name: &str) -> Result<PathBuf> {
    let name = Path::new(name);
    let plain = name
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !plain || name.as_os_str().is_empty() {
        return Err(Error::Invalid(format!("{name:?} leads out of the archive")));
    }
    let mut path = directory.to_owned();
    for part in name.components() {
        path.push(part);
        if fs::symlink_metadata(&path).is_ok_and(|m| m.is_symlink()) {
            return Err(Error::Invalid(format!("{name:?} is behind a link")));
        }
    }
    Ok(path)
}

/// Writes an archive's files into a directory; links and devices have no place in one.
fn extract(inner: &Inner, archive: &Path, directory: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(File::open(archive)?);
    let mut bytes = 0u64;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        let mut path = directory.to_owned();
        for part in name.components() {
            match part {
                Component::Normal(part) => path.push(part),
                Component::CurDir => (),
                _ => {
                    return Err(io::Error::other(format!(
                        "{name:?} leads out of the archive"
                    )));
                }
            }
        }
        bytes = bytes.saturating_add(entry.size());
        if bytes > inner.limits.bytes {
            return Err(io::Error::other("the archive is too large"));
        }
        match entry.header().entry_type() {
            tar::EntryType::Directory => fs::create_dir_all(&path)?,
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                io::copy(&mut entry, &mut File::create(&path)?)?;
            }
            // Older archives of docker link a layer that they hold twice.
            tar::EntryType::Symlink | tar::EntryType::Link => {
                return Err(io::Error::other(format!("{name:?} is a link")));
            }
            _ => (),
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(SMALL).read_to_end(&mut bytes))
        .map_err(|error| Error::Invalid(format!("{}: {error}", path.display())))?;
    Ok(bytes)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&read(path)?)
        .map_err(|error| Error::Invalid(format!("{}: {error}", path.display())))
}

fn directory(inner: &Inner, directory: &Path) -> Result<Vec<Image>> {
    if directory.join("manifest.json").exists() {
        let saved: Vec<Saved> = read_json(&directory.join("manifest.json"))?;
        return saved
            .into_iter()
            .map(|saved| docker(inner, directory, saved))
            .collect();
    }
    if !directory.join("index.json").exists() {
        return Err(Error::Invalid(
            "neither an OCI layout nor a docker archive".into(),
        ));
    }
    let OciManifest::ImageIndex(index) = read_json(&directory.join("index.json"))? else {
        return Err(Error::Invalid("index.json is no index".into()));
    };
    index
        .manifests
        .iter()
        .map(|entry| layout(inner, directory, entry))
        .collect()
}

/// One image of what `docker save` wrote. Its layers are verified by the configuration.
fn docker(inner: &Inner, directory: &Path, saved: Saved) -> Result<Image> {
    let path = inside(directory, &saved.config)?;
    let bytes = read(&path)?;
    let config = config::parse(&bytes)?;
    let id = digest_of(&path).map_err(failed)?;
    let layers = saved
        .layers
        .iter()
        .map(|name| inside(directory, name))
        .collect::<Result<Vec<_>>>()?;
    let names = saved
        .repo_tags
        .unwrap_or_default()
        .iter()
        .map(|name| parse(name).map(|reference| reference.whole()))
        .collect::<Result<Vec<_>>>()?;
    let chains = add(inner, &layers, config.diffs())?;
    inner.note(config.image(id, names, Vec::new()), chains)
}

/// A blob of a layout, verified.
fn blob(directory: &Path, digest: &str) -> Result<PathBuf> {
    let path = inside(directory, &format!("blobs/sha256/{}", hex(digest)?))?;
    let found =
        digest_of(&path).map_err(|error| Error::Invalid(format!("{}: {error}", path.display())))?;
    match found == digest {
        true => Ok(path),
        false => Err(Error::Corrupt {
            what: "a blob of the archive".into(),
            expected: digest.into(),
            found,
        }),
    }
}

/// One image of an OCI layout.
fn layout(inner: &Inner, directory: &Path, entry: &ImageIndexEntry) -> Result<Image> {
    let manifest = manifest(directory, &entry.digest)?;
    let config = config::parse(&read(&blob(directory, &manifest.config.digest)?)?)?;
    let layers = manifest
        .layers
        .iter()
        .map(|layer: &OciDescriptor| blob(directory, &layer.digest))
        .collect::<Result<Vec<_>>>()?;
    let annotations = entry.annotations.as_ref();
    let name = NAMES
        .iter()
        .find_map(|key| annotations.and_then(|a| a.get(*key)))
        .ok_or_else(|| {
            Error::Invalid(format!("the archive does not name image {}", entry.digest))
        })?;
    let reference = parse(name)?;
    let digests = vec![with_digest(&reference, &entry.digest)];
    let chains = add(inner, &layers, config.diffs())?;
    let image = config.image(manifest.config.digest, vec![reference.whole()], digests);
    inner.note(image, chains)
}

fn manifest(directory: &Path, digest: &str) -> Result<OciImageManifest> {
    match read_json(&blob(directory, digest)?)? {
        OciManifest::Image(manifest) => Ok(manifest),
        OciManifest::ImageIndex(index) => {
            let chosen = current_platform_resolver(&index.manifests).ok_or_else(|| {
                Error::Invalid(format!("no match for platform in manifest {digest}"))
            })?;
            match read_json(&blob(directory, &chosen)?)? {
                OciManifest::Image(manifest) => Ok(manifest),
                OciManifest::ImageIndex(_) => {
                    Err(Error::Invalid("an index within an index".into()))
                }
            }
        }
    }
}

/// Unpacks layers, lowest first.
fn add(inner: &Inner, layers: &[PathBuf], diffs: &[String]) -> Result<Vec<String>> {
    if layers.len() != diffs.len() {
        return Err(Error::Invalid(
            "the image's configuration and manifest disagree about its layers".into(),
        ));
    }
    let mut chains: Vec<String> = Vec::new();
    for (archive, diff) in layers.iter().zip(diffs) {
        hex(diff)?;
        inner.layers.add(archive, diff, &chains, inner.limits)?;
        chains.push(chain(chains.last().map(String::as_str), diff));
    }
    Ok(chains)
}
