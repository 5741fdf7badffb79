//! Acting as somebody else: the `Impersonate-*` headers, each of which the user must be allowed
//! to use.

use crate::authorization::{Authorizer, require};
use crate::query::decode;
use http::HeaderMap;
use model::status::Status;
use model::user::{ALL_AUTHENTICATED, ALL_UNAUTHENTICATED, ANONYMOUS, SERVICE_ACCOUNTS, UserInfo};
use rbac::Attributes;

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";
const AUTHENTICATION: &str = "authentication.k8s.io";

/// The user that the headers ask for, if they do and `user` may.
pub fn impersonate(
    user: &UserInfo,
    headers: &HeaderMap,
    authorizer: &dyn Authorizer,
) -> Result<Option<UserInfo>, Status> {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    };
    let asked = headers
        .keys()
        .any(|name| name.as_str().starts_with("impersonate-"));
    if !asked {
        return Ok(None);
    }
    let mut target = UserInfo {
        name: text(USER).to_owned(),
        uid: text(UID).to_owned(),
        groups: headers
            .get_all(GROUP)
            .iter()
            .filter_map(|v| v.to_str().ok().map(str::to_owned))
            .collect(),
        ..UserInfo::default()
    };
    for (name, value) in headers {
        let Some(key) = name.as_str().strip_prefix(EXTRA) else {
            continue;
        };
        let values = target.extra.entry(decode(key, false)).or_default();
        values.extend(value.to_str().ok().map(str::to_owned));
    }
    if target.name.is_empty() {
        let other = !target.groups.is_empty() || !target.uid.is_empty() || !target.extra.is_empty();
        return if other {
            Err(Status::internal(
                "requested to impersonate a group, uid or extra without impersonating a user",
            ))
        } else {
            Ok(None)
        };
    }
    authorize(user, &target, authorizer)?;
    complete(&mut target);
    Ok(Some(target))
}

fn authorize(
    user: &UserInfo,
    target: &UserInfo,
    authorizer: &dyn Authorizer,
) -> Result<(), Status> {
    let ask = |group: &str, resource: &str, subresource: &str, namespace: &str, name: &str| {
        let question = Attributes {
            user,
            verb: "impersonate",
            group,
            version: if group.is_empty() { "" } else { "v1" },
            resource,
            subresource,
            namespace,
            name,
            path: "",
            field_selector: None,
        };
        require(authorizer, &question).map(drop)
    };
    match target.service_account() {
        Some((namespace, name)) => ask("", "serviceaccounts", "", namespace, name)?,
        None => ask("", "users", "", "", &target.name)?,
    }
    for group in &target.groups {
        ask("", "groups", "", "", group)?;
    }
    for (key, values) in &target.extra {
        for value in values {
            ask(AUTHENTICATION, "userextras", key, "", value)?;
        }
    }
    if !target.uid.is_empty() {
        ask(AUTHENTICATION, "uids", "", "", &target.uid)?;
    }
    Ok(())
}

/// Adds the groups that the user would have had by authenticating.
fn complete(target: &mut UserInfo) {
    if let Some((namespace, _)) = target.service_account() {
        let own = format!("{SERVICE_ACCOUNTS}:{namespace}");
        if target.groups.is_empty() {
            target.groups = vec![SERVICE_ACCOUNTS.to_owned(), own];
        }
    }
    if target.name == ANONYMOUS {
        if !target.in_group(ALL_UNAUTHENTICATED) {
            target.groups.push(ALL_UNAUTHENTICATED.to_owned());
        }
    } else if !target.in_group(ALL_AUTHENTICATED) && !target.in_group(ALL_UNAUTHENTICATED) {
        target.groups.push(ALL_AUTHENTICATED.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};
    use rbac::Decision;

    /// Allows impersonation of what starts with `ok` or `system:serviceaccount`.
    struct Some;
    impl Authorizer for Some {}
    impl rbac::Authorizer for Some {
        fn authorize(&self, a: &Attributes<'_>) -> Decision {
            let allowed = a.verb == "impersonate"
                && (a.name.starts_with("ok") || a.resource == "serviceaccounts");
            if allowed {
                Decision::allow("")
            } else {
                Decision::no_opinion("")
            }
        }
    }

    fn run(headers: &[(&str, &str)]) -> Result<Option<UserInfo>, Status> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        impersonate(&UserInfo::new("jane", ["dev"]), &map, &Some)
    }

    #[test]
    fn every_part_must_be_allowed() {
        assert_eq!(run(&[]).unwrap(), None);
        let user = run(&[
            ("Impersonate-User", "ok-1"),
            ("Impersonate-Group", "ok-2"),
            ("Impersonate-Extra-Scopes%2fx", "ok-3"),
            ("Impersonate-Uid", "ok-4"),
        ])
        .unwrap()
        .unwrap();
        assert_eq!(user.name, "ok-1");
        assert_eq!(user.groups, ["ok-2", ALL_AUTHENTICATED]);
        assert_eq!(user.extra["scopes/x"], ["ok-3"]);
        assert_eq!(user.uid, "ok-4");
        for (name, refused) in [
            ("Impersonate-Group", "groups \"no\""),
            ("Impersonate-Uid", "uids.authentication.k8s.io \"no\""),
            (
                "Impersonate-Extra-a",
                "userextras.authentication.k8s.io \"no\"",
            ),
        ] {
            let status = run(&[("Impersonate-User", "ok"), (name, "no")]).unwrap_err();
            assert_eq!(status.code, 403);
            assert!(status.message.starts_with(refused), "{}", status.message);
        }
        let status = run(&[("Impersonate-User", "no")]).unwrap_err();
        assert_eq!(
            status.message,
            "users \"no\" is forbidden: User \"jane\" cannot impersonate resource \"users\" in \
             API group \"\" at the cluster scope"
        );
        assert_eq!(run(&[("Impersonate-Group", "ok")]).unwrap_err().code, 500);
    }

    #[test]
    fn groups_are_completed() {
        let user = run(&[("Impersonate-User", "system:serviceaccount:a:b")])
            .unwrap()
            .unwrap();
        assert_eq!(
            user.groups,
            [
                "system:serviceaccounts",
                "system:serviceaccounts:a",
                ALL_AUTHENTICATED
            ]
        );
    }
}
