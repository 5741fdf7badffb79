//! From a request's body to an object of the right kind: decoded strictly and once, held against
//! its type, and everything that does not fit named in upstream's words.

use super::write_options::FieldValidation;
use crate::context::{BodySource, Context, Payload};
use crate::negotiation::{body_format, is_protobuf};
use crate::served::{Served, set_kind};
use crate::server::Server;
use model::Value;
use model::decode::decode;
use model::registry::Registry;
use model::resource::{GroupVersionKind, split_api_version};
use model::schema::Schema;
use model::status::Status;

/// The kind that a body must have, and its type.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The kind.
    pub kind: GroupVersionKind,
    /// The type's name in the schema; empty if the schema does not have it.
    pub schema: String,
}

impl Expected {
    /// Objects of a resource.
    pub fn of(served: &Served) -> Self {
        Self {
            kind: GroupVersionKind {
                group: served.resource.group.clone(),
                version: served.version.clone(),
                kind: served.resource.kind.clone(),
            },
            schema: served.schema.clone().into_owned(),
        }
    }
}

/// Parses a body; also returns the fields that stand twice.
pub fn parse(ctx: &Context, payload: Payload, kind: &str) -> Result<(Value, Vec<String>), Status> {
    let bytes = match payload {
        Payload::Value(value) => return Ok((value, Vec::new())),
        Payload::Bytes(bytes) => bytes,
    };
    if is_protobuf(&ctx.content_type) {
        let value = model::protobuf::decode(Schema::builtin(), &bytes)
            .map_err(|e| Status::bad_request(e.to_string()))?;
        return Ok((value, Vec::new()));
    }
    let format = body_format(&ctx.content_type)?;
    let decoded = decode(&bytes, format).map_err(|e| {
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get \
             version/kind; json parse error: {e}"
        ))
    })?;
    if !decoded.value.is_object() {
        return Err(Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get \
             version/kind; json parse error: json: cannot unmarshal {} into Go value of type \
             struct {{ APIVersion string; Kind string }}",
            json_kind(&decoded.value)
        )));
    }
    Ok((decoded.value, decoded.duplicates))
}

fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Reads a request's body, and decodes it into an object of the expected kind.
pub async fn body(
    server: &Server,
    ctx: &mut Context,
    expected: &Expected,
    validation: FieldValidation,
    body: BodySource,
) -> Result<Value, Status> {
    let payload = ctx.read(body, server.limits.body).await?;
    let registry = &server.services.registry;
    object(registry, server.schema, ctx, expected, validation, payload)
}

/// Decodes a body into an object of the expected kind.
pub fn object(
    registry: &Registry,
    schema: &Schema,
    ctx: &mut Context,
    expected: &Expected,
    validation: FieldValidation,
    payload: Payload,
) -> Result<Value, Status> {
    let (mut value, duplicates) = parse(ctx, payload, &expected.kind.kind)?;
    check_kind(registry, expected, &mut value)?;
    conform(schema, ctx, expected, validation, &mut value, duplicates)?;
    Ok(value)
}

/// Holds a value against its type.
pub fn conform(
    schema: &Schema,
    ctx: &mut Context,
    expected: &Expected,
    validation: FieldValidation,
    value: &mut Value,
    duplicates: Vec<String>,
) -> Result<(), Status> {
    fit(schema, ctx, expected, validation, value, duplicates)
        .map_err(|why| cannot_be_handled(expected, &why))
}

