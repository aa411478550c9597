use countersign_shared::{
    http::{
        call::Call,
        dialects::verify::{Error, Urls, named, shown},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::verifications::VerificationReader,
};

/// Shows a verification that is neither approved, nor canceled, nor expired.
#[derive(Wire)]
pub struct Show {
    pub reader: VerificationReader,
    #[wire(public_url)]
    pub public_url: Option<String>,
}

impl Endpoint for Show {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let name = named(call);
        let opened = self.reader.open(call, name.as_ref().ok(), |_| {}).await??;
        let found = self.reader.show(call, &opened, &name?).ok_or(Error::NotFound)?;
        let urls = Urls::of(self.public_url.as_deref(), call);
        Ok(shown(Outcome::VerificationShown, &urls, &opened.service, &found))
    }
}
