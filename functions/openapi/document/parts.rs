//! What descriptions are put together from.

use countersign_shared::http::{reply::JSON, route::Route};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        ContentBuilder, Header, Ref, RefOr, Required, ResponseBuilder,
        extensions::{Extensions, ExtensionsBuilder},
        header::HeaderBuilder,
        path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
        request_body::{RequestBody, RequestBodyBuilder},
        schema::{AdditionalProperties, AnyOfBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type},
    },
};

pub(super) const CHALLENGE: &str = "WWW-Authenticate";

/// A request's object: a field that it does not name is refused.
pub(super) fn closed<T: ToSchema>() -> (String, RefOr<Schema>) {
    let mut schema = T::schema();
    if let RefOr::T(Schema::Object(object)) = &mut schema {
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    }
    (T::name().into_owned(), schema)
}

pub(super) fn uuid() -> ObjectBuilder {
    let format = SchemaFormat::Custom("uuid".to_owned());
    ObjectBuilder::new().schema_type(Type::String).format(Some(format))
}

/// A user's number, in a path.
pub(super) fn number() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[1-9][0-9]{0,19}$"))
        .examples(["123"])
}

/// Seconds, in `Retry-After`.
pub(super) fn seconds() -> Header {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    HeaderBuilder::new().schema(Some(seconds)).build()
}

pub(super) fn text() -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

pub(super) fn named(summary: &str, route: &Route) -> OperationBuilder {
    OperationBuilder::new()
        .summary(Some(summary))
        .operation_id(Some(route.function))
}

pub(super) fn parameters<T: IntoParams>() -> Vec<Parameter> {
    T::into_params(|| None)
}

pub(super) fn form<T: ToSchema>() -> RequestBody {
    let content = ContentBuilder::new().schema(Some(reference::<T>())).build();
    RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content("application/x-www-form-urlencoded", content)
        .build()
}

pub(super) fn json<T: ToSchema>(description: &str) -> ResponseBuilder {
    json_of(description, reference::<T>())
}

/// Something of ours gave no answer in time.
pub(super) fn unavailable(schema: impl Into<RefOr<Schema>>) -> ResponseBuilder {
    json_of("Ours, and passing", schema).header("Retry-After", seconds())
}

pub(super) fn json_of(description: &str, schema: impl Into<RefOr<Schema>>) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content(JSON, content)
}

pub(super) fn reference<T: ToSchema>() -> Ref {
    Ref::from_schema_name(T::name())
}

pub(super) fn idempotency() -> Parameter {
    let length = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(255))
        // Visible ASCII, and blanks between.
        .pattern(Some("^[!-~]([ -~]*[!-~])?$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "The same key and body within 24 hours get the same answer, and send nothing again. Once the tokens of the user or \
             client that the answer is for have ended, the call is judged anew",
        ))
        .schema(Some(length))
        .build()
}

/// Of a route that checks codes or passcodes: what holds for one of them (R11 to R13) holds for all (R26).
pub(super) fn verifies() -> Extensions {
    ExtensionsBuilder::new().add("x-verifies", true).build()
}

pub(super) fn any_of<const N: usize>(schemas: [RefOr<Schema>; N]) -> Schema {
    let any = schemas.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item);
    Schema::AnyOf(any.build())
}

pub(super) fn one_of<const N: usize>(schemas: [Ref; N]) -> Schema {
    Schema::OneOf(
        schemas
            .into_iter()
            .fold(OneOfBuilder::new(), OneOfBuilder::item)
            .build(),
    )
}

pub(super) fn object(schema: impl Into<RefOr<Schema>>) -> RequestBody {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content(JSON, content)
        .build()
}
