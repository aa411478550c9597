//! A route is written once, in template.yaml: comments, the README, the OpenAPI document and the tests follow.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use syn::visit::{self, Visit};

use super::{
    super::routes::{PUBLIC, TESTED, UNAUTHENTICATED},
    source::{compare, field_types, inside, mentions, read, root, verdict},
    template::{Template, entries},
};

/// What no route takes: nothing that an OpenAPI document could describe.
const FALLBACK: &str = "$default";

#[test]
fn the_first_line_of_main_names_the_route() {
    let template = Template::read();
    let routes = template.routes();
    let mut broken = Vec::new();
    for function in template.functions() {
        let path = format!("functions/{}/main.rs", function.name);
        let text = read(&path).text;
        let said = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("//! "))
            .unwrap_or_default();
        let own: Vec<_> = routes.iter().filter(|route| route.function == function.name).collect();
        match own.as_slice() {
            [route] if said != route.key => broken.push(format!(
                "{path} begins with {said:?}, template.yaml routes {:?} to it: make the first line `//! {}`",
                route.key, route.key
            )),
            [_] => {}
            [] if function.events().is_empty() && !said.starts_with("Invoked by hand") => broken.push(format!(
                "{path} begins with {said:?}, and nothing in template.yaml invokes it: give it an event, or make the \
                 first line `//! Invoked by hand…`"
            )),
            [] if said.is_empty() || said.contains(" /") => broken.push(format!(
                "{path} begins with {said:?}, and has no route: let the first line tell in words what invokes it"
            )),
            [] => {}
            [_, _, ..] => broken.push(format!("{} has several routes: one function, one route", function.name)),
        }
    }
    verdict(broken);
}

/// Routes that change something although their method is `GET`, as their contract has it.
const UNSAFE: &[&str] = &["GET /passcode/retrieve"];

#[test]
fn head_is_routed_to_what_reads() {
    let template = Template::read();
    let said = |method: &str| -> Vec<_> {
        let routes = template.all_routes().into_iter();
        routes
            .filter_map(|route| Some(format!("{} → {}", route.key.strip_prefix(method)?, route.function)))
            .collect()
    };
    let is_safe = |route: &String| !UNSAFE.iter().any(|key| route.starts_with(&key[4..]));
    let wanted: Vec<_> = said("GET ").into_iter().filter(is_safe).collect();
    let mut broken = Vec::new();
    compare(
        &mut broken,
        &wanted,
        &said("HEAD "),
        |route| format!("{route} answers GET and not HEAD: give its function an event with Method: HEAD and this path"),
        |route| format!("{route} answers HEAD and has no GET that only reads: remove the event"),
    );
    verdict(broken);
}

#[test]
fn events_belong_to_the_one_api() {
    let template = Template::read();
    let mut broken = Vec::new();
    for function in template.functions() {
        for event in function.events() {
            let of = &event["Properties"];
            if event["Type"] == "HttpApi" && of["ApiId"]["!Ref"] != "Api" {
                broken.push(format!(
                    "a route of {} is of another API: write ApiId: !Ref Api",
                    function.name
                ));
            }
            for (name, _) in entries(of) {
                if event["Type"] == "HttpApi" && !["ApiId", "Method", "Path"].contains(&name) {
                    broken.push(format!(
                        "a route of {} sets {name}, which the local cloud does not do: leave it out, or teach local/",
                        function.name
                    ));
                }
            }
        }
    }
    verdict(broken);
}

/// Types of fields that make each call cost, or be a guess: what sends, and what hashes passwords.
const SENSITIVE: &[&str] = &["Cost", "Mailer", "Texter"];

/// Functions that compare what could be guessed, and neither send nor hash.
const COMPARING: &[&str] = &["passcode-consume"];

