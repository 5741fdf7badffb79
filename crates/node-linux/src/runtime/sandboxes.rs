//! Sandboxes: a helper, a network and a control group each.

use super::{LinuxRuntime, failed, last_words};
use crate::cgroup;
use crate::client;
use crate::files;
use crate::layout::PodDirs;
use crate::mounts;
use crate::protocol::{Request, Setup};
use crate::record::now;
use node_api::{Error, Network, Result, Sandbox, SandboxConfig, SandboxId, SandboxState};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A pod's `/dev/shm`, as other runtimes have it.
const SHM_OPTIONS: &str = "mode=1777,size=67108864";

impl LinuxRuntime {
    pub(super) async fn make_sandbox(&self, config: SandboxConfig) -> Result<Sandbox> {
        let id = SandboxId(uuid::Uuid::new_v4().simple().to_string());
        let mut sandbox = Sandbox {
            id: id.clone(),
            state: SandboxState::NotReady,
            created_at: now(),
            addresses: Vec::new(),
            config,
        };
        let result = self.build(&mut sandbox).await;
        if let Err(error) = result {
            // What was begun goes again; the first error is the one to tell.
            let _ = self.drop_sandbox(&id).await;
            return Err(error);
        }
        self.watch(id);
        Ok(sandbox)
    }

    async fn build(&self, sandbox: &mut Sandbox) -> Result<()> {
        let dirs = self.dirs(&sandbox.id);
        for directory in [
            &dirs.state,
            &dirs.containers(),
            &dirs.run,
            &dirs.run.join("c"),
            &dirs.engine(),
        ] {
            files::make_dir(directory).map_err(failed("sandbox"))?;
        }
        save(&dirs, sandbox)?;
        if !sandbox.config.host_ipc {
            mounts::tmpfs(&dirs.shm(), SHM_OPTIONS).map_err(failed("/dev/shm"))?;
        }
        let setup = Setup {
            id: sandbox.id.clone(),
            state: self.config.state.clone(),
            run: self.config.run.clone(),
            config: sandbox.config.clone(),
        };
        let program = self.config.helper.0.clone();
        let of = dirs.clone();
        tokio::task::spawn_blocking(move || start_helper(program, &setup, &of))
            .await
            .map_err(|error| Error::Failed(error.to_string()))?
            .map_err(|error| Error::Failed(format!("the pod's helper: {error}")))?;
        if sandbox.config.network == Network::Pod {
            let pid = helper_pid(&dirs).map_err(failed("the pod's helper"))?;
            let link = self
                .bridge
                .connect(&sandbox.id.0, pid)
                .await
                .map_err(failed("the pod's network"))?;
            client::tell(&dirs, &Request::Network(link.interface)).await?;
            sandbox.addresses = link.addresses;
        }
        sandbox.state = SandboxState::Ready;
        save(&dirs, sandbox)
    }

    pub(super) async fn list_sandboxes(&self) -> Result<Vec<Sandbox>> {
        let mut found = Vec::new();
        for id in self.sandbox_ids().map_err(failed("the state directory"))? {
            let dirs = self.dirs(&id);
            let Some(mut sandbox) = load(&dirs)? else {
                continue;
            };
            if client::connect(&dirs).await.is_err() {
                sandbox.state = SandboxState::NotReady;
            }
            found.push(sandbox);
        }
        found.sort_by_key(|sandbox| sandbox.created_at);
        Ok(found)
    }

    pub(super) async fn end_sandbox(&self, id: &SandboxId) -> Result<()> {
        let dirs = self.dirs(id);
        let Some(mut sandbox) = load(&dirs)? else {
            return Ok(());
        };
        // A helper that is gone leaves its containers behind, which the control groups still know.
        match client::tell(&dirs, &Request::Stop).await {
            Err(Error::Unavailable(_)) | Ok(()) => (),
            Err(error) => return Err(error),
        }
        for record in crate::record::read_all(&dirs.containers()).map_err(failed("records"))? {
            cgroup::kill(&record.cgroup);
        }
        if sandbox.config.network == Network::Pod {
            self.bridge
                .disconnect(id.0.as_str())
                .await
                .map_err(failed("the pod's network"))?;
        }
        mounts::unmount(&dirs.shm()).map_err(failed("/dev/shm"))?;
        sandbox.state = SandboxState::NotReady;
        save(&dirs, &sandbox)
    }

    pub(super) async fn drop_sandbox(&self, id: &SandboxId) -> Result<()> {
        self.end_sandbox(id).await?;
        let dirs = self.dirs(id);
        let inside: Vec<_> = {
            let index = self.index();
            let of_this = index.iter().filter(|(_, sandbox)| *sandbox == id);
            of_this.map(|(container, _)| container.clone()).collect()
        };
        for container in inside {
            self.remove(&container).await?;
        }
        if let Some(sandbox) = load(&dirs)? {
            cgroup::remove(&sandbox.config.cgroup).map_err(failed("control group"))?;
        }
        for directory in [&dirs.run, &dirs.state] {
            files::remove_dir(directory).map_err(failed("sandbox"))?;
        }
        Ok(())
    }
}

fn load(dirs: &PodDirs) -> Result<Option<Sandbox>> {
    files::read_json_if_there(&dirs.sandbox()).map_err(failed("a sandbox's record"))
}

fn save(dirs: &PodDirs, sandbox: &Sandbox) -> Result<()> {
    files::write_json(&dirs.sandbox(), sandbox).map_err(failed("a sandbox's record"))
}

fn helper_pid(dirs: &PodDirs) -> io::Result<u32> {
    std::fs::read_to_string(dirs.pid())?
        .trim()
        .parse()
        .map_err(io::Error::other)
}

/// Starts a helper and waits until it answers.
fn start_helper(program: PathBuf, setup: &Setup, dirs: &PodDirs) -> io::Result<()> {
    let log = File::create(dirs.helper_log())?;
    let mut child = Command::new(program)
        .args(["pod-helper", "serve"])
        .current_dir(&dirs.run)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()?;
    if let Some(stdin) = child.stdin.take() {
        serde_json::to_writer(stdin, setup)?;
    }
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut said)?;
    }
    child.wait()?;
    match said.as_str() {
        "ready\n" => Ok(()),
        _ => Err(io::Error::other(last_words(&dirs.helper_log()))),
    }
}
