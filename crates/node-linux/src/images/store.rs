//! The images of a node.

use super::import;
use super::index::{Index, Stored};
use super::layer::Layers;
use super::overlay::{self, Root};
use super::pull::{self, Registries};
use super::reference::{is_id, parse};
use super::unpack::Limits;
use super::users;
use crate::files;
use crate::record::now;
use crate::runtime::Roots;
use futures::future::BoxFuture;
use node_api::{ContainerId, Credentials, Error, Image, ImageUser, Images, Result, Usage};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::spawn_blocking;

/// Where images are kept and where they come from.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// A directory of its own.
    pub directory: PathBuf,
    /// Where they come from.
    pub registries: Registries,
}

/// Images and the root file systems made of them.
#[derive(Debug, Clone)]
pub struct ImageStore(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    directory: PathBuf,
    pub(super) registries: Registries,
    pub(super) layers: Layers,
    pub(super) limits: Limits,
    index: Mutex<Index>,
    /// Held shared while layers are added that no image names yet, and alone to collect.
    pub(super) adding: tokio::sync::RwLock<()>,
}

fn failed(what: &str) -> impl Fn(io::Error) -> Error {
    move |error| Error::Failed(format!("{what}: {error}"))
}

/// Runs what blocks.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work)
        .await
        .map_err(|error| Error::Failed(error.to_string()))?
}

/// A small file of an image: `/etc/passwd`. Larger ones are cut off.
const SMALL: u64 = 1 << 20;

impl Inner {
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A directory that is gone with the result.
    pub(super) fn temporary(&self) -> io::Result<Temporary> {
        let path = self.directory.join("tmp");
        let path = path.join(uuid::Uuid::new_v4().simple().to_string());
        files::make_dir(&path)?;
        Ok(Temporary(path))
    }

    fn find(&self, name: &str) -> Result<Option<Stored>> {
        let index = self.index();
        if is_id(name) {
            return Ok(index.find(name).cloned());
        }
        Ok(index.find(&parse(name)?.whole()).cloned())
    }

    fn root(&self, container: &ContainerId) -> Root {
        Root(self.directory.join("roots").join(&container.0))
    }

    /// The images that containers' root file systems are made of.
    fn used(&self) -> io::Result<BTreeSet<String>> {
        let mut used = BTreeSet::new();
        for entry in fs::read_dir(self.directory.join("roots"))? {
            let image = entry?.path().join("image.json");
            if let Some(stored) = files::read_json_if_there::<Stored>(&image)? {
                used.insert(stored.image.id);
                used.extend(stored.layers);
            }
        }
        Ok(used)
    }

    fn mount(&self, container: &ContainerId, name: &str) -> Result<(String, PathBuf)> {
        // What is found must not be collected before it is noted as used.
        let _adding = self.adding.blocking_read();
        let stored = self
            .find(name)?
            .ok_or_else(|| Error::not_found("image", name))?;
        let root = self.root(container);
        let layers = stored
            .layers
            .iter()
            .rev()
            .map(|chain| self.layers.files(chain))
            .collect::<Result<Vec<_>>>()?;
        files::make_dir(&root.0).map_err(failed("root file system"))?;
        files::write_json(&root.0.join("image.json"), &stored)
            .map_err(failed("root file system"))?;
        if let Err(error) = root.mount(&layers) {
            // What was begun goes again; the first error is the one to tell.
            let _ = root.remove();
            return Err(failed("root file system")(error));
        }
        self.index().touch(&stored.image.id, now())?;
        Ok((stored.image.id, root.merged()))
    }

    /// A file of an image as a container would see it, if there is one.
    fn small_file(&self, layers: &[String], path: &str) -> Result<String> {
        for chain in layers.iter().rev() {
            let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
            let layer = openat(CWD, self.layers.files(chain)?, flags, Mode::empty());
            let layer = layer.map_err(|e| failed("layer")(e.into()))?;
            let found = openat2(
                &layer,
                path,
                OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
                Mode::empty(),
                ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
            );
            let Ok(found) = found.map(File::from) else {
                continue;
            };
            // A whiteout, or something else that is no file.
            if !found.metadata().is_ok_and(|m| m.is_file()) {
                break;
            }
            let mut bytes = Vec::new();
            found
                .take(SMALL)
                .read_to_end(&mut bytes)
                .map_err(failed(path))?;
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        Ok(String::new())
    }

    /// Notes an image whose layers are all here.
    pub(super) fn note(&self, mut image: Image, layers: Vec<String>) -> Result<Image> {
        image.size = 0;
        for chain in &layers {
            let layer = self.layers.get(chain)?;
            let layer = layer.ok_or_else(|| Error::not_found("layer", chain))?;
            image.size = image.size.saturating_add(layer.bytes);
        }
        image.used_at = now();
        self.index().add(Stored { image, layers })
    }
}

/// A directory that goes away.
pub(super) struct Temporary(pub(super) PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // The next collection finds what is left.
        let _ = files::remove_dir(&self.0);
    }
}

