//! What a probe or a lifecycle hook does: a program in the container, a request, a connection, or
//! nothing for a while.

use crate::env::expand;
use model::Value;
use model::validation::read::{get, int, list, text, texts};
use std::collections::BTreeMap;
use thiserror::Error;

/// Who asks, as requests say it.
const AGENT_VERSION: &str = "1.33";

/// What to do. Addresses and ports are found already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handler {
    /// Run a program in the container; it fails if it ends with anything but zero.
    Exec(Vec<String>),
    /// Send a GET request.
    Http(Request),
    /// Make a connection.
    Tcp {
        /// To this host.
        host: String,
        /// And port.
        port: u16,
    },
    /// Ask `grpc.health.v1.Health/Check`.
    Grpc {
        /// On this host.
        host: String,
        /// And port.
        port: u16,
        /// For this service; empty for the whole server.
        service: String,
    },
    /// Let so many seconds go by.
    Sleep(i64),
}

/// A GET request. Certificates are not looked at, and redirects followed only to the same host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whether over TLS.
    pub tls: bool,
    /// The host to connect to.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Path and query.
    pub path: String,
    /// Headers, in order; `Host` among them is the request's host.
    pub headers: Vec<(String, String)>,
}

/// Why a handler cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandlerError {
    /// It says nothing.
    #[error("missing handler for {0}")]
    Missing(String),
    /// The container has no port of that name.
    #[error("port {0} not found")]
    Port(String),
    /// Not a port.
    #[error("invalid port number: {0}")]
    Number(i64),
}

/// For whom a handler is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A probe.
    Probe,
    /// A `postStart` or `preStop` hook.
    Lifecycle,
}

/// What a probe or hook of a container does, in a pod with that address. In commands of probes
/// `$(NAME)` stands for the values that the container's `env` writes out, as upstream has it; those
/// of hooks stay as they are.
pub fn resolve(
    purpose: Purpose,
    handler: &Value,
    container: &Value,
    pod_ip: &str,
) -> Result<Handler, HandlerError> {
    if let Some(exec) = get(handler, "exec") {
        let command = texts(exec, "command");
        return Ok(Handler::Exec(match purpose {
            Purpose::Lifecycle => command.map(str::to_owned).collect(),
            Purpose::Probe => {
                let known: BTreeMap<&str, &str> = list(container, "env")
                    .iter()
                    .map(|variable| (text(variable, "name"), text(variable, "value")))
                    .collect();
                let value = |name: &str| match known.get(name) {
                    Some(value) => (*value).to_owned(),
                    None => format!("$({name})"),
                };
                command.map(|word| expand(word, value)).collect()
            }
        }));
    }
    let host = |action: &Value| match text(action, "host") {
        "" => pod_ip.to_owned(),
        host => host.to_owned(),
    };
    if let Some(action) = get(handler, "httpGet") {
        return Ok(Handler::Http(Request {
            tls: text(action, "scheme").eq_ignore_ascii_case("https"),
            host: host(action),
            port: port(action, container)?,
            path: path(text(action, "path")),
            headers: headers(purpose, action),
        }));
    }
    if let Some(action) = get(handler, "tcpSocket") {
        return Ok(Handler::Tcp {
            host: host(action),
            port: port(action, container)?,
        });
    }
    if let Some(action) = get(handler, "grpc") {
        return Ok(Handler::Grpc {
            host: pod_ip.to_owned(),
            port: port(action, container)?,
            service: text(action, "service").to_owned(),
        });
    }
    if let Some(action) = get(handler, "sleep") {
        return Ok(Handler::Sleep(int(action, "seconds").unwrap_or(0).max(0)));
    }
    Err(HandlerError::Missing(text(container, "name").to_owned()))
}

/// A port by number, by the container's name for it, or by a number in a text.
fn port(action: &Value, container: &Value) -> Result<u16, HandlerError> {
    let number = match action.get("port") {
        Some(Value::String(name)) => list(container, "ports")
            .iter()
            .find(|port| text(port, "name") == name)
            .and_then(|port| int(port, "containerPort"))
            .or_else(|| name.parse().ok())
            .ok_or_else(|| HandlerError::Port(name.clone()))?,
        Some(number) => number.as_i64().unwrap_or(0),
        None => 0,
    };
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(HandlerError::Number(number)),
    }
}

