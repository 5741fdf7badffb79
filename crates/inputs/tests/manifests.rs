//! Files of all sorts.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use inputs::{Limits, Loaded, read_manifests, read_snapshot, write_snapshot};
use model::registry::Registry;
use snapshot::{Options, ProblemKind, Severity};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn load(paths: &[&Path], stdin: &str) -> Loaded {
    load_within(paths, stdin, Limits::default())
}

fn load_within(paths: &[&Path], stdin: &str, limits: Limits) -> Loaded {
    let paths: Vec<PathBuf> = paths.iter().map(|p| p.to_path_buf()).collect();
    read_manifests(
        &paths,
        &mut stdin.as_bytes(),
        Arc::new(Registry::builtin()),
        Options::manifests("default"),
        limits,
    )
}

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.snapshot.written().map(|o| o.name()).collect()
}

fn problems(loaded: &Loaded) -> Vec<(ProblemKind, String)> {
    loaded
        .snapshot
        .problems()
        .iter()
        .map(|p| {
            let at = p.location.as_ref().expect("located");
            let file = Path::new(&*at.file).file_name().unwrap_or_default();
            (p.kind, format!("{}:{}", file.to_string_lossy(), at.line))
        })
        .collect()
}

#[test]
fn directories_are_walked_in_order() {
    let d = tempfile::tempdir().unwrap();
    let at = |name: &str| d.path().join(name);
    fs::create_dir_all(at("b/.git")).unwrap();
    fs::write(at("z.yaml"), config_map("z")).unwrap();
    fs::write(
        at("a.JSON"),
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}"#,
    )
    .unwrap();
    fs::write(at("b/c.yml"), config_map("c")).unwrap();
    fs::write(at("b/.git/d.yaml"), config_map("hidden")).unwrap();
    fs::write(at(".e.yaml"), config_map("hidden")).unwrap();
    fs::write(at("README.md"), "text: [").unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("..", at("b/loop")).unwrap();
        std::os::unix::fs::symlink("z.yaml", at("same.yaml")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("gone.yaml")).unwrap();
    }
    let loaded = load(&[d.path()], "");
    assert_eq!(names(&loaded), ["a", "c", "z"]);
    #[cfg(unix)]
    assert_eq!(
        problems(&loaded),
        [(ProblemKind::UnreadableFile, "gone.yaml:0".into())]
    );
    let files: Vec<_> = loaded
        .snapshot
        .files()
        .map(|(_, name)| name.to_owned())
        .collect();
    assert!(
        files[0].ends_with("a.JSON") && files[1].ends_with("c.yml"),
        "{files:?}"
    );
    // A file that is named is read whatever it is called.
    fs::write(at("f.txt"), config_map("f")).unwrap();
    assert_eq!(
        names(&load(&[&at("f.txt"), Path::new("-")], &config_map("s"))),
        ["f", "s"]
    );
}

