//! The set and its indexes.

use crate::builder::{locate, locate_both, name_of};
use crate::kinds::{Kind, Kinds};
use crate::object::{Object, ObjectId, Standing};
use crate::pods::PodTemplate;
use crate::problem::{Problem, Severity};
use crate::roles::Roles;
use crate::source::{Citation, FileId, Location};
use crate::workloads::{Place, PodTemplatePath};
use model::selector::LabelSelector;
use model::{Value, meta};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Where the objects of a snapshot come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// Files.
    Manifests,
    /// A cluster.
    Cluster,
}

/// The objects that carry a label, by its key and value.
type LabelIndex = HashMap<(Box<str>, Box<str>), Vec<ObjectId>>;

/// An immutable set of objects with its indexes. Objects are in the order of their API group,
/// plural name, namespace and name, whatever the order of the source.
#[derive(Debug)]
pub struct Snapshot {
    origin: Origin,
    with_given: bool,
    pub(crate) kinds: Kinds,
    pub(crate) files: Vec<Arc<str>>,
    pub(crate) objects: Vec<Object>,
    problems: Vec<Problem>,
    /// Where the objects of each resource are; few, so that they are looked for here first.
    resources: Vec<Range<usize>>,
    by_namespace: BTreeMap<Arc<str>, Vec<ObjectId>>,
    by_uid: HashMap<Box<str>, ObjectId>,
    by_label: OnceLock<LabelIndex>,
    templates: Vec<(ObjectId, Place)>,
    custom_workloads: Vec<Arc<Kind>>,
    pub(crate) roles: Roles,
}

impl Snapshot {
    /// Indexes objects that are sorted.
    pub(crate) fn index(
        origin: Origin,
        with_given: bool,
        kinds: Kinds,
        files: Vec<Arc<str>>,
        objects: Vec<Object>,
        custom: &[PodTemplatePath],
    ) -> Self {
        let mut by_namespace: BTreeMap<Arc<str>, Vec<ObjectId>> = BTreeMap::new();
        let mut by_uid = HashMap::new();
        let mut templates = Vec::new();
        let resources = resources(&objects);
        for (object, id) in objects.iter().zip((0..).map(ObjectId)) {
            if !object.namespace.is_empty() {
                let namespace = Arc::clone(&object.namespace);
                by_namespace.entry(namespace).or_default().push(id);
            } else if object.is("", "namespaces") {
                by_namespace.entry(Arc::clone(&object.name)).or_default();
            }
            let uid = meta::uid(&object.value);
            if !uid.is_empty() {
                by_uid.insert(uid.into(), id);
            }
            let own = crate::workloads::templates(object, custom);
            templates.extend(own.into_iter().map(|place| (id, place)));
        }
        let mut custom_workloads: Vec<Arc<Kind>> = Vec::new();
        for path in custom {
            if let Some(kind) = kinds.find(&path.group, &path.kind)
                && kind.builtin.is_none()
                && !custom_workloads
                    .iter()
                    .any(|known| Arc::ptr_eq(known, kind))
            {
                custom_workloads.push(Arc::clone(kind));
            }
        }
        Self {
            origin,
            with_given,
            kinds,
            files,
            objects,
            problems: Vec::new(),
            resources,
            by_namespace,
            by_uid,
            by_label: OnceLock::new(),
            templates,
            custom_workloads,
            roles: Roles::default(),
        }
    }

    pub(crate) fn set_problems(&mut self, problems: Vec<Problem>) {
        self.problems = problems;
    }

    /// Where the objects come from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether what every cluster has was added to manifests.
    pub fn has_given(&self) -> bool {
        self.with_given
    }

    /// The kinds that are known.
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// What could not be understood, by place.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How far the worst problem reaches.
    pub fn worst_problem(&self) -> Option<Severity> {
        self.problems.iter().map(|p| p.severity).max()
    }

    /// All objects, in order; with those that every cluster has.
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// The objects that somebody wrote: what findings are about.
    pub fn written(&self) -> impl Iterator<Item = &Object> {
        self.objects
            .iter()
            .filter(|object| object.standing == Standing::Written)
    }

    /// Of [`Self::written`], what somebody wrote with their own hands: without what a controller
    /// made of another object, and without nodes, which register themselves. A cluster has as many
    /// of these as the manifests that were applied to it.
    pub fn authored(&self) -> impl Iterator<Item = &Object> {
        self.written()
            .filter(|object| self.owner(object).is_none() && !object.is("", "nodes"))
    }

