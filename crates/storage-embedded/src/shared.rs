//! What the store's handle, its writer thread and its watch streams have in common.

use crate::options::Options;
use crate::view::View;
use crate::watch::Hub;
use parking_lot::RwLock;
use std::path::PathBuf;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    /// The store's file.
    pub(crate) file: PathBuf,
    pub(crate) view: RwLock<View>,
    pub(crate) hub: Hub,
}
