//! The OpenAPI description of the routes.

use countersign_shared::http::dialects::verify::{
    EntityFactorBody, EntityFactorList, FactorChangeForm, FactorForm, NewEntityFactorBody, Paging, VerifyError,
};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    let one = |id: &str, summary: &str| entity(id, summary, route).parameter(sid("factor", "YF"));
    let forms = |operation: OperationBuilder, description: &str| {
        operation
            .response("400", json::<VerifyError>(description))
            .response("415", json::<VerifyError>("The body is no form, or it is encoded"))
    };
    match (route.method, route.path.ends_with("/Factors")) {
        ("POST", true) => {
            let operation = entity("verify-factors-create", "Create a factor", route)
                .request_body(Some(form_with::<FactorForm>(&[])))
                .response("201", json::<NewEntityFactorBody>("It was created, with the entity if there was none"))
                .response("403", json::<VerifyError>("The type is not available"));
            forms(operation, "A parameter is not valid, or there are as many factors as there may be")
        }
        ("POST", false) => {
            let operation = one("verify-factors-update", "Change or verify a factor")
                .request_body(Some(form_with::<FactorChangeForm>(&[])))
                .response("200", json::<EntityFactorBody>("As it is now: `unverified` after a wrong code"))
                .response("429", limited("Too many codes were compared"));
            forms(operation, "A parameter is not valid, or the factor was verified before")
        }
        ("DELETE", _) => one("verify-factors-delete", "Delete a factor and its challenges")
            .response("204", ResponseBuilder::new().description("It was deleted")),
        (_, true) => entity("verify-factors-list", "List factors", route)
            .parameters(Some(parameters::<Paging>()))
            .response("200", json::<EntityFactorList>("A page, in order of creation"))
            .response("400", json::<VerifyError>("A parameter is not valid")),
        (_, false) => one("verify-factors-show", "Show a factor").response("200", json::<EntityFactorBody>("It")),
    }
}
