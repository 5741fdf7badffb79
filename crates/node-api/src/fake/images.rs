//! The stand-in for [`Images`].

use super::{Call, Record, lock};
use crate::error::{Error, Result};
use crate::image::{Credentials, Image, ImageUser, Images, Usage};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

/// Images in a registry and on the node, both given by the test.
#[derive(Debug, Default)]
pub struct FakeImages {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    record: Record,
    /// What can be pulled, by reference.
    registry: BTreeMap<String, Image>,
    /// What is here, by id.
    local: BTreeMap<String, Image>,
    users: BTreeMap<String, ImageUser>,
}

impl State {
    fn find(&self, reference: &str) -> Option<&Image> {
        self.local.values().find(|image| {
            image.id == reference
                || image.names.iter().any(|n| n == reference)
                || image.digests.iter().any(|d| d == reference)
        })
    }
}

impl FakeImages {
    /// Lets `reference` be pulled as `image`.
    pub fn publish(&self, reference: &str, image: Image) {
        lock(&self.state).registry.insert(reference.into(), image);
    }

    /// What `resolve_user` answers for a user.
    pub fn add_user(&self, user: &str, resolved: ImageUser) {
        lock(&self.state).users.insert(user.into(), resolved);
    }

    /// Makes the next call of `verb` fail.
    pub fn fail(&self, verb: &'static str, error: Error) {
        lock(&self.state).record.failures.push_back((verb, error));
    }

    /// The calls made so far.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).record.calls.clone()
    }

    fn answer<T: Send + 'static>(
        &self,
        verb: &'static str,
        subject: &str,
        act: impl FnOnce(&mut State) -> Result<T>,
    ) -> BoxFuture<'static, Result<T>> {
        let mut state = lock(&self.state);
        let result = match state.record.call(verb, subject) {
            Ok(()) => act(&mut state),
            Err(error) => Err(error),
        };
        ready(result).boxed()
    }
}

impl Images for FakeImages {
    fn pull<'a>(
        &'a self,
        reference: &'a str,
        _credentials: &'a [Credentials],
    ) -> BoxFuture<'a, Result<Image>> {
        self.answer("pull", reference, |state| {
            let image = state
                .registry
                .get(reference)
                .cloned()
                .ok_or_else(|| Error::not_found("image", reference))?;
            state.local.insert(image.id.clone(), image.clone());
            Ok(image)
        })
    }

    fn image<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<Option<Image>>> {
        self.answer("image", reference, |state| {
            Ok(state.find(reference).cloned())
        })
    }

    fn images(&self) -> BoxFuture<'_, Result<Vec<Image>>> {
        self.answer("images", "", |state| {
            Ok(state.local.values().cloned().collect())
        })
    }

    fn remove_image<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<()>> {
        self.answer("remove_image", reference, |state| {
            if let Some(id) = state.find(reference).map(|image| image.id.clone()) {
                state.local.remove(&id);
            }
            Ok(())
        })
    }

    fn import<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, Result<Vec<Image>>> {
        self.answer("import", &path.to_string_lossy(), |_| Ok(Vec::new()))
    }

    fn collect_garbage(&self) -> BoxFuture<'_, Result<u64>> {
        self.answer("collect_garbage", "", |_| Ok(0))
    }

    fn usage(&self) -> BoxFuture<'_, Result<Usage>> {
        self.answer("usage", "", |state| {
            Ok(Usage {
                bytes: state.local.values().map(|image| image.size).sum(),
                inodes: 0,
            })
        })
    }

    fn resolve_user<'a>(
        &'a self,
        image: &'a str,
        user: &'a str,
    ) -> BoxFuture<'a, Result<ImageUser>> {
        self.answer("resolve_user", image, |state| {
            state
                .users
                .get(user)
                .cloned()
                .ok_or_else(|| Error::Invalid(format!("unable to find user {user}")))
        })
    }
}
