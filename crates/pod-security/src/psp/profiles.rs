//! The annotations of policies on seccomp and AppArmor profiles, and those of pods.

use crate::containers::{Container, LISTS, Pod, get};
use crate::psp::Refusal;
use model::field::{FieldError, Path};
use model::{Value, go, meta};
use serde_json::json;

pub(super) const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const SECCOMP_ALLOWED: &str = "seccomp.security.alpha.kubernetes.io/allowedProfileNames";
const SECCOMP_DEFAULT: &str = "seccomp.security.alpha.kubernetes.io/defaultProfileName";
const APP_ARMOR_CONTAINER: &str = "container.apparmor.security.beta.kubernetes.io/";
const APP_ARMOR_ALLOWED: &str = "apparmor.security.beta.kubernetes.io/allowedProfileNames";
const APP_ARMOR_DEFAULT: &str = "apparmor.security.beta.kubernetes.io/defaultProfileName";

/// What a policy says of seccomp profiles.
#[derive(Debug, Clone)]
pub(super) struct Seccomp {
    /// Empty if there is none.
    pub(super) default: String,
    allows_any: bool,
    allowed: Vec<String>,
    /// As it was written.
    text: String,
}

impl Seccomp {
    pub(super) fn new<'a>(annotation: impl Fn(&str) -> Option<&'a str>) -> Self {
        let text = annotation(SECCOMP_ALLOWED);
        let names: Vec<&str> = text.map_or_else(Vec::new, |text| text.split(',').collect());
        let mut allowed: Vec<String> = names
            .iter()
            .filter(|name| **name != "*")
            .map(|name| (*name).to_owned())
            .collect();
        // The one is the other's old name.
        let both = ["runtime/default", "docker/default"];
        if names.iter().any(|name| both.contains(name)) {
            allowed.extend(both.map(str::to_owned));
        }
        Self {
            default: annotation(SECCOMP_DEFAULT).unwrap_or_default().to_owned(),
            allows_any: names.contains(&"*"),
            allowed,
            text: text.unwrap_or_default().to_owned(),
        }
    }

    fn allows(&self, profile: &str) -> bool {
        (self.allowed.is_empty() && profile.is_empty())
            || self.allows_any
            || self.allowed.iter().any(|name| name == profile)
    }

    fn check(&self, key: &str, profile: &str, field: String) -> Option<Refusal> {
        let path = annotations().key(key);
        let detail = if !self.allows_any && self.allowed.is_empty() && !profile.is_empty() {
            "seccomp may not be set".to_owned()
        } else if !self.allows(profile) {
            let allowed = &self.text;
            format!("{profile} is not an allowed seccomp profile. Valid values are {allowed}")
        } else {
            return None;
        };
        Some(Refusal::new(
            FieldError::forbidden(&path, detail),
            field,
            format!("metadata.annotations[{SECCOMP_ALLOWED}]"),
        ))
    }

    pub(super) fn check_pod(&self, pod: &Pod<'_>) -> Option<Refusal> {
        let own = pod.annotation(SECCOMP_POD).filter(|text| !text.is_empty());
        let field = pod.setting("seccompProfile").map(annotation_of);
        let (profile, place) = match (own, field) {
            (Some(own), _) => (own.to_owned(), Pod::annotation_path(SECCOMP_POD)),
            (None, field) => (field.unwrap_or_default(), Pod::path("seccompProfile")),
        };
        self.check(SECCOMP_POD, &profile, place)
    }

    pub(super) fn check_container(
        &self,
        pod: &Pod<'_>,
        container: &Container<'_>,
    ) -> Option<Refusal> {
        let key = format!("{SECCOMP_CONTAINER}{}", container.name);
        let own = container.setting("seccompProfile").map(annotation_of);
        let (profile, place) = if let Some(own) = own {
            (own, container.path("seccompProfile"))
        } else if let Some(own) = pod.annotation(&key) {
            (own.to_owned(), Pod::annotation_path(&key))
        } else if let Some(whole) = pod.setting("seccompProfile") {
            (annotation_of(whole), Pod::path("seccompProfile"))
        } else if let Some(whole) = pod.annotation(SECCOMP_POD) {
            (whole.to_owned(), Pod::annotation_path(SECCOMP_POD))
        } else {
            (String::new(), container.path("seccompProfile"))
        };
        self.check(&key, &profile, place)
    }
}

/// What a policy says of AppArmor profiles.
#[derive(Debug, Clone)]
pub(super) struct AppArmor {
    /// Empty if there is none.
    pub(super) default: String,
    /// `None` if all are allowed.
    allowed: Option<Vec<String>>,
    /// As it was written.
    text: String,
}

