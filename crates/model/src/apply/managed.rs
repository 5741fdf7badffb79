//! The entries of `metadata.managedFields`.

use super::Manager;
use super::field_set::FieldSet;
use crate::{Map, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// How many managers of the operation `Update` are kept apart, as upstream.
const MAX_UPDATE_MANAGERS: usize = 10;

/// Who gets the fields of the oldest managers beyond that.
const ANCIENT: &str = "ancient-changes";

/// How a manager came to own fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    /// Server-side apply: the manager's configuration says so.
    Apply,
    /// Anything else: the manager was the last to write them.
    Update,
}

impl Operation {
    fn text(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// The fields of one manager. Sets that nothing touches are never decoded.
#[derive(Debug, Clone)]
enum Fields {
    Encoded(Value),
    Set(FieldSet),
}

/// One manager and what it owns.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) manager: String,
    pub(super) operation: Operation,
    pub(super) api_version: String,
    pub(super) subresource: String,
    pub(super) time: Option<String>,
    fields: Fields,
}

impl Entry {
    /// An entry of `manager` without fields and time.
    pub(super) fn of(manager: &Manager<'_>, operation: Operation) -> Self {
        let name = if manager.name.is_empty() {
            "unknown"
        } else {
            manager.name
        };
        Self {
            manager: name.to_owned(),
            operation,
            api_version: manager.api_version.to_owned(),
            subresource: manager.subresource.to_owned(),
            time: None,
            fields: Fields::Set(FieldSet::default()),
        }
    }

    /// Whether both are entries of one manager. An applier keeps its entry when it changes to
    /// another version of the API.
    fn same_manager(&self, other: &Self) -> bool {
        self.operation == other.operation
            && self.manager == other.manager
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    /// The manager as conflict messages name it.
    pub(super) fn describe(&self) -> String {
        let mut text = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if self.operation == Operation::Update {
            text.push_str(&format!(" using {}", self.api_version));
        }
        text
    }

    /// What the manager owns.
    pub(super) fn set(&self) -> Cow<'_, FieldSet> {
        match &self.fields {
            Fields::Set(set) => Cow::Borrowed(set),
            // Stored sets were encoded here, and sets that clients send are checked.
            Fields::Encoded(value) => Cow::Owned(FieldSet::decode(value).unwrap_or_default()),
        }
    }

    /// Replaces what the manager owns.
    pub(super) fn set_to(&mut self, set: FieldSet) {
        self.fields = Fields::Set(set);
    }

    /// Whether the manager owns a field of `set`.
    pub(super) fn meets(&self, set: &FieldSet) -> bool {
        match &self.fields {
            Fields::Encoded(value) => set.meets(value),
            Fields::Set(mine) => !mine.intersection(set).is_empty(),
        }
    }

    /// Takes the fields of `set` from the manager.
    pub(super) fn subtract(&mut self, set: &FieldSet) {
        if self.meets(set) {
            let mut mine = self.set().into_owned();
            mine.subtract(set);
            self.fields = Fields::Set(mine);
        }
    }

    /// Gives the fields of `set` to the manager.
    pub(super) fn add(&mut self, set: FieldSet) {
        let mut mine = self.set().into_owned();
        mine.union_with(set);
        self.fields = Fields::Set(mine);
    }

    fn is_empty(&self) -> bool {
        match &self.fields {
            Fields::Encoded(value) => value.as_object().is_none_or(Map::is_empty),
            Fields::Set(set) => set.is_empty(),
        }
    }

    fn seconds(&self) -> i64 {
        self.time
            .as_deref()
            .and_then(|time| time.parse::<jiff::Timestamp>().ok())
            .map_or(0, jiff::Timestamp::as_second)
    }

    /// Reads an entry. The fields are decoded only if `check` wants to know whether they can be.
    fn decode(value: Value, check: bool) -> Option<Self> {
        let Value::Object(mut map) = value else {
            return None;
        };
        let mut text = |name: &str| match map.remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(Value::Null) | None => Some(String::new()),
            Some(_) => None,
        };
        let operation = match text("operation")?.as_str() {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        let api_version = text("apiVersion").filter(|v| !v.is_empty())?;
        if text("fieldsType")? != "FieldsV1" {
            return None;
        }
        Some(Self {
            manager: text("manager")?,
            operation,
            api_version,
            subresource: text("subresource")?,
            time: text("time").filter(|time| !time.is_empty()),
            fields: {
                let encoded = map.remove("fieldsV1").unwrap_or_default();
                if check {
                    Fields::Set(FieldSet::decode(&encoded).ok()?)
                } else {
                    Fields::Encoded(encoded)
                }
            },
        })
    }

