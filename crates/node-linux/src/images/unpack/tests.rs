//! Layers as others might make them. Owners and device nodes take root.

use super::*;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use tar::{Builder, Header};

/// Whether this is root; says so if not, as the test then shows nothing.
fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: unpacking a layer takes root");
    }
    root
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(7);
    header.set_gid(8);
    header.set_mtime(1_000_000);
    header
}

struct Archive;

impl Archive {
    fn build(entries: impl FnOnce(&mut Builder<&mut Vec<u8>>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut builder = Builder::new(&mut bytes);
        entries(&mut builder);
        builder.finish().unwrap();
        drop(builder);
        bytes
    }
}

fn file(builder: &mut Builder<&mut Vec<u8>>, path: &str, content: &str) {
    let mut header = header(EntryType::Regular, 0o4755, content.len() as u64);
    named(&mut header, path);
    builder.append(&header, content.as_bytes()).unwrap();
}

/// A name as it is, also one that the builder would refuse.
fn named(header: &mut Header, path: &str) {
    let name = &mut header.as_gnu_mut().unwrap().name;
    name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_cksum();
}

fn link(builder: &mut Builder<&mut Vec<u8>>, kind: EntryType, path: &str, target: &str) {
    let mut header = header(kind, 0o777, 0);
    let name = &mut header.as_gnu_mut().unwrap().linkname;
    name[..target.len()].copy_from_slice(target.as_bytes());
    named(&mut header, path);
    builder.append(&header, &[][..]).unwrap();
}

fn node(builder: &mut Builder<&mut Vec<u8>>, kind: EntryType, path: &str, mode: u32) {
    let mut header = header(kind, mode, 0);
    header.set_device_major(1).unwrap();
    header.set_device_minor(3).unwrap();
    named(&mut header, path);
    builder.append(&header, &[][..]).unwrap();
}

fn unpacked(archive: &[u8]) -> (tempfile::TempDir, io::Result<Unpacked>) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("fs")).unwrap();
    fs::write(dir.path().join("victim"), "untouched").unwrap();
    let result = unpack(archive, &dir.path().join("fs"), &[], Limits::default());
    (dir, result)
}

#[test]
fn files_links_and_nodes_are_as_the_archive_says() {
    if !root() {
        return;
    }
    let archive = Archive::build(|b| {
        node(b, EntryType::Directory, "bin/", 0o1777);
        file(b, "bin/tool", "content");
        link(b, EntryType::Link, "bin/same", "bin/tool");
        link(b, EntryType::Symlink, "bin/soft", "/bin/tool");
        node(b, EntryType::Char, "null", 0o666);
        node(b, EntryType::Fifo, "pipe", 0o600);
        file(b, "bin/tool2", "old");
        file(b, "bin/tool2", "new");
    });
    let (dir, result) = unpacked(&archive);
    assert_eq!(result.unwrap().inodes, 8);
    let at = |name: &str| dir.path().join("fs").join(name);
    let tool = fs::metadata(at("bin/tool")).unwrap();
    assert_eq!(
        (tool.uid(), tool.gid(), tool.mode() & 0o7777),
        (7, 8, 0o4755)
    );
    assert_eq!(tool.mtime(), 1_000_000);
    assert_eq!(fs::metadata(at("bin/same")).unwrap().ino(), tool.ino());
    assert_eq!(
        fs::read_link(at("bin/soft")).unwrap(),
        Path::new("/bin/tool")
    );
    let bin = fs::metadata(at("bin")).unwrap();
    assert_eq!((bin.mode() & 0o7777, bin.mtime()), (0o1777, 1_000_000));
    let null = fs::metadata(at("null")).unwrap();
    assert!(null.file_type().is_char_device());
    assert_eq!((null.rdev(), null.mode() & 0o777), (makedev(1, 3), 0o666));
    assert!(fs::metadata(at("pipe")).unwrap().file_type().is_fifo());
    assert_eq!(fs::read_to_string(at("bin/tool2")).unwrap(), "new");
}

