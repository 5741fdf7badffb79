//! Manifests that no API server would take.

use model::resource::split_api_version;
use model::status::Status;
use model::{Value, meta};
use snapshot::{Origin, Problem, ProblemKind, Severity, Snapshot};

/// The problems of the input, with those of its manifests that break the rules of their kinds.
pub(crate) fn with_refused(snapshot: &Snapshot) -> Vec<Problem> {
    let mut problems = snapshot.problems().to_vec();
    problems.extend(refused(snapshot));
    problems
}

/// A warning for every manifest that breaks a rule of its kind: whatever is said of it is said of
/// what cannot be. What a cluster holds was taken once.
fn refused(snapshot: &Snapshot) -> Vec<Problem> {
    if snapshot.origin() != Origin::Manifests {
        return Vec::new();
    }
    let written = snapshot
        .written()
        .filter(|object| meta::uid(&object.value).is_empty());
    let problem = |object: &snapshot::Object| {
        let resource = object.kind.builtin.as_ref()?;
        let mut value = Value::clone(&object.value);
        let (_, version) = split_api_version(meta::text(&object.value, &["apiVersion"]));
        (resource.behavior.default)(version, &mut value);
        // What is made of an object's UID is made of any.
        meta::set(&mut value, &["metadata", "uid"], "uid");
        (resource.behavior.prepare_create)(&mut value);
        let errors = (resource.behavior.validate_create)(&value);
        if errors.is_empty() {
            return None;
        }
        let (group, kind, name) = (object.group(), &object.kind.kind, object.name());
        let message = Status::invalid(group, kind, name, &errors).message;
        let location = snapshot.locate(object, "");
        let problem = Problem::new(ProblemKind::InvalidField, message, location);
        Some(Problem {
            severity: Severity::Warning,
            ..problem.about(group, object.resource())
        })
    };
    written.filter_map(problem).collect()
}
