//! Building blocks of the descriptions.

use std::{cell::RefCell, collections::BTreeMap};

use countersign_shared::http::reply::JSON;
pub use countersign_shared::http::route::Route;
pub use utoipa::openapi::{
    ContentBuilder, Required, ResponseBuilder, SecurityRequirement,
    path::{OperationBuilder, ParameterBuilder, ParameterIn},
    request_body::RequestBody,
    schema::{AnyOfBuilder, ObjectBuilder, OneOfBuilder, Schema, Type},
};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        Header, Ref, RefOr,
        extensions::{Extensions, ExtensionsBuilder},
        header::HeaderBuilder,
        path::Parameter,
        request_body::RequestBodyBuilder,
        schema::{AdditionalProperties, SchemaFormat, SchemaType},
    },
};

// The tags.
pub const PIN: &str = "Support PIN";
pub const ACCOUNT: &str = "Registration and password reset";
pub const PASSCODE: &str = "Passcodes";
pub const FACTOR: &str = "Tokens and second factors";
pub const VERIFY: &str = "Verify";
pub const DESCRIPTION: &str = "Description";

pub const CHALLENGE: &str = "WWW-Authenticate";

thread_local! {
    /// The schemas that were referenced, by name.
    static SCHEMAS: RefCell<BTreeMap<String, RefOr<Schema>>> = RefCell::default();
}

/// The schemas that were referenced since the last call.
pub fn referred() -> BTreeMap<String, RefOr<Schema>> {
    SCHEMAS.take()
}

/// A reference to a type, and those that it consists of.
pub fn reference<T: ToSchema>() -> Ref {
    let mut parts = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut parts);
    SCHEMAS.with_borrow_mut(|schemas| {
        for (name, schema) in parts {
            schemas.entry(name).or_insert(schema);
        }
    });
    Ref::from_schema_name(T::name())
}

/// The object of a request: unknown fields are refused.
pub fn closed<T: ToSchema>() -> Ref {
    let reference = reference::<T>();
    SCHEMAS.with_borrow_mut(|schemas| {
        if let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(&*T::name()) {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    });
    reference
}

pub fn uuid() -> ObjectBuilder {
    let format = SchemaFormat::Custom("uuid".to_owned());
    ObjectBuilder::new().schema_type(Type::String).format(Some(format))
}

/// A user's number, in a path.
pub fn number() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[1-9][0-9]{0,19}$")).examples(["123"])
}

/// The seconds of `Retry-After`.
pub fn seconds() -> Header {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    HeaderBuilder::new().schema(Some(seconds)).build()
}

pub fn text() -> Header {
    HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String))).build()
}

pub fn named(summary: &str, route: &Route) -> OperationBuilder {
    OperationBuilder::new().summary(Some(summary)).operation_id(Some(route.function))
}

pub fn parameters<T: IntoParams>() -> Vec<Parameter> {
    T::into_params(|| None)
}

pub fn form<T: ToSchema>() -> RequestBody {
    let content = ContentBuilder::new().schema(Some(reference::<T>())).build();
    RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content("application/x-www-form-urlencoded", content)
        .build()
}

/// A form of which these fields are required here, and not wherever the type is used. A form has no `null`: an optional
/// field is absent.
pub fn form_with<T: ToSchema>(required: &[&str]) -> RequestBody {
    let schema = match T::schema() {
        RefOr::T(Schema::Object(mut object)) => {
            object.required.extend(required.iter().map(|&name| name.to_owned()));
            for property in object.properties.values_mut() {
                if let RefOr::T(Schema::Object(property)) = property
                    && let SchemaType::Array(types) = &property.schema_type
                    && let Some(of) = types.iter().find(|of| **of != Type::Null)
                {
                    property.schema_type = SchemaType::Type(of.clone());
                }
            }
            RefOr::T(Schema::Object(object))
        }
        other => other,
    };
    let content = ContentBuilder::new().schema(Some(schema)).build();
    RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content("application/x-www-form-urlencoded", content)
        .build()
}

pub fn json<T: ToSchema>(description: &str) -> ResponseBuilder {
    json_of(description, reference::<T>())
}

/// A dependency did not respond in time.
pub fn unavailable(schema: impl Into<RefOr<Schema>>) -> ResponseBuilder {
    json_of("Ours, and passing", schema).header("Retry-After", seconds())
}

pub fn json_of(description: &str, schema: impl Into<RefOr<Schema>>) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content(JSON, content)
}

pub fn idempotency() -> Parameter {
    let length = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(255))
        // Visible ASCII, with blanks between.
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

/// For routes that verify codes or passcodes: the requirements of one (R11 to R13) apply to all (R26).
pub fn verifies() -> Extensions {
    ExtensionsBuilder::new().add("x-verifies", true).build()
}

pub fn any_of<const N: usize>(schemas: [RefOr<Schema>; N]) -> Schema {
    let any = schemas.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item);
    Schema::AnyOf(any.build())
}

pub fn one_of<const N: usize>(schemas: [Ref; N]) -> Schema {
    Schema::OneOf(schemas.into_iter().fold(OneOfBuilder::new(), OneOfBuilder::item).build())
}

pub fn object(schema: impl Into<RefOr<Schema>>) -> RequestBody {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    RequestBodyBuilder::new().required(Some(Required::True)).content(JSON, content).build()
}
