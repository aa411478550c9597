//! The OpenAPI description of the routes.

use countersign_shared::http::dialects::verify::{
    BucketBody, BucketChangeForm, BucketForm, BucketList, Paging, RateLimitBody, RateLimitChangeForm, RateLimitForm,
    RateLimitList, VerifyError,
};

use crate::document::prelude::*;

pub fn operation(route: &Route) -> OperationBuilder {
    let operation = |id: &str, summary: &str| {
        let sids = [("{rate_limit}", "rate_limit", "RK"), ("{bucket}", "bucket", "BL")];
        let sids = sids.into_iter().filter(|(part, ..)| route.path.contains(part));
        sids.fold(
            verify_service(&format!("verify-rate-limits-{id}"), summary, route),
            |operation, (_, name, letters)| operation.parameter(sid(name, letters)),
        )
    };
    let forms = |operation: OperationBuilder| {
        operation
            .response("400", json::<VerifyError>("A parameter is not valid, or there are as many as there may be"))
            .response("415", json::<VerifyError>("The body is no form, or it is encoded"))
    };
    let lists = |operation: OperationBuilder| {
        operation
            .parameters(Some(parameters::<Paging>()))
            .response("400", json::<VerifyError>("A parameter is not valid"))
    };
    let gone = || ResponseBuilder::new().description("It was deleted");
    let last = route.path.rsplit('/').next().unwrap_or_default();
    match (route.method, last) {
        ("POST", "RateLimits") => forms(operation("create", "Create a rate limit"))
            .request_body(Some(form_with::<RateLimitForm>(&[])))
            .response("201", json::<RateLimitBody>("It was created")),
        ("POST", "{rate_limit}") => forms(operation("update", "Change a rate limit"))
            .request_body(Some(form_with::<RateLimitChangeForm>(&[])))
            .response("200", json::<RateLimitBody>("As it is now")),
        ("DELETE", "{rate_limit}") => {
            operation("delete", "Delete a rate limit and its buckets").response("204", gone())
        }
        ("POST", "Buckets") => forms(operation("create-bucket", "Create a bucket"))
            .request_body(Some(form_with::<BucketForm>(&[])))
            .response("201", json::<BucketBody>("It was created")),
        ("POST", _) => forms(operation("update-bucket", "Change a bucket"))
            .request_body(Some(form_with::<BucketChangeForm>(&[])))
            .response("200", json::<BucketBody>("As it is now")),
        ("DELETE", _) => operation("delete-bucket", "Delete a bucket").response("204", gone()),
        (_, "RateLimits") => lists(operation("list", "List rate limits"))
            .response("200", json::<RateLimitList>("A page, in order of creation")),
        (_, "Buckets") => lists(operation("list-buckets", "List buckets"))
            .response("200", json::<BucketList>("A page, in order of creation")),
        (_, "{rate_limit}") => operation("show", "Show a rate limit").response("200", json::<RateLimitBody>("It")),
        _ => operation("show-bucket", "Show a bucket").response("200", json::<BucketBody>("It")),
    }
}
