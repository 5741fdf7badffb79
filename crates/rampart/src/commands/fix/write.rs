//! Writing repaired files: whole or not at all.

use super::Changed;
use anyhow::{Context, Error, Result, bail};
use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Component, Path, PathBuf};

/// Writes changed files in the place of the old ones, and returns what went wrong with which.
pub(super) fn in_place(changed: &[Changed]) -> Vec<Error> {
    changed
        .iter()
        .filter(|file| file.is_changed())
        .filter_map(|file| {
            let written = replace(Path::new(&file.name), &file.old, &file.new);
            written.with_context(|| file.name.clone()).err()
        })
        .collect()
}

/// Writes a file in the place of another, if that one still holds `old`. What a link leads to is
/// replaced, and the link stays.
fn replace(path: &Path, old: &[u8], new: &[u8]) -> Result<()> {
    let path = std::fs::canonicalize(path)?;
    let before = std::fs::metadata(&path)?;
    if !before.is_file() {
        bail!("it is no file that can be replaced");
    }
    put(&path, new, |file| {
        file.set_permissions(before.permissions())?;
        // Whose file it is can be kept by those who may give files away.
        let _ = fchown(file, Some(before.uid()), Some(before.gid()));
        if std::fs::read(&path)? != old {
            bail!("it was changed by somebody else meanwhile, and was left alone");
        }
        Ok(())
    })
}

/// Writes a file by way of another beside it, so that nobody ever sees half of it.
fn put(path: &Path, text: &[u8], check: impl FnOnce(&std::fs::File) -> Result<()>) -> Result<()> {
    let name = path.file_name().context("it has no name")?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".rampart-{}", std::process::id()));
    let beside = path.with_file_name(beside);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)?;
    let done = file
        .write_all(text)
        .and_then(|()| file.sync_all())
        .map_err(Error::from)
        .and_then(|()| check(&file))
        .and_then(|()| Ok(std::fs::rename(&beside, path)?));
    if done.is_err() {
        // What was not put in place is of no use to anybody.
        let _ = std::fs::remove_file(&beside);
    }
    done
}

/// Writes all files, changed or not, into a directory: those of a directory that was named by
/// their path in it, those that were named themselves by their name.
pub(super) fn into_directory(
    named: &[PathBuf],
    changed: &[Changed],
    directory: &Path,
) -> Result<Vec<Error>> {
    let mut places: HashMap<PathBuf, &str> = HashMap::new();
    let mut writes = Vec::new();
    // What could not be read has no text.
    for file in changed.iter().filter(|file| !file.old.is_empty()) {
        let place = place(named, Path::new(&file.name))
            .with_context(|| format!("{}: it has no place in a directory", file.name))?;
        if let Some(other) = places.insert(place.clone(), &file.name) {
            bail!(
                "{other} and {} would both become {}: name one directory that holds both",
                file.name,
                directory.join(&place).display()
            );
        }
        writes.push((directory.join(place), file));
    }
    std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let failures = writes.into_iter().filter_map(|(path, file)| {
        let write = || {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            put(&path, &file.new, |_| Ok(()))
        };
        write().with_context(|| path.display().to_string()).err()
    });
    Ok(failures.collect())
}

/// Where a file goes in the directory.
fn place(named: &[PathBuf], file: &Path) -> Option<PathBuf> {
    let inside = named
        .iter()
        .filter_map(|path| file.strip_prefix(path).ok())
        .find(|rest| !rest.as_os_str().is_empty());
    let place = match inside {
        Some(rest) => rest.to_owned(),
        None => PathBuf::from(file.file_name()?),
    };
    let is_inside = place
        .components()
        .all(|c| matches!(c, Component::Normal(_)));
    is_inside.then_some(place)
}

/// Prints a text as it is.
pub(super) fn print(text: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
