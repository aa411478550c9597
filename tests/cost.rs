//! The cost of a request in DynamoDB calls, as the local cloud counts them: the basis of the tables in docs/cost.md.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{
    entities::IDENTITY,
    factors::person_awaiting_phone,
    login::{password_grant, token_in},
    mithril::{API, TOKENS},
    passcode::{PURPOSE, USER},
    people::{NEW_PHONE, PHONE},
    requests::Response,
    totp::App,
    verify::{ADDRESS, NUMBER, wrong},
    world::{World, root, second_engine},
};

const WRITES: [&str; 4] = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"];

/// The calls of a request, its audit event included; mails are ignored.
fn made(invocation: &Value) -> Vec<&str> {
    let calls = invocation["calls"].as_array().expect("calls").iter();
    let calls = calls.filter(|call| call["service"] != "ses");
    calls.filter_map(|call| call["operation"].as_str()).collect()
}

/// Asserts the number of calls, and of writes among them. A transaction counts as one call here; its contents are
/// documented in its handler.
async fn check(world: &World, what: &str, calls: usize, writes: usize) {
    let list = world.invocations().await;
    assert_eq!(list.len(), 1, "{what}: {list:?}");
    let made = made(&list[0]);
    let wrote = made.iter().filter(|operation| WRITES.contains(operation)).count();
    assert_eq!((made.len(), wrote), (calls, writes), "{what} made {made:?}");
    for call in list[0]["calls"].as_array().expect("calls") {
        assert_ne!(
            call["service"], "secretsmanager",
            "{what}: keys are read while the function starts, and not for a call"
        );
        assert_ne!(call["operation"], Value::from("Query"), "{what}");
        assert_ne!(call["operation"], Value::from("Scan"), "{what}");
    }
}

#[tokio::test]
async fn every_route_makes_its_expected_number_of_calls() {
    let world = World::new().await;
    world.invocations().await;
    let own = "/api/v4/user/support_pin";
    let of = format!("/api/v4/users/{}/support_pin", world.id("/user/user_id"));
    world.post(own).private_token(world.user()).send().await.ok(201);
    check(&world, "create", 2, 1).await;
    world.get(own).private_token(world.user()).send().await.ok(200);
    check(&world, "read one's own", 2, 0).await;
    world.get(&of).private_token(world.admin()).send().await.ok(200);
    check(&world, "read a user's", 3, 1).await;
    world.post(&format!("{of}/revoke")).private_token(world.admin()).send().await.ok(202);
    check(&world, "revoke", 2, 1).await;

    let issued = world.retrieve(USER, PURPOSE).await;
    check(&world, "retrieve", 2, 1).await;
    world.status(&issued.id).send().await.ok(200);
    check(&world, "status", 2, 0).await;
    world.consume(&issued.token, USER, PURPOSE).send().await.ok(200);
    check(&world, "consume", 2, 1).await;
    world.consume(&issued.token, USER, PURPOSE).send().await.ok(400);
    check(&world, "consume a used one", 1, 0).await;
    world.invalidate(&issued.id).send().await.ok(200);
    check(&world, "invalidate a used one", 1, 0).await;
    let issued = world.retrieve(USER, PURPOSE).await;
    world.invocations().await;
    world.invalidate(&issued.id).send().await.ok(200);
    check(&world, "invalidate", 2, 1).await;
}

#[tokio::test]
async fn verifications_make_their_expected_number_of_calls() {
    let world = World::new().await;
    let app = world.application();
    world.invocations().await;
    app.start(&world, NUMBER).await;
    // One of the calls is that of SNS. The first message of a day reads the budgets of earlier ones.
    check(&world, "start by text message, the first of a day", 6, 3).await;
    app.start(&world, NUMBER).await;
    check(&world, "start by text message", 5, 3).await;
    let code = world.verification_code(NUMBER).await;
    app.check(&world, NUMBER, &wrong(&code)).await.ok(200);
    check(&world, "check a wrong code", 2, 1).await;
    app.check(&world, NUMBER, &code).await.ok(200);
    check(&world, "check the right code", 2, 1).await;
    assert_eq!(app.check(&world, NUMBER, &code).await.status, 404);
    check(&world, "check a used code", 1, 0).await;
    app.start(&world, ADDRESS).await;
    check(&world, "start by mail", 4, 2).await;
    let path = format!("/Verifications/{ADDRESS}");
    app.request(&world, "GET", &path).send().await.ok(200);
    check(&world, "show a verification", 1, 0).await;
    app.request(&world, "POST", &path).form(&[("Status", "canceled")]).send().await.ok(200);
    check(&world, "cancel a verification", 2, 1).await;
}

