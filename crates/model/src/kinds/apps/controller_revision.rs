//! ControllerRevisions: old templates of daemon sets and stateful sets.

use crate::Value;
use crate::field::ErrorList;
use crate::kinds::neutral;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::object_meta::immutable_field;
use crate::validation::read::{get, int};

/// The rules of controller revisions.
pub(super) fn behavior() -> Behavior {
    Behavior {
        validate_create: |revision| {
            let mut errors = ErrorList::new();
            if get(revision, "data").is_none() {
                errors.required(&At::of("data"), "data is mandatory");
            }
            number(revision, &mut errors);
            errors
        },
        validate_update: |revision, old, _| {
            let mut errors = ErrorList::new();
            number(revision, &mut errors);
            immutable_field(revision, old, "data", &At::root(), &mut errors);
            errors
        },
        validate_name: names::object_subdomain,
        ..neutral()
    }
}

fn number(revision: &Value, errors: &mut ErrorList) {
    let number = int(revision, "revision").unwrap_or(0);
    errors.non_negative(&At::of("revision"), number);
}
