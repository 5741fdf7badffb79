//! The fields that upstream's encoder writes even when nobody set them.

use super::Schema;
use super::types::{Field, ObjectType, Type};
use crate::{Map, Value};

impl Schema {
    /// Adds the fields that upstream's Go types always write: embedded objects (`resources: {}` of
    /// a container, `status: {}`) and scalars without `omitempty`. To be called after defaulting,
    /// which tells absent fields from set ones, and before managed fields are worked out.
    ///
    /// Nulls, which upstream writes for some absent lists and times, are not added.
    pub fn complete(&self, name: &str, value: &mut Value) {
        if let Some(ty) = self.get(name) {
            self.complete_object(ty, value);
        }
    }

    fn complete_object(&self, ty: &ObjectType, value: &mut Value) {
        let Value::Object(map) = value else { return };
        for field in ty.fields() {
            if let Some(value) = map.get_mut(&*field.name) {
                self.complete_value(&field.ty, value);
            } else if let Some(mut filled) = always_written(field) {
                self.complete_value(&field.ty, &mut filled);
                map.insert(field.name.clone().into_owned(), filled);
            }
        }
    }

    fn complete_value(&self, ty: &Type, value: &mut Value) {
        match (ty, value) {
            (Type::Object(id), value) => {
                if let Some(ty) = self.object(*id) {
                    self.complete_object(ty, value);
                }
            }
            (Type::List(list), Value::Array(items)) if has_parts(&list.element) => {
                for item in items {
                    self.complete_value(&list.element, item);
                }
            }
            (Type::Map(map), Value::Object(entries)) if has_parts(&map.value) => {
                for entry in entries.values_mut() {
                    self.complete_value(&map.value, entry);
                }
            }
            _ => {}
        }
    }
}

fn has_parts(ty: &Type) -> bool {
    matches!(ty, Type::Object(_) | Type::List(_) | Type::Map(_))
}

fn always_written(field: &Field) -> Option<Value> {
    if field.pointer {
        return None;
    }
    match &field.ty {
        // `omitempty` does nothing for embedded objects.
        Type::Object(_) => Some(Value::Object(Map::new())),
        _ if field.omit_empty => None,
        Type::String => Some(Value::String(String::new())),
        Type::Int32 | Type::Int64 | Type::Double => Some(0.into()),
        Type::Bool => Some(false.into()),
        _ => None,
    }
}
