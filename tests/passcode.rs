//! Passcodes: docs/contract.md, Passcodes.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    passcode::{CLIENT, PURPOSE, USER, passcode_refused, spring_refused},
    words::{BAD_MEDIA_TYPE, BAD_REQUEST},
    world::World,
};

#[tokio::test]
async fn a_passcode_is_created_consumed_once_and_identified_by_its_id() {
    let world = World::new().await;
    let issued = world.retrieve(USER, PURPOSE).await;
    assert!(
        issued.token.len() == 32 && issued.token.bytes().all(|b| b.is_ascii_alphanumeric()),
        "{}",
        issued.token
    );
    assert!(issued.id.len() == 26 && issued.id.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()));
    world.is_valid(&issued.id, true).await;
    world.is_valid(&issued.id, true).await;
    let got = world.consume(&issued.token, USER, PURPOSE).send().await;
    got.is(200, &format!(r#"{{"id":"{}"}}"#, issued.id));
    passcode_refused(&world.consume(&issued.token, USER, PURPOSE).send().await);
    world.is_valid(&issued.id, false).await;
}

#[tokio::test]
async fn several_passcodes_of_one_user_and_purpose_are_valid_in_parallel() {
    let world = World::new().await;
    let all = [world.retrieve(USER, PURPOSE).await, world.retrieve(USER, PURPOSE).await];
    for issued in &all {
        world
            .consume(&issued.token, USER, PURPOSE)
            .send()
            .await
            .is(200, &format!(r#"{{"id":"{}"}}"#, issued.id));
    }
    let ids: BTreeSet<_> = all.iter().map(|issued| &issued.id).collect();
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn a_passcode_is_valid_for_its_own_binding_only() {
    let world = World::new().await;
    let made = world
        .run_command(json!({ "command": "create_client", "client_id": "other", "scopes": ["passcode"] }))
        .await;
    assert_eq!(made["client_id"], "other");
    let other = json!({ "owner_client_id": "other", "client_id": "other", "scopes": ["passcode"] });
    let other = world.create_token(other).await;
    let issued = world.retrieve(USER, PURPOSE).await;
    let token = issued.token.as_str();
    for (passcode, username, purpose) in [
        (token, "other@test.com", PURPOSE),
        (token, "TEST@test.com", PURPOSE),
        (token, "test@test.com ", PURPOSE),
        (token, USER, "test_purpose"),
        (token, USER, "TEST_PURPOSE "),
        (token, USER, "TEST"),
        (&token.to_lowercase(), USER, PURPOSE),
        (&token[..31], USER, PURPOSE),
        (&format!("{token}0"), USER, PURPOSE),
        (&format!(" {token}"), USER, PURPOSE),
        (&issued.id, USER, PURPOSE),
        ("", USER, PURPOSE),
        (&"x".repeat(10_000), USER, PURPOSE),
    ] {
        passcode_refused(&world.consume(passcode, username, purpose).send().await);
    }
    let fields = [("passcode", token), ("purpose", PURPOSE), ("username", USER)];
    let theirs = world.post("/passcode/consume").query(&[("client_id", "other")]).bearer(&other).form(&fields);
    passcode_refused(&theirs.send().await);
    // Another client's passcode is as unknown as one that never existed.
    let status = [("client_id", "other"), ("passcode_id", issued.id.as_str())];
    let asked = world.get("/passcode/status").query(&status).bearer(&other).send().await;
    spring_refused(&asked, 404, "Not Found", "/passcode/status");
    let form = [("passcode_id", issued.id.as_str())];
    let ended = world.post("/passcode/invalidate").query(&status[..1]).bearer(&other).form(&form).send().await;
    spring_refused(&ended, 404, "Not Found", "/passcode/invalidate");
    // After all of this it is still valid.
    world.is_valid(&issued.id, true).await;
    world.consume(token, USER, PURPOSE).send().await.ok(200);
}

#[tokio::test]
async fn a_passcode_expires_after_ten_minutes() {
    let world = World::new().await;
    let (early, late) = (world.retrieve(USER, PURPOSE).await, world.retrieve(USER, PURPOSE).await);
    let row = world.rows("PasscodesTable").await.into_iter().find(|row| row["id"]["S"] == late.id.as_str());
    let number =
        |name: &str| -> u64 { row.as_ref().expect("a row")[name]["N"].as_str().expect("N").parse().expect("a number") };
    assert_eq!(number("expires_at") - number("issued_at"), 600);
    world.advance(number("expires_at") - world.now().await - 20).await;
    world.consume(&early.token, USER, PURPOSE).send().await.ok(200);
    world.is_valid(&late.id, true).await;
    world.advance(number("expires_at") - world.now().await).await;
    passcode_refused(&world.consume(&late.token, USER, PURPOSE).send().await);
    world.is_valid(&late.id, false).await;
    // A day later it no longer exists, swept or not.
    world.advance(86_400).await;
    spring_refused(&world.status(&late.id).send().await, 404, "Not Found", "/passcode/status");
    spring_refused(&world.invalidate(&late.id).send().await, 404, "Not Found", "/passcode/invalidate");
    assert_eq!(world.rows("PasscodesTable").await.len(), 2);
    world.sweep().await;
    assert!(world.rows("PasscodesTable").await.is_empty());
}

#[tokio::test]
async fn invalidation_is_idempotent_and_final() {
    let world = World::new().await;
    let issued = world.retrieve(USER, PURPOSE).await;
    for _ in 0..2 {
        world
            .invalidate(&issued.id)
            .send()
            .await
            .is(200, &format!(r#"{{"id":"{}","valid":false}}"#, issued.id));
    }
    passcode_refused(&world.consume(&issued.token, USER, PURPOSE).send().await);
    world.is_valid(&issued.id, false).await;
    let consumed = world.retrieve(USER, PURPOSE).await;
    world.consume(&consumed.token, USER, PURPOSE).send().await.ok(200);
    world
        .invalidate(&consumed.id)
        .send()
        .await
        .is(200, &format!(r#"{{"id":"{}","valid":false}}"#, consumed.id));
}

#[tokio::test]
async fn an_unknown_id_is_not_found() {
    let world = World::new().await;
    let issued = world.retrieve(USER, PURPOSE).await;
    // The same row with another timestamp: the id is not the issued one.
    let shifted = format!("01FM98Y1WC{}", &issued.id[10..]);
    for id in [
        "01FM98Y1WCT0KT0AT56TMJ1973",
        &shifted,
        &format!(" {}", issued.id),
        &issued.token,
        "",
        "é",
        "x",
    ] {
        spring_refused(&world.status(id).send().await, 404, "Not Found", "/passcode/status");
        spring_refused(&world.invalidate(id).send().await, 404, "Not Found", "/passcode/invalidate");
    }
    world.is_valid(&issued.id, true).await;
}

#[tokio::test]
async fn usernames_keep_all_their_characters() {
    let world = World::new().await;
    for username in [
        "a+b@test.com",
        "a b@test.com",
        "фома@test.com",
        "a&b=c%20d",
        "用户",
        "a#OTP#b",
        "'\"\\<>",
    ] {
        let issued = world.retrieve(username, "r&d + ü").await;
        passcode_refused(
            &world.consume(&issued.token, &username.replace('+', " ").replace("%20", " "), "other").send().await,
        );
        world.consume(&issued.token, username, "r&d + ü").send().await.ok(200);
    }
}

#[tokio::test]
async fn the_routes_require_a_passcode_token_of_the_client() {
    let world = World::new().await;
    let issued = world.retrieve(USER, PURPOSE).await;
    let before = world.all_rows().await;
    let user_id = world.id("/user/user_id").to_owned();
    let short = world
        .create_token(json!({ "user_id": user_id, "scopes": ["passcode"], "lifetime_seconds": 1 }))
        .await;
    let revoked = world.create_token(json!({ "user_id": user_id, "scopes": ["passcode"] })).await;
    world.run_command(json!({ "command": "revoke_token", "token": revoked })).await;
    world.advance(1).await;
    for (method, path) in [
        ("GET", "/passcode/retrieve?purpose=p&username=u&client_id=heatclinic".to_owned()),
        ("POST", "/passcode/consume?client_id=heatclinic".to_owned()),
        ("GET", format!("/passcode/status?passcode_id={}&client_id=heatclinic", issued.id)),
        ("POST", "/passcode/invalidate?client_id=heatclinic".to_owned()),
    ] {
        let ask = || {
            let ask = world.request(method, &path);
            match method {
                "POST" => ask.form(&[
                    ("passcode", issued.token.as_str()),
                    ("purpose", PURPOSE),
                    ("username", USER),
                    ("passcode_id", issued.id.as_str()),
                ]),
                _ => ask,
            }
        };
        let bare = path.split('?').next().expect("a path");
        let in_query = format!("{path}&access_token={}", world.passcode_token());
        for got in [
            ask().send().await,
            ask().bearer("eyJ...SUA").send().await,
            ask().bearer(&short).send().await,
            ask().bearer(&revoked).send().await,
            ask().private_token(world.passcode_token()).send().await,
            ask().header("authorization", world.passcode_token()).send().await,
            world.request(method, &in_query).send().await,
        ] {
            spring_refused(&got, 401, "Unauthorized", bare);
            assert_eq!(got.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        }
        let small = ask().bearer(world.user()).send().await;
        let elsewhere = world.request(method, &path.replace("heatclinic", "other")).bearer(world.passcode_token());
        for got in [small, elsewhere.send().await] {
            spring_refused(&got, 403, "Forbidden", bare);
            assert_eq!(got.header("www-authenticate"), Some("Bearer error=\"insufficient_scope\""));
        }
        let both = world.request(method, &in_query).bearer(world.passcode_token()).send().await;
        spring_refused(&both, 400, BAD_REQUEST, bare);
    }
    let after = world.all_rows().await;
    let passcodes = |rows: &str| rows.lines().find(|line| line.contains("PasscodesTable")).map(str::to_owned);
    assert_eq!(passcodes(&before), passcodes(&after), "nothing was written");
    world.is_valid(&issued.id, true).await;
}

#[tokio::test]
async fn malformed_requests_are_400_and_change_nothing() {
    let world = World::new().await;
    let issued = world.retrieve(USER, PURPOSE).await;
    let good = format!("passcode={}&purpose={PURPOSE}&username=test%40test.com", issued.token);
    let form = "application/x-www-form-urlencoded";
    let post = |query: &str, body: String| {
        world.post(&format!("/passcode/consume?{query}")).bearer(world.passcode_token()).body(form, body)
    };
    for (query, body) in [
        ("", good.clone()),
        ("client_id=heatclinic&client_id=heatclinic", good.clone()),
        ("client_id=heatclinic&%63lient_id=heatclinic", good.clone()),
        ("client_id=heatclinic&purpose=TEST_PURPOSE", good.clone()),
        ("client_id=heatclinic&passcode=x", good.clone()),
        ("client_id=heatclinic", String::new()),
        ("client_id=heatclinic", good.replace("passcode=", "passcode[]=")),
        ("client_id=heatclinic", good.replace("&purpose=TEST_PURPOSE", "")),
        ("client_id=heatclinic", good.replace("&username=test%40test.com", "")),
        ("client_id=heatclinic", format!("{good}&username=test%40test.com")),
        ("client_id=heatclinic", format!("{good}&passcode={}", issued.token)),
        ("client_id=heatclinic", format!("{good}&x=%")),
        ("client_id=heatclinic", format!("{good}&x=%zz")),
        ("client_id=heatclinic", format!("{good}&x=%ff")),
        ("client_id=heatclinic", good.replace("test%40", "test%00%40")),
        ("client_id=heatclinic", good.replace("test%40", "test%0a%40")),
        ("client_id=heatclinic", good.replace("test%40test.com", "")),
        ("client_id=heatclinic", good.replace("test%40", &"t".repeat(250))),
    ] {
        passcode_refused(&post(query, body).send().await);
    }
    let mut raw = good.clone().into_bytes();
    raw.extend_from_slice(b"&x=\xff\xfe");
    passcode_refused(
        &world
            .post("/passcode/consume?client_id=heatclinic")
            .bearer(world.passcode_token())
            .body(form, raw)
            .send()
            .await,
    );
    for query in [
        "client_id=heatclinic",
        "client_id=heatclinic&purpose=p",
        "client_id=heatclinic&username=u",
        "client_id=heatclinic&purpose=&username=u",
        "client_id=heatclinic&purpose=p&username=u&username=u",
        "client_id=heatclinic&purpose=p&username=%00",
        "purpose=p&username=u",
    ] {
        let got = world.get(&format!("/passcode/retrieve?{query}")).bearer(world.passcode_token()).send().await;
        spring_refused(&got, 400, BAD_REQUEST, "/passcode/retrieve");
    }
    let got = world.get("/passcode/status?client_id=heatclinic").bearer(world.passcode_token()).send().await;
    spring_refused(&got, 400, BAD_REQUEST, "/passcode/status");
    assert_eq!(world.rows("PasscodesTable").await.len(), 1, "nothing was written");
    world.is_valid(&issued.id, true).await;
    post("client_id=heatclinic", good).send().await.ok(200);
}

#[tokio::test]
async fn a_form_route_accepts_forms_only() {
    let world = World::new().await;
    let issued = world.retrieve(USER, PURPOSE).await;
    let fields = json!({ "passcode": issued.token, "purpose": PURPOSE, "username": USER, "passcode_id": issued.id });
    let form = format!("passcode={}&purpose={PURPOSE}&username={USER}&passcode_id={}", issued.token, issued.id);
    for path in ["/passcode/consume", "/passcode/invalidate"] {
        let post = || world.post(path).query(&[CLIENT]).bearer(world.passcode_token());
        for got in [
            post().json(&fields).send().await,
            post().body("text/plain", form.clone()).send().await,
            post().body("multipart/form-data; boundary=x", form.clone()).send().await,
            post().body("application/x-www-form-urlencoded-not", form.clone()).send().await,
            post().send().await,
        ] {
            spring_refused(&got, 415, BAD_MEDIA_TYPE, path);
        }
    }
    world.is_valid(&issued.id, true).await;
    let with_charset = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
    let got = world.post("/passcode/consume").query(&[CLIENT]).bearer(world.passcode_token());
    got.body(with_charset, form).send().await.ok(200);
}

#[tokio::test]
async fn exactly_one_of_parallel_consumers_succeeds() {
    let world = World::new().await;
    for _ in 0..8 {
        let issued = world.retrieve(USER, PURPOSE).await;
        let all = join_all((0..64).map(|_| world.consume(&issued.token, USER, PURPOSE).send())).await;
        assert_eq!(all.iter().filter(|got| got.status == 200).count(), 1);
        all.iter().filter(|got| got.status != 200).for_each(passcode_refused);
    }
}

#[tokio::test]
async fn concurrent_consumption_and_invalidation_have_one_outcome() {
    let world = World::new().await;
    for _ in 0..4 {
        let issued = world.retrieve(USER, PURPOSE).await;
        let consumed = join_all((0..16).map(|_| world.consume(&issued.token, USER, PURPOSE).send()));
        let ended = join_all((0..16).map(|_| world.invalidate(&issued.id).send()));
        let (consumed, ended) = tokio::join!(consumed, ended);
        assert!(consumed.iter().filter(|got| got.status == 200).count() <= 1);
        assert!(ended.iter().all(|got| got.status == 200));
        world.is_valid(&issued.id, false).await;
    }
}

#[tokio::test]
async fn requests_with_the_same_gateway_id_are_distinct() {
    let world = World::new().await;
    let issued = world.retrieve(USER, PURPOSE).await;
    // As from `sam local`: every request has the same id.
    let event = json!({
        "version": "2.0", "routeKey": "POST /passcode/consume", "rawPath": "/passcode/consume",
        "rawQueryString": "client_id=heatclinic", "isBase64Encoded": false,
        "headers": {
            "authorization": format!("Bearer {}", world.passcode_token()),
            "content-type": "application/x-www-form-urlencoded",
        },
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "d", "requestId": "always the same", "stage": "$default",
            "time": "t", "timeEpoch": world.now().await * 1000, "routeKey": "POST /passcode/consume",
            "http": {
                "method": "POST", "path": "/passcode/consume", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": "",
            },
        },
        "body": format!("passcode={}&purpose={PURPOSE}&username={USER}", issued.token),
    });
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let answer = world.post("/2015-03-31/functions/passcode-consume/invocations").json(&event).send_local().await;
        statuses.push(answer["statusCode"].as_u64().expect("a status"));
    }
    assert_eq!(statuses, [200, 400, 400]);
}
