//! Floor 2: reads and changes a user's second factor for an authorized caller.

use crate::{
    domain::{
        audit::Act,
        auth::{
            access::{AccessDenied, Refusal},
            scope::Needed,
        },
        people::{factor::Factor, id::FactorId, user::User},
        time::Timestamp,
    },
    fault::Fault,
    http::call::Call,
    runtime::edge::Wire,
    services::{
        audit::AuditLog,
        auth::{self, Callers},
    },
    store::table::{BatchGet, Change, Committed, Table, Transaction, Update},
};

/// The factor with the route's `id`, if it exists.
#[must_use]
pub fn of_id(call: &Call, factors: Vec<Factor>) -> Option<Factor> {
    let id = FactorId::parse(call.path_parameter("id"));
    factors.into_iter().find(|factor| Some(factor.id) == id)
}

/// Reads and changes second factors.
#[derive(Debug, Wire)]
pub struct Factors {
    /// Authenticates the caller.
    pub callers: Callers,
    /// Reads factors.
    pub factors: Table<Factor, BatchGet>,
    /// Changes factors.
    pub change_factors: Table<Factor, Update>,
    /// Records changes.
    pub audit: AuditLog,
}

impl Factors {
    /// The factor that the route names, and its owner, for a caller who may change it. The factor is `None` if no
    /// factor has that id.
    ///
    /// # Errors
    /// The refusal if the caller is not authorized; [`Fault`] when the store fails.
    pub async fn find<E>(&self, call: &Call, needed: Needed) -> Result<(User, Option<Factor>), E>
    where
        E: From<Refusal> + From<AccessDenied> + From<Fault>,
    {
        let (caller, user, factors) = auth::target_factors(&self.callers, &self.factors, call, needed).await??;
        Ok((caller.require_admin_of(user)?, of_id(call, factors)))
    }

    /// Changes a factor; `false` when the condition does not hold.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn change(
        &self,
        call: &Call,
        factor: &Factor,
        change: fn(&FactorId, Timestamp) -> Change,
        act: Act,
    ) -> Result<bool, Fault> {
        let mut transaction = Transaction::default();
        transaction.update(&self.change_factors, &factor.owner(), change(&factor.id, call.now));
        self.audit.add(&mut transaction, call, act);
        Ok(matches!(transaction.commit().await?, Committed::Yes))
    }
}
