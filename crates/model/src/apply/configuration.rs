//! Server-side apply itself.

use super::compare::Comparison;
use super::extract::{field_set, with_named_fields};
use super::field_set::FieldSet;
use super::managed::{Entry, Managed, Operation};
use super::track::{put_managed, resets, stored_managed, strip, take_managed, update};
use super::{ApplyError, Conflict, Manager, last_applied, merge, remove, validate};
use crate::schema::Schema;
use crate::shape::Shape;
use crate::{Map, Value, meta};

/// The manager of what stood in an object before it was first applied.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Applies `config` to `live` (`None` if it does not exist yet) on behalf of `manager`: merges,
/// removes what the manager applied before and does not any more (unless somebody else owns it
/// too), and returns the object with its managed fields. The manager owns all that `config` says.
///
/// `config` must be the configuration as the client sent it, neither defaulted nor completed:
/// what it does not say stays unsaid. If the object and the manager's fields stay as they are, so
/// does the time of the manager's entry, and the result equals `live`.
///
/// # Errors
/// `Conflicts` if others own fields with other values, unless `force`, which takes the fields from
/// them; `Malformed` if `config` has managed fields; `Mistyped` if it does not fit the type.
pub fn apply(
    schema: &Schema,
    name: &str,
    live: Option<&Value>,
    config: &Value,
    manager: &Manager<'_>,
    force: bool,
) -> Result<Value, ApplyError> {
    if !config.is_object() {
        return Err(ApplyError::Malformed(
            "the applied configuration must be an object".to_owned(),
        ));
    }
    if stored_managed(config).is_some_and(|managed| !managed.is_null()) {
        return Err(ApplyError::Malformed(
            "metadata.managedFields must be nil".to_owned(),
        ));
    }
    let shape = Shape::of(schema, name).unwrap_or_else(|| Shape::free(schema));
    let errors = validate::errors(shape, config);
    if !errors.is_empty() {
        return Err(ApplyError::Mistyped(format!(
            "failed to create typed patch object ({}): {}",
            describe(config),
            validate::message(&errors)
        )));
    }
    let mut applied = apply_config(shape, live, config, manager, force);
    if let Err(ApplyError::Conflicts(conflicts)) = &applied
        && manager.name == last_applied::KUBECTL
        && let Some(owned) = live.and_then(|live| last_applied::unchanged_fields(shape, live))
    {
        // kubectl changes over from client-side to server-side apply: its own former fields are
        // no conflict.
        let foreign: Vec<Conflict> = conflicts
            .iter()
            .filter(|conflict| !owned.contains(&conflict.field))
            .cloned()
            .collect();
        applied = if foreign.is_empty() {
            apply_config(shape, live, config, manager, true)
        } else {
            Err(ApplyError::Conflicts(foreign))
        };
    }
    let mut object = applied?;
    if manager.name == last_applied::KUBECTL {
        last_applied::refresh(&mut object, config);
    }
    Ok(object)
}

/// `namespace/name; group/version, Kind=Kind`.
fn describe(config: &Value) -> String {
    let version = meta::text(config, &["apiVersion"]);
    let version = match version.split_once('/') {
        Some(_) => version.to_owned(),
        None => format!("/{version}"),
    };
    format!(
        "{}/{}; {version}, Kind={}",
        meta::namespace(config),
        meta::name(config),
        meta::text(config, &["kind"])
    )
}

fn apply_config(
    shape: Shape<'_>,
    live: Option<&Value>,
    config: &Value,
    manager: &Manager<'_>,
    force: bool,
) -> Result<Value, ApplyError> {
    let resets = resets(shape, manager.subresource);
    let mut before = live.cloned().unwrap_or_else(|| Value::Object(Map::new()));
    let mut managed = Managed::stored(take_managed(&mut before));
    if managed.entries.is_empty() && live.is_some() {
        let unknown = Manager {
            name: BEFORE_FIRST_APPLY,
            ..manager.clone()
        };
        let comparison = Comparison::of(shape, None, &before, &resets);
        managed = update(managed, comparison, &unknown);
    }

    let mut mine = Entry::of(manager, Operation::Apply);
    let last = managed.take(&mine);
    let mut set = field_set(shape, config);
    set.retain(|element| !element.strip_prefix("f:").is_some_and(&resets));

    let mut object = merge::merge(shape, before.clone(), config);
    if let Some(last) = &last {
        object = prune(shape, object, &last.set(), &set, &managed);
    }
    // What pruning has emptied is null here: as upstream, that is a change of what was in it, but
    // not of itself.
    let comparison = Comparison::of(shape, Some(&before), &object, &resets);
    let (changed, removed) = comparison.set();
    let conflicts = conflicts(&managed, &changed);
    if !force && !conflicts.is_empty() {
        return Err(ApplyError::Conflicts(conflicts));
    }
    for entry in &mut managed.entries {
        entry.subtract(&changed);
        entry.subtract(&removed);
    }
    strip(&mut set);
    remove::drop_nulls(shape, &mut object);
    // As upstream, the time tells when the manager last changed something: one that only shares
    // what was there has none.
    mine.time = if object == before {
        last.and_then(|last| last.time)
    } else {
        Some(manager.time.to_owned())
    };
    mine.set_to(set);
    managed.entries.push(mine);
    managed.drop_empty();
    put_managed(&mut object, managed);
    Ok(object)
}

/// The fields of others that would change.
fn conflicts(managed: &Managed, changed: &FieldSet) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    for entry in managed.entries.iter().filter(|e| e.meets(changed)) {
        let manager = entry.describe();
        conflicts.extend(
            entry
                .set()
                .intersection(changed)
                .paths()
                .into_iter()
                .map(|field| Conflict {
                    field,
                    manager: manager.clone(),
                }),
        );
    }
    conflicts.sort_by(|a, b| a.manager.cmp(&b.manager));
    conflicts
}

/// Removes what the manager applied last time (`last`) and nobody owns now: neither the manager
/// with its new set (`set`) nor anyone else (`managed`).
///
/// Removing an entry would take along everything in it, so what is owned inside is added back
/// with what holds it, and what nobody owned before either is left alone.
fn prune(
    shape: Shape<'_>,
    merged: Value,
    last: &FieldSet,
    set: &FieldSet,
    managed: &Managed,
) -> Value {
    if last.is_subset(set) {
        return merged;
    }
    let named = |mut set: FieldSet| {
        with_named_fields(shape, &mut set);
        set
    };
    let last = named(last.clone());
    let everything = named(field_set(shape, &merged));

    let without_last = remove::remove(shape, merged.clone(), &last);
    let mut owned = set.clone();
    for entry in &managed.entries {
        owned.union_with(entry.set().into_owned());
    }
    let mut unowned = everything.clone();
    unowned.subtract(&named(field_set(shape, &without_last)));
    unowned.subtract(&named(owned));

    let owned_only = remove::remove(shape, merged.clone(), &unowned);
    let mut gone = everything;
    gone.subtract(&named(field_set(shape, &owned_only)));
    let gone = gone.intersection(&last);
    match remove::remove(shape, merged, &gone) {
        Value::Null => Value::Object(Map::new()),
        object => object,
    }
}
