use super::*;
use crate::authorization::Masters;
use crate::cache::{Cache, HistoryLimits};
use crate::lookup::CacheLookup;
use crate::query::Query;
use identity::Chain;
use model::registry::Registry;
use model::user::UserInfo;

async fn services() -> Services {
    let registry = Arc::new(Registry::builtin());
    let store = Arc::new(reference_models::store::MemoryStore::new());
    let cache = Arc::new(Cache::new(
        &registry,
        store,
        vec![],
        HistoryLimits::default(),
    ));
    cache.load().await.unwrap();
    Services {
        authenticator: Arc::new(Chain::new(vec![], false)),
        authorizer: Arc::new(Masters),
        lookup: Arc::new(CacheLookup::new(cache.clone())),
        cache,
        registry,
    }
}

async fn get(health: &Health, url: &str) -> (u16, String) {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let request = EndpointRequest {
        path,
        query: &Query::parse(query),
        accept: "",
        user: &UserInfo::default(),
        services: &services().await,
    };
    assert!(health.serves(path));
    match health.get(request).await {
        Ok(r) => (r.code, String::from_utf8(r.body.to_vec()).unwrap()),
        Err(status) => (status.code, status.message),
    }
}

#[tokio::test]
async fn a_healthy_server_says_so_in_upstreams_words() {
    let gate = Gate::default();
    let health = Health::new().gate("poststarthook/rbac/bootstrap-roles", gate.clone());
    gate.open();
    for (url, expected) in [
        ("/healthz", "ok"),
        ("/livez", "ok"),
        ("/readyz", "ok"),
        ("/readyz/ping", "ok"),
        ("/readyz/etcd", "ok"),
        ("/readyz/poststarthook/rbac/bootstrap-roles", "ok"),
        (
            "/livez?verbose",
            "[+]ping ok\n[+]etcd ok\nlivez check passed\n",
        ),
        (
            "/readyz?verbose=true",
            "[+]ping ok\n[+]etcd ok\n[+]shutdown ok\n\
             [+]poststarthook/rbac/bootstrap-roles ok\nreadyz check passed\n",
        ),
        (
            "/healthz?verbose&exclude=etcd&exclude=nonsense",
            "[+]ping ok\n[+]etcd excluded: ok\n[+]poststarthook/rbac/bootstrap-roles ok\n\
             warn: some health checks cannot be excluded: no matches for \"nonsense\"\n\
             healthz check passed\n",
        ),
    ] {
        assert_eq!(get(&health, url).await, (200, expected.to_owned()), "{url}");
    }
    for url in ["/livez/nonsense", "/livez/shutdown", "/livez/etcd/x"] {
        assert_eq!(get(&health, url).await.0, 404, "{url}");
    }
    assert!(!health.serves("/healthzz") && !health.serves("/"));
}

#[tokio::test]
async fn failures_are_told_without_their_reasons() {
    let gate = Gate::default();
    let health = Health::new()
        .check("disk", true, |_| {
            Box::pin(ready(Err("sda1 is gone".to_owned())))
        })
        .gate("hook", gate.clone());
    assert_eq!(
        get(&health, "/livez").await,
        (
            500,
            "[+]ping ok\n[+]etcd ok\n[-]disk failed: reason withheld\nlivez check failed\n"
                .to_owned()
        )
    );
    assert_eq!(
        get(&health, "/livez?exclude=disk").await,
        (200, "ok".to_owned())
    );
    assert_eq!(
        get(&health, "/livez/disk").await,
        (500, "internal server error: sda1 is gone\n".to_owned())
    );
    assert_eq!(get(&health, "/readyz?exclude=disk").await.0, 500);
    gate.open();
    assert_eq!(get(&health, "/readyz?exclude=disk").await.0, 200);
    health.shutdown().open();
    assert_eq!(get(&health, "/readyz?exclude=disk").await.0, 500);
    assert_eq!(
        get(&health, "/healthz?exclude=disk").await.0,
        200,
        "still alive"
    );
}

#[tokio::test(start_paused = true)]
async fn a_check_that_hangs_has_failed() {
    let health = Health::new().check("slow", true, |_| Box::pin(futures::future::pending()));
    assert_eq!(get(&health, "/livez").await.0, 500);
    assert_eq!(
        get(&health, "/livez/slow").await,
        (500, "internal server error: timed out\n".to_owned())
    );
}
