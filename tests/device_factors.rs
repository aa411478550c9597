//! Second factors from known devices, and remembered devices (docs/contract.md, Known devices; docs/security.md R23, R70).

use serde_json::{Value, json};

use crate::support::{
    devices::devices_path,
    login::{api_grant, other_than, token_in},
    mithril::{RECOVERY_CODES, token_invalid_type, user_blocked, wrong_code},
    people::{PHONE, Person},
    requests::Response,
    totp::{App, AppUser},
    world::World,
};

/// A day, in seconds.
const DAY: u64 = 86_400;

/// Begins a login, from a known device if there is one.
async fn begin(world: &World, person: &Person, device: Option<&str>) -> Response {
    match device {
        Some(device) => world.sign_in_from(person, &person.password, device).await,
        None => world.request_token(api_grant(person)).await,
    }
}

/// Submits a code and asks for a device token.
async fn submit(world: &World, login: &str, otp: &str) -> Response {
    let body = json!({ "grant_type": "authorize_2fa_access_token", "token": login, "otp": otp, "device": true });
    world.request_token(body).await
}

/// Logs in with the app from an unknown device, which becomes a known one; a minute passes.
async fn add_device(world: &World, user: &AppUser) -> String {
    let login = token_in(&begin(world, &user.person, None).await);
    let device = world.device_in(&submit(world, &login, &world.app_code(&user.app).await).await);
    world.advance(60).await;
    device
}

async fn wrong(world: &World, user: &AppUser) -> String {
    other_than(&other_than(&world.app_code(&user.app).await))
}

