//! The store of a cluster: opened, backed up, brought back and given new keys, by a running
//! cluster or while none runs.

use crate::data_dir::DataDir;
use anyhow::{Context, Result, bail};
use model::decode::{Format, decode};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storage_api::{Expected, Store as _};
use storage_embedded::{EmbeddedStore, Options};
use storage_encryption::{EncryptedStore, Encryption, KeyFile, rotate_key_file};
use tokio::sync::Mutex;

/// An open store.
pub(crate) struct Store {
    embedded: Arc<EmbeddedStore>,
    encrypted: Arc<EncryptedStore<EmbeddedStore>>,
    keys: Mutex<KeyFile>,
    configuration: Option<model::Value>,
    directory: PathBuf,
}

impl Store {
    /// Opens the store of a data directory; makes it if there is none. `configuration` is the file
    /// with upstream's `EncryptionConfiguration`, if there is one.
    pub(crate) fn open(data: &DataDir, configuration: Option<&Path>) -> Result<Self> {
        let configuration = configuration.map(read_configuration).transpose()?;
        let open_keys = |first_start| -> Result<KeyFile> {
            make_private(&data.encryption())?;
            Ok(KeyFile::open_or_create(
                &data.encryption().join("keys"),
                first_start,
            )?)
        };
        let open_store = || EmbeddedStore::open(&data.store(), Options::default()).map(Arc::new);
        // A first start makes the keys first, so that one that is cut short can be a first start
        // again. Later the store knows best what is wrong with a directory.
        let (keys, embedded) = if exists(data) {
            let embedded = open_store()?;
            (open_keys(false)?, embedded)
        } else {
            (open_keys(true)?, open_store()?)
        };
        let encryption = encryption(configuration.as_ref(), &keys)?;
        let encrypted = Arc::new(EncryptedStore::over(embedded.clone(), encryption));
        Ok(Self {
            embedded,
            encrypted,
            keys: Mutex::new(keys),
            configuration,
            directory: data.path().to_owned(),
        })
    }

    /// The store as the API server uses it.
    pub(crate) fn objects(&self) -> Arc<dyn storage_api::Store> {
        self.encrypted.clone()
    }

    /// Completes what was begun and closes the file.
    pub(crate) async fn close(&self) {
        self.embedded.close().await;
    }