#[tokio::test]
async fn factors_of_entities_make_their_expected_calls() {
    let world = World::new().await;
    let app = world.application();
    world.invocations().await;
    let device = app.device(&world, IDENTITY).await;
    check_calls(&world, "create a factor and its entity", &[READ, TOGETHER]).await;
    let code = device.code(&world, -1).await;
    device.verify(&world, &app, "0000000").await.ok(200);
    check_calls(&world, "verify a factor, wrong code", &[READ, TOGETHER]).await;
    device.verify(&world, &app, &code).await.ok(200);
    check_calls(&world, "verify a factor", &[READ, TOGETHER]).await;
    device.challenge(&world, &app, Some("0000000")).await;
    check_calls(&world, "create a challenge with a wrong code", &[READ, TOGETHER]).await;
    let code = device.code(&world, 0).await;
    assert_eq!(device.challenge(&world, &app, Some(&code)).await["status"], "approved");
    check_calls(&world, "create a challenge with the right code", &[READ, TOGETHER]).await;
    let open = device.challenge(&world, &app, None).await;
    check_calls(&world, "create a challenge", &[READ, TOGETHER]).await;
    let code = device.code(&world, 1).await;
    device.answer(&world, &app, &open, &code).await.ok(200);
    check_calls(&world, "answer a challenge", &[READ, TOGETHER]).await;
    assert_eq!(device.answer(&world, &app, &open, &code).await.status, 400);
    check_calls(&world, "answer an approved challenge", &[READ]).await;
    for path in [
        device.entity.clone(),
        device.path(),
        format!("{}/Factors", device.entity),
        format!("{}/Challenges", device.entity),
    ] {
        app.request(&world, "GET", &path).send().await.ok(200);
        check_calls(&world, "read", &[READ]).await;
    }
    app.request(&world, "GET", "/Entities").send().await.ok(200);
    check_calls(&world, "list entities", &[READ, "Query"]).await;
    app.request(&world, "DELETE", &device.entity).send().await.is(204, "");
    check_calls(&world, "delete an entity", &[READ, TOGETHER]).await;
}

#[tokio::test]
async fn mailed_links_make_their_expected_number_of_calls() {
    let world = World::new().await;
    let email = "my.address@yandex.ru";
    world.invocations().await;
    world.register("my_login", email).send().await.ok(200);
    check(&world, "ask to register", 9, 8).await;
    let link = world.link_to(email).await;
    world.invocations().await;
    world.confirm_registration(&link, "ew!hIb3V").await.ok(200);
    check(&world, "confirm a registration", 4, 2).await;
    world.request_reset("my_login").send().await.ok(200);
    check(&world, "ask for a reset", 10, 7).await;
    let link = world.link_to(email).await;
    world.invocations().await;
    world.reset_password(&link, "ew!hIb3W").await.ok(200);
    check(&world, "confirm a reset", 3, 1).await;
    let (token, _) = world.new_user("other").await;
    world.invocations().await;
    world.change_password(&token, "correct-horse", "ew!hIb3V").await.ok(200);
    check(&world, "change a password", 4, 2).await;
    world.register("third", "third@yandex.ru").header("idempotency-key", "one").send().await.ok(200);
    check(&world, "ask to register, once", 11, 10).await;
}

/// Asserts the calls of one request, in this order; mails are ignored.
async fn check_calls(world: &World, what: &str, expected: &[&str]) {
    let list = world.invocations().await;
    assert_eq!(list.len(), 1, "{what}: {list:?}");
    assert_eq!(made(&list[0]), expected, "{what}");
}

const READ: &str = "BatchGetItem";
const UPDATE: &str = "UpdateItem";
const TOGETHER: &str = "TransactWriteItems";

