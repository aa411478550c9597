//! Logins while the store is down, throttling, or loses an answer: never a success without its effect, never two
//! sessions, and a healthy retry succeeds (security.md R17, R64).

use serde_json::{Value, json};

use crate::support::{
    clock::DAY,
    login::{api_grant, other_than, token_in},
    mithril::{refused, token_expired, wrong_code},
    people::Person,
    requests::Response,
    words::SERVICE_UNAVAILABLE,
    world::World,
};

/// The faults of a store call: the kind, and how often in a row. The SDK makes three attempts.
const FAULTS: [(&str, u32); 8] = [
    ("error", 1),
    ("error", 3),
    ("error", 1000),
    ("throttle", 3),
    ("drop_response", 1),
    ("drop_response", 3),
    ("conflict", 1),
    ("conflict", 1000),
];

/// One fault after `skip` calls of the store.
struct Fault {
    kind: &'static str,
    times: u32,
    skip: u32,
}

impl Fault {
    /// Whether the SDK's own retries are enough, so that the caller sees no error.
    fn passes(&self) -> bool {
        self.times == 1
    }

    /// Whether the fault outlasts the retries, so that nothing is written.
    fn lasts(&self) -> bool {
        matches!(self.kind, "error" | "conflict") && self.times > 1
    }

    fn words(&self) -> String {
        format!("{} x{} after {}", self.kind, self.times, self.skip)
    }

    async fn begin(&self, world: &World) {
        let Self { kind, times, skip } = self;
        world
            .inject(json!({ "service": "dynamodb", "operation": null, "kind": kind, "skip": skip, "times": times }))
            .await;
    }
}

/// Runs `check` for every fault in each of the first `calls` calls, with one user per fault.
async fn each(world: &World, calls: u32, mut check: impl AsyncFnMut(&Fault, &Person)) {
    for (n, (kind, times)) in FAULTS.into_iter().enumerate() {
        let person = world.create_person_with(&format!("someone{n}"), &format!("+38088123456{n}")).await;
        // A conflict only hits the writes among the calls, of which there are fewer.
        let calls = if kind == "conflict" { 1 } else { calls };
        for skip in 0..calls {
            check(&Fault { kind, times, skip }, &person).await;
            world.clear_faults().await;
            world.advance(DAY).await;
        }
    }
}

#[track_caller]
fn ours(got: &Response, what: &str) {
    assert_eq!((got.status, got.header("retry-after")), (503, Some("5")), "{what}: {got:?}");
    refused(got, 503, "internal_error", SERVICE_UNAVAILABLE);
}

/// Completes a login with its code, and asserts that the token works.
async fn complete_login(world: &World, person: &Person, token: &str, code: &str, what: &str) {
    let before = world.count_access_tokens(person).await;
    let got = world.submit_code(token, code).await;
    assert_eq!(got.status, 201, "{what}: {got:?}");
    assert!(world.token_works(&token_in(&got)).await, "{what}");
    assert_eq!(world.count_access_tokens(person).await, before + 1, "{what}");
}

#[tokio::test]
async fn a_login_survives_a_fault_in_any_step() {
    let world = World::new().await;
    // The client, the address, the rows that a login is checked against, the message quota, the transaction.
    each(&world, 5, async |fault, person| {
        let what = fault.words();
        let phone = person.phone.as_deref().expect("a phone");
        let before = world.sms_to(phone).await.len();
        fault.begin(&world).await;
        let mut got = world.request_token(api_grant(person)).await;
        world.clear_faults().await;
        assert!(got.status != 201 || !fault.lasts(), "{what}: a success that is none");
        if got.status != 201 {
            assert!(!fault.passes(), "{what}: {got:?}");
            ours(&got, &what);
            assert_eq!(world.sms_to(phone).await.len(), before, "{what}: nothing was promised");
            got = world.request_token(api_grant(person)).await;
        }
        let token = token_in(&got);
        assert_eq!(world.sms_to(phone).await.len(), before + 1, "{what}");
        complete_login(&world, person, &token, &world.code_to(phone).await, &what).await;
        assert_eq!(world.failure_counts(person).await, ("0".into(), "0".into()), "{what}");
    })
    .await;
}

#[tokio::test]
async fn the_correct_code_survives_a_fault_in_any_step() {
    let world = World::new().await;
    // The rows that the login is checked against, the transaction, the message quota.
    each(&world, 3, async |fault, person| {
        let what = fault.words();
        let (token, code) = world.begin_api_login(person).await;
        let before = world.count_access_tokens(person).await;
        fault.begin(&world).await;
        let got = world.submit_code(&token, &code).await;
        world.clear_faults().await;
        let is_done = world.count_access_tokens(person).await > before;
        match got.status {
            201 => {
                assert!(is_done && world.token_works(&token_in(&got)).await, "{what}: a success that is none");
                token_expired(&world.submit_code(&token, &code).await);
            }
            _ => {
                assert!(!fault.passes(), "{what}: {got:?}");
                ours(&got, &what);
                match is_done {
                    // It was written, and the token is lost: the user must log in again.
                    true => token_expired(&world.submit_code(&token, &code).await),
                    false => complete_login(&world, person, &token, &code, &what).await,
                }
            }
        }
        assert_eq!(world.count_access_tokens(person).await, before + 1, "{what}");
        let (token, code) = world.begin_api_login(person).await;
        complete_login(&world, person, &token, &code, &what).await;
    })
    .await;
}

