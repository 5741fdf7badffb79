//! Images: pulled from registries or imported from archives, kept as unpacked layers that
//! containers stack.

mod config;
mod import;
mod index;
mod layer;
mod overlay;
mod pull;
mod reference;
mod store;
mod unpack;
mod users;

pub use pull::{Mirror, Registries};
pub use store::{ImageStore, StoreConfig};
