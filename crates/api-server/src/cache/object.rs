//! One object as the cache keeps it: encoded once, with what selectors ask of it taken out.

use crate::encoding::{Encoded, Unreadable};
use crate::key;
use bytes::Bytes;
use model::Value;
use model::resource::Resource;
use model::selector::{FieldSelector, LabelSelector};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An object in the cache.
#[derive(Debug)]
pub struct CachedObject {
    /// Its key in the store.
    pub key: Arc<str>,
    /// The revision of its last change, which is its resource version.
    pub revision: u64,
    /// The object as it is sent, in its storage version.
    pub encoded: Encoded,
    prefix: u32,
    labels: Box<[(Box<str>, Box<str>)]>,
    fields: Box<[Box<str>]>,
}

#[derive(Deserialize)]
struct Labelled {
    #[serde(default)]
    metadata: Labels,
}

#[derive(Default, Deserialize)]
struct Labels {
    #[serde(default)]
    labels: Option<BTreeMap<Box<str>, Box<str>>>,
}

impl CachedObject {
    /// Reads a stored value.
    pub fn new(
        resource: &Resource,
        prefix: &str,
        key: Arc<str>,
        stored: &[u8],
        revision: u64,
    ) -> Result<Self, Unreadable> {
        let encoded = Encoded::from_stored(stored, revision)?;
        let (labels, fields) = if resource.selectable.is_empty() {
            let head: Labelled = serde_json::from_slice(&encoded.bytes).unwrap_or(Labelled {
                metadata: Labels::default(),
            });
            let labels = head.metadata.labels.unwrap_or_default();
            (labels.into_iter().collect(), Box::default())
        } else {
            let value = encoded.parse()?;
            let labels = model::meta::labels(&value)
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect();
            (labels, selectable(resource, &value))
        };
        Ok(Self {
            prefix: u32::try_from(prefix.len()).unwrap_or(0),
            key,
            revision,
            encoded,
            labels,
            fields,
        })
    }

    /// The same object as of its deletion at `revision`.
    #[must_use]
    pub fn deleted_at(&self, revision: u64) -> Self {
        Self {
            key: self.key.clone(),
            revision,
            encoded: self.encoded.at_revision(revision),
            prefix: self.prefix,
            labels: self.labels.clone(),
            fields: self.fields.clone(),
        }
    }

    /// The object as JSON.
    pub fn bytes(&self) -> &Bytes {
        &self.encoded.bytes
    }

    /// The bytes that the object takes, for the cache's limits.
    pub fn weight(&self) -> usize {
        self.encoded.bytes.len() + 256
    }

    /// The namespace; empty for cluster-scoped objects.
    pub fn namespace(&self) -> &str {
        let rest = self.key.get(self.prefix as usize..).unwrap_or_default();
        rest.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// The name.
    pub fn name(&self) -> &str {
        let rest = self.key.get(self.prefix as usize..).unwrap_or_default();
        rest.split_once('/').map_or(rest, |(_, name)| name)
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        let at = self
            .labels
            .binary_search_by(|(key, _)| key.as_ref().cmp(name))
            .ok()?;
        self.labels.get(at).map(|(_, value)| value.as_ref())
    }
}

/// The values of the resource's selectable fields, in their order.
fn selectable(resource: &Resource, value: &Value) -> Box<[Box<str>]> {
    resource
        .selectable
        .iter()
        .map(|s| {
            let found = resource.field_value(value, &s.name);
            found.unwrap_or_default().into()
        })
        .collect()
}

/// Which objects of a resource a request is about.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The keys it covers all start with this.
    pub prefix: String,
    /// Whether only the key that equals the prefix is meant.
    pub exact: bool,
    labels: Option<LabelSelector>,
    fields: Vec<Term>,
}

#[derive(Debug, Clone)]
struct Term {
    field: Field,
    value: String,
    equal: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
    Selectable(usize),
}

impl Filter {
    /// A filter for all objects whose keys start with `prefix`.
    pub fn below(prefix: String) -> Self {
        Self {
            prefix,
            ..Self::default()
        }
    }

    /// A filter for objects of `resource` below the key prefix `resource_prefix`, in `namespace`
    /// (all if empty), with `name` (all if empty) and the selectors. Fails with upstream's text
    /// for a field that the resource cannot be selected by.
    pub fn new(
        resource: &Resource,
        resource_prefix: &str,
        namespace: &str,
        name: &str,
        labels: LabelSelector,
        fields: &FieldSelector,
    ) -> Result<Self, String> {
        let mut terms = Vec::with_capacity(fields.terms.len());
        for (name, value, equal) in &fields.terms {
            resource.check_field(name)?;
            let field = match name.as_str() {
                "metadata.name" => Field::Name,
                "metadata.namespace" => Field::Namespace,
                other => resource
                    .selectable
                    .iter()
                    .position(|s| s.name == other)
                    .map(Field::Selectable)
                    .ok_or_else(|| format!("field label not supported: {other}"))?,
            };
            terms.push(Term {
                field,
                value: value.clone(),
                equal: *equal,
            });
        }
        let mut prefix = key::of_namespace(resource_prefix, namespace);
        let mut name = name.to_owned();
        let mut all = namespace.is_empty();
        // A selector that names one object is a look-up, not a scan.
        if name.is_empty() {
            if let Some(term) = terms.iter().find(|t| t.field == Field::Name && t.equal) {
                name.clone_from(&term.value);
            }
            if let Some(term) = terms
                .iter()
                .find(|t| t.field == Field::Namespace && t.equal && !t.value.is_empty())
                && all
                && resource.namespaced()
            {
                prefix = key::of_namespace(resource_prefix, &term.value);
                all = false;
            }
        }
        let exact = !name.is_empty() && (!all || !resource.namespaced());
        if exact {
            prefix.push_str(&name);
        }
        Ok(Self {
            prefix,
            exact,
            labels: (!labels.is_empty()).then_some(labels),
            fields: terms,
        })
    }

    /// Whether every object below the prefix is meant.
    pub fn selects_all(&self) -> bool {
        self.labels.is_none() && self.fields.is_empty()
    }

    /// Whether the object is meant.
    pub fn matches(&self, object: &CachedObject) -> bool {
        self.covers(&object.key) && self.selects(object)
    }

    /// Whether a key is within the prefix.
    pub fn covers(&self, key: &str) -> bool {
        if self.exact {
            key == self.prefix
        } else {
            key.starts_with(&self.prefix)
        }
    }

    fn selects(&self, object: &CachedObject) -> bool {
        let fields = self.fields.iter().all(|term| {
            let value = match term.field {
                Field::Name => object.name(),
                Field::Namespace => object.namespace(),
                Field::Selectable(i) => object.fields.get(i).map_or("", |f| f),
            };
            (value == term.value) == term.equal
        });
        fields
            && self
                .labels
                .as_ref()
                .is_none_or(|labels| labels.matches(|name| object.label(name)))
    }
}
