//! What the re-executed binary does: `serve` starts a pod's helper, which is `hold`; `launch` makes one container or
//! runs one process in it, `pids` and `pause` make and hold a pod's shared process namespace.

mod container;
mod executor;
mod launch;
mod log;
mod output;
mod pause;
mod pod;
mod process;
mod reaper;
mod serve;
mod terminal;

use std::process::ExitCode;

/// Runs one of the helper's commands; the arguments follow the hidden subcommand
/// (`rampart pod-helper …`). Must be called before the process has a second thread.
pub fn helper_main(arguments: impl Iterator<Item = String>) -> ExitCode {
    let arguments: Vec<String> = arguments.collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["serve"] => serve::detach(),
        ["hold"] => serve::main(),
        ["launch", request] => launch::main(request.as_ref()),
        ["pids", pid_file] => pause::make(pid_file.as_ref()),
        ["pause"] => pause::hold(),
        _ => Err(std::io::Error::other("not meant to be called by hand")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pod-helper: {error}");
            ExitCode::FAILURE
        }
    }
}
