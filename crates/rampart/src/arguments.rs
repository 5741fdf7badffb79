//! The command line. Completions and the manual are made from the same definitions.

pub(crate) mod admission;
pub(crate) mod netpol;

use crate::input::{ClusterArguments, InputArguments};
use crate::output::OutputArguments;
use clap::{Args, Parser, Subcommand, ValueEnum};
use model::quantity::Quantity;
use pod_security::{Level, Version};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Kubernetes security in one binary: a cluster that is secure by default, and an analyst.
#[derive(Debug, Parser)]
#[command(
    name = "rampart",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(
    after_help = "Start here:\n  rampart up                    a cluster on 127.0.0.1:6443\n  \
    export KUBECONFIG=…           as `rampart up` prints it\n  kubectl get nodes\n\n\
    Exit status: 0 done (for a question: yes), 1 findings (no), 2 wrong usage or unreadable \
    input, 3 something could not be evaluated."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a cluster in the foreground
    Up(Box<Up>),
    /// Issue a client certificate for a normal user, as a kubeconfig
    Kubeconfig(Kubeconfig),
    /// Copy the store into one file, also while the cluster runs
    Backup(Backup),
    /// Bring the store back to a backup, also while the cluster runs
    Restore(Restore),
    /// Encryption of stored objects
    #[command(subcommand)]
    Encryption(Encryption),
    /// Keys of service-account tokens
    #[command(subcommand)]
    ServiceaccountKeys(ServiceaccountKeys),
    /// Write the objects of a cluster into one file, which every analysis reads
    Snapshot(Snapshot),
    /// Look for misconfiguration
    Audit(Box<Audit>),
    /// Repair manifests where there is one safe repair, keeping every byte that does not change
    Fix(Box<crate::commands::fix::Arguments>),
    /// Compare two audits: what is new, gone, worse, and who may do more
    Diff(Box<crate::commands::diff::Arguments>),
    /// Explain a check of the audit: what, why, and what to do about it
    Explain(Explain),
    /// Score how well pods are guarded, with the reason for every point
    Score(Box<Score>),
    /// Ask whether somebody may do something, and why
    #[command(name = "can-i")]
    CanI(Box<CanI>),
    /// Ask who may do something, and why
    #[command(name = "who-can")]
    WhoCan(Box<WhoCan>),
    /// Tell which levels of the Pod Security Standards admit pods, and what keeps them from more
    Pss(Box<Pss>),
    /// Tell which PodSecurityPolicy admits pods, what it fills in, and what the others refuse
    Psp(Box<Psp>),
    /// Tell the quality-of-service class of pods, and who goes first when memory runs short
    Qos(Qos),
    /// Tell on which nodes pods would run, whom they would preempt, and why
    Schedule(Box<crate::commands::schedule::Arguments>),
    /// Show who may do what on which resource, as a table
    #[command(name = "access-matrix")]
    AccessMatrix(Box<crate::commands::access_matrix::Arguments>),
    /// Draw roles and bindings
    Graph(Box<crate::commands::graph::Arguments>),
    /// Find the ways from a subject or pod to a secret, a node or everything
    Paths(Box<crate::commands::paths::Arguments>),
    /// Write one HTML page of all that is found, to be read and passed on
    Report(Box<crate::commands::report::Arguments>),
    /// Who reaches whom through the network, and why
    #[command(subcommand)]
    Netpol(Box<netpol::Netpol>),
    /// Print a completion script for a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a directory
    #[command(hide = true)]
    Manual {
        /// The directory
        directory: PathBuf,
    },
}

