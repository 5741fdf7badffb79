//! Starts and goals, as people write them.

use super::state::{Name, State};
use super::world::World;
use model::user::{SERVICE_ACCOUNT_PREFIX, UserInfo};
use rbac::Subject;

/// What makes no sense as a start or goal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// It is not written in one of the forms.
    #[error("{0:?} is no start: write {FROM}")]
    Start(String),
    /// It is not written in one of the forms.
    #[error("{0:?} is no goal: write {TO}")]
    Goal(String),
    /// No such pod, or workload with pods, is there.
    #[error("there is no {0} among the objects")]
    NoPod(String),
}

const FROM: &str = "serviceaccount/NAMESPACE/NAME, user/NAME, group/NAME, pod/NAMESPACE/NAME, \
                    pod/* for any pod, or * for any pod and any subject";
const TO: &str = "secret/NAMESPACE/NAME, serviceaccount/NAMESPACE/NAME, node/NAME, node/*, \
                  cluster-admin, or * for whatever is worth having";

/// Where an attacker begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// As a service account.
    Account {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// As a user.
    User(String),
    /// As a member of a group.
    Group(String),
    /// In the pods of one object, of a kind in lower case.
    Pod {
        /// `pod`, `deployment`, …
        kind: String,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// In any pod.
    AnyPod,
    /// In any pod, and as any subject that is given more than every cluster gives it.
    Anything,
}

/// What an attacker wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// To know a secret.
    Secret {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// To act as a service account.
    Account {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// To be root on a node.
    Node(String),
    /// To be root on some node.
    AnyNode,
    /// To be allowed everything.
    ClusterAdmin,
    /// Everything, a namespace, a node or a secret.
    Anything,
}

impl std::str::FromStr for From {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let parts: Vec<&str> = text.splitn(3, '/').collect();
        let owned = |text: &str| text.to_owned();
        match parts.as_slice() {
            ["*"] => Ok(Self::Anything),
            ["pod" | "pods" | "po", "*"] => Ok(Self::AnyPod),
            ["user", ..] => {
                let name = text.strip_prefix("user/").unwrap_or_default();
                let as_account = UserInfo::new(name, [""; 0]);
                match as_account.service_account() {
                    Some((namespace, name)) => Ok(Self::Account {
                        namespace: owned(namespace),
                        name: owned(name),
                    }),
                    None if name.is_empty() || name.starts_with(SERVICE_ACCOUNT_PREFIX) => {
                        Err(QueryError::Start(owned(text)))
                    }
                    None => Ok(Self::User(owned(name))),
                }
            }
            ["group", ..] if text.len() > "group/".len() => {
                let name = text.strip_prefix("group/").unwrap_or_default();
                Ok(Self::Group(owned(name)))
            }
            [kind, namespace, name] if !namespace.is_empty() && !name.is_empty() => {
                let (namespace, name) = (owned(namespace), owned(name));
                match kind.to_lowercase().as_str() {
                    "serviceaccount" | "serviceaccounts" | "sa" => {
                        Ok(Self::Account { namespace, name })
                    }
                    "po" | "pods" => Ok(Self::Pod {
                        kind: owned("pod"),
                        namespace,
                        name,
                    }),
                    kind => Ok(Self::Pod {
                        kind: owned(kind),
                        namespace,
                        name,
                    }),
                }
            }
            _ => Err(QueryError::Start(owned(text))),
        }
    }
}

impl std::str::FromStr for Goal {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let parts: Vec<&str> = text.split('/').collect();
        let owned = |text: &str| text.to_owned();
        match parts.as_slice() {
            ["*"] => Ok(Self::Anything),
            ["cluster-admin"] => Ok(Self::ClusterAdmin),
            ["node" | "nodes", "*"] => Ok(Self::AnyNode),
            ["node" | "nodes", name] if !name.is_empty() => Ok(Self::Node(owned(name))),
            [kind, namespace, name] if !namespace.is_empty() && !name.is_empty() => {
                let (namespace, name) = (owned(namespace), owned(name));
                match kind.to_lowercase().as_str() {
                    "secret" | "secrets" => Ok(Self::Secret { namespace, name }),
                    "serviceaccount" | "serviceaccounts" | "sa" => {
                        Ok(Self::Account { namespace, name })
                    }
                    _ => Err(QueryError::Goal(owned(text))),
                }
            }
            _ => Err(QueryError::Goal(owned(text))),
        }
    }
}

