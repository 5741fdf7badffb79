//! What an access review asks: its spec, checked in upstream's words and read into attributes.

use model::field::{ErrorList, FieldError, Path};
use model::meta::{at, list, text};
use model::selector::FieldSelector;
use model::status::Status;
use model::user::UserInfo;
use model::validation::names::qualified_name;
use model::{Map, Value};
use rbac::Attributes;

const GROUP: &str = "authorization.k8s.io";

/// Which of the reviews it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// SubjectAccessReview.
    Subject,
    /// LocalSubjectAccessReview.
    Local,
    /// SelfSubjectAccessReview: the user is who asks.
    Own,
}

/// Checks a review; the 422 names every mistake.
pub(super) fn check(review: &Value, form: Form) -> Result<(), Status> {
    let mut errors = ErrorList::new();
    let spec = review.get("spec").unwrap_or(&Value::Null);
    let path = Path::new("spec");
    let resource = at(spec, &["resourceAttributes"]);
    let other = at(spec, &["nonResourceAttributes"]);
    match (resource, other) {
        (Some(_), Some(other)) => errors.push(FieldError::invalid(
            &path.child("nonResourceAttributes"),
            other.clone(),
            "cannot be specified in combination with resourceAttributes",
        )),
        (None, None) => errors.push(FieldError::invalid(
            &path.child("resourceAttributes"),
            Value::Null,
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        )),
        _ => {}
    }
    if form != Form::Own && text(spec, &["user"]).is_empty() && list(spec, &["groups"]).is_empty() {
        errors.push(FieldError::invalid(
            &path.child("user"),
            "",
            "at least one of user or group must be specified",
        ));
    }
    if let Some(resource) = resource {
        let path = path.child("resourceAttributes");
        for (selector, labels) in [("fieldSelector", false), ("labelSelector", true)] {
            if let Some(value) = at(resource, &[selector]) {
                check_selector(value, labels, &path.child(selector), &mut errors);
            }
        }
    }
    if form == Form::Local {
        let namespace = text(review, &["metadata", "namespace"]);
        let asked = resource.map(|r| text(r, &["namespace"]));
        if let Some(asked) = asked.filter(|asked| *asked != namespace) {
            errors.push(FieldError::invalid(
                &path.child("resourceAttributes").child("namespace"),
                asked,
                "must match metadata.namespace",
            ));
        }
        if let Some(other) = other {
            errors.push(FieldError::invalid(
                &path.child("nonResourceAttributes"),
                other.clone(),
                "disallowed on this kind of request",
            ));
        }
    }
    check_metadata(review, form, &mut errors);
    if errors.is_empty() {
        Ok(())
    } else {
        // Upstream has lost the kind by then, and leaves it out of the text.
        Err(Status::invalid(GROUP, "", "", &errors))
    }
}

