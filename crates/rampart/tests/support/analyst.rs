//! The analyst's commands, run as somebody would run them.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The manifests of the workshop.
pub(crate) fn workshop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workshop")
}

/// Runs it without input and without the kubeconfig of whoever runs the tests.
pub(crate) fn rampart(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rampart"))
        .args(arguments)
        .env_remove("KUBECONFIG")
        .stdin(Stdio::null())
        .output()
        .expect("rampart runs")
}

/// Runs it in a directory with something on its standard input.
pub(crate) fn rampart_with_input(directory: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rampart"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("KUBECONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rampart starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // What exits without reading closes its end.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("rampart ends")
}

/// Takes out of a document where things stand, which is all that the sources differ in.
pub(crate) fn without_locations(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for field in ["file", "fileName", "line", "column", "location"] {
                map.remove(field);
            }
            map.values_mut().for_each(without_locations);
        }
        Value::Array(items) => items.iter_mut().for_each(without_locations),
        _ => {}
    }
}
