//! Challenges of an entity's factors: docs/contract.md, Verify.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    clock::{DAY, MINUTE},
    entities::{Device, IDENTITY, only_page},
    requests::Response,
    rows::acts_of,
    verify::{Application, not_found, refused},
    world::World,
};

/// A code that is wrong in any case: no code of six digits has seven.
const WRONG: &str = "0000000";

async fn list(world: &World, app: &Application, device: &Device, query: &str) -> Vec<Value> {
    let path = format!("{}/Challenges?{query}", device.entity);
    let listed = app.request(world, "GET", &path).send().await.ok(200);
    listed["challenges"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|challenge| challenge["sid"].clone())
        .collect()
}

#[tokio::test]
async fn a_challenge_is_created_shown_listed_and_approved_once() {
    let world = World::new().await;
    let app = world.application();
    let device = app.verified_device(&world, IDENTITY).await;
    let entity = app.request(&world, "GET", &device.entity).send().await.ok(200);
    let made = device.challenge(&world, &app, None).await;
    let sid = made["sid"].as_str().expect("a SID");
    let all = format!("{}{}/Challenges", app.path(), device.entity);
    let url = format!("{}{all}/{sid}", world.url());
    let mut expected = json!({
        "sid": sid, "account_sid": app.account, "service_sid": app.service, "entity_sid": entity["sid"],
        "identity": IDENTITY, "factor_sid": device.sid, "date_created": made["date_created"],
        "date_updated": made["date_created"], "date_responded": null, "expiration_date": made["expiration_date"],
        "status": "pending", "responded_reason": "none", "details": null, "hidden_details": null, "metadata": null,
        "factor_type": "totp", "url": url, "links": { "notifications": format!("{url}/Notifications") },
    });
    assert_eq!(made, expected);
    assert!(sid.len() == 34 && sid.starts_with("YC"), "{sid}");
    assert_eq!(world.get(&format!("{all}/{sid}")).by(&app).send().await.ok(200), made);
    let listed = world.get(&all).by(&app).send().await.ok(200);
    assert_eq!(listed, json!({ "challenges": [made], "meta": only_page(&world, &all, "challenges") }));

    let missed = device.answer(&world, &app, &made, WRONG).await.ok(200);
    assert_eq!((&missed["status"], &missed["date_responded"]), (&json!("pending"), &Value::Null));
    let code = device.code(&world, 0).await;
    let approved = device.answer(&world, &app, &made, &code).await.ok(200);
    expected["status"] = "approved".into();
    expected["date_updated"] = approved["date_updated"].clone();
    expected["date_responded"] = approved["date_updated"].clone();
    assert_eq!(approved, expected);
    // Neither its own code nor the next one is accepted for it again.
    for code in [code, device.code(&world, 1).await] {
        refused(&device.answer(&world, &app, &made, &code).await, 400, 60306, "The challenge is not valid");
    }
    assert_eq!(world.guesses_of(IDENTITY).await, 3);
    let log = world.audit_log_of(&format!("challenge:{sid}")).await;
    assert_eq!(acts_of(&log), ["challenge_approved", "challenge_created"], "{log:?}");
}

#[tokio::test]
async fn a_challenge_with_a_code_is_approved_or_pending_at_once() {
    let world = World::new().await;
    let app = world.application();
    let device = app.verified_device(&world, IDENTITY).await;
    let missed = device.challenge(&world, &app, Some(WRONG)).await;
    assert_eq!((&missed["status"], &missed["date_responded"]), (&json!("pending"), &Value::Null));
    let code = device.code(&world, 0).await;
    let approved = device.challenge(&world, &app, Some(&code)).await;
    assert_eq!((&approved["status"], &approved["date_responded"]), (&json!("approved"), &approved["date_created"]));
    // A replay in another challenge is a wrong code.
    assert_eq!(device.challenge(&world, &app, Some(&code)).await["status"], "pending");
    assert_eq!(device.answer(&world, &app, &missed, &code).await.ok(200)["status"], "pending");
    let next = device.code(&world, 1).await;
    assert_eq!(device.answer(&world, &app, &missed, &next).await.ok(200)["status"], "approved");
    // The step before an accepted one is used up with it.
    assert_eq!(device.challenge(&world, &app, Some(&code)).await["status"], "pending");
}

