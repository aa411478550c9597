//! What a block ends, whatever its cause, and what does not return when the block expires (docs/contract.md, Support
//! PIN; docs/security.md R70, R72); and how a user regains access after a lockout by failures.

use serde_json::json;

use crate::support::{
    era::{era_refused, password_set},
    login::other_than,
    mithril::{data, user_blocked},
    password::NEW,
    support_pin::OWN_PIN,
    words::{NO_PIN, NO_REQUEST},
    world::World,
};

async fn world() -> World {
    World::with(&[("BlockSeconds", "60")]).await
}

#[tokio::test]
async fn pins_and_links_from_before_a_block_stay_revoked_after_it_expires() {
    let world = world().await;
    let people = [
        world.create_person_with("maria", "+380881234531").await,
        world.create_person_with("olga", "+380881234532").await,
        world.create_person("anna").await,
    ];
    for (person, cause) in people.iter().zip(["passwords", "codes", "administrator"]) {
        for _ in 0..2 {
            let token = world.log_in(person).await;
            let made = world.post(OWN_PIN).private_token(&token).send().await;
            made.ok(201);
            let of = format!("/api/v4/users/{}/support_pin", person.id);
            let read = || world.get(&of).private_token(world.admin());
            read().send().await.is(200, &made.body);
            let link = world.reset_link(&person.email, &person.email).await;
            match cause {
                "passwords" => world.block_by_passwords(person).await,
                "codes" => {
                    let (token, code) = world.begin_login(person).await;
                    for _ in 0..4 {
                        world.submit_code(&token, &other_than(&code)).await.ok(401);
                    }
                }
                _ => {
                    let got = world.request("PATCH", &person.action_path("block")).bearer(world.admin());
                    data(&got.send().await, 200);
                }
            }
            user_blocked(&world.sign_in(person, &person.password).await);
            world.shows_no_pin(person).await;
            era_refused(&world.reset_password(&link, NEW).await, 404, NO_REQUEST);

            world.advance(60).await;
            if cause == "administrator" {
                user_blocked(&world.sign_in(person, &person.password).await);
                world.shows_no_pin(person).await;
                let got = world.request("PATCH", &person.action_path("unblock")).bearer(world.admin());
                data(&got.send().await, 200);
            }
            world.shows_no_pin(person).await;
            era_refused(&world.reset_password(&link, NEW).await, 404, NO_REQUEST);
            let token = world.log_in(person).await;
            world.get(OWN_PIN).private_token(&token).send().await.is(404, NO_PIN);
            // A PIN made after the block works until the next block.
            let made = world.post(OWN_PIN).private_token(&token).send().await;
            made.ok(201);
            read().send().await.is(200, &made.body);
            world.advance(3600).await;
        }
    }
}

#[tokio::test]
async fn a_link_requested_after_an_expired_block_is_valid() {
    let world = world().await;
    let maria = world.create_person("maria").await;
    world.block_by_passwords(&maria).await;
    world.advance(600).await;
    let link = world.reset_link(&maria.email, &maria.email).await;
    password_set(&world.reset_password(&link, NEW).await, "maria");
}

#[tokio::test]
async fn an_attacker_cannot_void_the_reset_link_of_a_blocked_user() {
    let world = world().await;
    let maria = world.create_person("maria").await;
    world.block_by_passwords(&maria).await;
    let link = world.reset_link(&maria.email, &maria.email).await;
    for _ in 0..5 {
        world.advance(60).await;
        world.block_by_passwords(&maria).await;
    }
    user_blocked(&world.sign_in(&maria, &maria.password).await);
    password_set(&world.reset_password(&link, NEW).await, "maria");
    world.shows_no_pin(&maria).await;
    era_refused(&world.reset_password(&link, "another-horse").await, 404, NO_REQUEST);

    // An administrator's block voids such a link like any other, and a link requested during it does not unblock.
    world.advance(3600).await;
    world.block_by_passwords(&maria).await;
    let link = world.reset_link(&maria.email, &maria.email).await;
    world.run_command(json!({ "command": "block_user", "user_id": maria.id })).await;
    era_refused(&world.reset_password(&link, "another-horse").await, 404, NO_REQUEST);
    world.advance(3600).await;
    let link = world.reset_link(&maria.email, &maria.email).await;
    password_set(&world.reset_password(&link, "another-horse").await, "maria");
    user_blocked(&world.sign_in(&maria, "another-horse").await);
}

#[tokio::test]
async fn a_pin_created_concurrently_with_a_block_is_never_shown() {
    let world = world().await;
    let maria = world.create_person("maria").await;
    let mut made = 0;
    for _ in 0..12 {
        let token = world.log_in(&maria).await;
        for _ in 0..3 {
            world.sign_in(&maria, "wrong").await.ok(401);
        }
        let create = async {
            let mut made = 0;
            while world.post(OWN_PIN).private_token(&token).send().await.status == 201 {
                made += 1;
                assert!(made < 1_000, "the token has not ended");
            }
            made
        };
        let (_, now_made) = tokio::join!(world.sign_in(&maria, "wrong"), create);
        made += now_made;
        world.shows_no_pin(&maria).await;
        world.advance(60).await;
        world.shows_no_pin(&maria).await;
        world.advance(4000).await;
    }
    assert!(made > 0, "some PINs were made in time");
}

#[tokio::test]
async fn a_reset_and_a_concurrent_block_have_one_outcome() {
    let world = world().await;
    let mut lost = 0;
    for round in 0..12 {
        let person = world.create_person(&format!("person{round}")).await;
        let link = world.reset_link(&person.email, &person.email).await;
        for _ in 0..3 {
            world.sign_in(&person, "wrong").await.ok(401);
        }
        let reset = async {
            // Both hash a password: vary which one is first.
            for _ in 0..round % 4 {
                world.get("/openapi.json").send().await;
            }
            world.reset_password(&link, NEW).await
        };
        let (_, reset) = tokio::join!(world.sign_in(&person, "wrong"), reset);
        let (passwords, _) = world.failure_counts(&person).await;
        match reset.status {
            // The wrong password was counted after the reset, as the first failure.
            200 => assert_eq!(passwords, "1", "a link that a block had voided removed the block"),
            _ => {
                era_refused(&reset, 404, NO_REQUEST);
                user_blocked(&world.sign_in(&person, &person.password).await);
                lost += 1;
            }
        }
    }
    println!("{lost} of 12 links were void");
}
