//! Concurrent logins (security.md R11, R12, R14, R21): a code is single-use, and each guess is counted before it is
//! compared.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    era::password_set,
    login::{api_grant, other_than, password_grant, token_in},
    mithril::{refused, token_expired, too_many_sends, user_blocked, wrong_code, wrong_identity},
    password::NEW,
    people::Person,
    requests::Response,
    words::WRONG_IDENTITY,
    world::World,
};

/// The successful responses; asserts that all others are refused with `refused`.
#[track_caller]
fn winners(answers: &[Response], refused: fn(&Response)) -> Vec<&Response> {
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|got| got.status == 201);
    lost.into_iter().for_each(refused);
    won
}

#[tokio::test]
async fn one_of_parallel_logins_with_a_code_succeeds() {
    let world = World::new().await;
    let mut open = Vec::new();
    for round in 0..6 {
        let person = world.create_person_with(&format!("someone{round}"), &format!("+38088123456{round}")).await;
        let (token, code) = world.begin_api_login(&person).await;
        let answers = join_all((0..64).map(|_| world.submit_code(&token, &code))).await;
        let won = winners(&answers, token_expired);
        assert_eq!((won.len(), world.count_access_tokens(&person).await), (1, 1), "round {round}");
        open.push(token_in(won[0]));
        assert_eq!(world.failure_counts(&person).await, ("0".into(), "0".into()), "who was slower has not guessed");
    }
    for token in open {
        assert!(world.token_works(&token).await);
    }
}

#[tokio::test]
async fn three_of_parallel_wrong_codes_are_compared_and_the_fourth_blocks() {
    let world = World::new().await;
    for round in 0..4 {
        let person = world.create_person_with(&format!("someone{round}"), &format!("+38088123456{round}")).await;
        let (token, code) = world.begin_login(&person).await;
        let mut guesses = vec![code.clone()];
        while guesses.len() <= 64 {
            guesses.push(other_than(&guesses[guesses.len() - 1]));
        }
        let answers = join_all(guesses[1..].iter().map(|guess| world.submit_code(&token, guess))).await;
        let (failed, blocked): (Vec<_>, Vec<_>) =
            answers.iter().partition(|got| got.json()["error"]["type"] == "otp_invalid");
        assert_eq!((failed.len(), blocked.len()), (4, 60), "round {round}");
        failed.into_iter().for_each(wrong_code);
        blocked.into_iter().for_each(user_blocked);
        let row = world.code_row(&person).await;
        assert_eq!((row["attempts"]["N"].as_str(), row["status"]["S"].as_str()), (Some("3"), Some("UNVERIFIED")));
        assert_eq!(world.failure_counts(&person).await, ("0".into(), "4".into()));
        user_blocked(&world.submit_code(&token, &code).await);
        assert_eq!(world.count_access_tokens(&person).await, 0);
    }
}

#[tokio::test]
async fn the_correct_code_succeeds_among_wrong_ones_while_attempts_remain() {
    let world = World::new().await;
    for round in 0..8 {
        let person = world.create_person_with(&format!("someone{round}"), &format!("+38088123456{round}")).await;
        let (token, code) = world.begin_login(&person).await;
        let wrong = [other_than(&code), other_than(&other_than(&code))];
        let mut guesses = vec![&code; 6];
        guesses.splice(0..0, wrong.iter());
        guesses.rotate_left(round % 3);
        let answers = join_all(guesses.iter().map(|guess| world.submit_code(&token, guess))).await;
        let won = winners(&answers, |got| match got.json()["error"]["type"].as_str() {
            Some("otp_invalid") => wrong_code(got),
            _ => token_expired(got),
        });
        assert_eq!((won.len(), world.count_access_tokens(&person).await), (1, 1), "round {round}");
        assert_eq!(world.failure_counts(&person).await, ("0".into(), "0".into()));
    }
}

#[tokio::test]
async fn exactly_four_of_parallel_wrong_passwords_count() {
    let world = World::with(&[("FailedLoginsPerSourcePerHour", "300")]).await;
    for round in 0..2 {
        let person = world.create_person(&format!("someone{round}")).await;
        let answers = join_all((0..64).map(|_| world.sign_in(&person, "wrong"))).await;
        let (wrong, blocked): (Vec<_>, Vec<_>) =
            answers.iter().partition(|got| got.json()["error"]["type"] == "access_denied");
        assert_eq!((wrong.len(), blocked.len()), (4, 60), "round {round}");
        wrong.into_iter().for_each(wrong_identity);
        blocked.into_iter().for_each(user_blocked);
        assert_eq!(world.failure_counts(&person).await, ("4".into(), "0".into()));
        assert_eq!(world.mails_to(&person.email).await.len(), 1, "one of them has blocked");
        user_blocked(&world.sign_in(&person, &person.password).await);
    }
}

#[tokio::test]
async fn no_parallel_failure_is_lost() {
    let world = World::with(&[("UserLoginErrorMax", "50")]).await;
    let person = world.create_person("maria").await;
    let answers = join_all((0..48).map(|_| world.sign_in(&person, "wrong"))).await;
    answers.iter().for_each(wrong_identity);
    assert_eq!(world.failure_counts(&person).await, ("48".into(), "0".into()));
}