#[tokio::test]
async fn logins_make_the_expected_calls() {
    let world = World::new().await;
    let (demo, admin) = (world.demo(), world.demo_admin());
    world.invocations().await;
    // The client, the address, and all rows that a login is checked against.
    let found = ["GetItem", "GetItem", READ];
    token_in(&world.sign_in(&admin, &admin.password).await);
    check_calls(&world, "log in without a factor", &[&found[..], &[TOGETHER]].concat()).await;
    world.sign_in(&admin, "wrong").await.ok(401);
    check_calls(&world, "a wrong password", &[&found[..], &[TOGETHER, UPDATE]].concat()).await;
    let device = world.add_device(&admin).await;
    check_calls(&world, "make a device known", &[&found[..], &[TOGETHER]].concat()).await;
    token_in(&world.sign_in_from(&admin, &admin.password, &device).await);
    check_calls(&world, "log in from a known device", &[&found[..], &[TOGETHER]].concat()).await;
    world.sign_in_from(&admin, "wrong", &device).await.ok(401);
    check_calls(&world, "a wrong password from a known device", &[&found[..], &[TOGETHER]].concat()).await;
    let token = token_in(&world.sign_in(&demo, &demo.password).await);
    check_calls(&world, "log in with a code", &[&found[..], &[TOGETHER, UPDATE, "Publish"]].concat()).await;
    world.submit_code(&token, "000000").await;
    check_calls(&world, "a wrong code", &[READ, TOGETHER]).await;
    let token = token_in(&world.refresh_login(&token).await);
    check_calls(&world, "another code", &[READ, TOGETHER, UPDATE, "Publish", TOGETHER]).await;
    let code = world.code_to("+380881234530").await;
    world.invocations().await;
    token_in(&world.submit_code(&token, &code).await);
    check_calls(&world, "the right code", &[READ, TOGETHER, UPDATE]).await;
    let client = json!({
        "grant_type": "client_credentials", "client_id": "heatclinic", "scope": "passcode",
        "client_secret": world.id("/client/client_secret"),
    });
    token_in(&world.request_token(client).await);
    check_calls(&world, "a client's token", &["GetItem", TOGETHER]).await;
    let once = world.post(TOKENS).header("idempotency-key", "one");
    let once = once.json(&password_grant(&demo.email, &demo.password));
    let got = once.send().await;
    world.keep_out_of_logs(&token_in(&got));
    // The idempotency record is stored on condition that its owner exists.
    let calls = [&["PutItem"], &found[..], &[TOGETHER, UPDATE, "Publish", TOGETHER]].concat();
    check_calls(&world, "log in with a code, once", &calls).await;
    let once = world.post(TOKENS).header("idempotency-key", "one");
    let once = once.json(&password_grant(&demo.email, &demo.password));
    once.send().await.is(201, &got.body);
    check_calls(&world, "the same again", &["PutItem", READ]).await;
}

#[tokio::test]
async fn factors_and_users_make_the_expected_calls() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    let of = format!("{API}/users/{}", maria.id);
    let factors = format!("{of}/authentication_factors");
    let send = async |method: &str, path: &str, body: Value| {
        let ask = world.request(method, path).bearer(world.admin());
        let got = match body {
            Value::Null => ask.send().await,
            body => ask.json(&body).send().await,
        };
        assert!(got.status < 300, "{got:?}");
        got
    };
    world.invocations().await;
    let made = send("POST", &factors, json!({ "type": "SMS" })).await;
    check_calls(&world, "make a factor", &[READ, TOGETHER]).await;
    let factor = format!("{factors}/{}", made.json()["data"]["id"].as_str().expect("an id"));
    send("GET", &factors, Value::Null).await;
    check_calls(&world, "list factors", &[READ]).await;
    send("GET", &factor, Value::Null).await;
    check_calls(&world, "read a factor", &[READ]).await;

    let token = token_in(&world.sign_in(&maria, &maria.password).await);
    world.invocations().await;
    let (phone, users) = ("+380881234531", format!("{API}/users/actions"));
    let body = json!({ "type": "SMS", "factor": phone });
    let init = world.request("PATCH", &format!("{users}/init_factor")).bearer(&token).json(&body);
    let token = token_in(&init.send().await);
    check_calls(&world, "begin to set a phone", &[READ, TOGETHER, UPDATE, "Publish", TOGETHER]).await;
    let body = json!({ "otp": world.code_to(phone).await });
    world.invocations().await;
    let approve = world.request("PATCH", &format!("{users}/approve_factor")).bearer(&token).json(&body);
    let access = token_in(&approve.send().await);
    check_calls(&world, "set a phone", &[READ, TOGETHER, UPDATE]).await;
    for secret in [token, access] {
        world.keep_out_of_logs(&secret);
    }
    let token = token_in(&world.sign_in(&maria, &maria.password).await);
    world.invocations().await;
    let otp = world.request("PATCH", &format!("{of}/actions/create_otp")).bearer(&token);
    otp.send().await.ok(200);
    check_calls(&world, "send a code", &[READ, TOGETHER, UPDATE, "Publish"]).await;

    for action in ["disable", "enable", "reset"] {
        send("PATCH", &format!("{factor}/actions/{action}"), Value::Null).await;
        check_calls(&world, action, &[READ, TOGETHER]).await;
    }
    let devices = format!("{of}/devices");
    send("GET", &devices, Value::Null).await;
    check_calls(&world, "list devices", &[READ]).await;
    send("DELETE", &devices, Value::Null).await;
    check_calls(&world, "end devices", &[READ, TOGETHER]).await;
    for action in ["block", "unblock"] {
        send("PATCH", &format!("{of}/actions/{action}"), Value::Null).await;
        check_calls(&world, action, &[READ, TOGETHER]).await;
    }
    send("POST", &format!("{API}/users"), json!({ "email": "olga@example.org", "password": "ew!hIb3V" })).await;
    check_calls(&world, "make a user", &[READ, READ, TOGETHER]).await;
}

