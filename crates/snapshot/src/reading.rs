//! From documents to objects: what can be done for each document on its own, on any thread.

use crate::builder::{Options, locate, name_of};
use crate::kinds::{Kind, Kinds};
use crate::normal;
use crate::object::{Object, Standing};
use crate::problem::{Problem, ProblemKind, Severity};
use crate::set::Origin;
use crate::source::{FileId, Location, Source};
use model::decode::Document;
use model::resource::GroupVersionKind;
use model::{Value, meta};
use std::sync::Arc;

/// How deep lists of lists are followed.
const MAX_LISTS: usize = 8;

/// What a file holds, read by a builder's [`read`](crate::Builder::read) and yet to be given to
/// it by [`add`](crate::Builder::add).
#[derive(Debug, Default)]
pub struct Reading {
    pub(crate) entries: Vec<Entry>,
    pub(crate) problems: Vec<Problem>,
}

/// One object.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Its kind is built in, so that nothing that is read later changes what becomes of it.
    Finished(Box<Object>),
    /// It waits until all kinds are known.
    Pending(Box<Pending>),
}

/// An object that waits until all kinds are known.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) value: Value,
    pub(crate) source: Option<Source>,
    /// What it was written as, of an object that has its final form.
    pub(crate) written: Option<GroupVersionKind>,
}

/// Reads documents.
pub(crate) struct Reader<'b> {
    pub(crate) options: &'b Options,
    pub(crate) kinds: &'b Kinds,
    pub(crate) files: &'b [Arc<str>],
    pub(crate) read: Reading,
}

