//! What several groups say of CSI drivers.

use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::names;

/// Reports a name that no driver can have.
pub(crate) fn driver_name(name: &str, at: &At<'_>, errors: &mut ErrorList) {
    if name.is_empty() {
        errors.required(at, "");
    }
    if name.len() > 63 {
        errors.too_long(at, 63);
    }
    let faults = names::dns1123_subdomain(&name.to_lowercase());
    errors.invalid_each(at, name, faults);
}
