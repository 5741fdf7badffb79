//! What `fsGroup` does to the files of a volume.

/// What a path is, for its share of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A directory, whose new files are the group's too.
    Directory,
    /// A file, device or socket.
    File,
    /// A symbolic link, which has an owner but no permissions of its own.
    Link,
}

/// The permissions of a path (with its set-group-ID bit) once its group is `fsGroup`: the group
/// reads, and writes unless the volume is read-only; `None` leaves them.
pub fn mode(node: Node, mode: u32, read_only: bool) -> Option<u32> {
    let share = if read_only { 0o440 } else { 0o660 };
    match node {
        Node::Directory => Some(mode | share | 0o2110),
        Node::File => Some(mode | share),
        Node::Link => None,
    }
}

/// Whether a volume whose root directory has this group and these permissions is as
/// `fsGroupChangePolicy: OnRootMismatch` wants it, so that nothing beneath is looked at.
pub fn root_matches(group: u32, mode: u32, fs_group: u32, read_only: bool) -> bool {
    let wanted = 0o2110 | if read_only { 0o440 } else { 0o660 };
    group == fs_group && mode & wanted == wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_group_gets_its_share() {
        for (node, before, read_only, after) in [
            (Node::File, 0o600, true, Some(0o640)),
            (Node::File, 0o400, false, Some(0o660)),
            (Node::Directory, 0o755, true, Some(0o2755)),
            (Node::Directory, 0o777, false, Some(0o2777)),
            (Node::Link, 0o777, false, None),
        ] {
            assert_eq!(mode(node, before, read_only), after, "{node:?} {before:o}");
        }
    }

    proptest! {
        #[test]
        fn a_root_that_was_changed_matches(before in 0u32..0o7777, read_only: bool) {
            let after = mode(Node::Directory, before, read_only).unwrap();
            prop_assert!(root_matches(5, after, 5, read_only));
            prop_assert!(!root_matches(6, after, 5, read_only));
        }
    }
}
