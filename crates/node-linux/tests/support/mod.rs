//! A node of its own for each test: its directories, a network in a namespace of the test's
//! thread, and an image made of the machine's static busybox.

use futures::StreamExt;
use node_api::{
    Container, ContainerConfig, ContainerId, ExecConfig, Exit, Images, Output, Runtime, Sandbox,
    SandboxConfig, Session,
};
use node_linux::{
    HelperProgram, ImageStore, LinuxRuntime, NetworkConfig, Registries, RuntimeConfig, StoreConfig,
};
use oci_spec::runtime::{LinuxCapabilities, Spec};
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The image that tests run.
pub(crate) const IMAGE: &str = "registry.test/busybox:1";
/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(120);

pub(crate) struct Node {
    pub(crate) runtime: LinuxRuntime,
    pub(crate) images: ImageStore,
    pub(crate) dir: tempfile::TempDir,
    cgroup: String,
}

/// The busybox that `RAMPART_TEST_BUSYBOX` names, else the machine's, if it can stand alone in a
/// container.
fn busybox() -> Option<Vec<u8>> {
    let named = std::env::var_os("RAMPART_TEST_BUSYBOX").map(PathBuf::from);
    let places = ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from);
    let bytes = named
        .into_iter()
        .chain(places)
        .find_map(|path| fs::read(path).ok())?;
    (!needs_loader(&bytes)).then_some(bytes)
}

/// Whether a 64-bit ELF program has a header of type `PT_INTERP`.
fn needs_loader(program: &[u8]) -> bool {
    let number = |at: usize, length: usize| {
        let bytes = program[at..at + length].iter().rev();
        bytes.fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    let (start, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).any(|header| number(start + header * size, 4) == 3)
}

/// Runs a test on a node, or says why it does not.
pub(crate) fn on_node<F: Future<Output = ()>>(test: impl FnOnce(Node) -> F) {
    let Some(busybox) = rustix::process::geteuid().is_root().then(busybox).flatten() else {
        eprintln!("SKIPPED: running containers takes root and a static busybox");
        return;
    };
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tokio.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let images = open_images(dir.path(), Registries::default());
        let archive = dir.path().join("busybox.tar");
        fs::write(&archive, image(&busybox, IMAGE)).unwrap();
        images.import(&archive).await.unwrap();
        let runtime = open_runtime(dir.path(), &images).await;
        let cgroup = format!("/rampart-test-{}", uuid::Uuid::new_v4().simple());
        let cleaner = Cleaner(dir.path().to_owned());
        let node = Node {
            runtime,
            images,
            dir,
            cgroup,
        };
        tokio::time::timeout(LIMIT, test(node)).await.unwrap();
        drop(cleaner);
    });
}

pub(crate) fn open_images(dir: &Path, registries: Registries) -> ImageStore {
    ImageStore::open(StoreConfig {
        directory: dir.join("images"),
        registries,
    })
    .unwrap()
}

pub(crate) async fn open_runtime(dir: &Path, images: &ImageStore) -> LinuxRuntime {
    let config = RuntimeConfig {
        state: dir.join("state"),
        run: dir.join("run"),
        helper: HelperProgram(env!("CARGO_BIN_EXE_node-linux-helper").into()),
        network: NetworkConfig {
            bridge: "rptest0".into(),
            ranges: vec!["10.203.7.0/24".into(), "fd00:203::/64".into()],
            mtu: 1500,
        },
    };
    LinuxRuntime::open(config, std::sync::Arc::new(images.clone()))
        .await
        .unwrap()
}

/// Leaves nothing running or mounted behind, also when the test failed.
struct Cleaner(PathBuf);

impl Drop for Cleaner {
    fn drop(&mut self) {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let prefix = self.0.to_string_lossy().into_owned();
        let mut mounted: Vec<_> = mounts
            .lines()
            .filter_map(|line| line.split(' ').nth(1))
            .filter(|path| path.starts_with(&prefix))
            .collect();
        for pod in fs::read_dir(self.0.join("run"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let pid = fs::read_to_string(pod.path().join("pid"));
            let pid = pid.ok().and_then(|p| p.trim().parse().ok());
            if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        mounted.reverse();
        for path in mounted {
            let _ = rustix::mount::unmount(path, rustix::mount::UnmountFlags::DETACH);
        }
    }
}

/// An archive as `docker save` writes it.
pub(crate) fn image(busybox: &[u8], name: &str) -> Vec<u8> {
    let layer = layer(busybox);
    let diff = digest(&layer);
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux",
        "config": { "Env": ["PATH=/bin"], "Cmd": ["sh"], "User": "app" },
        "rootfs": { "type": "layers", "diff_ids": [diff] },
    });
    let manifest = serde_json::json!([
        { "Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"] },
    ]);
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in [
        ("config.json", config.to_string().into_bytes()),
        ("layer.tar", layer),
        ("manifest.json", manifest.to_string().into_bytes()),
    ] {
        entry(&mut archive, path, tar::EntryType::Regular, 0o644, &content);
    }
    archive.into_inner().unwrap()
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    use sha2::Digest;
    let hex: String = sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

fn entry(
    archive: &mut tar::Builder<Vec<u8>>,
    path: &str,
    kind: tar::EntryType,
    mode: u32,
    content: &[u8],
) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(content.len() as u64);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    archive.append_data(&mut header, path, content).unwrap();
}

