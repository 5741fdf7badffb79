//! Containers run for real: these tests take root and a static busybox, and say so otherwise.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use futures::{SinkExt, StreamExt};
use node_api::{
    AttachConfig, ContainerState, Error, ExecConfig, ExitReason, Input, Output, PidMode, Runtime,
    SandboxState, Session, TerminalSize,
};
use std::fs;
use std::path::Path;
use support::{capabilities, drain, log, on_node, open_runtime};

/// Whether any file below a directory holds the text.
fn holds(directory: &Path, text: &str) -> bool {
    fs::read_dir(directory).unwrap().flatten().any(|entry| {
        let path = entry.path();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => holds(&path, text),
            kind if kind.is_file() => fs::read(&path)
                .unwrap()
                .windows(text.len())
                .any(|window| window == text.as_bytes()),
            _ => false,
        }
    })
}

#[test]
fn a_container_runs_logs_and_exits_and_its_environment_stays_off_the_disk() {
    on_node(|node| async move {
        let sandbox = node.sandbox().await;
        let script = "echo out; echo err >&2; test $TOKEN = hunter2-of-pod && hostname; exit 3";
        let id = node.started(&sandbox, node.config("c", script)).await;
        let exit = node.runtime.wait_container(&id).await.unwrap();
        assert_eq!((exit.code, exit.signal), (3, 0));
        assert_eq!(exit.reason, ExitReason::Error);
        let container = node.runtime.container(&id).await.unwrap();
        assert_eq!(container.state, ContainerState::Exited(exit));
        let written = log(&container);
        for line in ["stdout F out\n", "stderr F err\n", "stdout F pod\n"] {
            assert!(written.contains(line), "{written}");
        }
        assert!(holds(&node.dir.path().join("run"), "hunter2-of-pod"));
        assert!(!holds(&node.dir.path().join("state"), "hunter2-of-pod"));
        assert!(!holds(&node.dir.path().join("images"), "hunter2-of-pod"));
        node.runtime.remove_container(&id).await.unwrap();
        let gone = node.runtime.container(&id).await;
        assert!(gone.unwrap_err().is_not_found());
        node.runtime.remove_sandbox(&sandbox.id).await.unwrap();
        assert_eq!(node.runtime.sandboxes().await.unwrap(), []);
        assert!(!holds(&node.dir.path().join("run"), "hunter2-of-pod"));
    });
}

#[test]
fn a_command_that_cannot_start_says_why() {
    on_node(|node| async move {
        let sandbox = node.sandbox().await;
        for (command, expected) in [
            (
                "nothing",
                "exec: \"nothing\": executable file not found in $PATH",
            ),
            (
                "/nothing",
                "exec: \"/nothing\": stat /nothing: no such file or directory",
            ),
            ("/etc/passwd", "exec: \"/etc/passwd\": permission denied"),
        ] {
            let mut config = node.config("c", "");
            let mut process = config.spec.process().clone().unwrap();
            process.set_args(Some(vec![command.into()]));
            config.spec.set_process(Some(process));
            let made = node.runtime.create_container(&sandbox.id, config);
            let id = made.await.unwrap().id;
            let error = node.runtime.start_container(&id).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            let exit = node.runtime.wait_container(&id).await.unwrap();
            assert_eq!((exit.code, exit.reason), (128, ExitReason::StartError));
            node.runtime.remove_container(&id).await.unwrap();
        }
        node.runtime.remove_sandbox(&sandbox.id).await.unwrap();
    });
}

#[test]
fn exec_runs_beside_with_streams_and_exit_code() {
    on_node(|node| async move {
        let sandbox = node.sandbox().await;
        let id = node.started(&sandbox, node.config("c", "sleep 1000")).await;
        let (code, text) = node
            .exec(&id, &["sh", "-c", "id -u; hostname; exit 5"])
            .await;
        assert_eq!((code, text.as_str()), (5, "0\npod\n"));
        let config = ExecConfig {
            command: vec!["cat".into()],
            stdin: true,
            ..ExecConfig::default()
        };
        let mut session = node.runtime.exec(&id, config).await.unwrap();
        for input in [
            Input::Stdin("one".into()),
            Input::Stdin("two".into()),
            Input::CloseStdin,
        ] {
            session.input.send(input).await.unwrap();
        }
        assert_eq!(drain(session).await, (0, "onetwo".into()));
        let missing = ExecConfig {
            command: vec!["nothing".into()],
            ..ExecConfig::default()
        };
        let error = node.runtime.exec(&id, missing).await.unwrap_err();
        assert!(
            error.to_string().contains("executable file not found"),
            "{error}"
        );
        node.runtime.remove_sandbox(&sandbox.id).await.unwrap();
    });
}

