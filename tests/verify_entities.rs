//! Entities of a service: docs/contract.md, Verify.

use serde_json::{Value, json};

use crate::support::{
    clock::DAY,
    entities::{IDENTITY, only_page},
    rows::acts_of,
    verify::{Application, not_found, refused, verify_error, verify_not_found, wrong},
    world::World,
};

async fn create(world: &World, app: &Application, identity: &str) -> Value {
    app.request(world, "POST", "/Entities").form(&[("Identity", identity)]).send().await.ok(201)
}

#[tokio::test]
async fn an_entity_is_created_shown_listed_and_deleted() {
    let world = World::new().await;
    let app = world.application();
    let made = create(&world, &app, IDENTITY).await;
    let path = format!("{}/Entities/{IDENTITY}", app.path());
    let url = format!("{}{path}", world.url());
    let expected = json!({
        "sid": made["sid"], "identity": IDENTITY, "account_sid": app.account, "service_sid": app.service,
        "date_created": made["date_created"], "date_updated": made["date_created"], "url": url,
        "links": {
            "factors": format!("{url}/Factors"), "new_factors": format!("{url}/Factors"),
            "challenges": format!("{url}/Challenges"),
        },
    });
    assert_eq!(made, expected);
    let sid = made["sid"].as_str().expect("a SID");
    assert!(sid.len() == 34 && sid.starts_with("YE"), "{sid}");
    assert_eq!(world.get(&path).by(&app).send().await.ok(200), made);
    let all = format!("{}/Entities", app.path());
    let listed = world.get(&all).by(&app).send().await.ok(200);
    assert_eq!(listed, json!({ "entities": [made], "meta": only_page(&world, &all, "entities") }));
    let again = app.request(&world, "POST", "/Entities").form(&[("Identity", IDENTITY)]).send().await;
    refused(&again, 400, 60200, "Invalid parameter: Identity");

    world.request("DELETE", &path).by(&app).send().await.is(204, "");
    for method in ["GET", "DELETE"] {
        not_found(&world.request(method, &path).by(&app).send().await, &path);
    }
    let listed = world.get(&all).by(&app).send().await.ok(200);
    assert_eq!(listed["entities"], json!([]));
    let again = create(&world, &app, IDENTITY).await;
    assert_ne!(again["sid"], made["sid"]);
    let log = world.audit_log_of(&format!("entity:{sid}")).await;
    assert_eq!(acts_of(&log), ["entity_created", "entity_deleted"], "{log:?}");
}

#[tokio::test]
async fn an_identity_is_checked() {
    let world = World::new().await;
    let app = world.application();
    for identity in ["", "short", "under_score", "with space", "émile-zola", &"a".repeat(65)] {
        let got = app.request(&world, "POST", "/Entities").form(&[("Identity", identity)]).send().await;
        refused(&got, 400, 60200, "Invalid parameter: Identity");
    }
    let got = app.request(&world, "POST", "/Entities").form(&[("Other", "x")]).send().await;
    refused(&got, 400, 60200, "Invalid parameter: Identity");
    for identity in ["short", "under_score", &"a".repeat(65)] {
        let path = format!("{}/Entities/{identity}", app.path());
        not_found(&world.get(&path).by(&app).send().await, &path);
        let path = format!("{path}/Factors");
        let form = [("FriendlyName", "x"), ("FactorType", "totp")];
        not_found(&world.post(&path).by(&app).form(&form).send().await, &path);
    }
}

