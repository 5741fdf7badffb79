//! What differs between two objects, field by field.

use super::element;
use super::field_set::{Entry, FieldSet};
use crate::shape::{Form, Shape};
use crate::{Map, Value};
use std::collections::BTreeMap;

/// The fields that differ. No field is in more than one of the sets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Only in the old object.
    pub(super) removed: FieldSet,
    /// In both, with different values.
    pub(super) modified: FieldSet,
    /// Only in the new object.
    pub(super) added: FieldSet,
}

impl Comparison {
    /// Compares two objects. An object that does not exist yet is one of zero values, as upstream
    /// decodes it: fields that its encoding always has are not new when they get a value. Top
    /// level fields for which `reset` holds are left out.
    pub(super) fn of(
        shape: Shape<'_>,
        old: Option<&Value>,
        new: &Value,
        reset: impl Fn(&str) -> bool,
    ) -> Self {
        let empty = Map::new();
        let old = old.and_then(Value::as_object);
        let new = new.as_object().unwrap_or(&empty);
        let mut change = Change::default();
        for (name, before, after) in zip(old, Some(new)) {
            if !reset(name) {
                member(shape, name, (true, before), (true, after), &mut change);
            }
        }
        Self {
            removed: change.removed.below,
            modified: change.modified.below,
            added: change.added.below,
        }
    }

    /// Whether nothing differs.
    pub(super) fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.modified.is_empty() && self.added.is_empty()
    }

    /// The fields that the new object sets: added or modified.
    pub(super) fn set(self) -> (FieldSet, FieldSet) {
        let mut set = self.modified;
        set.union_with(self.added);
        (set, self.removed)
    }
}

/// A value on one side of the comparison.
#[derive(Debug, Clone, Copy)]
enum Side<'v> {
    Absent,
    /// There with its zero value, though the object does not spell it out.
    Zero,
    Value(&'v Value),
}

impl<'v> Side<'v> {
    fn of(value: Option<&&'v Value>) -> Self {
        value.map_or(Self::Absent, |value| Self::Value(value))
    }

    fn absent(self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The map here; an error if there is something else.
    fn map(self) -> Result<Option<&'v Map>, Mismatch> {
        match self {
            Self::Value(Value::Object(map)) => Ok(Some(map)),
            Self::Absent | Self::Zero | Self::Value(Value::Null) => Ok(None),
            Self::Value(_) => Err(Mismatch),
        }
    }

    /// The list here; an error if there is something else.
    fn list(self) -> Result<&'v [Value], Mismatch> {
        match self {
            Self::Value(Value::Array(list)) => Ok(list),
            Self::Absent | Self::Zero | Self::Value(Value::Null) => Ok(&[]),
            Self::Value(_) => Err(Mismatch),
        }
    }
}

/// A value is not of its type's form, or empty. Such values are compared as a whole.
struct Mismatch;

/// What differs at and below one place.
#[derive(Debug, Default)]
struct Change {
    removed: Entry,
    modified: Entry,
    added: Entry,
}

impl Change {
    fn attach(&mut self, name: impl Fn() -> String, change: Self) {
        for (all, entry) in [
            (&mut self.removed, change.removed),
            (&mut self.modified, change.modified),
            (&mut self.added, change.added),
        ] {
            if !entry.is_empty() {
                all.below.attach(name(), entry);
            }
        }
    }
}

fn compare(shape: Shape<'_>, old: Side<'_>, new: Side<'_>) -> Change {
    let mut change = Change::default();
    match (old, new) {
        (Side::Absent, Side::Value(value)) => change.added = whole(shape, value),
        (Side::Value(value), Side::Absent) => change.removed = whole(shape, value),
        _ => {
            let compared = match shape.form() {
                Form::Leaf => Err(Mismatch),
                Form::Struct | Form::Map | Form::Free => members(shape, old, new, &mut change),
                form @ (Form::Set | Form::Keyed(_)) => items(form, shape, old, new, &mut change),
            };
            match compared {
                Ok(()) => {
                    change.added.member = old.absent();
                    change.removed.member = new.absent();
                }
                Err(Mismatch) => change = leaf(old, new),
            }
        }
    }
    change
}

/// All fields at and below a value that comes or goes as a whole.
fn whole(shape: Shape<'_>, value: &Value) -> Entry {
    let mut all = Entry::member();
    match (shape.form(), value) {
        (Form::Struct | Form::Map | Form::Free, Value::Object(map)) if !map.is_empty() => {
            for (name, value) in map {
                let below = whole(shape.member(name), value);
                all.below.attach(element::field(name), below);
            }
            // It has the empty objects that upstream's encoding of it has.
            for name in shape.implied() {
                if map.get(name).is_none_or(Value::is_null) {
                    all.below.attach(element::field(name), Entry::member());
                }
            }
        }
        (form @ (Form::Set | Form::Keyed(_)), Value::Array(list)) => {
            let entry = shape.element().unwrap_or(shape);
            for value in list {
                if let Ok(name) = element::item(form, entry, value) {
                    if all.below.at(&name).is_some() {
                        // A double counts as a whole.
                        all.below.replace(name, Entry::member());
                    } else {
                        all.below.attach(name, whole(entry, value));
                    }
                }
            }
        }
        _ => {}
    }
    all
}

