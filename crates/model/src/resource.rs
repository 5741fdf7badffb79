//! What a resource is: the entry type of the registry. Everything the API server knows of a kind
//! stands in one of these, so that a new kind (and later a custom resource) is one more entry.

use crate::Value;
use crate::field::ErrorList;
use std::borrow::Cow;

/// Text that is static for built-in kinds and owned for custom ones.
pub type Text = Cow<'static, str>;

/// Whether objects live in namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One set of names for the whole cluster.
    Cluster,
    /// One set of names per namespace.
    Namespaced,
}

/// A group, version and kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupVersionKind {
    /// The API group; empty for the core group.
    pub group: Text,
    /// The version, such as `v1`.
    pub version: Text,
    /// The kind, such as `Pod`.
    pub kind: Text,
}

impl GroupVersionKind {
    /// `group/version`, or `version` in the core group.
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// Splits an object's `apiVersion` and `kind`.
    pub fn of(object: &Value) -> Self {
        let (group, version) = split_api_version(crate::meta::text(object, &["apiVersion"]));
        Self {
            group: group.to_owned().into(),
            version: version.to_owned().into(),
            kind: crate::meta::text(object, &["kind"]).to_owned().into(),
        }
    }
}

/// `group/version`, or `version` in the core group.
pub fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

/// The group and version of an `apiVersion`.
pub fn split_api_version(text: &str) -> (&str, &str) {
    text.split_once('/').unwrap_or(("", text))
}

/// A served version of a resource.
#[derive(Debug, Clone)]
pub struct Version {
    /// The version's name.
    pub name: Text,
    /// The type's name in the schema, such as `io.k8s.api.core.v1.Pod`.
    pub schema: Text,
    /// Printed as a `Warning:` header on every request, as upstream does for deprecated versions.
    pub deprecation: Option<Text>,
}

/// What a subresource does; the API server has one handler per variant, none per kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubresourceKind {
    /// Reads and writes the object, changing `status` (and metadata's lists) only.
    Status,
    /// The `autoscaling/v1` Scale view of `spec.replicas`.
    Scale,
    /// Writes the object through a strategy of its own (`namespaces/finalize`,
    /// `certificatesigningrequests/approval`, `pods/ephemeralcontainers`, `pods/resize`).
    Update,
    /// `pods/binding`: assigns a node.
    Binding,
    /// `pods/eviction`: deletes the pod if disruption budgets allow.
    Eviction,
    /// `serviceaccounts/token`: issues a token.
    Token,
    /// Streams to or through a node or pod (`exec`, `attach`, `portforward`, `log`, `proxy`).
    Connect,
}

/// A subresource of a kind.
#[derive(Debug, Clone)]
pub struct Subresource {
    /// The path segment, such as `status`.
    pub name: Text,
    /// What it does.
    pub kind: SubresourceKind,
    /// The group, version and kind of its body where that is not the parent's
    /// (`autoscaling/v1` `Scale`, `policy/v1` `Eviction`, …).
    pub body: Option<GroupVersionKind>,
    /// The verbs as discovery lists them.
    pub verbs: Vec<Text>,
}

/// A field selector of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selectable {
    /// The name that clients write, such as `spec.nodeName`.
    pub name: Text,
    /// The paths it reads in the stored object; the first that is not empty counts.
    pub paths: Vec<Vec<Text>>,
    /// What a missing field reads as: `false` and `0` for booleans and integers, as upstream's
    /// typed objects have them; else empty.
    pub absent: Text,
}

/// A column of `kubectl get`: its definition in the Table's header. The cells come from
/// [`Resource::row`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The heading.
    pub name: &'static str,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    pub r#type: &'static str,
    /// `name` for the name column, else mostly empty.
    pub format: &'static str,
    /// 0 is always shown, anything greater with `-o wide` only.
    pub priority: i32,
    /// What the column says.
    pub description: &'static str,
}

/// The rules of one kind. Every function is pure; `None`-like defaults do nothing, so a kind
/// without rules of its own is still served, stored and checked against its schema and the
/// generic metadata rules.
///
/// The steps run in the order of the fields. Objects arrive in the version that the request used
/// for `default` and in the storage version for everything else.
#[derive(Debug, Clone)]
pub struct Behavior {
    /// Fills in defaults, as upstream's `SetDefaults_*` of the given version. Idempotent. Must
    /// only add fields that are absent (or replace upstream-documented zero values).
    pub default: fn(version: &str, object: &mut Value),
    /// Before validation of a new object (upstream's `PrepareForCreate`): sets what clients may
    /// not choose. Dropping `status` where the kind has that subresource and setting
    /// `metadata.generation` to 1 are done generically from [`Resource::generation`].
    pub prepare_create: fn(object: &mut Value),
    /// Before validation of a changed object (`PrepareForUpdate`), on the main resource or the
    /// named subresource. Keeping `status` on the main resource, keeping all else on `status`,
    /// and raising `metadata.generation` (see [`crate::generation`]) are done generically.
    pub prepare_update: fn(object: &mut Value, old: &Value, subresource: &str),
    /// Rules of the kind for new objects; generic metadata rules and schema conformance are
    /// checked elsewhere.
    pub validate_create: fn(object: &Value) -> ErrorList,
    /// Rules of the kind for changed objects: those of creation that still apply, and
    /// immutability. `subresource` is empty for the main resource.
    pub validate_update: fn(object: &Value, old: &Value, subresource: &str) -> ErrorList,
    /// Texts for `Warning:` headers on create and update (deprecated fields and the like).
    pub warnings: fn(object: &Value, old: Option<&Value>) -> Vec<String>,
    /// Checks `metadata.name`; returns upstream's message if it is refused.
    pub validate_name: fn(name: &str, prefix: bool) -> Vec<String>,
}

