//! Encryption at rest as a decorator over any [`storage_api::Store`].
//!
//! By default everything is encrypted, with keys of a key file ([`KeyFile`]) that the cluster makes
//! for itself; [`Encryption::from_configuration`] takes upstream's `EncryptionConfiguration`
//! instead. Keys change while the store is in use ([`rotate`]). `docs/storage.md` says what this
//! protects from and what it costs.

mod cipher;
mod configuration;
mod encryption;
mod envelope;
mod key_file;
mod provider;
mod resources;
mod rotation;
mod secret;
mod store;

pub use configuration::ConfigurationError;
pub use encryption::Encryption;
pub use key_file::{KeyFile, KeyFileError};
pub use rotation::{Progress, RotationError, rotate, rotate_key_file};
pub use secret::NoRandomness;
pub use store::EncryptedStore;
