//! Snapshots of text, and audits of them.

use analysis::audit::{Config, Date, Options, Report};
use model::registry::Registry;
use snapshot::{Builder, Snapshot};
use std::sync::Arc;

/// The snapshot of one file of manifests.
pub(crate) fn snapshot(text: &str) -> Snapshot {
    let options = snapshot::Options::manifests("default");
    let mut builder = Builder::new(Arc::new(Registry::builtin()), options);
    let file = builder.file("test.yaml");
    for document in model::decode::documents(text.as_bytes()) {
        builder.document(file, document.expect("YAML"));
    }
    builder.build()
}

/// The audit with a configuration, on the first day of 2027.
pub(crate) fn audit<'a>(snapshot: &'a Snapshot, config: &str) -> Report<'a> {
    let config = Config::parse(config.as_bytes()).expect("a configuration");
    let settings = config.settings().expect("settings");
    analysis::audit::run(
        snapshot,
        Options {
            settings: &settings,
            baseline: None,
            today: Date::of_epoch_seconds(1_798_761_600),
            workers: 2,
        },
    )
}
