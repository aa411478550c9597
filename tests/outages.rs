//! Every route during a permanent outage of the store, at each of its calls: reported in the dialect, with
//! `Retry-After`, and never as an internal error (security.md R63, R64; ASVS 16.5.2).

use serde_json::{Value, json};

use crate::support::{
    clock::DAY,
    devices::devices_path,
    entities::IDENTITY,
    factors::person_awaiting_phone,
    login::{api_grant, password_grant, token_in},
    mithril::{APPROVE, INIT, TOKENS, USERS},
    passcode::{CLIENT, PURPOSE, SHORT, USER},
    password::RESET,
    registration::REGISTER,
    requests::Request,
    verify::ADDRESS,
    words::{
        CREATE_FAILED, ERA_UNAVAILABLE_BODY, REVOKE_FAILED, SERVICE_UNAVAILABLE_ERROR, SHOW_FAILED, UNAVAILABLE,
        WRONG_IDENTITY,
    },
    world::World,
};

/// The failures that the store reports in an answer; those without an answer are in `faults.rs`.
const KINDS: [&str; 3] = ["error", "throttle", "conflict"];

/// Makes requests with an outage from the first call on, from the second one, and so on, until one succeeds. Each error
/// is one of `said`.
async fn sweep<'a>(world: &'a World, what: &str, said: &[(u16, &str)], prepared: impl AsyncFn() -> Request<'a>) {
    for kind in KINDS {
        let mut failed = 0;
        loop {
            let ask = prepared().await;
            world
                .inject(
                    json!({ "service": "dynamodb", "operation": null, "kind": kind, "skip": failed, "times": 1000 }),
                )
                .await;
            let got = ask.send().await;
            world.clear_faults().await;
            world.advance(DAY).await;
            if got.status < 300 {
                break;
            }
            let is_expected = said.iter().any(|(status, words)| got.status == *status && got.body.contains(words));
            assert!(is_expected, "{what}, {kind} after {failed}: {got:?}");
            if got.status == 503 {
                assert_eq!(got.header("retry-after"), Some("5"), "{what}, {kind} after {failed}");
            }
            failed += 1;
            assert!(failed < 16, "{what}, {kind}: healthy at last");
        }
        assert!(failed > 0 || kind == "conflict", "{what} calls the store");
    }
}

#[tokio::test]
async fn every_route_of_support_pins_reports_an_outage() {
    const OUTAGE: (u16, &str) = (503, UNAVAILABLE);
    let world = World::new().await;
    let own = "/api/v4/user/support_pin";
    let of = format!("/api/v4/users/{}/support_pin", world.id("/user/user_id"));
    let make = async || world.post(own).private_token(world.user()).send().await.ok(201);
    let failed = (422, CREATE_FAILED);
    sweep(&world, "create", &[failed], async || world.post(own).private_token(world.user())).await;
    sweep(&world, "show", &[OUTAGE], async || {
        make().await;
        world.get(own).private_token(world.user())
    })
    .await;
    // A disclosure to an administrator is recorded in the audit log first.
    let failed = (422, SHOW_FAILED);
    sweep(&world, "show a user's", &[failed, OUTAGE], async || {
        make().await;
        world.get(&of).private_token(world.admin())
    })
    .await;
    let failed = (422, REVOKE_FAILED);
    sweep(&world, "revoke", &[failed], async || {
        make().await;
        world.post(&format!("{of}/revoke")).private_token(world.admin())
    })
    .await;
}

