//! The operator's own identity provider in place of our tokens: for support PINs and passcodes only.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{
    passcode::spring_refused,
    requests::{Request, Response},
    support_pin::OWN_PIN,
    words::{BAD_REQUEST, FORBIDDEN, NO_PIN, NO_PIN_TO_REVOKE, UNAUTHORIZED},
    world::World,
};

const RETRIEVE: &str = "/passcode/retrieve?purpose=p&username=u&client_id=shop";
const AUDIENCE: &str = "countersign";

async fn world() -> World {
    let parameters = [
        ("JwtIssuer", "local"),
        ("JwtAudience", "other,countersign"),
        ("JwtAdminClaim", "groups"),
        ("JwtAdminValue", "support"),
    ];
    World::with(&parameters).await
}

/// A token of the provider for this API, with these additional claims.
async fn token(world: &World, claims: Value) -> String {
    let mut all = json!({ "aud": AUDIENCE });
    for (name, claim) in claims.as_object().expect("claims") {
        all[name] = claim.clone();
    }
    let answer = world.post("/_local/issuer/token").json(&all).send_local().await;
    let token = answer["access_token"].as_str().expect("a token").to_owned();
    world.keep_out_of_logs(&token);
    token
}

fn of(name: &str) -> String {
    format!("/api/v4/users/{name}/support_pin")
}

/// Every route that accepts the provider's tokens.
fn routes(world: &World) -> Vec<(&'static str, Request<'_>)> {
    let (pin, revocation) = (of("anna"), format!("{}/revoke", of("anna")));
    let form = |path, fields: &[(&str, &str)]| world.post(path).query(&[("client_id", "shop")]).form(fields);
    vec![
        ("create", world.post(OWN_PIN)),
        ("show", world.get(OWN_PIN)),
        ("show a user's", world.get(&pin)),
        ("revoke", world.post(&revocation)),
        ("retrieve", world.get(RETRIEVE)),
        ("status", world.get("/passcode/status?client_id=shop&passcode_id=01M8054G76WG7HNEKWFH3CPCXP")),
        ("consume", form("/passcode/consume", &[("passcode", "x"), ("purpose", "p"), ("username", "u")])),
        ("invalidate", form("/passcode/invalidate", &[("passcode_id", "01M8054G76WG7HNEKWFH3CPCXP")])),
    ]
}

#[tokio::test]
async fn users_of_the_provider_have_support_pins() {
    let world = world().await;
    let anna = token(&world, json!({ "sub": "auth0|anna", "scope": "openid api" })).await;
    let staff = token(&world, json!({ "sub": "bob", "scope": "api", "groups": ["sales", "support"] })).await;
    let (named, revocation) = (of("auth0%7Canna"), format!("{}/revoke", of("auth0%7Canna")));

    world.get(OWN_PIN).bearer(&anna).send().await.is(404, NO_PIN);
    let made = world.post(OWN_PIN).bearer(&anna).send().await;
    made.ok(201);
    world.get(OWN_PIN).bearer(&anna).send().await.is(200, &made.body);
    world.get(&named).bearer(&staff).send().await.is(200, &made.body);
    world.get(OWN_PIN).bearer(&staff).send().await.is(404, NO_PIN);
    world.get(&of("anna")).bearer(&staff).send().await.is(404, NO_PIN);
    for path in [&named, &of("bob"), &of("nobody")] {
        world.get(path).bearer(&anna).send().await.is(403, FORBIDDEN);
    }
    world.post(&revocation).bearer(&anna).send().await.is(403, FORBIDDEN);

    let rows = world.rows("SupportPinsTable").await;
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    let id = row["user_id"].to_string();
    assert!(id.contains("-8") && !id.contains("anna"), "{row}");

    world.post(&revocation).bearer(&staff).send().await.is(202, "{}");
    world.get(OWN_PIN).bearer(&anna).send().await.is(404, NO_PIN);
    let again = world.post(&revocation).bearer(&staff).send().await;
    again.is(404, NO_PIN_TO_REVOKE);
}

