//! Users of an image, from its own `/etc/passwd` and `/etc/group`.

use node_api::{Error, ImageUser, Result};

/// A line of `/etc/passwd` or `/etc/group`: its fields.
fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .filter(|fields| fields.len() >= 3)
}

fn number(text: Option<&&str>) -> Option<u32> {
    text?.parse().ok()
}

/// Resolves `user`, `uid`, `user:group` or `uid:gid`, as the OCI runtimes do: a number need not
/// be listed, and has group 0 then; an explicit group leaves out the groups that list the user.
pub(crate) fn resolve(user: &str, passwd: &str, group: &str) -> Result<ImageUser> {
    let (user, group_wanted) = match user.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|g| !g.is_empty())),
        None => (user, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let numeric: Option<u32> = user.parse().ok();
    let entry = lines(passwd).find(|fields| match numeric {
        Some(uid) => number(fields.get(2)) == Some(uid),
        None => fields.first() == Some(&user),
    });
    let uid = match (&entry, numeric) {
        (_, Some(uid)) => uid,
        (Some(fields), None) => number(fields.get(2))
            .ok_or_else(|| Error::Invalid(format!("user {user:?} has no number")))?,
        (None, None) => {
            return Err(Error::Invalid(format!(
                "unable to find user {user}: no matching entries in passwd file"
            )));
        }
    };
    let own = entry.as_ref().and_then(|fields| number(fields.get(3)));
    let mut resolved = ImageUser {
        uid,
        gid: own.unwrap_or(0),
        additional_gids: Vec::new(),
        listed: entry.is_some(),
    };
    if let Some(wanted) = group_wanted {
        resolved.gid = match wanted.parse() {
            Ok(gid) => gid,
            Err(_) => lines(group)
                .find(|fields| fields.first() == Some(&wanted))
                .and_then(|fields| number(fields.get(2)))
                .ok_or_else(|| {
                    Error::Invalid(format!(
                        "unable to find group {wanted}: no matching entries in group file"
                    ))
                })?,
        };
        return Ok(resolved);
    }
    if let Some(name) = entry.as_ref().and_then(|fields| fields.first()) {
        resolved.additional_gids = lines(group)
            .filter(|fields| {
                let members = fields.get(3).copied().unwrap_or_default();
                members.split(',').any(|member| member == *name)
            })
            .filter_map(|fields| number(fields.get(2)))
            .filter(|gid| *gid != resolved.gid)
            .collect();
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/:/bin/false\nbroken\n";
    const GROUP: &str = "root:x:0:\nweb:x:102:\nlog:x:7:other,web\ntty:x:5:web\n";

    #[test]
    fn names_and_numbers_resolve() {
        let cases = [
            ("", (0, 0, vec![], true)),
            ("web", (101, 102, vec![7, 5], true)),
            ("101", (101, 102, vec![7, 5], true)),
            ("4242", (4242, 0, vec![], false)),
            ("web:log", (101, 7, vec![], true)),
            ("4242:77", (4242, 77, vec![], false)),
            ("root:", (0, 0, vec![], true)),
        ];
        for (user, (uid, gid, additional_gids, listed)) in cases {
            let expected = ImageUser {
                uid,
                gid,
                additional_gids,
                listed,
            };
            assert_eq!(resolve(user, PASSWD, GROUP), Ok(expected), "{user:?}");
        }
    }

    #[test]
    fn what_the_image_does_not_know_is_an_error() {
        for user in ["nobody", "web:nogroup", "broken", "-1"] {
            assert!(resolve(user, PASSWD, GROUP).is_err(), "{user}");
        }
    }
}
