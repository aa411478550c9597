use countersign_shared::{
    http::{call::Call, dialects::era::Error, reply::Answer, serve::Endpoint},
    observe::Outcome,
    runtime::edge::Wire,
};

use crate::page::Pages;

/// Returns the page behind mailed links. Requesting it consumes nothing, and the request does not contain the link's
/// secret: browsers do not send the fragment.
#[derive(Wire)]
pub struct AppRoot {
    pub pages: Pages,
}

impl Endpoint for AppRoot {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let page = self.pages.preferred(call.header("accept-language"));
        Ok(Answer::page(Outcome::PageShown, page))
    }
}
