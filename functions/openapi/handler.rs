use countersign_shared::{
    http::{
        call::Call,
        dialects::plain::{Error, described},
        reply::Answer,
        serve::Endpoint,
    },
    runtime::edge::{Edge, Refused, Wire},
};

use crate::document::document;

/// Describes every route.
#[derive(Wire)]
pub struct OpenApi {
    pub document: Document,
}

/// The document, built once.
pub struct Document(utoipa::openapi::OpenApi);

impl Wire for Document {
    fn wire(_: &Edge) -> Result<Self, Refused> {
        Ok(Self(document()))
    }
}

impl Endpoint for OpenApi {
    type Error = Error;

    async fn answer(&self, _: &Call) -> Result<Answer, Error> {
        Ok(described(&self.document.0))
    }
}
