//! Effective requests and limits of a pod, its QoS class, and quota arithmetic.
