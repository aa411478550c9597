use countersign_shared::{
    admission::{self, Doors},
    domain::{client::Client, factor::Factor, id::UserId, token::Token, user::User},
    fault::Fault,
    http::{
        call::Call,
        mithril::{Error, FACTOR_WRITE, body::read_factor_type, view::factor_made},
        reply::Answer,
        serve::Endpoint,
    },
    store::table::{BatchGet, Put, Table},
};
use rand::rngs::SysRng;

/// Makes a second factor for a user, without a value: the user sets it at the next login.
pub struct Create {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub clients: Table<Client, BatchGet>,
    pub factors: Table<Factor, Put>,
}

impl Endpoint for Create {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let id = UserId::parse(call.path_parameter("user_id"));
        let doors = Doors {
            tokens: &self.tokens,
            users: &self.users,
            clients: &self.clients,
        };
        let named = admission::named(&self.users, id);
        let (caller, found) = admission::caller(doors, call, FACTOR_WRITE, named).await??;
        let user = caller.look_after(admission::take(&found, &self.users, id, call)?)?;
        call.note_subject(format!("user:{}", user.id.text()));
        let factor_type = read_factor_type(call)?;
        if user.lockout.standing(call.now).is_some() {
            return Err(Error::OwnerBlocked);
        }
        let factor = Factor::new(user.id, factor_type, &mut SysRng, call.now).map_err(Fault::from)?;
        match self.factors.put_new(&factor, call.now).await? {
            true => Ok(factor_made(call, "factor_created", &factor, &user)),
            false => Err(Error::FactorExists),
        }
    }
}