#[tokio::test]
async fn a_login_with_a_code_makes_its_device_known_and_keeps_its_id() {
    let world = World::new().await;
    let user = world.create_app_user("maria").await;
    let before = world.mails_to(&user.person.email).await.len();
    let device = add_device(&world, &user).await;
    let mails = world.mails_to(&user.person.email).await;
    assert_eq!(mails.len() - before, 1);
    assert!(
        mails.last().expect("a mail")["subject"].as_str().expect("a subject").contains("device"),
        "{mails:?}"
    );
    // Another token of the same device is no news; without the wish there is none.
    let login = token_in(&begin(&world, &user.person, Some(&device)).await);
    let got = submit(&world, &login, &world.app_code(&user.app).await).await;
    let again = world.device_in(&got);
    assert_ne!(again, device);
    world.advance(60).await;
    let login = token_in(&begin(&world, &user.person, Some(&again)).await);
    let got = world.submit_code(&login, &world.app_code(&user.app).await).await;
    assert_eq!(got.ok(201)["urgent"], json!({ "next_step": "REQUEST_APPS" }));
    assert_eq!(world.mails_to(&user.person.email).await.len(), mails.len());
    let got = world.get(&devices_path(&user.person)).bearer(world.admin()).send().await.ok(200);
    assert_eq!(got["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(got["data"][0]["remembered_until"], Value::Null);
}

#[tokio::test]
async fn wrong_codes_from_a_known_device_count_on_the_device_only() {
    let world = World::with(&[("UserOtpErrorMax", "50")]).await;
    let user = world.create_app_user("maria").await;
    let device = add_device(&world, &user).await;
    for failures in 1..=4 {
        let login = token_in(&begin(&world, &user.person, Some(&device)).await);
        wrong_code(&world.submit_code(&login, &wrong(&world, &user).await).await);
        assert_eq!(world.device_failures(&user.person).await, failures);
        assert_eq!(world.failure_counts(&user.person).await.1, "0");
    }
    // A wrong password counts with them, and the right one alone resets nothing.
    let login = token_in(&begin(&world, &user.person, Some(&device)).await);
    world.submit_code(&login, &world.app_code(&user.app).await).await.ok(201);
    assert_eq!(world.device_failures(&user.person).await, 0);
    world.advance(60).await;
    for _ in 0..4 {
        let login = token_in(&begin(&world, &user.person, Some(&device)).await);
        wrong_code(&world.submit_code(&login, &wrong(&world, &user).await).await);
    }
    let login = token_in(&begin(&world, &user.person, Some(&device)).await);
    world.sign_in_from(&user.person, "wrong", &device).await.ok(401);
    assert_eq!(world.device_failures(&user.person).await, 5);
    // From now on it is an unknown device, also for the login that is under way.
    wrong_code(&world.submit_code(&login, &wrong(&world, &user).await).await);
    assert_eq!(world.failure_counts(&user.person).await.1, "1");
    assert_eq!(world.device_failures(&user.person).await, 5);
}

#[tokio::test]
async fn a_block_by_wrong_codes_of_others_does_not_refuse_a_known_device() {
    let world = World::new().await;
    let user = world.create_app_user("maria").await;
    let device = add_device(&world, &user).await;
    // Both have begun before the block.
    let mut body = api_grant(&user.person);
    world.create_client("other", json!(["api", "app:authorize"])).await;
    body["client_id"] = "other".into();
    let stranger = token_in(&world.request_token(body).await);
    let login = token_in(&begin(&world, &user.person, Some(&device)).await);
    for _ in 0..4 {
        wrong_code(&world.submit_code(&stranger, &wrong(&world, &user).await).await);
    }
    user_blocked(&begin(&world, &user.person, None).await);
    user_blocked(&world.submit_code(&stranger, &world.app_code(&user.app).await).await);
    let access = token_in(&world.submit_code(&login, &world.app_code(&user.app).await).await);
    assert!(world.token_works(&access).await);
    world.advance(60).await;
    let login = token_in(&begin(&world, &user.person, Some(&device)).await);
    let access = token_in(&world.submit_code(&login, &user.recovery[0]).await);
    assert!(world.token_works(&access).await);
    // The block of others stays.
    user_blocked(&begin(&world, &user.person, None).await);
}

#[tokio::test]
async fn another_app_is_approved_in_the_lane_of_the_device() {
    let world = World::new().await;
    let user = world.create_app_user("maria").await;
    let device = add_device(&world, &user).await;
    let login = token_in(&begin(&world, &user.person, Some(&device)).await);
    let access = token_in(&world.submit_code(&login, &world.app_code(&user.app).await).await);
    world.block_by_passwords(&user.person).await;
    let got = world.init_app(&access, Some(&user.person.password)).await;
    let (approval, body) = (token_in(&got), got.json());
    let app = App::of_uri(body["urgent"]["totp"]["uri"].as_str().expect("a URI"));
    let code = world.app_code(&app).await;
    for failures in 1..=3 {
        wrong_code(&world.approve_factor(&approval, &other_than(&code)).await);
        assert_eq!(world.device_failures(&user.person).await, failures);
        assert_eq!(world.failure_counts(&user.person).await.1, "0");
    }
    let got = world.approve_factor(&approval, &code).await;
    world.recovery_codes(&got);
    assert!(world.token_works(&token_in(&got)).await);
    assert_eq!(world.device_failures(&user.person).await, 0);
    user_blocked(&begin(&world, &user.person, None).await);
}

#[tokio::test]
async fn a_code_by_text_message_is_sent_again_in_the_lane_of_the_device() {
    let world = World::new().await;
    let person = world.create_person("maria").await;
    let device = world.add_device(&person).await;
    world.keep_phone_out_of_logs(PHONE);
    let set = json!({ "command": "set_factor", "user_id": person.id, "type": "SMS", "factor": PHONE });
    assert_eq!(world.run_command(set).await["changed"], true);
    let login = token_in(&begin(&world, &person, Some(&device)).await);
    world.block_by_passwords(&person).await;
    world.resend_code(&person, &login).await.ok(200);
    let access = token_in(&world.submit_code(&login, &world.code_to(PHONE).await).await);
    assert!(world.token_works(&access).await);
    user_blocked(&begin(&world, &person, None).await);
}

#[tokio::test]
async fn a_remembered_device_skips_the_second_factor_until_then() {
    let world = World::with(&[("RememberDeviceDays", "7")]).await;
    let user = world.create_app_user("maria").await;
    let device = add_device(&world, &user).await;
    let listed = world.get(&devices_path(&user.person)).bearer(world.admin()).send().await.ok(200);
    assert!(listed["data"][0]["remembered_until"].is_string(), "{listed}");
    let next = async |device: &str| {
        let got = begin(&world, &user.person, Some(device)).await.ok(201);
        got["urgent"]["next_step"].as_str().expect("a step").to_owned()
    };
    let got = begin(&world, &user.person, Some(&device)).await;
    assert_eq!(got.ok(201)["urgent"], json!({ "next_step": "REQUEST_APPS" }));
    assert!(world.token_works(&token_in(&got)).await);
    assert_eq!(begin(&world, &user.person, None).await.ok(201)["urgent"]["next_step"], "REQUEST_OTP");
    world.advance(7 * 86_400 - 60 - 30).await;
    assert_eq!(next(&device).await, "REQUEST_APPS");
    world.advance(60).await;
    assert_eq!(next(&device).await, "REQUEST_OTP");

    // A code remembers it anew; a change of any factor ends that, and so does the operator's reset.
    let device = add_device(&world, &user).await;
    assert_eq!(next(&device).await, "REQUEST_APPS");
    // The device and the password alone lead to no other factor, and to no recovery codes.
    let access = token_in(&begin(&world, &user.person, Some(&device)).await);
    token_invalid_type(&world.init_app(&access, Some(&user.person.password)).await);
    let codes = world.request("PATCH", RECOVERY_CODES).bearer(&access);
    token_invalid_type(&codes.json(&json!({ "password": user.person.password })).send().await);
    world.advance(60).await;
    let login = token_in(&begin(&world, &user.person, None).await);
    let access = token_in(&world.submit_code(&login, &world.app_code(&user.app).await).await);
    let again = world.enrol(&user.person, &access).await;
    world.advance(60).await;
    assert_eq!(next(&device).await, "REQUEST_OTP");

    // So do new recovery codes.
    let device = add_device(&world, &again).await;
    assert_eq!(next(&device).await, "REQUEST_APPS");
    let login = token_in(&begin(&world, &again.person, None).await);
    let access = token_in(&world.submit_code(&login, &world.app_code(&again.app).await).await);
    let codes = world.request("PATCH", RECOVERY_CODES).bearer(&access);
    let got = codes.json(&json!({ "password": again.person.password })).send().await;
    let codes = world.recovery_codes(&got);
    assert_eq!(next(&device).await, "REQUEST_OTP");

    // A recovery code completes a login, and remembers nothing.
    let login = token_in(&begin(&world, &again.person, None).await);
    let device = world.device_in(&submit(&world, &login, &codes[0]).await);
    assert_eq!(next(&device).await, "REQUEST_OTP");
}

#[tokio::test]
async fn an_administrators_device_is_not_remembered() {
    let world = World::with(&[("RememberDeviceDays", "7")]).await;
    let admin = world.demo_admin();
    let access = token_in(&world.sign_in(&admin, &admin.password).await);
    let user = world.enrol(&admin, &access).await;
    world.advance(60).await;
    let device = add_device(&world, &user).await;
    let got = begin(&world, &admin, Some(&device)).await.ok(201);
    assert_eq!(got["urgent"]["next_step"], "REQUEST_OTP");
}

#[tokio::test]
async fn a_year_of_a_stranger_with_the_password_never_refuses_the_owner_on_a_known_device() {
    let settings = [("BlockSeconds", "3600"), ("FailedLoginsPerSourcePerHour", "300")];
    let world = World::with(&settings).await;
    let user = world.create_app_user("maria").await;
    let mut device = add_device(&world, &user).await;
    let start = world.now().await;
    let (mut owner_at, mut stranger_at, mut compared) = (start + 1, start, 0);
    while owner_at.min(stranger_at) < start + 365 * DAY {
        let now = world.now().await;
        world.advance(owner_at.min(stranger_at).saturating_sub(now)).await;
        if stranger_at < owner_at {
            // The stranger guesses until no code is compared, and comes back as soon as one will be.
            let got = begin(&world, &user.person, None).await;
            let mut wait = 3600;
            if got.status == 201 {
                let login = token_in(&got);
                let mut got = world.submit_code(&login, &wrong(&world, &user).await).await;
                while got.json()["error"]["type"] == "otp_invalid" {
                    compared += 1;
                    got = world.submit_code(&login, &wrong(&world, &user).await).await;
                }
                match got.status {
                    429 => wait = got.retry_after(),
                    _ => user_blocked(&got),
                }
            } else {
                user_blocked(&got);
            }
            stranger_at = world.now().await + wait;
        } else {
            let login = token_in(&begin(&world, &user.person, Some(&device)).await);
            let got = submit(&world, &login, &world.app_code(&user.app).await).await;
            assert_eq!(got.status, 201, "at {owner_at}: {got:?}");
            assert!(world.token_works(&token_in(&got)).await, "at {owner_at}");
            device = world.device_in(&got);
            owner_at += DAY;
        }
    }
    // docs/security.md: 30 in each 30 days that began; two of the first were the approval and the first login.
    assert_eq!(compared, 30 * (1 + 364 / 30) - 2);
}
