use countersign_shared::{
    admission::{self, Doors},
    domain::{client::Client, factor::Factor, token::Token, user::User},
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
        let doors = Doors {
            tokens: &self.tokens,
            users: &self.users,
            clients: &self.clients,
        };
        let (caller, user) = admission::upon_user(doors, call, FACTOR_WRITE).await??;
        let user = caller.look_after(user)?;
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
