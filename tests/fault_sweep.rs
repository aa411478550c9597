//! Every flow, with every fault of every call to AWS that it makes: no success without its effect, nothing done twice, and
//! a retry succeeds or gets a documented refusal (security.md R17, R64, R65).
//!
//! The calls are those of a run without faults. A sample of the cases runs by default, all of them with
//! `COUNTERSIGN_SWEEP=all cargo test --test black_box fault_sweep`.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use serde_json::{Value, json};

use crate::support::{
    clock::DAY,
    flows::{Flow, Trial},
    login::{password_grant, token_in},
    password::{NEW, OLD},
    registration::PASSWORD,
    requests::{IDEMPOTENCY_KEY, Response},
    world::{World, sweeps_everything},
};

/// The SDK's attempts for DynamoDB.
const ATTEMPTS: u32 = 3;
/// How long the claim of a crashed request lasts, in seconds: after that, a retry with its key is processed.
const LONGEST_CLAIM: u64 = 15;
/// The part of the cases that a sample tries. It has no factor in common with the number of faults.
const SAMPLE: usize = 17;

/// The kinds of faults, and how many calls each hits.
const FAULTS: [(&str, u32); 10] = [
    ("error", 1),
    ("error", ATTEMPTS),
    ("throttle", 1),
    ("throttle", ATTEMPTS),
    ("hang", 1),
    ("drop_response", 1),
    ("drop_response", ATTEMPTS),
    ("conflict", 1),
    ("kill_before", 1),
    ("kill_after", 1),
];

/// The flows, in groups that run concurrently.
const FLOWS: [&[Flow]; 7] = [
    &[Flow::Register, Flow::ConfirmRegistration, Flow::MakeUser],
    &[Flow::AskForReset, Flow::ConfirmReset, Flow::ChangePassword],
    &[
        Flow::LogInWithoutFactor,
        Flow::LogInFromDevice,
        Flow::LogIn,
        Flow::GiveCode,
        Flow::Refresh,
        Flow::AnotherCode,
    ],
    &[
        Flow::InitFactor,
        Flow::ApproveFactor,
        Flow::RetrievePasscode,
        Flow::ConsumePasscode,
        Flow::InvalidatePasscode,
    ],
    &[
        Flow::GiveAppCode,
        Flow::GiveRecoveryCode,
        Flow::InitApp,
        Flow::ApproveApp,
        Flow::ReplaceRecoveryCodes,
    ],
    &[
        Flow::ClientToken,
        Flow::CreatePin,
        Flow::RevokePin,
        Flow::CreateFactor,
        Flow::DisableFactor,
        Flow::EnableFactor,
        Flow::ResetFactor,
        Flow::Block,
        Flow::Unblock,
    ],
    &[
        Flow::StartByText,
        Flow::StartByMail,
        Flow::CheckCode,
        Flow::CancelVerification,
        Flow::VerifyFactor,
        Flow::AnswerWithCode,
    ],
];

/// One call of a flow.
#[derive(Clone, Debug)]
struct Call {
    service: String,
    operation: String,
    table: String,
    /// The calls of the same service before it.
    before: u32,
    /// Those among them that can conflict with a transaction, if it is one itself.
    conflicts_before: Option<u32>,
}

/// One call of a flow with one fault.
struct Case {
    function: String,
    call: Call,
    kind: &'static str,
    times: u32,
}

impl Case {
    fn rule(&self) -> Option<Value> {
        let skip = match self.kind {
            "conflict" => self.call.conflicts_before?,
            _ => self.call.before,
        };
        Some(json!({
            "service": self.call.service, "operation": null, "function": self.function,
            "kind": self.kind, "skip": skip, "times": self.times,
        }))
    }

    fn kills(&self) -> bool {
        self.kind.starts_with("kill")
    }

    fn named(&self, flow: Flow) -> String {
        let Call {
            service,
            operation,
            table,
            before,
            ..
        } = &self.call;
        format!("{flow:?}: {} × {} of {service} {operation} {table} (number {before})", self.kind, self.times)
    }
}

