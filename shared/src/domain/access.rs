//! Authorization of callers: the token, its owner and its scope, checked in this order.

use super::{
    client::Client,
    id::ClientId,
    name::DomainName,
    scope::{Needed, Scope},
    time::Timestamp,
    token::{Kind, Token},
    user::User,
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
        Principal::User(user) => (user.has_ended(&token, now), user.lockout.active_block(now).is_some()),
        Principal::Client(client) => (client.has_ended(&token), false),
    };
    check_token(&token, ended, needed, now)?;
    if is_blocked {
        return Err(Refusal::Blocked);
    }
    Ok(Caller {
        principal,
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
    if owner.lockout.active_block(now).is_some() {
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
mod tests {
    use rand::rngs::SysRng;

    use super::*;
    use crate::domain::{
        lockout::{Block, Lockout, Why},
        secret::{Digest, Secret},
        token::{Owner, Session, tests::grant},
        user::tests::user,
    };

    const API: Needed = Needed {
        any_of: &[Scope::Api],
        named: &[Scope::Api],
    };

    fn blocked(at: u64, until: Option<u64>) -> Lockout {
        let block = Block {
            why: Why::Decision,
            at: Timestamp::from_seconds(at),
            until: until.map(Timestamp::from_seconds),
        };
        Lockout {
            block: Some(block),
            ..Lockout::default()
        }
    }

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
            Err(Refusal::OtherKind) => "kind",
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
        assert_eq!(check(|_, user| user.lockout = blocked(1, None), 59), "blocked");
        // After a block has expired, the tokens that it ended stay invalid.
        assert_eq!(check(|_, user| user.lockout = blocked(0, Some(9)), 8), "blocked");
        assert_eq!(check(|_, user| user.lockout = blocked(0, Some(9)), 9), "revoked");
        assert_eq!(check(|token, _| token.session = Some(session()), 59), "revoked");
        assert_eq!(
            check(
                |token, user| {
                    token.session = Some(session());
                    user.sessions.insert(token.client.clone(), session());
                },
                59
            ),
            "passes"
        );
        let wanted = Vec::new;
        let second_factor = |token: &mut Token, _: &mut User| token.kind = Kind::SecondFactor { wanted: wanted() };
        assert_eq!(
            check(second_factor, 60),
            "kind",
            "another kind is no access token at all"
        );
        let all = |token: &mut Token, user: &mut User| {
            user.lockout = blocked(1, None);
            user.token_generation = 1;
            token.scopes.clear();
        };
        assert_eq!(check(all, 60), "expired");
        assert_eq!(check(all, 59), "revoked");
        assert_eq!(
            check(
                |token, user| {
                    user.lockout = blocked(1, None);
                    token.scopes.clear();
                },
                59
            ),
            "scope"
        );
    }

    fn session() -> Session {
        Session::from_bytes(&[7; 16]).expect("16 bytes")
    }

    #[test]
    fn a_login_is_carried_on_by_its_own_token_alone() {
        use LoginRefusal::{Blocked, Expired, OtherKind, Reused};

        let check = |change: fn(&mut Token, &mut User), at, expected: Result<(), LoginRefusal>| {
            let mut user = user();
            let grant = grant(Owner::User(user.id));
            let (mut token, _) = Token::issue(grant, &mut SysRng, Timestamp::from_seconds(1)).expect("entropy");
            token.kind = Kind::SecondFactor { wanted: Vec::new() };
            token.session = Some(session());
            user.sessions.insert(token.client.clone(), session());
            change(&mut token, &mut user);
            let found = check_login(
                &token,
                &user,
                |kind| matches!(kind, Kind::SecondFactor { .. }),
                Timestamp::from_seconds(at),
            );
            assert_eq!(found, expected);
        };
        let revoked = |token: &mut Token, _: &mut User| token.revoked_at = Some(Timestamp::from_seconds(20));
        let renewed = |token: &mut Token, _: &mut User| {
            token.revoked_at = Some(Timestamp::from_seconds(20));
            token.is_renewed = true;
        };
        check(|_, _| {}, 59, Ok(()));
        check(|_, _| {}, 60, Err(Expired));
        check(|token, _| token.kind = Kind::Access, 60, Err(OtherKind));
        check(|_, user| user.lockout = blocked(5, None), 60, Err(Blocked));
        // The owner is checked first, then the kind, then the token's state.
        let all = |token: &mut Token, user: &mut User| {
            token.kind = Kind::Access;
            user.lockout = blocked(5, None);
            user.sessions.clear();
        };
        check(all, 60, Err(Blocked));
        let ended = |token: &mut Token, user: &mut User| {
            token.kind = Kind::Access;
            user.token_generation = 1;
        };
        check(ended, 59, Err(OtherKind));
        check(|_, user| user.lockout = blocked(5, Some(9)), 59, Err(Expired));
        check(|_, user| user.token_generation = 1, 59, Err(Expired));
        check(|_, user| user.sessions.clear(), 59, Err(Expired));
        check(revoked, 29, Err(Expired));
        check(revoked, 30, Err(Expired));
        check(renewed, 29, Err(Expired));
        check(renewed, 30, Err(Reused));
        check(
            |token, user| {
                token.revoked_at = Some(Timestamp::from_seconds(20));
                token.is_renewed = true;
                user.sessions.clear();
            },
            30,
            Err(Expired),
        );
    }

    #[test]
    fn callers_act_upon_the_users_of_their_domain() {
        let own = |is_admin| {
            let user = User { is_admin, ..user() };
            Caller {
                principal: Principal::User(Box::new(user)),
                client: ClientId::parse("heatclinic").expect("well-formed"),
                scopes: vec![Scope::UserWrite],
            }
        };
        let other = || User {
            domain: DomainName::parse("other.example").expect("a domain"),
            ..user()
        };
        let found = |caller: &Caller, named| caller.require_admin_of(named).map(|_| ());
        for named in [None, Some(user()), Some(other())] {
            assert_eq!(found(&own(false), named), Err(AccessDenied::Forbidden));
        }
        assert_eq!(found(&own(true), Some(user())), Ok(()));
        assert_eq!(found(&own(true), Some(other())), Err(AccessDenied::Unknown));
        assert_eq!(found(&own(true), None), Err(AccessDenied::Unknown));
        let caller = own(false);
        let Principal::User(me) = &caller.principal else {
            panic!("a user")
        };
        assert!(caller.require_self_or_admin_of(Some((**me).clone())).is_ok());
        assert_eq!(
            caller.require_self_or_admin_of(Some(user())).map(|_| ()),
            Err(AccessDenied::Forbidden)
        );
    }

    #[test]
    fn administrators_are_made_by_administrators_of_the_domain_and_by_a_scope() {
        let id = ClientId::parse("heatclinic").expect("well-formed");
        let client = Client {
            id: id.clone(),
            secret: Digest::of(&Secret::new("secret".into())),
            domain: Some(user().domain),
            grants: Vec::new(),
            scopes: Scope::ALL.to_vec(),
            token_generation: 0,
            inserted_at: Timestamp::from_seconds(0),
        };
        let person = |is_admin| Principal::User(Box::new(User { is_admin, ..user() }));
        let other = DomainName::parse("other.example").expect("a domain");
        let rest: Vec<_> = Scope::ALL
            .into_iter()
            .filter(|scope| *scope != Scope::UserAdmin)
            .collect();
        for (principal, scopes, own, elsewhere) in [
            (person(true), vec![], true, false),
            (person(false), rest.clone(), false, false),
            (Principal::Client(Box::new(client.clone())), rest, false, false),
            (Principal::Client(Box::new(client)), vec![Scope::UserAdmin], true, true),
        ] {
            let caller = Caller {
                principal,
                client: id.clone(),
                scopes,
            };
            let makes = |domain| caller.makes_administrators(domain);
            assert_eq!((makes(&user().domain), makes(&other)), (own, elsewhere));
        }
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
