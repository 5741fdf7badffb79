//! Taking objects in, from whatever source.

use crate::given::{self, Given};
use crate::kinds::{Kind, Kinds};
use crate::normal;
use crate::object::{Object, Standing};
use crate::problem::{Problem, ProblemKind};
use crate::reading::{Entry, Pending, Reader, Reading};
use crate::set::{Origin, Snapshot};
use crate::source::{FileId, Location, Source};
use crate::workloads::PodTemplatePath;
use model::decode::{Document, Position};
use model::registry::Registry;
use model::resource::{GroupVersionKind, Text};
use model::{Value, meta};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// How a snapshot is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether these are manifests, to which what every cluster has is added, or a cluster's own
    /// objects.
    pub origin: Origin,
    /// The namespace of manifests that name none.
    pub default_namespace: String,
    /// Whether manifests are read together with what every cluster has ([`Standing::Given`]).
    /// Without it, answers are about the manifests alone.
    pub with_given: bool,
    /// Where custom kinds keep pod templates.
    pub pod_templates: Vec<PodTemplatePath>,
}

impl Options {
    /// For manifests that are to be applied in the namespace `default_namespace`.
    pub fn manifests(default_namespace: impl Into<String>) -> Self {
        Self {
            origin: Origin::Manifests,
            default_namespace: default_namespace.into(),
            with_given: true,
            pod_templates: Vec::new(),
        }
    }

    /// For the objects of a cluster.
    pub fn cluster() -> Self {
        Self {
            origin: Origin::Cluster,
            with_given: false,
            ..Self::manifests("default")
        }
    }
}

