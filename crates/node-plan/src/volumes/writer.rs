//! How the files of a volume are written so that a reader sees all of the old ones or all of the
//! new ones: they live in a directory with a name of its own, `..data` links to it, and what the
//! container sees are links into `..data`. An update makes a new directory and swaps `..data` by
//! renaming a link over it.

use super::ownership::{self, Node};
use super::payload::Payload;
use std::collections::BTreeSet;
use thiserror::Error;

/// The link that is swapped.
const DATA: &str = "..data";
/// The link that is renamed over it.
const NEW_DATA: &str = "..data_tmp";
/// The longest path, in bytes.
const MAX_PATH: usize = 4096;
/// The longest name of a file, in bytes.
const MAX_NAME: usize = 255;

/// Why a file cannot have its path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PathError {
    /// It has none.
    #[error("invalid path: must not be empty: \"\"")]
    Empty,
    /// It starts at the root.
    #[error("invalid path: must be relative path: {0}")]
    Absolute(String),
    /// It is too long.
    #[error("invalid path: must be less than or equal to {MAX_PATH} characters")]
    Long,
    /// It leads out of the volume.
    #[error("invalid path: must not contain '..': {0}")]
    Backsteps(String),
    /// One of its names is too long.
    #[error("invalid path: filenames must be less than or equal to {MAX_NAME} characters")]
    LongName,
    /// It starts like the names that the writer keeps for itself.
    #[error("invalid path: must not start with '..': {0}")]
    Reserved(String),
}

/// Whether a file of a volume may have the path.
pub(super) fn check_path(path: &str) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if path.starts_with('/') {
        return Err(PathError::Absolute(path.to_owned()));
    }
    if path.len() > MAX_PATH {
        return Err(PathError::Long);
    }
    for name in path.split('/') {
        if name == ".." {
            return Err(PathError::Backsteps(path.to_owned()));
        }
        if name.len() > MAX_NAME {
            return Err(PathError::LongName);
        }
    }
    if path.starts_with("..") {
        return Err(PathError::Reserved(path.to_owned()));
    }
    Ok(())
}

/// One step; every path is relative to the volume's directory. Owners are user and group; `None`
/// is root's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Makes a directory.
    Directory {
        /// Its path; `""` is the volume itself, which is there and only given its permissions.
        path: String,
        /// Its permissions.
        mode: u32,
        /// Its group.
        group: Option<u32>,
    },
    /// Makes a file.
    File {
        /// Its path.
        path: String,
        /// What is in it.
        data: Vec<u8>,
        /// Its permissions, to be set whatever the process's file mode mask is.
        mode: u32,
        /// Its owner.
        user: Option<u32>,
        /// Its group.
        group: Option<u32>,
    },
    /// Makes a symbolic link; one that is there with that target stays.
    Link {
        /// Its path.
        path: String,
        /// What it points to.
        target: String,
        /// Its group.
        group: Option<u32>,
    },
    /// Renames, over what is there.
    Rename {
        /// From.
        from: String,
        /// To.
        to: String,
    },
    /// Removes a link.
    Unlink {
        /// Its path.
        path: String,
    },
    /// Removes a directory and all that is in it.
    RemoveAll {
        /// Its path.
        path: String,
    },
}

/// What is in the volume already.
#[derive(Debug, Clone, Copy)]
pub struct Present<'a> {
    /// The directory that `..data` links to.
    pub directory: &'a str,
    /// The files in it.
    pub payload: &'a Payload,
}

/// The name of the directory of a version of the files: kubelet's layout of a UTC time
/// (`..2006_01_02_15_04_05.`) and a number that makes it unique.
pub fn directory_name(now: jiff::Timestamp, unique: u64) -> String {
    format!("{}.{unique}", now.strftime("..%Y_%m_%d_%H_%M_%S"))
}

