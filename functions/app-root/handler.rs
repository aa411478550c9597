use countersign_shared::{
    http::{call::Call, era::Error, reply::Answer, serve::Endpoint},
    observe::Outcome,
    runtime::edge::Wire,
};

use crate::page::Pages;

/// Gives the page behind mailed links. Asking for it consumes nothing, and the link's secret is not in what is asked:
/// browsers keep the fragment to themselves.
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
