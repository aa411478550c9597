//! Every row is read as it was written: no attribute that a function stores is lost.

mod entity;

use std::fmt::Debug;

use rand::rngs::SysRng;

use crate::{
    domain::{
        audit::{self, Act, Notice},
        auth::{
            client::{Client, GrantType},
            lockout::{Block, Lane, Lockout, Why},
            scope::Scope,
            token::{Kind, Owner, Session, Token, tests::grant},
        },
        crypto::{
            encryption::Encrypted,
            key::tests::ring,
            secret::{Digest, Secret},
        },
        idempotency::{Body, IdempotencyRecord, Issued},
        limits::rate_limit::Hit,
        mail::{
            sender::Sender,
            suppression::{self, Reason, Suppression},
        },
        passcode::{Passcode, PasscodeId, Used},
        password::{self, PasswordHash},
        password_reset::{PasswordResetRequest, Target},
        people::{
            claim::Claim,
            factor::NewValue,
            id::{ClientId, DeviceId, FactorId, UserNumber},
            locale::Locale,
            name::{DisplayName, DomainName, EmailAddress},
            phone::Phone,
            tenant::{Domain, Opt, Options, Template},
            unknown::UnknownIdentity,
            user::{Sessions, User, tests::user},
        },
        publication::{Channel, Publication},
        registration::{AccountRequest, RegistrationRequest},
        support_pin::{self, SupportPin},
        time::Timestamp,
        verification::{
            self,
            account::Credential,
            attempt::{self, Attempt},
            code::CodeSource,
            destination::DestinationId,
            policy::GuessLedger,
            record::{DestinationRecord, Entry, Message, Verification},
            service::{
                self, CodeLength, Description, FriendlyName, ServiceList,
                tests::{bucket, limit, service},
            },
            sid::{AccountSid, AttemptSid, KeySid, ServiceSid, VerificationSid},
            windows::Windows,
        },
    },
    store::table::Row,
};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

/// Checks that a row survives a round trip, and when it expires.
#[track_caller]
fn is_kept<R: Row + Debug>(row: &R, ends_at: Option<u64>) {
    let item = row.to_item();
    assert!(item.contains_key(R::KEY), "{row:?}");
    let read = R::from_item(&item).expect("our own row");
    assert_eq!(read.to_item(), item, "{row:?}");
    assert_eq!(format!("{read:?}"), format!("{row:?}"));
    assert_eq!((row.ends_at(), read.ends_at()), (ends_at.map(at), ends_at.map(at)));
}

fn blocked(why: Why, until: Option<u64>) -> Lockout {
    Lockout {
        passwords: 3,
        otps: 2,
        block: Some(Block {
            why,
            at: at(50),
            until: until.map(at),
        }),
    }
}

fn options() -> Options {
    Options::from([
        ("plan".into(), Opt::Text("free".into())),
        ("seats".into(), Opt::Number(-5)),
        ("trial".into(), Opt::Flag(true)),
    ])
}

/// A user whose every field differs from a new account's.
fn known() -> User {
    let session = || Session::draw(&mut SysRng).expect("entropy");
    let client = |text: &str| ClientId::parse(text).expect("well-formed");
    User {
        number: UserNumber::parse("123"),
        looks: vec![[1; 32], [2; 32]],
        password: PasswordHash::from_stored("$argon2id$v=19$…".into()),
        opts: options(),
        is_admin: true,
        lockout: blocked(Why::Otps, Some(60)),
        sessions: Sessions::from([(client("heatclinic"), session()), (client("other"), session())]),
        token_generation: 7,
        verified_phone: Some(at(40)),
        inserted_at: at(10),
        updated_at: at(20),
        changed_by: "invocation".into(),
        ..user()
    }
}

#[test]
fn users_and_their_claims_are_kept() {
    for user in [user(), known()] {
        is_kept(&user, None);
    }
    for (why, until) in [(Why::Passwords, Some(60)), (Why::Decision, None)] {
        let lockout = blocked(why, until);
        is_kept(&User { lockout, ..user() }, None);
    }
    let user = user().id;
    is_kept(&Claim { key: [7; 32], user }, None);
}

#[test]
fn tokens_of_each_kind_are_kept() {
    let phone = Phone::parse("+380885550130").expect("a number");
    let wanted = vec![Scope::Api, Scope::AppAuthorize];
    let replaces = Some(at(90));
    let kinds = [
        Kind::Access,
        Kind::SecondFactor { wanted: wanted.clone() },
        Kind::Approval {
            wanted: wanted.clone(),
            value: NewValue::Phone(phone),
            replaces,
        },
        Kind::Approval {
            wanted: wanted.clone(),
            value: NewValue::App {
                factor: FactorId::draw(&mut SysRng).expect("entropy"),
                secret: Encrypted {
                    key: 3,
                    nonce: [4; 12],
                    bytes: vec![5; 48],
                },
            },
            replaces: None,
        },
    ];
    let client = Owner::Client(ClientId::parse("heatclinic").expect("well-formed"));
    for (kind, owner) in kinds.into_iter().zip([
        Owner::User(user().id),
        Owner::User(user().id),
        Owner::User(user().id),
        client,
    ]) {
        let mut grant = grant(owner);
        (grant.kind, grant.scopes, grant.generation) = (kind, wanted.clone(), 7);
        grant.second_factor = matches!(grant.kind, Kind::Access);
        grant.session = Some(Session::draw(&mut SysRng).expect("entropy"));
        let (token, _) = Token::issue(grant, &mut SysRng, at(5)).expect("entropy");
        let forget_at = token.forget_at.seconds();
        is_kept(&token, Some(forget_at));
        let mut ended = token;
        ended.device = Some(DeviceId::from_bytes([4; 16]));
        (ended.revoked_at, ended.replacing_since, ended.is_renewed) = (Some(at(8)), Some(at(7)), true);
        is_kept(&ended, Some(forget_at));
    }
}

