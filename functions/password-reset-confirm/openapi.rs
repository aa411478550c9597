//! The OpenAPI description of the route.

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    link("Set a new password", route).parameter(idempotency()).response("409", under_way())
}
