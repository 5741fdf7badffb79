//! Taking objects in, from whatever source.

use crate::given::{self, Given};
use crate::kinds::{Kind, Kinds};
use crate::normal;
use crate::object::{Object, Standing};
use crate::problem::{Problem, ProblemKind, Severity};
use crate::set::{Origin, Snapshot};
use crate::source::{FileId, Location, Source};
use crate::workloads::PodTemplatePath;
use model::decode::{Document, Position};
use model::registry::Registry;
use model::resource::{GroupVersionKind, Text};
use model::{Value, meta};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// How deep lists of lists are followed.
const MAX_LISTS: usize = 8;

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

/// An object that waits until all kinds are known.
struct Pending {
    value: Value,
    source: Option<Source>,
    /// What it was written as, of an object that has its final form.
    written: Option<GroupVersionKind>,
}

/// Takes objects in and makes a [`Snapshot`] of them.
pub struct Builder {
    options: Options,
    kinds: Kinds,
    files: Vec<Arc<str>>,
    documents: HashMap<FileId, u32>,
    pending: Vec<Pending>,
    problems: Vec<Problem>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("files", &self.files.len())
            .field("objects", &self.pending.len())
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
            pending: Vec::new(),
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

    /// Adds a document of a file: an object, or a list of objects.
    pub fn document(&mut self, file: FileId, document: Document) {
        let number = self.documents.entry(file).or_insert(0);
        let index = *number;
        *number = number.saturating_add(1);
        let positions = Arc::new(document.positions);
        let name = name_of(&self.files, file);
        for path in &document.decoded.duplicates {
            let at = positions.field_span(path);
            let location = at.map_or_else(
                || Location::of_file(Arc::clone(&name)),
                |span| Location::spanning(Arc::clone(&name), span),
            );
            let message = format!("the field {path:?} stands twice: the last one counts");
            let kind = ProblemKind::DuplicateField;
            self.problems.push(Problem::new(kind, message, location));
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

    /// Adds an object as a server holds it.
    pub fn object(&mut self, value: Value) {
        self.take(value, None, 0);
    }

    /// Adds an object that went through a builder before.
    pub(crate) fn finished(
        &mut self,
        value: Value,
        written: GroupVersionKind,
        source: Option<Source>,
    ) {
        self.kinds.learn_definition(&value);
        self.pending.push(Pending {
            value,
            source,
            written: Some(written),
        });
    }

    fn location(&self, source: Option<&Source>, path: &str) -> Option<Location> {
        source.map(|source| locate(&self.files, source, path))
    }

    /// Takes one object, or what a list holds.
    fn take(&mut self, value: Value, source: Option<Source>, depth: usize) {
        let written = GroupVersionKind::of(&value);
        if written.kind.is_empty() || written.version.is_empty() {
            let what = if value.is_object() {
                "no Kubernetes object: it has no apiVersion and kind"
            } else {
                "no Kubernetes object: it is no mapping"
            };
            let location = self.location(source.as_ref(), "");
            let kind = ProblemKind::NotAnObject;
            self.problems.push(Problem::new(kind, what, location));
            return;
        }
        // Kustomize's instructions are in the form of an object and are none.
        if written.group == "kustomize.config.k8s.io" {
            let message = "instructions for kustomize: read the output of `kustomize build` to have \
                           what they change";
            let location = self.location(source.as_ref(), "");
            let mut problem = Problem::new(ProblemKind::NotAnObject, message, location);
            problem.severity = Severity::Note;
            self.problems.push(problem);
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
        self.kinds.learn_definition(&value);
        self.pending.push(Pending {
            value,
            source,
            written: None,
        });
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

    /// The snapshot of everything that was taken in.
    pub fn build(mut self) -> Snapshot {
        let given = Given::new();
        self.learn_workloads();
        let pending = std::mem::take(&mut self.pending);
        let mut objects: Vec<Object> = Vec::with_capacity(pending.len());
        for one in pending {
            let mut object = self.finish(one);
            object.standing = given.standing(&object);
            objects.push(object);
        }
        let mut objects = self.without_duplicates(objects);
        if self.options.origin == Origin::Manifests {
            self.add_what_is_implied(&mut objects);
        }
        objects.sort_by(|a, b| a.order().cmp(&b.order()));
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
                .pending
                .iter()
                .map(|pending| GroupVersionKind::of(&pending.value))
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

    fn finish(&mut self, pending: Pending) -> Object {
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
                    self.problems
                        .push(problem.about(&written.group, &written.kind));
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
                for error in findings.errors {
                    self.report(kind, ProblemKind::InvalidField, error, source, "");
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
        self.problems
            .push(problem.about(&about.group, &about.plural));
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
                self.report(&object.kind, kind, message, object.source.as_ref(), "");
            }
            kept.push(Some(object));
        }
        kept.into_iter().flatten().collect()
    }

    /// Adds the namespaces that objects live in, and what every cluster has.
    fn add_what_is_implied(&self, objects: &mut Vec<Object>) {
        let mut present: BTreeSet<(String, String, String, String)> = BTreeSet::new();
        let mut namespaces: BTreeSet<String> = BTreeSet::new();
        for object in objects.iter() {
            let (group, plural, namespace, name) = object.order();
            if !namespace.is_empty() {
                namespaces.insert(namespace.to_owned());
            } else if object.is("", "namespaces") {
                namespaces.insert(name.to_owned());
            }
            present.insert((
                group.to_owned(),
                plural.to_owned(),
                namespace.to_owned(),
                name.to_owned(),
            ));
        }
        let mut add = |value: Value, standing: Standing| {
            let Some(object) = self.implied(value, standing) else {
                return;
            };
            let (group, plural, namespace, name) = object.order();
            let key = (
                group.to_owned(),
                plural.to_owned(),
                namespace.to_owned(),
                name.to_owned(),
            );
            if present.insert(key) {
                objects.push(object);
            }
        };
        if self.options.with_given {
            for value in given::objects() {
                add(value, Standing::Given);
            }
            for name in given::NAMESPACES {
                namespaces.insert(name.to_owned());
                add(given::namespace(name), Standing::Given);
            }
        }
        for name in &namespaces {
            let standing = if given::NAMESPACES.contains(&name.as_str()) {
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

/// Whether the parts of `metadata` that every reader relies on have the form they should have.
fn is_metadata_usable(object: &Value) -> bool {
    let Some(metadata) = object.get("metadata") else {
        return true;
    };
    metadata.is_null() || metadata.is_object()
}

pub(crate) fn name_of(files: &[Arc<str>], file: FileId) -> Arc<str> {
    files
        .get(file.0 as usize)
        .map_or_else(|| "".into(), Arc::clone)
}

/// Where the field at `path` of an object stands, or the innermost field around it that is there.
pub(crate) fn locate(files: &[Arc<str>], source: &Source, path: &str) -> Location {
    let file = name_of(files, source.file);
    let whole = join(&source.base, path);
    match source.positions.nearest_span(&whole) {
        Some((span, found)) if found >= source.base.len() => Location::spanning(file, span),
        _ if source.start == Position::default() => Location::of_file(file),
        _ => Location::at(file, source.start),
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
