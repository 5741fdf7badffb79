//! How the built-in resources are written down: one chain of calls per kind.

use crate::resource::{
    GroupVersionKind, Resource, Scope, Selectable, Subresource, SubresourceKind, Text, Version,
};
use crate::{convert, kinds, table};

/// The verbs of an ordinary resource, sorted as discovery lists them.
const ALL_VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
/// The verbs of an ordinary subresource.
const VIEW_VERBS: &[&str] = &["get", "patch", "update"];
/// The verbs that a proxy passes through.
const PROXY_VERBS: &[&str] = &["create", "delete", "get", "patch", "update"];

/// An API group at the versions in which its kinds are served.
pub(super) struct Group {
    /// Its name; empty for the core group.
    pub(super) name: &'static str,
    /// What stands before `.VERSION.KIND` in the names of its types.
    pub(super) types: &'static str,
    /// Served versions, preferred first; the first one is stored.
    pub(super) versions: &'static [&'static str],
}

impl Group {
    /// A kind whose objects live in namespaces.
    pub(super) fn namespaced(&self, kind: &'static str, plural: &'static str) -> Entry {
        self.entry(kind, plural, Scope::Namespaced)
    }

    /// A kind whose objects belong to the cluster.
    pub(super) fn cluster(&self, kind: &'static str, plural: &'static str) -> Entry {
        self.entry(kind, plural, Scope::Cluster)
    }

    fn entry(&self, kind: &'static str, plural: &'static str, scope: Scope) -> Entry {
        let versions: Vec<Version> = self
            .versions
            .iter()
            .map(|version| Version {
                name: (*version).into(),
                schema: format!("{}.{version}.{kind}", self.types).into(),
                deprecation: None,
            })
            .collect();
        let printer = table::printer(self.name, plural);
        Entry(Resource {
            group: self.name.into(),
            kind: kind.into(),
            list_kind: format!("{kind}List").into(),
            plural: plural.into(),
            singular: kind.to_ascii_lowercase().into(),
            short_names: Vec::new(),
            categories: Vec::new(),
            scope,
            storage_version: versions.first().map(|v| v.name.clone()).unwrap_or_default(),
            versions,
            storage: (self.name.into(), plural.into()),
            verbs: texts(ALL_VERBS),
            subresources: Vec::new(),
            generation: false,
            selectable: Vec::new(),
            columns: printer.columns.to_vec(),
            row: printer.row,
            behavior: kinds::behavior(self.name, plural),
            convert: convert::between_versions(self.name, plural),
        })
    }
}

/// A resource that is being described.
pub(super) struct Entry(Resource);

impl Entry {
    /// Short names.
    pub(super) fn short(mut self, names: &[&'static str]) -> Self {
        self.0.short_names = texts(names);
        self
    }

    /// A category.
    pub(super) fn category(mut self, name: &'static str) -> Self {
        self.0.categories.push(name.into());
        self
    }

    /// Part of `kubectl get all`.
    pub(super) fn all(self) -> Self {
        self.category("all")
    }

    /// Keeps `metadata.generation`.
    pub(super) fn generation(mut self) -> Self {
        self.0.generation = true;
        self
    }

    /// Only these verbs.
    pub(super) fn verbs(mut self, verbs: &[&'static str]) -> Self {
        self.0.verbs = texts(verbs);
        self
    }

    /// All verbs but `deletecollection`.
    pub(super) fn no_collection_delete(mut self) -> Self {
        self.0.verbs.retain(|v| v != "deletecollection");
        self
    }

    /// Nothing is stored: objects are sent in and answered.
    pub(super) fn create_only(self) -> Self {
        self.verbs(&["create"])
    }

    /// Shows the objects of another resource.
    pub(super) fn stored_as(mut self, group: &'static str, plural: &'static str) -> Self {
        self.0.storage = (group.into(), plural.into());
        self
    }

    /// A warning on every use of the only version.
    pub(super) fn deprecated(mut self, warning: &'static str) -> Self {
        for version in &mut self.0.versions {
            version.deprecation = Some(warning.into());
        }
        self
    }

    /// The `status` subresource.
    pub(super) fn status(self) -> Self {
        self.sub("status", SubresourceKind::Status, None, VIEW_VERBS)
    }

    /// The `scale` subresource.
    pub(super) fn scale(self) -> Self {
        let body = Some(gvk("autoscaling", "v1", "Scale"));
        self.sub("scale", SubresourceKind::Scale, body, VIEW_VERBS)
    }

    /// A subresource that writes the object by rules of its own.
    pub(super) fn update(self, name: &'static str) -> Self {
        self.sub(name, SubresourceKind::Update, None, VIEW_VERBS)
    }

    /// A stream; `options` is the kind that discovery names.
    pub(super) fn connect(
        self,
        name: &'static str,
        options: &'static str,
        verbs: &[&'static str],
    ) -> Self {
        let body = Some(gvk("", "v1", options));
        self.sub(name, SubresourceKind::Connect, body, verbs)
    }

    /// A proxy.
    pub(super) fn proxy(self, options: &'static str) -> Self {
        self.connect("proxy", options, PROXY_VERBS)
    }

    /// Any other subresource.
    pub(super) fn sub(
        mut self,
        name: &'static str,
        kind: SubresourceKind,
        body: Option<GroupVersionKind>,
        verbs: &[&'static str],
    ) -> Self {
        self.0.subresources.push(Subresource {
            name: name.into(),
            kind,
            body,
            verbs: texts(verbs),
        });
        self
    }

    /// A field selector that reads the field of its name.
    pub(super) fn selectable(self, field: &'static str) -> Self {
        self.selectable_at(field, &[field], "")
    }

    /// A field selector that reads the first set one of `paths`, and `absent` if none is.
    pub(super) fn selectable_at(
        mut self,
        field: &'static str,
        paths: &[&'static str],
        absent: &'static str,
    ) -> Self {
        let split = |path: &&'static str| path.split('.').map(Text::from).collect();
        self.0.selectable.push(Selectable {
            name: field.into(),
            paths: paths.iter().map(split).collect(),
            absent: absent.into(),
        });
        self
    }

    /// The finished resource, its subresources in discovery's order.
    pub(super) fn done(mut self) -> Resource {
        self.0.subresources.sort_by(|a, b| a.name.cmp(&b.name));
        self.0
    }
}

/// A group, version and kind.
pub(super) fn gvk(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
) -> GroupVersionKind {
    GroupVersionKind {
        group: group.into(),
        version: version.into(),
        kind: kind.into(),
    }
}

fn texts(names: &[&'static str]) -> Vec<Text> {
    names.iter().map(|name| Text::from(*name)).collect()
}
