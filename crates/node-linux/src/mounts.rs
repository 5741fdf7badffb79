//! Mounts that the runtime makes on the node.

use crate::files;
use rustix::fs::{FsWord, statfs};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount};
use std::ffi::CString;
use std::io;
use std::path::Path;

/// `TMPFS_MAGIC` of linux/magic.h.
const TMPFS: FsWord = 0x0102_1994;

/// A directory that only root reads and whose content never reaches a disk.
pub(crate) fn private_tmpfs(path: &Path) -> io::Result<()> {
    files::make_dir(path)?;
    if statfs(path)?.f_type == TMPFS {
        return Ok(());
    }
    // Kernels before 6.4 do not know that a tmpfs may be kept out of the swap.
    match tmpfs(path, "mode=0700,noswap") {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => tmpfs(path, "mode=0700"),
        result => result,
    }
}

/// Mounts a tmpfs.
pub(crate) fn tmpfs(path: &Path, options: &str) -> io::Result<()> {
    files::make_dir(path)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let options = CString::new(options)?;
    Ok(mount("tmpfs", path, "tmpfs", flags, options.as_c_str())?)
}

/// Unmounts what is mounted at a path; fine if nothing is.
pub(crate) fn unmount(path: &Path) -> io::Result<()> {
    match rustix::mount::unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        Err(Errno::INVAL | Errno::NOENT) => Ok(()),
        result => Ok(result?),
    }
}
