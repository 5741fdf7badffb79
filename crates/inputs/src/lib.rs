//! Manifests and snapshot files, read into a [`snapshot::Snapshot`].
//!
//! Nothing here fails as a whole: a file that cannot be read, or a document that makes no sense,
//! is a [`snapshot::Problem`] with its place, and the rest is read.

mod find;
mod gzip;
mod parse;
mod texts;

pub use gzip::{SnapshotFileError, read_snapshot, write_snapshot};
pub use texts::Texts;

use model::registry::Registry;
use snapshot::{Builder, FileId, Location, Options, Problem, ProblemKind, Snapshot};
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

/// How much is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest file, in bytes. Manifests are small: what is larger is named and passed over.
    pub file_bytes: u64,
    /// All files together, in bytes.
    pub total_bytes: u64,
    /// How many files.
    pub files: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
            total_bytes: 1 << 30,
            files: 200_000,
        }
    }
}

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// The objects and the problems.
    pub snapshot: Snapshot,
    /// The texts of the files, for excerpts and repairs.
    pub texts: Texts,
}

/// Reads manifests: files, directories, and `-` for `stdin`.
///
/// Of directories, all files below them that end in `.yaml`, `.yml` or `.json`, in the order of
/// their names; not those whose name, or whose directory's name, begins with a dot. Symbolic links
/// are followed, each directory and each file once. A file that is named is read whatever its name
/// is.
pub fn read_manifests(
    paths: &[PathBuf],
    stdin: &mut dyn Read,
    registry: Arc<Registry>,
    options: Options,
    limits: Limits,
) -> Loaded {
    let mut builder = Builder::new(registry, options);
    let (files, problems) = find::files(paths, limits);
    for problem in problems {
        builder.problem(problem);
    }
    let mut texts = Texts::default();
    let mut standard_input = None;
    if files.iter().any(find::File::is_standard_input) {
        standard_input = Some(parse::read_limited(stdin, limits.file_bytes, 0));
    }
    let mut left = limits.total_bytes;
    let ids: Vec<FileId> = files.iter().map(|file| builder.file(&file.name)).collect();
    let parsed = parse::all(&files, &ids, &builder, standard_input, limits);
    for (id, read) in ids.into_iter().zip(parsed) {
        let name = builder.file_name(id);
        let read = match read {
            Ok(read) => read,
            Err(failure) => {
                builder.problem(failure.problem(&name));
                texts.push(&name, Vec::new());
                continue;
            }
        };
        let size = u64::try_from(read.text.len()).unwrap_or(u64::MAX);
        let Some(rest) = left.checked_sub(size) else {
            let message = format!(
                "all files together are larger than {} MiB: this one was not read",
                limits.total_bytes >> 20
            );
            let location = Location::of_file(Arc::clone(&name));
            builder.problem(Problem::new(ProblemKind::TooLarge, message, location));
            texts.push(&name, Vec::new());
            continue;
        };
        left = rest;
        for problem in read.problems(&name) {
            builder.problem(problem);
        }
        builder.add(read.objects);
        texts.push(&name, read.text);
    }
    Loaded {
        snapshot: builder.build(),
        texts,
    }
}
