//! The environment, command and arguments of a container.

pub mod downward;
mod expand;
mod services;
#[cfg(test)]
mod tests;

pub use downward::{DownwardError, Facts};
pub use expand::expand;
pub use services::variables as service_variables;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::validation::names;
use model::validation::read::{get, is_true, list, text, texts};
use model::{Value, meta};
use std::collections::BTreeMap;
use thiserror::Error;

/// The waiting reason of a container whose environment (or security context) cannot be made.
pub const CONFIG_ERROR: &str = "CreateContainerConfigError";
/// The reason of the event about variables that were left out.
pub const INVALID_NAMES: &str = "InvalidEnvironmentVariableNames";

/// What an environment is made from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The pod, as defaulted by the API.
    pub pod: &'a Value,
    /// The config maps of its namespace that exist, by name.
    pub config_maps: &'a BTreeMap<String, Value>,
    /// The secrets of its namespace that exist, by name.
    pub secrets: &'a BTreeMap<String, Value>,
    /// All services that the node knows of.
    pub services: &'a [Value],
    /// Addresses and limits for the downward API.
    pub facts: Facts<'a>,
}

/// Why a container cannot be given its environment. The container waits with [`CONFIG_ERROR`] and
/// this as its message, and is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EnvError {
    /// A secret that must be there is not.
    #[error("secret \"{0}\" not found")]
    Secret(String),
    /// A config map that must be there is not.
    #[error("configmap \"{0}\" not found")]
    ConfigMap(String),
    /// A key that must be there is not.
    #[error("couldn't find key {key} in {kind} {namespace}/{name}")]
    Key {
        /// `Secret` or `ConfigMap`.
        kind: &'static str,
        /// The object's namespace.
        namespace: String,
        /// The object's name.
        name: String,
        /// The key.
        key: String,
    },
    /// A value that no environment can hold: it is not UTF-8, or has a zero byte.
    #[error("key {key} of {kind} {namespace}/{name} cannot be the value of a variable")]
    Binary {
        /// `Secret` or `ConfigMap`.
        kind: &'static str,
        /// The object's namespace.
        namespace: String,
        /// The object's name.
        name: String,
        /// The key.
        key: String,
    },
    /// A field or amount of the pod that cannot be told.
    #[error(transparent)]
    Downward(#[from] DownwardError),
}

/// A container's environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// Values by name. Upstream leaves the order to chance; here it is by name.
    pub variables: BTreeMap<String, String>,
    /// What was left out, as the messages of [`INVALID_NAMES`] warnings; one per source.
    pub warnings: Vec<String>,
}

/// The environment that a pod gives to one of its containers: `envFrom` in order, over that `env`
/// in order (with references to what came before), beneath both the service variables. What the
/// image and the runtime add comes with [`of_process`].
pub fn environment(sources: &Sources<'_>, container: &Value) -> Result<Environment, EnvError> {
    let spec = get(sources.pod, "spec").unwrap_or(&Value::Null);
    let namespace = meta::namespace(sources.pod);
    // Defaulted to true by the API.
    let links = spec.get("enableServiceLinks") != Some(&Value::Bool(false));
    let services = service_variables(sources.services, namespace, links);
    let mut result = Environment::default();
    for source in list(container, "envFrom") {
        take_all(sources, source, &mut result)?;
    }
    for variable in list(container, "env") {
        let literal = text(variable, "value");
        let value = match get(variable, "valueFrom") {
            _ if !literal.is_empty() => Some(expand(literal, |name| {
                let known = result.variables.get(name).or_else(|| services.get(name));
                known.cloned().unwrap_or_else(|| format!("$({name})"))
            })),
            Some(from) => one(sources, from, container)?,
            None => Some(String::new()),
        };
        if let Some(value) = value {
            let name = text(variable, "name").to_owned();
            result.variables.insert(name, value);
        }
    }
    for (name, value) in services {
        result.variables.entry(name).or_insert(value);
    }
    Ok(result)
}

/// Everything of an `envFrom` source.
fn take_all(
    sources: &Sources<'_>,
    source: &Value,
    result: &mut Environment,
) -> Result<(), EnvError> {
    let prefix = text(source, "prefix");
    let Some(object) = Object::find(sources, source, "secretRef", "configMapRef")? else {
        return Ok(());
    };
    let mut refused = Vec::new();
    for key in object.keys() {
        let name = format!("{prefix}{key}");
        if !names::env_var(&name).is_empty() {
            refused.push(name);
        } else if let Some(value) = object.value(key)? {
            result.variables.insert(name, value);
        }
    }
    if !refused.is_empty() {
        result.warnings.push(format!(
            "Keys [{}] from the EnvFrom {} {}/{} were skipped since they are considered invalid \
             environment variable names.",
            refused.join(", "),
            if object.kind == SECRET {
                "secret"
            } else {
                "configMap"
            },
            object.namespace,
            object.name,
        ));
    }
    Ok(())
}

