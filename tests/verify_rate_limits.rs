//! Rate limits that an application defines, and their buckets: docs/contract.md, Verify.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    verify::{Application, verify_error, verify_not_found},
    world::World,
};

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

async fn limit(world: &World, own: &Application, name: &str) -> Value {
    let path = format!("{}/RateLimits", own.path());
    world.post(&path).by(own).form(&[("UniqueName", name)]).send().await.ok(201)
}

#[tokio::test]
async fn a_rate_limit_is_created_shown_listed_changed_and_deleted() {
    let world = World::new().await;
    let own = world.application();
    let path = format!("{}/RateLimits", own.path());
    let form = [("UniqueName", "end_user_ip"), ("Description", "Caller's address")];
    let made = world.post(&path).by(&own).form(&form).send().await.ok(201);
    let one = format!("{path}/{}", text(&made["sid"]));
    let url = |path: &str| format!("{}{path}", world.url());
    let expected = json!({
        "sid": made["sid"], "service_sid": own.service, "account_sid": own.account, "unique_name": "end_user_ip",
        "description": "Caller's address", "date_created": made["date_created"], "date_updated": made["date_created"],
        "url": url(&one), "links": { "buckets": url(&format!("{one}/Buckets")) },
    });
    assert_eq!(made, expected);
    assert_eq!(world.get(&one).by(&own).send().await.ok(200), made);
    let listed = world.get(&path).by(&own).send().await.ok(200);
    let page = url(&format!("{path}?PageSize=50&Page=0"));
    let meta = json!({
        "page": 0, "page_size": 50, "first_page_url": page, "previous_page_url": null, "next_page_url": null,
        "key": "rate_limits", "url": page,
    });
    assert_eq!(listed, json!({ "rate_limits": [made], "meta": meta }));
    let changed = world.post(&one).by(&own).form(&[("Description", "")]).send().await.ok(200);
    assert_eq!((&changed["description"], &changed["unique_name"]), (&Value::Null, &json!("end_user_ip")));
    let invalid = verify_error(400, 60200, "Invalid parameter: UniqueName");
    for name in ["end_user_ip", "", "a\tb", &"x".repeat(65)] {
        let got = world.post(&path).by(&own).form(&[("UniqueName", name)]).send().await;
        assert_eq!(got.ok(400), invalid, "{name:?}");
    }
    assert_eq!(world.post(&path).by(&own).form(&[("Description", "x")]).send().await.ok(400), invalid);
    world.request("DELETE", &one).by(&own).send().await.is(204, "");
    for method in ["GET", "POST", "DELETE"] {
        let got = world.request(method, &one).by(&own).form(&[("Description", "x")]).send().await;
        assert_eq!(got.ok(404), verify_not_found(&one), "{method}");
    }
}

