//! Which files are read.

use crate::Limits;
use snapshot::{Location, Problem, ProblemKind};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// The name that locations give it: the path as it was written.
    pub(crate) name: String,
    /// Where it is; `None` for standard input.
    pub(crate) path: Option<PathBuf>,
}

impl File {
    pub(crate) fn is_standard_input(&self) -> bool {
        self.path.is_none()
    }
}

/// How deep directories are followed.
const MAX_DEPTH: usize = 64;

/// What manifests are called.
const ENDINGS: [&str; 3] = ["json", "yaml", "yml"];

/// The files that `paths` name, and what could not be found.
pub(crate) fn files(paths: &[PathBuf], limits: Limits) -> (Vec<File>, Vec<Problem>) {
    let mut search = Search {
        limits,
        files: Vec::new(),
        seen: HashSet::new(),
        problems: Vec::new(),
        is_full: false,
    };
    for path in paths {
        if path == Path::new("-") {
            if !search.files.iter().any(File::is_standard_input) {
                let name = "-".to_owned();
                search.files.push(File { name, path: None });
            }
            continue;
        }
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => search.directory(path, place(path), 0),
            Ok(_) => search.file(path, place(path)),
            Err(error) => search.unreadable(path, &error),
        }
    }
    (search.files, search.problems)
}

struct Search {
    limits: Limits,
    files: Vec<File>,
    /// Where links led already.
    seen: HashSet<PathBuf>,
    problems: Vec<Problem>,
    is_full: bool,
}

impl Search {
    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        self.problem(ProblemKind::UnreadableFile, path, error.to_string());
    }

    fn problem(&mut self, kind: ProblemKind, path: &Path, message: String) {
        let location = Location::of_file(path.to_string_lossy().as_ref().into());
        self.problems.push(Problem::new(kind, message, location));
    }

    fn file(&mut self, path: &Path, place: Option<PathBuf>) {
        if self.files.len() >= self.limits.files {
            if !self.is_full {
                self.is_full = true;
                let message = format!(
                    "there are more than {} files: this one and those after it were not read",
                    self.limits.files
                );
                self.problem(ProblemKind::TooLarge, path, message);
            }
            return;
        }
        if self.is_new(place) {
            self.files.push(File {
                name: path.to_string_lossy().into_owned(),
                path: Some(path.to_owned()),
            });
        }
    }

    /// Whether no other path led to the same place before. What has no place of its own (a pipe)
    /// is always new.
    fn is_new(&mut self, place: Option<PathBuf>) -> bool {
        place.is_none_or(|place| self.seen.insert(place))
    }

    fn directory(&mut self, path: &Path, here: Option<PathBuf>, depth: usize) {
        if depth > MAX_DEPTH {
            let message = format!("directories are nested more than {MAX_DEPTH} deep");
            self.problem(ProblemKind::TooLarge, path, message);
            return;
        }
        if !self.is_new(here.clone()) {
            return;
        }
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(path, &error),
        };
        let mut found = Vec::new();
        for entry in entries {
            match entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))) {
                Ok(entry) => found.push(entry),
                Err(error) => self.unreadable(path, &error),
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (path, kind) in found {
            let file_name = path.file_name().unwrap_or_default();
            let name = file_name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            let is_manifest = path
                .extension()
                .and_then(|ending| ending.to_str())
                .is_some_and(|ending| ENDINGS.contains(&ending.to_lowercase().as_str()));
            // Only of links it has to be asked where they lead.
            let (kind, place) = if kind.is_symlink() {
                match std::fs::metadata(&path) {
                    Ok(found) => (found.file_type(), place(&path)),
                    Err(error) => {
                        // A link that leads nowhere matters only if a manifest should be there.
                        if is_manifest {
                            self.unreadable(&path, &error);
                        }
                        continue;
                    }
                }
            } else {
                (kind, here.as_ref().map(|here| here.join(file_name)))
            };
            if kind.is_dir() {
                self.directory(&path, place, depth + 1);
            } else if is_manifest && kind.is_file() {
                // Of pipes and devices in a directory nobody asked for any.
                self.file(&path, place);
            }
        }
    }
}

/// Where a path leads in the end, if it leads to a place of its own.
fn place(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok()
}