/// Where a cluster keeps its state.
#[derive(Debug, Clone, Args)]
pub(crate) struct DataDir {
    /// Where the cluster keeps its state [default: /var/lib/rampart for root, else
    /// ~/.local/share/rampart]
    #[arg(long, value_name = "DIR", env = "RAMPART_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) data: DataDir,
    /// Where the API is served; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:6443")]
    pub(crate) listen: SocketAddr,
    /// Where objects are kept; so far only `embedded`
    #[arg(long, value_name = "embedded|etcd://H:P,…", default_value = "embedded")]
    pub(crate) store: String,
    /// The node of this machine: `simulated` reports pods as running without running processes,
    /// `auto` takes the best there is (so far the simulated one)
    #[arg(long, value_enum, default_value_t = Node::Auto)]
    pub(crate) node: Node,
    /// Where the administrator's kubeconfig is written [default: kubeconfig in the data directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig_out: Option<PathBuf>,
    /// A further name or address under which clients reach the server (repeatable)
    #[arg(long = "tls-san", value_name = "NAME|IP")]
    pub(crate) names: Vec<String>,
    /// Audit policy file (audit.k8s.io/v1) [default: metadata of everything but health checks and
    /// the cluster's own reads]
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_policy: Option<PathBuf>,
    /// Where audit events go, `-` for standard output, `off` for nowhere [default: audit.log in
    /// the data directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_log: Option<PathBuf>,
    /// Encryption configuration file (apiserver.config.k8s.io/v1) [default: everything encrypted
    /// with AES-256-GCM under a key in the data directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) encryption_config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) admission: admission::AdmissionArguments,
    /// How long history is kept for watches and consistent reads
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub(crate) history: Duration,
    /// How long a client may take over its TLS handshake, and over the head of a request
    #[arg(long, value_name = "TIME", default_value = "32s", value_parser = duration)]
    pub(crate) header_timeout: Duration,
    /// What is logged: a level, or levels by module (RUST_LOG's syntax)
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        env = "RAMPART_LOG"
    )]
    pub(crate) log: String,
    /// How log lines are written on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Node {
    /// The best there is on this machine
    Auto,
    /// No node; pods stay Pending
    Off,
    /// Pods are reported as running, no process runs
    Simulated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Kubeconfig {
    #[command(flatten)]
    pub(crate) data: DataDir,
    /// The user's name
    #[arg(long)]
    pub(crate) user: String,
    /// A group of the user (repeatable)
    #[arg(long = "group")]
    pub(crate) groups: Vec<String>,
    /// How long the certificate is valid: 90s, 15m, 12h, 30d
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration)]
    pub(crate) ttl: Duration,
    /// The API's URL [default: where the cluster was last served]
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The namespace that kubectl uses by default
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// The file to write, `-` for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    pub(crate) data: DataDir,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    pub(crate) data: DataDir,
    /// The backup to bring back
    pub(crate) backup: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Encryption {
    /// Make a new key, rewrite everything under it while the cluster runs, and drop the old keys
    Rotate {
        #[command(flatten)]
        data: DataDir,
    },
    /// Show which keys there are
    Status {
        #[command(flatten)]
        data: DataDir,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceaccountKeys {
    /// Sign with a new key, also while the cluster runs; tokens of the old keys stay good until
    /// they expire
    Rotate {
        #[command(flatten)]
        data: DataDir,
    },
    /// Show which keys there are, the one that signs first
    Status {
        #[command(flatten)]
        data: DataDir,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Snapshot {
    /// Manifests to write a snapshot of instead, `-` for standard input
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArguments,
    /// The namespace in which kinds are read that may not be read in the whole cluster, and that
    /// manifests are in that name none [default: the context's, else default]
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// The file to write, compressed if it ends in .gz; `-` for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rampart audit ./manifests\n  helm template ./chart | rampart audit -\n  \
    rampart audit --live -o sarif > rampart.sarif\n  rampart audit . --baseline known.json"
)]
pub(crate) struct Audit {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// Settings of the checks, and what is excused (YAML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What `rampart audit -o json` wrote before: only what is new counts
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// How bad a finding must be for exit status 1 [default: high]
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub(crate) fail_on: Option<SeverityArgument>,
    /// How bad a finding must be to be shown to people
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "low")]
    pub(crate) severity: SeverityArgument,
    /// Show every finding with its place, not only the first of each check
    #[arg(long)]
    pub(crate) all: bool,
    /// Run this check only (repeatable)
    #[arg(long, value_name = "ID")]
    pub(crate) check: Vec<String>,
    /// Do not run this check (repeatable)
    #[arg(long, value_name = "ID")]
    pub(crate) skip: Vec<String>,
    /// List the checks and stop
    #[arg(long)]
    pub(crate) list_checks: bool,
    /// How findings are written
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = FindingsFormat::Human)]
    pub(crate) output: FindingsFormat,
}