/// Reads until the output holds the text.
async fn read_until(session: &mut Session, text: &str) -> String {
    let mut read = String::new();
    while !read.contains(text) {
        match session.output.next().await.unwrap().unwrap() {
            Output::Stdout(bytes) => read.push_str(&String::from_utf8_lossy(&bytes)),
            other => panic!("{other:?} after {read:?}"),
        }
    }
    read
}

#[test]
fn a_terminal_has_a_size_that_changes() {
    on_node(|node| async move {
        let sandbox = node.sandbox().await;
        let id = node.started(&sandbox, node.config("c", "sleep 1000")).await;
        let config = ExecConfig {
            command: vec!["sh".into()],
            stdin: true,
            tty: true,
            size: Some(TerminalSize {
                width: 81,
                height: 25,
            }),
        };
        let mut session = node.runtime.exec(&id, config).await.unwrap();
        let type_in = |text: &'static str| Input::Stdin(text.into());
        session.input.send(type_in("stty size\n")).await.unwrap();
        read_until(&mut session, "25 81").await;
        let size = TerminalSize {
            width: 100,
            height: 40,
        };
        session.input.send(Input::Resize(size)).await.unwrap();
        session.input.send(type_in("stty size\n")).await.unwrap();
        read_until(&mut session, "40 100").await;
        session.input.send(type_in("exit 9\n")).await.unwrap();
        assert_eq!(drain(session).await.0, 9);
        node.runtime.remove_sandbox(&sandbox.id).await.unwrap();
    });
}

#[test]
fn attach_reaches_the_first_process() {
    on_node(|node| async move {
        let sandbox = node.sandbox().await;
        let mut config = node.config("c", "read line; echo got $line; exit 4");
        config.stdin = true;
        let id = node.started(&sandbox, config).await;
        let attach = AttachConfig {
            stdin: true,
            size: None,
        };
        let mut session = node.runtime.attach(&id, attach).await.unwrap();
        session
            .input
            .send(Input::Stdin("this\n".into()))
            .await
            .unwrap();
        assert_eq!(drain(session).await, (4, "got this\n".into()));
        node.runtime.remove_sandbox(&sandbox.id).await.unwrap();
    });
}

#[test]
fn signals_arrive_and_a_killed_container_says_so() {
    on_node(|node| async move {
        let sandbox = node.sandbox().await;
        let script = "trap 'exit 42' TERM; touch /ready; while true; do sleep 0.01; done";
        let id = node.started(&sandbox, node.config("c", script)).await;
        let busy = node.runtime.remove_container(&id).await;
        assert!(matches!(busy, Err(Error::Conflict(_))), "{busy:?}");
        node.until(&id, "test -e /ready").await;
        node.runtime.signal_container(&id, 15, false).await.unwrap();
        assert_eq!(node.runtime.wait_container(&id).await.unwrap().code, 42);
        let id = node.started(&sandbox, node.config("d", "sleep 1000")).await;
        node.runtime.signal_container(&id, 9, false).await.unwrap();
        let exit = node.runtime.wait_container(&id).await.unwrap();
        assert_eq!((exit.code, exit.signal), (137, 9));
        let late = node.exec_error(&id).await;
        assert!(matches!(late, Error::Conflict(_)), "{late:?}");
        node.runtime.remove_sandbox(&sandbox.id).await.unwrap();
    });
}

#[test]
fn a_container_that_takes_too_much_memory_is_killed_and_says_so() {
    on_node(|node| async move {
        let sandbox = node.sandbox().await;
        let mut config = node.config("c", "tail /dev/zero");
        let mut linux = config.spec.linux().clone().unwrap();
        let resources = serde_json::json!({ "memory": { "limit": 16 << 20 } });
        linux.set_resources(Some(serde_json::from_value(resources).unwrap()));
        config.spec.set_linux(Some(linux));
        let (exit, _) = node.run(&sandbox, config).await;
        assert_eq!(exit.reason, ExitReason::OomKilled, "{exit:?}");
        node.runtime.remove_sandbox(&sandbox.id).await.unwrap();
    });
}

