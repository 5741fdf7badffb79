//! Whom a container runs as: numbers from the pod, or names from its image.

use std::collections::BTreeSet;
use thiserror::Error;

/// What the image says of users.
#[derive(Debug, Clone, Copy, Default)]
pub struct Image<'a> {
    /// The `User` of its configuration: `UID`, `NAME`, either with `:GROUP`, or nothing.
    pub user: &'a str,
    /// Its `/etc/passwd`; empty if it has none.
    pub passwd: &'a str,
    /// Its `/etc/group`; empty if it has none.
    pub group: &'a str,
}

/// A user of an image as kubelet knows it before the container exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ImageUser<'a> {
    /// A number.
    Id(u32),
    /// A name.
    Name(&'a str),
}

impl<'a> Image<'a> {
    /// Its user, without the group; root if it says nothing.
    pub(super) fn own_user(&self) -> ImageUser<'a> {
        let user = self.user.split(':').next().unwrap_or_default();
        match user.parse() {
            _ if user.is_empty() => ImageUser::Id(0),
            Ok(id) => ImageUser::Id(id),
            Err(_) => ImageUser::Name(user),
        }
    }
}

/// A name that the image's `/etc/passwd` does not have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unable to find user {0}: no matching entries in passwd file")]
pub struct UnknownUser(pub String);

/// The user and groups of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its user.
    pub user: u32,
    /// Its primary group.
    pub group: u32,
    /// All its groups, the primary one among them.
    pub groups: BTreeSet<u32>,
    /// The home directory that the image gives the user; `/` if it knows none.
    pub home: String,
}

/// What the pod says of groups.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    /// `runAsGroup`.
    pub(super) primary: Option<u32>,
    /// `fsGroup` and `supplementalGroups`.
    pub(super) more: BTreeSet<u32>,
    /// Whether the image's `/etc/group` is left out (`supplementalGroupsPolicy: Strict`).
    pub(super) strict: bool,
}

/// The account of a user: its primary group is what the pod says, else the one in `/etc/passwd`,
/// else root's.
pub(super) fn account(
    image: &Image<'_>,
    user: ImageUser<'_>,
    groups: Groups,
) -> Result<Account, UnknownUser> {
    let entry = image.passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?.parse::<u32>().ok()?);
        let is_it = match user {
            ImageUser::Id(wanted) => wanted == id,
            ImageUser::Name(wanted) => wanted == name,
        };
        let group = fields.next().and_then(|group| group.parse::<u32>().ok());
        is_it.then(|| {
            (
                name,
                id,
                group.unwrap_or(0),
                fields.nth(1).unwrap_or_default(),
            )
        })
    });
    let (name, id, own_group, home) = match (user, entry) {
        (_, Some((name, id, group, home))) => (Some(name), id, group, home),
        (ImageUser::Id(id), None) => (None, id, 0, ""),
        (ImageUser::Name(name), None) => return Err(UnknownUser(name.to_owned())),
    };
    let group = groups.primary.unwrap_or(own_group);
    let mut all = groups.more;
    all.insert(group);
    if !groups.strict
        && let Some(name) = name
    {
        all.extend(memberships(image.group, name));
    }
    Ok(Account {
        user: id,
        group,
        groups: all,
        home: if home.is_empty() {
            "/".to_owned()
        } else {
            home.to_owned()
        },
    })
}

/// The groups of `/etc/group` that list the user.
fn memberships(file: &str, user: &str) -> impl Iterator<Item = u32> {
    file.lines().filter_map(move |line| {
        let mut fields = line.split(':').skip(2);
        let id = fields.next()?.parse().ok()?;
        let members = fields.next().unwrap_or_default();
        members
            .split(',')
            .any(|member| member.trim() == user)
            .then_some(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102:Web:/var/www:/bin/sh\n\
                          broken\nodd:x:7\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:syslog,web\nmail:x:8:web\nx\n";

    fn image(user: &str) -> Image<'_> {
        Image {
            user,
            passwd: PASSWD,
            group: GROUP,
        }
    }

    #[test]
    fn what_images_say() {
        for (user, want) in [
            ("", ImageUser::Id(0)),
            (":5", ImageUser::Id(0)),
            ("7", ImageUser::Id(7)),
            ("7:8", ImageUser::Id(7)),
            ("web", ImageUser::Name("web")),
            ("web:adm", ImageUser::Name("web")),
        ] {
            assert_eq!(image(user).own_user(), want, "{user}");
        }
    }

    #[test]
    fn accounts() {
        let groups = |primary, more: &[u32], strict| Groups {
            primary,
            more: more.iter().copied().collect(),
            strict,
        };
        for (user, groups, want) in [
            (
                ImageUser::Id(0),
                groups(None, &[], false),
                (0, 0, vec![0], "/root"),
            ),
            (
                ImageUser::Name("web"),
                groups(None, &[], false),
                (101, 102, vec![4, 8, 102], "/var/www"),
            ),
            (
                ImageUser::Id(101),
                groups(Some(9), &[50], false),
                (101, 9, vec![4, 8, 9, 50], "/var/www"),
            ),
            (
                ImageUser::Id(101),
                groups(None, &[50], true),
                (101, 102, vec![50, 102], "/var/www"),
            ),
            (
                ImageUser::Id(999),
                groups(None, &[1], false),
                (999, 0, vec![0, 1], "/"),
            ),
            (
                ImageUser::Id(7),
                groups(None, &[], false),
                (7, 0, vec![0], "/"),
            ),
        ] {
            let account = account(&image(""), user, groups).unwrap();
            let all: Vec<u32> = account.groups.iter().copied().collect();
            assert_eq!(
                (account.user, account.group, all, account.home.as_str()),
                want
            );
        }
        let error = account(&image(""), ImageUser::Name("x"), Groups::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unable to find user x: no matching entries in passwd file"
        );
    }
}
