//! Which kinds make pods, and where they keep the template: the one table of the built-in ones, and
//! what is configured of custom ones.

use crate::builder::join;
use crate::object::Object;
use crate::set::field;
use model::Value;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A built-in kind that is a pod or holds a template of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// The plural name.
    pub plural: &'static str,
    /// The field with `metadata` and `spec` of the pod; empty for a Pod, which is its own.
    pub path: &'static str,
    /// What comes of it.
    pub makes: Makes,
}

/// What comes of a kind that holds a template of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Makes {
    /// A pod, when it is created; the template is fixed from then on.
    Once,
    /// Pods, when it is created and whenever its template is changed.
    Always,
    /// None: the template only lies there.
    Nothing,
}

impl Workload {
    /// Whether pods come of one that is created.
    pub fn makes_pods(&self) -> bool {
        self.makes != Makes::Nothing
    }
}

/// The built-in kinds, by group and kind.
pub const WORKLOADS: [Workload; 9] = [
    workload("", "Pod", "pods", "", Makes::Once),
    workload(
        "",
        "PodTemplate",
        "podtemplates",
        "template",
        Makes::Nothing,
    ),
    workload(
        "",
        "ReplicationController",
        "replicationcontrollers",
        TEMPLATE,
        Makes::Always,
    ),
    workload("apps", "DaemonSet", "daemonsets", TEMPLATE, Makes::Always),
    workload("apps", "Deployment", "deployments", TEMPLATE, Makes::Always),
    workload("apps", "ReplicaSet", "replicasets", TEMPLATE, Makes::Always),
    workload(
        "apps",
        "StatefulSet",
        "statefulsets",
        TEMPLATE,
        Makes::Always,
    ),
    workload(
        "batch",
        "CronJob",
        "cronjobs",
        "spec.jobTemplate.spec.template",
        Makes::Always,
    ),
    workload("batch", "Job", "jobs", TEMPLATE, Makes::Once),
];

/// Where most kinds keep it.
const TEMPLATE: &str = "spec.template";

const fn workload(
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    path: &'static str,
    makes: Makes,
) -> Workload {
    Workload {
        group,
        kind,
        plural,
        path,
        makes,
    }
}

/// Whether a resource, by group and plural name, is a built-in one that holds a template of pods.
pub fn holds_pods(group: &str, plural: &str) -> bool {
    WORKLOADS
        .iter()
        .any(|workload| workload.group == group && workload.plural == plural)
}

/// Where the pod templates of a custom kind are. In text, `KIND.GROUP=PATH`:
/// `Rollout.argoproj.io=spec.template`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodTemplatePath {
    /// The API group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The field with `metadata` and `spec` of the pod, such as `spec.template`. `*` stands for
    /// every key of a mapping or every item of a list: `spec.replicaSpecs.*.template`.
    pub path: String,
}

/// Why a text does not say where pod templates are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PodTemplatePathError {
    /// It is not of the form.
    #[error("{0:?} is not KIND.GROUP=PATH, such as Rollout.argoproj.io=spec.template")]
    Form(String),
    /// The path cannot be one.
    #[error("{0:?} is no path of a field, such as spec.template or spec.replicaSpecs.*.template")]
    Path(String),
}

impl PodTemplatePath {
    /// Whether the path can be one: names with dots between them.
    pub fn check(&self) -> Result<(), PodTemplatePathError> {
        let is_name = |name: &str| {
            name == "*"
                || !name.is_empty()
                    && !name.contains(|c: char| c.is_whitespace() || "*[]".contains(c))
        };
        if self.kind.is_empty() || self.group.is_empty() {
            return Err(PodTemplatePathError::Form(self.to_string()));
        }
        if self.path.split('.').all(is_name) {
            Ok(())
        } else {
            Err(PodTemplatePathError::Path(self.path.clone()))
        }
    }

    fn is_of(&self, object: &Object) -> bool {
        self.group == *object.kind.group && self.kind == *object.kind.kind
    }
}

impl std::fmt::Display for PodTemplatePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}={}", self.kind, self.group, self.path)
    }
}

impl FromStr for PodTemplatePath {
    type Err = PodTemplatePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || PodTemplatePathError::Form(text.to_owned());
        let (who, path) = text.split_once('=').ok_or_else(form)?;
        let (kind, group) = who.split_once('.').ok_or_else(form)?;
        let found = Self {
            group: group.to_owned(),
            kind: kind.to_owned(),
            path: path.to_owned(),
        };
        found.check().map_err(|error| match error {
            PodTemplatePathError::Form(_) => form(),
            error @ PodTemplatePathError::Path(_) => error,
        })?;
        Ok(found)
    }
}

/// A pod template of an object: where it is, and what tells it from others of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: Box<str>,
    /// What stood for `*`, joined by `-`; empty if there can be only one.
    pub(crate) part: Box<str>,
}