    /// Copies everything that is there now into `file`, whole or not at all.
    pub(crate) async fn backup(&self, file: &Path) -> Result<String> {
        let partial = beside(file, "partial");
        let out = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)
            .with_context(|| format!("cannot write {}", partial.display()))?;
        let written = async {
            let report = self.embedded.backup(out.try_clone()?).await?;
            out.sync_all()?;
            std::fs::rename(&partial, file)?;
            anyhow::Ok(report)
        };
        match written.await {
            Ok(report) => Ok(format!(
                "{} objects as of revision {} in {} ({} bytes); to read them, the keys in {} are \
                 needed: keep a copy of these elsewhere",
                report.entries,
                report.revision,
                file.display(),
                report.bytes,
                self.directory.join("encryption").display()
            )),
            Err(error) => {
                let _ = std::fs::remove_file(&partial);
                Err(error.context(format!("cannot back up to {}", file.display())))
            }
        }
    }

    /// Brings every object back to what `backup` holds, by ordinary writes: revisions go on
    /// rising, and watchers see what changes.
    pub(crate) async fn bring_back(&self, backup: &Path) -> Result<String> {
        let scratch = self.directory.join("restore.partial");
        let _ = std::fs::remove_dir_all(&scratch);
        let result = self.bring_back_from(backup, &scratch).await;
        let _ = std::fs::remove_dir_all(&scratch);
        result
    }

    async fn bring_back_from(&self, backup: &Path, scratch: &Path) -> Result<String> {
        let file = File::open(backup)
            .with_context(|| format!("cannot read the backup {}", backup.display()))?;
        let into = scratch.to_owned();
        tokio::task::spawn_blocking(move || storage_embedded::restore(file, &into)).await??;
        let embedded = Arc::new(EmbeddedStore::open(scratch, Options::default())?);
        let keys = self.keys.lock().await;
        let encryption = encryption(self.configuration.as_ref(), &keys)?;
        let then = EncryptedStore::over(embedded.clone(), encryption);
        // Read with today's keys before anything is changed: a backup whose keys are gone changes
        // nothing.
        let wanted: BTreeMap<_, _> = then
            .range("/", None, 0, None)
            .await
            .context("the backup cannot be read with the keys of this data directory")?
            .entries
            .into_iter()
            .map(|entry| (entry.key, entry.value))
            .collect();
        let present = self.encrypted.range("/", None, 0, None).await?.entries;
        let (mut written, mut removed) = (0, 0);
        for entry in &present {
            if !wanted.contains_key(&entry.key) {
                let result = self.encrypted.delete(&entry.key, Expected::Any).await;
                match result {
                    Ok(_) => removed += 1,
                    // Somebody else deleted it in between.
                    Err(storage_api::StoreError::Conflict { current: None }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let now: BTreeMap<_, _> = present.into_iter().map(|e| (e.key, e.value)).collect();
        for (key, value) in &wanted {
            if now.get(key) != Some(value) {
                self.encrypted
                    .put(key, value.clone(), Expected::Any, None)
                    .await?;
                written += 1;
            }
        }
        embedded.close().await;
        Ok(format!(
            "{} objects are as in {}: {written} were written, {removed} removed",
            wanted.len(),
            backup.display()
        ))
    }

    /// Makes a new key, encrypts everything anew with it, and drops the old ones from the key file
    /// and from the store's file.
    pub(crate) async fn rotate(&self) -> Result<String> {
        let mut keys = self.keys.lock().await;
        let configuration = self.configuration.clone();
        let progress = rotate_key_file(
            self.encrypted.as_ref(),
            &mut keys,
            |keys| {
                encryption(configuration.as_ref(), keys)
                    .unwrap_or_else(|_| Encryption::envelope(keys))
            },
            |progress| tracing::info!(?progress, "encrypting anew"),
        )
        .await?;
        self.embedded.vacuum().await?;
        Ok(format!(
            "{} of {} objects were encrypted anew with {}; the old keys open nothing any more",
            progress.rewritten,
            progress.examined,
            keys.names().next().unwrap_or_default()
        ))
    }

    /// The keys there are.
    pub(crate) async fn key_names(&self) -> String {
        let keys = self.keys.lock().await;
        let names: Vec<&str> = keys.names().collect();
        format!("keys: {} (the first one encrypts)", names.join(", "))
    }

    /// Forgets history before `revision`.
    pub(crate) async fn compact(&self, revision: u64) -> Result<(), storage_api::StoreError> {
        self.embedded.compact(revision).await
    }

    /// The newest revision.
    pub(crate) async fn revision(&self) -> Result<u64, storage_api::StoreError> {
        self.embedded.revision().await
    }
}

/// Whether the data directory holds a store.
pub(crate) fn exists(data: &DataDir) -> bool {
    std::fs::read_dir(data.store()).is_ok_and(|mut entries| entries.next().is_some())
}

/// Makes the store of an empty data directory from a backup.
pub(crate) fn restore_new(data: &DataDir, backup: &Path) -> Result<String> {
    let keys = data.encryption().join("keys");
    if !keys.is_file() {
        bail!(
            "{} is missing: copy the encryption directory of the cluster that was backed up to {} \
             first (and its pki directory, to keep its certificates)",
            keys.display(),
            data.encryption().display()
        );
    }
    let file = File::open(backup)
        .with_context(|| format!("cannot read the backup {}", backup.display()))?;
    let report = storage_embedded::restore(file, &data.store())?;
    Ok(format!(
        "{} objects as of revision {} were restored to {}",
        report.entries,
        report.revision,
        data.store().display()
    ))
}

fn encryption(configuration: Option<&model::Value>, keys: &KeyFile) -> Result<Encryption> {
    Ok(match configuration {
        None => Encryption::envelope(keys),
        Some(configuration) => Encryption::from_configuration(configuration, keys)?,
    })
}

fn read_configuration(file: &Path) -> Result<model::Value> {
    let text = std::fs::read(file).with_context(|| {
        format!(
            "cannot read the encryption configuration {}",
            file.display()
        )
    })?;
    Ok(decode(&text, Format::Yaml)
        .with_context(|| file.display().to_string())?
        .value)
}

fn make_private(directory: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("cannot make {}", directory.display()))
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