#[tokio::test]
async fn a_wrong_code_is_never_accepted_and_counts_at_most_once() {
    let world = World::new().await;
    each(&world, 2, async |fault, person| {
        let what = fault.words();
        let (token, code) = world.begin_api_login(person).await;
        fault.begin(&world).await;
        let got = world.submit_code(&token, &other_than(&code)).await;
        world.clear_faults().await;
        let (_, failed) = world.failure_counts(person).await;
        match got.status {
            401 => {
                wrong_code(&got);
                assert_eq!(failed, "1", "{what}: a reported failure is counted");
            }
            _ => {
                assert!(!fault.passes(), "{what}: {got:?}");
                ours(&got, &what);
                assert!(failed == "0" || failed == "1" && fault.kind == "drop_response", "{what}: {failed}");
            }
        }
        let attempts = world.code_row(person).await["attempts"]["N"].clone();
        assert_eq!(attempts, failed, "{what}: both, or neither");
        complete_login(&world, person, &token, &code, &what).await;
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_is_never_accepted_and_counts_at_most_once() {
    let world = World::new().await;
    each(&world, 4, async |fault, person| {
        let what = fault.words();
        fault.begin(&world).await;
        let got = world.sign_in(person, "wrong").await;
        world.clear_faults().await;
        let (failed, _) = world.failure_counts(person).await;
        match got.status {
            401 => assert_eq!(failed, "1", "{what}: a reported failure is counted"),
            _ => {
                assert!(!fault.passes(), "{what}: {got:?}");
                ours(&got, &what);
                assert!(failed == "0" || failed == "1" && fault.kind == "drop_response", "{what}: {failed}");
            }
        }
        token_in(&world.sign_in(person, &person.password).await);
        assert_eq!(world.failure_counts(person).await, ("0".into(), "0".into()), "{what}");
    })
    .await;
}

#[tokio::test]
async fn another_code_survives_a_fault_in_any_step() {
    let world = World::new().await;
    // The rows that the login is checked against, the transaction, the message quota in one call or two; then, after
    // the message, the revocation of the earlier token.
    each(&world, 5, async |fault, person| {
        let what = fault.words();
        let phone = person.phone.as_deref().expect("a phone");
        let (old, _) = world.begin_api_login(person).await;
        let before = world.sms_to(phone).await.len();
        fault.begin(&world).await;
        let mut got = world.refresh_login(&old).await;
        world.clear_faults().await;
        let sent = world.sms_to(phone).await.len() - before;
        // A sent code means success, whatever happens to the earlier token; without a sent code there is no success.
        assert_eq!(got.status == 201, sent == 1, "{what}: {got:?}");
        if got.status != 201 {
            assert!(!fault.passes(), "{what}: {got:?}");
            ours(&got, &what);
            got = world.refresh_login(&old).await;
            assert_eq!(got.status, 201, "{what}: the earlier token is as good as ever: {got:?}");
        }
        assert_eq!(world.sms_to(phone).await.len(), before + 1, "{what}");
        complete_login(&world, person, &token_in(&got), &world.code_to(phone).await, &what).await;
        token_expired(&world.refresh_login(&old).await);
    })
    .await;
}

#[tokio::test]
async fn a_hanging_store_is_reported_before_the_timeout() {
    let world = World::new().await;
    let person = world.demo();
    let hang = |skip: u32, times: u32| json!({ "service": "dynamodb", "operation": null, "kind": "hang", "skip": skip, "times": times });
    // Once: a retry hides it.
    world.inject(hang(4, 1)).await;
    let token = token_in(&world.request_token(api_grant(&person)).await);
    world.inject(hang(1, 1)).await;
    complete_login(&world, &person, &token, &world.code_to("+380881234530").await, "hangs once").await;
    // Permanently: nothing is written.
    let before = world.state().await;
    world.inject(hang(2, 1000)).await;
    ours(&world.request_token(api_grant(&person)).await, "hangs for good");
    world.clear_faults().await;
    assert_eq!(world.state().await, before);
    let (token, code) = world.begin_api_login(&person).await;
    world.inject(hang(1, 1000)).await;
    ours(&world.submit_code(&token, &code).await, "hangs for good");
    world.clear_faults().await;
    complete_login(&world, &person, &token, &code, "afterwards").await;
    for invocation in world.invocations().await {
        let ms = invocation["ms"].as_f64().expect("a number");
        assert!(ms < 10_000.0, "the function's time-out is 10 s: {invocation}");
    }
}

#[tokio::test]
async fn a_clients_token_survives_a_fault_in_any_step() {
    let world = World::new().await;
    let body = json!({
        "grant_type": "client_credentials", "client_id": "heatclinic", "scope": "passcode",
        "client_secret": world.id("/client/client_secret"),
    });
    for (kind, times) in FAULTS {
        for skip in 0..2 {
            let fault = Fault { kind, times, skip };
            fault.begin(&world).await;
            let mut got = world.request_token(body.clone()).await;
            world.clear_faults().await;
            if got.status != 201 {
                assert!(!fault.passes(), "{}: {got:?}", fault.words());
                ours(&got, &fault.words());
                got = world.request_token(body.clone()).await;
            }
            let path = "/passcode/retrieve?purpose=TEST&username=maria&client_id=heatclinic";
            let made: Value = world.get(path).bearer(&token_in(&got)).send().await.ok(200);
            assert!(made["id"].is_string(), "{}", fault.words());
        }
    }
}
