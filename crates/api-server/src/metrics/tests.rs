use super::*;
use crate::cache::HistoryLimits;
use crate::query::Query;
use futures::executor::block_on;
use identity::{Authenticator, Chain, Credentials};
use std::time::Duration;

fn metrics() -> Metrics {
    Metrics::new(Arc::new(Registry::builtin()), "9.9.9")
}

fn page(metrics: &Metrics) -> String {
    let store = Arc::new(reference_models::store::MemoryStore::new());
    let cache = Cache::new(
        &Registry::builtin(),
        store,
        vec![],
        HistoryLimits::default(),
    );
    block_on(metrics.page(&cache))
}

fn info(method: &str, path: &str) -> RequestInfo {
    RequestInfo::new(&method.parse().unwrap(), path, &Query::default())
}

fn serve(metrics: &Metrics, method: &str, path: &str, code: u16, millis: u64) {
    let info = info(method, path);
    metrics.started(&info);
    metrics.finished(&Outcome {
        info: &info,
        code,
        elapsed: Duration::from_millis(millis),
        bytes: Some(2000),
        dry_run: false,
    });
}

#[track_caller]
fn has(page: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            page.lines().any(|l| l == *line),
            "{line}\nis not in\n{page}"
        );
    }
}

#[test]
fn requests_are_counted_under_upstreams_names() {
    let metrics = metrics();
    for _ in 0..3 {
        serve(&metrics, "GET", "/api/v1/namespaces/ns/pods", 200, 30);
    }
    serve(&metrics, "GET", "/api/v1/namespaces/ns/pods", 403, 3);
    serve(
        &metrics,
        "POST",
        "/api/v1/namespaces/ns/pods/p/binding",
        201,
        1,
    );
    serve(&metrics, "GET", "/healthz", 200, 0);
    let page = page(&metrics);
    let pods = "component=\"apiserver\",dry_run=\"\",group=\"\",resource=\"pods\",scope=\"namespace\",subresource=\"\",verb=\"LIST\",version=\"v1\"";
    let duration = "apiserver_request_duration_seconds";
    has(
        &page,
        &[
            "# TYPE apiserver_request_total counter",
            &format!("apiserver_request_total{{code=\"200\",{pods}}} 3"),
            &format!("apiserver_request_total{{code=\"403\",{pods}}} 1"),
            "apiserver_request_total{code=\"201\",component=\"apiserver\",dry_run=\"\",group=\"\",resource=\"pods\",scope=\"resource\",subresource=\"binding\",verb=\"POST\",version=\"v1\"} 1",
            "apiserver_request_total{code=\"200\",component=\"apiserver\",dry_run=\"\",group=\"\",resource=\"\",scope=\"\",subresource=\"\",verb=\"GET\",version=\"\"} 1",
            // Over all codes, cumulative.
            &format!("{duration}_bucket{{{pods},le=\"0.005\"}} 1"),
            &format!("{duration}_bucket{{{pods},le=\"0.025\"}} 1"),
            &format!("{duration}_bucket{{{pods},le=\"0.05\"}} 4"),
            &format!("{duration}_bucket{{{pods},le=\"+Inf\"}} 4"),
            &format!("{duration}_sum{{{pods}}} 0.093"),
            &format!("{duration}_count{{{pods}}} 4"),
            "apiserver_response_sizes_count{component=\"apiserver\",group=\"\",resource=\"pods\",scope=\"namespace\",subresource=\"\",verb=\"LIST\",version=\"v1\"} 4",
            "apiserver_response_sizes_bucket{component=\"apiserver\",group=\"\",resource=\"pods\",scope=\"namespace\",subresource=\"\",verb=\"LIST\",version=\"v1\",le=\"1000\"} 0",
            "apiserver_response_sizes_bucket{component=\"apiserver\",group=\"\",resource=\"pods\",scope=\"namespace\",subresource=\"\",verb=\"LIST\",version=\"v1\",le=\"10000\"} 4",
            "apiserver_storage_objects{resource=\"deployments.apps\"} 0",
            "rampart_build_info{version=\"9.9.9\"} 1",
        ],
    );
}

