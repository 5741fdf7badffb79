//! Claims and their volumes: who is bound to whom, who is protected, and the claims of ephemeral
//! volumes.
//!
//! Each decision is one write at a time. What is asked about an object says the next write that it
//! needs (and what people should be told); with the object as it was written, the same question is
//! asked again until nothing is left to do. So nothing has to be remembered between writes, and
//! a half-made binding is finished by whoever looks at it next.

mod claim;
mod ephemeral;
mod plugins;
mod protection;
mod usage;
mod volume;

pub use protection::{CLAIM_FINALIZER, VOLUME_FINALIZER};
pub use usage::PodUse;

use crate::{Action, Target};
use model::{Value, meta};
use scheduling::{Claim, Volume};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Namespace and name.
pub type Key = (String, String);

/// What is known of the objects that the decisions are about.
#[derive(Debug, Default)]
pub struct Storage {
    claims: BTreeMap<Key, Kept<Claim>>,
    volumes: BTreeMap<String, Kept<Volume>>,
    classes: BTreeMap<String, Class>,
    pods: BTreeMap<Key, PodUse>,
}

/// An object and what was read from it.
#[derive(Debug)]
struct Kept<T> {
    value: Value,
    view: T,
}

/// A storage class.
#[derive(Debug)]
struct Class {
    provisioner: String,
    waits: bool,
    is_default: bool,
    made: String,
}

/// What is to be done about an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Nothing more.
    Done,
    /// This write; then ask again, with what was written.
    Write(Action),
    /// The claim's turn.
    Claim(Key),
    /// Nobody has seen this claim: make sure that it is not there, then ask again.
    Confirm(Key),
}

/// Something to tell people, as an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// The object that it is about.
    pub about: Value,
    /// Whether it is something to look at.
    pub is_warning: bool,
    /// The event's reason.
    pub reason: &'static str,
    /// The event's text.
    pub message: String,
}

/// A decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What comes next.
    pub next: Next,
    /// What is told, if that succeeds.
    pub notes: Vec<Note>,
}

impl Outcome {
    fn done() -> Self {
        Self {
            next: Next::Done,
            notes: Vec::new(),
        }
    }

    fn write(action: Action) -> Self {
        Self {
            next: Next::Write(action),
            notes: Vec::new(),
        }
    }

    /// A write, if there is one to do.
    fn maybe(action: Option<Action>) -> Self {
        action.map_or_else(Self::done, Self::write)
    }

    fn telling(
        mut self,
        about: &Value,
        is_warning: bool,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        self.notes.push(Note {
            about: about.clone(),
            is_warning,
            reason,
            message: message.into(),
        });
        self
    }
}

fn key(object: &Value) -> Key {
    let namespace = meta::namespace(object).to_owned();
    (namespace, meta::name(object).to_owned())
}

impl Storage {
    /// A claim appeared or changed. One that is older than what is known is passed over.
    pub fn set_claim(&mut self, claim: Value) {
        let view = Claim::of(&claim);
        let key = key(&claim);
        let is_older =
            |known: &Kept<Claim>| known.view.uid != view.uid || known.view.version <= view.version;
        if self.claims.get(&key).is_none_or(is_older) {
            self.claims.insert(key, Kept { value: claim, view });
        }
    }

    /// A claim is gone. Says which volume it had; empty if none.
    pub fn remove_claim(&mut self, key: &Key) -> String {
        let gone = self.claims.remove(key);
        gone.map(|claim| claim.view.volume).unwrap_or_default()
    }

    /// A volume appeared or changed. One that is older than what is known is passed over.
    pub fn set_volume(&mut self, volume: Value) {
        let view = Volume::of(&volume);
        let name = meta::name(&volume).to_owned();
        let is_older = |known: &Kept<Volume>| known.view.version <= view.version;
        if self.volumes.get(&name).is_none_or(is_older) {
            let kept = Kept {
                value: volume,
                view,
            };
            self.volumes.insert(name, kept);
        }
    }

