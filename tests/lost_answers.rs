//! Every answer of one call to AWS is lost, each call in turn: a completed request is reported as done, a delivered
//! message works, and a failed request can be retried at once (security.md R17, R64, R65).

use serde_json::json;

use crate::support::{
    clock::DAY,
    era::era_refused,
    flows::{Flow, Trial},
    login::{password_grant, token_in},
    mithril::token_expired,
    passcode::passcode_refused,
    password::NEW,
    registration::PASSWORD,
    requests::{IDEMPOTENCY_KEY, Response},
    words::{ERA_UNAUTHORIZED, NO_REQUEST},
    world::World,
};

/// The SDK's attempts for DynamoDB; it tries SES and SNS once.
const ATTEMPTS: u32 = 3;

/// Asserts a transient error in the flow's dialect.
#[track_caller]
fn unavailable(got: &Response, what: &str) {
    assert_eq!((got.status, got.header("retry-after")), (503, Some("5")), "{what}: {got:?}");
}

/// The outcome of one request while a call lost its answers.
struct Survival {
    /// Whether the request made such a call.
    is_hit: bool,
    /// Whether a link was mailed although the answer reports an error.
    untold_link: bool,
}

/// Makes one request while a call loses `times` answers.
async fn survives(world: &World, flow: Flow, (service, times): (&str, u32), skip: u32, n: usize) -> Survival {
    let what = format!("{flow:?}, {times} of {service} after {skip}");
    let trial = Trial::new(world, flow, n).await;
    let before = trial.messages(world).await;
    let lost = json!({ "service": service, "operation": null, "kind": "drop_response", "skip": skip, "times": times });
    world.inject(lost).await;
    let mut got = trial.send(world).await;
    let is_hit = world.get("/_local/faults").send_local().await == json!([]);
    world.clear_faults().await;
    let mut sent = trial.messages(world).await - before;
    let untold_link = got.status >= 300 && sent == 1 && matches!(flow, Flow::Register | Flow::AskForReset);
    if got.status >= 300 {
        assert!(service != "dynamodb" || times == ATTEMPTS, "{what}: the second try is answered: {got:?}");
        unavailable(&got, &what);
        assert!(sent <= flow.messages() + flow.notices(), "{what}: {sent} messages");
        if untold_link {
            let link = world.link_to(&trial.to).await;
            let followed = match flow {
                Flow::Register => world.confirm_registration(&link, "short").await,
                _ => world.reset_password(&link, "short").await,
            };
            assert_eq!(followed.status, 412, "{what}: it leads somewhere");
        }
        let between = trial.messages(world).await;
        got = trial.send(world).await;
        assert!(got.status < 300, "{what}: locked: {got:?}");
        sent = trial.messages(world).await - if flow.notices() == 0 { between } else { before };
    }
    assert_eq!(sent, flow.messages() + flow.notices(), "{what}: messages");
    if flow.is_repeatable() {
        let between = trial.messages(world).await;
        let again = trial.send(world).await;
        assert_eq!((again.status, &again.body), (got.status, &got.body), "{what}");
        assert_eq!(trial.messages(world).await, between, "{what}: it was repeated");
    }
    trial.works(world, &got).await;
    world.advance(DAY).await;
    Survival { is_hit, untold_link }
}

/// Each call of a request in turn.
async fn sweep(flows: &[Flow]) {
    let world = World::new().await;
    let mut n = 0;
    for flow in flows {
        let (mut messages, mut untold_links) = (0, 0);
        for (service, times) in [("dynamodb", 1), ("dynamodb", ATTEMPTS), ("ses", 1), ("sns", 1)] {
            let mut skip = 0;
            loop {
                n += 1;
                let survival = survives(&world, *flow, (service, times), skip, n).await;
                untold_links += usize::from(survival.untold_link);
                if !survival.is_hit {
                    break;
                }
                skip += 1;
            }
            match service {
                "dynamodb" => assert!(skip > 0, "{flow:?} calls the store"),
                _ => messages += skip,
            }
        }
        assert_eq!(messages as usize, flow.messages(), "{flow:?}");
        let mails_a_link = matches!(flow, Flow::Register | Flow::AskForReset);
        assert_eq!(untold_links > 0, mails_a_link, "{flow:?}: {untold_links} links");
    }
}

#[tokio::test]
async fn registrations_survive_lost_responses() {
    sweep(&[Flow::Register, Flow::ConfirmRegistration, Flow::MakeUser]).await;
}

#[tokio::test]
async fn password_resets_survive_lost_responses() {
    sweep(&[Flow::AskForReset, Flow::ConfirmReset, Flow::ChangePassword]).await;
}

