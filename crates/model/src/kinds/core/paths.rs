//! Rules of paths inside volumes.

use crate::field::ErrorList;
use crate::validation::at::{At, Report};

/// Reports `..` among the parts of a path.
pub(crate) fn no_backsteps(path: &str, at: &At<'_>, errors: &mut ErrorList) {
    if has_backsteps(path) {
        errors.invalid(at, path, "must not contain '..'");
    }
}

/// Whether `..` is among the parts of a path.
pub(crate) fn has_backsteps(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

/// Reports a path that is not relative, or leads upwards.
pub(crate) fn descending(path: &str, at: &At<'_>, errors: &mut ErrorList) {
    if path.starts_with('/') {
        errors.invalid(at, path, "must be a relative path");
    }
    no_backsteps(path, at, errors);
}

/// As [`descending`], and not beginning with `..`, which volume plugins keep for themselves.
pub(crate) fn unreserved(path: &str, at: &At<'_>, errors: &mut ErrorList) {
    descending(path, at, errors);
    if path.starts_with("..") && !path.starts_with("../") {
        errors.invalid(at, path, "must not start with '..'");
    }
}
