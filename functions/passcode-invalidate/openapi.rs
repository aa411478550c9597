//! The OpenAPI description of the route.

use countersign_shared::http::dialects::broadleaf::{InvalidateForm, SpringError, Status};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    broadleaf("Invalidate a passcode", route)
        .request_body(Some(form::<InvalidateForm>()))
        .response("200", json::<Status>("It is not valid any more"))
        .response("404", json::<SpringError>("No such passcode of this client"))
        .response("415", json::<SpringError>("The body is no form, or it is encoded"))
}
