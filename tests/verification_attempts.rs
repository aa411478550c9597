//! Attempts: docs/contract.md, Verify.

use serde_json::json;

use crate::support::{
    verify::{ADDRESS, NUMBER, not_found, refused},
    world::World,
};

#[tokio::test]
async fn attempts_are_listed_counted_and_shown() {
    let world = World::new().await;
    let app = world.application();
    let list = || world.get("/v2/Attempts").by(&app);
    let summary = || world.get("/v2/Attempts/Summary").by(&app);
    let url = |path: &str| format!("{}{path}", world.url());
    let meta = json!({
        "page": 0, "page_size": 50, "first_page_url": url("/v2/Attempts?PageSize=50&Page=0"),
        "previous_page_url": null, "next_page_url": null, "key": "attempts",
        "url": url("/v2/Attempts?PageSize=50&Page=0"),
    });
    assert_eq!(list().send().await.ok(200), json!({ "attempts": [], "meta": meta }));
    let started = app.start(&world, NUMBER).await;
    let code = world.verification_code(NUMBER).await;
    world.advance(5).await;
    let other = app.start(&world, ADDRESS).await;
    app.check(&world, NUMBER, &code).await.ok(200);
    let sid = |started: &serde_json::Value| started["send_code_attempts"][0]["attempt_sid"].clone();
    let got = list().send().await.ok(200);
    let updated = got["attempts"][1]["date_updated"].clone();
    let expected = json!([
        {
            "sid": sid(&other), "account_sid": app.account, "service_sid": app.service,
            "verification_sid": other["sid"], "date_created": other["date_created"],
            "date_updated": other["date_created"], "conversion_status": "unconverted", "channel": "email",
            "price": null, "channel_data": { "to": ADDRESS, "message_status": "sent", "country": null },
            "url": url(&format!("/v2/Attempts/{}", sid(&other).as_str().expect("a SID"))),
        },
        {
            "sid": sid(&started), "account_sid": app.account, "service_sid": app.service,
            "verification_sid": started["sid"], "date_created": started["date_created"],
            "date_updated": updated, "conversion_status": "converted", "channel": "sms",
            "price": null, "channel_data": { "to": NUMBER, "message_status": "sent", "country": "1" },
            "url": url(&format!("/v2/Attempts/{}", sid(&started).as_str().expect("a SID"))),
        },
    ]);
    assert_eq!(got, json!({ "attempts": expected, "meta": meta }));
    let path = format!("/v2/Attempts/{}", sid(&started).as_str().expect("a SID"));
    assert_eq!(world.get(&path).by(&app).send().await.ok(200), expected[1]);
    let got = summary().send().await.ok(200);
    let counts = json!({
        "total_attempts": 2, "total_converted": 1, "total_unconverted": 1,
        "conversion_rate_percentage": "50.000000000", "url": url("/v2/Attempts/Summary"),
    });
    assert_eq!(got, counts);
    let got = summary().query(&[("Country", "1"), ("Channel", "sms")]).send().await.ok(200);
    assert_eq!((&got["total_attempts"], &got["conversion_rate_percentage"]), (&json!(1), &json!("100.000000000")));
    let got = list().query(&[("ChannelData.To", ADDRESS)]).send().await.ok(200);
    assert_eq!(got["attempts"], json!([expected[0]]));
    refused(&list().query(&[("Status", "x")]).send().await, 400, 60200, "Invalid parameter: Status");
}

#[tokio::test]
async fn pages_of_attempts_follow_each_other_across_shards() {
    let world = World::with(&[("AttemptShards", "4")]).await;
    let app = world.application();
    let mut made = Vec::new();
    for n in 0..7 {
        let started = app.start(&world, &format!("user{n}@example.com")).await;
        made.push(started["send_code_attempts"][0]["attempt_sid"].clone());
        world.advance(1).await;
    }
    made.reverse();
    let (mut seen, mut next) = (Vec::new(), format!("{}/v2/Attempts?PageSize=3", world.url()));
    let mut pages = 0;
    while let Some(path) = next.strip_prefix(world.url()) {
        let got = world.get(path).by(&app).send().await.ok(200);
        seen.extend(got["attempts"].as_array().expect("a list").iter().map(|attempt| attempt["sid"].clone()));
        next = got["meta"]["next_page_url"].as_str().unwrap_or_default().to_owned();
        pages += 1;
    }
    assert_eq!((seen, pages), (made, 3));
}

#[tokio::test]
async fn attempts_of_another_account_do_not_exist() {
    let world = World::new().await;
    let app = world.application();
    let other = world.create_application("other.example.com").await;
    let started = app.start(&world, ADDRESS).await;
    let path = format!("/v2/Attempts/{}", started["send_code_attempts"][0]["attempt_sid"].as_str().expect("a SID"));
    not_found(&world.get(&path).by(&other).send().await, &path);
    let got = world.get("/v2/Attempts").by(&other).send().await.ok(200);
    assert_eq!(got["attempts"], json!([]));
    for path in ["/v2/Attempts", "/v2/Attempts/Summary", path.as_str()] {
        refused(&world.get(path).send().await, 401, 20003, "Authenticate");
        assert_eq!(world.request("HEAD", path).by(&app).send_unchecked().await.status, 200, "{path}");
    }
}