#[tokio::test]
async fn every_route_of_passcodes_reports_an_outage() {
    const SAID: &[(u16, &str)] = &[(503, r#","status":503,"error":"Service Unavailable","path":"/passcode/"#)];
    let world = World::with(&[("PasscodePurposes", SHORT)]).await;
    let query = [("purpose", PURPOSE), ("username", USER), CLIENT];
    sweep(&world, "retrieve", SAID, async || {
        let ask = world.get("/passcode/retrieve").query(&query);
        ask.bearer(world.passcode_token())
    })
    .await;
    for purpose in [PURPOSE, "PHONE"] {
        sweep(&world, "consume", SAID, async || {
            let issued = world.retrieve(USER, purpose).await;
            world.consume(&issued.token, USER, purpose)
        })
        .await;
    }
    sweep(&world, "status", SAID, async || world.status(&world.retrieve(USER, PURPOSE).await.id)).await;
    sweep(&world, "invalidate", SAID, async || world.invalidate(&world.retrieve(USER, PURPOSE).await.id)).await;
}

#[tokio::test]
async fn every_route_of_registration_and_reset_reports_an_outage() {
    const SAID: &[(u16, &str)] = &[(503, ERA_UNAVAILABLE_BODY)];
    let world = World::new().await;
    let n = std::cell::Cell::new(0);
    let name = || {
        n.set(n.get() + 1);
        format!("login{}", n.get())
    };
    sweep(&world, "ask to register", SAID, async || {
        let login = name();
        world.register(&login, &format!("{login}@yandex.ru"))
    })
    .await;
    sweep(&world, "register", SAID, async || {
        let login = name();
        let email = format!("{login}@yandex.ru");
        world.register(&login, &email).send().await.ok(200);
        let link = world.link_to(&email).await;
        let ask = world.request("PATCH", &format!("{REGISTER}/{link}"));
        ask.json(&json!({ "pwd": "ew!hIb3V" }))
    })
    .await;
    world.new_user("maria").await;
    sweep(&world, "ask for a reset", SAID, async || world.request_reset("maria")).await;
    sweep(&world, "reset", SAID, async || {
        let link = world.reset_link("maria", "maria@example.org").await;
        let ask = world.request("PATCH", &format!("{RESET}/{link}"));
        ask.json(&json!({ "pwd": "ew!hIb3V" }))
    })
    .await;
    sweep(&world, "change", SAID, async || {
        let login = name();
        let (token, _) = world.new_user(&login).await;
        let body = json!({ "current_pwd": "correct-horse", "new_pwd": "ew!hIb3V" });
        world.post(RESET).bearer(&token).json(&body)
    })
    .await;
}

/// What Mithril's routes say.
const MITHRIL: &[(u16, &str)] = &[(503, SERVICE_UNAVAILABLE_ERROR)];

#[tokio::test]
async fn every_grant_reports_an_outage() {
    let world = World::new().await;
    let (demo, admin) = (world.demo(), world.demo_admin());
    for person in [&demo, &admin] {
        sweep(&world, "log in", MITHRIL, async || world.post(TOKENS).json(&api_grant(person))).await;
    }
    // A failure of the caller's is said only once it is written, too.
    for what in ["a wrong password", "nobody"] {
        let said = [MITHRIL, &[(401, WRONG_IDENTITY)]].concat();
        for kind in KINDS {
            for skip in 0..5 {
                let email = match what {
                    "nobody" => format!("nobody-{kind}-{skip}@example.org"),
                    _ => demo.email.clone(),
                };
                let body = password_grant(&email, "wrong");
                world
                    .inject(
                        json!({ "service": "dynamodb", "operation": null, "kind": kind, "skip": skip, "times": 1000 }),
                    )
                    .await;
                let got = world.request_token(body).await;
                world.clear_faults().await;
                let is_expected = said.iter().any(|(status, words)| got.status == *status && got.body.contains(words));
                assert!(
                    is_expected && (got.status == 503 || kind == "conflict"),
                    "{what}, {kind} after {skip}: {got:?}"
                );
                token_in(&world.request_token(api_grant(&demo)).await);
                world.advance(DAY).await;
            }
        }
    }
    sweep(&world, "the code", MITHRIL, async || {
        let (token, code) = world.begin_login(&demo).await;
        let body = json!({ "grant_type": "authorize_2fa_access_token", "token": token, "otp": code });
        world.post(TOKENS).json(&body)
    })
    .await;
    sweep(&world, "another code", MITHRIL, async || {
        let (token, _) = world.begin_login(&demo).await;
        let body = json!({ "grant_type": "refresh_2fa_access_token", "token": token });
        world.post(TOKENS).json(&body)
    })
    .await;
    sweep(&world, "a client's token", MITHRIL, async || {
        let secret = world.id("/client/client_secret");
        let body = json!({
            "grant_type": "client_credentials", "client_id": "heatclinic", "client_secret": secret, "scope": "passcode",
        });
        world.post(TOKENS).json(&body)
    })
    .await;
}

#[tokio::test]
async fn every_route_of_factors_and_users_reports_an_outage() {
    let world = World::new().await;
    let n = std::cell::Cell::new(0);
    let name = || {
        n.set(n.get() + 1);
        (format!("person{}", n.get()), format!("+38088123{:04}", n.get()))
    };
    let as_admin = |method: &str, path: &str, body: Value| {
        let ask = world.request(method, path).bearer(world.admin());
        match body {
            Value::Null => ask,
            body => ask.json(&body),
        }
    };
    sweep(&world, "make a factor", MITHRIL, async || {
        let person = world.create_person(&name().0).await;
        as_admin("POST", &person.factors_path(), json!({ "type": "SMS" }))
    })
    .await;
    let demo = world.demo();
    let factor = format!("{}/{}", demo.factors_path(), world.factor_of(&demo).await["id"].as_str().expect("an id"));
    for path in [&demo.factors_path(), &factor] {
        sweep(&world, "read", MITHRIL, async || as_admin("GET", path, Value::Null)).await;
    }
    for (action, before) in [("disable", "enable"), ("enable", "disable")] {
        sweep(&world, action, MITHRIL, async || {
            let before = format!("{factor}/actions/{before}");
            as_admin("PATCH", &before, Value::Null).send().await;
            as_admin("PATCH", &format!("{factor}/actions/{action}"), Value::Null)
        })
        .await;
    }
    sweep(&world, "create_otp", MITHRIL, async || {
        let (token, _) = world.begin_login(&demo).await;
        world.request("PATCH", &demo.action_path("create_otp")).bearer(&token)
    })
    .await;
    sweep(&world, "reset", MITHRIL, async || {
        as_admin("PATCH", &format!("{factor}/actions/reset"), Value::Null)
    })
    .await;
    sweep(&world, "init", MITHRIL, async || {
        let (login, phone) = name();
        let (_, token) = person_awaiting_phone(&world, &login).await;
        world.keep_phone_out_of_logs(&phone);
        let body = json!({ "type": "SMS", "factor": phone });
        world.request("PATCH", INIT).bearer(&token).json(&body)
    })
    .await;
    sweep(&world, "approve", MITHRIL, async || {
        let (login, phone) = name();
        let (_, token) = person_awaiting_phone(&world, &login).await;
        let token = token_in(&world.init_factor(&token, &phone).await);
        let body = json!({ "otp": world.code_to(&phone).await });
        world.request("PATCH", APPROVE).bearer(&token).json(&body)
    })
    .await;
    for (action, before) in [("block", "unblock"), ("unblock", "block")] {
        sweep(&world, action, MITHRIL, async || {
            as_admin("PATCH", &demo.action_path(before), Value::Null).send().await;
            as_admin("PATCH", &demo.action_path(action), Value::Null)
        })
        .await;
    }
    sweep(&world, "make a user", MITHRIL, async || {
        let email = format!("{}@example.org", name().0);
        as_admin("POST", USERS, json!({ "email": email, "password": "ew!hIb3V" }))
    })
    .await;
}

#[tokio::test]
async fn every_route_of_known_devices_and_recovery_codes_reports_an_outage() {
    let world = World::new().await;
    let n = std::cell::Cell::new(0);
    let person = async || {
        n.set(n.get() + 1);
        world.create_person(&format!("person{}", n.get())).await
    };
    sweep(&world, "list devices", MITHRIL, async || {
        let person = person().await;
        world.add_device(&person).await;
        world.get(&devices_path(&person)).bearer(world.admin())
    })
    .await;
    sweep(&world, "end devices", MITHRIL, async || {
        let person = person().await;
        world.add_device(&person).await;
        world.request("DELETE", &devices_path(&person)).bearer(world.admin())
    })
    .await;
}

#[tokio::test]
async fn every_route_of_verifications_reports_an_outage() {
    const SAID: &[(u16, &str)] = &[
        (503, r#"{"code":20503,"message":"Service unavailable, try again later","#),
        // A transaction that always meets another one.
        (429, r#"{"code":60212,"message":"Too many concurrent requests for the phone number","#),
    ];
    let world = World::new().await;
    let app = world.application();
    sweep(&world, "start", SAID, async || app.starting(&world, &[("To", ADDRESS), ("Channel", "email")])).await;
    sweep(&world, "check", SAID, async || {
        app.start(&world, ADDRESS).await;
        let code = world.verification_code(ADDRESS).await;
        app.checking(&world, ADDRESS, &code)
    })
    .await;
    let one = format!("/Verifications/{ADDRESS}");
    sweep(&world, "show", SAID, async || {
        app.start(&world, ADDRESS).await;
        app.request(&world, "GET", &one)
    })
    .await;
    sweep(&world, "cancel", SAID, async || {
        app.start(&world, ADDRESS).await;
        app.request(&world, "POST", &one).form(&[("Status", "canceled")])
    })
    .await;
    let verified = app.verified_device(&world, IDENTITY).await;
    let n = std::cell::Cell::new(0);
    sweep(&world, "create a challenge", SAID, async || verified.challenging(&world, &app, None)).await;
    sweep(&world, "create a factor", SAID, async || {
        let form = [("FriendlyName", "Maria's phone"), ("FactorType", "totp")];
        n.set(n.get() + 1);
        app.request(&world, "POST", &format!("/Entities/person-{:03}/Factors", n.get())).form(&form)
    })
    .await;
    for path in ["", "/RateLimits", &format!("/Entities/{IDENTITY}"), &verified.path()] {
        sweep(&world, path, SAID, async || app.request(&world, "GET", path)).await;
    }
    sweep(&world, "list attempts", SAID, async || world.get("/v2/Attempts").by(&app)).await;
    sweep(&world, "create a service", SAID, async || {
        world.post("/v2/Services").by(&app).form(&[("FriendlyName", "Other")])
    })
    .await;
}
