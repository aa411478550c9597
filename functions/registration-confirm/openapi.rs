//! The OpenAPI description of the route.

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    link("Make the account, with a password", route)
}