#[tokio::test]
async fn entities_are_listed_page_by_page_without_deleted_ones() {
    let world = World::new().await;
    let app = world.application();
    let identities: Vec<_> = (0..7).map(|n| format!("user-{n:04}")).collect();
    for identity in identities.iter().rev() {
        create(&world, &app, identity).await;
    }
    for deleted in ["user-0000", "user-0003", "user-0006"] {
        app.request(&world, "DELETE", &format!("/Entities/{deleted}")).send().await.is(204, "");
    }
    let live = ["user-0001", "user-0002", "user-0004", "user-0005"];
    for size in [1, 2, 3, 4, 5] {
        let mut url = format!("{}/Entities?PageSize={size}", app.path());
        let (mut found, mut pages) = (Vec::new(), 0);
        loop {
            let page = world.get(&url).by(&app).send().await.ok(200);
            let on_page = page["entities"].as_array().expect("a list").clone();
            assert!(on_page.len() <= size);
            found.extend(on_page.into_iter().map(|entity| entity["identity"].as_str().expect("a text").to_owned()));
            pages += 1;
            match page["meta"]["next_page_url"].as_str() {
                Some(next) => url = next.strip_prefix(world.url()).expect("an absolute URL").to_owned(),
                None => break,
            }
        }
        assert_eq!((found, pages), (live.map(str::to_owned).to_vec(), live.len().div_ceil(size)), "pages of {size}");
    }
    for query in ["PageSize=0", "PageSize=1001", "Page=x", "PageToken=short"] {
        let got = world.get(&format!("{}/Entities?{query}", app.path())).by(&app).send().await;
        let name = query.split_once('=').expect("a pair").0;
        refused(&got, 400, 60200, &format!("Invalid parameter: {name}"));
    }
}

#[tokio::test]
async fn another_accounts_entities_do_not_exist() {
    let world = World::new().await;
    let (own, other) = (world.application(), world.create_application("other.example").await);
    let second = own.service_with(&world, &[]).await;
    let device = own.verified_device(&world, IDENTITY).await;
    let challenge = device.challenge(&world, &own, None).await;
    let entity = format!("/Entities/{IDENTITY}");
    let challenge = format!("{entity}/Challenges/{}", challenge["sid"].as_str().expect("a SID"));
    let state = world.state().await;
    for (method, path) in [
        ("GET", entity.clone()),
        ("DELETE", entity.clone()),
        ("GET", format!("{entity}/Factors")),
        ("GET", device.path()),
        ("POST", device.path()),
        ("DELETE", device.path()),
        ("GET", format!("{entity}/Challenges")),
        ("POST", format!("{entity}/Challenges")),
        ("GET", challenge.clone()),
        ("POST", challenge.clone()),
    ] {
        let form = [("FactorSid", device.sid.as_str()), ("AuthPayload", "123456")];
        // Another tenant's credential, and another service of the same account.
        for (by, service) in [(&other, &own), (&other, &other), (&own, &second)] {
            let path = format!("{}{path}", service.path());
            let got = world.request(method, &path).by(by).form(&form).send().await;
            assert_eq!(got.ok(404), verify_not_found(&path), "{method} {path}");
        }
        let path = format!("{}{path}", own.path());
        for asking in [
            world.request(method, &path).form(&form),
            world.request(method, &path).basic(&own.account, &wrong(&own.token)).form(&form),
        ] {
            assert_eq!(asking.send().await.ok(401), verify_error(401, 20003, "Authenticate"), "{method} {path}");
        }
    }
    assert_eq!(world.state().await, state);
}

#[tokio::test]
async fn guesses_outlive_an_entity_and_its_row_goes_when_none_counts() {
    let world = World::new().await;
    let app = world.application();
    let device = app.verified_device(&world, IDENTITY).await;
    assert_eq!(world.guesses_of(IDENTITY).await, 1);
    app.request(&world, "DELETE", &device.entity).send().await.is(204, "");
    not_found(
        &app.request(&world, "GET", &format!("{}/Factors", device.entity)).send().await,
        &format!("{}{}/Factors", app.path(), device.entity),
    );
    assert_eq!(world.guesses_of(IDENTITY).await, 1);
    let rows = world.rows("EntitiesTable").await;
    assert!(rows.len() == 1 && rows[0].get("entity").is_none() && rows[0].get("ttl").is_some(), "{rows:?}");

    let device = app.verified_device(&world, IDENTITY).await;
    assert_eq!(world.guesses_of(IDENTITY).await, 2);
    assert!(world.rows("EntitiesTable").await[0].get("ttl").is_none(), "the row of an entity does not expire");
    world.advance(40 * DAY).await;
    world.sweep().await;
    assert_eq!(app.request(&world, "GET", &device.path()).send().await.ok(200)["status"], "verified");
    app.request(&world, "DELETE", &device.entity).send().await.is(204, "");
    world.advance(1).await;
    world.sweep().await;
    assert_eq!(world.rows("EntitiesTable").await.len(), 0);
}
