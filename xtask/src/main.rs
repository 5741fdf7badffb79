//! Workspace tasks, run as `cargo xtask TASK`.

mod demo;
mod layers;
mod test;
mod tools;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask TASK

  check-layers   dependencies point inward only, and the inner layers stay pure
  demo           builds Rampart, starts a cluster and shows kubectl at work on it
  test           every test, with the kubectl on PATH and with Debian's kubectl 1.20";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["check-layers"] => layers::check(),
        ["demo"] => demo::run(),
        ["test", rest @ ..] => test::run(rest),
        [] | ["help" | "-h" | "--help"] => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("unknown task {:?}\n\n{USAGE}", other.join(" ")),
    }
}
