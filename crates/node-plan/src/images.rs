//! Images: what their names mean, when they are pulled, and which go when the disk fills.

pub mod garbage;
pub mod name;
pub mod pull;