/// The steps that bring a volume to a payload, in order; none if it is there already. `directory`
/// is the name that the new version's directory gets, `group` the pod's `fsGroup`. Paths of the
/// payload have been checked when the volume was made.
pub fn steps(
    payload: &Payload,
    group: Option<u32>,
    directory: &str,
    present: Option<Present<'_>>,
) -> Vec<Step> {
    if present.is_some_and(|present| present.payload == payload) {
        return Vec::new();
    }
    let directory_mode = |mode| match group {
        Some(_) => ownership::mode(Node::Directory, mode, true).unwrap_or(mode),
        None => mode,
    };
    let mut steps = vec![Step::Directory {
        path: directory.to_owned(),
        mode: directory_mode(0o755),
        group,
    }];
    let mut made = BTreeSet::new();
    for (path, file) in payload {
        let path = clean(path);
        for parent in parents(&path) {
            if made.insert(parent.to_owned()) {
                steps.push(Step::Directory {
                    path: format!("{directory}/{parent}"),
                    mode: directory_mode(0o755),
                    group,
                });
            }
        }
        steps.push(Step::File {
            path: format!("{directory}/{path}"),
            data: file.data.clone(),
            mode: match group {
                Some(_) => ownership::mode(Node::File, file.mode, true).unwrap_or(file.mode),
                None => file.mode,
            },
            user: file.user,
            group,
        });
    }
    if present.is_none() {
        steps.push(Step::Directory {
            path: String::new(),
            mode: directory_mode(0o777),
            group,
        });
    }
    let link = |path: &str, target: String| Step::Link {
        path: path.to_owned(),
        target,
        group,
    };
    steps.push(link(NEW_DATA, directory.to_owned()));
    steps.push(Step::Rename {
        from: NEW_DATA.to_owned(),
        to: DATA.to_owned(),
    });
    let now = visible(payload);
    for name in &now {
        steps.push(link(name, format!("{DATA}/{name}")));
    }
    if let Some(present) = present {
        for path in visible(present.payload).difference(&now).cloned() {
            steps.push(Step::Unlink { path });
        }
        steps.push(Step::RemoveAll {
            path: present.directory.to_owned(),
        });
    }
    steps
}

/// The names that a container sees at the top of the volume.
fn visible(payload: &Payload) -> BTreeSet<String> {
    payload
        .keys()
        .filter_map(|path| clean(path).split('/').next().map(str::to_owned))
        .collect()
}

/// A path without empty elements and `.`.
fn clean(path: &str) -> String {
    let elements: Vec<&str> = path
        .split('/')
        .filter(|element| !matches!(*element, "" | "."))
        .collect();
    elements.join("/")
}

/// The directories that a file is in, the outermost first.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at))
}

#[cfg(test)]
mod tests {
    use super::super::payload::File;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A directory tree that carries out steps: what is at each path.
    #[derive(Debug, Default, PartialEq, Clone)]
    struct Tree(BTreeMap<String, Entry>);

    #[derive(Debug, PartialEq, Clone)]
    enum Entry {
        Directory,
        File(Vec<u8>, u32),
        Link(String),
    }

    impl Tree {
        fn carry_out(&mut self, step: &Step) {
            let parent = |path: &str| {
                path.rsplit_once('/')
                    .is_none_or(|(parent, _)| self.0.get(parent) == Some(&Entry::Directory))
            };
            match step {
                Step::Directory { path, .. } if path.is_empty() => {}
                Step::Directory { path, .. } => {
                    assert!(parent(path), "{path}");
                    assert!(self.0.insert(path.clone(), Entry::Directory).is_none());
                }
                Step::File {
                    path, data, mode, ..
                } => {
                    assert!(parent(path), "{path}");
                    let file = Entry::File(data.clone(), *mode);
                    assert!(self.0.insert(path.clone(), file).is_none(), "{path}");
                }
                Step::Link { path, target, .. } => {
                    let link = Entry::Link(target.clone());
                    let old = self.0.insert(path.clone(), link.clone());
                    assert!(old.is_none_or(|old| old == link));
                }
                Step::Rename { from, to } => {
                    let entry = self.0.remove(from).unwrap();
                    self.0.insert(to.clone(), entry);
                }
                Step::Unlink { path } => {
                    assert!(matches!(self.0.remove(path), Some(Entry::Link(_))));
                }
                Step::RemoveAll { path } => {
                    self.0
                        .retain(|at, _| at != path && !at.starts_with(&format!("{path}/")));
                }
            }
        }

        /// The file that a container reads at a path.
        fn read(&self, path: &str) -> Option<&Vec<u8>> {
            let (first, rest) = path.split_once('/').unwrap_or((path, ""));
            let Entry::Link(target) = self.0.get(first)? else {
                return None;
            };
            let Entry::Link(data) = self.0.get("..data")? else {
                return None;
            };
            let inside = target.replacen("..data", data, 1);
            let path = if rest.is_empty() {
                inside
            } else {
                format!("{inside}/{rest}")
            };
            match self.0.get(&path)? {
                Entry::File(data, _) => Some(data),
                _ => None,
            }
        }
    }