pub(crate) fn layer(busybox: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for directory in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        let mode = if directory == "tmp" { 0o1777 } else { 0o755 };
        entry(
            &mut archive,
            directory,
            tar::EntryType::Directory,
            mode,
            b"",
        );
    }
    let tools = [
        "sh", "cat", "echo", "grep", "id", "mkdir", "nc", "sleep", "stty", "tail", "touch", "true",
        "hostname", "ip", "kill", "env", "ls", "chmod",
    ];
    for tool in tools {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        let path = format!("bin/{tool}");
        archive.append_link(&mut header, path, "busybox").unwrap();
    }
    let regular = tar::EntryType::Regular;
    entry(&mut archive, "bin/busybox", regular, 0o755, busybox);
    let passwd = b"root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n";
    entry(&mut archive, "etc/passwd", regular, 0o644, passwd);
    entry(
        &mut archive,
        "etc/group",
        regular,
        0o644,
        b"app:x:1001:\nx:x:7:app\n",
    );
    archive.into_inner().unwrap()
}

impl Node {
    pub(crate) async fn sandbox(&self) -> Sandbox {
        self.sandbox_with(|_| ()).await
    }

    pub(crate) async fn sandbox_with(&self, adapt: impl FnOnce(&mut SandboxConfig)) -> Sandbox {
        let mut config = SandboxConfig {
            namespace: "default".into(),
            name: "pod".into(),
            uid: "u".into(),
            hostname: "pod".into(),
            cgroup: self.cgroup.clone(),
            log_directory: self.dir.path().join("logs"),
            ..SandboxConfig::default()
        };
        adapt(&mut config);
        self.runtime.create_sandbox(config).await.unwrap()
    }

    /// A container's configuration that runs a shell script as root without capabilities.
    pub(crate) fn config(&self, name: &str, script: &str) -> ContainerConfig {
        let mut spec = Spec::default();
        let mut process = spec.process().clone().unwrap();
        process.set_terminal(Some(false));
        process.set_args(Some(vec!["sh".into(), "-c".into(), script.into()]));
        process.set_env(Some(vec![
            "PATH=/bin".into(),
            "TOKEN=hunter2-of-pod".into(),
        ]));
        process.set_capabilities(Some(capabilities(&[])));
        process.set_rlimits(None);
        spec.set_process(Some(process));
        let mut root = spec.root().clone().unwrap();
        root.set_readonly(Some(false));
        spec.set_root(Some(root));
        let mut linux = spec.linux().clone().unwrap();
        linux.set_cgroups_path(Some(format!("{}/{name}", self.cgroup).into()));
        spec.set_linux(Some(linux));
        ContainerConfig {
            name: name.into(),
            image: IMAGE.into(),
            spec,
            log_path: format!("{name}/0.log").into(),
            ..ContainerConfig::default()
        }
    }

    pub(crate) async fn started(&self, sandbox: &Sandbox, config: ContainerConfig) -> ContainerId {
        let container = self
            .runtime
            .create_container(&sandbox.id, config)
            .await
            .unwrap();
        self.runtime.start_container(&container.id).await.unwrap();
        container.id
    }

    /// Runs a container to its end; how it ended and its log without times.
    pub(crate) async fn run(&self, sandbox: &Sandbox, config: ContainerConfig) -> (Exit, String) {
        let id = self.started(sandbox, config).await;
        let exit = self.runtime.wait_container(&id).await.unwrap();
        let container = self.runtime.container(&id).await.unwrap();
        (exit, log(&container))
    }

    /// Runs a command in a container to its end; how it ended and what it wrote.
    pub(crate) async fn exec(&self, id: &ContainerId, command: &[&str]) -> (i32, String) {
        let config = ExecConfig {
            command: command.iter().map(|&word| word.to_owned()).collect(),
            ..ExecConfig::default()
        };
        drain(self.runtime.exec(id, config).await.unwrap()).await
    }

    /// Waits until a file's content in a container is there.
    pub(crate) async fn until(&self, id: &ContainerId, test: &str) {
        loop {
            if self.exec(id, &["sh", "-c", test]).await.0 == 0 {
                return;
            }
        }
    }
}

/// All of a session's output, both streams, and its exit code.
pub(crate) async fn drain(session: Session) -> (i32, String) {
    let Session {
        input: _input,
        mut output,
    } = session;
    let mut text = String::new();
    while let Some(piece) = output.next().await {
        match piece.unwrap() {
            Output::Stdout(bytes) | Output::Stderr(bytes) => {
                text.push_str(&String::from_utf8_lossy(&bytes));
            }
            Output::Exited(exit) => return (exit.code, text),
        }
    }
    panic!("the session ended without an exit, after {text:?}");
}

/// A log without its times.
pub(crate) fn log(container: &Container) -> String {
    fs::read_to_string(&container.log_path)
        .unwrap()
        .lines()
        .map(|line| format!("{}\n", line.split_once(' ').unwrap().1))
        .collect()
}

/// The same capabilities in every set but the ambient one.
pub(crate) fn capabilities(names: &[&str]) -> LinuxCapabilities {
    serde_json::from_value(serde_json::json!({
        "bounding": names, "effective": names, "permitted": names,
        "inheritable": [], "ambient": [],
    }))
    .unwrap()
}
