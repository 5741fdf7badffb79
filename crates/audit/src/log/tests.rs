use super::*;
use crate::event::Stage;
use crate::policy::Attributes;
use crate::{Auditor, Policy, Received};
use model::user::UserInfo;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicI64;

fn event(id: usize) -> Event {
    Event {
        kind: "Event",
        api_version: "audit.k8s.io/v1",
        level: Level::Metadata,
        audit_id: format!("{id:08}"),
        stage: Stage::ResponseComplete,
        request_uri: "/x".to_owned(),
        verb: "get".to_owned(),
        user: UserInfo::new("jane", ["dev"]),
        impersonated_user: None,
        source_ips: vec![],
        user_agent: String::new(),
        object_ref: None,
        response_status: None,
        request_object: None,
        response_object: None,
        request_received: 0,
        stage_time: 0,
        annotations: BTreeMap::new(),
    }
}

fn ids(path: &Path) -> Vec<usize> {
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            event["auditID"].as_str().unwrap().parse().unwrap()
        })
        .collect()
}

fn clock() -> Clock {
    Arc::new(|| 1_800_000_000_000_000)
}

#[test]
fn every_event_is_a_line_in_order_and_the_file_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("logs/audit.log");
    let log = Log::open(LogOptions::new(&path), clock()).unwrap();
    for id in 0..100 {
        log.write(&event(id));
    }
    log.close();
    assert_eq!(ids(&path), (0..100).collect::<Vec<_>>());
    assert_eq!(log.counters().written(), 100);
    log.write(&event(100));
    assert_eq!(log.counters().dropped(), 1, "closed");

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // Appended to, not overwritten.
    let log = Log::open(LogOptions::new(&path), clock()).unwrap();
    log.write(&event(100));
    drop(log);
    assert_eq!(ids(&path), (0..101).collect::<Vec<_>>());
}

#[test]
fn many_writers_lose_nothing_when_the_buffer_is_small() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    let options = LogOptions {
        max_waiting: 700,
        ..LogOptions::new(&path)
    };
    let log = Log::open(options, clock()).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let log = &log;
            scope.spawn(move || (0..50).for_each(|i| log.write(&event(writer * 50 + i))));
        }
    });
    log.close();
    let mut found = ids(&path);
    found.sort_unstable();
    assert_eq!(found, (0..200).collect::<Vec<_>>());
    assert_eq!((log.counters().dropped(), log.counters().failed()), (0, 0));
}

#[test]
fn dropping_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    let options = LogOptions {
        max_waiting: 1,
        overflow: Overflow::Drop,
        ..LogOptions::new(&path)
    };
    let log = Log::open(options, clock()).unwrap();
    for id in 0..2000 {
        log.write(&event(id));
    }
    log.close();
    let written = ids(&path).len() as u64;
    assert_eq!(written, log.counters().written());
    assert_eq!(written + log.counters().dropped(), 2000);
    assert!(written > 0);
}

#[test]
fn files_are_rotated_and_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    std::fs::write(dir.path().join("audit-notes.log"), "mine").unwrap();
    let options = || LogOptions {
        max_bytes: 1,
        max_backups: 3,
        ..LogOptions::new(&path)
    };
    let ticks = AtomicI64::new(1_800_000_000_000_000);
    let clock: Clock = Arc::new(move || ticks.fetch_add(1, Ordering::Relaxed));
    for id in 0..6 {
        let log = Log::open(options(), clock.clone()).unwrap();
        log.write(&event(id));
    }
    assert_eq!(ids(&path), [5]);
    let mut names: Vec<String> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "audit-2027-01-15T08-00-00.000002.log",
            "audit-2027-01-15T08-00-00.000003.log",
            "audit-2027-01-15T08-00-00.000004.log",
            "audit-notes.log",
            "audit.log",
        ]
    );
    assert_eq!(ids(&dir.path().join(&names[2])), [4]);
}

#[test]
fn a_log_that_cannot_be_opened_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = Log::open(LogOptions::new(dir.path()), clock())
        .err()
        .unwrap();
    assert!(error.to_string().contains("cannot open the audit log"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_counted_and_does_not_stop_requests() {
    let log = Log::open(LogOptions::new("/dev/full"), clock()).unwrap();
    let log = Arc::new(log);
    let auditor = Auditor::new(Policy::secure_default(), log.clone(), clock());
    let user = UserInfo::new("jane", ["dev"]);
    let request = Received {
        id: "1",
        attributes: Attributes {
            user: &user,
            verb: "create",
            is_resource: true,
            group: "",
            version: "v1",
            resource: "pods",
            subresource: "",
            namespace: "ns",
            name: "",
            path: "/api/v1/namespaces/ns/pods",
        },
        uri: "/api/v1/namespaces/ns/pods",
        source_ips: &[],
        user_agent: "",
        at: 0,
    };
    for _ in 0..3 {
        auditor.begin(&request).unwrap().complete(201, None);
    }
    log.close();
    assert_eq!((log.counters().failed(), log.counters().written()), (3, 0));
}
