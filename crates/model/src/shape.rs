//! Where in the type system a value stands: the view of the schema that patches and apply share.
//!
//! Structured-merge-diff knows a type by how ownership of it works, not by what Go calls it:
//! objects and lists are owned member by member ("granular") or as a whole ("atomic").

use crate::Value;
use crate::resource::Text;
use crate::schema::{self, ListKind, ListType, MapType, ObjectType, Schema, Type};

/// A type, as seen from a value's place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape<'s> {
    schema: &'s Schema,
    place: Place<'s>,
}

#[derive(Debug, Clone, Copy)]
enum Place<'s> {
    Object {
        ty: &'s ObjectType,
        atomic: bool,
    },
    List(&'s ListType),
    Map(&'s MapType),
    Scalar(&'s Type),
    /// No type is known: a value's own form decides.
    Free,
}

/// How ownership of a value works.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form<'s> {
    /// One owner for the whole.
    Leaf,
    /// Named fields, each on its own.
    Struct,
    /// Arbitrary keys, each on its own.
    Map,
    /// A list of scalars, each on its own.
    Set,
    /// A list of objects told apart by these fields.
    Keyed(&'s [Text]),
    /// Objects member by member, everything else as a whole.
    Free,
}

/// A field of a struct.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'s> {
    /// The field's name.
    pub(crate) name: &'s str,
    /// The type of its value.
    pub(crate) shape: Shape<'s>,
    field: &'s schema::Field,
}

impl<'s> Field<'s> {
    /// Whether a strategic merge patch replaces the field's map.
    pub(crate) fn replaces(self) -> bool {
        self.field.patch.replace
    }

    /// Whether a strategic merge patch merges the field's list.
    pub(crate) fn merges(self) -> bool {
        self.field.patch.merge
    }

    /// The key by which a strategic merge patch merges the field's list.
    pub(crate) fn merge_key(self) -> Option<&'s str> {
        self.field.merge_key.as_deref()
    }

    /// Whether upstream's encoding of an object always has the field, with a zero value if it was
    /// not given one. Such a field is never new.
    pub(crate) fn always(self) -> bool {
        !self.field.pointer && (!self.field.omit_empty || is_go_struct(&self.field.ty))
    }

    /// The default that completes a list entry's key.
    pub(crate) fn default(self) -> Option<&'s Value> {
        self.field.default.as_ref()
    }
}

impl<'s> Shape<'s> {
    /// The type of that name, if the schema has it.
    pub(crate) fn of(schema: &'s Schema, name: &str) -> Option<Self> {
        let ty = schema.get(name)?;
        Some(Self {
            schema,
            place: Place::Object {
                ty,
                atomic: ty.atomic,
            },
        })
    }

    /// A type of which nothing is known.
    pub(crate) fn free(schema: &'s Schema) -> Self {
        Self {
            schema,
            place: Place::Free,
        }
    }

    fn at(self, ty: &'s Type, atomic: bool) -> Self {
        let place = match ty {
            Type::Object(id) => match self.schema.object(*id) {
                Some(ty) => Place::Object {
                    ty,
                    atomic: atomic || ty.atomic,
                },
                None => Place::Free,
            },
            Type::List(list) => Place::List(list),
            Type::Map(map) => Place::Map(map),
            Type::Raw(_) => Place::Free,
            scalar => Place::Scalar(scalar),
        };
        Self { place, ..self }
    }

    /// How ownership of values at this place works.
    pub(crate) fn form(self) -> Form<'s> {
        match self.place {
            Place::Object { atomic: true, .. } | Place::Scalar(_) => Form::Leaf,
            Place::Object { .. } => Form::Struct,
            Place::Map(map) if map.atomic => Form::Leaf,
            Place::Map(_) => Form::Map,
            Place::List(list) => match &list.kind {
                ListKind::Atomic => Form::Leaf,
                ListKind::Set => Form::Set,
                ListKind::Map(keys) => Form::Keyed(keys),
            },
            Place::Free => Form::Free,
        }
    }

    /// The field `name`, if this is an object type that has it.
    pub(crate) fn field(self, name: &str) -> Option<Field<'s>> {
        let Place::Object { ty, .. } = self.place else {
            return None;
        };
        let field = ty.field(name)?;
        Some(Field {
            name: &field.name,
            shape: self.at(&field.ty, field.atomic),
            field,
        })
    }

    /// The type of the member `name`, be it a field or an entry of a map.
    pub(crate) fn member(self, name: &str) -> Self {
        match self.place {
            Place::Object { .. } => match self.field(name) {
                Some(field) => field.shape,
                None => Self::free(self.schema),
            },
            Place::Map(map) => self.at(&map.value, false),
            _ => Self::free(self.schema),
        }
    }

    /// The fields that upstream's encoding of this object type always has, because their Go type
    /// is a struct.
    pub(crate) fn implied(self) -> impl Iterator<Item = &'s str> {
        let fields = match self.place {
            Place::Object { ty, .. } => ty.fields(),
            _ => &[],
        };
        fields
            .iter()
            .filter(|field| !field.pointer && is_go_struct(&field.ty))
            .map(|field| &*field.name)
    }

    /// The type of the elements, if this is a list.
    pub(crate) fn element(self) -> Option<Self> {
        match self.place {
            Place::List(list) => Some(self.at(&list.element, false)),
            _ => None,
        }
    }

    /// Whether an object here may have a member `name`.
    pub(crate) fn declares(self, name: &str) -> bool {
        match self.place {
            Place::Object { ty, .. } => ty.preserve_unknown || ty.field(name).is_some(),
            _ => true,
        }
    }

    /// The type itself, for checks of single values.
    pub(crate) fn kind(self) -> Kind<'s> {
        match self.place {
            Place::Object { .. } | Place::Map(_) => Kind::Object,
            Place::List(_) => Kind::List,
            Place::Scalar(ty) => Kind::Scalar(ty),
            Place::Free => Kind::Any,
        }
    }
}

/// Whether upstream's Go type is a struct, which `omitempty` never leaves out.
fn is_go_struct(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Object(_)
            | Type::IntOrString
            | Type::Quantity
            | Type::Time
            | Type::MicroTime
            | Type::Duration
            | Type::Raw(_)
    )
}

/// What JSON form a type's values have.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind<'s> {
    /// A JSON object.
    Object,
    /// A JSON list.
    List,
    /// A JSON text, number or truth value.
    Scalar(&'s Type),
    /// Anything.
    Any,
}
