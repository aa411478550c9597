//! Routes: the OpenAPI document and the tests follow them.

use std::collections::BTreeSet;

use countersign_xtask::{
    source::{compare, mentions, read, root, verdict},
    template::Template,
};
use serde_json::{Value, json};

use super::super::routes::{PUBLIC, TESTED, UNAUTHENTICATED};

#[test]
fn every_route_has_a_limit() {
    let template = Template::read();
    let api = &template.0["Resources"]["Api"]["Properties"];
    let all = json!({
        "ThrottlingRateLimit": { "!Ref": "RequestsPerSecond" },
        "ThrottlingBurstLimit": { "!Ref": "RequestsBurst" },
    });
    assert_eq!(
        api["DefaultRouteSettings"], all,
        "routes have no limit of their own: write it as DefaultRouteSettings"
    );
}

#[test]
fn cors_is_for_the_listed_origins_and_without_credentials() {
    let template = Template::read();
    let [(_, api)] = template.resources("AWS::Serverless::HttpApi")[..] else {
        panic!("there is one API");
    };
    let document = &api["Properties"]["DefinitionBody"];
    let mut broken = Vec::new();
    let cors = &document["x-amazon-apigateway-cors"]["!If"][1];
    let known = [
        ("allowOrigins", json!({ "!Split": [",", { "!Ref": "CorsOrigins" }] })),
        ("allowMethods", methods(&template)),
        (
            "allowHeaders",
            json!(["authorization", "content-type", "idempotency-key", "private-token"]),
        ),
        (
            "exposeHeaders",
            json!(["apigw-requestid", "location", "retry-after", "www-authenticate"]),
        ),
        ("maxAge", json!(600)),
    ];
    // Never credentials: a browser would then send cookies along, and nothing here wants one.
    let wanted = Value::Object(
        known
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect(),
    );
    if *cors != wanted {
        broken.push(format!("the API's CORS is {cors}: make it {wanted}"));
    }
    verdict(broken);
}

/// The methods of all routes. Browsers ask about none of `HEAD`.
fn methods(template: &Template) -> Value {
    let methods: BTreeSet<_> = template
        .routes()
        .iter()
        .filter_map(|route| Some(route.key.split_once(' ')?.0.to_owned()))
        .collect();
    json!(methods)
}

#[test]
fn every_route_has_tests() {
    let template = Template::read();
    let routes: Vec<_> = template.routes().into_iter().map(|route| route.key).collect();
    let tested: Vec<_> = TESTED.iter().map(|(route, _)| (*route).to_owned()).collect();
    let refused = UNAUTHENTICATED.iter().map(|(route, _)| *route);
    let guarded: Vec<_> = refused.chain(PUBLIC.iter().copied()).map(str::to_owned).collect();
    let mut broken = Vec::new();
    compare(
        &mut broken,
        &routes,
        &tested,
        |route| format!("{route} has no test: write one in tests/, and name it in TESTED of tests/routes.rs"),
        |route| format!("TESTED of tests/routes.rs names {route}, which template.yaml does not have: remove it"),
    );
    compare(
        &mut broken,
        &routes,
        &guarded,
        |route| {
            format!(
                "nothing tests {route} without a token: write a test, and name it in UNAUTHENTICATED of \
                 tests/routes.rs; PUBLIC is for what anyone may ask"
            )
        },
        |route| format!("tests/routes.rs names {route}, which template.yaml does not have: remove it"),
    );
    for (route, test) in TESTED.iter().chain(UNAUTHENTICATED) {
        let (module, name) = test.rsplit_once("::").unwrap_or(("main", test));
        let path = format!("tests/{}.rs", module.replace("::", "/"));
        let found = root().join(&path).is_file() && has_test(&read(&path).whole().items, name);
        if !found {
            broken.push(format!(
                "{path} has no test {name}, which tests/routes.rs names for {route}: write it, or name another"
            ));
        }
    }
    verdict(broken);
}

fn has_test(items: &[syn::Item], name: &str) -> bool {
    items.iter().any(|item| match item {
        syn::Item::Fn(function) => {
            let is_test = |attribute: &syn::Attribute| {
                attribute
                    .path()
                    .segments
                    .last()
                    .is_some_and(|segment| segment.ident == "test")
            };
            function.sig.ident == name && function.attrs.iter().any(is_test)
        }
        _ => false,
    })
}

#[test]
fn handlers_leave_words_to_their_dialect() {
    let template = Template::read();
    let mut broken = Vec::new();
    for route in template.routes() {
        let path = format!("functions/{}/handler.rs", route.function);
        let source = read(&path);
        if source.text.contains("json!(")
            || mentions(&source.production(), &[])
                .iter()
                .any(|path| path.starts_with("serde_json"))
        {
            broken.push(format!(
                "{path} writes JSON of its own: the keys and sentences that callers see stand in shared/src/http/"
            ));
        }
    }
    verdict(broken);
}