impl std::fmt::Display for From {
    /// As it is written on the command line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Account { namespace, name } => write!(f, "serviceaccount/{namespace}/{name}"),
            Self::User(name) => write!(f, "user/{name}"),
            Self::Group(name) => write!(f, "group/{name}"),
            Self::Pod {
                kind,
                namespace,
                name,
            } => write!(f, "{kind}/{namespace}/{name}"),
            Self::AnyPod => f.write_str("pod/*"),
            Self::Anything => f.write_str("*"),
        }
    }
}

impl std::fmt::Display for Goal {
    /// As it is written on the command line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Secret { namespace, name } => write!(f, "secret/{namespace}/{name}"),
            Self::Account { namespace, name } => write!(f, "serviceaccount/{namespace}/{name}"),
            Self::Node(name) => write!(f, "node/{name}"),
            Self::AnyNode => f.write_str("node/*"),
            Self::ClusterAdmin => f.write_str("cluster-admin"),
            Self::Anything => f.write_str("*"),
        }
    }
}

impl From {
    /// The states to begin in.
    pub(crate) fn states(
        &self,
        world: &mut World<'_>,
        groups: &[String],
    ) -> Result<Vec<State>, QueryError> {
        Ok(match self {
            Self::Account { namespace, name } => {
                vec![State::Account(
                    namespace.as_str().into(),
                    name.as_str().into(),
                )]
            }
            Self::User(name) => {
                let groups = groups.iter().map(|group| Name::from(group.as_str()));
                let name = Name::from(name.as_str());
                world
                    .further_groups
                    .insert(Name::clone(&name), groups.collect());
                vec![State::User(name)]
            }
            Self::Group(name) => vec![State::Group(name.as_str().into())],
            Self::Pod {
                kind,
                namespace,
                name,
            } => {
                let found = world.snapshot.pod_templates().find(|template| {
                    let owner = template.owner;
                    owner.kind.kind.to_lowercase() == *kind
                        && owner.namespace() == namespace
                        && owner.name() == name
                });
                let id = found.and_then(|template| world.snapshot.id(template.owner));
                let missing = || QueryError::NoPod(format!("{kind}/{namespace}/{name}"));
                vec![State::Pod(id.ok_or_else(missing)?)]
            }
            Self::AnyPod => pods(world),
            Self::Anything => {
                let mut all: Vec<State> = world
                    .holdings
                    .subjects()
                    .filter(|subject| world.holdings.is_given_more(subject))
                    .map(|subject| match subject {
                        Subject::User(name) => State::User(name.as_str().into()),
                        Subject::Group(name) => State::Group(name.as_str().into()),
                        Subject::ServiceAccount { namespace, name } => {
                            State::Account(namespace.as_str().into(), name.as_str().into())
                        }
                    })
                    .collect();
                for (namespace, names) in &world.accounts {
                    let own = names.iter().map(Name::clone);
                    all.extend(own.map(|name| State::Account(Name::clone(namespace), name)));
                }
                all.extend(pods(world));
                all.sort_unstable();
                all.dedup();
                all
            }
        })
    }
}

fn pods(world: &World<'_>) -> Vec<State> {
    let pods = world.pods_within(&None);
    pods.map(|pod| State::Pod(pod.id)).collect()
}

impl Goal {
    /// Makes what is asked for known, also if no object says that it exists.
    pub(crate) fn prepare(&self, world: &mut World<'_>) {
        let (known, namespace, name) = match self {
            Self::Secret { namespace, name } => (&mut world.secrets, namespace, name),
            Self::Account { namespace, name } => (&mut world.accounts, namespace, name),
            Self::Node(name) => {
                world.nodes.insert(name.as_str().into());
                return;
            }
            Self::AnyNode | Self::ClusterAdmin | Self::Anything => return,
        };
        let namespace = Name::from(namespace.as_str());
        let names = known.entry(Name::clone(&namespace)).or_default();
        names.insert(name.as_str().into());
        world.namespaces.insert(namespace);
    }

    /// Whether a state is what is wanted.
    pub(crate) fn is_met(&self, state: &State) -> bool {
        match (self, state) {
            (Self::Secret { namespace, name }, State::Secret(ns, n))
            | (Self::Account { namespace, name }, State::Account(ns, n)) => {
                **ns == **namespace && **n == **name
            }
            (Self::Node(name), State::Node(n)) => **n == **name,
            (Self::AnyNode, State::Node(_) | State::AnyNode)
            | (Self::ClusterAdmin, State::ClusterAdmin)
            | (
                Self::Anything,
                State::ClusterAdmin
                | State::NamespaceAdmin(_)
                | State::AnyNode
                | State::Node(_)
                | State::Secret(..),
            ) => true,
            _ => false,
        }
    }
}
