//! Where things are in a cluster's data directory.

use crate::arguments;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// A cluster's data directory.
#[derive(Debug, Clone)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    /// The directory that the command line names, or the default one.
    pub(crate) fn of(arguments: &arguments::DataDir) -> Result<Self> {
        if let Some(directory) = &arguments.data_dir {
            return Ok(Self(directory.clone()));
        }
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let root = rustix::process::geteuid().is_root();
        if root {
            return Ok(Self(PathBuf::from("/var/lib/rampart")));
        }
        let home =
            home.context("there is no HOME: say --data-dir where the state is to be kept")?;
        Ok(Self(home.join(".local/share/rampart")))
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Certificates and keys.
    pub(crate) fn pki(&self) -> PathBuf {
        self.0.join("pki")
    }

    /// The store's own directory.
    pub(crate) fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    /// The keys that stored objects are encrypted with.
    pub(crate) fn encryption(&self) -> PathBuf {
        self.0.join("encryption")
    }

    /// The administrator's kubeconfig, unless it is written elsewhere.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.0.join("kubeconfig")
    }

    /// The audit log, unless it is written elsewhere.
    pub(crate) fn audit_log(&self) -> PathBuf {
        self.0.join("audit.log")
    }

    /// The URL under which the API was last served.
    pub(crate) fn endpoint(&self) -> PathBuf {
        self.0.join("endpoint")
    }

    /// The socket on which a running cluster takes its operator's orders.
    pub(crate) fn control(&self) -> PathBuf {
        self.0.join("control.sock")
    }
}
