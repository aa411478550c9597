//! The OpenAPI description of the route.

use countersign_shared::http::dialects::verify::{StartForm, VerificationBody, VerifyError};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    verify_service("verification-start", "Start a verification, or send its code again", route)
        .parameter(idempotency())
        .request_body(Some(form_with::<StartForm>(&[])))
        .response("201", json::<VerificationBody>("Its code is on its way"))
        .response("400", json::<VerifyError>("A parameter is not valid, or the channel is off"))
        .response("403", json::<VerifyError>("The service or the deployment does not allow it"))
        .response("409", limited("The same call, by its Idempotency-Key, is under way"))
        .response("415", json::<VerifyError>("The body is no form, or it is encoded"))
        .response("429", limited("Too many messages"))
}