#[tokio::test]
async fn a_token_is_renewed_once() {
    let world = World::new().await;
    for round in 0..4 {
        let phone = format!("+38088123456{round}");
        let person = world.create_person_with(&format!("someone{round}"), &phone).await;
        let (token, _) = world.begin_login(&person).await;
        let answers = join_all((0..64).map(|_| world.refresh_login(&token))).await;
        let won = winners(&answers, |got| match got.status {
            // All of them try to send, and the country has a limit.
            429 => {
                too_many_sends(got, 70);
            }
            _ => token_expired(got),
        });
        assert_eq!((won.len(), world.sms_to(&phone).await.len()), (1, 2), "round {round}");
        token_in(&world.submit_code(&token_in(won[0]), &world.code_to(&phone).await).await);
        world.advance(70).await;
    }
}

#[tokio::test]
async fn one_of_parallel_logins_stays_with_one_valid_code() {
    let world = World::with(&[
        ("OtpSendCounterMax", "10"),
        ("OtpMaxAttempts", "10"),
        ("UserOtpErrorMax", "50"),
    ])
    .await;
    for round in 0..2 {
        let phone = format!("+38088123456{round}");
        let person = world.create_person_with(&format!("someone{round}"), &phone).await;
        let answers = join_all((0..12).map(|_| world.sign_in(&person, &person.password))).await;
        let won = winners(&answers, |got| {
            too_many_sends(got, 3600);
        });
        let texts = world.sms_to(&phone).await;
        assert_eq!((won.len(), texts.len()), (10, 10), "as many as may be sent, round {round}");
        let codes = texts.iter().map(|text| text.rsplit_once('#').expect("an origin-bound line").1);
        let codes: Vec<_> = codes.collect();
        let mut good = Vec::new();
        for token in won.into_iter().map(token_in) {
            let first = world.submit_code(&token, codes[0]).await;
            if first.json()["error"]["type"] == "token_expired" {
                continue;
            }
            let mut opened = usize::from(first.status == 201);
            for code in &codes[1..] {
                opened += usize::from(world.submit_code(&token, code).await.status == 201);
            }
            good.push(opened);
        }
        assert_eq!(good, [1], "round {round}");
        assert_eq!(world.count_access_tokens(&person).await, 1);
    }
}

#[tokio::test]
async fn one_of_parallel_logins_without_a_second_factor_stays() {
    let world = World::new().await;
    let admin = world.demo_admin();
    for _ in 0..2 {
        let answers = join_all((0..8).map(|_| world.request_token(api_grant(&admin)))).await;
        let mut open = 0;
        for got in &answers {
            open += usize::from(world.token_works(&token_in(got)).await);
        }
        assert_eq!(open, 1);
    }
}

#[tokio::test]
async fn one_of_a_code_and_a_concurrent_renewal_succeeds() {
    let world = World::new().await;
    for round in 0..8 {
        let person = world.create_person_with(&format!("someone{round}"), &format!("+38088123456{round}")).await;
        let (token, code) = world.begin_login(&person).await;
        let (by_code, renewed) = tokio::join!(world.submit_code(&token, &code), world.refresh_login(&token));
        let won = winners(&[by_code, renewed], token_expired).len();
        assert_eq!(won, 1, "round {round}");
    }
}

#[tokio::test]
async fn a_login_and_a_concurrent_password_reset_are_serialized() {
    let world = World::new().await;
    let person = world.create_person("maria").await;
    let old = [person.password.clone(), NEW.to_owned()];
    for round in 0..6 {
        let (old, new) = (&old[round % 2], &old[1 - round % 2]);
        let link = world.reset_link("maria", &person.email).await;
        let login = Person {
            password: old.clone(),
            ..person.clone()
        };
        let (got, reset) = tokio::join!(world.request_token(api_grant(&login)), world.reset_password(&link, new));
        password_set(&reset, "maria");
        match got.status {
            201 => assert!(!world.token_works(&token_in(&got)).await, "the new password has ended it, round {round}"),
            _ => wrong_identity(&got),
        }
        wrong_identity(&world.request_token(api_grant(&login)).await);
        world.advance(86_400).await;
    }
}

#[tokio::test]
async fn a_login_and_a_concurrent_block_are_serialized() {
    let world = World::new().await;
    let admin = world.demo_admin();
    let mut first = Vec::new();
    for _ in 0..6 {
        let block = world.run_command(json!({ "command": "block_user", "user_id": admin.id }));
        let (got, _) = tokio::join!(world.request_token(api_grant(&admin)), block);
        match got.status {
            201 => assert!(!world.token_works(&token_in(&got)).await, "the block has ended it"),
            _ => user_blocked(&got),
        }
        first.push(got.status);
        let unblocked: Value = world.run_command(json!({ "command": "unblock_user", "user_id": admin.id })).await;
        assert!(unblocked["error"].is_null(), "{unblocked}");
        if got.status == 201 {
            assert!(!world.token_works(&token_in(&got)).await, "for good");
        }
    }
    let got = world.request_token(password_grant(&admin.email, "wrong")).await;
    refused(&got, 401, "access_denied", WRONG_IDENTITY);
}
