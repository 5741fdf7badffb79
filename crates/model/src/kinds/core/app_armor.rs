//! AppArmor profiles of new pods: the old annotations and the fields are made to say the same, as
//! 1.33 does it for kubelets and policies that know only one of them.

use super::{fill, security};
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, list, text};
use crate::{Value, meta};
use serde_json::json;

/// What the annotations' keys begin with; the container's name follows.
pub(super) const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";
const CONTAINER_LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// What has to be done for a container.
enum Step {
    /// The field gets the annotation's profile.
    Field(Value),
    /// The annotation gets the field's profile.
    Annotation(String),
    /// The annotation makes no sense, or says what holds for the whole pod: nothing.
    Nothing,
}

/// Copies profiles from annotations to fields and from fields to annotations, where only one of
/// them is set. Annotations that make no sense are left for validation to refuse.
pub(super) fn sync(pod: &mut Value) {
    for (path, name, step) in steps(pod) {
        match step {
            Step::Field(profile) => {
                if let Some(container) = pod.pointer_mut(&path) {
                    meta::set(container, &["securityContext", "appArmorProfile"], profile);
                }
            }
            Step::Annotation(value) => {
                let key = format!("{ANNOTATION}{name}");
                let annotations = meta::map_mut(pod, &["metadata", "annotations"]);
                fill::absent(annotations, &key, value);
            }
            Step::Nothing => {}
        }
    }
}

/// Warnings on the annotations of a new pod that say something that no field says, or that say
/// nothing. To be asked before the fields are filled in from them.
pub fn warnings(pod: &Value) -> Vec<String> {
    let annotated = |name: &str| {
        let key = format!("{ANNOTATION}{name}");
        meta::at(pod, &["metadata", "annotations", &key]).is_some()
    };
    if !meta::annotations(pod)
        .keys()
        .any(|key| key.starts_with(ANNOTATION))
    {
        return Vec::new();
    }
    steps(pod)
        .into_iter()
        .filter(|(_, name, step)| match step {
            Step::Field(_) => true,
            Step::Annotation(_) => false,
            Step::Nothing => annotated(name) && !readable(pod, name),
        })
        .map(|(_, name, _)| {
            let at = At::of("metadata.annotations");
            let key = format!("{ANNOTATION}{name}");
            format!(
                "{}: deprecated since v1.30; use the \"appArmorProfile\" field instead",
                at.key(&key).path()
            )
        })
        .collect()
}

fn readable(pod: &Value, name: &str) -> bool {
    let key = format!("{ANNOTATION}{name}");
    let value = meta::text(pod, &["metadata", "annotations", &key]);
    field_of(value).is_some()
}

/// What is to be done, for each container that has no profile, or no annotation: where it is, its
/// name, and the step.
fn steps(pod: &Value) -> Vec<(String, String, Step)> {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    if meta::text(spec, &["os", "name"]) == "windows" {
        return Vec::new();
    }
    let whole = profile(spec);
    let mut steps = Vec::new();
    for key in CONTAINER_LISTS {
        for (i, container) in list(spec, key).iter().enumerate() {
            let name = text(container, "name");
            let annotation = meta::at(
                pod,
                &["metadata", "annotations", &format!("{ANNOTATION}{name}")],
            );
            let step = match (annotation.and_then(Value::as_str), profile(container)) {
                (None, own) => match own.or(whole).and_then(annotation_of) {
                    Some(value) => Step::Annotation(value),
                    None => continue,
                },
                (Some(_), Some(_)) => continue,
                (Some(value), None) => match field_of(value) {
                    Some(profile) if Some(&profile) != whole => Step::Field(profile),
                    _ => Step::Nothing,
                },
            };
            steps.push((format!("/spec/{key}/{i}"), name.to_owned(), step));
        }
    }
    steps
}

/// The profile in the security context of a pod spec or container.
fn profile(holder: &Value) -> Option<&Value> {
    get(get(holder, "securityContext")?, "appArmorProfile")
}

fn annotation_of(profile: &Value) -> Option<String> {
    match text(profile, "type") {
        "Unconfined" => Some("unconfined".to_owned()),
        "RuntimeDefault" => Some("runtime/default".to_owned()),
        "Localhost" => {
            let local = get(profile, "localhostProfile")?.as_str()?;
            Some(format!("localhost/{local}"))
        }
        _ => None,
    }
}

/// The field for an annotation; `None` if there is no valid one.
fn field_of(annotation: &str) -> Option<Value> {
    let profile = match annotation {
        "unconfined" => json!({"type": "Unconfined"}),
        "runtime/default" => json!({"type": "RuntimeDefault"}),
        _ => {
            let local = annotation
                .strip_prefix("localhost/")
                .filter(|l| !l.is_empty())?;
            json!({"type": "Localhost", "localhostProfile": local})
        }
    };
    let mut errors = ErrorList::new();
    security::app_armor_profile(&profile, &At::root(), &mut errors);
    errors.is_empty().then_some(profile)
}

