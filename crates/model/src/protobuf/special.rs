//! The types whose JSON form does not follow from their messages.

use super::wire::{Data, Fields};
use super::{MAGIC, ProtobufError, decode, message, utf8};
use crate::Value;
use crate::schema::{RawKind, Schema};
use serde_json::json;

const SCHEMA_PROPS: &str =
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

/// `resource.Quantity`: its text.
pub(super) fn quantity(bytes: &[u8], name: &str) -> Result<Value, ProtobufError> {
    let mut text = String::new();
    for field in Fields::of(bytes, name) {
        if let (1, Data::Bytes(bytes)) = field? {
            text = utf8(bytes, name)?;
        }
    }
    Ok(if text.is_empty() {
        "0".into()
    } else {
        text.into()
    })
}

/// `intstr.IntOrString`: which of the two, the number, the text.
pub(super) fn int_or_string(bytes: &[u8], name: &str) -> Result<Value, ProtobufError> {
    let (mut is_text, mut number, mut text) = (false, 0, String::new());
    for field in Fields::of(bytes, name) {
        match field? {
            (1, data) => is_text = data.integer(name)? == 1,
            (2, data) => number = data.integer(name)?,
            (3, Data::Bytes(bytes)) => text = utf8(bytes, name)?,
            _ => {}
        }
    }
    Ok(if is_text { text.into() } else { number.into() })
}

/// `metav1.Time` and `metav1.MicroTime`: seconds and nanoseconds; an empty message is no time.
pub(super) fn time(bytes: &[u8], name: &str, micro: bool) -> Result<Value, ProtobufError> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let (mut seconds, mut nanos) = (0, 0);
    for field in Fields::of(bytes, name) {
        match field? {
            (1, data) => seconds = data.integer(name)?,
            (2, data) => nanos = data.integer(name)?,
            _ => {}
        }
    }
    let malformed = || ProtobufError::Malformed(name.to_owned());
    let nanos = i32::try_from(nanos).map_err(|_| malformed())?;
    let at =
        jiff::Timestamp::new(seconds, if micro { nanos } else { 0 }).map_err(|_| malformed())?;
    Ok(if micro {
        format!("{at:.6}")
    } else {
        at.to_string()
    }
    .into())
}

/// `metav1.Duration`: nanoseconds, written as Go writes durations.
pub(super) fn duration(bytes: &[u8], name: &str) -> Result<Value, ProtobufError> {
    let mut nanos = 0;
    for field in Fields::of(bytes, name) {
        if let (1, data) = field? {
            nanos = data.integer(name)?;
        }
    }
    Ok(go_duration(nanos).into())
}

/// The exact form of Go's `time.Duration.String`.
fn go_duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let all = nanos.unsigned_abs();
    let fraction = |whole: u64, rest: u64, digits: usize| {
        if rest == 0 {
            whole.to_string()
        } else {
            let text = format!("{whole}.{rest:0digits$}");
            text.trim_end_matches('0').to_owned()
        }
    };
    match all {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{all}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", fraction(all / 1_000, all % 1_000, 3)),
        1_000_000..1_000_000_000 => {
            format!("{sign}{}ms", fraction(all / 1_000_000, all % 1_000_000, 6))
        }
        _ => {
            let (minutes, nanos) = (all / 60_000_000_000, all % 60_000_000_000);
            let seconds = fraction(nanos / 1_000_000_000, nanos % 1_000_000_000, 9);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// Types that hold JSON, or something in its place.
pub(super) fn raw(
    schema: &Schema,
    kind: RawKind,
    bytes: &[u8],
    name: &str,
    depth: usize,
) -> Result<Value, ProtobufError> {
    match kind {
        RawKind::Extension | RawKind::Fields | RawKind::Json => {
            for field in Fields::of(bytes, name) {
                if let (1, Data::Bytes(raw)) = field? {
                    return embedded(schema, raw, name);
                }
            }
            Ok(Value::Null)
        }
        RawKind::SchemaOrBool => {
            let (mut allowed, mut props) = (false, None);
            for field in Fields::of(bytes, name) {
                match field? {
                    (1, data) => allowed = data.integer(name)? != 0,
                    (2, Data::Bytes(bytes)) => props = Some(json_schema(schema, bytes, depth)?),
                    _ => {}
                }
            }
            Ok(props.unwrap_or(Value::Bool(allowed)))
        }
        RawKind::SchemaOrArray => {
            let mut many = Vec::new();
            for field in Fields::of(bytes, name) {
                match field? {
                    (1, Data::Bytes(bytes)) => return json_schema(schema, bytes, depth),
                    (2, Data::Bytes(bytes)) => many.push(json_schema(schema, bytes, depth)?),
                    _ => {}
                }
            }
            Ok(Value::Array(many))
        }
        RawKind::SchemaOrStrings => {
            let mut names = Vec::new();
            for field in Fields::of(bytes, name) {
                match field? {
                    (1, Data::Bytes(bytes)) => return json_schema(schema, bytes, depth),
                    (2, Data::Bytes(bytes)) => names.push(utf8(bytes, name)?),
                    _ => {}
                }
            }
            Ok(json!(names))
        }
    }
}

fn json_schema(schema: &Schema, bytes: &[u8], depth: usize) -> Result<Value, ProtobufError> {
    match schema.get(SCHEMA_PROPS) {
        Some(ty) => message(schema, ty, bytes, depth).map(Value::Object),
        None => Ok(Value::Null),
    }
}

/// JSON, or an object in protobuf form.
fn embedded(schema: &Schema, raw: &[u8], name: &str) -> Result<Value, ProtobufError> {
    if raw.is_empty() {
        return Ok(Value::Null);
    }
    if raw.starts_with(MAGIC) {
        return decode(schema, raw);
    }
    crate::decode::decode(raw, crate::decode::Format::Json)
        .map(|decoded| decoded.value)
        .map_err(|_| ProtobufError::Malformed(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::go_duration;

    #[test]
    fn durations_as_go_writes_them() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (2_000_000, "2ms"),
            (1_000_000_000, "1s"),
            (90_500_000_000, "1m30.5s"),
            (3_600_000_000_000, "1h0m0s"),
            (-5_400_000_000_000, "-1h30m0s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(go_duration(nanos), text);
        }
    }
}
