//! What a password change revokes, and what it does not (docs/security.md R38, R39; docs/contract.md, Registration and
//! password reset).

use aws_sdk_dynamodb::types::AttributeValue as A;
use serde_json::json;

use crate::support::{
    era::{era_refused, password_set},
    password::{NEW, OLD},
    support_pin::OWN_PIN,
    words::{ACCOUNT_BLOCKED, ERA_UNAUTHORIZED, NO_PIN, NO_PIN_TO_REVOKE, NO_REQUEST, REVOKED},
    world::World,
};

const STATUS: &str = "/passcode/status?client_id=heatclinic&passcode_id=01FM98Y1WCT0KT0AT56TMJ1973";

/// Every credential that a signed-in user can have.
struct Held {
    id: String,
    login: &'static str,
    /// For a user's own routes.
    tokens: Vec<String>,
    /// For a client's routes.
    passcodes: String,
    pin: String,
    links: [String; 2],
}

async fn collect(world: &World, login: &'static str) -> Held {
    let (token, id) = world.new_user(login).await;
    let second = json!({ "user_id": id, "client_id": "second", "scopes": ["api", "read_user"] });
    let reading = json!({ "user_id": id, "scopes": ["read_user"] });
    let passcodes = json!({ "user_id": id, "scopes": ["passcode"] });
    let tokens = vec![
        token,
        world.create_token(second).await,
        world.create_token(reading).await,
    ];
    let pin = world.post(OWN_PIN).private_token(&tokens[0]).send().await.ok(201);
    let email = format!("{login}@example.org");
    let first = world.reset_link(login, &email).await;
    world.advance(121).await;
    let held = Held {
        login,
        passcodes: world.create_token(passcodes).await,
        pin: pin["pin"].as_str().expect("a PIN").to_owned(),
        links: [first, world.reset_link(&email, &email).await],
        tokens,
        id,
    };
    held.lives(world).await;
    held
}

impl Held {
    fn of(&self) -> String {
        format!("/api/v4/users/{}/support_pin", self.id)
    }

    async fn lives(&self, world: &World) {
        for token in &self.tokens {
            let pin = world.get(OWN_PIN).private_token(token).send().await.ok(200);
            assert_eq!(pin["pin"], self.pin);
        }
        assert_eq!(world.get(&self.of()).private_token(world.admin()).send().await.ok(200)["pin"], self.pin);
        world.get(STATUS).bearer(&self.passcodes).send().await.ok(404);
    }

    async fn is_over(&self, world: &World) {
        for token in &self.tokens {
            world.get(OWN_PIN).private_token(token).send().await.is(401, REVOKED);
            world.post(OWN_PIN).private_token(token).send().await.is(401, REVOKED);
            era_refused(&world.change_password(token, NEW, OLD).await, 401, ERA_UNAUTHORIZED);
        }
        assert_eq!(world.get(STATUS).bearer(&self.passcodes).send().await.status, 401);
        world.get(&self.of()).private_token(world.admin()).send().await.is(404, NO_PIN);
        let revoke = format!("{}/revoke", self.of());
        world.post(&revoke).private_token(world.admin()).send().await.is(404, NO_PIN_TO_REVOKE);
        let fresh = world.create_token(json!({ "user_id": self.id, "scopes": ["api"] })).await;
        world.get(OWN_PIN).private_token(&fresh).send().await.is(404, NO_PIN);
        for row in world.rows("SupportPinsTable").await {
            assert_ne!(row["user_id"]["S"], self.id, "R10: the ciphertext went with the password");
        }
        for link in &self.links {
            era_refused(&world.reset_password(link, "another-horse").await, 404, NO_REQUEST);
        }
        // Credentials issued afterwards work.
        world.post(OWN_PIN).private_token(&fresh).send().await.ok(201);
    }
}

#[tokio::test]
async fn a_new_password_revokes_everything_that_was_issued() {
    let world = World::new().await;
    let client = json!({ "command": "create_client", "client_id": "second", "scopes": "all" });
    assert_eq!(world.run_command(client).await["client_id"], "second");
    let other = collect(&world, "other").await;
    let newer = collect(&world, "newer").await;
    let older = collect(&world, "older").await;
    let changes = collect(&world, "changes").await;
    password_set(&world.reset_password(&newer.links[1], NEW).await, newer.login);
    newer.is_over(&world).await;
    password_set(&world.reset_password(&older.links[0], NEW).await, older.login);
    older.is_over(&world).await;
    password_set(&world.change_password(&changes.tokens[1], OLD, NEW).await, changes.login);
    changes.is_over(&world).await;
    // Other users are not affected.
    other.lives(&world).await;
    world.get(OWN_PIN).private_token(world.user()).send().await.is(404, NO_PIN);
    password_set(&world.reset_password(&other.links[0], NEW).await, other.login);
}