#[test]
fn nothing_leads_out_of_the_layer() {
    if !root() {
        return;
    }
    let climbing = Archive::build(|b| file(b, "../victim", "x"));
    let climbing_link = Archive::build(|b| link(b, EntryType::Link, "x", "../victim"));
    let refused = [climbing, climbing_link];
    // These resolve inside the layer, as in the container.
    let absolute = Archive::build(|b| file(b, "/victim", "inside"));
    let through_link = Archive::build(|b| {
        link(b, EntryType::Symlink, "out", "../..");
        file(b, "out/victim", "inside");
    });
    let over_link = Archive::build(|b| {
        link(b, EntryType::Symlink, "victim", "../victim");
        file(b, "victim", "inside");
    });
    let contained = [absolute, through_link, over_link];
    for (at, archive) in refused.iter().enumerate() {
        let (dir, result) = unpacked(archive);
        assert!(result.is_err(), "{at}");
        assert_eq!(
            fs::read_to_string(dir.path().join("victim")).unwrap(),
            "untouched"
        );
    }
    for (at, archive) in contained.iter().enumerate() {
        let (dir, result) = unpacked(archive);
        result.unwrap_or_else(|error| panic!("{at}: {error}"));
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read("victim"), "untouched", "{at}");
        assert_eq!(read("fs/victim"), "inside", "{at}");
    }
    // A hard link to a symbolic link outside links the link.
    let archive = Archive::build(|b| {
        link(b, EntryType::Symlink, "soft", "../victim");
        link(b, EntryType::Link, "hard", "soft");
    });
    let (dir, result) = unpacked(&archive);
    result.unwrap();
    let hard = fs::symlink_metadata(dir.path().join("fs/hard")).unwrap();
    assert!(hard.is_symlink());
}

#[test]
fn whiteouts_become_overlays_own() {
    if !root() {
        return;
    }
    let archive = Archive::build(|b| {
        file(b, "etc/.wh.gone", "");
        file(b, "var/.wh..wh..opq", "");
        file(b, "opt/.wh.app", "");
        node(b, EntryType::Directory, "opt/app/", 0o755);
        file(b, "srv/here", "x");
        file(b, "srv/.wh.here", "");
    });
    let (dir, result) = unpacked(&archive);
    result.unwrap();
    let at = |name: &str| dir.path().join("fs").join(name);
    let gone = fs::symlink_metadata(at("etc/gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    let opaque = |name: &str| {
        let mut value = [0; 8];
        rustix::fs::getxattr(at(name), "trusted.overlay.opaque", &mut value[..])
            .is_ok_and(|length| &value[..length] == b"y")
    };
    assert!(opaque("var") && opaque("opt/app") && !opaque("etc"));
    assert!(fs::metadata(at("srv/here")).unwrap().is_file());
    for bad in ["x/.wh.", "x/.wh..", "x/.wh..."] {
        let (_dir, result) = unpacked(&Archive::build(|b| file(b, bad, "")));
        assert!(result.is_err(), "{bad}");
    }
}

#[test]
fn attributes_are_kept_but_for_overlays() {
    if !root() {
        return;
    }
    let archive = Archive::build(|b| {
        let attributes = [
            ("SCHILY.xattr.user.note", &b"kept"[..]),
            ("SCHILY.xattr.trusted.overlay.redirect", b"/elsewhere"),
        ];
        b.append_pax_extensions(attributes).unwrap();
        file(b, "f", "x");
    });
    let (dir, result) = unpacked(&archive);
    result.unwrap();
    let path = dir.path().join("fs/f");
    let mut value = [0; 16];
    let length = rustix::fs::getxattr(&path, "user.note", &mut value[..]).unwrap();
    assert_eq!(&value[..length], b"kept");
    assert!(rustix::fs::getxattr(&path, "trusted.overlay.redirect", &mut value[..]).is_err());
}

#[test]
fn a_directory_that_is_only_implied_is_like_the_one_below() {
    if !root() {
        return;
    }
    let below = tempfile::tempdir().unwrap();
    fs::create_dir(below.path().join("tmp")).unwrap();
    let mode = fs::Permissions::from_mode(0o1777);
    fs::set_permissions(below.path().join("tmp"), mode).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let archive = Archive::build(|b| file(b, "tmp/new/f", "x"));
    let parents = [below.path().to_owned()];
    unpack(&archive[..], dir.path(), &parents, Limits::default()).unwrap();
    let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().mode() & 0o7777;
    assert_eq!((mode("tmp"), mode("tmp/new")), (0o1777, 0o755));
}

#[test]
fn a_layer_that_is_too_large_is_refused() {
    if !root() {
        return;
    }
    let archive = Archive::build(|b| {
        file(b, "a", "12345");
        file(b, "b", "12345");
    });
    let limits = |bytes, entries| Limits { bytes, entries };
    for (limits, fits) in [
        (limits(10, 2), true),
        (limits(9, 2), false),
        (limits(10, 1), false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let result = unpack(&archive[..], dir.path(), &[], limits);
        assert_eq!(result.is_ok(), fits, "{limits:?}");
    }
}