impl Reader<'_> {
    /// Reads document `index` of a file.
    pub(crate) fn document(&mut self, file: FileId, index: u32, document: Document) {
        let positions = Arc::new(document.positions);
        let name = name_of(self.files, file);
        for path in &document.decoded.duplicates {
            let at = positions.field_span(path);
            let location = at.map_or_else(
                || Location::of_file(Arc::clone(&name)),
                |span| Location::spanning(Arc::clone(&name), span),
            );
            let message = format!("the field {path:?} stands twice: the last one counts");
            let kind = ProblemKind::DuplicateField;
            self.problem(Problem::new(kind, message, location));
        }
        let source = Source {
            file,
            document: index,
            base: "".into(),
            start: positions.field("").unwrap_or_default(),
            positions,
        };
        self.take(document.decoded.value, Some(source), 0);
    }

    fn problem(&mut self, problem: Problem) {
        self.read.problems.push(problem);
    }

    fn location(&self, source: Option<&Source>, path: &str) -> Option<Location> {
        source.map(|source| locate(self.files, source, path))
    }

    /// Takes one object, or what a list holds.
    pub(crate) fn take(&mut self, value: Value, source: Option<Source>, depth: usize) {
        let written = GroupVersionKind::of(&value);
        if written.kind.is_empty() || written.version.is_empty() {
            let what = if value.is_object() {
                "no Kubernetes object: it has no apiVersion and kind"
            } else {
                "no Kubernetes object: it is no mapping"
            };
            let location = self.location(source.as_ref(), "");
            let kind = ProblemKind::NotAnObject;
            self.problem(Problem::new(kind, what, location));
            return;
        }
        // Kustomize's instructions are in the form of an object and are none.
        if written.group == "kustomize.config.k8s.io" {
            let message = "instructions for kustomize: read the output of `kustomize build` to have \
                           what they change";
            let location = self.location(source.as_ref(), "");
            let mut problem = Problem::new(ProblemKind::NotAnObject, message, location);
            problem.severity = Severity::Note;
            self.problem(problem);
            return;
        }
        let item_kind = written.kind.strip_suffix("List");
        if let Some(item_kind) = item_kind
            && value.get("items").is_some_and(Value::is_array)
            && depth < MAX_LISTS
        {
            self.take_list(value, item_kind, &written, source.as_ref(), depth);
            return;
        }
        // What defines a kind is looked at before it is changed.
        let is_definition = written.kind == "CustomResourceDefinition";
        let found = self.kinds.find(&written.group, &written.kind);
        let is_settled = found.is_some_and(|k| k.builtin.is_some() && k.group == written.group);
        let pending = Pending {
            value,
            source,
            written: None,
        };
        let entry = if is_settled && !is_definition {
            Entry::Finished(Box::new(self.finish(pending)))
        } else {
            Entry::Pending(Box::new(pending))
        };
        self.read.entries.push(entry);
    }

    fn take_list(
        &mut self,
        mut list: Value,
        item_kind: &str,
        written: &GroupVersionKind,
        source: Option<&Source>,
        depth: usize,
    ) {
        let Some(Value::Array(items)) = list.get_mut("items").map(Value::take) else {
            return;
        };
        for (index, mut item) in items.into_iter().enumerate() {
            // The items of a typed list do not say what they are.
            if let Some(item) = item.as_object_mut()
                && !item_kind.is_empty()
            {
                item.entry("apiVersion")
                    .or_insert_with(|| written.api_version().into());
                item.entry("kind").or_insert_with(|| item_kind.into());
            }
            let source = source.map(|list| {
                let base = if list.base.is_empty() {
                    format!("items[{index}]")
                } else {
                    format!("{}.items[{index}]", list.base)
                };
                let start = list.positions.field(&base).unwrap_or(list.start);
                Source {
                    base: base.into(),
                    start,
                    positions: Arc::clone(&list.positions),
                    ..*list
                }
            });
            self.take(item, source, depth + 1);
        }
    }

    /// Brings an object into its final form, as far as the kinds are known that this reader knows.
    pub(crate) fn finish(&mut self, pending: Pending) -> Object {
        let Pending {
            mut value,
            source,
            written,
        } = pending;
        let is_finished = written.is_some();
        let written = written.unwrap_or_else(|| GroupVersionKind::of(&value));
        let found = self.kinds.find(&written.group, &written.kind).cloned();
        let kind = match found {
            Some(kind) => kind,
            None => {
                let namespaced = !meta::namespace(&value).is_empty();
                if !is_finished {
                    let message = format!(
                        "unknown kind {} of {}: only its metadata is understood",
                        written.kind,
                        written.api_version()
                    );
                    let location = self.location(source.as_ref(), "kind");
                    let problem = Problem::new(ProblemKind::UnknownKind, message, location);
                    self.problem(problem.about(&written.group, &written.kind));
                }
                let (group, version) = (&written.group, &written.version);
                Kinds::unknown(group, version, &written.kind, namespaced)
            }
        };
        if !is_finished {
            self.settle(&mut value, &written, &kind, source.as_ref());
        }
        normal::strip(&mut value, &kind);
        let name = match meta::name(&value) {
            "" => meta::text(&value, &["metadata", "generateName"]),
            name => name,
        };
        Object {
            namespace: meta::namespace(&value).into(),
            name: name.into(),
            value: Arc::new(value),
            written,
            kind,
            standing: Standing::Written,
            source,
        }
    }

    /// Brings an object into the form in which a server would hold it, and says what is wrong.
    fn settle(
        &mut self,
        value: &mut Value,
        written: &GroupVersionKind,
        kind: &Kind,
        source: Option<&Source>,
    ) {
        let is_served = kind.versions.contains(&written.version)
            && (kind.builtin.is_none() || kind.group == written.group || kind.plural == "events");
        if kind.known && !is_served {
            let message = format!(
                "{} {} is no longer served: use {}",
                written.api_version(),
                written.kind,
                model::resource::api_version(&kind.group, kind.versions.first().map_or("", |v| v)),
            );
            self.report(
                kind,
                ProblemKind::UnservedVersion,
                message,
                source,
                "apiVersion",
            );
        }
        if !is_metadata_usable(value) {
            let message = "metadata is no mapping of texts".to_owned();
            self.report(kind, ProblemKind::InvalidField, message, source, "metadata");
            meta::set(value, &["metadata"], Value::Object(model::Map::new()));
        }
        if self.options.origin == Origin::Cluster {
            normal::convert_served(value, kind, &written.version);
        } else {
            if kind.known {
                let path = ["metadata", "namespace"];
                if !kind.namespaced {
                    meta::remove(value, &path);
                } else if meta::namespace(value).is_empty() {
                    meta::set(value, &path, self.options.default_namespace.as_str());
                }
            }
            if is_served {
                let findings = normal::admit(value, kind, &written.version);
                for path in findings.unknown_fields {
                    let message = format!("{} has no field {path:?}: it is dropped", written.kind);
                    self.report(kind, ProblemKind::UnknownField, message, source, &path);
                }
                for (path, error) in findings.errors {
                    let message = if path.is_empty() {
                        error
                    } else {
                        format!("{path}: {error}")
                    };
                    self.report(kind, ProblemKind::InvalidField, message, source, &path);
                }
            }
        }
        let generated = meta::text(value, &["metadata", "generateName"]);
        // Of an unknown kind it is not known whether it is an API object at all: configuration files
        // have apiVersion and kind too, and no name.
        if kind.known && meta::name(value).is_empty() && generated.is_empty() {
            let message = format!("{} has no name", written.kind);
            self.report(
                kind,
                ProblemKind::MissingName,
                message,
                source,
                "metadata.name",
            );
        }
    }

    fn report(
        &mut self,
        about: &Kind,
        kind: ProblemKind,
        message: String,
        source: Option<&Source>,
        path: &str,
    ) {
        let problem = Problem::new(kind, message, self.location(source, path));
        self.problem(problem.about(&about.group, &about.plural));
    }
}

/// Whether the parts of `metadata` that every reader relies on have the form they should have.
fn is_metadata_usable(object: &Value) -> bool {
    let Some(metadata) = object.get("metadata") else {
        return true;
    };
    metadata.is_null() || metadata.is_object()
}
