//! Unpacks one layer into a directory that overlayfs can stack.
//!
//! An archive is somebody else's: every name is resolved beneath the layer's directory by the
//! kernel (`openat2`), `..` is refused, the last part of a name is never followed, and sizes and
//! numbers are limited. Whiteouts become what overlayfs uses for them.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags,
    chownat, fchmod, fchown, fsetxattr, futimens, linkat, makedev, mkdirat, mknodat, openat,
    openat2, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use tar::{Entry, EntryType};

/// How much one layer may unpack to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

impl Default for Limits {
    /// Larger than any image that one would run, smaller than what fills a disk unnoticed.
    fn default() -> Self {
        Self {
            bytes: 64 << 30,
            entries: 5_000_000,
        }
    }
}

/// What a layer came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub(crate) bytes: u64,
    pub(crate) inodes: u64,
}

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Overlayfs' own attributes: a layer that could set them could show other layers' content.
const OVERLAY: &[u8] = b"trusted.overlay.";

struct Layer<'a> {
    root: OwnedFd,
    parents: &'a [PathBuf],
    /// Directories' times, set last: making what is in them changes them.
    times: Vec<(PathBuf, u64)>,
    limits: Limits,
    unpacked: Unpacked,
}

/// A name in an archive that leads out of it, or nowhere.
fn refused(path: &Path, why: &str) -> io::Error {
    io::Error::other(format!("{}: {why}", path.display()))
}

/// The parts of a name; refuses those that climb.
fn clean(path: &Path) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::CurDir | Component::RootDir => (),
            Component::ParentDir | Component::Prefix(_) => {
                return Err(refused(path, "the name leads out of the layer"));
            }
        }
    }
    Ok(clean)
}

/// Unpacks the archive into `directory`, which is empty. `parents` are the layers below, topmost
/// first: a directory that the archive implies gets its mode and owner from them.
pub(crate) fn unpack(
    archive: impl Read,
    directory: &Path,
    parents: &[PathBuf],
    limits: Limits,
) -> io::Result<Unpacked> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut layer = Layer {
        root: openat(CWD, directory, flags, Mode::empty())?,
        parents,
        times: Vec::new(),
        limits,
        unpacked: Unpacked::default(),
    };
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        layer.entry(entry?)?;
    }
    for (path, time) in std::mem::take(&mut layer.times) {
        // A later entry may have replaced it.
        if let Ok(directory) = layer.resolve(&path, OFlags::DIRECTORY) {
            futimens(&directory, &times(time))?;
        }
    }
    Ok(layer.unpacked)
}