    /// The object of an id of this snapshot.
    pub fn get(&self, id: ObjectId) -> Option<&Object> {
        self.objects.get(id.0 as usize)
    }

    /// The id of an object of this snapshot.
    pub fn id(&self, object: &Object) -> Option<ObjectId> {
        let at = self.objects.partition_point(|o| o.order() < object.order());
        let rest = self.objects.get(at..)?;
        let after = rest.iter().position(|o| std::ptr::eq(o, object))?;
        u32::try_from(at + after).ok().map(ObjectId)
    }

    /// The object of that group, plural name, namespace (empty for kinds of the whole cluster)
    /// and name.
    pub fn find(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<&Object> {
        let key = (group, plural, namespace, name);
        let at = self.objects.partition_point(|o| o.order() < key);
        self.objects.get(at).filter(|o| o.order() == key)
    }

    /// All objects of a resource, by namespace and name.
    pub fn of(&self, group: &str, plural: &str) -> &[Object] {
        let found = self.resources.binary_search_by(|range| {
            let of = self
                .objects
                .get(range.start)
                .map(|o| (o.group(), o.resource()));
            of.cmp(&Some((group, plural)))
        });
        let range = found.ok().and_then(|at| self.resources.get(at));
        range
            .and_then(|range| self.objects.get(range.clone()))
            .unwrap_or_default()
    }

    /// The objects of a resource in one namespace, by name.
    pub fn of_namespace(&self, group: &str, plural: &str, namespace: &str) -> &[Object] {
        let all = self.of(group, plural);
        let first = all.partition_point(|o| o.namespace() < namespace);
        let end = all.partition_point(|o| o.namespace() <= namespace);
        all.get(first..end).unwrap_or_default()
    }

    /// Everything in a namespace.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &Object> {
        let ids = self.by_namespace.get(namespace);
        ids.into_iter().flatten().filter_map(|id| self.get(*id))
    }

