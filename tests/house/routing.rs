//! Routes: the OpenAPI document follows them.

use std::collections::BTreeSet;

use countersign_xtask::{
    source::{compare, inside, mentions, named, read, verdict},
    template::Template,
};
use serde_json::{Value, json};
use syn::visit::{self, Visit};

/// What no route takes: nothing that an OpenAPI document could describe.
const FALLBACK: &str = "$default";

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
fn openapi_describes_the_routes() {
    const PATH: &str = "functions/openapi/document.rs";
    let document = read(PATH).production();
    let mut arms = Arms::default();
    for item in &document.items {
        if let syn::Item::Fn(function) = item
            && function.sig.ident == "operation"
        {
            arms.visit_item_fn(function);
        }
    }
    let template = Template::read();
    let functions: Vec<_> = template
        .routes()
        .iter()
        .filter(|route| route.key != FALLBACK)
        .map(|route| route.function.to_owned())
        .collect();
    let mut broken = Vec::new();
    compare(
        &mut broken,
        &arms.names,
        &functions,
        |name| format!("`operation` in {PATH} describes {name}, which has no route: remove the arm"),
        |name| format!("`operation` in {PATH} does not describe {name}: add an arm for it"),
    );
    let mut schemas = Schemas::default();
    schemas.visit_file(&document);
    for name in schemas.referred {
        if !schemas.listed.contains(&name) {
            broken.push(format!(
                "{PATH} refers to {name}, which `schemas` does not list: add named::<{name}>(), or closed::<{name}>() for a request's object"
            ));
        }
    }
    verdict(broken);
}

/// The texts that arms of a `match` stand for.
#[derive(Default)]
struct Arms {
    names: Vec<String>,
}

impl<'a> Visit<'a> for Arms {
    fn visit_arm(&mut self, arm: &'a syn::Arm) {
        collect(&arm.pat, &mut self.names);
        visit::visit_arm(self, arm);
    }
}

fn collect(pattern: &syn::Pat, names: &mut Vec<String>) {
    match pattern {
        syn::Pat::Or(patterns) => patterns.cases.iter().for_each(|case| collect(case, names)),
        syn::Pat::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) => names.push(text.value()),
        _ => {}
    }
}

/// The types that the document refers to by name, and those that it lists.
#[derive(Default)]
struct Schemas {
    referred: Vec<String>,
    listed: Vec<String>,
}

impl<'a> Visit<'a> for Schemas {
    fn visit_path_segment(&mut self, segment: &'a syn::PathSegment) {
        let to = match segment.ident.to_string().as_str() {
            "json" | "form" | "reference" => Some(&mut self.referred),
            "named" | "closed" => Some(&mut self.listed),
            _ => None,
        };
        if let (Some(to), syn::PathArguments::AngleBracketed(arguments)) = (to, &segment.arguments) {
            for argument in &arguments.args {
                if let syn::GenericArgument::Type(ty) = argument
                    && let Some((name, _)) = named(ty)
                    && name != "T"
                {
                    to.push(name);
                }
            }
        }
        visit::visit_path_segment(self, segment);
    }

    fn visit_macro(&mut self, call: &'a syn::Macro) {
        inside(call).iter().for_each(|expression| self.visit_expr(expression));
    }
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
