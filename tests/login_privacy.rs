//! A login does not allow user enumeration (security.md R27, R71).

use serde_json::{Value, json};

use crate::support::{
    login::password_grant,
    messages::suppress,
    mithril::{user_blocked, wrong_identity},
    requests::{Response, shown},
    words::ALLOWED_SCOPES,
    world::World,
};

/// A target of enumeration: a mail address, and a password that is wrong there.
struct LoginRequest {
    email: String,
    password: &'static str,
}

fn login_request(email: &str, password: &'static str) -> LoginRequest {
    let email = email.to_owned();
    LoginRequest { email, password }
}

/// Repeated wrong passwords for each of them: all get the same answer at every count, for the same calls. Returns the
/// calls of each attempt.
async fn same_for_all(world: &World, all: &[LoginRequest], attempts: usize, said: &[fn(&Response)]) -> Vec<Vec<Value>> {
    let mut costs = Vec::new();
    for n in 0..attempts {
        let mut expected = None;
        for LoginRequest { email, password } in all {
            world.invocations().await;
            let got = world.request_token(password_grant(email, password)).await;
            said[n.min(said.len() - 1)](&got);
            let found = (shown(&got), world.login_calls().await);
            let expected = expected.get_or_insert_with(|| found.clone());
            assert_eq!(found, *expected, "{email}, attempt {n}");
        }
        costs.push(expected.expect("there are some").1);
    }
    costs
}

#[tokio::test]
async fn a_lockout_does_not_reveal_whether_an_account_exists() {
    for seconds in ["0", "3600"] {
        let world = World::with(&[("BlockSeconds", seconds), ("FailedLoginsPerSourcePerHour", "300")]).await;
        let (known, silent) = (world.create_person("maria").await, world.create_person("olga").await);
        suppress(&world, &silent.email).await;
        world.new_user_in("other.example", "other", false).await;
        let all = [
            login_request(&known.email, "wrong"),
            login_request(&silent.email, "wrong"),
            login_request("nobody@example.org", "wrong"),
            // Another domain's user, with the right password.
            login_request("other@example.org", "correct-horse"),
            login_request("no address", "wrong"),
            login_request(&format!("{}@example.org", "x".repeat(300)), "wrong"),
            login_request("a@b@c", "wrong"),
            login_request("another@example.org", "a"),
        ];
        let four_and_blocked: [fn(&Response); 5] = [
            wrong_identity,
            wrong_identity,
            wrong_identity,
            wrong_identity,
            user_blocked,
        ];
        let costs = same_for_all(&world, &all, 6, &four_and_blocked).await;
        let lengths: Vec<_> = costs.iter().map(Vec::len).collect();
        assert_eq!(
            lengths, [5; 6],
            "client, address, user, count with its audit event, count of the source: {costs:?}"
        );
        assert_eq!(costs[0], costs[5], "counted or not");
        let mails = world.messages().await;
        assert_eq!((mails.len(), &mails[0]["to"]), (1, &json!(known.email)), "no other recipient");
        // The right password makes no difference, and neither does the letter case.
        user_blocked(&world.sign_in(&known, &known.password).await);
        user_blocked(&world.request_token(password_grant("NOBODY@Example.org", "wrong")).await);
        world.advance(3000).await;
        same_for_all(&world, &all, 1, &[user_blocked]).await;
        world.advance(600).await;
        match seconds {
            "0" => {
                same_for_all(&world, &all, 1, &[user_blocked]).await;
            }
            _ => {
                // A user is notified of one block per day.
                let again = same_for_all(&world, &all, 5, &four_and_blocked).await;
                assert_eq!(again, vec![costs[0].clone(); 5]);
                world.advance(86_400).await;
                let again = same_for_all(&world, &all, 5, &four_and_blocked).await;
                assert_eq!(again, costs[..5]);
            }
        }
        let mails = world.messages().await;
        let users = [&known, &silent].map(|person| json!(person.email));
        assert!(mails.iter().all(|mail| users.contains(&mail["to"])), "{mails:?}");
        // Attempts for unknown users do not fill the audit log.
        let users = [&known.id, &silent.id].map(|id| json!(format!("user:{id}")));
        let events = world.audit_rows().await;
        // A refusal by a block changes nothing, and a second block within a day is no news.
        let (wrong, locked) = if seconds == "0" { (3, 1) } else { (10, 2) };
        for user in &users {
            let count = |what: &str| {
                let own = events.iter().filter(|row| row["subject"]["S"] == *user);
                own.filter(|row| row["what"]["S"] == what).count()
            };
            let counts = (count("wrong_identity"), count("user_locked"));
            assert_eq!(counts, (wrong, locked), "{seconds} s, {user}: {events:?}");
        }
        assert_eq!(events.len(), 2 * (wrong + locked), "no other events: {events:?}");
    }
}