/// Reports annotations of a new pod that say something else than the fields.
pub(super) fn matches(pod: &Value, errors: &mut ErrorList) {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    if meta::text(spec, &["os", "name"]) == "windows" {
        return;
    }
    let at = At::of("spec");
    let annotations = meta::annotations(pod);
    for key in CONTAINER_LISTS {
        let list_at = at.child(key);
        for (i, container) in list(spec, key).iter().enumerate() {
            let key = format!("{ANNOTATION}{}", text(container, "name"));
            let (Some(profile), Some(annotation)) = (
                profile(container).or(profile(spec)),
                annotations.get(key.as_str()),
            ) else {
                continue;
            };
            let local = annotation.strip_prefix("localhost/");
            let fits = match text(profile, "type") {
                "Unconfined" => *annotation == "unconfined",
                "RuntimeDefault" => *annotation == "runtime/default",
                "Localhost" => local.is_some(),
                _ => continue,
            };
            let container_at = list_at.index(i);
            let context_at = container_at.child("securityContext");
            let at = context_at.child("appArmorProfile");
            if !fits {
                errors.forbidden(
                    &at.child("type"),
                    "apparmor type in annotation and field must match",
                );
            } else if local.is_some_and(|local| local != text(profile, "localhostProfile")) {
                errors.forbidden(
                    &at.child("localhostProfile"),
                    "apparmor profile in annotation and field must match",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pod with containers `a` and `b`, of which `a` has the given annotation and profile.
    fn pod(annotation: &str, own: Value, whole: Value) -> Value {
        let mut pod = json!({
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "a"}, {"name": "b"}]},
        });
        if !annotation.is_empty() {
            let key = format!("{ANNOTATION}a");
            meta::set(&mut pod, &["metadata", "annotations", &key], annotation);
        }
        if !own.is_null() {
            let profile = json!({"appArmorProfile": own});
            pod["spec"]["containers"][0]["securityContext"] = profile;
        }
        if !whole.is_null() {
            meta::set(
                &mut pod,
                &["spec", "securityContext", "appArmorProfile"],
                whole,
            );
        }
        pod
    }

    #[test]
    fn one_follows_from_the_other() {
        let of = |kind: &str| json!({"type": kind});
        let local = json!({"type": "Localhost", "localhostProfile": "x"});
        let null = || Value::Null;
        // Annotation, container's profile, pod's profile; annotations of both, a's profile, warned.
        let cases = [
            (("", null(), null()), (None, None), null(), false),
            (
                ("unconfined", null(), null()),
                (Some("unconfined"), None),
                of("Unconfined"),
                true,
            ),
            (
                ("runtime/default", null(), null()),
                (Some("runtime/default"), None),
                of("RuntimeDefault"),
                true,
            ),
            (
                ("localhost/x", null(), null()),
                (Some("localhost/x"), None),
                local.clone(),
                true,
            ),
            (
                ("localhost/", null(), null()),
                (Some("localhost/"), None),
                null(),
                true,
            ),
            (("odd", null(), null()), (Some("odd"), None), null(), true),
            (
                ("", local.clone(), null()),
                (Some("localhost/x"), None),
                local.clone(),
                false,
            ),
            (
                ("localhost/x", local.clone(), null()),
                (Some("localhost/x"), None),
                local.clone(),
                false,
            ),
            (
                ("", null(), of("Unconfined")),
                (Some("unconfined"), Some("unconfined")),
                null(),
                false,
            ),
            (
                ("", local.clone(), of("RuntimeDefault")),
                (Some("localhost/x"), Some("runtime/default")),
                local.clone(),
                false,
            ),
            (
                ("unconfined", null(), of("Unconfined")),
                (Some("unconfined"), Some("unconfined")),
                null(),
                false,
            ),
            (
                ("localhost/x", null(), of("Unconfined")),
                (Some("localhost/x"), Some("unconfined")),
                local.clone(),
                true,
            ),
        ];
        for ((annotation, own, whole), (a, b), profile, warned) in cases {
            let mut pod = pod(annotation, own, whole);
            assert_eq!(warnings(&pod).len(), usize::from(warned), "{pod}");
            sync(&mut pod);
            let annotated = |name: &str| {
                let key = format!("{ANNOTATION}{name}");
                meta::annotations(&pod).get(key.as_str()).copied()
            };
            assert_eq!((annotated("a"), annotated("b")), (a, b), "{pod}");
            let found = pod.pointer("/spec/containers/0/securityContext/appArmorProfile");
            assert_eq!(found.cloned().unwrap_or_default(), profile, "{pod}");
            let mut errors = ErrorList::new();
            matches(&pod, &mut errors);
            assert!(errors.is_empty(), "{errors:?}");
            let once = pod.clone();
            sync(&mut pod);
            assert_eq!(pod, once);
        }
    }

    #[test]
    fn windows_knows_no_profiles() {
        let mut pod = pod("unconfined", Value::Null, Value::Null);
        meta::set(&mut pod, &["spec", "os", "name"], "windows");
        let before = pod.clone();
        sync(&mut pod);
        assert_eq!(pod, before);
    }

    #[test]
    fn contradictions() {
        let local = json!({"type": "Localhost", "localhostProfile": "x"});
        let cases = [
            ("unconfined", json!({"type": "RuntimeDefault"}), "type"),
            ("runtime/default", local.clone(), "type"),
            ("localhost/y", local, "localhostProfile"),
        ];
        for (annotation, profile, field) in cases {
            let mut errors = ErrorList::new();
            matches(&pod(annotation, profile, Value::Null), &mut errors);
            let what = if field == "type" { "type" } else { "profile" };
            assert_eq!(
                errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
                [format!(
                    "spec.containers[0].securityContext.appArmorProfile.{field}: Forbidden: \
                     apparmor {what} in annotation and field must match"
                )]
            );
        }
    }
}
