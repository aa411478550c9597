//! The OpenAPI description of the routes.

use countersign_shared::http::dialects::verify::{Paging, ServiceBody, ServiceForm, ServiceList, VerifyError};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    let forms = |operation: OperationBuilder| {
        operation
            .response("400", json::<VerifyError>("A parameter is not valid"))
            .response("403", json::<VerifyError>("A setting of what is not available"))
            .response("415", json::<VerifyError>("The body is no form, or it is encoded"))
    };
    match (route.method, route.path) {
        ("POST", "/v2/Services") => forms(verify("verify-services-create", "Create a service", route))
            .request_body(Some(form_with::<ServiceForm>(&["FriendlyName"])))
            .response("201", json::<ServiceBody>("It was created")),
        ("POST", _) => forms(verify_service("verify-services-update", "Change a service", route))
            .request_body(Some(form_with::<ServiceForm>(&[])))
            .response("200", json::<ServiceBody>("As it is now")),
        ("DELETE", _) => verify_service("verify-services-delete", "Delete a service", route)
            .response("204", ResponseBuilder::new().description("It was deleted")),
        (_, "/v2/Services") => verify("verify-services-list", "List services", route)
            .parameters(Some(parameters::<Paging>()))
            .response("200", json::<ServiceList>("A page, in order of creation"))
            .response("400", json::<VerifyError>("A parameter is not valid")),
        _ => verify_service("verify-services-show", "Show a service", route).response("200", json::<ServiceBody>("It")),
    }
}