#[tokio::test]
async fn a_subject_that_is_an_id_is_kept_unless_it_could_be_another_users() {
    let world = world().await;
    let admin = token(&world, json!({ "sub": "bob", "scope": "api", "groups": "support" })).await;
    let made = async |name: &str| {
        let own = token(&world, json!({ "sub": name, "scope": "api" })).await;
        let made = world.post(OWN_PIN).bearer(&own).send().await;
        made.ok(201);
        world.get(&of(name)).bearer(&admin).send().await.is(200, &made.body);
        let ids: Vec<_> = world.rows("SupportPinsTable").await;
        ids.iter().map(|row| row["user_id"].to_string()).collect::<Vec<_>>()
    };
    let id = "5ad61494-b10b-4f7f-90e4-6d2792e4c2e6";
    let ids = made(id).await;
    assert!(ids[0].contains(id), "{ids:?}");
    assert_eq!(made(&id.to_uppercase()).await, ids, "a subject's UUID is one in any letter case");
    let ids = made("anna").await;
    let of_anna = ids.iter().find(|found| !found.contains(id)).expect("another row");
    // A subject equal to the UUID that anna is mapped to is another user.
    let at = of_anna.find("-8").expect("version 8") - 13;
    let ids = made(&of_anna[at..at + 36]).await;
    assert_eq!(ids.len(), 3, "{ids:?}");
}

#[tokio::test]
async fn a_member_of_a_list_is_compared_as_a_whole() {
    let world = world().await;
    let status = async |claims: Value| {
        let token = token(&world, claims).await;
        world.get(&of("nobody")).bearer(&token).send().await.status
    };
    let groups = async |groups: Value| status(json!({ "sub": "bob", "scope": "api", "groups": groups })).await;
    for (given, is_admin) in [
        (json!("support"), true),
        (json!(["support"]), true),
        (json!(["sales", "support"]), true),
        (json!(["not support"]), false),
        (json!(["support not"]), false),
        (json!([" support"]), false),
        (json!(["sales support", "support sales"]), false),
        (json!([["support"]]), false),
        (json!({ "support": true }), false),
        (json!("[support]"), false),
        (json!("[sales support]"), false),
        (json!("sales support"), false),
    ] {
        let expected = if is_admin { 404 } else { 403 };
        assert_eq!(groups(given.clone()).await, expected, "{given}");
    }
    for (scope, status_of_own) in [
        (json!(["openid", "read_api"]), 404),
        (json!("openid read_api"), 404),
        (json!(["openid read_api"]), 403),
        (json!("[openid read_api]"), 403),
        (json!("[read_api]"), 403),
    ] {
        let token = token(&world, json!({ "sub": "anna", "scope": scope })).await;
        let got = world.get(OWN_PIN).bearer(&token).send().await;
        assert_eq!(got.status, status_of_own, "{scope}");
    }
    for sub in [json!(["anna"]), json!({ "name": "anna" }), json!("")] {
        let claims = json!({ "sub": sub, "scope": "api", "groups": "support" });
        assert_eq!(status(claims).await, 401, "{sub}");
    }
    let shop = token(&world, json!({ "client_id": ["shop"], "scope": "passcode" })).await;
    assert_eq!(world.get(RETRIEVE).bearer(&shop).send().await.status, 401);
    // Two tokens are refused, whichever of them the gateway verified.
    let anna = token(&world, json!({ "sub": "anna", "scope": "api" })).await;
    let bob = token(&world, json!({ "sub": "bob", "scope": "api", "groups": "support" })).await;
    let forged = Parts::of(&bob).with(1, "sub", json!("boss"));
    for (first, second) in [(&anna, &bob), (&anna, &forged), (&forged, &anna)] {
        let got = world.get(&of("nobody")).bearer(first).bearer(second).send_unchecked().await;
        assert_eq!(got.status, 401);
    }
}