fn path(path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    }
}

/// Those of the pod, and where it is silent who asks and that any answer will do. An empty `Accept`
/// sends none.
fn headers(purpose: Purpose, action: &Value) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = list(action, "httpHeaders")
        .iter()
        .map(|header| {
            (
                text(header, "name").to_owned(),
                text(header, "value").to_owned(),
            )
        })
        .collect();
    let has = |headers: &[(String, String)], name: &str| {
        headers
            .iter()
            .any(|(own, _)| own.eq_ignore_ascii_case(name))
    };
    if !has(&headers, "User-Agent") {
        let who = match purpose {
            Purpose::Probe => "probe",
            Purpose::Lifecycle => "lifecycle",
        };
        headers.push((
            "User-Agent".to_owned(),
            format!("kube-{who}/{AGENT_VERSION}"),
        ));
    }
    if !has(&headers, "Accept") {
        headers.push(("Accept".to_owned(), "*/*".to_owned()));
    }
    headers.retain(|(name, value)| !(name.eq_ignore_ascii_case("Accept") && value.is_empty()));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn container() -> Value {
        json!({"name": "c", "env": [{"name": "A", "value": "1"}],
            "ports": [{"name": "web", "containerPort": 8080}]})
    }

    fn of(purpose: Purpose, handler: Value) -> Result<Handler, String> {
        resolve(purpose, &handler, &container(), "10.0.0.5").map_err(|error| error.to_string())
    }

    #[test]
    fn programs() {
        let exec = json!({"exec": {"command": ["sh", "$(A)$(B)"]}});
        let words = |words: &[&str]| Handler::Exec(words.iter().map(|w| (*w).to_owned()).collect());
        assert_eq!(
            of(Purpose::Probe, exec.clone()),
            Ok(words(&["sh", "1$(B)"]))
        );
        assert_eq!(of(Purpose::Lifecycle, exec), Ok(words(&["sh", "$(A)$(B)"])));
    }

    #[test]
    fn requests() {
        let get = json!({"httpGet": {"port": "web", "scheme": "HTTPS", "path": "healthz?x=1",
            "httpHeaders": [{"name": "X", "value": "y"}, {"name": "accept", "value": ""}]}});
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            of(Purpose::Probe, get),
            Ok(Handler::Http(Request {
                tls: true,
                host: "10.0.0.5".to_owned(),
                port: 8080,
                path: "/healthz?x=1".to_owned(),
                headers: vec![own("X", "y"), own("User-Agent", "kube-probe/1.33")],
            }))
        );
        let get = json!({"httpGet": {"port": 80, "host": "example.com"}});
        let Ok(Handler::Http(request)) = of(Purpose::Lifecycle, get) else {
            panic!("no request")
        };
        assert_eq!(
            (request.host.as_str(), request.port, request.tls),
            ("example.com", 80, false)
        );
        assert_eq!(
            request.headers,
            [
                own("User-Agent", "kube-lifecycle/1.33"),
                own("Accept", "*/*")
            ]
        );
    }

    #[test]
    fn ports_and_other_handlers() {
        let host = || "10.0.0.5".to_owned();
        let tcp = |port: Value| json!({"tcpSocket": {"port": port}});
        for (handler, want) in [
            (
                tcp(json!(80)),
                Ok(Handler::Tcp {
                    host: host(),
                    port: 80,
                }),
            ),
            (
                tcp(json!("web")),
                Ok(Handler::Tcp {
                    host: host(),
                    port: 8080,
                }),
            ),
            (
                tcp(json!("81")),
                Ok(Handler::Tcp {
                    host: host(),
                    port: 81,
                }),
            ),
            (tcp(json!("x")), Err("port x not found")),
            (tcp(json!(0)), Err("invalid port number: 0")),
            (tcp(json!(65_536)), Err("invalid port number: 65536")),
            (
                json!({"grpc": {"port": 9, "service": "s"}}),
                Ok(Handler::Grpc {
                    host: host(),
                    port: 9,
                    service: "s".to_owned(),
                }),
            ),
            (json!({"sleep": {"seconds": 5}}), Ok(Handler::Sleep(5))),
            (json!({}), Err("missing handler for c")),
        ] {
            assert_eq!(of(Purpose::Probe, handler), want.map_err(str::to_owned));
        }
    }
}