/// The forms in which findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FindingsFormat {
    /// For people
    Human,
    /// One JSON document with a schemaVersion
    Json,
    /// The same document as YAML
    Yaml,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit's XML, for build servers
    Junit,
    /// A Markdown page, for pull requests
    Markdown,
    /// One HTML page with filters
    Html,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SeverityArgument {
    /// Hardening that few clusters have
    Info,
    /// A layer of defence that is missing, of several
    Low,
    /// Helps an attacker who is in already
    Medium,
    /// One step from a node, a namespace or the rights of others
    High,
    /// Takes over a node or the cluster as it stands
    Critical,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rampart score ./manifests\n  rampart score --live --fail-below 80\n  \
    helm template ./chart | rampart score --profile kubesec -o json -"
)]
pub(crate) struct Score {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// Whose rules count
    #[arg(long, value_enum, value_name = "PROFILE", default_value_t = Profile::Rampart)]
    pub(crate) profile: Profile,
    /// Settings of the checks, and what is excused (YAML); for the profile rampart
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How bad a finding must be for exit status 1 [default: high]; for the profile rampart
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub(crate) fail_on: Option<SeverityArgument>,
    /// Exit status 1 also for anything with a lower score [default for the profile kubesec: 1]
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    pub(crate) fail_below: Option<i64>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// Whose rules a score follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// 0 to 100, by what the audit finds; nothing makes up for a finding
    Rampart,
    /// The rules and points of kubesec, and its JSON
    Kubesec,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The check, such as RMP-POD-001
    #[arg(value_name = "ID")]
    pub(crate) check: String,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rampart can-i get secrets --as jane ./manifests\n  rampart can-i \
    create pods --subresource exec --as system:serviceaccount:ns:robot --live\n  rampart can-i --list \
    --as jane --snapshot cluster.json.gz"
)]
pub(crate) struct CanI {
    /// The verb: get, list, watch, create, update, patch, delete, use, bind, … or `*`
    #[arg(required_unless_present = "list")]
    pub(crate) verb: Option<String>,
    /// The resource, with the name of an object if one is meant, or a path such as /healthz
    #[arg(value_name = "RESOURCE[/NAME]", required_unless_present = "list")]
    pub(crate) resource: Option<String>,
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// Who: a user, also system:serviceaccount:NAMESPACE:NAME [default, with --live: yourself]
    #[arg(long = "as", value_name = "USER")]
    pub(crate) user: Option<String>,
    /// A group of the user (repeatable); the groups that everybody is in are added
    #[arg(long = "as-group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// The subresource, such as exec, log, scale or status
    #[arg(long, value_name = "NAME")]
    pub(crate) subresource: Option<String>,
    /// List everything that is allowed in the namespace
    #[arg(long)]
    pub(crate) list: bool,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rampart who-can get secrets ./manifests\n  rampart who-can create \
    pods --subresource exec -A --live"
)]
pub(crate) struct WhoCan {
    /// The verb: get, list, watch, create, update, patch, delete, use, bind, … or `*`
    pub(crate) verb: String,
    /// The resource, with the name of an object if one is meant, or a path such as /healthz
    #[arg(value_name = "RESOURCE[/NAME]")]
    pub(crate) resource: String,
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// The subresource, such as exec, log, scale or status
    #[arg(long, value_name = "NAME")]
    pub(crate) subresource: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// The Pod Security Standards.
#[derive(Debug, Args)]
#[command(
    disable_version_flag = true,
    after_help = "Examples:\n  rampart pss ./manifests\n  helm template ./chart | rampart pss --level \
    restricted -"
)]
pub(crate) struct Pss {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// Ask whether this level admits all pods: privileged, baseline or restricted
    #[arg(long, value_name = "LEVEL")]
    pub(crate) level: Option<Level>,
    /// The version of the policy, v1.0 to v1.33 or latest [default: latest]
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<Version>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// Pod security policies.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rampart psp ./manifests\n  rampart psp --live --as jane")]
pub(crate) struct Psp {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// Who creates the pods, besides their service accounts
    #[arg(long = "as", value_name = "USER")]
    pub(crate) user: Option<String>,
    /// A group of the user (repeatable); the groups that everybody is in are added
    #[arg(long = "as-group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rampart qos ./manifests\n  kubectl top pods -A > usage; rampart qos \
    --live --usage usage"
)]
pub(crate) struct Qos {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// The memory of the node, from which the kernel's scores of burstable pods follow: an amount
    /// such as 16Gi, or `own` for that of the node that each pod is on
    #[arg(long, value_name = "AMOUNT|own", value_parser = node_memory)]
    pub(crate) node_memory: Option<NodeMemory>,
    /// What pods use, as `kubectl top pods -A` prints it or the metrics API gives it: with it, the
    /// order of eviction under memory pressure is told
    #[arg(long, value_name = "FILE")]
    pub(crate) usage: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// How much memory a pod's node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeMemory {
    /// So many bytes.
    Bytes(i64),
    /// As many as its Node object says.
    Own,
}

fn node_memory(text: &str) -> Result<NodeMemory, String> {
    if text == "own" {
        return Ok(NodeMemory::Own);
    }
    match Quantity::parse(text) {
        Ok(amount) if amount.value() > 0 => Ok(NodeMemory::Bytes(amount.value())),
        Ok(_) => Err(format!("{text:?} is not more than nothing")),
        Err(error) => Err(error.to_string()),
    }
}

/// A number with a unit: `90s`, `15m`, `12h`, `30d`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("{text:?} is no duration: write a number with s, m, h or d, such as 12h");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86400,
        _ => return Err(wrong()),
    };
    let count: u64 = text
        .strip_suffix(unit)
        .and_then(|number| number.parse().ok())
        .ok_or_else(wrong)?;
    count
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        for wrong in [
            "",
            "5",
            "h",
            "-1h",
            "1.5h",
            "1w",
            "99999999999999999999d",
            "ü",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