/// The function of a flow and its calls, as a run without faults makes them.
async fn calls(world: &World, flow: Flow) -> (String, Vec<Call>) {
    let trial = Trial::new(world, flow, 0).await;
    world.invocations().await;
    let got = trial.send(world).await;
    let mut made = world.invocations().await;
    made.retain(|one| !one["route"].is_null());
    trial.works(world, &got).await;
    world.advance(DAY).await;
    let [made] = made.as_slice() else {
        panic!("{flow:?}: not one request but {made:?}")
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut calls: Vec<Call> = Vec::new();
    for call in made["calls"].as_array().expect("calls") {
        let (service, operation) = (text(&call["service"]), text(&call["operation"]));
        // Read while a function starts, and seldom after that.
        if service == "secretsmanager" {
            continue;
        }
        let can_conflict = |operation: &str| {
            ["PutItem", "UpdateItem", "DeleteItem"].contains(&operation) || operation.starts_with("Transact")
        };
        let earlier = || calls.iter().filter(|earlier| earlier.service == service);
        let count = |count: usize| u32::try_from(count).expect("few calls");
        let call = Call {
            before: count(earlier().count()),
            conflicts_before: (service == "dynamodb" && can_conflict(&operation))
                .then(|| count(earlier().filter(|earlier| can_conflict(&earlier.operation)).count())),
            table: text(&call["table"]).replace("countersign-", ""),
            service,
            operation,
        };
        calls.push(call);
    }
    (text(&made["function"]), calls)
}

/// Tries one case; an error says what was wrong. `None` if the request did not make the call.
async fn survives(world: &World, flow: Flow, case: &Case, rule: Value, n: usize) -> Option<Result<(), String>> {
    let trial = Trial::new(world, flow, n).await;
    let before = trial.messages(world).await;
    world.inject(rule.clone()).await;
    let got = trial.ask(world, Some(IDEMPOTENCY_KEY)).send_unchecked().await;
    let left = world.get("/_local/faults").send_local().await;
    let is_hit = left[0].is_null() || left[0]["times"] != rule["times"];
    world.clear_faults().await;
    if !is_hit {
        return None;
    }
    let checked = AssertUnwindSafe(check(world, flow, case, &trial, got, before)).catch_unwind().await;
    Some(checked.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
    }))
}

async fn check(
    world: &World,
    flow: Flow,
    case: &Case,
    trial: &Trial,
    first: Response,
    before: usize,
) -> Result<(), String> {
    let first_sent = trial.messages(world).await - before;
    if first_sent > flow.messages() + flow.notices() {
        return Err(format!("{first_sent} messages by one request"));
    }
    let mut sent = first_sent;
    let mut got = first;
    if got.status >= 300 {
        let is_transient = match flow {
            // GitLab's own answer when its store fails.
            Flow::CreatePin | Flow::RevokePin if got.status == 422 => true,
            _ => got.status == 503 && got.header("retry-after") == Some("5"),
        };
        // A crash is answered by the gateway.
        let is_crash = case.kills() && got.status == 500;
        if !is_transient && !is_crash {
            return Err(format!("a failure that is not transient: {got:?}"));
        }
        let mut waited = 0;
        got = loop {
            let between = trial.messages(world).await;
            let again = trial.send(world).await;
            sent = trial.messages(world).await - between;
            match again.status {
                409 if flow.is_repeatable() && waited <= LONGEST_CLAIM => {
                    let wait = again.retry_after();
                    waited += wait;
                    world.advance(wait).await;
                }
                _ => break again,
            }
        };
        if waited > LONGEST_CLAIM {
            return Err(format!("a retry is refused for longer than a request may take: {waited} s"));
        }
        if got.status >= 300 {
            return refused_after_effect(world, flow, trial, &got, before).await;
        }
    }
    let in_all = trial.messages(world).await - before;
    if flow.notices() > 0 && in_all != flow.notices() {
        return Err(format!("{in_all} notices"));
    }
    // A retry may be answered as the first request would have been, whose message was sent.
    if flow.notices() == 0 && sent != flow.messages() && !(sent == 0 && first_sent > 0) {
        return Err(format!("{sent} messages by the request that succeeded"));
    }
    if flow.is_repeatable() {
        let between = trial.messages(world).await;
        let again = trial.send(world).await;
        if (again.status, &again.body) != (got.status, &got.body) {
            return Err(format!("a repetition is answered differently: {got:?}, then {again:?}"));
        }
        if trial.messages(world).await != between {
            return Err("a repetition sent another message".to_owned());
        }
    }
    trial.works(world, &got).await;
    match world.accounts(&trial.login).await.len() {
        0 | 1 => Ok(()),
        many => Err(format!("{many} accounts")),
    }
}

/// A retry without a key may be refused if the failed request took effect, with the refusal of a request that came before.
async fn refused_after_effect(
    world: &World,
    flow: Flow,
    trial: &Trial,
    got: &Response,
    before: usize,
) -> Result<(), String> {
    let refusal = match flow {
        Flow::ConfirmRegistration => 404,
        Flow::ApproveFactor | Flow::ApproveApp => 401,
        Flow::MakeUser => 422,
        Flow::ConsumePasscode | Flow::VerifyFactor => 400,
        Flow::RevokePin | Flow::CheckCode | Flow::CancelVerification => 404,
        Flow::CreateFactor | Flow::DisableFactor | Flow::EnableFactor | Flow::Block | Flow::Unblock => 409,
        _ => 0,
    };
    if got.status != refusal {
        return Err(format!("a retry is refused with {}: {got:?}", got.status));
    }
    match flow {
        Flow::ConfirmRegistration | Flow::MakeUser => {
            let password = if flow == Flow::MakeUser { NEW } else { PASSWORD };
            let email = format!("{}@example.org", trial.login);
            token_in(&world.request_token(password_grant(&email, password)).await);
        }
        Flow::ApproveFactor => {
            let person = trial.person.as_ref().expect("a person");
            assert!(world.factor_of(person).await["factor"].is_string(), "refused without an effect");
        }
        Flow::ApproveApp => {
            let person = trial.person.as_ref().expect("a person");
            let got = world.sign_in(person, &person.password).await.ok(201);
            assert_eq!(got["urgent"]["factors"], json!(["TOTP"]), "refused without an effect");
        }
        _ => trial.works(world, got).await,
    }
    let in_all = trial.messages(world).await - before;
    match in_all == flow.notices() {
        true => Ok(()),
        false => Err(format!("{in_all} notices of an act that was refused when it was repeated")),
    }
}