    /// A volume is gone. Says which claim it was bound or promised to.
    pub fn remove_volume(&mut self, name: &str) -> Option<Key> {
        let promise = self.volumes.remove(name)?.view.promise?;
        Some((promise.namespace, promise.name))
    }

    /// A storage class appeared or changed.
    pub fn set_class(&mut self, class: &Value) {
        let annotations = meta::annotations(class);
        let marks = [
            "storageclass.kubernetes.io/is-default-class",
            "storageclass.beta.kubernetes.io/is-default-class",
        ];
        let read = Class {
            provisioner: meta::text(class, &["provisioner"]).to_owned(),
            waits: meta::text(class, &["volumeBindingMode"]) == "WaitForFirstConsumer",
            is_default: marks
                .iter()
                .any(|mark| annotations.get(mark) == Some(&"true")),
            made: meta::text(class, &["metadata", "creationTimestamp"]).to_owned(),
        };
        self.classes.insert(meta::name(class).to_owned(), read);
    }

    /// A storage class is gone.
    pub fn remove_class(&mut self, name: &str) {
        self.classes.remove(name);
    }

    /// A pod that has claims appeared or changed.
    pub fn set_pod(&mut self, pod: PodUse) {
        self.pods.insert(pod.key.clone(), pod);
    }

    /// A pod is gone.
    pub fn remove_pod(&mut self, key: &Key) -> Option<PodUse> {
        self.pods.remove(key)
    }

    /// The pod of a name, if it has claims.
    pub fn pod(&self, key: &Key) -> Option<&PodUse> {
        self.pods.get(key)
    }

    /// The claims that have no volume for good.
    pub fn unbound(&self) -> impl Iterator<Item = &Key> {
        let claims = self.claims.iter();
        claims
            .filter(|(_, claim)| !claim.view.is_completed)
            .map(|(key, _)| key)
    }

    /// The names of all claims.
    pub fn claims(&self) -> impl Iterator<Item = &Key> {
        self.claims.keys()
    }

    /// The names of all volumes.
    pub fn volumes(&self) -> impl Iterator<Item = &String> {
        self.volumes.keys()
    }

    /// The names of all pods that have claims.
    pub fn pods(&self) -> impl Iterator<Item = &Key> {
        self.pods.keys()
    }

    /// The names of all classes.
    pub fn classes(&self) -> impl Iterator<Item = &String> {
        self.classes.keys()
    }

    /// The pods whose ephemeral volume the claim of a name is.
    pub fn makers(&self, key: &Key) -> Vec<Key> {
        let from = (key.0.clone(), String::new());
        let here = self.pods.range(from..);
        here.take_while(|((namespace, _), _)| *namespace == key.0)
            .filter(|(_, pod)| {
                pod.claims
                    .iter()
                    .any(|(name, made)| *made && *name == key.1)
            })
            .map(|(pod, _)| pod.clone())
            .collect()
    }

    /// The pods that name a claim, by a volume of its own or an ephemeral one.
    fn users(&self, claim: &Claim) -> impl Iterator<Item = &PodUse> {
        let from = (claim.namespace.clone(), String::new());
        self.pods
            .range(from..)
            .take_while(|((namespace, _), _)| *namespace == claim.namespace)
            .map(|(_, pod)| pod)
            .filter(|pod| pod.claims.iter().any(|(name, _)| *name == claim.name))
    }

    /// Of several default classes the newest, then the first by name.
    fn default_class(&self) -> Option<&str> {
        let defaults = self.classes.iter().filter(|(_, class)| class.is_default);
        let first = defaults.min_by_key(|(name, class)| (Reverse(&class.made), *name));
        first.map(|(name, _)| name.as_str())
    }
}

fn update(resource: &str, object: Value) -> Action {
    let target = Target::core(resource, meta::namespace(&object), meta::name(&object));
    Action::Update(target, object)
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    meta::at(object, &["metadata", "annotations", name]).and_then(Value::as_str)
}

fn annotate(object: &mut Value, name: &str, text: &str) {
    meta::set(object, &["metadata", "annotations", name], text);
}

fn phase(object: &Value) -> &str {
    meta::text(object, &["status", "phase"])
}
