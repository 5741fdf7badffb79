//! The `scale` subresource: the `autoscaling/v1` Scale view of a kind with `spec.replicas`.

use super::change::{Change, Outcome, commit};
use super::decode::{self, Expected};
use super::patch::Kind;
use super::read::find;
use super::update::{ATTEMPTS, check_name};
use super::write_options::WriteOptions;
use crate::cache::CachedObject;
use crate::context::{BodySource, Context, Payload};
use crate::reply::Reply;
use crate::served::Served;
use crate::server::Server;
use model::Value;
use model::decode::{Format, decode as parse};
use model::field::{FieldError, Path};
use model::meta;
use model::patch::{json_patch, merge_patch, strategic_merge};
use model::resource::GroupVersionKind;
use model::status::Status;
use serde_json::json;

const SCHEMA: &str = "io.k8s.api.autoscaling.v1.Scale";

fn expected() -> Expected {
    Expected {
        kind: GroupVersionKind {
            group: "autoscaling".into(),
            version: "v1".into(),
            kind: "Scale".into(),
        },
        schema: SCHEMA.to_owned(),
    }
}

/// The Scale of an object.
fn view(object: &Value) -> Value {
    let replicas = |path: &[&str]| meta::at(object, path).and_then(Value::as_i64).unwrap_or(0);
    let selector = selector(meta::at(object, &["spec", "selector"]).unwrap_or(&Value::Null));
    let mut metadata = json!({});
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        if let Some(value) = meta::at(object, &["metadata", field]) {
            meta::set(&mut metadata, &[field], value.clone());
        }
    }
    let mut scale = json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {},
        "status": {"replicas": replicas(&["status", "replicas"])},
    });
    let wanted = replicas(&["spec", "replicas"]);
    if wanted != 0 {
        meta::set(&mut scale, &["spec", "replicas"], wanted);
    }
    if !selector.is_empty() {
        meta::set(&mut scale, &["status", "selector"], selector);
    }
    scale
}

