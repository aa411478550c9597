//! The OpenAPI description of the routes.

use countersign_shared::http::dialects::verify::{
    AttemptBody, AttemptConditions, AttemptList, AttemptQuery, SummaryBody, VerifyError,
};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    match route.path {
        "/v2/Attempts/Summary" => verify("verify-attempts-summary", "Count attempts", route)
            .parameters(Some(parameters::<AttemptConditions>()))
            .response("200", json::<SummaryBody>("How many there were, and how many codes were used"))
            .response("400", json::<VerifyError>("A parameter is not valid")),
        "/v2/Attempts" => verify("verify-attempts-list", "List attempts of 30 days", route)
            .parameters(Some(parameters::<AttemptQuery>()))
            .parameters(Some(parameters::<AttemptConditions>()))
            .response("200", json::<AttemptList>("A page, newest first"))
            .response("400", json::<VerifyError>("A parameter is not valid")),
        _ => verify("verify-attempts-show", "Show an attempt", route)
            .parameter(sid("attempt", "VL"))
            .response("200", json::<AttemptBody>("It"))
            .response("404", json::<VerifyError>("No such attempt of the account")),
    }
}