#[test]
fn clients_cannot_make_series_up() {
    let metrics = metrics();
    for i in 0..50 {
        serve(&metrics, "GET", &format!("/apis/made{i}/v1/up{i}"), 404, 0);
        serve(
            &metrics,
            "GET",
            &format!("/api/v1/namespaces/ns/pods/p/sub{i}"),
            404,
            0,
        );
        serve(&metrics, &format!("M{i}"), "/x", 405, 0);
    }
    let page = page(&metrics);
    let series = page
        .lines()
        .filter(|l| l.starts_with("apiserver_request_total"))
        .count();
    assert_eq!(series, 3, "{page}");
    assert!(!page.contains("made") && !page.contains("sub1"));
}

#[test]
fn gauges_go_up_and_down() {
    let metrics = metrics();
    let (read, write) = (info("GET", "/api/v1/nodes"), info("POST", "/api/v1/nodes"));
    metrics.started(&read);
    metrics.started(&write);
    metrics.started(&write);
    let registry = Registry::builtin();
    let pods = registry.by_path("", "v1", "pods").unwrap();
    metrics.watch(pods, true);
    metrics.watch(pods, true);
    metrics.watch(pods, false);
    metrics.watch_events(pods, 3);
    metrics.watch_events(pods, 4);
    metrics.connection(true);
    metrics.dropped(true);
    metrics.panicked();
    has(
        &page(&metrics),
        &[
            "apiserver_current_inflight_requests{request_kind=\"mutating\"} 2",
            "apiserver_current_inflight_requests{request_kind=\"readOnly\"} 1",
            "apiserver_longrunning_requests{component=\"apiserver\",group=\"\",resource=\"pods\",verb=\"WATCH\"} 1",
            "apiserver_watch_events_total{group=\"\",kind=\"Pod\",version=\"v1\"} 7",
            "rampart_connections 1",
            "apiserver_dropped_requests_total{request_kind=\"mutating\"} 1",
            "apiserver_dropped_requests_total{request_kind=\"readOnly\"} 0",
            "rampart_request_panics_total 1",
        ],
    );
    for _ in 0..2 {
        metrics.finished(&Outcome {
            info: &write,
            code: 201,
            elapsed: Duration::ZERO,
            bytes: None,
            dry_run: true,
        });
    }
    has(
        &page(&metrics),
        &[
            "apiserver_current_inflight_requests{request_kind=\"mutating\"} 0",
            "apiserver_request_total{code=\"201\",component=\"apiserver\",dry_run=\"All\",group=\"\",resource=\"nodes\",scope=\"resource\",subresource=\"\",verb=\"POST\",version=\"v1\"} 2",
        ],
    );
}

#[test]
fn who_gets_in_is_counted() {
    let metrics = metrics();
    let counted = metrics.counted(Arc::new(Chain::new(vec![], true)));
    block_on(counted.authenticate(&Credentials::default())).unwrap();
    let bad = Credentials {
        bearer: Some("x"),
        ..Credentials::default()
    };
    block_on(counted.authenticate(&bad)).unwrap_err();
    has(
        &page(&metrics),
        &[
            "authentication_attempts{result=\"success\"} 1",
            "authentication_attempts{result=\"error\"} 1",
            "authentication_attempts{result=\"failure\"} 0",
            "authenticated_user_requests{username=\"other\"} 1",
            "authentication_duration_seconds_count{result=\"error\"} 1",
        ],
    );
}

#[test]
fn many_threads_lose_no_count() {
    let metrics = metrics();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for code in 0..500 {
                    serve(&metrics, "GET", "/api/v1/nodes/n", 200 + code % 7, 1);
                }
            });
        }
    });
    let total: u64 = page(&metrics)
        .lines()
        .filter(|l| l.starts_with("apiserver_request_total"))
        .map(|l| l.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(total, 2000);
}