/// Takes objects in and makes a [`Snapshot`] of them.
pub struct Builder {
    options: Options,
    kinds: Kinds,
    files: Vec<Arc<str>>,
    documents: HashMap<FileId, u32>,
    entries: Vec<Entry>,
    problems: Vec<Problem>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("files", &self.files.len())
            .field("objects", &self.entries.len())
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// A builder that knows the kinds of `registry`.
    pub fn new(registry: Arc<Registry>, options: Options) -> Self {
        Self {
            options,
            kinds: Kinds::new(registry),
            files: Vec::new(),
            documents: HashMap::new(),
            entries: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Adds a file, under the name that locations give it.
    pub fn file(&mut self, name: &str) -> FileId {
        let id = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        self.files.push(name.into());
        FileId(id)
    }

    /// The name of a file.
    pub fn file_name(&self, file: FileId) -> Arc<str> {
        name_of(&self.files, file)
    }

    /// Adds a kind that a cluster serves.
    pub fn kind(&mut self, kind: Kind) {
        self.kinds.learn(kind);
    }

    /// Adds a problem that the source met.
    pub fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Reads the documents of a file. Files may be read by several threads at once; what comes out
    /// is then [`add`](Self::add)ed in the order in which the files count.
    pub fn read(&self, file: FileId, documents: impl IntoIterator<Item = Document>) -> Reading {
        let mut reader = self.reader();
        for (index, document) in (0..).zip(documents) {
            reader.document(file, index, document);
        }
        reader.read
    }

    /// Adds what [`read`](Self::read) made of a file.
    pub fn add(&mut self, reading: Reading) {
        self.problems.extend(reading.problems);
        for entry in &reading.entries {
            if let Entry::Pending(pending) = entry {
                self.kinds.learn_definition(&pending.value);
            }
        }
        self.entries.extend(reading.entries);
    }

    /// Adds the next document of a file: an object, or a list of objects. A file that is added
    /// like this is not [`read`](Self::read).
    pub fn document(&mut self, file: FileId, document: Document) {
        let number = self.documents.entry(file).or_insert(0);
        let index = *number;
        *number = number.saturating_add(1);
        let mut reader = self.reader();
        reader.document(file, index, document);
        let read = reader.read;
        self.add(read);
    }

    /// Adds an object as a server holds it.
    pub fn object(&mut self, value: Value) {
        let mut reader = self.reader();
        reader.take(value, None, 0);
        let read = reader.read;
        self.add(read);
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            options: &self.options,
            kinds: &self.kinds,
            files: &self.files,
            read: Reading::default(),
        }
    }

    /// Adds an object that went through a builder before.
    pub(crate) fn finished(
        &mut self,
        value: Value,
        written: GroupVersionKind,
        source: Option<Source>,
    ) {
        self.kinds.learn_definition(&value);
        self.entries.push(Entry::Pending(Box::new(Pending {
            value,
            source,
            written: Some(written),
        })));
    }

    fn location(&self, source: Option<&Source>, path: &str) -> Option<Location> {
        source.map(|source| locate(&self.files, source, path))
    }

    /// The snapshot of everything that was taken in.
    pub fn build(mut self) -> Snapshot {
        let given = Given::new();
        self.learn_workloads();
        let entries = std::mem::take(&mut self.entries);
        let mut objects: Vec<Object> = Vec::with_capacity(entries.len());
        let mut reader = self.reader();
        for entry in entries {
            let mut object = match entry {
                Entry::Finished(object) => *object,
                Entry::Pending(pending) => reader.finish(*pending),
            };
            object.standing = given.standing(&object);
            objects.push(object);
        }
        let late = reader.read.problems;
        self.problems.extend(late);
        let mut objects = self.without_duplicates(objects);
        objects.sort_by(|a, b| a.order().cmp(&b.order()));
        if self.options.origin == Origin::Manifests {
            let implied = self.implied_by(&objects);
            objects.extend(implied);
            objects.sort_by(|a, b| a.order().cmp(&b.order()));
        }
        let mut snapshot = Snapshot::index(
            self.options.origin,
            self.options.with_given,
            self.kinds,
            self.files,
            objects,
            &self.options.pod_templates,
        );
        self.problems.extend(snapshot.read_roles());
        self.problems.sort_by(|a, b| {
            let (a, b) = (a.location.as_ref(), b.location.as_ref());
            a.map(Location::order).cmp(&b.map(Location::order))
        });
        snapshot.set_problems(self.problems);
        snapshot
    }

    /// Makes the kinds known that were said to hold pod templates and that no definition is of: in
    /// the versions in which they were written, and with the plural that kinds mostly have.
    fn learn_workloads(&mut self) {
        for path in std::mem::take(&mut self.options.pod_templates) {
            let versions: BTreeSet<Text> = self
                .entries
                .iter()
                .filter_map(|entry| match entry {
                    Entry::Pending(pending) => Some(GroupVersionKind::of(&pending.value)),
                    // A built-in kind is known.
                    Entry::Finished(_) => None,
                })
                .filter(|written| written.group == path.group && written.kind == path.kind)
                .map(|written| written.version)
                .collect();
            // What is not there needs no name; whoever asks about access to it has to define it.
            if !versions.is_empty() {
                let kind = Kinds::unknown(&path.group, "", &path.kind, true);
                self.kinds.learn(Kind {
                    known: true,
                    versions: versions.into_iter().collect(),
                    ..(*kind).clone()
                });
            }
            self.options.pod_templates.push(path);
        }
    }

    /// Of several objects with one name the last stays, as it would after `kubectl apply`.
    fn without_duplicates(&mut self, objects: Vec<Object>) -> Vec<Object> {
        let mut kept: Vec<Option<Object>> = Vec::with_capacity(objects.len());
        let mut places: HashMap<(Text, Text, Arc<str>, Arc<str>), usize> = HashMap::new();
        for object in objects {
            if object.is_name_generated() {
                kept.push(Some(object));
                continue;
            }
            let key = (
                object.kind.group.clone(),
                object.kind.plural.clone(),
                Arc::clone(&object.namespace),
                Arc::clone(&object.name),
            );
            if let Some(earlier) = places.insert(key, kept.len())
                && let Some(earlier) = kept.get_mut(earlier).and_then(Option::take)
                && self.options.origin == Origin::Manifests
            {
                let first = self.location(earlier.source.as_ref(), "");
                let first = first
                    .map(|at| format!(" (first at {at})"))
                    .unwrap_or_default();
                let message = format!(
                    "{} is defined twice: this one counts{first}",
                    object.title()
                );
                let kind = ProblemKind::DuplicateObject;
                let location = self.location(object.source.as_ref(), "");
                let problem = Problem::new(kind, message, location);
                let about = &object.kind;
                self.problems
                    .push(problem.about(&about.group, &about.plural));
            }
            kept.push(Some(object));
        }
        kept.into_iter().flatten().collect()
    }

    /// The namespaces that objects live in, and what every cluster has, as far as it is not among
    /// the objects, which are sorted.
    fn implied_by(&self, objects: &[Object]) -> Vec<Object> {
        let mut namespaces: BTreeSet<&str> = BTreeSet::new();
        for object in objects {
            if !object.namespace.is_empty() {
                namespaces.insert(object.namespace());
            } else if object.is("", "namespaces") {
                namespaces.insert(object.name());
            }
        }
        let mut implied = Vec::new();
        let mut add = |value: Value, standing: Standing| {
            let object = self.implied(value, standing);
            let is_there = |o: &Object| {
                let order = o.order();
                objects
                    .binary_search_by(|other| other.order().cmp(&order))
                    .is_ok()
            };
            implied.extend(object.filter(|o| !is_there(o)));
        };
        if self.options.with_given {
            for value in given::objects() {
                add(value, Standing::Given);
            }
            namespaces.extend(given::NAMESPACES);
        }
        for name in namespaces {
            let standing = if given::NAMESPACES.contains(&name) {
                Standing::Given
            } else {
                Standing::Implied
            };
            add(given::namespace(name), standing);
            if self.options.with_given {
                for value in given::of_namespace(name) {
                    add(value, Standing::Given);
                }
            }
        }
        implied
    }

    fn implied(&self, mut value: Value, standing: Standing) -> Option<Object> {
        let written = GroupVersionKind::of(&value);
        let kind = Arc::clone(self.kinds.find(&written.group, &written.kind)?);
        normal::admit(&mut value, &kind, &written.version);
        Some(Object {
            namespace: meta::namespace(&value).into(),
            name: meta::name(&value).into(),
            value: Arc::new(value),
            written,
            kind,
            standing,
            source: None,
        })
    }
}

pub(crate) fn name_of(files: &[Arc<str>], file: FileId) -> Arc<str> {
    files
        .get(file.0 as usize)
        .map_or_else(|| "".into(), Arc::clone)
}

/// Where the field at `path` of an object stands, or the innermost field around it that is there.
pub(crate) fn locate(files: &[Arc<str>], source: &Source, path: &str) -> Location {
    locate_both(files, source, path).0
}

/// As [`locate`], and where the value stands if the field is there itself.
pub(crate) fn locate_both(
    files: &[Arc<str>],
    source: &Source,
    path: &str,
) -> (Location, Option<Location>) {
    let file = name_of(files, source.file);
    let whole: Cow<'_, str> = match &*source.base {
        "" => path.into(),
        base => join(base, path).into(),
    };
    match source.positions.nearest_spans(&whole) {
        Some((span, value, found)) if found >= source.base.len() => {
            let value = value.map(|value| Location::spanning(Arc::clone(&file), value));
            (Location::spanning(file, span), value)
        }
        _ if source.start == Position::default() => (Location::of_file(file), None),
        _ => (Location::at(file, source.start), None),
    }
}

/// One path after another.
pub(crate) fn join(base: &str, path: &str) -> String {
    match (base.is_empty(), path.is_empty()) {
        (true, _) => path.to_owned(),
        (_, true) => base.to_owned(),
        _ if path.starts_with('[') => format!("{base}{path}"),
        _ => format!("{base}.{path}"),
    }
}