    fn encode(self) -> Value {
        let mut map = Map::new();
        map.insert("manager".to_owned(), self.manager.into());
        map.insert("operation".to_owned(), self.operation.text().into());
        map.insert("apiVersion".to_owned(), self.api_version.into());
        map.insert("fieldsType".to_owned(), "FieldsV1".into());
        let fields = match self.fields {
            Fields::Encoded(value) => value,
            Fields::Set(set) => set.encode(),
        };
        map.insert("fieldsV1".to_owned(), fields);
        if let Some(time) = self.time {
            map.insert("time".to_owned(), time.into());
        }
        if !self.subresource.is_empty() {
            map.insert("subresource".to_owned(), self.subresource.into());
        }
        Value::Object(map)
    }
}

/// All managers of an object.
#[derive(Debug, Clone, Default)]
pub(super) struct Managed {
    pub(super) entries: Vec<Entry>,
}

impl Managed {
    /// Reads stored entries, which this module wrote.
    pub(super) fn stored(value: Option<Value>) -> Self {
        value
            .and_then(|value| Self::decode(value, false))
            .unwrap_or_default()
    }

    /// Reads entries that a client sent; `None` if they are not well-formed.
    pub(super) fn sent(value: &Value) -> Option<Self> {
        Self::decode(value.clone(), true)
    }

    fn decode(value: Value, check: bool) -> Option<Self> {
        let Value::Array(list) = value else {
            return value.is_null().then(Self::default);
        };
        let mut managed = Self::default();
        for value in list {
            let entry = Entry::decode(value, check)?;
            // As upstream, the last of several entries of one manager counts.
            match managed.find(&entry) {
                Some(at) => {
                    if let Some(slot) = managed.entries.get_mut(at) {
                        *slot = entry;
                    }
                }
                None => managed.entries.push(entry),
            }
        }
        Some(managed)
    }

    fn find(&self, entry: &Entry) -> Option<usize> {
        self.entries.iter().position(|e| e.same_manager(entry))
    }

    /// The entry of the manager that `entry` is of, taken out.
    pub(super) fn take(&mut self, entry: &Entry) -> Option<Entry> {
        self.find(entry).map(|at| self.entries.remove(at))
    }

    /// Drops the managers that own nothing.
    pub(super) fn drop_empty(&mut self) {
        self.entries.retain(|entry| !entry.is_empty());
    }

    /// Merges the oldest `Update` managers of each version into one until no more than ten are
    /// left.
    pub(super) fn cap(&mut self) {
        let is_update = |entry: &&Entry| entry.operation == Operation::Update;
        let mut count = self.entries.iter().filter(is_update).count();
        if count <= MAX_UPDATE_MANAGERS {
            return;
        }
        let (mut updates, others): (Vec<Entry>, Vec<Entry>) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|e| is_update(&e));
        updates.sort_by_cached_key(|entry| {
            (
                entry.seconds(),
                entry.manager.clone(),
                entry.api_version.clone(),
                entry.subresource.clone(),
            )
        });
        // The place in `kept` of the entry that collects a version's old managers.
        let mut buckets: HashMap<String, usize> = HashMap::new();
        let mut kept: Vec<Entry> = Vec::with_capacity(updates.len());
        for entry in updates {
            if count <= MAX_UPDATE_MANAGERS {
                kept.push(entry);
                continue;
            }
            match buckets
                .get(&entry.api_version)
                .and_then(|at| kept.get_mut(*at))
            {
                Some(bucket) => {
                    bucket.manager = ANCIENT.to_owned();
                    bucket.subresource = String::new();
                    bucket.add(entry.set().into_owned());
                    // The more recent of the two.
                    bucket.time = entry.time;
                    count = count.saturating_sub(1);
                }
                None => {
                    buckets.insert(entry.api_version.clone(), kept.len());
                    kept.push(entry);
                }
            }
        }
        // A bucket of earlier times may have been younger than what went into the new one.
        for entry in kept {
            match self.find(&entry).and_then(|at| self.entries.get_mut(at)) {
                Some(bucket) => {
                    bucket.add(entry.set().into_owned());
                    bucket.time = entry.time;
                }
                None => self.entries.push(entry),
            }
        }
        self.entries.extend(others);
    }

    /// The encoded list in upstream's order, or `None` if nobody owns anything.
    pub(super) fn encode(mut self) -> Option<Value> {
        if self.entries.is_empty() {
            return None;
        }
        if self.entries.len() > 1 {
            self.entries.sort_by_cached_key(|entry| {
                (
                    entry.operation,
                    entry.seconds(),
                    entry.manager.clone(),
                    entry.api_version.clone(),
                    entry.subresource.clone(),
                )
            });
        }
        Some(self.entries.into_iter().map(Entry::encode).collect())
    }
}