#[tokio::test]
async fn an_unauthenticated_or_malformed_request_makes_no_call() {
    let world = World::new().await;
    for (method, path) in [
        ("POST", "/api/v4/user/support_pin"),
        ("GET", "/passcode/retrieve"),
        ("GET", "/nothing"),
        ("PUT", "/openapi.json"),
        ("POST", "/rest/v1/iam/self_register_requests"),
        ("PATCH", "/rest/v1/iam/self_register_requests/1"),
        ("POST", "/rest/v1/iam/pwd_reset_requests"),
        ("PATCH", "/rest/v1/iam/pwd_reset_requests/1"),
        ("POST", "/mithril/api/tokens"),
        ("POST", "/mithril/api/users"),
        ("PATCH", "/mithril/api/users/actions/init_factor"),
        ("PATCH", "/mithril/api/users/actions/approve_factor"),
        ("PATCH", "/mithril/api/users/1/actions/create_otp"),
        ("PATCH", "/mithril/api/users/1/actions/block"),
        ("POST", "/mithril/api/users/1/authentication_factors"),
        ("GET", "/mithril/api/users/1/authentication_factors"),
    ] {
        world.invocations().await;
        world.request(method, path).send().await;
        world.request(method, path).bearer("glpat-XXXXXXXXXXXXXXXXX").send().await;
        for invocation in world.invocations().await {
            assert_eq!(invocation["calls"].as_array().expect("calls").len(), 0, "{invocation}");
        }
    }
}

/// docs/cost.md gives these calls in dollars: its tables are computed, and must match the computation.
#[test]
fn the_documented_costs_are_computed() {
    let bench = std::process::Command::new("python3")
        .args(["benches/cost.py", "--check"])
        .current_dir(root())
        .output()
        .expect("python3 is on this machine");
    assert!(
        bench.status.success(),
        "{}{}",
        String::from_utf8_lossy(&bench.stdout),
        String::from_utf8_lossy(&bench.stderr)
    );
}

/// The cost of an operation: the calls, and the read and write units that they consume.
type Needed = [f64; 3];

/// The figures that benches/cost.py assumes.
fn reckoned() -> BTreeMap<String, Needed> {
    let bench = std::process::Command::new("python3")
        .args(["benches/cost.py", "--json"])
        .current_dir(root())
        .output()
        .expect("python3 is on this machine");
    let operations: Vec<Value> = serde_json::from_slice(&bench.stdout).expect("operations");
    let entry = |operation: &Value| {
        let name = operation["name"].as_str().expect("a name").to_owned();
        (name, ["calls", "reads", "writes"].map(|field| operation[field].as_f64().expect("a number")))
    };
    operations.iter().map(entry).collect()
}

/// The measurements so far.
struct Measured<'a> {
    world: &'a World,
    operations: BTreeMap<String, Needed>,
}

impl Measured<'_> {
    /// The cost of the notice of the last request.
    async fn notice(&mut self) {
        self.world.deliver_streams().await;
        let list = self.world.get("/_local/invocations").send_local().await;
        let mut made = list.as_array().expect("a list").iter().filter(|one| one["function"] == "publish");
        self.insert("a notice", made.next().expect("an invocation of publish"));
        assert!(made.next().is_none());
    }

    /// The cost of one request, its audit event and its message included.
    async fn by(&mut self, operation: &str, request: impl Future<Output = Response>) -> Response {
        self.world.invocations().await;
        let got = request.await;
        let list = self.world.invocations().await;
        assert_eq!(list.len(), 1, "{operation}: {list:?}");
        self.insert(operation, &list[0]);
        got
    }

    fn insert(&mut self, operation: &str, invocation: &Value) {
        let calls = invocation["calls"].as_array().expect("calls").len();
        let units = |what: &str| invocation["units"][what].as_f64().expect("a number");
        let needed = [
            f64::from(u8::try_from(calls).expect("few")),
            units("read"),
            units("write"),
        ];
        self.operations.insert(operation.to_owned(), needed);
    }
}

