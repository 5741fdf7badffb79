//! A pod as the checks look at it.

use model::{Value, meta};

/// The lists of containers, in the order in which upstream visits them.
pub(crate) const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// A field that is there and not null.
pub(crate) fn get<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|v| !v.is_null())
}

/// A field of a pod that breaks a rule, or whose absence does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The path in the pod: `spec.containers[0].securityContext.privileged`,
    /// `metadata.annotations[KEY]`.
    pub path: String,
    /// The list and the index of the container that it is a field of; `None` if it is one of the
    /// pod's.
    pub container: Option<(&'static str, usize)>,
}

impl Place {
    pub(crate) fn of_pod(path: String) -> Self {
        Self {
            path,
            container: None,
        }
    }
}

/// What a check is asked about.
#[derive(Debug)]
pub(crate) struct Pod<'a> {
    pub(crate) metadata: &'a Value,
    pub(crate) spec: &'a Value,
    pub(crate) context: Option<&'a Value>,
    pub(crate) containers: Vec<Container<'a>>,
}

/// A container of any sort.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Container<'a> {
    pub(crate) list: &'static str,
    pub(crate) index: usize,
    pub(crate) name: &'a str,
    pub(crate) value: &'a Value,
    /// Its own security context.
    pub(crate) context: Option<&'a Value>,
}

impl<'a> Pod<'a> {
    pub(crate) fn new(metadata: &'a Value, spec: &'a Value) -> Self {
        let containers = LISTS.into_iter().flat_map(|list| {
            let all = meta::list(spec, &[list]).iter().enumerate();
            all.map(move |(index, value)| Container {
                list,
                index,
                name: meta::text(value, &["name"]),
                value,
                context: get(value, "securityContext"),
            })
        });
        Self {
            metadata,
            spec,
            context: get(spec, "securityContext"),
            containers: containers.collect(),
        }
    }

    /// A field of the pod's security context.
    pub(crate) fn setting(&self, key: &str) -> Option<&'a Value> {
        get(self.context?, key)
    }

    /// Whether it says that it runs on Windows.
    pub(crate) fn is_windows(&self) -> bool {
        meta::text(self.spec, &["os", "name"]) == "windows"
    }

    /// The annotations that are texts.
    pub(crate) fn annotations(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        meta::at(self.metadata, &["annotations"])
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    /// An annotation that is a text.
    pub(crate) fn annotation(&self, key: &str) -> Option<&'a str> {
        meta::at(self.metadata, &["annotations", key])?.as_str()
    }

    /// The path of a field of the pod's security context.
    pub(crate) fn path(field: &str) -> String {
        format!("spec.securityContext.{field}")
    }

    /// The path of an annotation.
    pub(crate) fn annotation_path(key: &str) -> String {
        format!("metadata.annotations[{key}]")
    }

    /// The place of a field of the pod's security context.
    pub(crate) fn place(field: &str) -> Place {
        Place::of_pod(Self::path(field))
    }
}

impl<'a> Container<'a> {
    /// A field of its security context.
    pub(crate) fn setting(&self, key: &str) -> Option<&'a Value> {
        get(self.context?, key)
    }

    /// Its own path.
    pub(crate) fn own_path(&self) -> String {
        format!("spec.{}[{}]", self.list, self.index)
    }

    /// The path of one of its fields.
    pub(crate) fn field(&self, field: &str) -> String {
        format!("spec.{}[{}].{field}", self.list, self.index)
    }

    /// The path of a field of its security context.
    pub(crate) fn path(&self, field: &str) -> String {
        self.field(&format!("securityContext.{field}"))
    }

    /// The place of one of its fields.
    pub(crate) fn field_place(&self, field: &str) -> Place {
        Place {
            path: self.field(field),
            container: Some((self.list, self.index)),
        }
    }

    /// The place of a field of its security context.
    pub(crate) fn place(&self, field: &str) -> Place {
        self.field_place(&format!("securityContext.{field}"))
    }
}