#[test]
fn clients_and_domains_are_kept() {
    let name = DomainName::parse("shop.example").expect("a domain");
    let address = |text: &str| EmailAddress::parse(text).expect("an address");
    let client = Client {
        id: ClientId::parse("heatclinic").expect("well-formed"),
        secret: Digest::of(&Secret::new("secret".into())),
        domain: Some(name.clone()),
        grants: vec![GrantType::Password, GrantType::ClientCredentials],
        scopes: vec![Scope::Api, Scope::Passcode],
        token_generation: 7,
        inserted_at: at(10),
    };
    is_kept(&client, None);
    is_kept(&Client { domain: None, ..client }, None);
    let domain = Domain {
        name: name.clone(),
        self_register_allowed: true,
        self_register_template: Template { opts: options() },
        passwords: password::Policy::new(Some("abcdefgh12345678"), 9, 64, true).expect("a good policy"),
        sender: Some(Sender {
            address: address("hello@shop.example"),
            name: DisplayName::parse("The Shop").ok(),
            reply_to: Some(address("help@shop.example")),
        }),
        locale: Locale::parse("uk").expect("a language of ours"),
    };
    is_kept(&domain, None);
    is_kept(&Domain::undescribed(name), None);
}

#[test]
fn requests_are_kept_until_they_expire() {
    let User {
        domain,
        login,
        name,
        email,
        ..
    } = user();
    let account = AccountRequest {
        domain,
        login,
        name,
        email,
    };
    let (request, _) = RegistrationRequest::issue(account, 60, &mut SysRng, at(5)).expect("entropy");
    is_kept(&request, Some(65));
    for (blocked_at, recovers) in [(Some(at(3)), true), (None, false)] {
        let target = Target {
            user: user().id,
            generation: 7,
            domain: user().domain,
            blocked_at,
            recovers,
        };
        let (request, _) = PasswordResetRequest::issue(target, 60, &mut SysRng, at(5)).expect("entropy");
        is_kept(&request, Some(65));
    }
}

#[test]
fn pins_and_passcodes_are_kept_until_they_expire() {
    let mut owner = known();
    owner.lockout = Lockout::default();
    let policy = support_pin::Policy { lifetime: 60 };
    let owner = support_pin::Owner::Ours(Box::new(owner));
    let (mut pin, _) = SupportPin::issue(&policy, &owner, &ring(&[1]), &mut SysRng, at(5)).expect("entropy");
    is_kept(&pin, Some(65));
    pin.blocked_at = Some(at(3));
    is_kept(&pin, Some(65));
    pin.content = support_pin::Content::Revoked {
        by: "invocation".into(),
    };
    is_kept(&pin, Some(65));
    for used in [
        None,
        Some(Used {
            at: at(9),
            by: "invocation".into(),
        }),
    ] {
        let passcode = Passcode {
            id: PasscodeId::parse("01FM98Y1WCT0KT0AT56TMJ1973").expect("a ULID"),
            client: ClientId::parse("heatclinic").expect("well-formed"),
            issued_at: at(5),
            expires_at: at(65),
            forget_at: at(500),
            used,
        };
        is_kept(&passcode, Some(500));
    }
}

