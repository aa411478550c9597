//! Verifications under concurrent requests, and what a caller may learn from calls and responses.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    requests::Response,
    verify::{NUMBER, not_found, wrong},
    world::World,
};

/// How many responses there are of each kind: compared and wrong, approved, refused by a limit, not found.
fn tally(responses: &[Response]) -> [usize; 4] {
    let count = |is: &dyn Fn(&Response) -> bool| responses.iter().filter(|response| is(response)).count();
    let valid = |response: &Response, expected: bool| response.status == 200 && response.json()["valid"] == expected;
    [
        count(&|response| valid(response, false)),
        count(&|response| valid(response, true)),
        count(&|response| response.status == 429),
        count(&|response| response.status == 404),
    ]
}

#[tokio::test]
async fn one_of_64_parallel_right_codes_is_approved() {
    let world = World::new().await;
    let app = world.application();
    app.start(&world, NUMBER).await;
    let code = world.verification_code(NUMBER).await;
    let got = join_all((0..64).map(|_| app.check(&world, NUMBER, &code))).await;
    assert_eq!(tally(&got), [0, 1, 0, 63]);
}

#[tokio::test]
async fn five_of_64_parallel_wrong_codes_are_compared() {
    let world = World::new().await;
    let app = world.application();
    app.start(&world, NUMBER).await;
    let code = wrong(&world.verification_code(NUMBER).await);
    let got = join_all((0..64).map(|_| app.check(&world, NUMBER, &code))).await;
    assert_eq!(tally(&got), [5, 0, 59, 0]);
}

#[tokio::test]
async fn a_right_code_among_wrong_ones_within_the_budget_is_approved() {
    let world = World::new().await;
    let app = world.application();
    for _ in 0..4 {
        app.start(&world, NUMBER).await;
        let code = world.verification_code(NUMBER).await;
        let bad = wrong(&code);
        let given = [&bad, &bad, &code, &bad, &bad];
        let got = join_all(given.map(|code| app.check(&world, NUMBER, code))).await;
        let [_, approved, limited, _] = tally(&got);
        assert_eq!((approved, limited), (1, 0), "{got:?}");
    }
}

#[tokio::test]
async fn parallel_starts_send_as_many_messages_as_the_limit_allows() {
    let world = World::with(&[("UnverifiedBudget", "record")]).await;
    let app = world.application();
    let form = [("To", NUMBER), ("Channel", "sms")];
    let got = join_all((0..24).map(|_| app.starting(&world, &form).send())).await;
    let started = got.iter().filter(|got| got.status == 201).count();
    assert!((1..=5).contains(&started) && got.iter().all(|got| matches!(got.status, 201 | 429)), "{got:?}");
    let texts = world.sms_to(NUMBER).await;
    assert_eq!(texts.len(), started);
    let code = |text: &String| text.rsplit_once('#').expect("an origin-bound line").1.to_owned();
    let codes: std::collections::BTreeSet<_> = texts.iter().map(code).collect();
    assert_eq!(codes.len(), 1, "one verification, one code");
}

#[tokio::test]
async fn unknown_used_canceled_and_expired_verifications_are_indistinguishable() {
    let world = World::new().await;
    let app = world.application();
    let path = format!("{}/VerificationCheck", app.path());
    let mut made: Vec<(String, Value)> = Vec::new();
    for number in ["+14155550142", "+14155550143"] {
        let started = app.start(&world, number).await;
        made.push((world.verification_code(number).await, started["sid"].clone()));
    }
    assert_eq!(app.check(&world, "+14155550142", &made[0].0).await.ok(200)["valid"], true);
    let cancel = app.request(&world, "POST", "/Verifications/+14155550143").form(&[("Status", "canceled")]);
    cancel.send().await.ok(200);
    let expired = app.start(&world, "+14155550144").await;
    made.push((world.verification_code("+14155550144").await, expired["sid"].clone()));
    world.advance(600).await;
    world.invocations().await;
    let never = json!(format!("VE{}", "0".repeat(32)));
    let mut seen = Vec::new();
    for (to, code, sid) in [
        ("+14155550142", &made[0].0, &made[0].1),
        ("+14155550143", &made[1].0, &made[1].1),
        ("+14155550144", &made[2].0, &made[2].1),
        ("+14155550145", &made[0].0, &never),
    ] {
        let got = app.check(&world, to, code).await;
        not_found(&got, &path);
        let by_sid = [
            ("VerificationSid", sid.as_str().expect("a SID")),
            ("Code", code.as_str()),
        ];
        let got = app.request(&world, "POST", "/VerificationCheck").form(&by_sid).send().await;
        not_found(&got, &path);
        let calls = world.invocations().await;
        seen.push(calls.iter().map(|invocation| invocation["calls"].clone()).collect::<Vec<_>>());
    }
    // Units differ with the size of the row, which no caller sees.
    let operations = |calls: &[Value]| -> Vec<String> {
        let calls = calls.iter().flat_map(|calls| calls.as_array().expect("calls"));
        // Keys are read again every five minutes.
        let calls = calls.filter(|call| call["service"] == "dynamodb");
        calls.map(|call| format!("{} {}", call["operation"], call["table"])).collect()
    };
    for calls in &seen {
        assert_eq!(operations(calls), operations(&seen[0]));
        assert_eq!(operations(calls).len(), 2, "one read for each check");
    }
}
