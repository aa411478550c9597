use countersign_shared::{
    admission,
    domain::{id::UserId, key::SupportPins, support_pin::SupportPin, token::Token, user::User},
    http::{
        call::Call,
        gitlab::{self, Error, StoreFailed},
        reply::Answer,
        serve::Endpoint,
    },
    keys::Keys,
    observe::Step,
    store::table::{BatchGet, Get, Table},
    trail::Trail,
};

/// Shows a user's support PIN to an administrator, by the user's id: there is no way from a PIN to a user. What could not be
/// written down before is not shown.
pub struct ShowUser {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub pins: Table<SupportPin, Get>,
    pub keys: Keys<SupportPins>,
    pub trail: Trail,
}

impl Endpoint for ShowUser {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        self.show(call).await.map_err(|error| error.said_as(StoreFailed::Show))
    }
}

impl ShowUser {
    async fn show(&self, call: &Call) -> Result<Answer, Error> {
        let token = gitlab::token(call)?;
        let id = UserId::parse(call.path_parameter("id"));
        let caller = admission::person(&self.tokens, &self.users, call, token, gitlab::READ, id).await??;
        if let Some(id) = id {
            call.note_subject(format!("user:{}", id.text()));
        }
        let user = gitlab::administered(&caller.user, caller.named.as_ref())?;
        gitlab::expect_nothing(call)?;
        let pin = self.pins.get(&user.id, call.now).await?.ok_or(Error::NoPin)?;
        let digits = pin.open(user, &self.keys.at(call.now).await)?.ok_or(Error::NoPin)?;
        let noted = self.trail.before(call, "pin_read").await;
        noted.map_err(Error::NotRecorded)?;
        Ok(Answer::json(200, "pin_read", &gitlab::SupportPin::new(&digits, pin.expires_at)).as_step(Step::Verified))
    }
}
