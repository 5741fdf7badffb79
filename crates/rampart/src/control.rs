//! The operator's orders to a running cluster, over a socket in its data directory that only its
//! owner can open: one JSON object in, one out.

use crate::data_dir::DataDir;
use crate::store::Store;
use crate::token_keys::TokenKeys;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

/// What can be asked.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    /// Back the store up to this file.
    Backup(PathBuf),
    /// Bring the store back to this backup.
    Restore(PathBuf),
    /// Give the store a new key.
    Rotate,
    /// Name the keys.
    Keys,
    /// Sign service-account tokens with a new key.
    RotateTokenKeys,
    /// Name the keys of service-account tokens.
    TokenKeys,
}

/// What orders are carried out on.
pub(crate) struct Subject {
    /// The store.
    pub(crate) store: Arc<Store>,
    /// The keys of service-account tokens.
    pub(crate) tokens: TokenKeys,
}

impl Order {
    fn encode(&self) -> Value {
        match self {
            Self::Backup(file) => json!({ "order": "backup", "file": file }),
            Self::Restore(file) => json!({ "order": "restore", "file": file }),
            Self::Rotate => json!({ "order": "rotate" }),
            Self::Keys => json!({ "order": "keys" }),
            Self::RotateTokenKeys => json!({ "order": "rotate-token-keys" }),
            Self::TokenKeys => json!({ "order": "token-keys" }),
        }
    }

    fn decode(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let file = || text("file").map(PathBuf::from);
        match text("order")? {
            "backup" => Some(Self::Backup(file()?)),
            "restore" => Some(Self::Restore(file()?)),
            "rotate" => Some(Self::Rotate),
            "keys" => Some(Self::Keys),
            "rotate-token-keys" => Some(Self::RotateTokenKeys),
            "token-keys" => Some(Self::TokenKeys),
            _ => None,
        }
    }

    /// Carries the order out.
    pub(crate) async fn execute(&self, subject: &Subject) -> Result<String> {
        let store = &subject.store;
        match self {
            Self::Backup(file) => store.backup(file).await,
            Self::Restore(file) => store.bring_back(file).await,
            Self::Rotate => store.rotate().await,
            Self::Keys => Ok(store.key_names().await),
            Self::RotateTokenKeys => subject.tokens.rotate(),
            Self::TokenKeys => subject.tokens.names(),
        }
    }
}

/// Takes orders for ever.
pub(crate) fn listen(data: &DataDir, subject: Subject) -> Result<impl Future<Output = ()> + use<>> {
    let path = data.control();
    // The store is locked by this process, so a socket that is there is a dead one's.
    let _ = std::fs::remove_file(&path);
    let listener =
        UnixListener::bind(&path).with_context(|| format!("cannot make {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let subject = Arc::new(subject);
    Ok(async move {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot take orders");
                    continue;
                }
            };
            let subject = Arc::clone(&subject);
            tokio::spawn(async move {
                if let Err(error) = answer(stream, &subject).await {
                    tracing::warn!(%error, "an order was not answered");
                }
            });
        }
    })
}

async fn answer(stream: UnixStream, subject: &Subject) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let order = serde_json::from_str(&line)
        .ok()
        .and_then(|value| Order::decode(&value));
    let answer = match order {
        None => json!({ "error": "this order is not known; is it from another version?" }),
        Some(order) => match order.execute(subject).await {
            Ok(text) => json!({ "done": text }),
            Err(error) => json!({ "error": format!("{error:#}") }),
        },
    };
    stream.write_all(format!("{answer}\n").as_bytes()).await?;
    stream.shutdown().await?;
    Ok(())
}

/// Gives an order to the cluster that runs on the data directory; `None` if none runs.
async fn send(socket: &Path, order: &Order) -> Result<Option<String>> {
    let Ok(stream) = UnixStream::connect(socket).await else {
        return Ok(None);
    };
    let mut stream = BufReader::new(stream);
    stream
        .write_all(format!("{}\n", order.encode()).as_bytes())
        .await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let answer: Value =
        serde_json::from_str(&line).context("the cluster ended before it answered")?;
    match (
        answer.get("done").and_then(Value::as_str),
        answer.get("error"),
    ) {
        (Some(text), _) => Ok(Some(text.to_owned())),
        (None, error) => {
            bail!(
                "{}",
                error
                    .and_then(Value::as_str)
                    .unwrap_or("the answer cannot be read")
            )
        }
    }
}

/// Has the order carried out by the cluster that runs on the data directory, or by this process if
/// none runs.
pub(crate) fn give(data: &DataDir, order: &Order) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        if let Some(answer) = send(&data.control(), order).await? {
            return Ok(answer);
        }
        if !crate::store::exists(data) {
            bail!("there is no cluster in {}", data.path().display());
        }
        // The store's lock keeps a cluster from coming up meanwhile.
        let subject = Subject {
            store: Arc::new(Store::open(data, None)?),
            tokens: TokenKeys::at_rest(data),
        };
        let result = order.execute(&subject).await;
        subject.store.close().await;
        result
    })
}