/// Holds a value against its type; the error is why it does not fit, in the decoder's words.
pub fn fit(
    schema: &Schema,
    ctx: &mut Context,
    expected: &Expected,
    validation: FieldValidation,
    value: &mut Value,
    duplicates: Vec<String>,
) -> Result<(), String> {
    if expected.schema.is_empty() {
        return Ok(());
    }
    let found = schema.conform(&expected.schema, value);
    if let Some(error) = found.errors.first() {
        return Err(error.clone());
    }
    let unknown = found.unknown.iter().map(|f| ("unknown", f));
    let problems: Vec<String> = unknown
        .chain(duplicates.iter().map(|f| ("duplicate", f)))
        .map(|(what, field)| format!("{what} field \"{field}\""))
        .collect();
    if problems.is_empty() {
        return Ok(());
    }
    match validation {
        FieldValidation::Ignore => Ok(()),
        FieldValidation::Warn => {
            ctx.warnings.extend(problems);
            Ok(())
        }
        FieldValidation::Strict => Err(format!("strict decoding error: {}", problems.join(", "))),
    }
}

fn cannot_be_handled(expected: &Expected, why: &str) -> Status {
    let kind = &expected.kind;
    Status::bad_request(format!(
        "{} in version \"{}\" cannot be handled as a {}: {why}",
        kind.kind, kind.version, kind.kind
    ))
}

/// Checks that `apiVersion` and `kind` are what the path says; missing ones are filled in.
pub fn check_kind(
    registry: &Registry,
    expected: &Expected,
    value: &mut Value,
) -> Result<(), Status> {
    let want = &expected.kind;
    let text = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(s)) => Ok(s.clone()),
        Some(other) => Err(Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get \
             version/kind; json parse error: json: cannot unmarshal {} into Go struct field \
             .{name} of type string",
            want.kind,
            json_kind(other)
        ))),
    };
    let api_version = text("apiVersion")?;
    let kind = text("kind")?;
    let expected_version = want.api_version();
    let kind_fits = kind.is_empty() || kind == want.kind;
    let version_fits = api_version.is_empty() || api_version == expected_version;
    if kind_fits && version_fits {
        set_kind(value, &expected_version, &want.kind);
        return Ok(());
    }
    let (group, version) = split_api_version(&api_version);
    let (group, version) = if api_version.is_empty() {
        (want.group.as_ref(), want.version.as_ref())
    } else {
        (group, version)
    };
    let kind = if kind.is_empty() {
        &want.kind
    } else {
        kind.as_str()
    };
    if registry.by_kind(group, version, kind).is_none() {
        return Err(Status::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {}: no kind \"{kind}\" is \
             registered for version \"{}\" in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
            want.kind,
            model::resource::api_version(group, version),
        )));
    }
    if !kind_fits {
        return Err(Status::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {}: converting ({}.{kind}) to \
             ({}.{}): unknown conversion",
            want.kind,
            version,
            if want.group.is_empty() {
                "core"
            } else {
                short(&want.group)
            },
            want.kind,
        )));
    }
    Err(Status::bad_request(format!(
        "the API version in the data ({api_version}) does not match the expected API version \
         ({expected_version})"
    )))
}

/// The first part of a group's name, as Go packages are named.
fn short(group: &str) -> &str {
    group.split('.').next().unwrap_or(group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds_must_fit_the_path() {
        let registry = Registry::builtin();
        let served = Served::find(&registry, "", "v1", "pods").unwrap();
        let expected = Expected::of(&served);
        for (body, want) in [
            (json!({"apiVersion": "v1", "kind": "Pod"}), ""),
            (json!({}), ""),
            (
                json!({"apiVersion": "v1", "kind": "Service"}),
                "Service in version \"v1\" cannot be handled as a Pod: converting (v1.Service) to \
                 (core.Pod): unknown conversion",
            ),
            (
                json!({"apiVersion": "v9", "kind": "Pod"}),
                "Pod in version \"v9\" cannot be handled as a Pod: no kind \"Pod\" is registered \
                 for version \"v9\" in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
            ),
        ] {
            let mut value = body.clone();
            let got = check_kind(&registry, &expected, &mut value);
            let message = got.err().map(|s| s.message).unwrap_or_default();
            assert_eq!(message, want, "{body}");
            if want.is_empty() {
                assert_eq!(value, json!({"apiVersion": "v1", "kind": "Pod"}));
            }
        }
    }
}