    /// The names of all namespaces: those that are defined, and those that something lives in.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.by_namespace.keys().map(|name| &**name)
    }

    /// The labels of a namespace; none for one that is not defined.
    pub fn namespace_labels(&self, namespace: &str) -> BTreeMap<&str, &str> {
        self.find("", "namespaces", "", namespace)
            .map(|object| meta::labels(&object.value))
            .unwrap_or_default()
    }

    /// The objects that carry a label with that value, in order.
    pub fn with_label(&self, key: &str, value: &str) -> impl Iterator<Item = &Object> {
        let index = self.by_label.get_or_init(|| {
            let mut index = LabelIndex::new();
            for (object, id) in self.objects.iter().zip((0..).map(ObjectId)) {
                for (key, value) in meta::labels(&object.value) {
                    index
                        .entry((key.into(), value.into()))
                        .or_default()
                        .push(id);
                }
            }
            index
        });
        let ids = index.get(&(key.into(), value.into()));
        ids.into_iter().flatten().filter_map(|id| self.get(*id))
    }

    /// The objects of a resource in one namespace that a label selector selects.
    pub fn select<'a>(
        &'a self,
        group: &str,
        plural: &str,
        namespace: &str,
        selector: &'a LabelSelector,
    ) -> impl Iterator<Item = &'a Object> {
        self.of_namespace(group, plural, namespace)
            .iter()
            .filter(|object| selector.matches_object(&object.value))
    }

    /// The service account of that name, as `(defined, object)`: pods may name one that does not
    /// exist.
    pub fn service_account(&self, namespace: &str, name: &str) -> Option<&Object> {
        self.find("", "serviceaccounts", namespace, name)
    }

    /// The object whose controller made this one, if both are here: the Deployment of a
    /// ReplicaSet. Findings belong to the outermost.
    pub fn owner(&self, object: &Object) -> Option<&Object> {
        let owner = object.controller()?;
        if let Some(id) = self.by_uid.get(meta::text(owner, &["uid"])) {
            return self.get(*id);
        }
        let (group, _) = model::resource::split_api_version(meta::text(owner, &["apiVersion"]));
        let kind = self.kinds.find(group, meta::text(owner, &["kind"]))?;
        let namespace = if kind.namespaced {
            object.namespace()
        } else {
            ""
        };
        let name = meta::text(owner, &["name"]);
        self.find(&kind.group, &kind.plural, namespace, name)
    }

    /// Every pod template, in the order of its objects; with those of objects that controllers
    /// made of others (see [`PodTemplate::is_outermost`]).
    pub fn pod_templates(&self) -> impl Iterator<Item = PodTemplate<'_>> {
        self.templates
            .iter()
            .filter_map(|(id, place)| PodTemplate::new(self, self.get(*id)?, place))
    }

    /// The pod template that an object carries; of a custom kind with several, the first.
    pub fn pod_template<'a>(&'a self, object: &'a Object) -> Option<PodTemplate<'a>> {
        self.pod_templates_of(object).next()
    }

    /// The pod templates that an object carries.
    pub fn pod_templates_of<'a>(
        &'a self,
        object: &'a Object,
    ) -> impl Iterator<Item = PodTemplate<'a>> + use<'a> {
        let own = self.id(object).map_or(&[][..], |id| {
            let start = self.templates.partition_point(|(other, _)| *other < id);
            let rest = self.templates.get(start..).unwrap_or_default();
            let end = rest.partition_point(|(other, _)| *other <= id);
            rest.get(..end).unwrap_or_default()
        });
        own.iter()
            .filter_map(|(_, place)| PodTemplate::new(self, object, place))
    }

    /// The custom kinds that were said to hold pod templates, as far as anything says what their
    /// objects are called.
    pub fn custom_workloads(&self) -> impl Iterator<Item = &Kind> {
        self.custom_workloads.iter().map(|kind| &**kind)
    }

    /// Where the field at `path` of an object stands, or the innermost field around it that is
    /// there. `None` if the object was read from no file.
    pub fn locate(&self, object: &Object, path: &str) -> Option<Location> {
        let source = object.source.as_ref()?;
        Some(locate(&self.files, source, path))
    }

    /// As [`locate`](Self::locate); a key whose value is on the same line stands there with it.
    pub fn locate_line(&self, object: &Object, path: &str) -> Option<Location> {
        let source = object.source.as_ref()?;
        let (mut location, value) = locate_both(&self.files, source, path);
        if let Some(value) = value
            && value.line == location.line
            && value.end_line == location.line
        {
            location.end_column = location.end_column.max(value.end_column);
            location.bytes.end = location.bytes.end.max(value.bytes.end);
        }
        Some(location)
    }

    /// Where the value of the field at `path` stands; `None` if it was not written.
    pub fn locate_value(&self, object: &Object, path: &str) -> Option<Location> {
        let source = object.source.as_ref()?;
        let whole = crate::builder::join(&source.base, path);
        let span = source.positions.value_span(&whole)?;
        Some(Location::spanning(name_of(&self.files, source.file), span))
    }

    /// Whether the field at `path` was written, rather than defaulted. Of objects that were read
    /// from no file that is not known: whatever is there counts as written.
    pub fn is_written(&self, object: &Object, path: &str) -> bool {
        match &object.source {
            Some(source) if !source.positions.is_empty() => {
                let whole = crate::builder::join(&source.base, path);
                source.positions.field(&whole).is_some()
            }
            _ => true,
        }
    }

    /// The names of all files, in the order in which they were read.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &str)> {
        (0..).map(FileId).zip(self.files.iter().map(|name| &**name))
    }

    /// The name of a file.
    pub fn file_name(&self, file: FileId) -> Arc<str> {
        name_of(&self.files, file)
    }

    /// Names an object, or a field of one, as a reason.
    pub fn cite(&self, object: &Object, path: &str) -> Citation {
        Citation {
            kind: object.kind.kind.clone().into_owned(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            field: path.to_owned(),
            given: object.standing == Standing::Given,
            location: self.locate(object, path),
        }
    }

    /// The value of the field at `path` of an object: `spec.containers[0].image`. Keys that hold
    /// dots are written in brackets: `metadata.labels[a.b/c]`.
    pub fn field<'a>(object: &'a Object, path: &str) -> Option<&'a Value> {
        field(&object.value, path)
    }
}

/// The ranges of sorted objects that have the same resource.
fn resources(objects: &[Object]) -> Vec<Range<usize>> {
    let mut end = 0;
    objects
        .chunk_by(|a, b| a.is(b.group(), b.resource()))
        .map(|chunk| {
            let start = end;
            end += chunk.len();
            start..end
        })
        .collect()
}

/// The value at a field path.
pub(crate) fn field<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut here = value;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(bracket) = rest.strip_prefix('[') {
            let (key, after) = bracket.split_once(']')?;
            here = match here {
                Value::Array(items) => items.get(key.parse::<usize>().ok()?)?,
                other => other.get(key)?,
            };
            rest = after;
        } else {
            let name = rest.strip_prefix('.').unwrap_or(rest);
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (key, after) = name.split_at_checked(end)?;
            here = here.get(key)?;
            rest = after;
        }
    }
    Some(here)
}