#[tokio::test]
async fn revoking_the_tokens_of_a_user_revokes_reset_links() {
    let world = World::new().await;
    let (_, id) = world.new_user("maria").await;
    let link = world.reset_link("maria", "maria@example.org").await;
    world.run_command(json!({ "command": "end_tokens", "user_id": id })).await;
    era_refused(&world.reset_password(&link, NEW).await, 404, NO_REQUEST);
}

#[tokio::test]
async fn a_pin_created_with_an_old_token_is_unreadable_after_the_change() {
    let world = World::new().await;
    let (_, id) = world.new_user("maria").await;
    let of = format!("/api/v4/users/{id}/support_pin");
    let mut made = 0;
    for round in 0..32 {
        let token = world.create_token(json!({ "user_id": id, "scopes": ["api"] })).await;
        let link = match round % 4 {
            0 => Some(world.reset_link("maria", "maria@example.org").await),
            _ => None,
        };
        let change = async {
            match &link {
                Some(link) => world.reset_password(link, OLD).await,
                None => world.change_password(&token, OLD, OLD).await,
            }
        };
        let create = async {
            let mut made = 0;
            while world.post(OWN_PIN).private_token(&token).send().await.status == 201 {
                made += 1;
                assert!(made < 1_000, "the token has not ended");
            }
            made
        };
        let (changed, now_made) = tokio::join!(change, create);
        password_set(&changed, "maria");
        made += now_made;
        world.get(&of).private_token(world.admin()).send().await.is(404, NO_PIN);
        // Advances far enough that neither a day's mails nor an hour's guesses run out.
        world.advance(4000).await;
        world.request("DELETE", "/_local/messages").send_unchecked().await;
        if round % 4 == 3 {
            world.advance(20_000).await;
        }
    }
    assert!(made > 0, "some PINs were made in time");
}

#[tokio::test]
async fn a_reset_removes_a_block_by_failures_but_not_an_administrators_block() {
    let world = World::new().await;
    let (token, id) = world.new_user("maria").await;
    let email = "maria@example.org";
    let number = |value: &str| A::N(value.into());
    let failures = [
        ("passwords", number("4")),
        ("otps", number("2")),
        ("why", A::S("passwords".into())),
        ("at", number("1")),
    ];
    let failures = failures.map(|(name, value)| (name.to_owned(), value));
    let update = world.dynamodb().update_item().table_name("countersign-UsersTable");
    let update = update.key("user_id", A::S(id.clone())).update_expression("SET lockout = :lockout");
    let update = update.expression_attribute_values(":lockout", A::M(failures.into()));
    update.send().await.expect("written");
    era_refused(&world.change_password(&token, OLD, NEW).await, 403, ACCOUNT_BLOCKED);
    let link = world.reset_link("maria", email).await;
    password_set(&world.reset_password(&link, NEW).await, "maria");
    let nothing = json!({ "M": { "passwords": { "N": "0" }, "otps": { "N": "0" } } });
    assert_eq!(world.user_row(&id).await["lockout"], nothing);
    assert!(world.password_works(&id, NEW).await);

    world.advance(121).await;
    world.run_command(json!({ "command": "block_user", "user_id": id })).await;
    let link = world.reset_link("maria", email).await;
    password_set(&world.reset_password(&link, OLD).await, "maria");
    assert_eq!(world.user_row(&id).await["lockout"]["M"]["why"]["S"], "decision");
    let token = json!({
        "command": "create_token", "client_id": "heatclinic", "user_id": id, "scopes": ["api"], "lifetime_seconds": 60,
    });
    let refused = world.run_command(token).await;
    assert_eq!(refused, json!({ "error": "the user is blocked" }));
    world.run_command(json!({ "command": "unblock_user", "user_id": id })).await;
    assert!(world.password_works(&id, OLD).await, "the password was set all the same");
}