fn times(seconds: u64) -> Timestamps {
    let time = Timespec {
        tv_sec: i64::try_from(seconds).unwrap_or(0),
        tv_nsec: 0,
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

fn mode_of(entry: &Entry<'_, impl Read>) -> io::Result<Mode> {
    Ok(Mode::from_raw_mode(entry.header().mode()? & 0o7777))
}

fn owner_of(entry: &Entry<'_, impl Read>) -> io::Result<(Uid, Gid)> {
    let number = |value: u64| u32::try_from(value).map_err(|_| io::Error::other("owner"));
    let header = entry.header();
    Ok((
        Uid::from_raw(number(header.uid()?)?),
        Gid::from_raw(number(header.gid()?)?),
    ))
}

impl Layer<'_> {
    /// Opens what a clean name means inside the layer.
    fn resolve(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let path = match path.as_os_str().is_empty() {
            true => Path::new("."),
            false => path,
        };
        openat2(
            &self.root,
            path,
            flags | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        )
    }

    /// The directory of a name, made if the archive has no entry for it.
    fn parent(&mut self, path: &Path) -> io::Result<OwnedFd> {
        let parent = path.parent().unwrap_or(Path::new(""));
        match self.resolve(parent, OFlags::DIRECTORY) {
            Ok(directory) => return Ok(directory),
            Err(Errno::NOENT) => (),
            Err(error) => return Err(refused(path, &error.to_string())),
        }
        let above = self.parent(parent)?;
        let name = parent.file_name().unwrap_or_default();
        mkdirat(&above, name, Mode::from_raw_mode(0o755))?;
        self.unpacked.inodes += 1;
        let made = openat(
            &above,
            name,
            OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        for below in self.parents {
            let Ok(below) = openat(
                CWD,
                below,
                OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            ) else {
                continue;
            };
            let found = openat2(
                &below,
                parent,
                OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
                ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
            );
            if let Ok(found) = found {
                let stat = rustix::fs::fstat(&found)?;
                let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
                fchown(&made, Some(uid), Some(gid))?;
                fchmod(&made, Mode::from_raw_mode(stat.st_mode))?;
                break;
            }
        }
        Ok(made)
    }

    fn entry(&mut self, mut entry: Entry<'_, impl Read>) -> io::Result<()> {
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        self.unpacked.inodes += 1;
        self.unpacked.bytes = self.unpacked.bytes.saturating_add(entry.size());
        if self.unpacked.inodes > self.limits.entries || self.unpacked.bytes > self.limits.bytes {
            return Err(io::Error::other("the layer is too large"));
        }
        let path = clean(&entry.path()?)?;
        let Some(name) = path.file_name().map(ToOwned::to_owned) else {
            // The root itself.
            let (uid, gid) = owner_of(&entry)?;
            fchown(&self.root, Some(uid), Some(gid))?;
            return Ok(fchmod(&self.root, mode_of(&entry)?)?);
        };
        let parent = self.parent(&path)?;
        if let Some(hidden) = name.as_bytes().strip_prefix(WHITEOUT) {
            return whiteout(&parent, name.as_bytes(), hidden, &path);
        }
        let name = Path::new(&name);
        let opaque = make_way(&parent, name, kind)?;
        let mode = mode_of(&entry)?;
        let mtime = entry.header().mtime()?;
        match kind {
            EntryType::Directory => {
                match mkdirat(&parent, name, Mode::from_raw_mode(0o700)) {
                    Ok(()) | Err(Errno::EXIST) => (),
                    Err(error) => return Err(error.into()),
                }
                let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let made = openat(&parent, name, flags, Mode::empty())?;
                let (uid, gid) = owner_of(&entry)?;
                fchown(&made, Some(uid), Some(gid))?;
                fchmod(&made, mode)?;
                attributes(&mut entry, made.as_fd())?;
                if opaque {
                    make_opaque(made.as_fd())?;
                }
                self.times.push((path, mtime));
                Ok(())
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let flags = OFlags::CREATE
                    | OFlags::EXCL
                    | OFlags::WRONLY
                    | OFlags::NOFOLLOW
                    | OFlags::CLOEXEC;
                let made = openat(&parent, name, flags, Mode::from_raw_mode(0o600))?;
                let mut file = File::from(made);
                io::copy(&mut entry, &mut file)?;
                let (uid, gid) = owner_of(&entry)?;
                fchown(&file, Some(uid), Some(gid))?;
                // After the owner: changing it clears set-user-id.
                fchmod(&file, mode)?;
                attributes(&mut entry, file.as_fd())?;
                Ok(futimens(&file, &times(mtime))?)
            }
            EntryType::Symlink => {
                let target = entry
                    .link_name()?
                    .ok_or_else(|| refused(&path, "a link to nothing"))?;
                symlinkat(&*target, &parent, name)?;
                finish(&parent, name, &entry, mtime)
            }
            EntryType::Link => {
                let target = entry
                    .link_name()?
                    .ok_or_else(|| refused(&path, "a link to nothing"))?;
                let target = clean(&target)?;
                let from = self
                    .resolve(target.parent().unwrap_or(Path::new("")), OFlags::DIRECTORY)
                    .map_err(|error| refused(&target, &error.to_string()))?;
                let last = target
                    .file_name()
                    .ok_or_else(|| refused(&path, "a link to a directory"))?;
                linkat(&from, last, &parent, name, AtFlags::empty())
                    .map_err(|error| refused(&target, &error.to_string()))
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                let kind = match kind {
                    EntryType::Char => FileType::CharacterDevice,
                    EntryType::Block => FileType::BlockDevice,
                    _ => FileType::Fifo,
                };
                let header = entry.header();
                let device = makedev(
                    header.device_major()?.unwrap_or(0),
                    header.device_minor()?.unwrap_or(0),
                );
                mknodat(&parent, name, kind, mode, device)?;
                finish(&parent, name, &entry, mtime)?;
                // The umask took part in it.
                Ok(rustix::fs::chmodat(&parent, name, mode, AtFlags::empty())?)
            }
            other => Err(refused(
                &path,
                &format!("entries of type {other:?} are unknown"),
            )),
        }
    }
}

/// Owner and time of what is not opened.
fn finish(
    parent: &OwnedFd,
    name: &Path,
    entry: &Entry<'_, impl Read>,
    mtime: u64,
) -> io::Result<()> {
    let (uid, gid) = owner_of(entry)?;
    chownat(
        parent,
        name,
        Some(uid),
        Some(gid),
        AtFlags::SYMLINK_NOFOLLOW,
    )?;
    Ok(utimensat(
        parent,
        name,
        &times(mtime),
        AtFlags::SYMLINK_NOFOLLOW,
    )?)
}

/// Removes what a new entry replaces; whether a whiteout was among it, so that a directory in its
/// place must hide what is below. A directory stays for a directory.
fn make_way(parent: &OwnedFd, name: &Path, kind: EntryType) -> io::Result<bool> {
    let stat = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(false),
        result => result?,
    };
    let found = FileType::from_raw_mode(stat.st_mode);
    if found == FileType::Directory {
        if kind == EntryType::Directory {
            return Ok(false);
        }
        remove_tree(parent, name)?;
        return Ok(false);
    }
    unlinkat(parent, name, AtFlags::empty())?;
    Ok(found == FileType::CharacterDevice && stat.st_rdev == 0)
}

fn remove_tree(parent: &OwnedFd, name: &Path) -> io::Result<()> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(parent, name, flags, Mode::empty())?;
    for entry in rustix::fs::Dir::read_from(&directory)? {
        let entry = entry?;
        let child = Path::new(std::ffi::OsStr::from_bytes(entry.file_name().to_bytes()));
        if child == Path::new(".") || child == Path::new("..") {
            continue;
        }
        let stat = statat(&directory, child, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            remove_tree(&directory, child)?;
        } else {
            unlinkat(&directory, child, AtFlags::empty())?;
        }
    }
    Ok(unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

/// Hides a name, or with the opaque marker everything, in the layers below.
fn whiteout(parent: &OwnedFd, name: &[u8], hidden: &[u8], path: &Path) -> io::Result<()> {
    if name == OPAQUE {
        return make_opaque(parent.as_fd());
    }
    // Other names of this form are aufs' own.
    if hidden.starts_with(WHITEOUT) {
        return Ok(());
    }
    if hidden.is_empty() || hidden == b"." || hidden == b".." {
        return Err(refused(path, "a whiteout of nothing"));
    }
    let hidden = Path::new(std::ffi::OsStr::from_bytes(hidden));
    match mknodat(parent, hidden, FileType::CharacterDevice, Mode::empty(), 0) {
        // Whiteouts are about the layers below; what this layer has stays.
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn make_opaque(directory: rustix::fd::BorrowedFd<'_>) -> io::Result<()> {
    let name = "trusted.overlay.opaque";
    Ok(fsetxattr(directory, name, b"y", XattrFlags::empty())?)
}

/// Extended attributes of an entry.
fn attributes(
    entry: &mut Entry<'_, impl Read>,
    file: rustix::fd::BorrowedFd<'_>,
) -> io::Result<()> {
    let Some(extensions) = entry.pax_extensions()? else {
        return Ok(());
    };
    for extension in extensions {
        let extension = extension?;
        let Some(name) = extension.key_bytes().strip_prefix(b"SCHILY.xattr.") else {
            continue;
        };
        if name.starts_with(OVERLAY) {
            continue;
        }
        let name = std::ffi::OsStr::from_bytes(name);
        match fsetxattr(file, name, extension.value_bytes(), XattrFlags::empty()) {
            // A file system or kernel without them.
            Ok(()) | Err(Errno::NOTSUP) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