#[test]
fn labels_are_quoted() {
    let mut text = Text::default();
    text.family("x", "gauge", "X.");
    text.value(&[("a", "b\"c\\d\ne")], 1);
    assert_eq!(
        text.finish(),
        "# HELP x X.\n# TYPE x gauge\nx{a=\"b\\\"c\\\\d\\ne\"} 1\n"
    );
}

#[test]
fn decisions_are_counted() {
    use rbac::Authorizer as _;
    struct Jane;
    impl crate::authorization::Authorizer for Jane {}
    impl rbac::Authorizer for Jane {
        fn authorize(&self, a: &rbac::Attributes<'_>) -> rbac::Decision {
            match a.user.name.as_str() {
                "jane" => rbac::Decision::allow(""),
                _ => rbac::Decision::no_opinion(""),
            }
        }
    }
    let counted = Arc::new(CountedAuthorizer::new(Arc::new(Jane), "RBAC", "rbac"));
    let metrics = metrics().with_authorizers(vec![counted.clone()]);
    for (name, millis) in [("jane", 0), ("jane", 3), ("bob", 0)] {
        let user = model::user::UserInfo::new(name, [""; 0]);
        let decision = counted.authorize(&rbac::Attributes::resource(&user, "get", "", "pods"));
        metrics.authorized(&decision.verdict, Duration::from_millis(millis));
    }
    let page = page(&metrics);
    let seconds = "authorization_duration_seconds";
    has(
        &page,
        &[
            "apiserver_authorization_decisions_total{decision=\"allowed\",name=\"rbac\",type=\"RBAC\"} 2",
            "authorization_attempts_total{result=\"allowed\"} 2",
            "authorization_attempts_total{result=\"no-opinion\"} 1",
            "authorization_attempts_total{result=\"denied\"} 0",
            &format!("{seconds}_bucket{{result=\"allowed\",le=\"0.001\"}} 1"),
            &format!("{seconds}_bucket{{result=\"allowed\",le=\"0.004\"}} 2"),
        ],
    );
    assert!(!page.contains("decision=\"denied\""));
}

#[test]
fn what_is_asked_of_the_store_is_counted() {
    use storage_api::Expected;
    let metrics = metrics();
    let store = metrics.counted_store(Arc::new(reference_models::store::MemoryStore::new()));
    block_on(async {
        let key = "/registry/core/configmaps/ns/a";
        let made = store
            .put(key, "x".into(), Expected::Absent, None)
            .await
            .unwrap();
        store
            .put(key, "y".into(), Expected::Absent, None)
            .await
            .unwrap_err();
        store.get(key, None).await.unwrap();
        store
            .range("/registry/core/configmaps/", None, 0, None)
            .await
            .unwrap();
        store
            .range("/registry/core/configmaps/", None, 0, Some(99))
            .await
            .unwrap_err();
        store
            .delete(key, Expected::At(made.mod_revision))
            .await
            .unwrap();
        let role = "/registry/rbac.authorization.k8s.io/roles/ns/r";
        store.get(role, None).await.unwrap();
    });
    let page = page(&metrics);
    let of = |operation: &str, kind: &str| format!("{{operation=\"{operation}\",type=\"{kind}\"}}");
    let map = "*core.ConfigMap";
    has(
        &page,
        &[
            &format!("etcd_requests_total{} 2", of("create", map)),
            &format!("etcd_request_errors_total{} 0", of("create", map)),
            &format!("etcd_requests_total{} 2", of("list", map)),
            &format!("etcd_request_errors_total{} 1", of("list", map)),
            &format!("etcd_requests_total{} 1", of("delete", map)),
            &format!("etcd_requests_total{} 1", of("get", "*rbac.Role")),
            &format!("etcd_request_duration_seconds_count{} 1", of("get", map)),
        ],
    );
}
