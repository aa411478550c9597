//! Lockout after too many wrong passwords or codes, and how it ends (docs/contract.md, Second factors and tokens;
//! docs/security.md R13, R38, R39, R41).

use serde_json::{Value, json};

use crate::support::{
    era::{era_refused, password_set},
    login::{api_grant, other_than, token_in},
    messages::suppress,
    mithril::{API, refused, token_expired, user_blocked, wrong_code, wrong_identity},
    password::NEW,
    people::Person,
    words::{CODE_EXPIRED, NO_REQUEST},
    world::World,
};

const LOCKED: &str = "Your account at pbx.era-platform.ru was locked";
const CODE_FAILED: &str = "A wrong code was given for your account at pbx.era-platform.ru";

impl World {
    /// The subjects of all mails to a user, none of which has a link (R41).
    async fn notices(&self, person: &Person) -> Vec<String> {
        let mails = self.mails_to(&person.email).await;
        assert!(mails.iter().all(|mail| !mail.to_string().contains("://")), "{mails:?}");
        mails.iter().map(|mail| mail["subject"].as_str().expect("a subject").to_owned()).collect()
    }
}

#[tokio::test]
async fn the_fourth_wrong_password_in_a_row_blocks() {
    let world = World::new().await;
    let demo = world.demo();
    let mut right = String::new();
    for _ in 0..2 {
        for n in 1..=3 {
            wrong_identity(&world.sign_in(&demo, "wrong").await);
            assert_eq!(world.failure_counts(&demo).await, (n.to_string(), "0".into()));
        }
        right = token_in(&world.sign_in(&demo, &demo.password).await);
        assert_eq!(world.failure_counts(&demo).await, ("0".into(), "0".into()), "forgiven");
    }
    let code = world.code_to("+380881234530").await;
    assert!(world.notices(&demo).await.is_empty());
    world.block_by_passwords(&demo).await;
    assert_eq!(world.why_blocked(&demo).await, "passwords");
    for password in [demo.password.as_str(), "wrong"] {
        user_blocked(&world.sign_in(&demo, password).await);
    }
    user_blocked(&world.submit_code(&right, &code).await);
    user_blocked(&world.refresh_login(&right).await);
    assert!(!world.token_works(world.user()).await, "every token ends");
    assert_eq!(
        world.failure_counts(&demo).await,
        ("4".into(), "0".into()),
        "nothing counts while the block is active"
    );
    assert_eq!(world.notices(&demo).await, [LOCKED], "once");

    let user = world.change_block(&demo, "unblock").await;
    assert_eq!((&user["is_blocked"], &user["block_reason"]), (&json!(false), &Value::Null));
    assert_eq!(world.failure_counts(&demo).await, ("0".into(), "0".into()));
    token_expired(&world.submit_code(&right, &code).await);
    token_expired(&world.refresh_login(&right).await);
    assert!(!world.token_works(world.user()).await, "and does not come back");
    for _ in 0..3 {
        wrong_identity(&world.sign_in(&demo, "wrong").await);
    }
    world.advance(60).await;
    token_in(&world.sign_in(&demo, &demo.password).await);
}

#[tokio::test]
async fn the_fourth_failed_code_blocks_without_revealing_it() {
    let world = World::new().await;
    let demo = world.demo();
    let (token, code) = world.begin_login(&demo).await;
    for n in 1..=3 {
        wrong_code(&world.submit_code(&token, &other_than(&code)).await);
        assert_eq!(world.failure_counts(&demo).await, ("0".into(), n.to_string()));
        let notices = world.notices(&demo).await;
        assert_eq!(notices, vec![CODE_FAILED; usize::from(n == 3)], "when the code is past its attempts, {n}");
    }
    // Its attempts are exhausted, and the answer to the attempt that blocks is the same as before.
    wrong_code(&world.submit_code(&token, &code).await);
    assert_eq!(world.why_blocked(&demo).await, "otps");
    assert_eq!(world.notices(&demo).await, [CODE_FAILED, LOCKED]);
    user_blocked(&world.submit_code(&token, &code).await);
    user_blocked(&world.refresh_login(&token).await);
    user_blocked(&world.sign_in(&demo, &demo.password).await);
    assert!(!world.token_works(world.user()).await, "every token ends");
    assert_eq!(world.failure_counts(&demo).await, ("0".into(), "4".into()));
    assert_eq!(world.notices(&demo).await.len(), 2);

    world.change_block(&demo, "unblock").await;
    assert_eq!(world.failure_counts(&demo).await, ("0".into(), "0".into()));
    token_expired(&world.submit_code(&token, &code).await);
    let (token, code) = world.begin_login(&demo).await;
    wrong_code(&world.submit_code(&token, &other_than(&code)).await);
    token_in(&world.submit_code(&token, &code).await);
}

