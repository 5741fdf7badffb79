use super::*;
use std::collections::BTreeMap;

fn read(labels: &[(&'static str, &'static str)], defaults: NamespacePolicy) -> (String, String) {
    let labels: BTreeMap<&str, &str> = labels.iter().copied().collect();
    let (policy, errors) = defaults.with_labels(|key| labels.get(key).copied());
    let text = format!("{} {} {}", policy.enforce, policy.audit, policy.warn);
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    (text, errors.join("\n"))
}

#[test]
fn labels_of_namespaces() {
    const P: &str = "privileged:latest";
    let defaults = NamespacePolicy::default();
    for (labels, want) in [
        (&[][..], format!("{P} {P} {P}")),
        (
            &[(labels::ENFORCE, "baseline")],
            format!("baseline:latest {P} baseline:latest"),
        ),
        (
            &[
                (labels::ENFORCE, "restricted"),
                (labels::ENFORCE_VERSION, "v1.22"),
            ],
            format!("restricted:v1.22 {P} restricted:v1.22"),
        ),
        (
            &[
                (labels::ENFORCE, "restricted"),
                (labels::ENFORCE_VERSION, "v1.22"),
                (labels::WARN_VERSION, "v1.30"),
            ],
            format!("restricted:v1.22 {P} restricted:v1.30"),
        ),
        (
            &[
                (labels::ENFORCE, "restricted"),
                (labels::WARN, "privileged"),
            ],
            format!("restricted:latest {P} {P}"),
        ),
        (
            &[
                (labels::AUDIT, "baseline"),
                (labels::AUDIT_VERSION, "v1.0"),
                (labels::WARN, "restricted"),
            ],
            format!("{P} baseline:v1.0 restricted:latest"),
        ),
    ] {
        assert_eq!(read(labels, defaults), (want, String::new()), "{labels:?}");
    }
}

#[test]
fn labels_that_make_no_sense() {
    let defaults = NamespacePolicy::all(Level::Baseline, Version::Minor(20));
    let labels = [
        (labels::ENFORCE, "none"),
        (labels::ENFORCE_VERSION, "1.20"),
        (labels::AUDIT, "Baseline"),
        (labels::AUDIT_VERSION, ""),
        (labels::WARN, ""),
        (labels::WARN_VERSION, "v1.020"),
    ];
    let (policy, errors) = read(&labels, defaults);
    assert_eq!(
        policy,
        "restricted:latest privileged:latest privileged:latest"
    );
    assert_eq!(
        errors,
        "metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"none\": must be one \
         of privileged, baseline, restricted\n\
         metadata.labels[pod-security.kubernetes.io/enforce-version]: Invalid value: \"1.20\": must \
         be \"latest\" or \"v1.x\"\n\
         metadata.labels[pod-security.kubernetes.io/audit]: Invalid value: \"Baseline\": must be one \
         of privileged, baseline, restricted\n\
         metadata.labels[pod-security.kubernetes.io/audit-version]: Invalid value: \"\": must be \
         \"latest\" or \"v1.x\"\n\
         metadata.labels[pod-security.kubernetes.io/warn]: Invalid value: \"\": must be one of \
         privileged, baseline, restricted\n\
         metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: \"v1.020\": must \
         be \"latest\" or \"v1.x\""
    );
    // A level that cannot be read does not decide what is warned of.
    let (policy, _) = read(&[(labels::ENFORCE, "none")], defaults);
    assert_eq!(policy, "restricted:v1.20 baseline:v1.20 baseline:v1.20");
}

#[test]
fn a_looser_level_leaves_the_default_warning() {
    let defaults = NamespacePolicy {
        warn: LevelVersion::new(Level::Restricted, Version::Minor(30)),
        ..NamespacePolicy::default()
    };
    let (policy, _) = read(&[(labels::ENFORCE, "baseline")], defaults);
    assert_eq!(policy, "baseline:latest privileged:latest restricted:v1.30");
}

#[test]
fn equivalence() {
    let privileged = |minor| NamespacePolicy::all(Level::Privileged, Version::Minor(minor));
    assert!(privileged(1).is_privileged());
    assert!(privileged(1).is_equivalent(&privileged(2)));
    let mut warned = privileged(1);
    warned.warn.level = Level::Baseline;
    assert!(!warned.is_privileged());
    assert!(!warned.is_equivalent(&privileged(1)));
}