#[test]
fn counts_and_suppressions_are_kept_until_they_expire() {
    let policy = suppression::Policy { lifetime: 60 };
    for reason in [Reason::Bounce, Reason::Complaint] {
        is_kept(&Suppression::new(policy, &user().email, reason, at(5)), Some(65));
    }
    for (until, forget_at) in [(None, 400), (Some(60), 500)] {
        let mut lockout = blocked(Why::Passwords, until);
        lockout.otps = 0;
        let unknown = UnknownIdentity {
            subject: [7; 32],
            lockout,
            forget_at: Some(at(forget_at)),
        };
        is_kept(&unknown, None);
    }
    let begun = IdempotencyRecord::begun([7; 32], "invocation", at(5));
    is_kept(&begun, Some(20));
    let client = Issued::Client {
        id: ClientId::parse("heatclinic").expect("well-formed"),
        generation: 3,
        secret: Digest::of(&Secret::new("secret".into())),
    };
    let of_device = Issued::about(&known(), at(5)).in_lane(Lane::KnownDevice);
    for issued in [
        None,
        Some(Issued::about(&known(), at(5))),
        Some(of_device),
        Some(client),
    ] {
        let answered = begun.clone().answered(201, Body::Plain("{}".into()), issued, at(5));
        is_kept(&answered, Some(5 + 86_400));
    }
    let policy = audit::Policy { retention: 60 };
    let act = |what| Act {
        what,
        published_as: None,
        subject: "user:x".into(),
        domain: None,
        notice: None,
    };
    let event = audit::Event::of_source(policy, act("expired"), &[b"a"], [9; 16], at(5));
    is_kept(&event, Some(65));
    for channel in [Channel::Mail, Channel::Bus] {
        is_kept(&Publication::of(&event, channel), Some(5 + 2 * 86_400));
    }
    let request = |actor| audit::AuditedRequest {
        actor,
        route: "GET /".into(),
        request_id: "id".into(),
    };
    let notice = Notice::FactorChanged {
        phone: "+38088*****30".into(),
    };
    let told = Act {
        published_as: Some("factor.changed"),
        ..act("factor_approved").in_domain(&known().domain).with_notice(notice)
    };
    for (actor, act) in [(None, act("pin_read")), (Some("user:y".into()), told)] {
        is_kept(&audit::Event::of_request(policy, act, "invocation", request(actor), at(5)), Some(65));
    }
}

#[test]
fn rows_of_verifications_are_read_as_they_were_written() {
    let domain = DomainName::parse("pbx.era-platform.ru").expect("a domain");
    let (mut account, _) = Credential::new_account(domain, "Shop".into(), &mut SysRng, at(5)).expect("entropy");
    is_kept(&account, None);
    let (sid, key, _) = account.new_key("CI".into(), &mut SysRng, at(6)).expect("entropy");
    is_kept(&key, None);
    account.keys = vec![sid, KeySid::from_bytes([7; 16])];
    is_kept(&account, None);
    let mut service = service();
    is_kept(&service, None);
    service.version = 3;
    service.totp.issuer = FriendlyName::parse("Other");
    service.code_length = CodeLength::new(10).expect("in range");
    service.custom_code_enabled = true;
    let mut limit = limit("ip");
    limit.description = Description::parse("of a caller");
    limit.buckets = vec![bucket(), bucket()];
    for limit in [limit, service::tests::limit("user")] {
        service.add_rate_limit(limit).expect("there is room");
    }
    is_kept(&service, None);
    let list = ServiceList::empty(account.account);
    is_kept(&list, None);
    is_kept(&list.with(service.sid).expect("there is room"), None);
}

#[test]
fn verifications_are_read_as_they_were_written() {
    let encrypted = || Encrypted {
        key: 2,
        nonce: [3; 12],
        bytes: vec![4, 5],
    };
    let open = |code, payment| Verification {
        nonce: [1, 2, 3, 4, 5, 6],
        code,
        payment,
        created_at: at(5),
        updated_at: at(6),
        expires_at: at(605),
        wrong: 2,
        messages: vec![
            Message {
                attempt: AttemptSid::from_bytes([8; 16]),
                by: "invocation".into(),
                channel: verification::destination::Channel::Sms,
                at: Timestamp::from_millis(5123),
                country: Some("1".into()),
            },
            Message {
                attempt: AttemptSid::from_bytes([9; 16]),
                by: "another".into(),
                channel: verification::destination::Channel::Email,
                at: at(6),
                country: None,
            },
        ],
    };
    let hit = |seconds| Hit {
        at: at(seconds),
        by: "invocation".into(),
    };
    let entry = |open| Entry {
        service: ServiceSid::from_bytes([2; 16]),
        to: encrypted(),
        sends: vec![hit(5)],
        open,
    };
    let derived = CodeSource::Derived { key: 7, length: 6 };
    let custom = CodeSource::Custom { key: 7, mac: [6; 32] };
    let none = DestinationRecord::none(DestinationId::from_bytes([1; 10]));
    is_kept(&none, None);
    let record = DestinationRecord {
        version: 4,
        ledger: GuessLedger(vec![hit(7), hit(8)]),
        entries: vec![
            entry(None),
            entry(Some(open(derived, None))),
            entry(Some(open(custom, Some(encrypted())))),
        ],
        approved_at: Some(at(9)),
        forget_at: at(1000),
        ..none
    };
    is_kept(&record, None);
    for (country, converted_at) in [(None, None), (Some("380".to_owned()), Some(at(99)))] {
        let attempt = Attempt {
            sid: attempt::first_sid(at(50)),
            account: AccountSid::from_bytes([1; 16]),
            service: ServiceSid::from_bytes([2; 16]),
            verification: VerificationSid::from_bytes([3; 16]),
            channel: verification::destination::Channel::Sms,
            to: encrypted(),
            country,
            is_sent: converted_at.is_some(),
            converted_at,
        };
        is_kept(&attempt, Some(50 + attempt::RETENTION));
    }
    let mut windows = Windows::none([5; 32]);
    is_kept(&windows, None);
    windows = windows.count(&[bucket(), bucket()], at(5)).expect("there is room");
    is_kept(&windows, None);
}