#[test]
fn the_root_may_be_read_only_and_capabilities_are_those_of_the_spec() {
    on_node(|node| async move {
        let sandbox = node.sandbox().await;
        let script = "touch /x; grep Cap /proc/self/status; grep NoNew /proc/self/status";
        let mut config = node.config("c", script);
        let mut root = config.spec.root().clone().unwrap();
        root.set_readonly(Some(true));
        config.spec.set_root(Some(root));
        let mut process = config.spec.process().clone().unwrap();
        process.set_capabilities(Some(capabilities(&["CAP_CHOWN", "CAP_SYS_RESOURCE"])));
        process.set_no_new_privileges(Some(true));
        config.spec.set_process(Some(process));
        let (_, text) = node.run(&sandbox, config).await;
        assert!(text.contains("touch: /x: Read-only file system"), "{text}");
        let effective = text.lines().find(|l| l.contains("CapEff")).unwrap();
        let mask = u64::from_str_radix(effective.rsplit('\t').next().unwrap(), 16).unwrap();
        // What the node does not have it cannot give.
        assert_eq!(mask & !(1 << 24), 1, "{text}");
        assert!(text.contains("NoNewPrivs:\t1"), "{text}");
        node.runtime.remove_sandbox(&sandbox.id).await.unwrap();
    });
}

#[test]
fn seccomp_confines_the_container_and_what_is_executed_in_it() {
    on_node(|node| async move {
        let sandbox = node.sandbox().await;
        let profile = serde_json::json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [
                { "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 122 },
            ],
        });
        for no_new_privileges in [false, true] {
            let mut config = node.config(
                "c",
                "mkdir /x; grep -E 'Seccomp:|Cap|NoNew' /proc/self/status; sleep 1000",
            );
            let mut linux = config.spec.linux().clone().unwrap();
            linux.set_seccomp(Some(serde_json::from_value(profile.clone()).unwrap()));
            config.spec.set_linux(Some(linux));
            let mut process = config.spec.process().clone().unwrap();
            process.set_no_new_privileges(Some(no_new_privileges));
            config.spec.set_process(Some(process));
            let id = node.started(&sandbox, config).await;
            let script = "mkdir /y; grep -E 'Seccomp:|Cap|NoNew' /proc/self/status";
            let (_, text) = node.exec(&id, &["sh", "-c", script]).await;
            let number = i32::from(no_new_privileges);
            for expected in [
                "mkdir: can't create directory '/y': Disk quota exceeded".to_owned(),
                "Seccomp:\t2".to_owned(),
                format!("NoNewPrivs:\t{number}"),
                // What was lent to install the filter is given back.
                "CapPrm:\t0000000000000000".to_owned(),
                "CapEff:\t0000000000000000".to_owned(),
                "CapBnd:\t0000000000000000".to_owned(),
            ] {
                assert!(text.contains(&expected), "{expected:?} in {text}");
            }
            node.runtime.signal_container(&id, 9, false).await.unwrap();
            node.runtime.wait_container(&id).await.unwrap();
            let first = log(&node.runtime.container(&id).await.unwrap());
            assert!(first.contains("'/x': Disk quota exceeded"), "{first}");
            assert!(first.contains("Seccomp:\t2"), "{first}");
            assert!(first.contains("CapPrm:\t0000000000000000"), "{first}");
            node.runtime.remove_container(&id).await.unwrap();
        }
        node.runtime.remove_sandbox(&sandbox.id).await.unwrap();
    });
}

#[test]
fn containers_of_a_pod_share_its_network_and_a_port_is_forwarded() {
    on_node(|node| async move {
        let sandbox = node.sandbox().await;
        assert_eq!(sandbox.addresses.len(), 2);
        let listen = "while true; do echo hello | nc -l -p 8080; done";
        let server = node.started(&sandbox, node.config("server", listen)).await;
        let client = node.config("client", "until nc 127.0.0.1 8080; do sleep 0.01; done");
        let (exit, text) = node.run(&sandbox, client).await;
        assert_eq!(
            (exit.code, text.ends_with("stdout F hello\n")),
            (0, true),
            "{text}"
        );
        // Between two listeners nobody listens.
        let read = loop {
            let Ok(mut connection) = node.runtime.port_forward(&sandbox.id, 8080).await else {
                continue;
            };
            if let Some(Ok(bytes)) = connection.output.next().await {
                break bytes;
            }
        };
        assert_eq!(&read[..], b"hello\n");
        let refused = node.runtime.port_forward(&sandbox.id, 9).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        let (_, routes) = node.exec(&server, &["ip", "route"]).await;
        assert!(
            routes.contains("default via 10.203.7.1 dev eth0"),
            "{routes}"
        );
        let (_, addresses) = node.exec(&server, &["ip", "addr", "show", "eth0"]).await;
        for address in &sandbox.addresses {
            assert!(addresses.contains(&address.to_string()), "{addresses}");
        }
        node.runtime.remove_sandbox(&sandbox.id).await.unwrap();
    });
}