#[test]
fn routes_that_send_or_compare_are_throttled_more() {
    let template = Template::read();
    let api = &template.0["Resources"]["Api"]["Properties"];
    let limits = |rate: &str, burst: &str| json!({ "ThrottlingRateLimit": { "!Ref": rate }, "ThrottlingBurstLimit": { "!Ref": burst } });
    let mut broken = Vec::new();
    let all = limits("RequestsPerSecond", "RequestsBurst");
    if api["DefaultRouteSettings"] != all {
        broken.push(format!(
            "routes have no limit of their own: write DefaultRouteSettings {all}"
        ));
    }
    let strict = limits("SensitiveRequestsPerSecond", "SensitiveRequestsBurst");
    for (key, settings) in entries(&api["RouteSettings"]) {
        if *settings != strict {
            broken.push(format!("RouteSettings of {key} is {settings}: write {strict}"));
        }
    }
    let is_sensitive = |function: &str| {
        let handler = read(&format!("functions/{function}/handler.rs")).production();
        COMPARING.contains(&function)
            || field_types(&handler)
                .iter()
                .any(|name| SENSITIVE.contains(&name.as_str()))
    };
    let routes = template.routes().into_iter();
    let wanted: Vec<_> = routes
        .filter(|route| is_sensitive(route.function))
        .map(|route| route.key)
        .collect();
    let given: Vec<_> = entries(&api["RouteSettings"])
        .into_iter()
        .map(|(key, _)| key.to_owned())
        .collect();
    compare(
        &mut broken,
        &wanted,
        &given,
        |key| format!("{key} sends, compares or hashes: add it to RouteSettings of Api in template.yaml"),
        |key| format!("{key} is no route that sends, compares or hashes: remove it from RouteSettings of Api"),
    );
    verdict(broken);
}

/// The families whose callers an identity provider may vouch for.
const VOUCHED: &[&str] = &["/api/v4/", "/passcode/"];

#[test]
fn the_apis_own_document_only_says_who_may_call() {
    let template = Template::read();
    let [(_, api)] = template.resources("AWS::Serverless::HttpApi")[..] else {
        panic!("there is one API");
    };
    let document = &api["Properties"]["DefinitionBody"];
    let mut broken = Vec::new();
    let mut secured = Vec::new();
    for (path, methods) in entries(&document["paths"]) {
        for (method, operation) in entries(methods) {
            let key = format!("{} {path}", method.to_uppercase());
            let security = json!({ "!If": ["HasJwt", [{ "Jwt": [] }], { "!Ref": "AWS::NoValue" }] });
            if *operation != json!({ "security": security }) {
                broken.push(format!(
                    "the DefinitionBody has {operation} for {key}: write {security} as its security, and nothing else"
                ));
            }
            secured.push(key);
        }
    }
    let routes: Vec<_> = template.all_routes().into_iter().map(|route| route.key).collect();
    let vouched: Vec<_> = routes
        .into_iter()
        .filter(|key| VOUCHED.iter().any(|family| key.contains(&format!(" {family}"))))
        .collect();
    compare(
        &mut broken,
        &secured,
        &vouched,
        |route| format!("the DefinitionBody of the API secures {route}, whose function reads no claims: remove it"),
        |route| format!("the DefinitionBody of the API does not secure {route}: without it JwtIssuer leaves it shut"),
    );
    for route in template.routes() {
        let reads = read(&format!("functions/{}/main.rs", route.function))
            .text
            .contains("edge.identity_provider()");
        if reads != vouched.contains(&route.key) {
            broken.push(format!(
                "{} must read claims if it is of {VOUCHED:?}, and must not otherwise: look at edge.identity_provider()",
                route.function
            ));
        }
    }
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
fn the_readme_lists_the_routes() {
    let readme = read("README.md").text;
    let rows = readme
        .lines()
        .skip_while(|line| !line.starts_with("| Route | Function | Family |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let rows: Vec<_> = rows
        .map(|line| {
            let cells: Vec<_> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
            match cells.as_slice() {
                ["", route, function, _, ""] => format!("{route} → {function}"),
                _ => format!("{line} (not three cells)"),
            }
        })
        .collect();
    assert!(
        !rows.is_empty(),
        "README.md has no table of routes: write one, with the columns | Route | Function | Family |"
    );
    let mut broken = Vec::new();
    compare(
        &mut broken,
        &rows,
        &routed(),
        |row| format!("README.md lists {row}, template.yaml does not: correct the table"),
        |row| format!("README.md does not list {row}: add a row to the table of routes"),
    );
    verdict(broken);
}

fn routed() -> Vec<String> {
    let template = Template::read();
    let routes = template.routes();
    routes
        .iter()
        .map(|route| format!("{} → {}", route.key, route.function))
        .collect()
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
                    && let Some((name, _)) = super::source::named(ty)
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
