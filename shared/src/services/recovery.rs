//! Floor 2: recovery codes: a new set replaces the earlier one.

use rand::rngs::SysRng;

use crate::{
    domain::{
        crypto::{
            key::{self, Keyring},
            secret::Secret,
        },
        people::{
            factor::{Factor, FactorType, Value},
            id::UserId,
        },
        recovery::RecoveryCodes,
        time::Timestamp,
    },
    fault::Fault,
};

/// Issues recovery codes: the factor to store in place of any other, and the codes, which are shown once.
///
/// # Errors
/// [`Fault`] when the random generator fails.
pub fn issue(keys: &Keyring<key::RecoveryCodes>, user: UserId, now: Timestamp) -> Result<(Factor, Vec<Secret>), Fault> {
    let (codes, shown) = RecoveryCodes::issue(keys, user, &mut SysRng)?;
    let factor = Factor::new(user, FactorType::RecoveryCodes, &mut SysRng, now)?;
    Ok((factor.with(Value::RecoveryCodes(codes), now), shown))
}
