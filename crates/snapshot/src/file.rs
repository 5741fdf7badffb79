//! Snapshots as files: JSON, with the version of their form.
//!
//! A file holds the objects as the snapshot has them, so that secrets' values are in no file, the
//! kinds that are not built in, and the problems that were met. What every cluster has and was
//! only added to manifests is added again when the file is read.

use crate::builder::{Builder, Options};
use crate::kinds::Kind;
use crate::object::{Object, Standing};
use crate::problem::{Problem, ProblemKind};
use crate::set::{Origin, Snapshot};
use crate::source::Source;
use model::decode::{Position, Positions};
use model::registry::Registry;
use model::resource::{GroupVersionKind, api_version, split_api_version};
use model::{Value, meta};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::Arc;

/// The version of the form.
pub const SCHEMA_VERSION: &str = "rampart.snapshot/v1";

/// Why a file is no snapshot that can be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is no JSON, or not of this form.
    #[error("not a snapshot: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It is of another version.
    #[error("the snapshot has schemaVersion {found:?}, this rampart reads {SCHEMA_VERSION:?}")]
    Version {
        /// Its version.
        found: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File<O> {
    schema_version: String,
    origin: Origin,
    with_given: bool,
    #[serde(default)]
    kinds: Vec<Kind>,
    #[serde(default)]
    files: Vec<Arc<str>>,
    objects: Vec<Entry<O>>,
    #[serde(default)]
    problems: Vec<Problem>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<O> {
    object: O,
    /// The `apiVersion` that was written, if it is another than the object's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written_as: Option<String>,
    /// `[file, document, line, column]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<[u32; 4]>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    schema_version: String,
}

impl Snapshot {
    /// The snapshot as a file.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let objects = self
            .objects
            .iter()
            .filter(|o| !self.is_added(o))
            .map(|object| {
                let written = object.written.api_version();
                let own = meta::text(&object.value, &["apiVersion"]);
                Entry {
                    object: &*object.value,
                    written_as: (written != own).then_some(written),
                    source: object
                        .source
                        .as_ref()
                        .map(|s| [s.file.0, s.document, s.start.line, s.start.column]),
                }
            })
            .collect();
        serde_json::to_vec(&File {
            schema_version: SCHEMA_VERSION.to_owned(),
            origin: self.origin(),
            with_given: self.has_given(),
            kinds: self.kinds.learnt().iter().map(|k| (**k).clone()).collect(),
            files: self.files.clone(),
            objects,
            problems: self.problems().to_vec(),
        })
    }

    /// Whether an object was added to manifests, rather than read.
    pub fn is_added(&self, object: &Object) -> bool {
        self.origin() == Origin::Manifests
            && object.standing != Standing::Written
            && object.source.is_none()
    }

    /// Reads a file. `options` say where custom kinds keep their pod templates; all else is the
    /// file's to say.
    pub fn from_json(
        file: &[u8],
        registry: Arc<Registry>,
        options: Options,
    ) -> Result<Self, FileError> {
        let head: Head = serde_json::from_slice(file)?;
        if head.schema_version != SCHEMA_VERSION {
            return Err(FileError::Version {
                found: head.schema_version,
            });
        }
        // Objects may nest as deep as the parser goes, so that they are read on their own.
        let file: File<&RawValue> = serde_json::from_slice(file)?;
        let known: Vec<String> = options
            .pod_templates
            .iter()
            .map(|path| model::status::qualified(&path.group, &path.kind))
            .collect();
        let mut builder = Builder::new(
            registry,
            Options {
                origin: file.origin,
                with_given: file.with_given,
                ..options
            },
        );
        for kind in file.kinds {
            builder.kind(kind);
        }
        let ids: HashMap<u32, crate::FileId> = (0..)
            .zip(&file.files)
            .map(|(index, name)| (index, builder.file(name)))
            .collect();
        let nowhere = Arc::new(Positions::default());
        for entry in file.objects {
            let value: Value = serde_json::from_str(entry.object.get())?;
            let mut written = GroupVersionKind::of(&value);
            if let Some(text) = &entry.written_as {
                let (group, version) = split_api_version(text);
                written.group = group.to_owned().into();
                written.version = version.to_owned().into();
            }
            let source = entry.source.and_then(|[file, document, line, column]| {
                Some(Source {
                    file: *ids.get(&file)?,
                    document,
                    base: "".into(),
                    start: Position { line, column },
                    positions: Arc::clone(&nowhere),
                })
            });
            builder.finished(value, written, source);
        }
        // The file's problems hold those that building meets again, but for kinds that are known
        // by now.
        let mut snapshot = builder.build();
        let mut problems = file.problems;
        problems.retain(|problem| {
            problem.kind != ProblemKind::UnknownKind
                || !known
                    .iter()
                    .any(|kind| problem.resource.as_ref() == Some(kind))
        });
        snapshot.set_problems(problems);
        Ok(snapshot)
    }
}

/// `group/version` of a kind's preferred version, for messages.
impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let version = self.versions.first().map_or("", |v| v);
        write!(f, "{} {}", api_version(&self.group, version), self.kind)
    }
}