/// The value of a `valueFrom`; `None` if the variable is left out.
fn one(sources: &Sources<'_>, from: &Value, container: &Value) -> Result<Option<String>, EnvError> {
    let pod = sources.pod;
    if let Some(field) = get(from, "fieldRef") {
        return Ok(Some(downward::variable_field(field, pod, &sources.facts)?));
    }
    if let Some(resource) = get(from, "resourceFieldRef") {
        let allocatable = sources.facts.allocatable;
        let value = downward::variable_resource(resource, pod, container, allocatable)?;
        return Ok(Some(value));
    }
    let Some(object) = Object::find(sources, from, "secretKeyRef", "configMapKeyRef")? else {
        // An optional object that is not there; a source of no known kind is an empty value.
        let named = ["secretKeyRef", "configMapKeyRef"];
        let optional = named.iter().any(|kind| get(from, kind).is_some());
        return Ok((!optional).then(String::new));
    };
    let key = text(object.reference, "key");
    match object.value(key)? {
        Some(value) => Ok(Some(value)),
        None if is_true(object.reference, "optional") => Ok(None),
        None => Err(EnvError::Key {
            kind: object.kind,
            namespace: object.namespace.to_owned(),
            name: object.name.to_owned(),
            key: key.to_owned(),
        }),
    }
}

const SECRET: &str = "Secret";
const CONFIG_MAP: &str = "ConfigMap";

/// A secret or config map that is referred to, and there.
struct Object<'a> {
    kind: &'static str,
    namespace: &'a str,
    name: &'a str,
    reference: &'a Value,
    object: &'a Value,
}

impl<'a> Object<'a> {
    fn find(
        sources: &Sources<'a>,
        from: &'a Value,
        secret: &str,
        config_map: &str,
    ) -> Result<Option<Self>, EnvError> {
        let (kind, reference, objects) = if let Some(reference) = get(from, config_map) {
            (CONFIG_MAP, reference, sources.config_maps)
        } else if let Some(reference) = get(from, secret) {
            (SECRET, reference, sources.secrets)
        } else {
            return Ok(None);
        };
        let name = text(reference, "name");
        match objects.get(name) {
            Some(object) => Ok(Some(Self {
                kind,
                namespace: meta::namespace(sources.pod),
                name,
                reference,
                object,
            })),
            None if is_true(reference, "optional") => Ok(None),
            None if kind == SECRET => Err(EnvError::Secret(name.to_owned())),
            None => Err(EnvError::ConfigMap(name.to_owned())),
        }
    }

    /// A config map's `binaryData` is not for environments.
    fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        get(self.object, "data")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|data| data.keys().map(String::as_str))
    }

    fn value(&self, key: &str) -> Result<Option<String>, EnvError> {
        let binary = || EnvError::Binary {
            kind: self.kind,
            namespace: self.namespace.to_owned(),
            name: self.name.to_owned(),
            key: key.to_owned(),
        };
        let Some(stored) = get(self.object, "data").and_then(|data| data.get(key)) else {
            return Ok(None);
        };
        let stored = stored.as_str().unwrap_or_default();
        let value = if self.kind == SECRET {
            let bytes = STANDARD.decode(stored).map_err(|_| binary())?;
            String::from_utf8(bytes).map_err(|_| binary())?
        } else {
            stored.to_owned()
        };
        if value.contains('\0') {
            return Err(binary());
        }
        Ok(Some(value))
    }
}

/// The container's command and arguments, in which `$(NAME)` stands for the variable of that name
/// and stays as it is if there is none. Empty where the container says nothing.
pub fn command_and_args(
    container: &Value,
    variables: &BTreeMap<String, String>,
) -> (Vec<String>, Vec<String>) {
    let expanded = |field: &str| {
        texts(container, field)
            .map(|word| {
                expand(word, |name| {
                    let known = variables.get(name).cloned();
                    known.unwrap_or_else(|| format!("$({name})"))
                })
            })
            .collect()
    };
    (expanded("command"), expanded("args"))
}

/// Where programs are looked for if neither the image nor the pod says.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The environment of the container's process: `HOSTNAME` (and `TERM` on a terminal) as container
/// runtimes set them, over them the image's `KEY=VALUE` lines, over them the pod's variables; and
/// a `PATH` if none of them has one.
pub fn of_process(
    hostname: &str,
    terminal: bool,
    image: &[String],
    variables: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([
        ("PATH".to_owned(), DEFAULT_PATH.to_owned()),
        ("HOSTNAME".to_owned(), hostname.to_owned()),
    ]);
    if terminal {
        all.insert("TERM".to_owned(), "xterm".to_owned());
    }
    for line in image {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        if !name.is_empty() {
            all.insert(name.to_owned(), value.to_owned());
        }
    }
    all.extend(variables.clone());
    all
}
