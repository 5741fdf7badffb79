//! Events: `core/v1`, as which they are stored, and `events.k8s.io/v1`.

use crate::Value;

/// The fields that differ, as core and as events.k8s.io names them.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// From core to events.k8s.io.
pub(super) fn to_events(object: &mut Value) {
    rename(object, NAMES);
}

/// From events.k8s.io to core.
pub(super) fn to_core(object: &mut Value) {
    rename(object, NAMES.map(|(core, events)| (events, core)));
}

fn rename(object: &mut Value, names: [(&str, &str); 7]) {
    let Some(map) = object.as_object_mut() else {
        return;
    };
    for (from, to) in names {
        if let Some(value) = map.remove(from) {
            map.insert(to.to_owned(), value);
        }
    }
}