async fn sweep(group: usize) {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (number, flow) in FLOWS[group].iter().enumerate() {
        // Of its own: each case takes a day, and the demo tokens last a year.
        // A country's messages are not all followed by an approval here.
        let world = World::with(&[("UnverifiedBudget", "record")]).await;
        let (function, calls) = calls(&world, *flow).await;
        assert!(calls.iter().any(|call| call.service == "dynamodb"), "{flow:?} calls the store");
        let cases = calls.iter().flat_map(|call| FAULTS.map(|(kind, times)| (call, kind, times)));
        for (n, (call, kind, times)) in cases.enumerate() {
            if !sweeps_everything() && !(n + number * 5 + group * 3).is_multiple_of(SAMPLE) {
                continue;
            }
            let case = Case {
                function: function.clone(),
                call: call.clone(),
                kind,
                times,
            };
            let Some(rule) = case.rule() else { continue };
            match survives(&world, *flow, &case, rule, n + 1).await {
                Some(Ok(())) => tried += 1,
                Some(Err(error)) => wrong.push(format!("{}: {error}", case.named(*flow))),
                None => wrong.push(format!("{}: the call was not made", case.named(*flow))),
            }
            world.advance(DAY).await;
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), tried + wrong.len(), wrong.join("\n"));
    assert!(tried > 0);
    println!("{tried} cases");
}

/// What `publish` does about one changed password: the notices that are mailed, and the ids on the event bus.
async fn published(world: &World, n: usize, rule: Option<Value>) -> (usize, Vec<Value>) {
    let login = format!("someone{n}");
    let (token, _) = world.new_user(&login).await;
    world.change_password(&token, OLD, NEW).await.ok(200);
    assert!(world.request("DELETE", "/_local/events").send_unchecked().await.status < 300);
    let invocations = "/_local/invocations";
    assert!(world.request("DELETE", invocations).send_unchecked().await.status < 300);
    if let Some(rule) = rule {
        world.inject(rule).await;
    }
    world.deliver_streams().await;
    world.clear_faults().await;
    let events = world.get("/_local/events").send_local().await;
    let changed = events.as_array().expect("a list").iter().filter(|event| event["detail-type"] == "password.changed");
    let ids = changed.map(|event| event["detail"]["id"].clone()).collect();
    (world.mails_to(&format!("{login}@example.org")).await.len(), ids)
}

#[tokio::test]
async fn notices_and_events_survive_faults_of_every_call() {
    let world = World::new().await;
    assert_eq!(published(&world, 0, None).await.0, 1);
    let made = world.get("/_local/invocations").send_local().await;
    let made = made.as_array().expect("a list").iter().filter(|one| one["function"] == "publish");
    let calls: Vec<_> = made.flat_map(|one| one["calls"].as_array().expect("calls")).cloned().collect();
    assert!(calls.len() > 5, "reads, a mail, events, and what is remembered: {calls:?}");
    let (mut n, mut tried) = (0_usize, 0);
    for (at, call) in calls.iter().enumerate() {
        let service = call["service"].as_str().expect("a name");
        let skip = calls[..at].iter().filter(|earlier| earlier["service"] == service).count();
        for (kind, times) in FAULTS.into_iter().filter(|(kind, _)| *kind != "conflict") {
            n += 1;
            if !sweeps_everything() && !n.is_multiple_of(SAMPLE / 2) {
                continue;
            }
            let rule = json!({ "service": service, "function": "publish", "kind": kind, "skip": skip, "times": times });
            let (notices, mut ids) = published(&world, n, Some(rule)).await;
            // SES cannot be asked whether it sent a mail, and the bus takes an event twice: by its id it is one.
            let is_uncertain = kind.starts_with("kill") || ["drop_response", "hang"].contains(&kind);
            assert!((1..=1 + usize::from(is_uncertain) * 3).contains(&notices), "{call} {kind} x{times}: {notices}");
            ids.dedup();
            assert_eq!(ids.len(), 1, "{call} {kind} x{times}");
            tried += 1;
        }
    }
    println!("{tried} cases");
}

#[tokio::test]
async fn registrations_survive_faults_of_every_call() {
    sweep(0).await;
}

#[tokio::test]
async fn password_changes_survive_faults_of_every_call() {
    sweep(1).await;
}

#[tokio::test]
async fn logins_survive_faults_of_every_call() {
    sweep(2).await;
}

#[tokio::test]
async fn verifications_survive_faults_of_every_call() {
    sweep(6).await;
}

#[tokio::test]
async fn administration_survives_faults_of_every_call() {
    sweep(5).await;
}

#[tokio::test]
async fn factors_and_passcodes_survive_faults_of_every_call() {
    sweep(3).await;
}

#[tokio::test]
async fn apps_and_recovery_codes_survive_faults_of_every_call() {
    sweep(4).await;
}