#[tokio::test]
async fn failures_of_an_address_do_not_count_for_an_account_created_later() {
    let world = World::new().await;
    for _ in 0..4 {
        wrong_identity(&world.request_token(password_grant("maria@example.org", "wrong")).await);
    }
    let maria = world.create_person("maria").await;
    assert_eq!(world.sign_in(&maria, &maria.password).await.status, 201);
    wrong_identity(&world.sign_in(&maria, "wrong").await);
    assert_eq!(world.failure_counts(&maria).await, ("1".into(), "0".into()));
    // The failures of both are deleted with the user.
    world.run_command(json!({ "command": "erase_user", "user_id": maria.id })).await;
    wrong_identity(&world.sign_in(&maria, &maria.password).await);
}

#[tokio::test]
async fn parallel_wrong_passwords_are_answered_equally_for_known_and_unknown_users() {
    let world = World::with(&[("FailedLoginsPerSourcePerHour", "300")]).await;
    let maria = world.create_person("maria").await;
    for email in ["nobody@example.org", "no address", maria.email.as_str()] {
        let tries = (0..32).map(|_| world.request_token(password_grant(email, "wrong")));
        let got = futures_util::future::join_all(tries).await;
        let (wrong, blocked): (Vec<_>, Vec<_>) =
            got.iter().partition(|got| got.json()["error"]["type"] == "access_denied");
        assert_eq!((wrong.len(), blocked.len()), (4, 28), "{email}");
        wrong.into_iter().for_each(wrong_identity);
        blocked.into_iter().for_each(user_blocked);
    }
    assert_eq!(world.messages().await.len(), 1);
}

#[tokio::test]
async fn a_correct_password_with_a_forbidden_scope_resets_no_failures() {
    let world = World::with(&[("FailedLoginsPerSourcePerHour", "8")]).await;
    let maria = world.create_person("maria").await;
    for _ in 0..3 {
        wrong_identity(&world.sign_in(&maria, "wrong").await);
    }
    let mut scope = password_grant(&maria.email, &maria.password);
    scope["scope"] = "passcode".into();
    let source = async || {
        let rows = world.rows("BudgetsTable").await;
        let acts = rows.iter().filter_map(|row| row["acts"]["L"].as_array());
        acts.map(Vec::len).max().unwrap_or_default()
    };
    for n in 1..=2 {
        let got = world.request_token(scope.clone()).await;
        assert_eq!(got.status, 401, "{got:?}");
        let message = got.json()["error"]["message"].as_str().expect("words").to_owned();
        assert!(message.starts_with(ALLOWED_SCOPES), "{message}");
        assert_eq!(world.failure_counts(&maria).await, ("3".into(), "0".into()));
        assert_eq!(source().await, 3 + n);
    }
    wrong_identity(&world.sign_in(&maria, "wrong").await);
    user_blocked(&world.request_token(scope.clone()).await);
    for status in [401, 429] {
        assert_eq!(world.request_token(scope.clone()).await.status, status);
    }
}
