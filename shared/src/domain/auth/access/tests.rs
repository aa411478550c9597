use rand::rngs::SysRng;

use super::*;
use crate::domain::{
    auth::{
        lockout::{Block, Lockout, Why},
        token::{Owner, Session, tests::grant},
    },
    crypto::secret::{Digest, Secret},
    people::user::tests::user,
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
    match super::check(Some(token), Some(Principal::User(Box::new(user))), API, Timestamp::from_seconds(at)) {
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
fn the_first_refusal_in_order_is_returned() {
    assert_eq!(check(|_, _| {}, 59), "passes");
    assert_eq!(check(|_, _| {}, 60), "expired");
    assert_eq!(check(|_, user| user.token_generation = 1, 59), "revoked");
    assert_eq!(check(|token, _| token.revoked_at = Some(Timestamp::from_seconds(1)), 59), "revoked");
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
    assert_eq!(check(second_factor, 60), "kind", "another kind is no access token at all");
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
fn only_its_own_token_continues_a_login() {
    use LoginRefusal::{Blocked, Expired, OtherKind, Reused};

    let check = |change: fn(&mut Token, &mut User), at, expected: Result<(), LoginRefusal>| {
        let mut user = user();
        let grant = grant(Owner::User(user.id));
        let (mut token, _) = Token::issue(grant, &mut SysRng, Timestamp::from_seconds(1)).expect("entropy");
        token.kind = Kind::SecondFactor { wanted: Vec::new() };
        token.session = Some(session());
        user.sessions.insert(token.client.clone(), session());
        change(&mut token, &mut user);
        let found =
            check_login(&token, &user, |kind| matches!(kind, Kind::SecondFactor { .. }), Timestamp::from_seconds(at));
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
fn an_administrators_rights_may_need_a_second_factor() {
    let (required, optional) = (AdminFactor::Required, AdminFactor::Optional);
    for (session, second_factor, policy, administers) in [
        (true, false, optional, true),
        (true, false, required, false),
        (true, true, required, true),
        // No login issued it.
        (false, false, required, true),
    ] {
        let mut user = User {
            is_admin: true,
            ..user()
        };
        let mut grant = grant(Owner::User(user.id));
        (grant.second_factor, grant.session) = (second_factor, session.then(self::session));
        user.sessions.insert(grant.client.clone(), self::session());
        let (token, _) = Token::issue(grant, &mut SysRng, Timestamp::from_seconds(1)).expect("entropy");
        let principal = Principal::User(Box::new(user));
        let caller = super::check(Some(token), Some(principal), API, Timestamp::from_seconds(2)).expect("a good token");
        let caller = caller.under(policy);
        assert_eq!(caller.admin_domain().is_some(), administers, "{session} {second_factor} {policy:?}");
    }
}

#[test]
fn callers_act_on_users_of_their_own_domain() {
    let own = |is_admin| {
        let user = User { is_admin, ..user() };
        Caller {
            principal: Principal::User(Box::new(user)),
            client: ClientId::parse("heatclinic").expect("well-formed"),
            scopes: vec![Scope::UserWrite],
            second_factor: false,
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
    assert_eq!(caller.require_self_or_admin_of(Some(user())).map(|_| ()), Err(AccessDenied::Forbidden));
}

#[test]
fn administrators_are_created_by_administrators_of_the_domain_or_with_a_scope() {
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
    let rest: Vec<_> = Scope::ALL.into_iter().filter(|scope| *scope != Scope::UserAdmin).collect();
    for (principal, scopes, own, elsewhere) in [
        (person(true), vec![], true, false),
        (person(false), rest.clone(), false, false),
        (Principal::Client(Box::new(client.clone())), rest, false, false),
        (Principal::Client(Box::new(client)), vec![Scope::UserAdmin], true, true),
    ] {
        let caller = Caller {
            principal,
            client: id.clone(),
            second_factor: false,
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
    assert!(matches!(super::check(Some(token), None, API, at), Err(Refusal::UnknownToken)));
    let owner = Some(Principal::User(Box::new(user())));
    assert!(matches!(super::check(None, owner, API, at), Err(Refusal::UnknownToken)));
}
