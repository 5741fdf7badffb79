//! The authenticators in order, and what a request is when none of them knows it.

use crate::{Authenticator, Credentials, Identity, Rejection};
use futures::future::BoxFuture;
use model::user::{ALL_AUTHENTICATED, ALL_UNAUTHENTICATED, ANONYMOUS, UserInfo};
use std::sync::Arc;

/// The chain of authenticators. As upstream's union: the first link that knows the credentials
/// decides, a link that rejects them does not keep later links from accepting others that came
/// with the same request (a stale certificate beside a good token). A request whose credentials
/// nobody accepts is refused, never treated as anonymous; one without credentials is anonymous,
/// if that is allowed.
pub struct Chain {
    links: Vec<Arc<dyn Authenticator>>,
    anonymous: bool,
}

impl Chain {
    /// A chain of the given links, with or without anonymous access.
    pub fn new(links: Vec<Arc<dyn Authenticator>>, anonymous: bool) -> Self {
        Self { links, anonymous }
    }

    /// Who sent the request: every identity is in `system:authenticated` or, if anonymous, in
    /// `system:unauthenticated`. The error is a 401.
    pub async fn identify(&self, credentials: &Credentials<'_>) -> Result<Identity, Rejection> {
        let mut rejections: Vec<String> = Vec::new();
        for link in &self.links {
            match link.authenticate(credentials).await {
                Ok(Some(mut identity)) => {
                    // The unauthenticated group is added here and nowhere else.
                    if !identity.user.in_group(ALL_AUTHENTICATED)
                        && !identity.user.in_group(ALL_UNAUTHENTICATED)
                    {
                        identity.user.groups.push(ALL_AUTHENTICATED.to_owned());
                    }
                    return Ok(identity);
                }
                Ok(None) => {}
                Err(Rejection(why)) => rejections.push(why),
            }
        }
        if !rejections.is_empty() {
            return Err(Rejection(rejections.join("; ")));
        }
        if credentials.bearer.is_some() || !credentials.certificates.is_empty() {
            return Err(Rejection(
                "no authenticator knows these credentials".to_owned(),
            ));
        }
        if !self.anonymous {
            return Err(Rejection("no credentials".to_owned()));
        }
        Ok(Identity {
            user: UserInfo::new(ANONYMOUS, [ALL_UNAUTHENTICATED]),
            audiences: Vec::new(),
        })
    }
}

impl Authenticator for Chain {
    fn authenticate<'a>(
        &'a self,
        credentials: &'a Credentials<'a>,
    ) -> BoxFuture<'a, Result<Option<Identity>, Rejection>> {
        Box::pin(async move { self.identify(credentials).await.map(Some) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use rustls::pki_types::CertificateDer;

    enum Answer {
        Accept(&'static str),
        Pass,
        Reject(&'static str),
    }

    struct Link(Answer);

    impl Authenticator for Link {
        fn authenticate<'a>(
            &'a self,
            _: &'a Credentials<'a>,
        ) -> BoxFuture<'a, Result<Option<Identity>, Rejection>> {
            let answer = match self.0 {
                Answer::Accept(name) => Ok(Some(Identity {
                    user: UserInfo::new(name, ["g"]),
                    audiences: vec![],
                })),
                Answer::Pass => Ok(None),
                Answer::Reject(why) => Err(Rejection(why.to_owned())),
            };
            Box::pin(std::future::ready(answer))
        }
    }

    #[test]
    fn the_first_link_that_knows_decides() {
        use Answer::{Accept, Pass, Reject};
        let certificate = [CertificateDer::from(vec![1])];
        let some = Credentials {
            bearer: Some("t"),
            ..Credentials::default()
        };
        let certified = Credentials {
            certificates: &certificate,
            ..Credentials::default()
        };
        let none = Credentials::default();
        type Case<'a> = (
            Vec<Answer>,
            bool,
            Credentials<'a>,
            Result<(&'a str, Vec<&'a str>), &'a str>,
        );
        let cases: Vec<Case<'_>> = vec![
            (
                vec![Pass, Accept("a"), Accept("b")],
                true,
                some,
                Ok(("a", vec!["g", ALL_AUTHENTICATED])),
            ),
            (
                vec![Reject("x"), Accept("b")],
                true,
                some,
                Ok(("b", vec!["g", ALL_AUTHENTICATED])),
            ),
            (vec![Reject("x"), Reject("y")], true, some, Err("x; y")),
            (
                vec![Pass],
                true,
                some,
                Err("no authenticator knows these credentials"),
            ),
            (
                vec![],
                true,
                certified,
                Err("no authenticator knows these credentials"),
            ),
            (
                vec![Pass],
                true,
                none,
                Ok((ANONYMOUS, vec![ALL_UNAUTHENTICATED])),
            ),
            (vec![Pass], false, none, Err("no credentials")),
        ];
        for (index, (links, anonymous, credentials, expected)) in cases.into_iter().enumerate() {
            let links = links
                .into_iter()
                .map(|a| Arc::new(Link(a)) as Arc<dyn Authenticator>)
                .collect();
            let found = block_on(Chain::new(links, anonymous).identify(&credentials));
            let found = found
                .as_ref()
                .map(|i| {
                    let groups = i.user.groups.iter().map(String::as_str).collect();
                    (i.user.name.as_str(), groups)
                })
                .map_err(|r| r.0.as_str());
            assert_eq!(found, expected, "case {index}");
        }
    }
}