impl ImageStore {
    /// Opens a store, or makes it.
    pub fn open(config: StoreConfig) -> io::Result<Self> {
        let directory = config.directory;
        for part in ["layers", "roots", "tmp"] {
            files::make_dir(&directory.join(part))?;
        }
        pull::install_tls();
        Ok(Self(Arc::new(Inner {
            index: Mutex::new(Index::open(directory.join("images.json"))?),
            layers: Layers(directory.join("layers")),
            registries: config.registries,
            limits: Limits::default(),
            adding: tokio::sync::RwLock::default(),
            directory,
        })))
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        let inner = Arc::clone(&self.0);
        Box::pin(blocking(move || work(&inner)))
    }
}

impl Images for ImageStore {
    fn pull<'a>(
        &'a self,
        reference: &'a str,
        credentials: &'a [Credentials],
    ) -> BoxFuture<'a, Result<Image>> {
        Box::pin(pull::pull(&self.0, reference, credentials))
    }

    fn image<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<Option<Image>>> {
        let found = self.0.find(reference).map(|f| f.map(|stored| stored.image));
        Box::pin(std::future::ready(found))
    }

    fn images(&self) -> BoxFuture<'_, Result<Vec<Image>>> {
        let all = self
            .0
            .index()
            .all()
            .iter()
            .map(|s| s.image.clone())
            .collect();
        Box::pin(std::future::ready(Ok(all)))
    }

    fn remove_image<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<()>> {
        let name = reference.to_owned();
        self.run(move |inner| {
            let Some(stored) = inner.find(&name)? else {
                return Ok(());
            };
            let full = match is_id(&name) {
                true => name,
                false => parse(&name)?.whole(),
            };
            let image = &stored.image;
            let last = full == image.id || image.names.len() + image.digests.len() == 1;
            let used = inner.used().map_err(failed("images"))?;
            if last && used.contains(&image.id) {
                return Err(Error::Conflict(format!(
                    "image {full} is used by a container"
                )));
            }
            inner.index().remove(&full)
        })
    }

    fn import<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, Result<Vec<Image>>> {
        let path = path.to_owned();
        Box::pin(async move {
            let _adding = self.0.adding.read().await;
            let inner = Arc::clone(&self.0);
            blocking(move || import::import(&inner, &path)).await
        })
    }

    fn collect_garbage(&self) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let _alone = self.0.adding.write().await;
            let inner = Arc::clone(&self.0);
            blocking(move || {
                let mut used = inner.used().map_err(failed("images"))?;
                for stored in inner.index().all() {
                    used.extend(stored.layers.iter().cloned());
                }
                let tmp = inner.directory.join("tmp");
                files::remove_dir(&tmp).map_err(failed("images"))?;
                files::make_dir(&tmp).map_err(failed("images"))?;
                inner.layers.retain(&used).map_err(failed("layers"))
            })
            .await
        })
    }

    fn usage(&self) -> BoxFuture<'_, Result<Usage>> {
        self.run(|inner| {
            let (mut bytes, mut inodes) =
                overlay::usage(&inner.layers.0).map_err(failed("images"))?;
            let roots = fs::read_dir(inner.directory.join("roots")).map_err(failed("images"))?;
            for root in roots.flatten() {
                let (b, i) = Root(root.path()).usage().map_err(failed("images"))?;
                bytes = bytes.saturating_add(b);
                inodes = inodes.saturating_add(i);
            }
            Ok(Usage { bytes, inodes })
        })
    }

    fn resolve_user<'a>(
        &'a self,
        image: &'a str,
        user: &'a str,
    ) -> BoxFuture<'a, Result<ImageUser>> {
        let (image, user) = (image.to_owned(), user.to_owned());
        self.run(move |inner| {
            let stored = inner
                .find(&image)?
                .ok_or_else(|| Error::not_found("image", &image))?;
            let passwd = inner.small_file(&stored.layers, "etc/passwd")?;
            let group = inner.small_file(&stored.layers, "etc/group")?;
            users::resolve(&user, &passwd, &group)
        })
    }
}

impl Roots for ImageStore {
    fn mount<'a>(
        &'a self,
        container: &'a ContainerId,
        image: &'a str,
    ) -> BoxFuture<'a, Result<(String, PathBuf)>> {
        let (container, image) = (container.clone(), image.to_owned());
        self.run(move |inner| inner.mount(&container, &image))
    }

    fn unmount<'a>(&'a self, container: &'a ContainerId) -> BoxFuture<'a, Result<()>> {
        let container = container.clone();
        self.run(move |inner| {
            let root = inner.root(&container);
            root.remove().map_err(failed("root file system"))
        })
    }

    fn usage<'a>(&'a self, container: &'a ContainerId) -> BoxFuture<'a, Result<(u64, u64)>> {
        let container = container.clone();
        self.run(move |inner| {
            let root = inner.root(&container);
            root.usage().map_err(failed("root file system"))
        })
    }
}
