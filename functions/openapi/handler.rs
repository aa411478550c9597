use countersign_shared::http::{
    call::Call,
    plain::{Error, described},
    reply::Answer,
    serve::Endpoint,
};

/// Describes every route.
pub struct OpenApi {
    pub document: utoipa::openapi::OpenApi,
}

impl Endpoint for OpenApi {
    type Error = Error;

    async fn answer(&self, _: &Call) -> Result<Answer, Error> {
        Ok(described(&self.document))
    }
}
