//! What an attacker may have come to hold, and how one thing leads to the next.

use super::holdings::GrantId;
use snapshot::ObjectId;
use std::sync::Arc;

/// A name or namespace.
pub(crate) type Name = Arc<str>;

/// Where a power holds: in one namespace, or (none) in all.
pub(crate) type Scope = Option<Name>;

/// What an attacker holds. Passing states stand for a set of others ("each secret of a
/// namespace"), so that the number of edges grows with the cluster and not with its square.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum State {
    /// Acts as a user.
    User(Name),
    /// Acts as a member of a group.
    Group(Name),
    /// Acts as a service account: namespace and name.
    Account(Name, Name),
    /// Runs code in the pods of a template.
    Pod(ObjectId),
    /// Knows a secret: namespace and name.
    Secret(Name, Name),
    /// Is root on a node.
    Node(Name),
    /// Is root on a node of the attacker's choice.
    AnyNode,
    /// May do everything in a namespace.
    NamespaceAdmin(Name),
    /// May do everything.
    ClusterAdmin,
    /// Acts as the kubelet of some node.
    Kubelet,
    /// Passing: knows each secret there.
    Secrets(Scope),
    /// Passing: gets the token of each account there.
    Accounts(Scope),
    /// Passing: makes pods there.
    MakesPods(Scope),
    /// Passing: runs code in each pod there.
    RunsInPods(Scope),
    /// Passing: acts as each user that is known.
    AnyUser,
    /// Passing: acts as each group that is known, but for `system:masters`.
    AnyGroup,
    /// Passing: holds a role there: its namespace (empty for a ClusterRole) and name.
    Holds(Name, Name, Scope),
}

impl State {
    /// Whether it only stands for a set of others.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Secrets(_)
                | Self::Accounts(_)
                | Self::MakesPods(_)
                | Self::RunsInPods(_)
                | Self::AnyUser
                | Self::AnyGroup
                | Self::Holds(..)
        )
    }
}

/// One of the grants that allow a part of an edge, and the rule that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Need {
    pub(crate) grant: GrantId,
    pub(crate) rule: usize,
}

/// A field of an object that an edge relies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) object: ObjectId,
    pub(crate) field: String,
}

/// How one thing leads to the next.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    pub(crate) to: State,
    /// A stable name of the technique; empty for edges out of passing states.
    pub(crate) technique: &'static str,
    /// What the attacker does, in words.
    pub(crate) text: String,
    /// Whether it works for certain, and not only if something outside the snapshot helps.
    pub(crate) certain: bool,
    /// Each entry is needed; of the grants in an entry any one is enough.
    pub(crate) needs: Vec<Vec<Need>>,
    pub(crate) facts: Vec<Fact>,
}

impl Edge {
    pub(crate) fn new(to: State, technique: &'static str, text: impl Into<String>) -> Self {
        Self {
            to,
            technique,
            text: text.into(),
            certain: true,
            needs: Vec::new(),
            facts: Vec::new(),
        }
    }

    /// An edge out of a passing state.
    pub(crate) fn passing(to: State, text: impl Into<String>) -> Self {
        Self::new(to, "", text)
    }

    pub(crate) fn uncertain(self) -> Self {
        Self {
            certain: false,
            ..self
        }
    }

    pub(crate) fn because(mut self, object: ObjectId, field: impl Into<String>) -> Self {
        self.facts.push(Fact {
            object,
            field: field.into(),
        });
        self
    }
}