#[tokio::test]
async fn neither_another_code_nor_another_login_resets_the_failures() {
    let world = World::new().await;
    let demo = world.demo();
    let (token, code) = world.begin_login(&demo).await;
    for _ in 0..2 {
        wrong_code(&world.submit_code(&token, &other_than(&code)).await);
    }
    let token = token_in(&world.refresh_login(&token).await);
    let code = world.code_to("+380881234530").await;
    wrong_code(&world.submit_code(&token, &other_than(&code)).await);
    let (token, code) = world.begin_login(&demo).await;
    assert_eq!(world.failure_counts(&demo).await, ("0".into(), "3".into()));
    wrong_code(&world.submit_code(&token, &other_than(&code)).await);
    user_blocked(&world.submit_code(&token, &code).await);
    assert_eq!(world.notices(&demo).await, [LOCKED], "no code was tried three times");
}

#[tokio::test]
async fn an_expired_code_counts_as_a_failure() {
    let world = World::new().await;
    let demo = world.demo();
    let (token, code) = world.begin_login(&demo).await;
    world.advance(300).await;
    for _ in 0..3 {
        refused(&world.submit_code(&token, &code).await, 401, "otp_expired", CODE_EXPIRED);
    }
    wrong_code(&world.submit_code(&token, &code).await);
    user_blocked(&world.submit_code(&token, &code).await);
    assert_eq!(world.notices(&demo).await, [LOCKED], "an expired code was no guess");
}

#[tokio::test]
async fn a_password_reset_unblocks_and_keeps_the_second_factor() {
    let world = World::new().await;
    let (maria, olga) = (
        world.create_person_with("maria", "+380881234531").await,
        world.create_person_with("olga", "+380881234532").await,
    );
    let token = world.block_by_codes(&maria).await;
    world.block_by_passwords(&olga).await;
    for person in [&maria, &olga] {
        user_blocked(&world.sign_in(person, &person.password).await);
        let link = world.reset_link(&person.email, &person.email).await;
        user_blocked(&world.sign_in(person, &person.password).await);
        password_set(&world.reset_password(&link, NEW).await, person.email.split('@').next().expect("a login"));
        assert_eq!(world.failure_counts(person).await, ("0".into(), "0".into()));
        wrong_identity(&world.sign_in(person, &person.password).await);
        let person = Person {
            password: NEW.into(),
            ..person.clone()
        };
        // R39: the login still needs the code, from the same phone.
        let (token, code) = world.begin_login(&person).await;
        token_in(&world.submit_code(&token, &code).await);
    }
    token_expired(&world.submit_code(&token, "000000").await);
    // A password reset does not unblock what an administrator has blocked.
    world.change_block(&maria, "block").await;
    world.advance(600).await;
    let link = world.reset_link(&maria.email, &maria.email).await;
    password_set(&world.reset_password(&link, "another-horse").await, "maria");
    user_blocked(&world.sign_in(&maria, "another-horse").await);
    era_refused(&world.reset_password(&link, NEW).await, 404, NO_REQUEST);
}