#[test]
fn containers_may_share_processes() {
    on_node(|node| async move {
        let sandbox = node.sandbox_with(|config| config.shared_pid = true).await;
        let mut first = node.config("first", "exec sleep 4321");
        first.pid = PidMode::Pod;
        node.started(&sandbox, first).await;
        let script = "until grep -l 4321 /proc/[0-9]*/cmdline; do sleep 0.01; done; test $$ != 1";
        let mut second = node.config("second", script);
        second.pid = PidMode::Pod;
        let (exit, text) = node.run(&sandbox, second).await;
        assert_eq!(exit.code, 0, "{text}");
        node.runtime.remove_sandbox(&sandbox.id).await.unwrap();
    });
}

#[test]
fn an_agent_that_starts_adopts_what_runs() {
    on_node(|node| async move {
        let sandbox = node.sandbox().await;
        let script = "while ! test -e /go; do sleep 0.01; done; echo late; exit 6";
        let id = node.started(&sandbox, node.config("c", script)).await;
        let helper =
            fs::read_to_string(node.dir.path().join("run").join(&sandbox.id.0).join("pid"));
        let stat = fs::read_to_string(format!("/proc/{}/stat", helper.unwrap())).unwrap();
        let parent = stat.rsplit(") ").next().unwrap().split(' ').nth(1).unwrap();
        assert_ne!(
            parent,
            std::process::id().to_string(),
            "the helper is nobody's child"
        );
        let before = node.runtime.container(&id).await.unwrap();
        let images = node.images.clone();
        let (dir, old) = (node.dir, node.runtime);
        drop(old);
        let runtime = open_runtime(dir.path(), &images).await;
        let sandboxes = runtime.sandboxes().await.unwrap();
        assert_eq!(sandboxes.len(), 1);
        assert_eq!(sandboxes[0].state, SandboxState::Ready);
        let all = runtime.containers(None).await.unwrap();
        assert_eq!(all, std::slice::from_ref(&before));
        let mut events = runtime.events();
        let touch = ExecConfig {
            command: vec!["touch".into(), "/go".into()],
            ..ExecConfig::default()
        };
        drain(runtime.exec(&id, touch).await.unwrap()).await;
        let exit = runtime.wait_container(&id).await.unwrap();
        assert_eq!(exit.code, 6);
        let event = events.next().await.unwrap();
        assert!(
            matches!(&event, node_api::Event::Exited { container, .. } if *container == id),
            "{event:?}"
        );
        assert!(log(&before).ends_with("stdout F late\n"));
        runtime.remove_sandbox(&sandbox.id).await.unwrap();
    });
}

#[test]
fn a_helper_that_dies_takes_its_pod_down_but_not_the_record() {
    on_node(|node| async move {
        let sandbox = node.sandbox().await;
        let done = node.config("done", "exit 8");
        let done = node.started(&sandbox, done).await;
        node.runtime.wait_container(&done).await.unwrap();
        let running = node.started(&sandbox, node.config("c", "sleep 1000")).await;
        let mut events = node.runtime.events();
        let pid = node.dir.path().join("run").join(&sandbox.id.0).join("pid");
        let pid = fs::read_to_string(pid).unwrap().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        assert_eq!(
            events.next().await,
            Some(node_api::Event::SandboxLost(sandbox.id.clone()))
        );
        let sandboxes = node.runtime.sandboxes().await.unwrap();
        assert_eq!(sandboxes[0].state, SandboxState::NotReady);
        let lost = node.runtime.container(&running).await.unwrap();
        assert_eq!(lost.state, ContainerState::Unknown);
        assert_eq!(node.runtime.wait_container(&done).await.unwrap().code, 8);
        node.runtime.remove_sandbox(&sandbox.id).await.unwrap();
        assert_eq!(node.runtime.containers(None).await.unwrap(), []);
    });
}

#[test]
fn usage_is_counted() {
    on_node(|node| async move {
        let sandbox = node.sandbox().await;
        let script = "tail -c 300000 /bin/busybox > /file; touch /ready; sleep 1000";
        let id = node.started(&sandbox, node.config("c", script)).await;
        node.until(&id, "test -e /ready").await;
        let stats = node.runtime.stats(&id).await.unwrap();
        assert!(
            stats.cpu_nanoseconds > 0 && stats.memory_bytes > 0,
            "{stats:?}"
        );
        assert!(stats.pids >= 1 && stats.disk_bytes >= 300_000, "{stats:?}");
        assert!(stats.disk_inodes >= 2, "{stats:?}");
        node.runtime.remove_sandbox(&sandbox.id).await.unwrap();
    });
}

impl support::Node {
    async fn exec_error(&self, id: &node_api::ContainerId) -> Error {
        let config = ExecConfig {
            command: vec!["true".into()],
            ..ExecConfig::default()
        };
        self.runtime.exec(id, config).await.unwrap_err()
    }
}
