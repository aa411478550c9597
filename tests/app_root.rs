//! The page behind mailed links: docs/contract.md, Registration and password reset. Its behaviour in a browser is
//! tested by `tests/browser/app_root.py`.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{
    era::CHECK_MAIL,
    login::password_grant,
    mithril::refused,
    requests::Response,
    words::{ERA_TOO_LARGE_BODY, WRONG_IDENTITY},
    world::{World, root},
};

/// The inner texts of a page's elements of that name.
fn inside<'a>(page: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    page.split(start).skip(1).map(|rest| rest.split_once(end).expect("an element ends").0).collect()
}

fn hashes(texts: &[&str]) -> String {
    texts.iter().map(|text| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(text)))).collect()
}

async fn page(world: &World, accept_language: &str) -> Response {
    let got = world.get("/app-root").header("accept-language", accept_language).send_unchecked().await;
    assert_eq!(got.status, 200, "{got:?}");
    got
}

#[tokio::test]
async fn the_page_has_every_header_and_a_policy_for_its_own_bytes() {
    let world = World::new().await;
    let got = world.get("/app-root").send_unchecked().await;
    let (styles, scripts) = (inside(&got.body, "<style>", "</style>"), inside(&got.body, "<script>", "</script>"));
    assert_eq!((styles.len(), scripts.len()), (1, 1), "one style and one script");
    let policy = format!(
        "default-src 'none'; style-src{}; script-src{}; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        hashes(&styles),
        hashes(&scripts),
    );
    let mut headers: BTreeMap<_, _> =
        got.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII"))).collect();
    // Headers added by the gateway.
    for name in ["apigw-requestid", "content-length", "date", "connection"] {
        headers.remove(name);
    }
    let expected = BTreeMap::from([
        ("cache-control", "no-store"),
        ("content-language", "en"),
        ("content-security-policy", &policy),
        ("content-type", "text/html; charset=utf-8"),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", "max-age=63072000; includeSubDomains"),
        ("vary", "Accept-Language"),
        ("x-content-type-options", "nosniff"),
    ]);
    assert_eq!((got.status, headers), (200, expected));
}

