//! Files to documents, on all processors.

use crate::Limits;
use crate::find::File;
use model::decode::{DecodeError, documents};
use snapshot::{Builder, FileId, Location, Problem, ProblemKind, Reading};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How much of a file is looked at to tell whether it is text.
const HEAD: usize = 8192;

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) text: Vec<u8>,
    pub(crate) objects: Reading,
    pub(crate) errors: Vec<DecodeError>,
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error("larger than {} MiB: it was not read", .0 >> 20)]
    TooLarge(u64),
    #[error("binary: it holds no manifests")]
    Binary,
    #[error("UTF-16: it was not read, as manifests are UTF-8")]
    Utf16,
}

impl Failure {
    pub(crate) fn problem(&self, file: &Arc<str>) -> Problem {
        let kind = match self {
            Self::Unreadable(_) => ProblemKind::UnreadableFile,
            Self::TooLarge(_) => ProblemKind::TooLarge,
            Self::Binary | Self::Utf16 => ProblemKind::BinaryFile,
        };
        Problem::new(kind, self.to_string(), Location::of_file(Arc::clone(file)))
    }
}

impl Parsed {
    /// What could not be parsed.
    pub(crate) fn problems(&self, file: &Arc<str>) -> impl Iterator<Item = Problem> {
        let is_template = self.text.windows(2).any(|two| two == b"{{");
        self.errors.iter().map(move |error| {
            let at = error.position.unwrap_or_default();
            let prefix = format!("yaml: line {}: ", at.line);
            let text = error.text.strip_prefix(&prefix).unwrap_or(&error.text);
            let hint = if is_template {
                " (this looks like a template: render it first, as with `helm template`)"
            } else {
                ""
            };
            Problem::new(
                ProblemKind::UnparsableDocument,
                format!("cannot be parsed: {text}{hint}"),
                Location::at(Arc::clone(file), at),
            )
        })
    }
}

/// Reads no more than `limit` bytes, of about `expected`.
pub(crate) fn read_limited(
    source: &mut dyn Read,
    limit: u64,
    expected: u64,
) -> Result<Vec<u8>, Failure> {
    let room = usize::try_from(expected.min(limit)).unwrap_or(0);
    let mut bytes = Vec::with_capacity(room.saturating_add(1));
    source
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(Failure::TooLarge(limit));
    }
    Ok(bytes)
}

fn parse(text: Vec<u8>, builder: &Builder, id: FileId) -> Result<Parsed, Failure> {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Err(Failure::Utf16);
    }
    if text.iter().take(HEAD).any(|byte| *byte == 0) {
        return Err(Failure::Binary);
    }
    let mut errors = Vec::new();
    let documents = documents(&text).filter_map(|document| match document {
        Ok(document) => Some(document),
        Err(error) => {
            errors.push(error);
            None
        }
    });
    let objects = builder.read(id, documents);
    Ok(Parsed {
        text,
        objects,
        errors,
    })
}

fn read(file: &File, id: FileId, builder: &Builder, limits: Limits) -> Result<Parsed, Failure> {
    let Some(path) = &file.path else {
        return Ok(Parsed::default());
    };
    let mut source = std::fs::File::open(path)?;
    // A large file is not read up to the limit only to be thrown away.
    let size = source.metadata()?.len();
    if size > limits.file_bytes {
        return Err(Failure::TooLarge(limits.file_bytes));
    }
    let text = read_limited(&mut source, limits.file_bytes, size)?;
    parse(text, builder, id)
}

/// What each of the files holds, in their order; the builder knows them under `ids`.
pub(crate) fn all(
    files: &[File],
    ids: &[FileId],
    builder: &Builder,
    standard_input: Option<Result<Vec<u8>, Failure>>,
    limits: Limits,
) -> Vec<Result<Parsed, Failure>> {
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(files.len());
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let (Some(file), Some(id)) = (files.get(index), ids.get(index)) else {
                return done;
            };
            done.push((index, read(file, *id, builder, limits)));
        }
    };
    let mut results: Vec<(usize, Result<Parsed, Failure>)> = std::thread::scope(|scope| {
        let handles: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for handle in handles {
            match handle.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    results.sort_by_key(|(index, _)| *index);
    let mut standard_input = standard_input;
    results
        .into_iter()
        .zip(ids)
        .map(|((index, result), id)| {
            let is_standard_input = files.get(index).is_some_and(File::is_standard_input);
            match standard_input.take_if(|_| is_standard_input) {
                Some(text) => text.and_then(|text| parse(text, builder, *id)),
                None => result,
            }
        })
        .collect()
}
