//! Which edges leave a state.

use super::holdings::{HeldRole, Holding, settled};
use super::policing::Policing;
use super::powers::Power;
use super::state::{Edge, Name, Need, Scope, State};
use super::together;
use super::world::{World, escapes_of, secrets_of, token_of};
use model::meta;
use model::user::{
    ALL_AUTHENTICATED, ALL_UNAUTHENTICATED, ANONYMOUS, MASTERS, NODE_USER_PREFIX, NODES,
    SERVICE_ACCOUNTS, UserInfo,
};
use rbac::Subject;
use snapshot::{Citation, ObjectId, PodTemplate};
use std::collections::HashMap;

/// The label of nodes that carry the control plane.
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

impl World<'_> {
    /// The edges that leave a state.
    pub(crate) fn edges(&self, state: &State) -> Vec<Edge> {
        match state {
            State::User(name) => self.of_user(name),
            State::Group(name) => self.of_group(name),
            State::Account(namespace, name) => self.of_account(namespace, name),
            State::Pod(id) => self.of_pod(*id),
            State::Secret(namespace, name) => self.of_secret(namespace, name),
            State::Node(name) => self.of_node(name),
            State::AnyNode => {
                let picks = |node: &Name| {
                    let text = format!("picks the node {node}");
                    Edge::new(State::Node(Name::clone(node)), "pick-node", text)
                };
                let mut edges: Vec<Edge> = self.nodes.iter().map(picks).collect();
                let files = "reads the files of the pods that run there";
                edges.push(Edge::new(State::RunsInPods(None), "node-files", files));
                edges.push(Edge::new(
                    State::Kubelet,
                    "node-credentials",
                    "takes the kubelet's credentials",
                ));
                edges
            }
            State::Kubelet => self.of_kubelet(),
            State::NamespaceAdmin(namespace) => {
                let scope = || Some(Name::clone(namespace));
                let text = |what: &str| format!("{what} namespace {namespace}");
                let mut edges = vec![
                    Edge::new(State::Secrets(scope()), "admin", text("reads secrets of")),
                    Edge::new(State::Accounts(scope()), "admin", text("gets tokens in")),
                    Edge::new(State::MakesPods(scope()), "admin", text("creates a pod in")),
                    Edge::new(
                        State::RunsInPods(scope()),
                        "admin",
                        text("runs commands in pods of"),
                    ),
                ];
                // Everything is to use every policy too.
                let is_open = |policing: &Policing| !policing.opening.is_empty();
                if self.unguarded.contains(namespace) && self.policing.as_ref().is_some_and(is_open)
                {
                    let text = text("creates a privileged pod, which a policy admits, in");
                    edges.push(Edge::new(State::AnyNode, "admin", text));
                }
                edges
            }
            State::ClusterAdmin => vec![
                Edge::new(State::Secrets(None), "admin", "reads every secret"),
                Edge::new(State::Accounts(None), "admin", "gets every token"),
                Edge::new(State::AnyNode, "admin", "puts a privileged pod on any node"),
                Edge::new(State::AnyUser, "admin", "acts as any user"),
            ],
            State::Secrets(scope) => match scope {
                None => self.each_namespace(State::Secrets),
                Some(namespace) => of_names(&self.secrets, namespace, State::Secret, ""),
            },
            State::Accounts(scope) => match scope {
                None => self.each_namespace(State::Accounts),
                Some(namespace) => of_names(&self.accounts, namespace, State::Account, ""),
            },
            State::MakesPods(scope) => match scope {
                None => self.each_namespace(State::MakesPods),
                Some(namespace) => self.of_pod_maker(namespace),
            },
            State::RunsInPods(scope) => self
                .pods_within(scope)
                .map(|pod| Edge::passing(State::Pod(pod.id), ""))
                .collect(),
            State::AnyUser => {
                let users = self.holdings.users.iter();
                users
                    .map(|user| Edge::passing(State::User(Name::clone(user)), ""))
                    .collect()
            }
            State::AnyGroup => {
                let groups = self.holdings.groups.iter().filter(|g| ***g != *MASTERS);
                groups
                    .map(|group| Edge::passing(State::Group(Name::clone(group)), ""))
                    .collect()
            }
            State::Holds(namespace, name, scope) => {
                let holdings = self.holdings.of_role(namespace, name, scope);
                self.alone(&holdings)
            }
        }
    }

    fn each_namespace(&self, state: fn(Scope) -> State) -> Vec<Edge> {
        let names = self.namespaces.iter();
        names
            .map(|namespace| Edge::passing(state(Some(Name::clone(namespace))), ""))
            .collect()
    }

    fn of_user(&self, name: &Name) -> Vec<Edge> {
        let user = UserInfo::new(&**name, [""; 0]);
        if let Some((namespace, account)) = user.service_account() {
            return self.of_account(&namespace.into(), &account.into());
        }
        let mut groups: Vec<Name> = self.further_groups.get(name).cloned().unwrap_or_default();
        if **name == *ANONYMOUS {
            groups.push(ALL_UNAUTHENTICATED.into());
        } else {
            groups.push(ALL_AUTHENTICATED.into());
        }
        if name.starts_with(NODE_USER_PREFIX) {
            groups.push(NODES.into());
        }
        let mut edges = self.of_identity(Subject::User(name.to_string()), &groups);
        if name.starts_with(NODE_USER_PREFIX) {
            let text = "is the kubelet of a node";
            edges.push(Edge::new(State::Kubelet, "node-credentials", text));
        }
        edges
    }

    fn of_account(&self, namespace: &Name, name: &Name) -> Vec<Edge> {
        let groups = [
            Name::from(SERVICE_ACCOUNTS),
            Name::from(format!("{SERVICE_ACCOUNTS}:{namespace}")),
            Name::from(ALL_AUTHENTICATED),
        ];
        self.of_identity(Subject::account(namespace, name), &groups)
    }

    fn of_group(&self, name: &Name) -> Vec<Edge> {
        if **name == *MASTERS {
            let text = format!("members of {MASTERS} may do everything");
            return vec![Edge::new(State::ClusterAdmin, "masters", text)];
        }
        self.of_identity(Subject::Group(name.to_string()), &[])
    }

    /// What a subject can do on its own and with the groups it is in.
    fn of_identity(&self, subject: Subject, groups: &[Name]) -> Vec<Edge> {
        let subject = settled(subject);
        let own = self.holdings.of_subject(&subject);
        let mut edges = self.alone(own);
        let mut all: Vec<&Holding> = own.iter().collect();
        let mut roles: Vec<&HeldRole> = self.holdings.roles_of(&subject).iter().collect();
        for group in groups {
            let as_group = Subject::Group(group.to_string());
            let of_group = self.holdings.of_subject(&as_group);
            roles.extend(self.holdings.roles_of(&as_group));
            all.extend(of_group);
            if !of_group.is_empty() || **group == *MASTERS {
                let text = format!("is in the group {group}");
                edges.push(Edge::new(State::Group(Name::clone(group)), "member", text));
            }
        }
        edges.extend(together::edges(self, &all, &roles));
        merged(edges)
    }

    /// What single powers lead to.
    fn alone(&self, holdings: &[Holding]) -> Vec<Edge> {
        let mut edges = Vec::new();
        for holding in holdings {
            let from = edges.len();
            self.push_alone(holding, &mut edges);
            for edge in edges.iter_mut().skip(from) {
                if let Some(need) = holding.need {
                    edge.needs.push(vec![need]);
                }
            }
        }
        merged(edges)
    }

    fn push_alone(&self, holding: &Holding, edges: &mut Vec<Edge>) {
        let question = &*holding.held.question;
        let scope = || holding.scope.clone();
        let may = format!("({} {})", holding.held.verb, question.resource_text());
        let place = match &holding.scope {
            None => "any namespace".to_owned(),
            Some(namespace) => format!("namespace {namespace}"),
        };
        let name = holding.held.name.as_ref();
        let mut push = |to: State, technique: &'static str, text: String| {
            edges.push(Edge::new(to, technique, text));
        };
        match question.power {
            Power::Everything => match &holding.scope {
                None => push(
                    State::ClusterAdmin,
                    "everything",
                    "may do everything".to_owned(),
                ),
                Some(namespace) => push(
                    State::NamespaceAdmin(Name::clone(namespace)),
                    "everything",
                    format!("may do everything in namespace {namespace}"),
                ),
            },
            Power::ReadSecrets => {
                let text = format!("reads the secret in {place} {may}");
                match name {
                    None => push(State::Secrets(scope()), "read-secret", text),
                    Some(name) => {
                        for namespace in self.having(&self.secrets, &holding.scope, name) {
                            let secret = State::Secret(namespace, Name::clone(name));
                            push(secret, "read-secret", text.clone());
                        }
                    }
                }
            }
            Power::CreatePods => {
                let text = format!("creates a pod in {place} {may}");
                for edge in self.making_pods(&holding.scope, "create-pod", text) {
                    edges.push(edge);
                }
            }
            Power::ChangeWorkloads => {
                for namespace in self.within(&holding.scope) {
                    let objects =
                        self.snapshot
                            .of_namespace(&question.group, &question.resource, namespace);
                    let object = match name {
                        None => objects.first(),
                        Some(name) => objects.iter().find(|o| *o.name() == **name),
                    };
                    if let Some(object) = object {
                        let text = format!("changes the pods of {} {may}", object.title());
                        let scope = Some(Name::clone(namespace));
                        edges.extend(self.making_pods(&scope, "change-workload", text));
                    }
                }
            }
            Power::Exec | Power::Attach | Power::Debug | Power::Forward | Power::ReplaceImage => {
                self.push_into_pods(holding, &place, &may, edges);
            }
            Power::CreateTokens | Power::ImpersonateAccounts => {
                let (technique, what) = if question.power == Power::CreateTokens {
                    ("create-token", "requests a token of the account")
                } else {
                    ("impersonate", "impersonates the account")
                };
                let text = format!("{what} in {place} {may}");
                match name {
                    None => push(State::Accounts(scope()), technique, text),
                    Some(name) => {
                        for namespace in self.having(&self.accounts, &holding.scope, name) {
                            let account = State::Account(namespace, Name::clone(name));
                            push(account, technique, text.clone());
                        }
                    }
                }
            }
            Power::ImpersonateUsers => match name {
                None => push(
                    State::AnyUser,
                    "impersonate",
                    format!("impersonates any user {may}"),
                ),
                Some(name) => push(
                    State::User(Name::clone(name)),
                    "impersonate",
                    format!("impersonates the user {may}"),
                ),
            },
            Power::ProxyNodes => match name {
                None => push(
                    State::RunsInPods(None),
                    "node-proxy",
                    format!("runs commands through the kubelet of any node {may}"),
                ),
                Some(node) => {
                    for pod in self.pods_on(node) {
                        let text = format!("runs commands through the kubelet of {node} {may}");
                        push(State::Pod(pod), "node-proxy", text);
                    }
                }
            },
            Power::MutatePods => edges.push(
                Edge::new(
                    State::MakesPods(None),
                    "mutating-webhook",
                    format!("rewrites the pods of others as they are made {may}"),
                )
                .uncertain(),
            ),
            // These lead nowhere on their own.
            Power::CreateSecrets
            | Power::ImpersonateGroups
            | Power::EscalateRoles
            | Power::WriteRoles
            | Power::BindRoles
            | Power::CreateRoleBindings
            | Power::EscalateClusterRoles
            | Power::WriteClusterRoles
            | Power::BindClusterRoles
            | Power::CreateClusterRoleBindings
            | Power::RequestCertificates
            | Power::ApproveCertificates
            | Power::ApproveSigner
            | Power::UsePolicy => {}
        }
    }

    /// Ways into pods that run.
    fn push_into_pods(&self, holding: &Holding, place: &str, may: &str, edges: &mut Vec<Edge>) {
        let power = holding.held.question.power;
        let (technique, what, certain) = match power {
            Power::Exec => ("exec", "runs commands in a pod of", true),
            Power::Attach => ("attach", "attaches to a process in a pod of", false),
            Power::Debug => ("debug", "adds a container to a pod of", true),
            Power::Forward => ("port-forward", "reaches the ports of a pod of", false),
            _ => ("replace-image", "replaces the image of a pod of", true),
        };
        let text = format!("{what} {place} {may}");
        let mut push = |to: State| {
            let edge = Edge::new(to, technique, text.clone());
            edges.push(if certain { edge } else { edge.uncertain() });
        };
        match &holding.held.name {
            None => push(State::RunsInPods(holding.scope.clone())),
            Some(name) => {
                for pod in self.pods_within(&holding.scope) {
                    let owner = pod.template.owner;
                    if owner.is("", "pods") && *owner.name() == **name {
                        push(State::Pod(pod.id));
                    }
                }
            }
        }
        if power == Power::Debug {
            let mut into = self.within(&holding.scope).into_iter();
            let opening = |namespace: &Name| match &self.policing {
                None => Some(None),
                Some(policing) => {
                    let opening = policing.by_accounts(namespace).opening;
                    (!opening.is_empty()).then_some(Some(opening))
                }
            };
            let unguarded = into.find_map(|n| {
                let is_open = self.unguarded.contains(n) && self.pods.contains_key(n);
                is_open.then(|| Some((n, opening(n)?)))?
            });
            if let Some((namespace, opening)) = unguarded {
                let text = format!("adds a privileged container to a pod of {namespace} {may}");
                let mut edge = Edge::new(State::AnyNode, technique, text).uncertain();
                edge.needs.extend(opening);
                edges.push(edge);
            }
        }
    }

    /// The namespaces of a scope in which something of that name is known.
    fn having(
        &self,
        known: &std::collections::BTreeMap<Name, std::collections::BTreeSet<Name>>,
        scope: &Scope,
        name: &Name,
    ) -> Vec<Name> {
        self.within(scope)
            .into_iter()
            .filter(|namespace| known.get(*namespace).is_some_and(|all| all.contains(name)))
            .cloned()
            .collect()
    }

    /// The pods that are on a node.
    fn pods_on(&self, node: &str) -> Vec<ObjectId> {
        self.pods_within(&None)
            .filter(|pod| meta::text(pod.template.spec, &["nodeName"]) == node)
            .map(|pod| pod.id)
            .collect()
    }

    fn of_pod_maker(&self, namespace: &Name) -> Vec<Edge> {
        let mut edges = of_names(
            &self.secrets,
            namespace,
            State::Secret,
            "that mounts the secret",
        );
        edges.extend(of_names(
            &self.accounts,
            namespace,
            State::Account,
            "that runs as the account",
        ));
        if self.unguarded.contains(namespace) {
            match &self.policing {
                None => {
                    let text = "that is privileged, which pod security admits there";
                    edges.push(Edge::passing(State::AnyNode, text));
                }
                Some(policing) => {
                    let opening = policing.by_accounts(namespace).opening;
                    if !opening.is_empty() {
                        let text =
                            "that is privileged, which an account there may use a policy for";
                        let mut edge = Edge::passing(State::AnyNode, text);
                        edge.needs.push(opening);
                        edges.push(edge);
                    }
                }
            }
        }
        edges
    }

    /// The edges to new pods of a scope, of somebody who may make them: where policies are in
    /// force, those of namespaces with an account that may use one.
    fn making_pods(&self, scope: &Scope, technique: &'static str, text: String) -> Vec<Edge> {
        let Some(policing) = &self.policing else {
            return vec![Edge::new(State::MakesPods(scope.clone()), technique, text)];
        };
        let admitting = |namespace: &&Name| policing.by_accounts(namespace).admitting;
        self.within(scope)
            .into_iter()
            .filter(|namespace| !admitting(namespace).is_empty())
            .map(|namespace| {
                let to = State::MakesPods(Some(Name::clone(namespace)));
                let mut edge = Edge::new(to, technique, text.clone());
                edge.needs.push(admitting(&namespace));
                edge
            })
            .collect()
    }

    fn of_pod(&self, id: ObjectId) -> Vec<Edge> {
        let Some(object) = self.snapshot.get(id) else {
            return Vec::new();
        };
        let templates = self.snapshot.pod_templates_of(object);
        merged(templates.flat_map(|t| self.of_template(id, &t)).collect())
    }

    fn of_template(&self, id: ObjectId, template: &PodTemplate<'_>) -> Vec<Edge> {
        let namespace = || Name::from(template.namespace());
        let mut edges: Vec<Edge> = secrets_of(template)
            .into_iter()
            .map(|(name, field)| {
                let secret = State::Secret(namespace(), name);
                Edge::new(secret, "mounted-secret", "reads the secret that it has")
                    .because(id, field)
            })
            .collect();
        if let Some(field) = token_of(template) {
            let account = State::Account(namespace(), template.service_account_name().into());
            let text = "takes the account's token that it has";
            edges.push(Edge::new(account, "mounted-token", text).because(id, field));
        }
        let to = match meta::text(template.spec, &["nodeName"]) {
            "" => State::AnyNode,
            node => State::Node(node.into()),
        };
        for (field, text, certain) in escapes_of(template) {
            let edge = Edge::new(to.clone(), "escape", text).because(id, field);
            edges.push(if certain { edge } else { edge.uncertain() });
        }
        edges
    }

    fn of_secret(&self, namespace: &Name, name: &Name) -> Vec<Edge> {
        let Some(secret) = self.snapshot.find("", "secrets", namespace, name) else {
            return Vec::new();
        };
        let key = "kubernetes.io/service-account.name";
        let annotations = meta::annotations(&secret.value);
        let account = annotations.get(key).filter(|name| !name.is_empty());
        match (meta::text(&secret.value, &["type"]), account) {
            ("kubernetes.io/service-account-token", Some(account)) => {
                let to = State::Account(Name::clone(namespace), (*account).into());
                let edge = Edge::new(to, "token-secret", "uses the token that it holds");
                let id = self.snapshot.id(secret);
                let field = format!("metadata.annotations[{key}]");
                vec![match id {
                    Some(id) => edge.because(id, field),
                    None => edge,
                }]
            }
            _ => Vec::new(),
        }
    }

    fn of_node(&self, name: &Name) -> Vec<Edge> {
        let mut edges: Vec<Edge> = self
            .pods_on(name)
            .into_iter()
            .map(|pod| Edge::new(State::Pod(pod), "node-files", "reads the files of its pod"))
            .collect();
        let node = self.snapshot.find("", "nodes", "", name);
        if let Some(node) = node
            && meta::labels(&node.value).contains_key(CONTROL_PLANE)
            && let Some(id) = self.snapshot.id(node)
        {
            let text = "takes the control plane's keys from its disk";
            let edge = Edge::new(State::ClusterAdmin, "control-plane", text);
            edges.push(edge.because(id, format!("metadata.labels[{CONTROL_PLANE}]")));
        }
        edges
    }

    /// The Node authorizer lets a kubelet read what the pods on its node refer to.
    fn of_kubelet(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for pod in self.pods_within(&None) {
            let namespace = || Name::from(pod.template.namespace());
            for (name, field) in secrets_of(&pod.template) {
                let to = State::Secret(namespace(), name);
                let text = "reads the secret as the kubelet of a pod that has it";
                edges.push(Edge::new(to, "kubelet", text).because(pod.id, field));
            }
            let account = pod.template.service_account_name().into();
            let text = "requests the account's token as the kubelet of a pod that runs as it";
            let edge = Edge::new(State::Account(namespace(), account), "kubelet", text);
            edges.push(edge.because(pod.id, pod.template.field("serviceAccountName")));
        }
        merged(edges)
    }

    /// A state in words.
    pub(crate) fn title(&self, state: &State) -> String {
        let place = |scope: &Scope| match scope {
            None => "any namespace".to_owned(),
            Some(namespace) => format!("namespace {namespace}"),
        };
        match state {
            State::User(name) => format!("user/{name}"),
            State::Group(name) => format!("group/{name}"),
            State::Account(namespace, name) => format!("serviceaccount/{namespace}/{name}"),
            State::Pod(id) => self.snapshot.get(*id).map_or_else(String::new, |object| {
                let kind = object.kind.kind.to_lowercase();
                format!("{kind}/{}/{}", object.namespace(), object.name())
            }),
            State::Secret(namespace, name) => format!("secret/{namespace}/{name}"),
            State::Node(name) => format!("node/{name}"),
            State::AnyNode => "node/*".to_owned(),
            State::NamespaceAdmin(namespace) => format!("namespace-admin/{namespace}"),
            State::ClusterAdmin => "cluster-admin".to_owned(),
            State::Kubelet => "kubelet/*".to_owned(),
            State::Secrets(scope) => format!("secrets of {}", place(scope)),
            State::Accounts(scope) => format!("accounts of {}", place(scope)),
            State::MakesPods(scope) => format!("new pods in {}", place(scope)),
            State::RunsInPods(scope) => format!("pods of {}", place(scope)),
            State::AnyUser => "any user".to_owned(),
            State::AnyGroup => "any group".to_owned(),
            State::Holds(_, name, scope) => format!("role {name} in {}", place(scope)),
        }
    }

    /// The objects behind one way to meet a need, as citations.
    pub(crate) fn cite(&self, need: Need) -> Vec<Citation> {
        let grant = self.holdings.grants.get(need.grant);
        grant
            .map(|grant| self.snapshot.because(&grant.because(need.rule)))
            .unwrap_or_default()
    }
}

