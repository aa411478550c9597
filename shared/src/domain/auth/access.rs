//! Authorization of callers: the token, its owner and its scope, checked in this order.

use super::{
    client::Client,
    scope::{Needed, Scope},
    token::{Kind, Token},
};
use crate::domain::{
    people::{id::ClientId, name::DomainName, user::User},
    time::Timestamp,
};

/// Why a caller is not authorized.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    /// The request has no token.
    NoToken,
    /// The text is not one of our tokens, or the token was deleted.
    UnknownToken,
    /// A token that only continues a login (2FA or approval), not an access token.
    OtherKind,
    /// The token has expired.
    Expired,
    /// The token was revoked, alone or with all of its owner's tokens.
    Revoked,
    /// The token's scopes do not authorize this route; these scopes would.
    ScopeTooSmall(Needed),
    /// The owner of the token is blocked.
    Blocked,
}

/// The owner of a token, read together with it.
#[derive(Clone, Debug)]
pub enum Principal {
    /// A user.
    User(Box<User>),
    /// A client of the API.
    Client(Box<Client>),
}

/// An authenticated and authorized caller.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The token's owner.
    pub principal: Principal,
    /// The client that the token was issued to.
    pub client: ClientId,
    /// The scopes of the token.
    pub scopes: Vec<Scope>,
    /// See [`Token::has_second_factor`].
    pub second_factor: bool,
}

/// Whether administrators need a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminFactor {
    /// A login without one has their rights, too.
    Optional,
    /// Only a login that was completed with one has their rights.
    Required,
}

impl AdminFactor {
    /// Whether this caller, if an administrator, has an administrator's rights.
    #[must_use]
    pub fn admits(self, second_factor: bool) -> bool {
        match self {
            Self::Optional => true,
            Self::Required => second_factor,
        }
    }
}

/// Checks a token's row and its owner's row.
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
    let (ended, is_blocked) = match &principal {
        Principal::User(user) => {
            (user.has_ended(&token, now), user.lockout.active_block_of(token.lane(), now).is_some())
        }
        Principal::Client(client) => (client.has_ended(&token), false),
    };
    check_token(&token, ended, needed, now)?;
    if is_blocked {
        return Err(Refusal::Blocked);
    }
    Ok(Caller {
        principal,
        second_factor: token.has_second_factor(),
        client: token.client,
        scopes: token.scopes,
    })
}

/// Refuses a token whose owner is never authorized on this route: a client's, where only users are allowed.
///
/// The refusal names what is wrong with the token itself, or else that the token is unknown.
#[must_use]
pub fn check_ownerless(token: Option<Token>, needed: Needed, now: Timestamp) -> Refusal {
    match token.map(|token| check_token(&token, token.revoked_at.is_some(), needed, now)) {
        Some(Err(refusal)) => refusal,
        Some(Ok(())) | None => Refusal::UnknownToken,
    }
}

/// Why a caller may not access a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessDenied {
    /// The caller may access no other users, or none at all.
    Forbidden,
    /// The caller's domain has no such user. Users of other domains count as unknown.
    Unknown,
}

impl Caller {
    /// The same caller, without an administrator's rights if those need a second factor that the login did not have.
    #[must_use]
    pub fn under(mut self, policy: AdminFactor) -> Self {
        let admits = policy.admits(self.second_factor);
        match &mut self.principal {
            Principal::User(user) => user.is_admin &= admits,
            Principal::Client(_) => {}
        }
        self
    }

    /// The domain whose users the caller may access: an administrator's own, or the one that a client was created for.
    #[must_use]
    pub fn admin_domain(&self) -> Option<&DomainName> {
        match &self.principal {
            Principal::User(user) => user.is_admin.then_some(&user.domain),
            Principal::Client(client) => client.domain.as_ref(),
        }
    }

    /// Whether the caller may make users of that domain administrators: callers grant only rights that they hold (R73).
    #[must_use]
    pub fn makes_administrators(&self, domain: &DomainName) -> bool {
        let is_one = match &self.principal {
            Principal::User(user) => user.is_admin && user.domain == *domain,
            Principal::Client(_) => false,
        };
        is_one || self.scopes.contains(&Scope::UserAdmin)
    }

    /// The user that a route names, if the caller may administer it. Other callers learn nothing about the id
    /// (enumeration).
    ///
    /// # Errors
    /// [`AccessDenied`].
    pub fn require_admin_of(&self, named: Option<User>) -> Result<User, AccessDenied> {
        let domain = self.admin_domain().ok_or(AccessDenied::Forbidden)?;
        named.filter(|user| user.domain == *domain).ok_or(AccessDenied::Unknown)
    }

    /// Like [`Self::require_admin_of`], but users may also access their own account.
    ///
    /// # Errors
    /// [`AccessDenied`].
    pub fn require_self_or_admin_of(&self, named: Option<User>) -> Result<User, AccessDenied> {
        match (&self.principal, named) {
            (Principal::User(user), Some(named)) if user.id == named.id => Ok(named),
            (Principal::User(_) | Principal::Client(_), named) => self.require_admin_of(named),
        }
    }
}

/// Why a token does not continue a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRefusal {
    /// The text is not one of our tokens, or the token was deleted.
    Unknown,
    /// The token was already refreshed and is presented again: it may have been stolen (RFC 9700 §4.14.2).
    Reused,
    /// The owner of the token is blocked.
    Blocked,
    /// The token is of another kind.
    OtherKind,
    /// The token has expired or was invalidated: another token replaced it, or all of its owner's tokens were revoked.
    Expired,
}

/// Grace period after a refresh, in seconds: a reuse may be a concurrent request, or a retry after a lost response.
const GRACE: u64 = 10;

/// Checks a token that continues a login, in the order of docs/contract.md, Second factors and tokens: owner not
/// blocked, kind, not expired.
///
/// # Errors
/// The first [`LoginRefusal`] that applies.
pub fn check_login(token: &Token, owner: &User, kind: fn(&Kind) -> bool, now: Timestamp) -> Result<(), LoginRefusal> {
    if owner.lockout.active_block_of(token.lane(), now).is_some() {
        return Err(LoginRefusal::Blocked);
    }
    if !kind(&token.kind) {
        return Err(LoginRefusal::OtherKind);
    }
    if owner.has_ended(token, now) {
        let carried_on = Token {
            revoked_at: None,
            ..token.clone()
        };
        let late = token.revoked_at.is_some_and(|at| at.deadline(GRACE).is_expired(now));
        return Err(match token.is_renewed && late && !owner.has_ended(&carried_on, now) {
            true => LoginRefusal::Reused,
            false => LoginRefusal::Expired,
        });
    }
    if token.expires_at.is_expired(now) {
        return Err(LoginRefusal::Expired);
    }
    Ok(())
}

fn check_token(token: &Token, ended: bool, needed: Needed, now: Timestamp) -> Result<(), Refusal> {
    match token.kind {
        Kind::Access => {}
        Kind::SecondFactor { .. } | Kind::Approval { .. } => return Err(Refusal::OtherKind),
    }
    if token.expires_at.is_expired(now) {
        return Err(Refusal::Expired);
    }
    if ended {
        return Err(Refusal::Revoked);
    }
    if needed.met_by(&token.scopes) {
        Ok(())
    } else {
        Err(Refusal::ScopeTooSmall(needed))
    }
}

#[cfg(test)]
mod tests;
