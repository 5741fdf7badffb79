//! Service accounts.

use crate::Value;
use crate::kinds::neutral;
use crate::meta;
use crate::resource::Behavior;
use crate::validation::names;

/// The rules of service accounts.
pub(super) fn behavior() -> Behavior {
    Behavior {
        warnings,
        validate_name: names::object_subdomain,
        ..neutral()
    }
}

const ENFORCE: &str = "kubernetes.io/enforce-mountable-secrets";

fn warnings(account: &Value, _old: Option<&Value>) -> Vec<String> {
    if meta::annotations(account).contains_key(ENFORCE) {
        vec![format!(
            "metadata.annotations[{ENFORCE}]: deprecated in v1.32+; prefer separate namespaces to \
             isolate access to mounted secrets"
        )]
    } else {
        Vec::new()
    }
}