/// One resource: a kind at its place in the API.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The API group; empty for the core group.
    pub group: Text,
    /// The kind, such as `Pod`.
    pub kind: Text,
    /// The kind of lists, such as `PodList`.
    pub list_kind: Text,
    /// The path segment, such as `pods`.
    pub plural: Text,
    /// The singular name, such as `pod`.
    pub singular: Text,
    /// Short names, such as `po`.
    pub short_names: Vec<Text>,
    /// Categories, such as `all`.
    pub categories: Vec<Text>,
    /// Where objects live.
    pub scope: Scope,
    /// Served versions, preferred first.
    pub versions: Vec<Version>,
    /// The version that is stored.
    pub storage_version: Text,
    /// Which resource's objects these are, as `(group, plural)`, where two resources show the
    /// same objects (`events` and `events.events.k8s.io`); else the resource's own.
    pub storage: (Text, Text),
    /// The verbs as discovery lists them. Virtual kinds, such as reviews, have only `create`.
    pub verbs: Vec<Text>,
    /// Subresources.
    pub subresources: Vec<Subresource>,
    /// Whether `metadata.generation` is kept.
    pub generation: bool,
    /// Field selectors beyond `metadata.name` and `metadata.namespace`; see
    /// [`Resource::field_value`]. Of a kind that shows another's objects, each reads what the one
    /// at its position in the other's list reads, so that values kept by position serve both.
    pub selectable: Vec<Selectable>,
    /// Printer columns.
    pub columns: Vec<Column>,
    /// The cells of a table row, one per column. `now` is the time in seconds since the Unix
    /// epoch, from which ages are computed.
    pub row: fn(object: &Value, now: i64) -> Vec<Value>,
    /// The kind's rules.
    pub behavior: Behavior,
    /// Rewrites an object of this kind between served versions (`from`, `to`).
    pub convert: fn(object: &mut Value, from: &str, to: &str),
}

impl Resource {
    /// Whether a subresource of that name exists.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|s| s.name == name)
    }

    /// The served version of that name.
    pub fn version(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|v| v.name == name)
    }

    /// Whether the kind has a `status` subresource.
    pub fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }

    /// Whether objects live in namespaces.
    pub fn namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }

    /// `plural` or `plural.group`.
    pub fn qualified(&self) -> String {
        crate::status::qualified(&self.group, &self.plural)
    }

    /// The value of a field selector's field in a stored object; `None` if the kind has no such
    /// field selector.
    pub fn field_value<'a>(&'a self, object: &'a Value, field: &str) -> Option<Cow<'a, str>> {
        match field {
            "metadata.name" => return Some(crate::meta::name(object).into()),
            "metadata.namespace" if self.namespaced() => {
                return Some(crate::meta::namespace(object).into());
            }
            _ => {}
        }
        let selectable = self.selectable.iter().find(|s| s.name == field)?;
        let found = selectable.paths.iter().find_map(|path| {
            let value = path.iter().try_fold(object, |v, key| v.get(key.as_ref()))?;
            let text: Cow<'_, str> = match value {
                Value::String(s) => s.as_str().into(),
                Value::Bool(_) | Value::Number(_) => value.to_string().into(),
                _ => return None,
            };
            (!text.is_empty()).then_some(text)
        });
        Some(found.unwrap_or(Cow::Borrowed(&selectable.absent)))
    }

    /// Whether field selectors may name `field`; if not, upstream's message.
    pub fn check_field(&self, field: &str) -> Result<(), String> {
        let known = field == "metadata.name"
            || (field == "metadata.namespace" && self.namespaced())
            || self.selectable.iter().any(|s| s.name == field);
        if known {
            Ok(())
        } else if self.selectable.is_empty() {
            let names = "\"metadata.name\", \"metadata.namespace\"";
            Err(format!(
                "\"{field}\" is not a known field selector: only {names}"
            ))
        } else {
            Err(format!("field label not supported: {field}"))
        }
    }
}
