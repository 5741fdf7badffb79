//! What the end-to-end tests share: the real binary as a running cluster, and real kubectl.

#![allow(dead_code, reason = "every test binary uses its own part")]
#![allow(clippy::expect_used, clippy::panic, reason = "these are tests")]

pub(crate) mod analyst;
pub(crate) mod wire;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::thread::JoinHandle;

/// A running `rampart up` with a data directory of its own. It is killed when dropped.
pub(crate) struct Cluster {
    child: Child,
    directory: tempfile::TempDir,
    log: Option<JoinHandle<String>>,
    output: Option<JoinHandle<String>>,
    pub(crate) url: String,
}

impl Cluster {
    /// Starts an empty cluster with a simulated node.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts an empty cluster with further arguments for `rampart up`.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self::run(directory, arguments)
    }

    /// Starts a cluster in a directory that the test has prepared.
    pub(crate) fn start_in(directory: tempfile::TempDir) -> Self {
        Self::run(directory, &[])
    }

    fn run(directory: tempfile::TempDir, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rampart"));
        command
            .args([
                "up",
                "--listen",
                "127.0.0.1:0",
                "--node",
                "simulated",
                "--data-dir",
            ])
            .arg(directory.path().join("data"))
            .arg("--kubeconfig-out")
            .arg(directory.path().join("kubeconfig"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("rampart starts");
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        let log = std::thread::spawn(move || drain(stderr));
        let mut lines = BufReader::new(stdout);
        let mut seen = String::new();
        let url = loop {
            let mut line = String::new();
            if lines.read_line(&mut line).unwrap_or(0) == 0 {
                let status = child.wait();
                let log = log.join().unwrap_or_default();
                panic!("rampart ended before it was ready: {status:?}\n{seen}\n{log}");
            }
            seen.push_str(&line);
            if let Some(rest) = line.trim().strip_prefix("rampart is ready at ") {
                break rest.to_owned();
            }
        };
        let output = std::thread::spawn(move || drain_lines(lines));
        Self {
            child,
            directory,
            log: Some(log),
            output: Some(output),
            url,
        }
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A directory for the test's own files; it goes with the cluster.
    pub(crate) fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("kubeconfig")
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process with SIGKILL and starts another one on the same data directory.
    pub(crate) fn kill_and_restart(self) -> Self {
        self.kill_and_meddle(|| ())
    }

    /// The same, with a call of `meddle` in between.
    pub(crate) fn kill_and_meddle(mut self, meddle: impl FnOnce()) -> Self {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
        meddle();
        let directory =
            std::mem::replace(&mut self.directory, tempfile::tempdir().expect("temporary"));
        Self::run(directory, &[])
    }

    /// Kills the process, calls `meddle`, and starts another one, which must refuse; why it does.
    pub(crate) fn fails_to_restart(self, meddle: impl FnOnce()) -> String {
        self.refuses_to_restart(meddle).1
    }

    /// The same, and the directory as it is afterwards.
    pub(crate) fn refuses_to_restart(
        mut self,
        meddle: impl FnOnce(),
    ) -> (tempfile::TempDir, String) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
        meddle();
        let data = self.data();
        let mut child = Command::new(env!("CARGO_BIN_EXE_rampart"))
            .args([
                "up",
                "--listen",
                "127.0.0.1:0",
                "--node",
                "off",
                "--data-dir",
            ])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("rampart runs");
        // One that starts after all says so and goes on running.
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        let read = BufReader::new(stdout).read_line(&mut line);
        let started = read.unwrap_or(0) > 0;
        if started {
            let _ = child.kill();
        }
        let output = child.wait_with_output().expect("rampart ends");
        assert!(!started, "the cluster started");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let directory =
            std::mem::replace(&mut self.directory, tempfile::tempdir().expect("temporary"));
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        (directory, why)
    }

    /// Asks the process to stop and returns how it ended and what it logged.
    pub(crate) fn stop(mut self) -> (std::process::ExitStatus, String) {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill");
        assert!(asked.success(), "kill -TERM");
        let status = self.child.wait().expect("wait");
        let log = self
            .log
            .take()
            .and_then(|log| log.join().ok())
            .unwrap_or_default();
        (status, log)
    }

    /// Runs another command of the binary.
    pub(crate) fn rampart(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_rampart"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("rampart runs")
    }

    /// kubectl as the administrator.
    pub(crate) fn kubectl<'a>(&'a self, program: &'a Path) -> Kubectl<'a> {
        Kubectl {
            program,
            kubeconfig: self.kubeconfig(),
            home: self.directory.path(),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn drain(mut stream: ChildStderr) -> String {
    let mut text = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn drain_lines(mut stream: BufReader<ChildStdout>) -> String {
    let mut text = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// kubectl with a kubeconfig and a home directory of the test's own.
pub(crate) struct Kubectl<'a> {
    program: &'a Path,
    pub(crate) kubeconfig: PathBuf,
    home: &'a Path,
}

impl Kubectl<'_> {
    /// The same kubectl with another kubeconfig.
    pub(crate) fn with(&self, kubeconfig: PathBuf) -> Self {
        Self {
            program: self.program,
            kubeconfig,
            home: self.home,
        }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(arguments)
            .env("HOME", self.home)
            .env_remove("KUBECONFIG")
            .stdin(Stdio::null());
        command
    }

    /// Runs kubectl; the result is `(succeeded, stdout, stderr)`.
    pub(crate) fn run(&self, arguments: &[&str]) -> (bool, String, String) {
        result(self.command(arguments).output().expect("kubectl runs"))
    }

    /// Runs kubectl with `input` on its standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> (bool, String, String) {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl runs");
        let mut stdin = child.stdin.take().expect("piped");
        // Old versions take YAML that begins with a brace for JSON.
        write!(stdin, "---\n{input}").expect("kubectl reads");
        drop(stdin);
        result(child.wait_with_output().expect("kubectl ends"))
    }

    /// Runs kubectl, which must succeed; its output.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let (succeeded, stdout, stderr) = self.run(arguments);
        assert!(
            succeeded,
            "kubectl {arguments:?}\nstdout: {stdout}\nstderr: {stderr}"
        );
        stdout
    }

    /// Runs kubectl with input, which must succeed; its output.
    #[track_caller]
    pub(crate) fn apply(&self, manifest: &str) -> String {
        let (succeeded, stdout, stderr) = self.run_with_input(&["apply", "-f", "-"], manifest);
        assert!(
            succeeded,
            "kubectl apply\n{manifest}\nstdout: {stdout}\nstderr: {stderr}"
        );
        stdout
    }

    /// Runs kubectl, which must fail; what it says on standard error.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let (succeeded, stdout, stderr) = self.run(arguments);
        assert!(
            !succeeded,
            "kubectl {arguments:?} succeeded\nstdout: {stdout}\nstderr: {stderr}"
        );
        stderr
    }
}

fn result(output: Output) -> (bool, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.success(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// Every kubectl that the tests are to drive: those that `cargo xtask test` names, else the one on
/// PATH. Without any, the tests fail rather than pass unseen.
pub(crate) fn kubectls() -> Vec<PathBuf> {
    let named: Vec<PathBuf> = std::env::var_os("RAMPART_TEST_KUBECTLS")
        .map(|joined| std::env::split_paths(&joined).collect())
        .unwrap_or_default();
    if !named.is_empty() {
        return named;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|dir| dir.join("kubectl"))
        .find(|f| f.is_file());
    vec![found.expect("no kubectl on PATH; `cargo xtask test` fetches one")]
}

/// Calls `test` with every kubectl, each on a cluster of its own.
pub(crate) fn with_every_kubectl(test: impl Fn(&Cluster, &Kubectl<'_>)) {
    for program in kubectls() {
        eprintln!("with {}", program.display());
        let cluster = Cluster::start();
        test(&cluster, &cluster.kubectl(&program));
    }
}

/// A field of an object, by its JSONPath.
pub(crate) fn field(kubectl: &Kubectl<'_>, object: &str, path: &str) -> String {
    kubectl.ok(&["get", object, "-o", &format!("jsonpath={{{path}}}")])
}

/// Waits until a pod is ready.
pub(crate) fn ready(kubectl: &Kubectl<'_>, pod: &str) {
    let pod = format!("pod/{pod}");
    kubectl.ok(&["wait", "--for=condition=Ready", &pod, "--timeout=60s"]);
}

/// The workshop's manifests, in order.
pub(crate) fn workshop() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workshop");
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("the workshop is there")
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 13, "the workshop has thirteen files");
    files
}
