//! What the routes of verifications have in common.

use countersign_shared::http::dialects::verify::VerifyError;

use super::parts::*;

pub fn verify(id: &str, summary: &str, route: &Route) -> OperationBuilder {
    named(summary, route)
        .operation_id(Some(id))
        .tag(VERIFY)
        .security(SecurityRequirement::new::<_, [&str; 0], &str>("basic", []))
        .response("401", json::<VerifyError>("No credential, or a wrong one").header(CHALLENGE, text()))
        .response("413", json::<VerifyError>("The body has more than 16 KiB"))
        .response("415", json::<VerifyError>("The body is encoded"))
        .response("500", json::<VerifyError>("Ours"))
        .response("503", unavailable(reference::<VerifyError>()))
}

/// A route of one service.
pub fn verify_service(id: &str, summary: &str, route: &Route) -> OperationBuilder {
    verify(id, summary, route)
        .parameter(sid("service", "VA"))
        .response("404", json::<VerifyError>("No such resource of the account"))
}

/// A route of one entity.
pub fn entity(id: &str, summary: &str, route: &Route) -> OperationBuilder {
    let identity = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[A-Za-z0-9-]{8,64}$"));
    let identity = ParameterBuilder::new()
        .name("identity")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The application's name of the entity"))
        .schema(Some(identity));
    verify_service(id, summary, route).parameter(identity)
}

/// A route of one verification.
pub fn verification(id: &str, summary: &str, route: &Route) -> OperationBuilder {
    let name = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
    let name = ParameterBuilder::new()
        .name("verification")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The SID of the verification, or its number or address"))
        .schema(Some(name));
    verify_service(id, summary, route).parameter(name)
}

/// Rate limited.
pub fn limited(description: &str) -> ResponseBuilder {
    json::<VerifyError>(description).header("Retry-After", seconds())
}

/// A SID in the path.
pub fn sid(name: &str, letters: &str) -> ParameterBuilder {
    let pattern = format!("^{letters}[0-9a-fA-F]{{32}}$");
    let schema = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema))
}
