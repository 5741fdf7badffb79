//! OpenAPI documents made from the registry and the schema: v3 per group and version, and v2 (also
//! in the protobuf form that older kubectl versions ask for).
