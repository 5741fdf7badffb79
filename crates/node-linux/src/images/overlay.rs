//! Containers' root file systems: an overlay of an image's layers and a writable one.

use crate::files;
use crate::mounts;
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, mount, move_mount,
};
use std::ffi::CString;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The directories of one root file system.
pub(crate) struct Root(pub(crate) PathBuf);

impl Root {
    /// What the container wrote.
    fn upper(&self) -> PathBuf {
        self.0.join("upper")
    }

    fn work(&self) -> PathBuf {
        self.0.join("work")
    }

    /// What the container sees.
    pub(crate) fn merged(&self) -> PathBuf {
        self.0.join("root")
    }

    /// Mounts it over `layers`, topmost first.
    pub(crate) fn mount(&self, layers: &[PathBuf]) -> io::Result<()> {
        files::make_dir(&self.0)?;
        for directory in [self.upper(), self.work(), self.merged()] {
            // The writable layer's own mode is that of the container's root directory.
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(directory)?;
        }
        match self.mount_by_parts(layers) {
            // Kernels before 6.7 take the layers in one string only.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.mount_at_once(layers),
            result => Ok(result?),
        }
    }

    fn mount_by_parts(&self, layers: &[PathBuf]) -> rustix::io::Result<()> {
        let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(&overlay, "source", "overlay")?;
        for layer in layers {
            fsconfig_set_string(&overlay, "lowerdir+", layer)?;
        }
        fsconfig_set_string(&overlay, "upperdir", self.upper())?;
        fsconfig_set_string(&overlay, "workdir", self.work())?;
        fsconfig_create(&overlay)?;
        let flags = FsMountFlags::FSMOUNT_CLOEXEC;
        let mounted = fsmount(&overlay, flags, MountAttrFlags::empty())?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&mounted, "", CWD, self.merged(), flags)
    }

    fn mount_at_once(&self, layers: &[PathBuf]) -> io::Result<()> {
        let escaped = |path: &Path| {
            let text = path.to_string_lossy();
            text.replace('\\', "\\\\")
                .replace(':', "\\:")
                .replace(',', "\\,")
        };
        let lower: Vec<_> = layers.iter().map(|layer| escaped(layer)).collect();
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lower.join(":"),
            escaped(&self.upper()),
            escaped(&self.work()),
        );
        if options.len() >= 4096 {
            return Err(io::Error::other(
                "the image has more layers than this kernel can stack at such long paths",
            ));
        }
        let options = CString::new(options)?;
        let flags = MountFlags::empty();
        Ok(mount(
            "overlay",
            self.merged(),
            "overlay",
            flags,
            options.as_c_str(),
        )?)
    }

    /// Unmounts and removes it.
    pub(crate) fn remove(&self) -> io::Result<()> {
        mounts::unmount(&self.merged())?;
        files::remove_dir(&self.0)
    }

    /// Bytes and files in the writable layer.
    pub(crate) fn usage(&self) -> io::Result<(u64, u64)> {
        usage(&self.upper())
    }
}

/// Bytes on disk and files below a directory; what goes away meanwhile is not counted.
pub(crate) fn usage(directory: &Path) -> io::Result<(u64, u64)> {
    let (mut bytes, mut inodes) = (0u64, 0u64);
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        let entries = match std::fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            result => result?,
        };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            inodes += 1;
            bytes = bytes.saturating_add(metadata.blocks().saturating_mul(512));
            if metadata.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Ok((bytes, inodes))
}