/// A selector in its text form; a plain map of labels (of replication controllers) too.
fn selector(value: &Value) -> String {
    let mut terms = Vec::new();
    let labels = value.get("matchLabels").or_else(|| {
        let plain = value.get("matchExpressions").is_none();
        plain.then_some(value)
    });
    for (key, value) in labels.and_then(Value::as_object).into_iter().flatten() {
        terms.push(format!("{key}={}", value.as_str().unwrap_or_default()));
    }
    for expression in meta::list(value, &["matchExpressions"]) {
        let key = meta::text(expression, &["key"]);
        let values: Vec<&str> = meta::list(expression, &["values"])
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let values = values.join(",");
        terms.push(match meta::text(expression, &["operator"]) {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    terms.sort();
    terms.join(",")
}

/// Reads the Scale.
pub async fn get(server: &Server, ctx: &Context, served: &Served) -> Result<Reply, Status> {
    server.fresh().await?;
    let object = find(server, served, &ctx.info.namespace, &ctx.info.name)?;
    Ok(Reply::Value {
        code: 200,
        value: view(&served.read(&object)?),
    })
}

/// Sets the Scale.
pub async fn update(
    server: &Server,
    ctx: &mut Context,
    served: &Served,
    body: BodySource,
) -> Result<Reply, Status> {
    let options = WriteOptions::parse(ctx, "UpdateOptions", false)?;
    let scale = decode::body(server, ctx, &expected(), options.validation, body).await?;
    apply(server, ctx, served, &options, |_, _| Ok(scale.clone())).await
}

/// Patches the Scale.
pub async fn patch(
    server: &Server,
    ctx: &mut Context,
    served: &Served,
    body: BodySource,
) -> Result<Reply, Status> {
    let kind = Kind::of(&ctx.content_type)?;
    let options = WriteOptions::parse(ctx, "PatchOptions", kind == Kind::Apply)?;
    let patch = match ctx.read(body, server.limits.body).await? {
        Payload::Value(value) => value,
        Payload::Bytes(bytes) => {
            let format = if kind == Kind::Apply {
                Format::Yaml
            } else {
                Format::Json
            };
            parse(&bytes, format)
                .map_err(|e| Status::bad_request(format!("error decoding patch: {e}")))?
                .value
        }
    };
    let schema = server.schema;
    let validation = options.validation;
    apply(server, ctx, served, &options, move |ctx, live| {
        let mut scale = match kind {
            Kind::Json => json_patch(live, &patch),
            // An applied Scale says nothing but its replicas.
            Kind::Merge | Kind::Apply => merge_patch(live, &patch),
            Kind::Strategic => strategic_merge(schema, SCHEMA, live, &patch),
        }
        .map_err(|e| e.to_status())?;
        decode::conform(schema, ctx, &expected(), validation, &mut scale, Vec::new())?;
        Ok(scale)
    })
    .await
}

/// Writes the replicas of the Scale that `change` makes of the present one.
async fn apply(
    server: &Server,
    ctx: &mut Context,
    served: &Served,
    options: &WriteOptions,
    change: impl Fn(&mut Context, &Value) -> Result<Value, Status>,
) -> Result<Reply, Status> {
    let name = ctx.info.name.clone();
    let api_version = served.api_version();
    let terms = Change {
        options,
        api_version: &api_version,
        subresource: "scale",
        managed: false,
    };
    for _ in 0..ATTEMPTS {
        server.fresh().await?;
        let current = find(server, served, &ctx.info.namespace, &name)?;
        let mut object = served.read(&current)?;
        let scale = change(ctx, &view(&object))?;
        check_name(ctx, &scale)?;
        let pinned = pinned(served, &name, &scale, &current)?;
        let replicas = meta::at(&scale, &["spec", "replicas"])
            .and_then(Value::as_i64)
            .unwrap_or(0);
        if replicas < 0 {
            let path = Path::new("spec").child("replicas");
            let detail = "must be greater than or equal to 0";
            let error = FieldError::invalid(&path, replicas, detail);
            return Err(Status::invalid("autoscaling", "Scale", &name, &vec![error]));
        }
        meta::set(&mut object, &["spec", "replicas"], replicas);
        let object = served.to_stored(object);
        match commit(server, ctx, served, &current, object, &terms).await? {
            Outcome::Raced if pinned => return Err(served.stale(&name)),
            Outcome::Raced => {}
            Outcome::Written(object) => {
                let value = view(&served.read(&object)?);
                return Ok(Reply::Value { code: 200, value });
            }
            Outcome::Done(value) => {
                let value = view(&served.from_stored(value));
                return Ok(Reply::Value { code: 200, value });
            }
        }
    }
    Err(served.stale(&name))
}

/// Whether the Scale names the version that it was read at; another one is a conflict.
fn pinned(
    served: &Served,
    name: &str,
    scale: &Value,
    current: &CachedObject,
) -> Result<bool, Status> {
    let wanted = meta::resource_version(scale);
    if !wanted.is_empty() && wanted != current.revision.to_string() {
        return Err(served.stale(name));
    }
    let uid = meta::uid(scale);
    let real = current.encoded.parse().map_err(Status::internal)?;
    if !uid.is_empty() && uid != meta::uid(&real) {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            meta::uid(&real)
        );
        return Err(served.conflict(name, why));
    }
    Ok(!wanted.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_written_as_text() {
        for (value, want) in [
            (json!({"matchLabels": {"b": "2", "a": "1"}}), "a=1,b=2"),
            (json!({"app": "x"}), "app=x"),
            (
                json!({"matchExpressions": [
                    {"key": "a", "operator": "In", "values": ["x", "y"]},
                    {"key": "b", "operator": "Exists"},
                    {"key": "c", "operator": "DoesNotExist"},
                ]}),
                "!c,a in (x,y),b",
            ),
            (Value::Null, ""),
        ] {
            assert_eq!(selector(&value), want);
        }
    }
}
