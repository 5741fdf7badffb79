//! An immutable, indexed set of Kubernetes objects, from any source: what every analysis reads.
//!
//! A [`Builder`] takes documents of files, objects of a live cluster, or a snapshot file, and
//! [`Builder::build`] makes a [`Snapshot`] of them. So that an analysis gives one answer whatever
//! the source, objects are brought to one form on the way in, that in which an API server would
//! hold them:
//!
//! * held against the schema, defaulted, and in the version that is stored (what they were
//!   written as stays in [`Object::written`]);
//! * in a namespace if their kind lives in one (`default` or the one that was asked for), and in
//!   none if it does not;
//! * without what changes on its own or repeats the rest: managed fields and kubectl's
//!   `last-applied-configuration`;
//! * secrets without their values: only the keys stay.
//!
//! What every cluster has anyway ([`Standing::Given`]: the bootstrap policy, the system
//! namespaces, the default service accounts) is added to manifests, and told apart from the rest
//! in a live cluster, so that analyses neither miss it nor blame anyone for it.
//!
//! What could not be understood is a [`Problem`] with its place; it never stops the rest.

mod builder;
mod container;
mod file;
mod given;
mod kinds;
mod normal;
mod object;
mod overlay;
mod pods;
mod problem;
mod reading;
mod roles;
mod set;
mod source;
mod workloads;

pub use builder::{Builder, Options};
pub use container::{Container, ContainerKind, Level, Setting};
pub use file::{FileError, SCHEMA_VERSION};
pub use kinds::{Kind, Kinds};
pub use object::{Object, ObjectId, Standing};
pub use pods::PodTemplate;
pub use problem::{Problem, ProblemKind, Severity};
pub use reading::Reading;
pub use roles::RuleOrigin;
pub use set::{Origin, Snapshot};
pub use source::{Citation, FileId, Location, Source};
pub use workloads::{
    Makes, PodTemplatePath, PodTemplatePathError, WORKLOADS, Workload, holds_pods,
};