/// The pod templates that an object carries, in the order of the object.
pub(crate) fn templates(object: &Object, custom: &[PodTemplatePath]) -> Vec<Place> {
    let (group, kind) = (&*object.kind.group, &*object.kind.kind);
    let mut places = Vec::new();
    if let Some(own) = WORKLOADS
        .iter()
        .find(|w| w.group == group && w.kind == kind)
    {
        places.push(Place {
            path: own.path.into(),
            part: "".into(),
        });
    }
    if places.is_empty() {
        for custom in custom.iter().filter(|custom| custom.is_of(object)) {
            let steps: Vec<&str> = custom.path.split('.').collect();
            expand(&object.value, &steps, String::new(), "", &mut places);
        }
    }
    places.retain(|place| {
        let spec = field(&object.value, &join(&place.path, "spec"));
        spec.is_some_and(Value::is_object)
    });
    places
}

/// Follows the steps of a path, and every way on at a `*`.
fn expand(here: &Value, steps: &[&str], path: String, part: &str, into: &mut Vec<Place>) {
    let Some((step, rest)) = steps.split_first() else {
        let place = Place {
            path: path.into(),
            part: part.into(),
        };
        if !into.iter().any(|known| known.path == place.path) {
            into.push(place);
        }
        return;
    };
    if *step != "*" {
        if let Some(next) = here.get(step) {
            expand(next, rest, join(&path, step), part, into);
        }
        return;
    }
    let part_of = |name: &str| match part {
        "" => name.to_owned(),
        before => format!("{before}-{name}"),
    };
    match here {
        Value::Object(map) => {
            for (key, next) in map {
                let path = if key.contains(['.', '[']) {
                    format!("{path}[{key}]")
                } else {
                    join(&path, key)
                };
                expand(next, rest, path, &part_of(key), into);
            }
        }
        Value::Array(items) => {
            for (index, next) in items.iter().enumerate() {
                // Lists of templates mostly name them.
                let name = next.get("name").and_then(Value::as_str);
                let name = name.map_or_else(|| index.to_string(), str::to_owned);
                expand(
                    next,
                    rest,
                    format!("{path}[{index}]"),
                    &part_of(&name),
                    into,
                );
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_table_is_the_registrys() {
        let registry = model::registry::Registry::builtin();
        for workload in WORKLOADS {
            let found = registry
                .all()
                .iter()
                .find(|r| *r.group == *workload.group && *r.kind == *workload.kind)
                .expect("a built-in kind");
            assert_eq!(*found.plural, *workload.plural);
        }
    }

    #[test]
    fn texts() {
        let path: PodTemplatePath = "TFJob.kubeflow.org=spec.tfReplicaSpecs.*.template"
            .parse()
            .expect("a path");
        assert_eq!((&*path.kind, &*path.group), ("TFJob", "kubeflow.org"));
        assert_eq!(path.path, "spec.tfReplicaSpecs.*.template");
        for wrong in [
            "",
            "A",
            "A=spec",
            "A.b",
            ".b=spec",
            "A.=spec",
            "A.b=",
            "A.b=spec..x",
            "A.b=spec.x[0]",
            "A.b=spec.x*",
            "A.b=spec. x",
        ] {
            assert!(wrong.parse::<PodTemplatePath>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn stars_stand_for_keys_and_items() {
        let value = json!({"spec": {
            "groups": {"b.c": {"template": 1}, "a": {"template": 2, "more": [3, 4]}},
            "list": [{"name": "x", "t": 5}, {"t": 6}, {}],
            "none": 7,
        }});
        let found = |path: &str| {
            let steps: Vec<&str> = path.split('.').collect();
            let mut places = Vec::new();
            expand(&value, &steps, String::new(), "", &mut places);
            places
                .into_iter()
                .map(|place| {
                    assert!(field(&value, &place.path).is_some(), "{}", place.path);
                    (place.path.into_string(), place.part.into_string())
                })
                .collect::<Vec<_>>()
        };
        let owned = |all: &[(&str, &str)]| -> Vec<(String, String)> {
            let one = |(path, part): &(&str, &str)| ((*path).to_owned(), (*part).to_owned());
            all.iter().map(one).collect()
        };
        assert_eq!(found("spec.none"), owned(&[("spec.none", "")]));
        assert_eq!(
            found("spec.groups.*.template"),
            owned(&[
                ("spec.groups.a.template", "a"),
                ("spec.groups[b.c].template", "b.c"),
            ])
        );
        assert_eq!(
            found("spec.groups.*.more.*"),
            owned(&[
                ("spec.groups.a.more[0]", "a-0"),
                ("spec.groups.a.more[1]", "a-1"),
            ])
        );
        assert_eq!(
            found("spec.list.*.t"),
            owned(&[("spec.list[0].t", "x"), ("spec.list[1].t", "1")])
        );
        assert_eq!(found("spec.none.*"), owned(&[]));
        assert_eq!(found("nothing"), owned(&[]));
    }
}
