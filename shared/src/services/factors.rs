//! Floor 2: a user's second factor, changed by somebody who may.

use crate::{
    domain::{factor::Factor, id::FactorId, scope::Needed, time::Timestamp, user::User},
    http::{
        call::Call,
        mithril::{Error, body::read_nothing},
    },
    runtime::edge::Wire,
    services::auth::{self, Callers},
    store::table::{BatchGet, Change, Committed, Table, Transaction, Update},
};

/// The factor of that id (the route's `id`).
///
/// # Errors
/// [`Error::NotFound`].
pub fn of_id(call: &Call, factors: Vec<Factor>) -> Result<Factor, Error> {
    let id = FactorId::parse(call.path_parameter("id"));
    let found = factors.into_iter().find(|factor| Some(factor.id) == id);
    found.ok_or(Error::NotFound)
}

/// Where a factor is changed.
#[derive(Debug, Wire)]
pub struct Factors {
    /// Who asks.
    pub callers: Callers,
    /// The factors.
    pub factors: Table<Factor, BatchGet>,
    /// The same, to be changed.
    pub change_factors: Table<Factor, Update>,
}

impl Factors {
    /// Makes a change to the factor that the route names, and gives its owner and what it was. `refused` is the answer when
    /// the change's condition does not hold.
    ///
    /// # Errors
    /// Why the caller may not, or there is nothing to change.
    pub async fn change(
        &self,
        call: &Call,
        needed: Needed,
        change: fn(&FactorId, Timestamp) -> Change,
        refused: Error,
    ) -> Result<(User, Factor), Error> {
        let admitted = auth::upon_factors(&self.callers, &self.factors, call, needed).await??;
        let (caller, user, factors) = admitted;
        let user = caller.act_upon(user)?;
        let factor = of_id(call, factors)?;
        read_nothing(call)?;
        // A transaction of one write: its own repetition, after an answer that was lost, is told that it was made.
        let mut transaction = Transaction::default();
        transaction.update(&self.change_factors, &factor.owner(), change(&factor.id, call.now));
        match transaction.commit().await? {
            Committed::Yes => Ok((user, factor)),
            Committed::No(_) => Err(refused),
        }
    }
}
