//! Optimistic locking: a check against a row that changes before the write is repeated (security.md R21). Each
//! condition of a write is tested by the change that it guards against.

use serde_json::{Value, json};

use crate::support::{
    factors::person_awaiting_phone,
    faults::in_some_round,
    login::{api_grant, password_grant, token_in},
    mithril::{not_found, token_expired, token_invalid, user_blocked, wrong_identity},
    password::NEW,
    people::{NEW_PHONE, PHONE},
    requests::Response,
    world::World,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_login_keeps_a_concurrent_session_of_another_client() {
    in_some_round(async |_| {
        let world = World::new().await;
        world.create_client("second", json!("all")).await;
        let admin = world.demo_admin();
        let mut elsewhere = api_grant(&admin);
        elsewhere["client_id"] = "second".into();
        let mut other = String::new();
        let own = world
            .overtaken(world.request_token(api_grant(&admin)), async {
                other = token_in(&world.request_token(elsewhere).await);
            })
            .await?;
        assert!(world.token_works(&token_in(&own)).await);
        assert!(world.token_works(&other).await);
        Some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_code_is_sent_for_a_login_that_was_revoked_meanwhile() {
    for command in ["end_tokens", "erase_user"] {
        in_some_round(async |_| {
            let world = World::new().await;
            let phone = "+380881234561";
            let person = world.create_person_with("maria", phone).await;
            let (token, _) = world.begin_login(&person).await;
            let got = world.overtaken(world.refresh_login(&token), world.run_command_about(command, &person)).await?;
            match command {
                "end_tokens" => token_expired(&got),
                _ => token_invalid(&got),
            }
            assert_eq!(world.sms_to(phone).await.len(), 1, "{command}");
            let tokens = world.rows("TokensTable").await;
            let own = tokens.iter().filter(|row| row["user_id"]["S"] == person.id.as_str());
            assert_eq!(own.count(), usize::from(command != "erase_user"), "{command}");
            Some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_replaces_only_the_one_that_was_read() {
    // An administrator resets the factor or disables it.
    for (action, refused, left) in [
        ("reset", token_expired as fn(&Response), Value::Null),
        ("disable", not_found, json!("+38088*****61")),
    ] {
        in_some_round(async |_| {
            let world = World::new().await;
            let person = world.create_person_with("maria", "+380881234561").await;
            let token = world.create_app_token(&person).await;
            let approval = token_in(&world.init_factor(&token, NEW_PHONE).await);
            let code = world.code_to(NEW_PHONE).await;
            let got = world
                .overtaken(world.approve_factor(&approval, &code), async {
                    world.switch_factor(&person, action, world.admin()).await.ok(200);
                })
                .await?;
            refused(&got);
            assert_eq!(world.factor_of(&person).await["factor"], left, "{action}");
            Some(())
        })
        .await;
    }
    // The operator sets the first phone.
    in_some_round(async |_| {
        let world = World::new().await;
        let (person, login) = person_awaiting_phone(&world, "maria").await;
        let approval = token_in(&world.init_factor(&login, NEW_PHONE).await);
        let code = world.code_to(NEW_PHONE).await;
        let got = world
            .overtaken(world.approve_factor(&approval, &code), async {
                let command = json!({ "command": "set_factor", "user_id": person.id, "type": "SMS", "factor": PHONE });
                let answer = world.run_command(command).await;
                assert!(answer["error"].is_null(), "{answer}");
            })
            .await?;
        token_expired(&got);
        assert_eq!(world.factor_of(&person).await["factor"], "+38088*****30");
        Some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_compared_with_the_one_set_concurrently() {
    in_some_round(async |_| {
        let world = World::new().await;
        let person = world.create_person("maria").await;
        let link = world.reset_link("maria", &person.email).await;
        let got = world
            .overtaken(world.sign_in(&person, NEW), async {
                world.reset_password(&link, NEW).await.ok(200);
            })
            .await?;
        token_in(&got);
        assert_eq!(world.failure_counts(&person).await, ("0".into(), "0".into()), "it was right");
        let got = world
            .overtaken(
                world.request_token(password_grant(&person.email, "wrong")),
                world.run_command_about("block_user", &person),
            )
            .await?;
        user_blocked(&got);
        assert_eq!(world.failure_counts(&person).await, ("0".into(), "0".into()));
        world.run_command_about("unblock_user", &person).await;
        wrong_identity(&world.sign_in(&person, "wrong").await);
        Some(())
    })
    .await;
}
