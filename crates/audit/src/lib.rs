//! The audit log: policy file, levels and events of the audit.k8s.io API.
