//! The helper of a pod as a program of its own, for this crate's tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    return node_linux::helper_main(std::env::args().skip(2));
    #[cfg(not(target_os = "linux"))]
    ExitCode::FAILURE
}
