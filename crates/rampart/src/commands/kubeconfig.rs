//! `rampart kubeconfig`: a client certificate for a normal user.

use crate::arguments;
use crate::data_dir::DataDir;
use anyhow::{Context, Result, bail};
use identity::{Kubeconfig, Pki};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// The cluster's name in kubeconfig files.
pub(crate) const CLUSTER: &str = "rampart";

/// Issues the certificate and writes the kubeconfig.
pub(crate) fn run(arguments: &arguments::Kubeconfig) -> Result<ExitCode> {
    let directory = DataDir::of(&arguments.data)?;
    if arguments.user.starts_with("system:") {
        bail!(
            "{:?} is reserved for the cluster's own parts: choose a name without the prefix \
             system:",
            arguments.user
        );
    }
    let now = super::now();
    let pki = Pki::load(&directory.pki(), now)?;
    let server = match &arguments.server {
        Some(server) => server.clone(),
        None => std::fs::read_to_string(directory.endpoint())
            .map(|url| url.trim().to_owned())
            .with_context(|| {
                format!(
                    "no cluster was served yet from {}: run `rampart up`, or say --server",
                    directory.path().display()
                )
            })?,
    };
    let credential = pki.issue_client(&arguments.user, &arguments.groups, arguments.ttl, now)?;
    let kubeconfig = Kubeconfig {
        cluster: CLUSTER,
        server: &server,
        ca_pem: pki.ca_pem(),
        user: &arguments.user,
        namespace: arguments.namespace.as_deref(),
        credential: &credential,
    };
    if arguments.output == Path::new("-") {
        std::io::stdout().write_all(kubeconfig.render().expose().as_bytes())?;
    } else {
        kubeconfig.write(&arguments.output)?;
        eprintln!("wrote {}", arguments.output.display());
    }
    Ok(ExitCode::SUCCESS)
}
