//! The authenticator app and QR codes: `/_local/authenticator` and `/_local/qr`.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Folder, Local, read, send};

const URI: &str = "otpauth://totp/Demo:maria%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Demo";

/// The entries of the app.
async fn entries(local: &Local) -> Vec<Value> {
    serde_json::from_value(local.json("/_local/authenticator").await).expect("a list")
}

fn seconds_left(entry: &Value) -> u64 {
    entry["seconds_left"].as_u64().expect("a number")
}

#[tokio::test]
async fn the_authenticator_follows_the_clock() {
    let local = Local::start().await;
    assert_eq!(entries(&local).await, [] as [Value; 0]);
    let scanned = local.posted("/_local/authenticator", &json!({ "uri": URI })).await;
    let entry = &scanned[0];
    let code = entry["code"].as_str().expect("a code");
    assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    assert!((1..=30).contains(&seconds_left(entry)), "{entry}");
    let expected = json!([{
        "id": entry["id"], "issuer": "Demo", "account": "maria@example.org", "code": code,
        "seconds_left": entry["seconds_left"],
    }]);
    assert_eq!(scanned, expected);
    // One more code than the same by chance.
    let mut codes = vec![code.to_owned()];
    for _ in 0..3 {
        let left = seconds_left(&entries(&local).await[0]);
        local.posted("/_local/clock", &json!({ "advance_seconds": left })).await;
        codes.push(entries(&local).await[0]["code"].as_str().expect("a code").to_owned());
    }
    codes.dedup();
    assert!(codes.len() > 2, "{codes:?}");
    let one = format!("/_local/authenticator/{}", entry["id"].as_str().expect("an id"));
    assert_eq!(send(local.delete(&one)).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(send(local.delete(&one)).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(entries(&local).await, [] as [Value; 0]);
    for body in [
        json!({}),
        json!({ "uri": "https://example.org" }),
        json!({ "uri": URI, "more": 1 }),
    ] {
        let response = send(local.post("/_local/authenticator", &body)).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body}");
        assert!(read(response).await["error"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn the_authenticator_persists_across_a_restart_with_a_data_directory() {
    let folder = Folder::new();
    let options = folder.options();
    let local = Local::start_with(options.clone()).await;
    let scanned = local.posted("/_local/authenticator", &json!({ "uri": URI })).await;
    local.cloud.stop().await;
    let local = Local::start_with(options.clone()).await;
    let kept = entries(&local).await;
    assert_eq!((kept.len(), &kept[0]["id"]), (1, &scanned[0]["id"]));
    let one = format!("/_local/authenticator/{}", kept[0]["id"].as_str().expect("an id"));
    send(local.delete(&one)).await;
    local.cloud.stop().await;
    let local = Local::start_with(options).await;
    assert_eq!(entries(&local).await, [] as [Value; 0], "what it forgot stays forgotten");
    local.cloud.stop().await;
}

#[tokio::test]
async fn a_text_is_drawn_as_a_qr_code() {
    let local = Local::start().await;
    let response = send(local.post("/_local/qr", &json!({ "text": URI }))).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "image/svg+xml");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let svg = response.text().await.expect("a body");
    assert!(svg.contains("<svg") && !svg.contains("GEZDGNBV"), "{svg}");
    let response = send(local.post("/_local/qr", &json!({ "text": "~".repeat(3000) }))).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}
