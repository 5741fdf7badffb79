//! The wire format: fields of a message, and the data of one.

use super::ProtobufError;
use crate::schema::Type;

/// What stands in a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Data<'a> {
    /// A variable-length number.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Four bytes.
    Fixed32(u32),
    /// A text, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
}

impl<'a> Data<'a> {
    /// What an absent field of that type holds.
    pub(super) fn empty(ty: &Type) -> Self {
        match ty {
            Type::Int32 | Type::Int64 | Type::Bool => Self::Varint(0),
            Type::Double => Self::Fixed64(0),
            _ => Self::Bytes(&[]),
        }
    }

    pub(super) fn bytes(&self, field: &str) -> Result<&'a [u8], ProtobufError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(ProtobufError::Malformed(field.to_owned())),
        }
    }

    pub(super) fn integer(&self, field: &str) -> Result<i64, ProtobufError> {
        match self {
            // Negative numbers are written in two's complement.
            Self::Varint(number) => Ok(number.cast_signed()),
            _ => Err(ProtobufError::Malformed(field.to_owned())),
        }
    }

    pub(super) fn double(&self, field: &str) -> Result<f64, ProtobufError> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(*bits)),
            _ => Err(ProtobufError::Malformed(field.to_owned())),
        }
    }
}

/// The fields of a message, in the order in which they stand there.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    name: &'a str,
}

impl<'a> Fields<'a> {
    /// The fields of the message in `bytes`; `name` is for errors.
    pub(super) fn of(bytes: &'a [u8], name: &'a str) -> Self {
        Self { rest: bytes, name }
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u32, Data<'a>)> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0)?;
        let data = match tag & 7 {
            0 => Data::Varint(self.varint()?),
            1 => Data::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Data::Bytes(self.take(length)?)
            }
            5 => Data::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((number, data))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Data<'a>), ProtobufError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.rest = &[];
        }
        Some(field.ok_or_else(|| ProtobufError::Malformed(self.name.to_owned())))
    }
}

/// The entries of one occurrence of a list: itself, or many numbers if they are packed.
pub(super) fn repeated<'a>(
    element: &Type,
    data: &Data<'a>,
    name: &str,
) -> Result<Vec<Data<'a>>, ProtobufError> {
    let Data::Bytes(packed) = data else {
        return Ok(vec![*data]);
    };
    if !matches!(element, Type::Int32 | Type::Int64 | Type::Bool) {
        return Ok(vec![*data]);
    }
    let mut numbers = Fields {
        rest: packed,
        name: "",
    };
    let mut items = Vec::new();
    while !numbers.rest.is_empty() {
        let number = numbers
            .varint()
            .ok_or_else(|| ProtobufError::Malformed(name.to_owned()))?;
        items.push(Data::Varint(number));
    }
    Ok(items)
}
