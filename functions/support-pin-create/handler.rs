use countersign_shared::{
    admission,
    domain::{
        key::SupportPins,
        support_pin::{Policy, SupportPin},
        token::Token,
        user::User,
    },
    fault::Fault,
    http::{
        call::Call,
        gitlab::{self, Error, StoreFailed},
        reply::Answer,
        serve::Endpoint,
    },
    keys::Keys,
    observe::Step,
    store::{
        rows::support_pin::ISSUED_BY,
        table::{BatchGet, Put, Table},
    },
};
use rand::rngs::SysRng;

/// Makes a support PIN for the signed-in user, in the place of an earlier one.
pub struct Create {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub pins: Table<SupportPin, Put>,
    pub keys: Keys<SupportPins>,
    pub policy: Policy,
}

impl Endpoint for Create {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        self.create(call)
            .await
            .map_err(|error| error.said_as(StoreFailed::Create))
    }
}

impl Create {
    async fn create(&self, call: &Call) -> Result<Answer, Error> {
        let token = gitlab::token(call)?;
        let caller = admission::person(&self.tokens, &self.users, call, token, gitlab::WRITE, None).await??;
        gitlab::expect_nothing(call)?;
        let (pin, digits) = SupportPin::issue(
            &self.policy,
            &caller.user,
            &self.keys.at(call.now).await,
            &mut SysRng,
            &call.invocation,
            call.now,
        )
        .map_err(Fault::from)?;
        self.pins.put_once(&pin, ISSUED_BY).await?;
        Ok(Answer::json(201, "pin_created", &gitlab::SupportPin::new(&digits, pin.expires_at)).as_step(Step::Issued))
    }
}