#[tokio::test]
async fn a_block_may_expire() {
    let world = World::with(&[("BlockSeconds", "60")]).await;
    let (maria, olga) = (world.create_person_with("maria", "+380881234531").await, world.create_person("olga").await);
    let opened = token_in(&world.request_token(api_grant(&olga)).await);
    let token = world.block_by_codes(&maria).await;
    world.block_by_passwords(&olga).await;
    assert!(!world.token_works(&opened).await);
    world.advance(50).await;
    for person in [&maria, &olga] {
        user_blocked(&world.sign_in(person, &person.password).await);
    }
    world.advance(10).await;
    // Tokens issued before the block stay revoked; earlier failures are reset.
    token_expired(&world.submit_code(&token, "000000").await);
    token_expired(&world.refresh_login(&token).await);
    assert!(!world.token_works(&opened).await);
    let (token, code) = world.begin_login(&maria).await;
    for _ in 0..3 {
        wrong_identity(&world.sign_in(&olga, "wrong").await);
        wrong_code(&world.submit_code(&token, &other_than(&code)).await);
    }
    assert!(world.token_works(&token_in(&world.request_token(api_grant(&olga)).await)).await);
    // The next block is independent and lasts as long.
    wrong_code(&world.submit_code(&token, &code).await);
    user_blocked(&world.submit_code(&token, &code).await);
    world.advance(60).await;
    let (token, code) = world.begin_login(&maria).await;
    token_in(&world.submit_code(&token, &code).await);
    // The owner is notified once a day, however long the brute force continues.
    let notices = async || world.notices(&olga).await.len();
    world.block_by_passwords(&olga).await;
    assert_eq!(notices().await, 1);
    world.advance(86_400).await;
    world.block_by_passwords(&olga).await;
    assert_eq!(notices().await, 2);
    // An administrator's block replaces it on request, and does not expire.
    let path = format!("{API}/users/{}/actions/block", olga.id);
    let replaced = world.request("PATCH", &path).bearer(world.admin());
    replaced.json(&json!({ "replace": true })).send().await.ok(200);
    world.advance(3600).await;
    user_blocked(&world.sign_in(&olga, &olga.password).await);
}

#[tokio::test]
async fn an_unsent_notice_does_not_change_the_response() {
    let world = World::new().await;
    let (demo, maria) = (world.demo(), world.create_person("maria").await);
    world
        .inject(json!({ "service": "ses", "operation": null, "kind": "error", "skip": 0, "times": 1000 }))
        .await;
    let token = world.block_by_codes(&demo).await;
    user_blocked(&world.submit_code(&token, "000000").await);
    world.clear_faults().await;
    suppress(&world, &maria.email).await;
    world.block_by_passwords(&maria).await;
    user_blocked(&world.sign_in(&maria, &maria.password).await);
    assert_eq!(world.notices(&demo).await, [CODE_FAILED, LOCKED], "later");
    assert!(world.notices(&maria).await.is_empty());
}

#[tokio::test]
async fn a_new_password_revokes_pending_logins() {
    let world = World::new().await;
    let maria = world.create_person_with("maria", "+380881234531").await;
    let (token, code) = world.begin_login(&maria).await;
    let link = world.reset_link(&maria.email, &maria.email).await;
    password_set(&world.reset_password(&link, NEW).await, "maria");
    token_expired(&world.submit_code(&token, &code).await);
    let maria = Person {
        password: NEW.into(),
        ..maria
    };
    let (token, code) = world.begin_login(&maria).await;
    let own = world.create_token(json!({ "user_id": maria.id, "scopes": ["api"] })).await;
    password_set(&world.change_password(&own, NEW, "another-horse").await, "maria");
    token_expired(&world.submit_code(&token, &code).await);
    token_expired(&world.refresh_login(&token).await);
}

#[tokio::test]
async fn the_number_of_allowed_failures_is_configurable() {
    let world = World::with(&[("UserLoginErrorMax", "1"), ("UserOtpErrorMax", "1")]).await;
    let (demo, maria) = (world.demo(), world.create_person("maria").await);
    for _ in 0..2 {
        wrong_identity(&world.sign_in(&maria, "wrong").await);
    }
    user_blocked(&world.sign_in(&maria, &maria.password).await);
    let (token, code) = world.begin_login(&demo).await;
    for _ in 0..2 {
        wrong_code(&world.submit_code(&token, &other_than(&code)).await);
    }
    user_blocked(&world.submit_code(&token, &code).await);
}