#[tokio::test]
async fn logins_survive_lost_responses() {
    sweep(&[
        Flow::LogInWithoutFactor,
        Flow::LogInFromDevice,
        Flow::LogIn,
        Flow::GiveCode,
        Flow::Refresh,
        Flow::AnotherCode,
    ])
    .await;
}

#[tokio::test]
async fn factors_and_passcodes_survive_lost_responses() {
    sweep(&[
        Flow::InitFactor,
        Flow::ApproveFactor,
        Flow::RetrievePasscode,
        Flow::ConsumePasscode,
    ])
    .await;
}

/// Requests that consume something, and the operation that consumes it.
const CONSUMERS: [(Flow, &str); 9] = [
    (Flow::ConfirmRegistration, "TransactWriteItems"),
    (Flow::ConfirmReset, "TransactWriteItems"),
    (Flow::ChangePassword, "TransactWriteItems"),
    (Flow::MakeUser, "TransactWriteItems"),
    (Flow::LogInWithoutFactor, "TransactWriteItems"),
    (Flow::LogInFromDevice, "TransactWriteItems"),
    (Flow::GiveCode, "TransactWriteItems"),
    (Flow::ApproveFactor, "TransactWriteItems"),
    (Flow::ConsumePasscode, "TransactWriteItems"),
];

#[tokio::test]
async fn a_consumption_is_reported_although_every_response_was_lost() {
    let world = World::new().await;
    for (n, (flow, operation)) in CONSUMERS.into_iter().enumerate() {
        let trial = Trial::new(&world, flow, n).await;
        let lost = json!({
            "service": "dynamodb", "operation": operation, "kind": "drop_response", "skip": 0, "times": ATTEMPTS,
        });
        world.inject(lost).await;
        let got = trial.send(&world).await;
        assert_eq!(world.get("/_local/faults").send_local().await, json!([]), "{flow:?}");
        assert!(got.status < 300, "{flow:?}: {got:?}");
        trial.works(&world, &got).await;
        world.advance(DAY).await;
    }
}

#[tokio::test]
async fn a_change_whose_outcome_cannot_be_read_takes_effect_once() {
    let world = World::new().await;
    let flows = CONSUMERS.into_iter().flat_map(|(flow, operation)| {
        let keys = if flow.is_repeatable() {
            &[None, Some(IDEMPOTENCY_KEY)][..]
        } else {
            &[None]
        };
        keys.iter().map(move |key| (flow, operation, *key))
    });
    for (n, (flow, operation, key)) in flows.enumerate() {
        let trial = Trial::new(&world, flow, n).await;
        // The write succeeds, and nothing can be read after it.
        let lost = json!({
            "service": "dynamodb", "operation": operation, "kind": "drop_response", "skip": 0, "times": 1000,
        });
        world.inject(lost).await;
        let skip = json!({ "service": "dynamodb", "operation": "BatchGetItem", "kind": "error", "skip": reads_before(flow), "times": 1000 });
        world.inject(skip).await;
        let got = trial.ask(&world, key).send().await;
        world.clear_faults().await;
        unavailable(&got, &format!("{flow:?}"));
        // The outcome is revealed to a retry with the same key, and neither to another one nor to a guess.
        let again = trial.ask(&world, key).send().await;
        match flow {
            _ if key.is_some() => trial.works(&world, &again).await,
            Flow::ConfirmRegistration | Flow::ConfirmReset => {
                era_refused(&again, 404, NO_REQUEST);
                let path = &trial.path;
                let other = world.request("PATCH", path).json(&json!({ "pwd": "another-horse" })).send().await;
                era_refused(&other, 404, NO_REQUEST);
            }
            Flow::ChangePassword => era_refused(&again, 401, ERA_UNAUTHORIZED),
            Flow::MakeUser => assert_eq!(again.status, 422, "{again:?}"),
            Flow::LogInWithoutFactor => assert!(world.token_works(&token_in(&again)).await),
            // The device's token that was replaced is still valid.
            Flow::LogInFromDevice => trial.works(&world, &again).await,
            Flow::GiveCode => token_expired(&again),
            Flow::ApproveFactor => token_expired(&again),
            Flow::ConsumePasscode => passcode_refused(&again),
            _ => panic!("{flow:?} uses nothing up"),
        }
        let email = format!("{}@example.org", trial.login);
        let password = match flow {
            Flow::ConfirmRegistration => PASSWORD.to_owned(),
            Flow::ConfirmReset | Flow::ChangePassword | Flow::MakeUser => NEW.to_owned(),
            _ => continue,
        };
        token_in(&world.request_token(password_grant(&email, &password)).await);
        world.advance(DAY).await;
    }
}

/// How often a request reads several rows before it writes.
fn reads_before(flow: Flow) -> u32 {
    match flow {
        Flow::MakeUser | Flow::ChangePassword => 2,
        _ => 1,
    }
}