#[tokio::test]
async fn the_page_loads_no_external_resources() {
    let world = World::new().await;
    let body = world.get("/app-root").send_unchecked().await.body;
    let (markup, _) = body.split_once("<script").expect("the scripts come last");
    for word in [
        "src=", "<link", "<img", "<iframe", "url(", "@import", "http:", "https:", " style=",
    ] {
        assert!(!markup.contains(word), "{word} in the page");
    }
    assert!(body.contains(r#"<meta name="robots" content="noindex">"#));
    assert!(!body.contains("{{") && !body.contains("}}"), "a mark was not filled");
}

#[tokio::test]
async fn the_page_is_in_the_callers_language() {
    let world = World::new().await;
    for (accepted, language) in [
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("uk", "uk"),
        ("de,uk;q=0.2,en;q=0.1", "uk"),
        ("de", "en"),
        ("en-GB,ru;q=0.9", "en"),
    ] {
        let got = page(&world, accepted).await;
        let words = words(language);
        assert_eq!(got.header("content-language"), Some(language), "{accepted}");
        for part in [
            format!("<html lang=\"{language}\">"),
            format!("<title>{}</title>", words["title"]),
            format!("<noscript><p class=\"notice\">{}</p></noscript>", words["noscript"]),
        ] {
            assert!(got.body.contains(&part), "{accepted}: no {part}");
        }
    }
}

fn words(language: &str) -> BTreeMap<String, String> {
    let path = root().join(format!("functions/app-root/words/{language}.json"));
    let text = std::fs::read_to_string(path).expect("a file of words");
    serde_json::from_str(&text).expect("texts by name")
}

#[tokio::test]
async fn every_language_is_complete() {
    let world = World::new().await;
    let body = page(&world, "en").await.body;
    let all = inside(&body, r#"<script type="application/json" id="words">"#, "</script>");
    let all: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_str(all[0]).expect("the words are JSON");
    assert_eq!(all.keys().collect::<Vec<_>>(), ["en", "ru", "uk"]);
    let english = &all["en"];
    for (language, given) in &all {
        assert_eq!(*given, words(language), "the page's words are the file's");
        let (theirs, ours): (Vec<_>, Vec<_>) = (given.keys().collect(), english.keys().collect());
        assert_eq!(theirs, ours, "{language} has the words of English");
        for (name, text) in given {
            let marks = |text: &str| ["{wait}", "{limit}"].map(|mark| text.contains(mark));
            assert_eq!(marks(text), marks(&english[name]), "{language}: {name}");
            assert!(!text.trim().is_empty() && text.trim() == text, "{language}: {name}");
        }
    }
}

#[tokio::test]
async fn a_hostile_header_changes_nothing() {
    let world = World::new().await;
    let plain = page(&world, "en").await.body;
    let long = "ru;q=0.1,".repeat(800);
    for hostile in [
        "\"><script>alert(1)</script>",
        "{{words}}",
        "ru\"onload=x",
        "../../etc/passwd",
        "ru;q=1e99",
        "uk;q=NaN",
        ";;;;,,,,q=1",
        "",
        "\u{e9}",
    ] {
        assert_eq!(page(&world, hostile).await.body, plain, "{hostile}");
    }
    assert_eq!(page(&world, &long).await.header("content-language"), Some("ru"));
    // Other headers and the query do not select a language either.
    let got = world
        .get("/app-root?lang=ru&uuid=%3Cscript%3E&%zz")
        .header("x-forwarded-host", "evil.example")
        .header("referer", "https://evil.example/<script>")
        .header("cookie", "language=ru")
        .send_unchecked()
        .await;
    assert_eq!((got.status, got.body == plain), (200, true));
}

#[tokio::test]
async fn other_methods_are_refused() {
    let world = World::new().await;
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
        let got = world.request(method, "/app-root").send().await;
        assert_eq!(got.header("allow"), Some("GET, HEAD"), "{method}");
        got.is(405, r#"{"error_code":1405,"error_message":"method not allowed"}"#);
    }
    world.get("/app-root/").send().await.ok(404);
    let long = world.get("/app-root").body("text/plain", "x".repeat(16_385)).send().await;
    long.is(413, ERA_TOO_LARGE_BODY);
}

const ID: &str = "19738eb3-0183-b148-9420-7cd30a921f58";

#[tokio::test]
async fn a_link_with_an_escaped_hash_sign_redirects_to_the_page() {
    let world = World::new().await;
    for (path, view) in [
        (format!("/app-root%23/self_register/{ID}"), "self_register"),
        (format!("/app-root%2523/pwd_reset/{ID}"), "pwd_reset"),
        (format!("/app-root%23%2Fpwd_reset%2F{ID}"), "pwd_reset"),
        (format!("/app-root%23/pwd_reset/{ID}%3E%0D%0Ax:%20y"), "pwd_reset"),
        (format!("/app-root%23/pwd_reset/{ID}?utm_source=evil.example&x=%0d%0a"), "pwd_reset"),
    ] {
        for method in ["GET", "HEAD"] {
            let ask = world.request(method, &path).header("host", "evil.example");
            let got = ask.header("x-forwarded-host", "evil.example").send_unchecked().await;
            let mut headers: BTreeMap<_, _> =
                got.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII"))).collect();
            for name in ["apigw-requestid", "content-length", "date", "connection"] {
                headers.remove(name);
            }
            let location = format!("{}/app-root#/{view}/{ID}", world.url());
            let expected = BTreeMap::from([
                ("cache-control", "no-store"),
                ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
                ("content-type", "text/html; charset=utf-8"),
                ("location", &location),
                ("referrer-policy", "no-referrer"),
                ("strict-transport-security", "max-age=63072000; includeSubDomains"),
                ("x-content-type-options", "nosniff"),
            ]);
            assert_eq!((got.status, got.body.as_str(), headers), (302, "", expected), "{method} {path}");
        }
    }
    let lines = world.cloud().logs();
    let shown = lines.iter().find(|line| line.contains(ID));
    assert_eq!(shown, None, "the credential of a link is in no log");
}

#[tokio::test]
async fn nothing_else_is_redirected() {
    let world = World::new().await;
    for path in [
        "/app-root%23".into(),
        "/app-root%23/".into(),
        "/app-root%23//evil.example".into(),
        format!("/app-root%23//evil.example/self_register/{ID}"),
        format!("/app-root%23/https:%2F%2Fevil.example/{ID}"),
        format!("/app-root%23/other/{ID}"),
        format!("/app-root%23/pwd_reset/{ID}0"),
        format!("/app-root%23/pwd_reset/{}", &ID[1..]),
        format!("/app-root/pwd_reset/{ID}"),
    ] {
        let got = world.get(&path).send_unchecked().await;
        assert_eq!((got.status, got.header("location")), (404, None), "{path}: {got:?}");
    }
    let path = format!("/app-root%23/pwd_reset/{ID}");
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let got = world.request(method, &path).send_unchecked().await;
        assert_eq!((got.status, got.header("location")), (404, None), "{method}: {got:?}");
    }
}

#[tokio::test]
async fn without_a_login_page_no_link_is_shown() {
    let world = World::new().await;
    let body = world.get("/app-root").send_unchecked().await.body;
    let (markup, _) = body.split_once("<script").expect("the scripts come last");
    assert!(!markup.contains("<a ") && !markup.contains("href="), "{markup}");
    for (words, count) in [("close_done", 1), ("close", 2), ("to_login", 0)] {
        let mark = format!("data-words=\"{words}\"");
        assert_eq!(markup.matches(&mark).count(), count, "{words}");
    }
}

#[tokio::test]
async fn the_login_page_is_the_configured_url() {
    let world = World::with(&[("LoginUrl", "https://id.example/login?a=1&b='2'")]).await;
    let body = world.get("/app-root").send_unchecked().await.body;
    let link = r#"href="https://id.example/login?a=1&amp;b=&#39;2&#39;""#;
    assert_eq!(body.matches(link).count(), 3, "after success, and where a link does not work");
    for evil in [
        "javascript:alert(1)",
        "//evil.example",
        "http://id.example/",
        "/\\evil.example",
    ] {
        let world = World::with(&[("LoginUrl", evil)]).await;
        let got = world.get("/app-root").send_unchecked().await;
        assert!(got.status >= 500, "{evil}: {got:?}");
        let lines = world.cloud().logs();
        let said = lines.iter().any(|line| line.contains("refused_to_start") && line.contains("LOGIN_URL"));
        assert!(said, "{evil}: {lines:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_works_in_a_browser() {
    let world = World::with(&[("LoginUrl", "/login")]).await;
    world.in_a_browser("app_root.py", &["--login-url", "/login"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_without_a_login_page_works_in_a_browser() {
    let world = World::new().await;
    let checks = [
        "success_names_the_login_and_links_to_where_it_is_used",
        "a_used_link_says_how_to_get_another",
        "a_link_that_is_not_complete_is_explained",
    ];
    world.in_a_browser("app_root.py", &checks).await;
}

/// The link in the newest mail to an address.
async fn mailed_link(world: &World, view: &str, to: &str) -> String {
    let link = format!("{}/app-root#/{view}/{}", world.url(), world.link_to(to).await);
    let mail = world.mails_to(to).await.pop().expect("it was just read");
    for part in ["text", "html"] {
        assert!(mail[part].as_str().is_some_and(|text| text.contains(&link)), "{link}: {mail}");
    }
    link
}

/// Runs one check of the script, with the server's own answers; `false` without a browser.
async fn choose_password(world: &World, link: &str, password: &str) -> bool {
    world.keep_out_of_logs(password);
    let check = "the_link_of_a_mail_sets_the_password";
    world.in_a_browser("app_root.py", &["--link", link, "--password", password, check]).await
}

/// Whether a user can log in with a password.
async fn works(world: &World, email: &str, password: &str) -> bool {
    let got = world.request_token(password_grant(email, password)).await;
    if got.status != 201 {
        refused(&got, 401, "access_denied", WRONG_IDENTITY);
        return false;
    }
    let answer = got.json();
    assert_eq!(
        (&answer["data"]["name"], &answer["urgent"]),
        (&json!("access_token"), &json!({ "next_step": "REQUEST_APPS" }))
    );
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_registers_logs_in_and_resets_the_password_in_a_browser() {
    let world = World::new().await;
    let (login, email) = ("journey.person", "journey@example.org");
    world.register(login, email).send().await.is(200, CHECK_MAIL);
    let link = mailed_link(&world, "self_register", email).await;
    if !choose_password(&world, &link, "Quiet-river.73~stone").await {
        return;
    }
    assert!(!works(&world, email, "Quiet-river.73~stonE").await);
    assert!(works(&world, email, "Quiet-river.73~stone").await);

    world.advance(121).await;
    world.request_reset(login).send().await.is(200, CHECK_MAIL);
    let link = mailed_link(&world, "pwd_reset", email).await;
    assert!(choose_password(&world, &link, "Third.lantern_51~fox").await);
    assert!(!works(&world, email, "Quiet-river.73~stone").await);
    assert!(works(&world, email, "Third.lantern_51~fox").await);
}
