//! The pages of `rampart report`, `audit`, `paths`, `access-matrix` and `graph`, opened in a browser
//! and used as people use them.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

#[path = "pages/browser.rs"]
mod browser;
mod support;

use browser::{Browser, chromium};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use support::analyst::{rampart, workshop};
use support::{Cluster, kubectls};

/// What would show itself if any of it were taken for markup or script.
const HOSTILE: &str =
    "</script><img src=x onerror=\"document.title='owned'\"><b>'x'&lt;\u{202e}gnp";

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Writes the page of a command into a file.
fn page(directory: &Path, name: &str, arguments: &[&str], status: i32) -> PathBuf {
    let output = rampart(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    let file = directory.join(name);
    std::fs::write(&file, &output.stdout).expect("a file");
    file
}

#[test]
fn the_report_of_the_workshop_is_read() {
    let Some(program) = chromium() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("report.html");
    let workshop = workshop();
    let output = rampart(&["report", text(&workshop), "-o", text(&file)]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let mut browser = Browser::start(&program, false);
    browser.open(&file);
    browser.picture("report");

    // The lists answer to words, filters and clicks.
    let rows = "[data-id=findings] tbody tr.opens";
    let all = browser.count(rows);
    assert!(all > 20, "{all}");
    browser.write(
        "[data-id=findings] input[type=search]",
        "secret-env-pod secret",
    );
    let found = browser.count(rows);
    assert!(0 < found && found < all, "{found} of {all}");
    assert!(browser.text(rows).contains("secret-env-pod"));
    browser.click(rows);
    assert_eq!(browser.count("[data-id=findings] tr.detail"), 1);
    let detail = browser.text("[data-id=findings] tr.detail");
    assert!(
        detail.contains("Fix") && detail.contains("Why it matters"),
        "{detail}"
    );
    browser.picture("report-detail");
    browser.click("[data-id=findings] tbody button.open");
    assert_eq!(browser.count("[data-id=findings] tr.detail"), 0);
    // The same from the keyboard.
    browser.key("Enter", 13);
    assert_eq!(browser.count("[data-id=findings] tr.detail"), 1);
    browser.click("[data-id=findings] .filters > button");
    assert_eq!(browser.count(rows), all);
    browser.choose("[data-id=findings] [data-column=Severity]", "medium");
    let medium = browser.count(rows);
    assert!(0 < medium && medium < all);
    assert_eq!(
        browser.count("[data-id=findings] tbody .badge.medium"),
        medium
    );
    // A tile of the summary chooses its findings.
    browser.click("#summary .tiles a[data-value=high]");
    assert_eq!(
        browser.count("[data-id=findings] tbody .badge.high"),
        browser.count(rows)
    );
    browser.click("#summary table a[data-column=Check]");
    let chosen = browser.text("[data-id=findings] .count");
    assert!(chosen.contains(" of "), "{chosen}");
    browser.click("[data-id=findings] .filters > button");
    // Sorting by the worst, and back.
    browser.click("[data-id=findings] th button");
    assert_eq!(browser.text("[data-id=findings] tbody .badge"), "high");
    browser.click("[data-id=findings] th button");
    assert_ne!(browser.text("[data-id=findings] tbody .badge"), "high");

    // The matrix: who may do something with pods.
    let subjects = "[data-id=access] tbody tr.opens";
    browser.write(
        "[data-id=access] input[aria-label=\"Search subjects\"]",
        "rbac-example",
    );
    assert_eq!(browser.count(subjects), 1);
    assert!(browser.text(subjects).contains("default/rbac-example"));
    browser.click("[data-id=access] tbody button.open");
    let held = browser.text("[data-id=access] tr.detail");
    assert!(held.contains("pods") && held.contains("Given by"), "{held}");
    browser.write(
        "[data-id=access] input[aria-label=\"Search resources\"]",
        "nosuchresource",
    );
    assert_eq!(browser.count(subjects), 0);
    browser.picture("report-access");

    picture(&mut browser, "rbac-example");
    browser.picture("report-graph");
    browser.is_content();

    // What is shown in the dark, and on paper, is no less.
    let mut dark = Browser::start(&program, true);
    dark.open(&file);
    dark.picture("report-dark");
    dark.call(
        "Emulation.setEmulatedMedia",
        serde_json::json!({"media": "print"}),
    );
    dark.settle();
    dark.picture("report-print");
    assert_eq!(dark.count("[data-id=findings] tbody tr.opens"), all);
    dark.is_content();
}

/// Searches, zooms, moves and follows links in a picture.
fn picture(browser: &mut Browser, name: &str) {
    let scale = |browser: &mut Browser| -> f64 {
        let scale = browser.value("document.querySelector('canvas').dataset.scale");
        scale
            .as_str()
            .and_then(|s| s.parse().ok())
            .expect("a scale")
    };
    browser.write("[data-id=graph] input[type=search]", name);
    let found = browser.text("[data-id=graph] .count");
    assert!(found.starts_with("1 of "), "{found}");
    assert!(browser.text("[data-id=graph] .about").contains(name));
    let chosen = "document.querySelector('canvas').dataset.chosen";
    let first = browser.value(chosen);
    browser.key("Enter", 13);
    if found != "1 of 1" {
        assert_ne!(browser.value(chosen), first);
    }
    browser.click("[data-id=graph] .about button.node");
    assert_ne!(browser.value(chosen), first);
    let before = scale(browser);
    browser.click("[data-id=graph] button[aria-label=\"Zoom in\"]");
    let after = scale(browser);
    assert!(after > before, "{before} {after}");
    browser.click("canvas");
    browser.wheel("canvas", 300.0);
    assert!(scale(browser) < after);
    browser.drag("canvas", (40.0, 30.0));
    browser.key("+", 107);
    // Something is drawn.
    let coloured = browser.value(
        "(() => { const c = document.querySelector('canvas'); \
         const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; \
         let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; })()",
    );
    assert!(coloured.as_u64().is_some_and(|n| n > 100), "{coloured}");
    browser.click("[data-id=graph] input[type=checkbox]");
    browser.click("[data-id=graph] button[aria-label=Fit]");
}

#[test]
fn hostile_names_do_no_harm() {
    let directory = tempfile::tempdir().expect("a directory");
    let quoted = serde_json::to_string(HOSTILE).expect("JSON");
    // The file's name is hostile too, as far as file systems go.
    let manifests = directory.path().join("<img src=x onerror=alert(1)>");
    std::fs::create_dir(&manifests).expect("a directory");
    let mut all = String::new();
    for (kind, more) in [
        (
            "Pod",
            format!(
                "spec: {{hostPID: true, containers: [{{name: {quoted}, image: {quoted}, securityContext: {{privileged: true}}}}]}}"
            ),
        ),
        ("ServiceAccount", String::new()),
        (
            "Role",
            format!(
                "rules: [{{verbs: ['*', {quoted}], apiGroups: [{quoted}, ''], resources: ['*', {quoted}], resourceNames: [{quoted}]}}]"
            ),
        ),
        (
            "RoleBinding",
            format!(
                "roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}\nsubjects: [{{kind: User, name: {quoted}}}, {{kind: ServiceAccount, name: default, namespace: {quoted}}}]"
            ),
        ),
        (
            "NetworkPolicy",
            "spec: {podSelector: {}, ingress: [{}]}".to_owned(),
        ),
        ("Nonsense", String::new()),
    ] {
        let group = match kind {
            "Role" | "RoleBinding" => "rbac.authorization.k8s.io/v1",
            "NetworkPolicy" => "networking.k8s.io/v1",
            "Nonsense" => "example.io/v1",
            _ => "v1",
        };
        let _ = write!(
            all,
            "apiVersion: {group}\nkind: {kind}\nmetadata: {{name: {quoted}, namespace: {quoted}, annotations: {{{quoted}: {quoted}}}}}\n{more}\n---\n"
        );
    }
    let _ = writeln!(all, "{quoted}: [");
    std::fs::write(manifests.join("<b>'\".yaml"), all).expect("a file");
    let manifests = text(&manifests);
    let pages = [
        page(
            directory.path(),
            "report.html",
            &["report", manifests, "--title", HOSTILE, "--note", HOSTILE],
            3,
        ),
        page(
            directory.path(),
            "audit.html",
            &["audit", manifests, "-o", "html"],
            3,
        ),
        page(
            directory.path(),
            "paths.html",
            &["paths", "--from", "*", "--to", "*", manifests, "-o", "html"],
            3,
        ),
        page(
            directory.path(),
            "access.html",
            &["access-matrix", "-A", manifests, "-o", "html"],
            3,
        ),
        page(
            directory.path(),
            "graph.html",
            &["graph", "--with-rules", manifests, "-o", "html"],
            3,
        ),
    ];
    for page in &pages {
        let markup = std::fs::read_to_string(page).expect("a page");
        assert!(markup.contains("img src=x"), "{}", page.display());
        assert!(
            !markup.contains("<img") && !markup.contains("<b>'x'"),
            "{}",
            page.display()
        );
        assert!(!markup.contains('\u{202e}'), "{}", page.display());
        assert_eq!(markup.matches("</script>").count(), 2, "{}", page.display());
    }
    let Some(program) = chromium() else { return };
    let mut browser = Browser::start(&program, false);
    for page in &pages {
        browser.open(page);
        // Everything is opened that can be.
        browser.value("document.querySelectorAll('details').forEach((d) => { d.open = true; })");
        browser.value("document.querySelectorAll('button.open').forEach((b) => b.click())");
        if browser.count("canvas") > 0 {
            browser.write("[data-id=graph] input[type=search]", "onerror");
            assert!(
                browser
                    .text("[data-id=graph] .about")
                    .contains("<img src=x")
            );
        }
        assert_eq!(browser.count("img"), 0);
        assert_ne!(browser.value("document.title"), "owned");
        browser.picture(&format!(
            "hostile-{}",
            page.file_stem().and_then(|n| n.to_str()).expect("a name")
        ));
        browser.is_content();
    }
    // Even if markup got in, its script would not run.
    browser.value("document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\" onerror=\"window.owned = 1\">')");
    browser.settle();
    browser.settle();
    assert!(browser.value("window.owned").is_null());
}

/// A manifest of pods in several namespaces.
fn many_pods(count: usize) -> String {
    let mut text = String::new();
    for at in 0..count {
        let _ = write!(
            text,
            "{{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n\"metadata\": {{\"name\": \"pod-{at}\", \"namespace\": \"team-{}\"}},\n\
             \"spec\": {{\"hostPID\": {}, \"containers\": [\n{{\"name\": \"app\", \"image\": \"registry.example.com/app\"}}]}}}}\n",
            at % 40,
            at % 100 == 0
        );
    }
    text
}

#[test]
fn twenty_thousand_findings_can_be_filtered() {
    let Some(program) = chromium() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let manifests = directory.path().join("pods.json");
    std::fs::write(&manifests, many_pods(1_800)).expect("a file");
    let file = page(
        directory.path(),
        "report.html",
        &["report", text(&manifests)],
        1,
    );
    let mut browser = Browser::start(&program, false);
    browser.open(&file);
    let count = "[data-id=findings] .count";
    let all: u64 = browser
        .text(count)
        .replace(',', "")
        .parse()
        .expect("a number");
    assert!(all >= 20_000, "{all} findings");
    assert_eq!(browser.count("[data-id=findings] tbody tr.opens"), 100);
    // Few elements, however many findings.
    assert!(browser.count("*") < 30_000);
    browser.write("[data-id=findings] input[type=search]", "pod-1700");
    let found = browser.count("[data-id=findings] tbody tr.opens");
    assert!(0 < found && found < 100, "{found}");
    browser.click("[data-id=findings] tbody button.open");
    assert!(browser.text("[data-id=findings] tr.detail").contains("Fix"));
    browser.write("[data-id=findings] input[type=search]", "");
    browser.choose("[data-id=findings] [data-column=Namespace]", "team-7 ");
    let namespace: u64 = first_number(&browser.text(count));
    assert!(0 < namespace && namespace < all / 20, "{namespace}");
    browser.click("[data-id=findings] .pager button:last-child");
    assert!(
        browser
            .text("[data-id=findings] .where")
            .starts_with("101\u{2013}200 of")
    );
    browser.click("[data-id=findings] th button");
    browser.picture("many");
    browser.is_content();
}

/// How many nodes of the picture are drawn.
fn shown(browser: &mut Browser) -> u64 {
    let drawn = browser.value("Number(document.querySelector('canvas').dataset.drawn)");
    drawn.as_u64().expect("a number")
}

fn first_number(text: &str) -> u64 {
    let word = text.split(' ').next().unwrap_or_default();
    word.replace(',', "").parse().expect("a number")
}

#[test]
fn five_thousand_nodes_can_be_searched() {
    let Some(program) = chromium() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let manifests = directory.path().join("roles.json");
    let mut all = String::new();
    for at in 0..1_700 {
        let metadata = format!(
            "{{\"name\": \"r-{at}\", \"namespace\": \"team-{}\"}}",
            at % 40
        );
        let api = "\"apiVersion\": \"rbac.authorization.k8s.io/v1\"";
        let _ = write!(
            all,
            "{{{api}, \"kind\": \"Role\", \"metadata\": {metadata}, \"rules\": [{{\"verbs\": [\"get\"], \
             \"apiGroups\": [\"\"], \"resources\": [\"pods\"]}}]}}\n\
             {{{api}, \"kind\": \"RoleBinding\", \"metadata\": {metadata}, \"roleRef\": {{\"apiGroup\": \
             \"rbac.authorization.k8s.io\", \"kind\": \"Role\", \"name\": \"r-{at}\"}}, \"subjects\": [\
             {{\"kind\": \"User\", \"name\": \"user-{at}\"}}, {{\"kind\": \"User\", \"name\": \"user-{}\"}}]}}\n",
            (at * 7) % 1_700
        );
    }
    std::fs::write(&manifests, all).expect("a file");
    let file = page(
        directory.path(),
        "graph.html",
        &["graph", text(&manifests), "-o", "html"],
        0,
    );
    let mut browser = Browser::start(&program, false);
    browser.open(&file);
    let nodes = first_number(&browser.text("[data-id=graph] .count"));
    assert!(nodes >= 5_000, "{nodes} nodes");
    browser.picture("graph");
    picture(&mut browser, "user-1234");
    browser.picture("graph-found");
    // What is connected stands close together.
    let drawn: u64 = shown(&mut browser);
    assert!((2..20).contains(&drawn), "{drawn}");
    assert_eq!(
        browser.value("Number(document.querySelector('canvas').dataset.scale)"),
        1
    );
    // All of them are drawn when all are asked for.
    browser.click("[data-id=graph] input[type=checkbox]");
    browser.click("[data-id=graph] button[aria-label=Fit]");
    assert_eq!(shown(&mut browser), nodes);
    browser.picture("graph-fit");
    browser.is_content();

    let file = page(
        directory.path(),
        "access.html",
        &["access-matrix", "-A", text(&manifests), "-o", "html"],
        0,
    );
    browser.open(&file);
    browser.write("[data-id=access] input[type=search]", "user-1234");
    assert!((1..10).contains(&browser.count("[data-id=access] tbody tr")));
    assert!(
        browser
            .text("[data-id=access] tbody tr")
            .contains("user-1234")
    );
    browser.is_content();
    let file = page(
        directory.path(),
        "pods.html",
        &[
            "access-matrix",
            "-A",
            "--resource",
            "pods",
            text(&manifests),
            "-o",
            "html",
        ],
        0,
    );
    browser.open(&file);
    browser.write("[data-id=access] input[type=search]", "user-1234");
    assert!((1..10).contains(&browser.count("[data-id=access] tbody tr")));
    browser.is_content();
}

#[test]
fn pages_are_the_same_twice_and_hold_no_secret() {
    let directory = tempfile::tempdir().expect("a directory");
    let manifests = directory.path().join("all.yaml");
    // "hunter2-data" in base64.
    let encoded = "aHVudGVyMi1kYXRh";
    let all = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: a, namespace: default, annotations: {{\
         kubectl.kubernetes.io/last-applied-configuration: 'hunter2-applied'}}}}\n\
         data:\n  password: {encoded}\n---\n\
         {{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"metadata\": {{\"name\": \"b\"}}, \
         \"stringData\": {{\"x\": \"hunter2-string\"}}}}\n---\n\
         apiVersion: v1\nkind: Secret\nmetadata: {{name: c}}\ndata: {{x: 'hunter2 is no base64'}}\n---\n\
         apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  containers:\n  - name: a\n    \
         image: nginx\n    env:\n    - name: DB_PASSWORD\n      value: hunter2-env\n---\n\
         apiVersion: v1\nkind: Secret\nmetadata: {{name: d}}\nstringData:\n  x: [hunter2-list]\n---\n\
         kind: Secret\nstringData:\n  x: hunter2-broken\n y: [\n"
    );
    std::fs::write(&manifests, all).expect("a file");
    let manifests = text(&manifests);
    let once = rampart(&["report", manifests]).stdout;
    let again = rampart(&["report", manifests]).stdout;
    assert!(once == again, "two runs differ");
    let audit = rampart(&["audit", "-o", "html", manifests]).stdout;
    for page in [once, audit] {
        let page = String::from_utf8(page).expect("UTF-8");
        assert!(page.contains("DB_PASSWORD") && page.contains("</html>"));
        let at = page.find("hunter2").or_else(|| page.find(encoded));
        let around = at.map(|at| &page[at.saturating_sub(300)..at + 20]);
        assert_eq!(around, None);
    }
}

#[test]
fn without_scripts_the_summary_is_there() {
    let Some(program) = chromium() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("report.html");
    let broken = directory.path().join("broken.yaml");
    std::fs::write(&broken, "a: [\n").expect("a file");
    let output = rampart(&[
        "report",
        text(&workshop()),
        text(&broken),
        "-o",
        text(&file),
    ]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let mut browser = Browser::start(&program, false);
    browser.call(
        "Emulation.setScriptExecutionDisabled",
        serde_json::json!({"value": true}),
    );
    browser.load(&file);
    let seen = browser.text("main");
    for part in [
        "1 thing could not be read or evaluated",
        "RMP-PSP-001",
        "pod/default/secret-env-pod",
        "reads the secret that it has",
        "may read secrets",
        "This part needs JavaScript",
    ] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    browser.picture("without-scripts");
    browser.is_content();
}

#[test]
fn a_cluster_and_its_snapshot_have_one_page() {
    let cluster = Cluster::start();
    let programs = kubectls();
    let kubectl = cluster.kubectl(programs.first().expect("a kubectl"));
    kubectl.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: front, namespace: default}\n\
         spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}]}\n---\n\
         apiVersion: v1\nkind: Secret\nmetadata: {name: hidden, namespace: default}\n\
         stringData: {password: hunter2}\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: default}\n\
         spec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    \
         spec: {containers: [{name: web, image: nginx, securityContext: {privileged: true}}]}\n",
    );
    let kubeconfig = cluster.kubeconfig();
    let file = cluster.scratch().join("cluster.json");
    let live = ["--live", "--kubeconfig", text(&kubeconfig)];
    let written = rampart(&[
        "snapshot",
        "--kubeconfig",
        text(&kubeconfig),
        "-o",
        text(&file),
    ]);
    assert_eq!(written.status.code(), Some(0), "{written:?}");
    let page = |arguments: &[&str]| {
        let output = rampart(&[&["report"], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let page = String::from_utf8(output.stdout).expect("UTF-8");
        let source = page.find(", from <bdi>").expect("the source");
        let end = source + page[source..].find("</bdi>").expect("its end");
        format!("{}{}", &page[..source], &page[end..])
    };
    let of_cluster = page(&live);
    assert!(of_cluster.contains("30080") && of_cluster.contains("leaves the privileged container"));
    assert!(!of_cluster.contains("hunter2") && !of_cluster.contains("aHVudGVyMg"));
    assert!(
        of_cluster == page(&["--snapshot", text(&file)]),
        "they differ"
    );
}

#[test]
fn the_status_of_a_report_is_that_of_the_audit() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("a.yaml");
    let status = |arguments: &[&str]| {
        let all = [&["report", text(&file)], arguments].concat();
        rampart(&all).status.code()
    };
    std::fs::write(&file, many_pods(1)).expect("a file");
    assert_eq!(status(&[]), Some(1));
    std::fs::write(
        &file,
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    )
    .expect("a file");
    assert_eq!(status(&["--fail-on", "critical"]), Some(0));
    std::fs::write(&file, "a: [\n").expect("a file");
    assert_eq!(status(&[]), Some(3));
    std::fs::remove_file(&file).expect("it is there");
    assert_eq!(status(&[]), Some(2));
}
