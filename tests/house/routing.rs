//! Routes: the OpenAPI document matches them.

use std::collections::BTreeSet;

use countersign_xtask::{
    source::{mentions, read, verdict},
    template::Template,
};
use serde_json::{Value, json};

#[test]
fn every_route_has_a_rate_limit() {
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
fn cors_is_limited_to_the_listed_origins_without_credentials() {
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
        ("allowHeaders", json!(["authorization", "content-type", "idempotency-key", "private-token"])),
        ("exposeHeaders", json!(["apigw-requestid", "location", "retry-after", "www-authenticate"])),
        ("maxAge", json!(600)),
    ];
    // Never credentials: a browser would then send cookies, which no route needs.
    let wanted = Value::Object(known.map(|(name, value)| (name.to_owned(), value)).into_iter().collect());
    if *cors != wanted {
        broken.push(format!("the API's CORS is {cors}: make it {wanted}"));
    }
    verdict(broken);
}

/// The methods of all routes. CORS needs no preflight for `HEAD`.
fn methods(template: &Template) -> Value {
    let methods: BTreeSet<_> =
        template.routes().iter().filter_map(|route| Some(route.key.split_once(' ')?.0.to_owned())).collect();
    json!(methods)
}

#[test]
fn handlers_leave_messages_to_their_dialect() {
    let template = Template::read();
    let mut broken = Vec::new();
    for route in template.routes() {
        let path = format!("functions/{}/handler.rs", route.function);
        let source = read(&path);
        if source.text.contains("json!(")
            || mentions(&source.production(), &[]).iter().any(|path| path.starts_with("serde_json"))
        {
            broken.push(format!(
                "{path} writes JSON of its own: the keys and messages that callers see belong in shared/src/http/"
            ));
        }
    }
    verdict(broken);
}
