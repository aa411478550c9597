//! The OpenAPI description of the routes.

use countersign_shared::http::dialects::verify::{
    EntityBody, EntityForm, EntityList, EntityQuery, Paging, VerifyError,
};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    match (route.method, route.path.ends_with("/{identity}")) {
        ("POST", _) => verify_service("verify-entities-create", "Create an entity", route)
            .request_body(Some(form_with::<EntityForm>(&[])))
            .response("201", json::<EntityBody>("It was created"))
            .response("400", json::<VerifyError>("A parameter is not valid, or the identity has an entity"))
            .response("415", json::<VerifyError>("The body is no form, or it is encoded")),
        ("DELETE", _) => entity("verify-entities-delete", "Delete an entity and its factors", route)
            .response("204", ResponseBuilder::new().description("It was deleted")),
        (_, true) => entity("verify-entities-show", "Show an entity", route).response("200", json::<EntityBody>("It")),
        (_, false) => verify_service("verify-entities-list", "List entities", route)
            .parameters(Some(parameters::<Paging>()))
            .parameters(Some(parameters::<EntityQuery>()))
            .response("200", json::<EntityList>("A page, in the order of identities"))
            .response("400", json::<VerifyError>("A parameter is not valid")),
    }
}
