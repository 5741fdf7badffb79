//! Which images there are: a file, read at the start and written whole at each change.

use crate::files;
use node_api::{Error, Image, Result};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// An image and the layers it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) image: Image,
    /// Layers by the digest of their chain, lowest first.
    pub(crate) layers: Vec<String>,
}

/// All images.
#[derive(Debug)]
pub(crate) struct Index {
    path: PathBuf,
    images: Vec<Stored>,
}

impl Index {
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        let images = files::read_json_if_there(&path)?.unwrap_or_default();
        Ok(Self { path, images })
    }

    pub(crate) fn all(&self) -> &[Stored] {
        &self.images
    }

    /// The image with this id, name or digest reference, in full.
    pub(crate) fn find(&self, name: &str) -> Option<&Stored> {
        self.images.iter().find(|stored| {
            let image = &stored.image;
            image.id == name
                || image.names.iter().any(|n| n == name)
                || image.digests.iter().any(|d| d == name)
        })
    }

    /// Adds an image, or names one that is there; a name belongs to one image only.
    pub(crate) fn add(&mut self, stored: Stored) -> Result<Image> {
        let mut images = self.images.clone();
        for other in &mut images {
            other
                .image
                .names
                .retain(|n| !stored.image.names.contains(n));
        }
        let id = stored.image.id.clone();
        match images.iter_mut().find(|other| other.image.id == id) {
            Some(there) => {
                there.layers = stored.layers;
                there.image.used_at = stored.image.used_at;
                there.image.names.extend(stored.image.names);
                for digest in stored.image.digests {
                    if !there.image.digests.contains(&digest) {
                        there.image.digests.push(digest);
                    }
                }
            }
            None => images.push(stored),
        }
        self.save(images)?;
        self.find(&id)
            .map(|stored| stored.image.clone())
            .ok_or_else(|| Error::not_found("image", id))
    }

    /// Removes a name, or an image with all its names.
    pub(crate) fn remove(&mut self, name: &str) -> Result<()> {
        let mut images = self.images.clone();
        images.retain(|stored| stored.image.id != name);
        for stored in &mut images {
            stored.image.names.retain(|n| n != name);
            stored.image.digests.retain(|d| d != name);
        }
        images.retain(|stored| !stored.image.names.is_empty() || !stored.image.digests.is_empty());
        self.save(images)
    }

    /// Notes that an image is used.
    pub(crate) fn touch(&mut self, id: &str, at: i64) -> Result<()> {
        let mut images = self.images.clone();
        for stored in images.iter_mut().filter(|s| s.image.id == id) {
            stored.image.used_at = at;
        }
        self.save(images)
    }

    fn save(&mut self, images: Vec<Stored>) -> Result<()> {
        files::write_json(&self.path, &images)
            .map_err(|error| Error::Failed(format!("the list of images: {error}")))?;
        self.images = images;
        Ok(())
    }
}