#[test]
fn bad_files_hide_nothing() {
    let d = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = d.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for i in 1..12 {
        bomb.push_str(&format!(
            "a{i}: &a{i} [{}]\n",
            vec![format!("*a{}", i - 1); 9].join(",")
        ));
    }
    write(
        "a.yaml",
        format!("{bomb}---\n{}", config_map("a")).as_bytes(),
    );
    write(
        "b.yaml",
        format!("a: &a [*a]\n---\n{}", config_map("b")).as_bytes(),
    );
    write("c.yaml", b"\x7fELF\0\0\x01");
    write(
        "d.yaml",
        format!("a:\n\t- b\n---\n{}", config_map("d")).as_bytes(),
    );
    write(
        "e.yaml",
        [b"a: \xff\xfe\n---\n", config_map("e").as_bytes()]
            .concat()
            .as_slice(),
    );
    write(
        "f.yaml",
        format!("a: {}\n---\n{}", "[".repeat(100_000), config_map("f")).as_bytes(),
    );
    write(
        "g.yaml",
        format!("\u{feff}{}", config_map("g"))
            .replace('\n', "\r\n")
            .as_bytes(),
    );
    write("h.yaml", b"");
    write("i.yaml", b"\n---\n---\n# nothing\n");
    write(
        "j.yaml",
        format!("a: {{{{ .Values.x }}}}\nb: c: d\n---\n{}", config_map("j")).as_bytes(),
    );
    write(
        "k.yaml",
        format!("{}---\nkind: [\n", config_map("k")).as_bytes(),
    );
    let object = |name| serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    let second = object("m").to_string().replace("\"kind\"", "\n\t\"kind\"");
    write("l.json", format!("{}\n{second}", object("l")).as_bytes());
    let loaded = load(&[d.path(), Path::new("/no/such/file")], "");
    assert_eq!(
        names(&loaded),
        ["a", "b", "d", "e", "f", "g", "j", "k", "l", "m"]
    );
    let found = problems(&loaded);
    let want = [
        (ProblemKind::UnreadableFile, "file:0"),
        (ProblemKind::UnparsableDocument, "a.yaml:"),
        (ProblemKind::UnparsableDocument, "b.yaml:1"),
        (ProblemKind::BinaryFile, "c.yaml:0"),
        (ProblemKind::UnparsableDocument, "d.yaml:2"),
        (ProblemKind::UnparsableDocument, "e.yaml:1"),
        (ProblemKind::UnparsableDocument, "f.yaml:1"),
        (ProblemKind::UnparsableDocument, "j.yaml:"),
        (ProblemKind::UnparsableDocument, "k.yaml:"),
    ];
    assert_eq!(found.len(), want.len(), "{found:?}");
    for ((kind, at), (want_kind, want_at)) in found.iter().zip(want) {
        assert_eq!(*kind, want_kind, "{at}");
        assert!(at.starts_with(want_at), "{at} {want_at}");
    }
    let template = &loaded.snapshot.problems()[7];
    assert!(template.message.contains("helm template"), "{template}");
    assert_eq!(loaded.snapshot.worst_problem(), Some(Severity::Unreadable));
    let g = loaded
        .snapshot
        .find("", "configmaps", "default", "g")
        .unwrap();
    let at = loaded.snapshot.locate_value(g, "metadata.name").unwrap();
    assert_eq!((at.line, at.column), (4, 9));
    assert_eq!(loaded.texts.line(&at).unwrap(), "  name: g");
    assert_eq!(&loaded.texts.of(&at).unwrap()[at.bytes], b"g");
    let m = loaded
        .snapshot
        .find("", "configmaps", "default", "m")
        .unwrap();
    let at = loaded.snapshot.locate(m, "kind").unwrap();
    assert_eq!((at.line, at.column), (3, 2));
}

#[test]
fn what_is_too_large_is_named() {
    let d = tempfile::tempdir().unwrap();
    let path = d.path().join("huge.yaml");
    // A file of a gigabyte that takes no room.
    fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    fs::write(d.path().join("a.yaml"), config_map("a")).unwrap();
    fs::write(d.path().join("b.yaml"), config_map("b")).unwrap();
    let loaded = load(&[d.path()], "");
    assert_eq!(names(&loaded), ["a", "b"]);
    assert_eq!(
        problems(&loaded),
        [(ProblemKind::TooLarge, "huge.yaml:0".into())]
    );
    let small = Limits {
        total_bytes: 60,
        ..Limits::default()
    };
    let loaded = load_within(&[d.path()], "", small);
    assert_eq!(names(&loaded), ["a"]);
    let few = Limits {
        files: 1,
        ..Limits::default()
    };
    assert_eq!(names(&load_within(&[d.path()], "", few)), ["a"]);
    let short = Limits {
        file_bytes: 10,
        ..Limits::default()
    };
    let loaded = load_within(&[Path::new("-")], &config_map("s"), short);
    assert_eq!(problems(&loaded), [(ProblemKind::TooLarge, "-:0".into())]);
}

#[test]
fn snapshot_files_plain_and_compressed() {
    let d = tempfile::tempdir().unwrap();
    let loaded = load(&[Path::new("-")], &config_map("a"));
    for name in ["s.json", "s.json.gz"] {
        let path = d.path().join(name);
        write_snapshot(&path, &loaded.snapshot).unwrap();
        let registry = Arc::new(Registry::builtin());
        let options = Options::manifests("default");
        let back = read_snapshot(&path, &mut std::io::empty(), registry, options).unwrap();
        assert_eq!(back.to_json().unwrap(), loaded.snapshot.to_json().unwrap());
        assert_eq!(
            fs::read_dir(d.path()).unwrap().count(),
            if name == "s.json" { 1 } else { 2 }
        );
    }
    assert!(fs::metadata(d.path().join("s.json.gz")).unwrap().len() > 0);
    fs::write(d.path().join("x"), b"\x1f\x8bjunk").unwrap();
    let registry = Arc::new(Registry::builtin());
    let options = Options::manifests("default");
    assert!(
        read_snapshot(
            &d.path().join("x"),
            &mut std::io::empty(),
            registry,
            options
        )
        .is_err()
    );
}