impl AppArmor {
    pub(super) fn new<'a>(annotation: impl Fn(&str) -> Option<&'a str>) -> Self {
        let text = annotation(APP_ARMOR_ALLOWED);
        Self {
            default: annotation(APP_ARMOR_DEFAULT).unwrap_or_default().to_owned(),
            allowed: text.map(|text| text.split(',').map(str::to_owned).collect()),
            text: text.unwrap_or_default().to_owned(),
        }
    }

    pub(super) fn check(&self, pod: &Pod<'_>, container: &Container<'_>) -> Option<Refusal> {
        let allowed = self.allowed.as_ref()?;
        let key = app_armor_key(container);
        let (profile, place) = app_armor(pod, container);
        let detail = if profile.is_empty() {
            "AppArmor profile must be set".to_owned()
        } else if !allowed.contains(&profile) {
            let allowed = go::quoted(&self.text);
            format!("{profile} is not an allowed profile. Allowed values: {allowed}")
        } else {
            return None;
        };
        Some(Refusal::new(
            FieldError::forbidden(&annotations().key(&key), detail),
            place,
            format!("metadata.annotations[{APP_ARMOR_ALLOWED}]"),
        ))
    }
}

/// The path by which upstream names the annotations of pods.
fn annotations() -> Path {
    Path::new("pod").child("metadata").child("annotations")
}

pub(super) fn app_armor_key(container: &Container<'_>) -> String {
    format!("{APP_ARMOR_CONTAINER}{}", container.name)
}

/// The AppArmor profile of a container as an annotation would have it, and where it was set. An
/// annotation counts before the fields: the API server holds them to say the same.
pub(super) fn app_armor(pod: &Pod<'_>, container: &Container<'_>) -> (String, String) {
    let key = app_armor_key(container);
    let own = pod.annotation(&key).filter(|text| !text.is_empty());
    if let Some(own) = own {
        return (own.to_owned(), Pod::annotation_path(&key));
    }
    if let Some(own) = container.setting("appArmorProfile") {
        return (annotation_of(own), container.path("appArmorProfile"));
    }
    match pod.setting("appArmorProfile") {
        Some(whole) => (annotation_of(whole), Pod::path("appArmorProfile")),
        None => (String::new(), container.path("appArmorProfile")),
    }
}

/// The annotation that says what a field says; empty if there is none.
pub(super) fn annotation_of(profile: &Value) -> String {
    match meta::text(profile, &["type"]) {
        "Unconfined" => "unconfined".to_owned(),
        "RuntimeDefault" => "runtime/default".to_owned(),
        "Localhost" => get(profile, "localhostProfile")
            .and_then(Value::as_str)
            .map_or_else(String::new, |name| format!("localhost/{name}")),
        _ => String::new(),
    }
}

/// The field that says what an annotation says.
pub(super) fn field_of(annotation: &str) -> Option<Value> {
    match annotation {
        "unconfined" => Some(json!({"type": "Unconfined"})),
        "runtime/default" | "docker/default" => Some(json!({"type": "RuntimeDefault"})),
        _ => {
            let name = annotation.strip_prefix("localhost/")?;
            let profile = json!({"type": "Localhost", "localhostProfile": name});
            (!name.is_empty()).then_some(profile)
        }
    }
}

/// Lets annotations and fields of a new pod say the same, where one of them says nothing: of seccomp
/// as the API server of 1.24 did, of AppArmor as those since 1.30 do it.
pub(super) fn keep_in_step(pod: &mut Value) {
    if meta::text(pod, &["spec", "os", "name"]) == "windows" {
        return;
    }
    seccomp_in_step(pod, SECCOMP_POD, "/spec");
    for (name, place) in containers(pod) {
        seccomp_in_step(pod, &format!("{SECCOMP_CONTAINER}{name}"), &place);
        app_armor_field(pod, &format!("{APP_ARMOR_CONTAINER}{name}"), &place);
    }
}

/// The name of each container, with the JSON pointer to it.
fn containers(pod: &Value) -> Vec<(String, String)> {
    let all = LISTS.into_iter().flat_map(|list| {
        let all = meta::list(pod, &["spec", list]).iter().enumerate();
        all.map(move |(i, container)| {
            let name = meta::text(container, &["name"]).to_owned();
            (name, format!("/spec/{list}/{i}"))
        })
    });
    all.collect()
}

fn seccomp_in_step(pod: &mut Value, key: &str, place: &str) {
    const FIELD: [&str; 2] = ["securityContext", "seccompProfile"];
    let annotation = meta::at(pod, &["metadata", "annotations", key]).and_then(Value::as_str);
    let field = pod
        .pointer(place)
        .and_then(|holder| meta::at(holder, &FIELD));
    match (field, annotation) {
        (Some(field), None) => {
            let text = annotation_of(field);
            if !text.is_empty() {
                meta::set(pod, &["metadata", "annotations", key], text);
            }
        }
        (None, Some(annotation)) => {
            let field = field_of(annotation);
            if let (Some(field), Some(holder)) = (field, pod.pointer_mut(place)) {
                meta::set(holder, &FIELD, field);
            }
        }
        _ => {}
    }
}

fn app_armor_field(pod: &mut Value, key: &str, place: &str) {
    const FIELD: [&str; 2] = ["securityContext", "appArmorProfile"];
    let annotation = meta::at(pod, &["metadata", "annotations", key]).and_then(Value::as_str);
    let Some(field) = annotation.and_then(field_of) else {
        return;
    };
    let is_said = |holder: &Value| meta::at(holder, &FIELD) == Some(&field);
    if pod.get("spec").is_some_and(is_said) {
        return;
    }
    if let Some(container) = pod.pointer_mut(place)
        && meta::at(container, &FIELD).is_none()
    {
        meta::set(container, &FIELD, field);
    }
}