#[tokio::test]
async fn operations_use_the_calls_and_units_that_they_are_priced_at() {
    const PIN: &str = "/api/v4/user/support_pin";
    let world = World::with(&[("EventBus", "")]).await;
    let mut measured = Measured {
        world: &world,
        operations: BTreeMap::new(),
    };

    let of_user = format!("/api/v4/users/{}/support_pin", world.id("/user/user_id"));
    let ask = world.post(PIN).private_token(world.user());
    measured.by("support PIN: create", ask.send()).await.ok(201);
    let ask = world.get(PIN).private_token(world.user());
    measured.by("support PIN: read one's own", ask.send()).await.ok(200);
    let ask = world.get(&of_user).private_token(world.admin());
    measured.by("support PIN: read a user's", ask.send()).await.ok(200);
    let ask = world.post(&format!("{of_user}/revoke")).private_token(world.admin());
    measured.by("support PIN: revoke", ask.send()).await.ok(202);
    let got = measured.by("a call without a token", world.post(PIN).send()).await;
    assert_eq!(got.status, 401);

    let email = "my.address@yandex.ru";
    let ask = world.register("my_login", email);
    measured.by("registration: ask", ask.send()).await.ok(200);
    let link = world.link_to(email).await;
    let confirm = world.confirm_registration(&link, "ew!hIb3V");
    measured.by("registration: confirm", confirm).await.ok(200);
    let ask = world.request_reset("my_login");
    measured.by("password reset: ask", ask.send()).await.ok(200);
    let link = world.link_to(email).await;
    let reset = world.reset_password(&link, "ew!hIb3W");
    measured.by("password reset: confirm", reset).await.ok(200);
    measured.notice().await;

    let mut issued = None;
    let retrieve = async {
        let passcode = world.retrieve(USER, PURPOSE).await;
        issued = Some(passcode);
        world.get("/_local/clock").send_unchecked().await
    };
    measured.by("passcode: retrieve", retrieve).await.ok(200);
    let issued = issued.expect("just retrieved");
    let status = world.status(&issued.id);
    measured.by("passcode: status", status.send()).await.ok(200);
    let consume = world.consume(&issued.token, USER, PURPOSE);
    measured.by("passcode: consume", consume.send()).await.ok(200);
    let other = world.retrieve(USER, PURPOSE).await;
    let invalidate = world.invalidate(&other.id);
    measured.by("passcode: invalidate", invalidate.send()).await.ok(200);

    let (demo, admin) = (world.demo(), world.demo_admin());
    let login = world.sign_in(&admin, &admin.password);
    token_in(&measured.by("login: password, no second factor", login).await);
    let login = world.sign_in(&admin, "wrong");
    measured.by("login: wrong password", login).await.ok(401);
    let login = world.sign_in(&demo, &demo.password);
    let token = token_in(&measured.by("login: password, and a code is sent", login).await);
    let guess = world.submit_code(&token, "000000");
    measured.by("login: wrong code", guess).await.ok(401);
    let refresh = world.refresh_login(&token);
    let token = token_in(&measured.by("login: another token and code", refresh).await);
    let code = world.code_to(PHONE).await;
    let authorize = world.submit_code(&token, &code);
    token_in(&measured.by("login: code", authorize).await);
    let app = world.create_app_user("appuser").await;
    let sign_in = async || world.sign_in(&app.person, &app.person.password).await;
    let token = token_in(&measured.by("login: password, and an app's code is asked for", sign_in()).await);
    let code = world.app_code(&app.app).await;
    let authorize = world.submit_code(&token, &code);
    token_in(&measured.by("login: code of an app", authorize).await);
    let token = token_in(&sign_in().await);
    let authorize = world.submit_code(&token, &app.recovery[0]);
    token_in(&measured.by("login: recovery code", authorize).await);
    let token = token_in(&world.sign_in(&demo, &demo.password).await);
    world.advance(60).await;
    let ask = world.request("PATCH", &format!("{API}/users/{}/actions/create_otp", demo.id));
    let ask = ask.bearer(&token);
    measured.by("code: another one", ask.send()).await.ok(200);
    let client = world.request_token(json!({
        "grant_type": "client_credentials", "client_id": "heatclinic", "scope": "passcode",
        "client_secret": world.id("/client/client_secret"),
    }));
    token_in(&measured.by("token for a client's secret", client).await);

    let (_, login) = person_awaiting_phone(&world, "maria").await;
    let init = world.init_factor(&login, NEW_PHONE);
    let approval = token_in(&measured.by("second factor: init, the first phone", init).await);
    let code = world.code_to(NEW_PHONE).await;
    let approve = world.approve_factor(&approval, &code);
    token_in(&measured.by("second factor: approve", approve).await);
    let olga = world.create_person_with("olga", "+380881234561").await;
    let access = world.create_app_token(&olga).await;
    let init = world.init_factor(&access, "+380881234562");
    token_in(&measured.by("second factor: init, another phone", init).await);

    let app = world.application();
    let number = "+14155550143";
    // The first message of a day reads the budgets of earlier days.
    app.start(&world, NUMBER).await;
    let form = [("To", number), ("Channel", "sms")];
    let start = app.starting(&world, &form);
    measured.by("verification: start by text message", start.send()).await.ok(201);
    let start = app.starting(&world, &[("To", ADDRESS), ("Channel", "email")]);
    measured.by("verification: start by mail", start.send()).await.ok(201);
    let code = world.verification_code(number).await;
    let bad = wrong(&code);
    let guess = app.check(&world, number, &bad);
    measured.by("verification: wrong code", guess).await.ok(200);
    let guess = app.check(&world, number, &code);
    measured.by("verification: right code", guess).await.ok(200);

    let (mut measured, mut reckoned) = (measured.operations, reckoned());
    if second_engine().is_some() {
        // Another engine may report other units.
        for [_, units @ ..] in measured.values_mut().chain(reckoned.values_mut()) {
            *units = [0.0; 2];
        }
    }
    assert_eq!(measured, reckoned);
}

