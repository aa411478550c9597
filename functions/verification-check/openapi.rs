//! The OpenAPI description of the route.

use countersign_shared::http::dialects::verify::{CheckBody, CheckForm, VerifyError};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    verify_service("verification-check", "Check a code", route)
        .request_body(Some(form_with::<CheckForm>(&[])))
        .response("200", json::<CheckBody>("Whether the code was right: the verification is then approved"))
        .response("400", json::<VerifyError>("A parameter is not valid"))
        .response("415", json::<VerifyError>("The body is no form, or it is encoded"))
        .response("429", limited("Too many codes were compared"))
}