#[tokio::test]
async fn passcodes_belong_to_the_client_in_the_claims() {
    let world = world().await;
    let shop = token(&world, json!({ "client_id": "shop", "scope": "passcode" })).await;
    let rival = token(&world, json!({ "client_id": "rival", "scope": "passcode" })).await;
    let ask = |path: &str, client: &str, token: &str| {
        world.request("GET", path).query(&[("client_id", client)]).bearer(token).send()
    };
    let retrieve = "/passcode/retrieve?purpose=p&username=u";
    spring_refused(&ask(retrieve, "shop", &rival).await, 403, "Forbidden", "/passcode/retrieve");
    let issued = ask(retrieve, "shop", &shop).await.ok(200);
    let (id, passcode) = (text(&issued, "id"), text(&issued, "token"));
    let status = format!("/passcode/status?passcode_id={id}");
    spring_refused(&ask(&status, "rival", &rival).await, 404, "Not Found", "/passcode/status");
    let valid = |valid| format!(r#"{{"id":"{id}","valid":{valid}}}"#);
    ask(&status, "shop", &shop).await.is(200, &valid(true));

    let fields = [("passcode", passcode), ("purpose", "p"), ("username", "u")];
    let consume = |client, token| {
        let ask = world.post("/passcode/consume").query(&[("client_id", client)]).bearer(token);
        ask.form(&fields).send()
    };
    spring_refused(&consume("rival", &rival).await, 400, BAD_REQUEST, "/passcode/consume");
    consume("shop", &shop).await.is(200, &format!(r#"{{"id":"{id}"}}"#));
    spring_refused(&consume("shop", &shop).await, 400, BAD_REQUEST, "/passcode/consume");
    let invalidate = world.post("/passcode/invalidate?client_id=shop").bearer(&shop);
    invalidate.form(&[("passcode_id", id)]).send().await.is(200, &valid(false));
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// The parts of a token, to forge others from it.
struct Parts(Vec<String>);

impl Parts {
    fn of(token: &str) -> Self {
        Self(token.split('.').map(str::to_owned).collect())
    }

    /// The same with one field of a JSON part changed.
    fn with(&self, part: usize, name: &str, value: Value) -> String {
        let decoded = URL_SAFE_NO_PAD.decode(&self.0[part]).expect("base64url");
        let mut object: Value = serde_json::from_slice(&decoded).expect("JSON");
        object[name] = value;
        let mut parts = self.0.clone();
        parts[part] = URL_SAFE_NO_PAD.encode(object.to_string());
        parts.join(".")
    }
}

#[tokio::test]
async fn a_token_not_signed_by_the_provider_for_us_reaches_no_function() {
    let (world, stranger) = (world().await, world().await);
    let now = world.now().await;
    let claims = json!({ "sub": "anna", "client_id": "shop", "scope": "api passcode" });
    let good = token(&world, claims.clone()).await;
    let with = async |name: &str, claim: Value| {
        let mut claims = claims.clone();
        claims[name] = claim;
        token(&world, claims).await
    };
    let issuer = format!("{}/_local/issuer", world.url());
    let mut signed_by_another = claims.clone();
    signed_by_another["iss"] = issuer.clone().into();
    let (good_parts, keys) = (Parts::of(&good), world.get("/_local/issuer/jwks.json").send_local().await);
    let modulus = URL_SAFE_NO_PAD.decode(text(&keys["keys"][0], "n")).expect("base64url");
    let unsigned = Parts::of(&good_parts.with(0, "alg", json!("none"))).0;
    let hs256 = |secret: &[u8]| {
        let parts = Parts::of(&good_parts.with(0, "alg", json!("HS256"))).0;
        let signed = format!("{}.{}", parts[0], parts[1]);
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
        mac.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    };
    let bad = [
        ("another user", good_parts.with(1, "sub", json!("bob"))),
        ("another scope", good_parts.with(1, "scope", json!("api"))),
        ("another key", token(&stranger, signed_by_another).await),
        ("another issuer", with("iss", json!("https://idp.example.com")).await),
        ("an issuer with a slash", with("iss", json!(format!("{issuer}/"))).await),
        ("another audience", with("aud", json!("somebody")).await),
        ("no audience", with("aud", Value::Null).await),
        ("expired", with("exp", json!(now)).await),
        ("without an end", with("exp", Value::Null).await),
        ("not valid yet", with("nbf", json!(now + 600)).await),
        ("issued in the future", with("iat", json!(now + 600)).await),
        ("alg none", format!("{}.{}.", unsigned[0], unsigned[1])),
        ("alg none, signed", unsigned.join(".")),
        ("HS256 under the modulus", hs256(&modulus)),
        ("HS256 under the published key", hs256(keys["keys"][0].to_string().as_bytes())),
        ("an unknown key", good_parts.with(0, "kid", json!("other"))),
        ("no signature", format!("{}.{}.", good_parts.0[0], good_parts.0[1])),
        ("two parts", format!("{}.{}", good_parts.0[0], good_parts.0[1])),
        ("our own", world.admin().to_owned()),
        ("our own of a client", world.id("/passcode_token").to_owned()),
        ("none", String::new()),
    ];
    world.invocations().await;
    for (what, token) in &bad {
        for path in [OWN_PIN, RETRIEVE] {
            unauthorized(what, &world.get(path).bearer(token).send_unchecked().await);
        }
    }
    for (what, ask) in routes(&world) {
        unauthorized(what, &ask.send_unchecked().await);
    }
    for (what, ask) in routes(&world) {
        unauthorized(what, &ask.bearer(&bad[0].1).send_unchecked().await);
    }
    // GitLab's other header and the query are not accepted.
    unauthorized("a header", &world.get(OWN_PIN).private_token(&good).send_unchecked().await);
    unauthorized("a header", &world.get(OWN_PIN).private_token(world.admin()).send_unchecked().await);
    unauthorized("the query", &world.get(&format!("{OWN_PIN}?access_token={good}")).send_unchecked().await);
    assert_eq!(world.invocations().await, Vec::<Value>::new());
    for (what, ask) in routes(&world) {
        let got = ask.bearer(&good).send().await;
        assert_ne!(got.status, 401, "{what}: {got:?}");
    }
}

#[track_caller]
fn unauthorized(what: &str, got: &Response) {
    assert_eq!((got.status, got.body.as_str()), (401, r#"{"message":"Unauthorized"}"#), "{what}");
    let challenge = got.header("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with("Bearer"), "{what}: {challenge:?}");
}

#[tokio::test]
async fn insufficient_claims_are_refused_in_the_dialect() {
    let world = world().await;
    let small = r#"{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api"}"#;
    let unknown = UNAUTHORIZED;
    for (claims, status, body) in [
        (json!({ "scope": "api" }), 401, unknown),
        (json!({ "sub": "", "scope": "api" }), 401, unknown),
        (json!({ "sub": "anna" }), 403, small),
        (json!({ "sub": "anna", "scope": "openid read_api passcode" }), 403, small),
        (json!({ "sub": "anna", "scope": "apis" }), 403, small),
        (json!({ "sub": "anna", "scp": "api" }), 403, small),
    ] {
        let token = token(&world, claims).await;
        world.post(OWN_PIN).bearer(&token).send().await.is(status, body);
    }
    for (claims, status, error) in [
        (json!({ "scope": "passcode" }), 401, "Unauthorized"),
        (json!({ "client_id": "a b", "scope": "passcode" }), 401, "Unauthorized"),
        (json!({ "client_id": "shop" }), 403, "Forbidden"),
        (json!({ "client_id": "shop", "scope": "api" }), 403, "Forbidden"),
        (json!({ "client_id": "shops", "scope": "passcode" }), 403, "Forbidden"),
        (json!({ "azp": "shop", "scope": "passcode" }), 401, "Unauthorized"),
    ] {
        let token = token(&world, claims).await;
        let got = world.get(RETRIEVE).bearer(&token).send().await;
        spring_refused(&got, status, error, "/passcode/retrieve");
    }
    // A token in the query is refused even beside a valid one: it would be logged.
    let anna = token(&world, json!({ "sub": "anna", "scope": "api" })).await;
    let asked = world.get(&format!("{OWN_PIN}?private_token=x")).bearer(&anna);
    asked.send().await.is(401, unknown);
}

#[tokio::test]
async fn claim_names_are_configurable() {
    let world = World::with(&[
        ("JwtIssuer", "local"),
        ("JwtAudience", AUDIENCE),
        ("JwtUserClaim", "email"),
        ("JwtClientClaim", "azp"),
        ("JwtScopeClaim", "scp"),
        ("JwtScopePrefix", "countersign/"),
        ("JwtAdminClaim", "is_support"),
        ("JwtAdminValue", "true"),
    ])
    .await;
    let anna = token(&world, json!({ "email": "anna@example.com", "scp": ["openid", "countersign/api"] })).await;
    let bob = json!({ "email": "bob@example.com", "scp": ["countersign/api"], "is_support": true });
    let bob = token(&world, bob).await;
    let made = world.post(OWN_PIN).bearer(&anna).send().await;
    made.ok(201);
    let named = of("anna%40example.com");
    world.get(&named).bearer(&bob).send().await.is(200, &made.body);
    world.get(&named).bearer(&anna).send().await.is(403, FORBIDDEN);
    let bare = token(&world, json!({ "email": "anna@example.com", "scp": ["api"], "scope": "api" })).await;
    assert_eq!(world.get(OWN_PIN).bearer(&bare).send().await.status, 403);
    let shop = token(&world, json!({ "azp": "shop", "scp": "countersign/passcode" })).await;
    world.get(RETRIEVE).bearer(&shop).send().await.ok(200);
}

#[tokio::test]
async fn requests_of_provider_users_read_no_tokens_or_users() {
    let world = world().await;
    let anna = token(&world, json!({ "sub": "anna", "scope": "api", "groups": ["support"] })).await;
    let shop = token(&world, json!({ "client_id": "shop", "scope": "passcode" })).await;
    world.invocations().await;
    world.post(OWN_PIN).bearer(&anna).send().await.ok(201);
    world.get(OWN_PIN).bearer(&anna).send().await.ok(200);
    world.get(&of("anna")).bearer(&anna).send().await.ok(200);
    world.get(RETRIEVE).bearer(&shop).send().await.ok(200);
    let invocations = world.invocations().await;
    assert_eq!(invocations.len(), 4);
    for invocation in &invocations {
        let calls = invocation["calls"].as_array().expect("calls");
        let reads = calls.iter().filter(|call| call["operation"] == "BatchGetItem");
        assert_eq!(reads.count(), 0, "{invocation}");
    }
    let events = world.rows("AuditTable").await;
    let event = events.iter().find(|event| event.to_string().contains("pin_read"));
    assert!(event.is_some_and(|event| event.to_string().contains("user:")), "{events:?}");
}

#[tokio::test]
async fn the_other_families_accept_only_our_own_tokens() {
    let world = world().await;
    let claims = json!({ "sub": world.id("/user/user_id"), "client_id": "heatclinic", "scope": "api authentication_factor:read" });
    let provided = token(&world, claims).await;
    let factors = format!("/mithril/api/users/{}/authentication_factors", world.id("/user/user_id"));
    world.get(&factors).bearer(world.admin()).send().await.ok(200);
    assert_eq!(world.get(&factors).bearer(&provided).send().await.status, 401);
    let change = json!({ "current_pwd": "x", "new_pwd": "correct-horse" });
    let ask = world.post("/rest/v1/iam/pwd_reset_requests").bearer(&provided).json(&change);
    assert_eq!(ask.send().await.status, 401);
    let ask = world.post("/rest/v1/iam/pwd_reset_requests").bearer(world.user()).json(&change);
    assert_ne!(ask.send().await.status, 401);
}

#[tokio::test]
async fn a_signed_token_is_unauthorized_without_a_provider() {
    let world = World::new().await;
    let anna = token(&world, json!({ "sub": world.id("/user/user_id"), "scope": "api" })).await;
    let unknown = UNAUTHORIZED;
    world.get(OWN_PIN).bearer(&anna).send().await.is(401, unknown);
    let shop = token(&world, json!({ "client_id": "shop", "scope": "passcode" })).await;
    let got = world.get(RETRIEVE).bearer(&shop).send().await;
    spring_refused(&got, 401, "Unauthorized", "/passcode/retrieve");
}
