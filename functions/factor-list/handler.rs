use countersign_shared::{
    admission::{self, Doors},
    domain::{
        client::Client,
        factor::{Factor, FactorKey, FactorType},
        id::UserId,
        token::Token,
        user::User,
    },
    http::{
        call::Call,
        mithril::{Error, FACTOR_READ, body::read_factor_filter, view::factor_list},
        reply::Answer,
        serve::Endpoint,
    },
    store::table::{BatchGet, Table},
};

/// Shows a user's second factors, their values masked.
pub struct List {
    pub tokens: Table<Token, BatchGet>,
    pub users: Table<User, BatchGet>,
    pub clients: Table<Client, BatchGet>,
    pub factors: Table<Factor, BatchGet>,
}

impl Endpoint for List {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let id = UserId::parse(call.path_parameter("user_id"));
        let doors = Doors {
            tokens: &self.tokens,
            users: &self.users,
            clients: &self.clients,
        };
        let keys = |user| {
            FactorType::ALL.iter().map(move |factor_type| FactorKey {
                user,
                factor_type: *factor_type,
            })
        };
        let (caller, found) = admission::caller(doors, call, FACTOR_READ, |batch| {
            admission::named(&self.users, id)(batch);
            id.into_iter()
                .flat_map(keys)
                .for_each(|key| batch.want(&self.factors, &key));
        })
        .await??;
        let user = caller.look_after(admission::take(&found, &self.users, id, call)?)?;
        call.note_subject(format!("user:{}", user.id.text()));
        let filter = read_factor_filter(call)?;
        let mut factors = Vec::new();
        for key in keys(user.id) {
            factors.extend(found.take(&self.factors, &key, call.now)?);
        }
        factors.retain(|factor| {
            filter.factor_type.is_none_or(|wanted| factor.factor_type == wanted)
                && filter.is_active.is_none_or(|wanted| factor.is_active == wanted)
        });
        Ok(factor_list(call, "factors_listed", &factors))
    }
}
