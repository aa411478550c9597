//! The OpenAPI description of the routes.

use countersign_shared::http::dialects::verify::{
    ChallengeAnswerForm, ChallengeBody, ChallengeForm, ChallengeList, ChallengeQuery, Paging, VerifyError,
};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    let one = |id: &str, summary: &str| entity(id, summary, route).parameter(sid("challenge", "YC"));
    let forms = |operation: OperationBuilder, description: &str| {
        operation
            .response("400", json::<VerifyError>(description))
            .response("415", json::<VerifyError>("The body is no form, or it is encoded"))
    };
    match (route.method, route.path.ends_with("/Challenges")) {
        ("POST", true) => {
            let operation = entity("verify-challenges-create", "Create a challenge", route)
                .request_body(Some(form_with::<ChallengeForm>(&[])))
                .response("201", json::<ChallengeBody>("It was created: `approved` with the right code"))
                .response("403", json::<VerifyError>("The factor is not verified"))
                .response("429", limited("Too many codes were compared, or too many challenges are pending"));
            forms(operation, "A parameter is not valid, or the entity has no such factor")
        }
        ("POST", false) => {
            let operation = one("verify-challenges-update", "Answer a challenge")
                .request_body(Some(form_with::<ChallengeAnswerForm>(&[])))
                .response("200", json::<ChallengeBody>("Whether the code was right: the challenge is then approved"))
                .response("403", json::<VerifyError>("The challenge has expired"))
                .response("429", limited("Too many codes were compared"));
            forms(operation, "A parameter is not valid, or the challenge was approved before")
        }
        (_, true) => entity("verify-challenges-list", "List recent challenges", route)
            .parameters(Some(parameters::<Paging>()))
            .parameters(Some(parameters::<ChallengeQuery>()))
            .response("200", json::<ChallengeList>("A page, in order of creation"))
            .response("400", json::<VerifyError>("A parameter is not valid")),
        (_, false) => one("verify-challenges-show", "Show a challenge").response("200", json::<ChallengeBody>("It")),
    }
}
