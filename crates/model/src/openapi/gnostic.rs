//! An OpenAPI v2 document as the protobuf message `openapi.v2.Document`, from its JSON form.
//! The numbers are those of the message definitions in gnostic's `OpenAPIv2.proto`.

use super::protobuf::Message;
use crate::{Map, Value};

/// A document under construction.
#[derive(Debug, Default)]
pub(super) struct Document {
    paths: Message,
    definitions: Message,
}

impl Document {
    /// Adds a path.
    pub(super) fn path(&mut self, path: &str, item: &Value) {
        self.paths.message(2, &named(path, &path_item(item)));
    }

    /// Adds a type.
    pub(super) fn definition(&mut self, name: &str, value: &Value) {
        self.definitions.message(1, &named(name, &schema(value)));
    }

    /// Writes it all.
    pub(super) fn finish(self, info: &Value, security: &Value) -> Vec<u8> {
        let mut out = Message::default();
        out.string(1, "2.0");
        let mut about = Message::default();
        about.string(1, text(info, "title"));
        about.string(2, text(info, "version"));
        out.message(2, &about);
        out.message(8, &self.paths);
        out.message(9, &self.definitions);
        let (mut required, mut defined) = (Message::default(), Message::default());
        for (name, value) in entries(security) {
            // No scopes.
            required.message(1, &named(name, &Message::default()));
            let mut key = Message::default();
            key.string(1, text(value, "type"));
            key.string(2, text(value, "name"));
            key.string(3, text(value, "in"));
            key.string(4, text(value, "description"));
            let mut item = Message::default();
            item.message(2, &key);
            defined.message(1, &named(name, &item));
        }
        out.message(12, &required);
        out.message(13, &defined);
        out.into_bytes()
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn named(name: &str, value: &Message) -> Message {
    let mut out = Message::default();
    out.string(1, name);
    out.message(2, value);
    out
}

/// A value as text; YAML includes JSON.
fn any(value: &Value) -> Message {
    let mut out = Message::default();
    out.string(2, &value.to_string());
    out
}

fn extensions(out: &mut Message, field: u64, value: &Value) {
    for (name, value) in entries(value).filter(|(name, _)| name.starts_with("x-")) {
        out.message(field, &named(name, &any(value)));
    }
}

fn path_item(value: &Value) -> Message {
    let mut out = Message::default();
    for (field, method) in [
        (2, "get"),
        (3, "put"),
        (4, "post"),
        (5, "delete"),
        (8, "patch"),
    ] {
        if let Some(found) = value.get(method) {
            out.message(field, &operation(found));
        }
    }
    for found in items(value, "parameters") {
        out.message(9, &parameter(found));
    }
    out
}

fn operation(value: &Value) -> Message {
    let mut out = Message::default();
    for tag in items(value, "tags").filter_map(Value::as_str) {
        out.repeated_string(1, tag);
    }
    out.string(3, text(value, "description"));
    out.string(5, text(value, "operationId"));
    for (field, key) in [(6, "produces"), (7, "consumes")] {
        for media in items(value, key).filter_map(Value::as_str) {
            out.repeated_string(field, media);
        }
    }
    for found in items(value, "parameters") {
        out.message(8, &parameter(found));
    }
    let mut responses = Message::default();
    if let Some(found) = value.get("responses") {
        for (code, found) in entries(found) {
            responses.message(1, &named(code, &response(found)));
        }
    }
    out.message(9, &responses);
    for scheme in items(value, "schemes").filter_map(Value::as_str) {
        out.repeated_string(10, scheme);
    }
    extensions(&mut out, 13, value);
    out
}

fn parameter(value: &Value) -> Message {
    let mut parameter = Message::default();
    if text(value, "in") == "body" {
        let mut body = Message::default();
        body.string(1, text(value, "description"));
        body.string(2, text(value, "name"));
        body.string(3, "body");
        body.boolean(4, flag(value, "required"));
        if let Some(found) = value.get("schema") {
            body.message(5, &schema(found));
        }
        parameter.message(1, &body);
    } else {
        let in_path = text(value, "in") == "path";
        // Query parameters have one field more, in the middle.
        let (kind, ty, unique) = if in_path { (4, 5, 19) } else { (3, 6, 20) };
        let mut plain = Message::default();
        plain.boolean(1, flag(value, "required"));
        plain.string(2, text(value, "in"));
        plain.string(3, text(value, "description"));
        plain.string(4, text(value, "name"));
        plain.string(ty, text(value, "type"));
        plain.boolean(unique, flag(value, "uniqueItems"));
        let mut non_body = Message::default();
        non_body.message(kind, &plain);
        parameter.message(2, &non_body);
    }
    let mut item = Message::default();
    item.message(1, &parameter);
    item
}

fn response(value: &Value) -> Message {
    let mut response = Message::default();
    response.string(1, text(value, "description"));
    if let Some(found) = value.get("schema") {
        let mut item = Message::default();
        item.message(1, &schema(found));
        response.message(2, &item);
    }
    let mut out = Message::default();
    out.message(1, &response);
    out
}

fn schema(value: &Value) -> Message {
    let mut out = Message::default();
    out.string(1, text(value, "$ref"));
    out.string(2, text(value, "format"));
    out.string(4, text(value, "description"));
    for name in items(value, "required").filter_map(Value::as_str) {
        out.repeated_string(19, name);
    }
    for allowed in items(value, "enum") {
        out.message(20, &any(allowed));
    }
    if let Some(found) = value.get("additionalProperties") {
        let mut item = Message::default();
        item.message(1, &schema(found));
        out.message(21, &item);
    }
    if let Some(ty) = value.get("type").and_then(Value::as_str) {
        let mut item = Message::default();
        item.repeated_string(1, ty);
        out.message(22, &item);
    }
    if let Some(found) = value.get("items") {
        let mut item = Message::default();
        item.message(1, &schema(found));
        out.message(23, &item);
    }
    if let Some(found) = value.get("properties") {
        let mut all = Message::default();
        for (name, found) in entries(found) {
            all.message(1, &named(name, &schema(found)));
        }
        out.message(25, &all);
    }
    extensions(&mut out, 31, value);
    out
}
