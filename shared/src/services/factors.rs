//! Floor 2: reads and changes a user's second factor for an authorized caller.

use crate::{
    domain::{
        audit::{Act, Notice},
        auth::{
            access::{AccessDenied, Refusal},
            scope::Needed,
        },
        people::{
            factor::{self, Factor, FactorType},
            id::FactorId,
            user::User,
        },
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

/// The notice that a factor was disabled or reset, which leaves these factors to the user.
#[must_use]
pub fn removal_notice(factor: &Factor, left: &factor::Factors) -> Notice {
    match (factor.factor_type(), factor.is_active, left.are_required()) {
        // The next login asks for a phone.
        (FactorType::Sms, true, _) if !left.are_set() => Notice::FactorReset,
        // The password alone is enough.
        (FactorType::Sms | FactorType::Totp, false, false) => Notice::FactorDisabled,
        (FactorType::Sms | FactorType::Totp | FactorType::RecoveryCodes, _, _) => Notice::FactorRemoved,
    }
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
    /// The factor that the route names, its owner, and the owner's factors, for a caller who may change it. The factor is
    /// `None` if no factor has that id.
    ///
    /// # Errors
    /// The refusal if the caller is not authorized; [`Fault`] when the store fails.
    pub async fn find<E>(&self, call: &Call, needed: Needed) -> Result<(User, Option<Factor>, factor::Factors), E>
    where
        E: From<Refusal> + From<AccessDenied> + From<Fault>,
    {
        let (caller, user, factors) = auth::target_factors(&self.callers, &self.factors, call, needed).await??;
        let user = caller.require_admin_of(user)?;
        Ok((user, of_id(call, factors.clone()), factor::Factors(factors)))
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
