//! A setting out of range prevents the start (security.md R04, R59): no function serves with a guess.

use std::process::Command;

use serde_json::json;

use crate::support::world::{World, binaries, root};

async fn refuses(parameter: &str, value: &str, variable: &str, path: &str) {
    let world = World::with(&[(parameter, value)]).await;
    let got = world.get(path).bearer(world.admin()).send_unchecked().await;
    assert!(got.status >= 500, "{parameter}={value}: {got:?}");
    let lines = world.cloud().logs();
    let said = lines.iter().any(|line| line.contains("refused_to_start") && line.contains(variable));
    assert!(said, "{parameter}={value}: {lines:#?}");
}

#[tokio::test]
async fn lifetimes_and_formats_out_of_range_prevent_the_start() {
    let passcodes = "/passcode/retrieve?purpose=p&username=u&client_id=heatclinic";
    for (parameter, value, variable) in [
        ("PasscodeLifetime", "86401", "PASSCODE_LIFETIME"),
        ("PasscodeLifetime", "ten minutes", "PASSCODE_LIFETIME"),
        ("PasscodeLength", "3", "PASSCODE_LENGTH"),
        ("PasscodeAlphabet", "aab", "PASSCODE_ALPHABET"),
        ("PasscodePurposes", "{", "PASSCODE_PURPOSES"),
        ("PasscodeGuessesPerDay", "0", "PASSCODE_GUESSES_PER_DAY"),
    ] {
        refuses(parameter, value, variable, passcodes).await;
    }
}

#[tokio::test]
async fn the_administrator_claim_and_its_value_are_required_together() {
    let provider = [("JwtIssuer", "local"), ("JwtAudience", "a")];
    for (parameter, variable) in [
        ("JwtAdminClaim", "JWT_ADMIN_VALUE"),
        ("JwtAdminValue", "JWT_ADMIN_CLAIM"),
    ] {
        let world = World::with(&[provider[0], provider[1], (parameter, "x")]).await;
        let issued = world.post("/_local/issuer/token").json(&json!({ "aud": "a" })).send_local().await;
        let token = issued["access_token"].as_str().expect("a token");
        let got = world.get("/api/v4/user/support_pin").bearer(token).send_unchecked().await;
        assert!(got.status >= 500, "{parameter}: {got:?}");
        let lines = world.cloud().logs();
        let said = lines.iter().any(|line| line.contains("refused_to_start") && line.contains(variable));
        assert!(said, "{parameter}: {lines:#?}");
    }
}

/// All missing settings are reported at once: fixing them one by one costs a deployment each.
#[tokio::test]
async fn all_missing_names_of_secrets_and_tables_are_reported_at_once() {
    let world = World::new().await;
    let template = std::fs::read_to_string(root().join("template.yaml")).expect("template.yaml");
    let functions: Vec<_> = template.lines().filter_map(|line| line.trim().strip_prefix("Binary: ")).collect();
    assert!(functions.contains(&"operator"), "{functions:?}");
    let mut broken = Vec::new();
    for function in functions {
        let environment = world.post(&format!("/_local/functions/{function}/environment")).send_local().await;
        let names: Vec<_> = environment
            .as_object()
            .expect("variables")
            .keys()
            .filter(|name| name.ends_with("_SECRET") || name.ends_with("_TABLE"))
            .collect();
        let output = Command::new(binaries().join(function)).env_clear().output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        let unsaid: Vec<_> = names.into_iter().filter(|name| !said.contains(name.as_str())).collect();
        if !unsaid.is_empty() {
            broken.push(format!("{function} does not name {unsaid:?}: {said}"));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test]
async fn an_invalid_setting_affects_only_functions_that_read_it() {
    let world = World::with(&[("PasscodeLifetime", "86401")]).await;
    world.post("/api/v4/user/support_pin").private_token(world.user()).send().await.ok(201);
}