#[tokio::test]
async fn logins_with_an_app_make_the_expected_calls() {
    let world = World::new().await;
    let (maria, access) = world.create_signed_in("maria").await;
    world.invocations().await;
    let got = world.init_app(&access, Some(&maria.password)).await;
    // The password is a guess, and the domain has the name that the app shows.
    check_calls(&world, "begin to set an app", &[READ, UPDATE, READ, TOGETHER]).await;
    let body = got.ok(201);
    let app = App::of_uri(body["urgent"]["totp"]["uri"].as_str().expect("a URI"));
    let code = world.app_code(&app).await;
    world.invocations().await;
    let got = world.approve_factor(&token_in(&got), &code).await;
    check_calls(&world, "set an app", &[READ, TOGETHER]).await;
    let codes = world.recovery_codes(&got);
    world.advance(60).await;

    let found = ["GetItem", "GetItem", READ];
    let (login, code) = (world.begin_app_login(&maria).await, world.app_code(&app).await);
    check_calls(&world, "log in with an app", &[&found[..], &[TOGETHER]].concat()).await;
    world.submit_code(&login, "000000").await.ok(401);
    check_calls(&world, "a wrong code of an app", &[READ, TOGETHER]).await;
    let access = token_in(&world.submit_code(&login, &code).await);
    check_calls(&world, "the right code of an app", &[READ, TOGETHER]).await;
    let login = world.begin_app_login(&maria).await;
    world.invocations().await;
    world.submit_code(&login, &codes[0]).await.ok(201);
    check_calls(&world, "a recovery code", &[READ, TOGETHER]).await;
    world.keep_out_of_logs(&access);

    // From a known device, the device is one more row.
    let login = world.begin_app_login(&maria).await;
    let body = json!({
        "grant_type": "authorize_2fa_access_token", "token": login, "otp": codes[1], "device": true,
    });
    world.invocations().await;
    let got = world.request_token(body).await;
    check_calls(&world, "a recovery code, and the device becomes a known one", &[READ, TOGETHER]).await;
    world.keep_out_of_logs(got.ok(201)["urgent"]["device_token"].as_str().expect("a token"));
    let again = world.request("PATCH", &format!("{API}/users/actions/recovery_codes")).bearer(&token_in(&got));
    let got = again.json(&json!({ "password": maria.password })).send().await;
    check_calls(&world, "make new recovery codes", &[READ, READ, UPDATE, TOGETHER]).await;
    world.recovery_codes(&got);
}