/// Reviews are not stored, so they have no name.
fn check_metadata(review: &Value, form: Form, errors: &mut ErrorList) {
    let Some(metadata) = at(review, &["metadata"]).and_then(Value::as_object) else {
        return;
    };
    let allowed = |key: &str| {
        // `creationTimestamp: null` is how Go writes the zero value.
        matches!(key, "managedFields" | "creationTimestamp")
            || (key == "namespace" && form == Form::Local)
    };
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    let extra: Map = metadata
        .iter()
        .filter(|(key, value)| !allowed(key) && !empty(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if !extra.is_empty() {
        let detail = match form {
            Form::Local => "must be empty except for namespace",
            _ => "must be empty",
        };
        errors.push(FieldError::invalid(
            &Path::new("metadata"),
            Value::Object(extra),
            detail,
        ));
    }
}

/// `labels` says that the keys are labels, and not the paths of fields.
fn check_selector(selector: &Value, labels: bool, path: &Path, errors: &mut ErrorList) {
    let raw = text(selector, &["rawSelector"]);
    let requirements = list(selector, &["requirements"]);
    match (raw.is_empty(), requirements.is_empty()) {
        (false, false) => errors.push(FieldError::invalid(
            &path.child("rawSelector"),
            raw,
            "may not specified at the same time as requirements",
        )),
        (true, true) => errors.push(FieldError::required(
            &path.child("requirements"),
            format!("when {path} is specified, requirements or rawSelector is required"),
        )),
        _ => {}
    }
    for (index, requirement) in requirements.iter().enumerate() {
        let path = path.child("requirements").index(index);
        let key = text(requirement, &["key"]);
        if labels {
            for why in qualified_name(key) {
                errors.push(FieldError::invalid(&path.child("key"), key, why));
            }
        } else if key.is_empty() {
            errors.push(FieldError::required(
                &path.child("key"),
                "must be specified",
            ));
        }
        let values = list(requirement, &["values"]);
        match text(requirement, &["operator"]) {
            "In" | "NotIn" if values.is_empty() => errors.push(FieldError::required(
                &path.child("values"),
                "must be specified when `operator` is 'In' or 'NotIn'",
            )),
            "Exists" | "DoesNotExist" if !values.is_empty() => errors.push(FieldError::forbidden(
                &path.child("values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            )),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.push(FieldError::invalid(
                &path.child("operator"),
                other,
                "not a valid selector operator",
            )),
        }
    }
}

/// The user that a SubjectAccessReview is about.
pub(super) fn subject(review: &Value) -> UserInfo {
    let spec = review.get("spec").unwrap_or(&Value::Null);
    let texts = |values: &[Value]| -> Vec<String> {
        values
            .iter()
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect()
    };
    let extra = at(spec, &["extra"]).and_then(Value::as_object);
    UserInfo {
        name: text(spec, &["user"]).to_owned(),
        uid: text(spec, &["uid"]).to_owned(),
        groups: texts(list(spec, &["groups"])),
        extra: extra
            .into_iter()
            .flatten()
            .map(|(key, values)| {
                let values = values.as_array().map_or(&[][..], Vec::as_slice);
                (key.to_lowercase(), texts(values))
            })
            .collect(),
    }
}

/// The field selector of a review that was checked, if it has one that says something an
/// authorizer can use: one value per field. Others are left out, which can only narrow what is
/// allowed.
pub(super) fn field_selector(review: &Value) -> Option<FieldSelector> {
    let selector = at(review, &["spec", "resourceAttributes", "fieldSelector"])?;
    let raw = text(selector, &["rawSelector"]);
    if !raw.is_empty() {
        return FieldSelector::parse(raw).ok();
    }
    let terms = list(selector, &["requirements"]).iter().filter_map(|r| {
        let equal = match text(r, &["operator"]) {
            "In" => true,
            "NotIn" => false,
            _ => return None,
        };
        match list(r, &["values"]) {
            [value] => Some((
                text(r, &["key"]).to_owned(),
                value.as_str()?.to_owned(),
                equal,
            )),
            _ => None,
        }
    });
    Some(FieldSelector {
        terms: terms.collect(),
    })
}

/// The question that a checked review puts to the authorizers about `user`.
pub(super) fn attributes<'a>(
    review: &'a Value,
    user: &'a UserInfo,
    field_selector: Option<&'a FieldSelector>,
) -> Attributes<'a> {
    let spec = review.get("spec").unwrap_or(&Value::Null);
    if let Some(asked) = at(spec, &["nonResourceAttributes"]) {
        return Attributes::path(user, text(asked, &["verb"]), text(asked, &["path"]));
    }
    let asked = at(spec, &["resourceAttributes"]).unwrap_or(&Value::Null);
    let field = |name: &str| text(asked, &[name]);
    Attributes {
        user,
        verb: field("verb"),
        group: field("group"),
        version: match field("version") {
            "" => "*",
            version => version,
        },
        resource: field("resource"),
        subresource: field("subresource"),
        namespace: field("namespace"),
        name: field("name"),
        path: "",
        field_selector,
    }
}