fn leaf(old: Side<'_>, new: Side<'_>) -> Change {
    let mut change = Change::default();
    match (old, new) {
        (Side::Absent, Side::Absent) | (Side::Zero, Side::Zero) => {}
        (Side::Absent, _) => change.added.member = true,
        (_, Side::Absent) => change.removed.member = true,
        (Side::Zero, Side::Value(value)) | (Side::Value(value), Side::Zero) => {
            change.modified.member = !is_zero(value);
        }
        (Side::Value(before), Side::Value(after)) => change.modified.member = before != after,
    }
    change
}

/// Whether this is what Go encodes for a value that was never set.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(_) => false,
        Value::Object(map) => map.values().all(is_zero),
    }
}

fn members(
    shape: Shape<'_>,
    old: Side<'_>,
    new: Side<'_>,
    change: &mut Change,
) -> Result<(), Mismatch> {
    let (before, after) = (old.map()?, new.map()?);
    if before.is_none_or(Map::is_empty) && after.is_none_or(Map::is_empty) {
        // A leaf: that keeps null and empty apart.
        return Err(Mismatch);
    }
    for (name, a, b) in zip(before, after) {
        member(shape, name, (!old.absent(), a), (!new.absent(), b), change);
    }
    Ok(())
}

/// Compares the member `name` of both sides, given whether there is an object at all.
fn member<'v>(
    shape: Shape<'_>,
    name: &str,
    old: (bool, Option<&'v Value>),
    new: (bool, Option<&'v Value>),
    change: &mut Change,
) {
    let field = shape.field(name);
    let below = field.map_or_else(|| shape.member(name), |field| field.shape);
    let always = field.is_some_and(|field| field.always());
    let side = |(there, value): (bool, Option<&'v Value>)| match value {
        Some(Value::Null) | None if there && always => Side::Zero,
        Some(value) => Side::Value(value),
        None => Side::Absent,
    };
    change.attach(
        || element::field(name),
        compare(below, side(old), side(new)),
    );
}

/// The entries of two sorted maps, side by side.
fn zip<'v>(
    old: Option<&'v Map>,
    new: Option<&'v Map>,
) -> impl Iterator<Item = (&'v str, Option<&'v Value>, Option<&'v Value>)> {
    let mut old = old.into_iter().flatten().peekable();
    let mut new = new.into_iter().flatten().peekable();
    std::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (Some((a, _)), Some((b, _))) => a.cmp(b),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, _) => std::cmp::Ordering::Greater,
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        let (name, _) = before.or(after)?;
        Some((name.as_str(), before.map(|e| e.1), after.map(|e| e.1)))
    })
}

/// The entries with one path element on both sides. More than one is a mistake of earlier
/// versions that validation of updates may tolerate.
#[derive(Default)]
struct Pair<'v> {
    old: Vec<&'v Value>,
    new: Vec<&'v Value>,
}

fn items(
    form: Form<'_>,
    shape: Shape<'_>,
    old: Side<'_>,
    new: Side<'_>,
    change: &mut Change,
) -> Result<(), Mismatch> {
    let (before, after) = (old.list()?, new.list()?);
    if before.is_empty() && after.is_empty() {
        return Err(Mismatch);
    }
    if before == after {
        return Ok(());
    }
    let entry = shape.element().unwrap_or(shape);
    let mut pairs: BTreeMap<String, Pair<'_>> = BTreeMap::new();
    for value in before {
        if let Ok(element) = element::item(form, entry, value) {
            pairs.entry(element).or_default().old.push(value);
        }
    }
    for value in after {
        if let Ok(element) = element::item(form, entry, value) {
            pairs.entry(element).or_default().new.push(value);
        }
    }
    for (name, pair) in pairs {
        let one = match (pair.old.as_slice(), pair.new.as_slice()) {
            ([] | [_], [] | [_]) => compare(
                entry,
                Side::of(pair.old.first()),
                Side::of(pair.new.first()),
            ),
            ([_, _, ..], [_, _, ..]) => {
                let mut one = Change::default();
                one.modified.member = pair.old != pair.new;
                one
            }
            ([_, _, ..], rest) => {
                let mut one = match rest.first() {
                    Some(value) => compare(entry, Side::Absent, Side::Value(value)),
                    None => Change::default(),
                };
                one.removed.member = true;
                one
            }
            (rest, _) => {
                let mut one = match rest.first() {
                    Some(value) => compare(entry, Side::Value(value), Side::Absent),
                    None => Change::default(),
                };
                one.added.member = true;
                one
            }
        };
        change.attach(|| name.clone(), one);
    }
    Ok(())
}
