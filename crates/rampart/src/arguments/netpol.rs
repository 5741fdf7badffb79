//! The arguments of `rampart netpol`.

use crate::input::InputArguments;
use crate::output::OutputArguments;
use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum Netpol {
    /// Ask whether one pod or address reaches another, and why
    Allowed(NetpolAllowed),
    /// Show who reaches whom, for all pods
    Matrix(NetpolMatrix),
    /// Find policies that do not do what they seem to, and what policies leave open
    Lint(NetpolLint),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rampart netpol allowed --from shop/web --to shop/db --port 5432 \
    ./manifests\n  rampart netpol allowed --from 203.0.113.7 --to shop/deployment/web --port 443 \
    --live"
)]
pub(crate) struct NetpolAllowed {
    /// Where the connection comes from: a pod, a workload or an address
    #[arg(long, value_name = "NS/POD|IP")]
    pub(crate) from: String,
    /// Where it goes
    #[arg(long, value_name = "NS/POD|IP")]
    pub(crate) to: String,
    /// The port that it goes to, of the pod (not of a service)
    #[arg(long, value_name = "PORT[/PROTOCOL]")]
    pub(crate) port: String,
    #[command(flatten)]
    pub(crate) input: InputArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// The forms of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MatrixFormat {
    /// For people
    Human,
    /// One JSON document with a schemaVersion
    Json,
    /// The same document as YAML
    Yaml,
    /// A line for every pair and port
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct NetpolMatrix {
    /// A port of the pods (repeatable)
    #[arg(long = "port", value_name = "PORT[/PROTOCOL]", default_value = "80")]
    pub(crate) ports: Vec<String>,
    /// A further address to show beside the pods, such as 169.254.169.254 (repeatable)
    #[arg(long = "with", value_name = "IP")]
    pub(crate) addresses: Vec<String>,
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// How the matrix is written
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = MatrixFormat::Human)]
    pub(crate) output: MatrixFormat,
}

/// From which severity on findings make the exit status 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Any finding
    Info,
    /// Low ones and worse
    Low,
    /// Medium ones and worse
    Medium,
    /// High ones and worse
    High,
    /// Critical ones
    Critical,
    /// None
    Never,
}

#[derive(Debug, Args)]
pub(crate) struct NetpolLint {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// The least severity that makes the exit status 1
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = FailOn::High)]
    pub(crate) fail_on: FailOn,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}
