//! Parts of the description that no type says: what a text may be, by the names that the code itself reads and writes.

use utoipa::openapi::{Object, ObjectBuilder, schema::SchemaType, schema::Type};

/// A text that is one of these.
pub(super) fn one_of(names: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(names))
        .build()
}

/// Any value: the field is not looked at.
pub(super) fn anything() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .description(Some("Not looked at."))
        .build()
}