#[tokio::test]
async fn a_bucket_is_created_shown_listed_changed_and_deleted() {
    let world = World::new().await;
    let own = world.application();
    let made = limit(&world, &own, "ip").await;
    let path = format!("{}/RateLimits/{}/Buckets", own.path(), text(&made["sid"]));
    let bucket = world.post(&path).by(&own).form(&[("Max", "4"), ("Interval", "60")]).send().await.ok(201);
    let one = format!("{path}/{}", text(&bucket["sid"]));
    let url = |path: &str| format!("{}{path}", world.url());
    let expected = json!({
        "sid": bucket["sid"], "rate_limit_sid": made["sid"], "service_sid": own.service, "account_sid": own.account,
        "max": 4, "interval": 60, "date_created": bucket["date_created"], "date_updated": bucket["date_created"],
        "url": url(&one),
    });
    assert_eq!(bucket, expected);
    assert_eq!(world.get(&one).by(&own).send().await.ok(200), bucket);
    for path in [path.trim_end_matches("/Buckets"), &path, &one] {
        assert_eq!(world.request("HEAD", path).by(&own).send_unchecked().await.status, 200, "{path}");
    }
    let page = url(&format!("{path}?PageSize=50&Page=0"));
    let meta = json!({
        "page": 0, "page_size": 50, "first_page_url": page, "previous_page_url": null, "next_page_url": null,
        "key": "buckets", "url": page,
    });
    assert_eq!(world.get(&path).by(&own).send().await.ok(200), json!({ "buckets": [bucket], "meta": meta }));
    let changed = world.post(&one).by(&own).form(&[("Max", "5")]).send().await.ok(200);
    assert_eq!((&changed["max"], &changed["interval"]), (&json!(5), &json!(60)));
    for (form, name) in [
        (&[("Max", "0"), ("Interval", "60")][..], "Max"),
        (&[("Max", "2147483648"), ("Interval", "60")], "Max"),
        (&[("Interval", "60")], "Max"),
        (&[("Max", "4"), ("Interval", "0")], "Interval"),
        (&[("Max", "4"), ("Interval", "86401")], "Interval"),
        (&[("Max", "4")], "Interval"),
    ] {
        let got = world.post(&path).by(&own).form(form).send().await;
        assert_eq!(got.ok(400), verify_error(400, 60200, &format!("Invalid parameter: {name}")), "{form:?}");
    }
    let most = [("Max", "2147483647"), ("Interval", "86400")];
    assert_eq!(world.post(&path).by(&own).form(&most).send().await.ok(201)["max"], 2_147_483_647_u32);
    world.request("DELETE", &one).by(&own).send().await.is(204, "");
    for method in ["GET", "POST", "DELETE"] {
        let got = world.request(method, &one).by(&own).form(&[("Max", "1")]).send().await;
        assert_eq!(got.ok(404), verify_not_found(&one), "{method}");
    }
}

#[tokio::test]
async fn rate_limits_and_buckets_are_bounded_in_number() {
    let world = World::new().await;
    let own = world.application();
    let path = format!("{}/RateLimits", own.path());
    for number in 0..10 {
        limit(&world, &own, &number.to_string()).await;
    }
    let got = world.post(&path).by(&own).form(&[("UniqueName", "more")]).send().await;
    let full = verify_error(400, 20001, "The service has as many rate limits as it may have");
    assert_eq!(got.ok(400), full);
    let listed = world.get(&path).by(&own).send().await.ok(200);
    let buckets = format!("{path}/{}/Buckets", text(&listed["rate_limits"][0]["sid"]));
    let create = || world.post(&buckets).by(&own).form(&[("Max", "4"), ("Interval", "60")]).send();
    for _ in 0..5 {
        create().await.ok(201);
    }
    let full = verify_error(400, 20001, "The rate limit has as many buckets as it may have");
    assert_eq!(create().await.ok(400), full);
}

#[tokio::test]
async fn of_two_rate_limits_of_one_name_that_are_created_at_once_one_exists() {
    let world = World::new().await;
    let own = world.application();
    let path = format!("{}/RateLimits", own.path());
    let create = || world.post(&path).by(&own).form(&[("UniqueName", "ip")]).send();
    let mut statuses: Vec<_> = join_all([create(), create()]).await.iter().map(|got| got.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400]);
    let listed = world.get(&path).by(&own).send().await.ok(200);
    assert_eq!(listed["rate_limits"].as_array().map(Vec::len), Some(1), "{listed}");
}

#[tokio::test]
async fn another_accounts_rate_limit_does_not_exist() {
    let world = World::new().await;
    let (own, other) = (world.application(), world.create_application("other.example").await);
    let made = limit(&world, &own, "ip").await;
    for path in [
        format!("{}/RateLimits/{}", own.path(), text(&made["sid"])),
        format!("{}/RateLimits/{}", other.path(), text(&made["sid"])),
        format!("{}/RateLimits/{}/Buckets", other.path(), text(&made["sid"])),
    ] {
        assert_eq!(world.get(&path).by(&other).send().await.ok(404), verify_not_found(&path));
    }
}