/// An edge to each name of a namespace.
fn of_names(
    known: &std::collections::BTreeMap<Name, std::collections::BTreeSet<Name>>,
    namespace: &Name,
    state: fn(Name, Name) -> State,
    text: &str,
) -> Vec<Edge> {
    let names = known.get(namespace).into_iter().flatten();
    names
        .map(|name| Edge::passing(state(Name::clone(namespace), Name::clone(name)), text))
        .collect()
}

/// Edges that differ only in the grant become one edge with alternatives.
pub(crate) fn merged(edges: Vec<Edge>) -> Vec<Edge> {
    let mut all: Vec<Edge> = Vec::with_capacity(edges.len());
    let mut places: HashMap<(State, &'static str, String), usize> = HashMap::new();
    for edge in edges {
        let key = (edge.to.clone(), edge.technique, edge.text.clone());
        let known = places.get(&key).and_then(|at| all.get_mut(*at));
        match (known, edge.needs.as_slice()) {
            (Some(known), [needs]) if known.needs.len() == 1 => {
                if let Some(clause) = known.needs.first_mut() {
                    clause.extend(needs);
                    clause.sort_unstable();
                    clause.dedup();
                }
            }
            (Some(known), needs) if known.needs == needs => {}
            _ => {
                places.insert(key, all.len());
                all.push(edge);
            }
        }
    }
    all
}
