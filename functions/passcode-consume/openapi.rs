//! The OpenAPI description of the route.

use countersign_shared::http::dialects::broadleaf::{ConsumeForm, Consumed, SpringError};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    broadleaf("Consume a passcode", route)
        .extensions(Some(verifies()))
        .request_body(Some(form::<ConsumeForm>()))
        .response("200", json::<Consumed>("It was good, and is used up"))
        .response("415", json::<SpringError>("The body is no form, or it is encoded"))
        .response("429", exhausted("Too many guesses at short passcodes"))
}
