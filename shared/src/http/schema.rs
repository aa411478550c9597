//! Parts of the OpenAPI document that types do not express: permitted texts, from the names that the code reads and
//! writes.

use utoipa::openapi::{Object, ObjectBuilder, schema::SchemaType, schema::Type};

/// A text with one of these values.
pub(super) fn one_of(names: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build()
}

/// Any value: the field is ignored.
pub(super) fn anything() -> Object {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some("Not looked at.")).build()
}
