//! The order of merged lists: what the patch names stands in the patch's order, and what only the
//! server has keeps its place among them as well as it can.

use super::PatchError;
use super::strategic::{bad_argument, no_merge_key};
use crate::Value;
use std::collections::{HashMap, VecDeque};

/// What tells the entries of a list apart: the value of the merge key, or the entry itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity<'k>(Option<&'k str>);

impl<'k> Identity<'k> {
    /// By merge key, or for primitives by the whole.
    pub(super) fn new(key: Option<&'k str>) -> Self {
        Self(key)
    }

    /// The identity of an entry.
    pub(super) fn of(self, entry: &Value) -> Result<&Value, PatchError> {
        match (self.0, entry) {
            (None, _) => Ok(entry),
            (Some(key), Value::Object(map)) => map.get(key).ok_or_else(|| no_merge_key(map, key)),
            (Some(_), _) => Err(bad_argument(entry)),
        }
    }
}

/// The first place of every identity in `list`; entries without one are left out.
pub(super) fn index(list: &[Value], identity: Identity<'_>) -> HashMap<Value, usize> {
    let mut places = HashMap::with_capacity(list.len());
    for (at, entry) in list.iter().enumerate() {
        if let Ok(id) = identity.of(entry) {
            places.entry(id.clone()).or_insert(at);
        }
    }
    places
}

/// Orders `merged`: entries named by `order` like there, the others as in `server`. An entry that
/// only the server has goes before the first entry of the patch that the server had after it.
pub(super) fn arrange(
    merged: Vec<Value>,
    order: &[Value],
    server: &[Value],
    identity: Identity<'_>,
) -> Result<Vec<Value>, PatchError> {
    let in_server = index(server, identity);
    for entry in order {
        identity.of(entry)?;
    }
    let in_order = index(order, identity);
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for entry in merged {
        let id = identity.of(&entry)?;
        let server_place = in_server.get(id).copied();
        match in_order.get(id).copied() {
            Some(place) => named.push((place, server_place, entry)),
            None => others.push((server_place, entry)),
        }
    }
    named.sort_by_key(|(place, ..)| *place);
    others.sort_by_key(|(place, _)| place.unwrap_or(usize::MAX));
    let mut others: VecDeque<_> = others.into();
    let mut result = Vec::with_capacity(named.len().saturating_add(others.len()));
    for (_, place, entry) in named {
        while let Some((Some(other), _)) = others.front()
            && place.is_some_and(|place| *other < place)
        {
            result.extend(others.pop_front().map(|(_, entry)| entry));
        }
        result.push(entry);
    }
    result.extend(others.into_iter().map(|(_, entry)| entry));
    Ok(result)
}
