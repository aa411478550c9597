//! Whether a caller may pass: the token, its owner and its scope, in this order.

use super::{
    client::Client,
    id::ClientId,
    scope::Needed,
    time::Timestamp,
    token::{Kind, Token},
    user::User,
};

/// Why a caller may not pass.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    /// No token came.
    NoToken,
    /// A text that is no token of ours, or no longer.
    UnknownToken,
    /// Its life is over.
    Expired,
    /// It was revoked, alone or with all of its owner's.
    Revoked,
    /// It does not open this route; these scopes would.
    ScopeTooSmall(Needed),
    /// Its owner is blocked.
    Blocked,
}

/// The owner of a token, as read together with it.
#[derive(Clone, Debug)]
pub enum Principal {
    /// A person.
    User(Box<User>),
    /// An application.
    Client(Box<Client>),
}

/// A caller who may pass.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// The client that the token was issued to.
    pub client: ClientId,
}

/// Judges a token's row and its owner's.
///
/// # Errors
/// The first [`Refusal`] that applies: unknown, expired, revoked, scope, blocked (the order of GitLab's own checks).
pub fn check(
    token: Option<Token>,
    principal: Option<Principal>,
    needed: Needed,
    now: Timestamp,
) -> Result<Caller, Refusal> {
    let (Some(token), Some(principal)) = (token, principal) else {
        return Err(Refusal::UnknownToken);
    };
    let (generation, is_blocked) = match &principal {
        Principal::User(user) => (user.token_generation, user.block.is_some()),
        Principal::Client(client) => (client.token_generation, false),
    };
    let ended = token.generation != generation;
    check_token(&token, ended, needed, now)?;
    if is_blocked {
        return Err(Refusal::Blocked);
    }
    Ok(Caller {
        principal,
        client: token.client,
    })
}

/// Judges a token whose owner may not pass in any case: a client's, where only people do.
///
/// The refusal says what is wrong with the token itself, or else that nobody is known by it.
#[must_use]
pub fn check_ownerless(token: Option<Token>, needed: Needed, now: Timestamp) -> Refusal {
    match token.map(|token| check_token(&token, false, needed, now)) {
        Some(Err(refusal)) => refusal,
        Some(Ok(())) | None => Refusal::UnknownToken,
    }
}

fn check_token(token: &Token, ended: bool, needed: Needed, now: Timestamp) -> Result<(), Refusal> {
    match token.kind {
        Kind::Access => {}
    }
    if token.expires_at.is_over(now) {
        return Err(Refusal::Expired);
    }
    if token.revoked_at.is_some() || ended {
        return Err(Refusal::Revoked);
    }
    if needed.met_by(&token.scopes) {
        Ok(())
    } else {
        Err(Refusal::ScopeTooSmall(needed))
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::{
        scope::Scope,
        token::{Owner, tests::grant},
        user::{Block, tests::user},
    };

    const API: Needed = Needed {
        any_of: &[Scope::Api],
        named: &[Scope::Api],
    };

    fn check(change: impl FnOnce(&mut Token, &mut User), at: u64) -> &'static str {
        let mut user = user();
        let (mut token, _) =
            Token::issue(grant(Owner::User(user.id)), &mut SysRng, Timestamp::from_seconds(0)).expect("entropy");
        change(&mut token, &mut user);
        match super::check(
            Some(token),
            Some(Principal::User(Box::new(user))),
            API,
            Timestamp::from_seconds(at),
        ) {
            Ok(_) => "passes",
            Err(Refusal::NoToken) => "no token",
            Err(Refusal::UnknownToken) => "unknown",
            Err(Refusal::Expired) => "expired",
            Err(Refusal::Revoked) => "revoked",
            Err(Refusal::ScopeTooSmall(_)) => "scope",
            Err(Refusal::Blocked) => "blocked",
        }
    }

    #[test]
    fn the_first_reason_in_order_is_given() {
        assert_eq!(check(|_, _| {}, 59), "passes");
        assert_eq!(check(|_, _| {}, 60), "expired");
        assert_eq!(check(|_, user| user.token_generation = 1, 59), "revoked");
        assert_eq!(
            check(|token, _| token.revoked_at = Some(Timestamp::from_seconds(1)), 59),
            "revoked"
        );
        assert_eq!(check(|token, _| token.scopes = vec![Scope::ReadApi], 59), "scope");
        assert_eq!(check(|_, user| user.block = Some(Block::Decision), 59), "blocked");
        let all = |token: &mut Token, user: &mut User| {
            user.block = Some(Block::Decision);
            user.token_generation = 1;
            token.scopes.clear();
        };
        assert_eq!(check(all, 60), "expired");
        assert_eq!(check(all, 59), "revoked");
        assert_eq!(
            check(
                |token, user| {
                    user.block = Some(Block::Decision);
                    token.scopes.clear();
                },
                59
            ),
            "scope"
        );
    }

    #[test]
    fn a_token_without_its_owner_is_unknown() {
        let (token, _) =
            Token::issue(grant(Owner::User(user().id)), &mut SysRng, Timestamp::from_seconds(0)).expect("entropy");
        let at = Timestamp::from_seconds(1);
        assert!(matches!(
            super::check(Some(token), None, API, at),
            Err(Refusal::UnknownToken)
        ));
        let owner = Some(Principal::User(Box::new(user())));
        assert!(matches!(super::check(None, owner, API, at), Err(Refusal::UnknownToken)));
    }
}
