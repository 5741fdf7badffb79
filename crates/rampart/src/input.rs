//! Where the commands of the analyst read objects from.

use anyhow::{Context, Result, bail};
use api_client::{Client, Progress, Reading, Target};
use clap::Args;
use inputs::{Limits, Texts, read_manifests, read_snapshot};
use model::registry::Registry;
use snapshot::{Options, PodTemplatePath, Snapshot};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// What is read: manifests, a live cluster or a snapshot.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct InputArguments {
    /// Files and directories of manifests (YAML or JSON), `-` for standard input
    #[arg(value_name = "PATH", conflicts_with_all = ["live", "snapshot"])]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) source: SourceArguments,
}

/// The sources that are no files of manifests, and what goes for all.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SourceArguments {
    /// Read the cluster that the kubeconfig leads to
    #[arg(long, conflicts_with = "snapshot")]
    pub(crate) live: bool,
    /// Read a file that `rampart snapshot` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) snapshot: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArguments,
    /// The namespace that is meant where none is named
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// The namespace of manifests that name none [default: default]
    #[arg(long, value_name = "NAMESPACE", conflicts_with_all = ["live", "snapshot"])]
    pub(crate) manifest_namespace: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub(crate) all_namespaces: bool,
    /// Where a custom kind keeps the template of its pods, as KIND.GROUP=PATH (repeatable):
    /// `Rollout.argoproj.io=spec.template`; `*` in the path stands for every key or item
    #[arg(long = "pod-template", value_name = "KIND.GROUP=PATH")]
    pub(crate) pod_templates: Vec<PodTemplatePath>,
    /// Take manifests for themselves, without the roles, accounts and namespaces that every
    /// cluster has
    #[arg(long)]
    pub(crate) without_defaults: bool,
}

/// Which cluster, and as whom.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ClusterArguments {
    /// The kubeconfig file [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context [default: the current one]
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
}

impl ClusterArguments {
    fn target(&self) -> Target {
        Target {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
        }
    }
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) snapshot: Snapshot,
    /// The texts of manifests; empty for other sources.
    pub(crate) texts: Texts,
    /// The namespace that is meant where none is named.
    pub(crate) namespace: String,
    /// The live cluster, if it was read.
    pub(crate) live: Option<Live>,
}

/// A live cluster.
#[derive(Debug)]
pub(crate) struct Live {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

/// Which kinds a command needs, by group and plural name; a live cluster is asked for no more.
pub(crate) type Wanted = fn(group: &str, plural: &str) -> bool;

/// Everything.
pub(crate) const ALL: Wanted = |_, _| true;

impl InputArguments {
    /// Reads what was asked for.
    pub(crate) fn load(&self, wanted: Wanted) -> Result<Input> {
        load(&self.paths, &self.source, &[], wanted)
    }

    /// Reads what was asked for, with what a configuration file says of custom kinds.
    pub(crate) fn load_with(
        &self,
        pod_templates: &[PodTemplatePath],
        wanted: Wanted,
    ) -> Result<Input> {
        load(&self.paths, &self.source, pod_templates, wanted)
    }
}

impl SourceArguments {
    /// How manifests are read, with what a configuration file says of custom kinds.
    pub(crate) fn reading(&self, configured: &[PodTemplatePath]) -> Options {
        // A question about one namespace moves no object into it: the answer would be another one
        // than that of the cluster to which the manifests are applied.
        let namespace = self.manifest_namespace.as_deref().unwrap_or("default");
        let mut options = Options::manifests(namespace);
        options.with_given = !self.without_defaults;
        options.pod_templates = [&self.pod_templates, configured].concat();
        options
    }
}

fn load(
    paths: &[PathBuf],
    source: &SourceArguments,
    configured: &[PodTemplatePath],
    wanted: Wanted,
) -> Result<Input> {
    let options = source.reading(configured);
    let registry = Arc::new(Registry::builtin());
    let named = source.namespace.clone();
    let or_default = || named.clone().unwrap_or_else(|| "default".to_owned());
    if source.live {
        let live = Live::connect(&source.cluster)?;
        let namespace = named.unwrap_or_else(|| live.client.namespace().to_owned());
        let snapshot = live.read(registry, &namespace, options.pod_templates, wanted)?;
        return Ok(Input {
            snapshot,
            texts: Texts::default(),
            namespace,
            live: Some(live),
        });
    }
    if source.cluster.kubeconfig.is_some() || source.cluster.context.is_some() {
        bail!("--kubeconfig and --context say which cluster --live reads: add --live");
    }
    if let Some(path) = &source.snapshot {
        let snapshot = read_snapshot(path, &mut std::io::stdin().lock(), registry, options)
            .with_context(|| path.display().to_string())?;
        return Ok(Input {
            snapshot,
            texts: Texts::default(),
            namespace: or_default(),
            live: None,
        });
    }
    if paths.is_empty() {
        bail!(
            "nothing to read: name files or directories of manifests, `-` for standard input, \
             --live, or --snapshot FILE"
        );
    }
    let mut stdin = std::io::stdin().lock();
    let loaded = read_manifests(paths, &mut stdin, registry, options, Limits::default());
    Ok(Input {
        snapshot: loaded.snapshot,
        texts: loaded.texts,
        namespace: or_default(),
        live: None,
    })
}

impl Live {
    /// Reads the kubeconfig.
    pub(crate) fn connect(arguments: &ClusterArguments) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let client = runtime.block_on(Client::connect(&arguments.target()))?;
        Ok(Self { runtime, client })
    }

    /// The connection.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Waits for an answer.
    pub(crate) fn wait<F: Future>(&self, answer: F) -> F::Output {
        self.runtime.block_on(answer)
    }

    /// Reads the objects of the wanted kinds, and shows on a terminal how far it has come.
    pub(crate) fn read(
        &self,
        registry: Arc<Registry>,
        namespace: &str,
        pod_templates: Vec<PodTemplatePath>,
        wanted: Wanted,
    ) -> Result<Snapshot> {
        let custom = pod_templates.clone();
        let wanted = |group: &str, plural: &str| {
            wanted(group, plural) || custom.iter().any(|path| path.group == group)
        };
        let is_terminal = std::io::stderr().is_terminal();
        let show = |progress: Progress| {
            if is_terminal {
                // Progress that cannot be shown is no reason to stop.
                let _ = write!(
                    std::io::stderr(),
                    "\r{}: {} of {} kinds, {} objects\u{1b}[K",
                    self.client.server(),
                    progress.kinds,
                    progress.of,
                    progress.objects
                );
            }
        };
        let reading = Reading {
            options: Options {
                pod_templates,
                ..Options::cluster()
            },
            namespace,
            wanted: &wanted,
        };
        let result = self.wait(self.client.snapshot(registry, reading, show));
        if is_terminal {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
        Ok(result?)
    }
}
