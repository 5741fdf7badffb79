//! Private files: written whole or not at all, readable by their owner only.

use crate::pki::PkiError;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

/// Far above any key or certificate chain; a larger file is not one of ours.
const MAX_BYTES: u64 = 1 << 20;

/// Writes `bytes` to `path` with mode 0600: to a temporary file beside it, synced, then renamed
/// over `path` and the directory synced, so that a crash leaves the old or the new content.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), PkiError> {
    write(path, bytes, 0o600)
}

/// [`write_private`] for public content (mode 0644).
pub(crate) fn write_public(path: &Path, bytes: &[u8]) -> Result<(), PkiError> {
    write(path, bytes, 0o644)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), PkiError> {
    let fail = |source| PkiError::io("write", path, source);
    let parent = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let name = path
        .file_name()
        .ok_or_else(|| fail(ErrorKind::InvalidInput.into()))?
        .to_string_lossy();
    let temporary = parent.join(format!(".{name}.{}", uuid::Uuid::new_v4().simple()));
    let outcome = create(&temporary, mode)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_directory(parent));
    if outcome.is_err() {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&temporary);
    }
    outcome.map_err(fail)
}

#[cfg(unix)]
fn create(path: &Path, mode: u32) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

#[cfg(not(unix))]
fn create(path: &Path, _mode: u32) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Makes the directory, with mode 0700, if it is not there.
pub(crate) fn make_private_directory(path: &Path) -> Result<(), PkiError> {
    let fail = |source| PkiError::io("create", path, source);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(fail)
}

/// The text of a file, or `None` if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<String>, PkiError> {
    let fail = |source| PkiError::io("read", path, source);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fail(e)),
    };
    let mut bytes = Vec::new();
    Read::by_ref(&mut file)
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(fail(ErrorKind::InvalidData.into()));
    }
    // Not UTF-8 cannot be PEM either; the PEM reader names the problem.
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// [`read`] for private keys: refuses files that others may read, as ssh does.
pub(crate) fn read_private(path: &Path) -> Result<Option<String>, PkiError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        match fs::metadata(path) {
            Ok(meta) if meta.permissions().mode() & 0o077 != 0 => {
                return Err(PkiError::Exposed {
                    path: path.to_owned(),
                    mode: meta.permissions().mode() & 0o777,
                });
            }
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(PkiError::io("read", path, e)),
        }
    }
    read(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn written_files_are_private_whole_and_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let sub = dir.path().join("a/b");
        make_private_directory(&sub).unwrap();
        assert_eq!(
            fs::metadata(&sub).unwrap().permissions().mode() & 0o777,
            0o700
        );
        let path = sub.join("key");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(&sub).unwrap().count(), 1, "no temporary left");
        assert_eq!(read_private(&path).unwrap().as_deref(), Some("two"));
        assert_eq!(read_private(&sub.join("none")).unwrap(), None);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = read_private(&path).unwrap_err().to_string();
        assert!(
            error.contains("0640") && error.contains("chmod 600"),
            "{error}"
        );
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("none/key");
        let error = write_private(&path, b"x").unwrap_err().to_string();
        assert!(error.contains("none/key"), "{error}");
    }
}