#[tokio::test]
async fn challenges_are_listed_by_factor_status_and_order() {
    let world = World::new().await;
    let app = world.application();
    let device = app.verified_device(&world, IDENTITY).await;
    let other = app.verified_device(&world, IDENTITY).await;
    let old = device.challenge(&world, &app, None).await["sid"].clone();
    world.advance(5 * MINUTE).await;
    let code = device.code(&world, 0).await;
    let approved = device.challenge(&world, &app, Some(&code)).await["sid"].clone();
    let pending = device.challenge(&world, &app, None).await["sid"].clone();
    let others = other.challenge(&world, &app, None).await["sid"].clone();
    let (one, two) = (format!("FactorSid={}", device.sid), format!("FactorSid={}", other.sid));
    for (query, expected) in [
        ("", vec![&old, &approved, &pending, &others]),
        ("Order=asc", vec![&old, &approved, &pending, &others]),
        ("Order=desc", vec![&others, &pending, &approved, &old]),
        ("Status=pending", vec![&pending, &others]),
        ("Status=expired", vec![&old]),
        ("Status=approved", vec![&approved]),
        ("Status=denied", vec![]),
        (&one, vec![&old, &approved, &pending]),
        (&format!("{two}&Status=pending"), vec![&others]),
        (&format!("{two}&Status=approved"), vec![]),
        ("PageSize=3", vec![&old, &approved, &pending]),
        ("PageSize=3&Page=1", vec![&others]),
    ] {
        let found = list(&world, &app, &device, query).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    let query = format!("{one}&Order=desc&PageSize=2");
    let path = format!("{}/Challenges?{query}", device.entity);
    let page = app.request(&world, "GET", &path).send().await.ok(200);
    let next = page["meta"]["next_page_url"].as_str().expect("another page");
    let next = world.get(next.strip_prefix(world.url()).expect("an absolute URL")).by(&app).send().await.ok(200);
    assert_eq!(next["challenges"][0]["sid"], old);
    assert_eq!(next["meta"]["next_page_url"], Value::Null);
    for query in ["Status=open", "Order=up", "FactorSid=YF12", "PageSize=0"] {
        let path = format!("{}/Challenges?{query}", device.entity);
        let name = query.split_once('=').expect("a pair").0;
        let got = app.request(&world, "GET", &path).send().await;
        refused(&got, 400, 60200, &format!("Invalid parameter: {name}"));
    }
}

#[tokio::test]
async fn a_challenge_expires_after_five_minutes_or_when_its_application_says() {
    let world = World::new().await;
    let app = world.application();
    let device = app.verified_device(&world, IDENTITY).await;
    let challenges = format!("{}/Challenges", device.entity);
    let at = async |seconds: u64| {
        let moment = i64::try_from(world.now().await + seconds).expect("a time");
        let moment = time::OffsetDateTime::from_unix_timestamp(moment).expect("a time");
        moment.format(&time::format_description::well_known::Rfc3339).expect("RFC 3339")
    };
    let created_with = async |expiry: &str| {
        let form = [("FactorSid", device.sid.as_str()), ("ExpirationDate", expiry)];
        app.request(&world, "POST", &challenges).form(&form).send().await
    };
    for expiry in ["", "tomorrow", &at(0).await, &at(3700).await] {
        refused(&created_with(expiry).await, 400, 60200, "Invalid parameter: ExpirationDate");
    }
    let by_default = device.challenge(&world, &app, None).await;
    let expiry = at(3500).await;
    let long = created_with(&expiry).await.ok(201);
    assert_eq!(long["expiration_date"], expiry);
    world.advance(5 * MINUTE).await;
    let code = device.code(&world, 0).await;
    let late = device.answer(&world, &app, &by_default, &code).await;
    refused(&late, 403, 60323, "The challenge has expired");
    assert_eq!(device.answer(&world, &app, &long, &code).await.ok(200)["status"], "approved");
    world.advance(3600).await;
    // An hour later it is forgotten.
    let path = format!("{}{challenges}/{}", app.path(), by_default["sid"].as_str().expect("a SID"));
    not_found(&world.get(&path).by(&app).send().await, &path);
    not_found(&device.answer(&world, &app, &by_default, &code).await, &path);
}

#[tokio::test]
async fn five_wrong_codes_end_a_challenge() {
    let world = World::new().await;
    let app = world.application();
    let device = app.verified_device(&world, IDENTITY).await;
    let challenge = device.challenge(&world, &app, Some(WRONG)).await;
    for _ in 0..4 {
        assert_eq!(device.answer(&world, &app, &challenge, WRONG).await.ok(200)["status"], "pending");
    }
    let code = device.code(&world, 0).await;
    let got = device.answer(&world, &app, &challenge, &code).await;
    refused(&got, 429, 60308, "Max attempts of the challenge reached");
    let wait = got.retry_after();
    assert!((290..=300).contains(&wait), "{wait}");
    assert_eq!(world.guesses_of(IDENTITY).await, 6);
    assert_eq!(device.challenge(&world, &app, Some(&code)).await["status"], "approved");
    world.advance(wait).await;
    let code = device.code(&world, 0).await;
    refused(&device.answer(&world, &app, &challenge, &code).await, 403, 60323, "The challenge has expired");
}

#[tokio::test]
async fn the_ledger_of_an_entity_outlives_challenges_factors_and_the_entity() {
    let world = World::new().await;
    let app = world.application();
    let device = app.verified_device(&world, IDENTITY).await;
    for _ in 1..20 {
        device.challenge(&world, &app, Some(WRONG)).await;
    }
    let code = device.code(&world, 0).await;
    let got = device.challenging(&world, &app, Some(&code)).send().await;
    refused(&got, 429, 60308, "Max attempts of the challenge reached");
    assert!((DAY - 60..=DAY).contains(&got.retry_after()), "{got:?}");
    let open = device.challenge(&world, &app, None).await;
    assert_eq!(device.answer(&world, &app, &open, &code).await.status, 429);

    let other = app.device(&world, IDENTITY).await;
    let limited = async |device: &Device| {
        let code = device.code(&world, 0).await;
        let got = device.verify(&world, &app, &code).await;
        refused(&got, 429, 60310, "Max attempts of the factor reached");
    };
    limited(&other).await;
    app.request(&world, "DELETE", &device.path()).send().await.is(204, "");
    limited(&other).await;
    app.request(&world, "DELETE", &device.entity).send().await.is(204, "");
    let other = app.device(&world, IDENTITY).await;
    limited(&other).await;
    assert_eq!(world.guesses_of(IDENTITY).await, 20);
    world.advance(DAY).await;
    let code = other.code(&world, 0).await;
    assert_eq!(other.verify(&world, &app, &code).await.ok(200)["status"], "verified");
}

#[tokio::test]
async fn a_challenge_that_cannot_be_is_refused_without_counting() {
    let world = World::new().await;
    let app = world.application();
    let none = format!("{}/Entities/{IDENTITY}/Challenges", app.path());
    let sid = format!("YF{}", "0".repeat(32));
    not_found(&world.post(&none).by(&app).form(&[("FactorSid", &sid)]).send().await, &none);
    not_found(&world.get(&none).by(&app).send().await, &none);
    let device = app.device(&world, IDENTITY).await;
    let code = device.code(&world, 0).await;
    let got = device.challenging(&world, &app, Some(&code)).send().await;
    refused(&got, 403, 60311, "The factor is not verified");
    let challenges = format!("{}/Challenges", device.entity);
    let create = async |form: &[(&str, &str)]| app.request(&world, "POST", &challenges).form(form).send().await;
    refused(&create(&[("FactorSid", &sid)]).await, 400, 60306, "The challenge is not valid");
    for (form, name) in [
        (vec![("AuthPayload", "123456")], "FactorSid"),
        (vec![("FactorSid", "YF12")], "FactorSid"),
        (vec![("FactorSid", device.sid.as_str()), ("AuthPayload", "12")], "AuthPayload"),
        (vec![("FactorSid", device.sid.as_str()), ("AuthPayload", "abcdef")], "AuthPayload"),
    ] {
        refused(&create(&form).await, 400, 60200, &format!("Invalid parameter: {name}"));
    }
    device.verify(&world, &app, &code).await.ok(200);
    let open = device.challenge(&world, &app, None).await;
    let path = format!("{challenges}/{}", open["sid"].as_str().expect("a SID"));
    for form in [vec![], vec![("AuthPayload", "")], vec![("AuthPayload", "12345x")]] {
        let got = app.request(&world, "POST", &path).form(&form).send().await;
        refused(&got, 400, 60200, "Invalid parameter: AuthPayload");
    }
    assert_eq!(world.guesses_of(IDENTITY).await, 1);
    // Deleted with its factor.
    app.request(&world, "DELETE", &device.path()).send().await.is(204, "");
    let next = device.code(&world, 1).await;
    not_found(&device.answer(&world, &app, &open, &next).await, &format!("{}{path}", app.path()));
}

/// How many responses there are of each kind: approved, pending, refused as approved before, refused by a limit.
fn tally(responses: &[Response]) -> [usize; 4] {
    let count = |is: &dyn Fn(&Response) -> bool| responses.iter().filter(|response| is(response)).count();
    let has = |response: &Response, status: &str| response.status < 300 && response.json()["status"] == status;
    [
        count(&|response| has(response, "approved")),
        count(&|response| has(response, "pending")),
        count(&|response| response.status == 400),
        count(&|response| response.status == 429),
    ]
}

#[tokio::test]
async fn one_of_64_parallel_right_codes_approves_a_challenge_and_is_the_only_one_compared() {
    let world = World::new().await;
    let app = world.application();
    let device = app.verified_device(&world, IDENTITY).await;
    let challenge = device.challenge(&world, &app, None).await;
    let code = device.code(&world, 0).await;
    let got = join_all((0..64).map(|_| device.answer(&world, &app, &challenge, &code))).await;
    assert_eq!(tally(&got), [1, 0, 63, 0]);
    assert_eq!(world.guesses_of(IDENTITY).await, 2);
}

#[tokio::test]
async fn one_of_64_challenges_is_approved_by_parallel_replays_of_one_code_and_20_are_compared() {
    let world = World::new().await;
    let app = world.application();
    let device = app.verified_device(&world, IDENTITY).await;
    let code = device.code(&world, 0).await;
    let got = join_all((0..64).map(|_| device.challenging(&world, &app, Some(&code)).send())).await;
    // The code that verified the factor was the first of the day's 20.
    assert_eq!(tally(&got), [1, 18, 0, 45]);
    assert_eq!(world.guesses_of(IDENTITY).await, 20);
    assert_eq!(list(&world, &app, &device, "Status=approved").await.len(), 1);
    assert_eq!(list(&world, &app, &device, "PageSize=100").await.len(), 19);
}

#[tokio::test]
async fn five_of_64_parallel_wrong_codes_are_compared_with_a_challenge() {
    let world = World::new().await;
    let app = world.application();
    let device = app.verified_device(&world, IDENTITY).await;
    let challenge = device.challenge(&world, &app, None).await;
    let got = join_all((0..64).map(|_| device.answer(&world, &app, &challenge, WRONG))).await;
    assert_eq!(tally(&got), [0, 5, 0, 59]);
    assert_eq!(world.guesses_of(IDENTITY).await, 6);
}

#[tokio::test]
async fn one_of_64_parallel_right_codes_verifies_a_factor() {
    let world = World::new().await;
    let app = world.application();
    let device = app.device(&world, IDENTITY).await;
    let code = device.code(&world, 0).await;
    let got = join_all((0..64).map(|_| device.verify(&world, &app, &code))).await;
    let verified = got.iter().filter(|got| got.status == 200 && got.json()["status"] == "verified").count();
    assert_eq!((verified, tally(&got)[2]), (1, 63));
    assert_eq!(world.guesses_of(IDENTITY).await, 1);
}