    fn payload(files: &[(&str, &str)]) -> Payload {
        files
            .iter()
            .map(|(path, data)| {
                let file = File {
                    data: data.as_bytes().to_vec(),
                    mode: 0o644,
                    user: None,
                };
                ((*path).to_owned(), file)
            })
            .collect()
    }

    #[test]
    fn the_first_version() {
        let steps = steps(&payload(&[("a/b", "1"), ("c", "2")]), Some(7), "..v1", None);
        let dir = |path: &str, mode| Step::Directory {
            path: path.to_owned(),
            mode,
            group: Some(7),
        };
        let file = |path: &str, data: &str| Step::File {
            path: path.to_owned(),
            data: data.as_bytes().to_vec(),
            mode: 0o644,
            user: None,
            group: Some(7),
        };
        let link = |path: &str, target: &str| Step::Link {
            path: path.to_owned(),
            target: target.to_owned(),
            group: Some(7),
        };
        assert_eq!(
            steps,
            [
                dir("..v1", 0o2755),
                dir("..v1/a", 0o2755),
                file("..v1/a/b", "1"),
                file("..v1/c", "2"),
                dir("", 0o2777),
                link("..data_tmp", "..v1"),
                Step::Rename {
                    from: "..data_tmp".to_owned(),
                    to: "..data".to_owned()
                },
                link("a", "..data/a"),
                link("c", "..data/c"),
            ]
        );
    }

    #[test]
    fn names_are_times() {
        let now: jiff::Timestamp = "2016-02-01T15:04:05.9Z".parse().unwrap();
        assert_eq!(directory_name(now, 1234), "..2016_02_01_15_04_05.1234");
    }

    #[test]
    fn paths_that_files_cannot_have() {
        for (path, want) in [
            ("", "must not be empty: \"\""),
            ("/a", "must be relative path: /a"),
            ("a/../b", "must not contain '..': a/../b"),
            ("..", "must not contain '..': .."),
            ("..a", "must not start with '..': ..a"),
            (
                &"a".repeat(256),
                "filenames must be less than or equal to 255 characters",
            ),
            (
                &"a/".repeat(2049),
                "must be less than or equal to 4096 characters",
            ),
        ] {
            let error = check_path(path).unwrap_err();
            assert_eq!(error.to_string(), format!("invalid path: {want}"));
        }
        assert_eq!(check_path("a/..b"), Ok(()));
        assert_eq!(check_path("..a").is_ok(), check_path("..data/x").is_ok());
    }

    fn payloads() -> impl Strategy<Value = Payload> {
        // Files and directories never share a name: files are lower case, directories upper case.
        let path = "([A-B]/){0,2}[a-c]";
        proptest::collection::btree_map(path, "[0-9]{0,2}", 0..5).prop_map(|files| {
            let files: Vec<(&str, &str)> = files
                .iter()
                .map(|(path, data)| (path.as_str(), data.as_str()))
                .collect();
            payload(&files)
        })
    }

    proptest! {
        /// After every update exactly the new files are seen, nothing of the old is left, and at
        /// each moment in between the files are those of one version.
        #[test]
        fn updates_are_whole_and_leave_nothing_behind(versions in proptest::collection::vec(payloads(), 1..4)) {
            let mut tree = Tree::default();
            let mut present: Option<(String, Payload)> = None;
            for (i, version) in versions.iter().enumerate() {
                let name = format!("..v{i}");
                let old = present.as_ref().map(|(directory, payload)| Present { directory, payload });
                let steps = steps(version, None, &name, old);
                let mut swapped = steps.is_empty();
                for step in &steps {
                    tree.carry_out(step);
                    swapped |= matches!(step, Step::Rename { .. });
                    if let (false, Some((_, old))) = (swapped, &present) {
                        for (path, file) in old {
                            prop_assert_eq!(tree.read(path), Some(&file.data));
                        }
                    }
                }
                for (path, file) in version {
                    prop_assert_eq!(tree.read(path), Some(&file.data));
                }
                let files = tree.0.values().filter(|entry| matches!(entry, Entry::File(..))).count();
                prop_assert_eq!(files, version.len());
                let links = tree.0.values().filter(|entry| matches!(entry, Entry::Link(_))).count();
                prop_assert_eq!(links, visible(version).len() + 1);
                if !steps.is_empty() {
                    present = Some((name, version.clone()));
                }
            }
        }
    }
}
