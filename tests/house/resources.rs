//! What template.yaml declares by hand: logs, timeouts, outside access.

use std::time::Duration;

use countersign_xtask::{
    source::{read, verdict},
    template::{Template, entries, list},
};
use serde_json::{Value, json};
use syn::visit::{self, Visit};

#[test]
fn mail_events_are_encrypted_and_ses_may_still_publish_them() {
    let template = Template::read();
    let mut broken = Vec::new();
    let resources = &template.0["Resources"];
    let wanted =
        json!({ "!If": ["EncryptsMailEvents", { "!GetAtt": "MailEventsKey.Arn" }, { "!Ref": "AWS::NoValue" }] });
    if resources["MailEvents"]["Properties"]["KmsMasterKeyId"] != wanted {
        broken.push(format!("MailEvents holds mail addresses in plain text: write KmsMasterKeyId {wanted}"));
    }
    let policy = &resources["MailEventsKey"]["Properties"]["KeyPolicy"];
    let ses = json!({
        "Effect": "Allow",
        "Principal": { "Service": "ses.amazonaws.com" },
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
        "Resource": "*",
        "Condition": { "StringLike": { "kms:EncryptionContext:aws:sns:topicArn": {
            "!Sub": "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:*",
        } } },
    });
    if !list(&policy["Statement"]).contains(&&ses) {
        broken.push(format!("SES cannot publish what it encrypts: add to the policy of MailEventsKey {ses}"));
    }
    verdict(broken);
}

#[test]
fn logs_have_the_configured_retention() {
    let template = Template::read();
    let mut broken = Vec::new();
    for (id, group) in template.resources("AWS::Logs::LogGroup") {
        if group["Properties"]["RetentionInDays"] != json!({ "!Ref": "LogRetentionDays" }) {
            broken.push(format!(
                "{id} is not kept for as long as the operator says: write RetentionInDays: !Ref LogRetentionDays"
            ));
        }
    }
    verdict(broken);
}

/// The fields that an access log may have: nothing chosen by a caller, except for the address.
const LOGGED: &[&str] = &[
    "identity.sourceIp",
    "integrationErrorMessage",
    "integrationLatency",
    "integrationStatus",
    "requestId",
    "requestTime",
    "responseLatency",
    "responseLength",
    "routeKey",
    "status",
];

#[test]
fn the_access_log_holds_no_path_and_no_query() {
    let template = Template::read();
    let mut broken = Vec::new();
    for (id, api) in template.resources("AWS::Serverless::HttpApi") {
        let settings = &api["Properties"]["AccessLogSettings"];
        let format = settings["Format"].as_str().unwrap_or_default();
        for name in format.split("$context.").skip(1) {
            let name = name.split(|c: char| !c.is_alphanumeric() && c != '.').next().unwrap_or_default();
            if !LOGGED.contains(&name) {
                broken.push(format!(
                    "{id} logs $context.{name}: paths and queries hold secrets; log $context.routeKey, or, if it can \
                     hold nothing that a caller chose, add it to LOGGED in tests/house/resources.rs"
                ));
            }
        }
        if serde_json::from_str::<Value>(format).is_err() {
            broken.push(format!("the Format of {id}'s access log is no JSON: quote each value"));
        }
        if settings["DestinationArn"]["!GetAtt"] != "AccessLog.Arn" {
            broken.push(format!("{id} logs no access: write DestinationArn: !GetAtt AccessLog.Arn"));
        }
    }
    verdict(broken);
}

#[test]
fn external_connections_require_tls() {
    let template = Template::read();
    let mut broken = Vec::new();
    for (id, domain) in template.resources("AWS::ApiGatewayV2::DomainName") {
        let configurations = list(&domain["Properties"]["DomainNameConfigurations"]);
        if configurations.iter().any(|one| one["SecurityPolicy"] != "TLS_1_2") {
            broken.push(format!("{id} takes older TLS: write SecurityPolicy: TLS_1_2"));
        }
    }
    for (id, set) in template.resources("AWS::SES::ConfigurationSet") {
        if set["Properties"]["DeliveryOptions"]["TlsPolicy"] != "REQUIRE" {
            broken.push(format!(
                "{id} sends links in the clear where it must: write DeliveryOptions: TlsPolicy: REQUIRE"
            ));
        }
    }
    verdict(broken);
}

/// The longest that an HTTP API waits for a function.
const GATEWAY_WAITS: Duration = Duration::from_secs(30);

#[test]
fn an_endpoint_stops_before_the_lambda_timeout() {
    let template = Template::read();
    let serve = "shared/src/http/serve.rs";
    let within = duration(serve, "ANSWER_WITHIN");
    let globals = &template.0["Globals"]["Function"];
    let mut broken = Vec::new();
    for function in template.functions() {
        let timeout = function.properties.get("Timeout").unwrap_or(&globals["Timeout"]);
        let timeout = Duration::from_secs(timeout.as_u64().unwrap_or_default());
        if timeout <= within {
            broken.push(format!(
                "{} ends after {timeout:?}, ANSWER_WITHIN in {serve} is {within:?}: a caller would get the gateway's \
                 answer. Raise Timeout in template.yaml",
                function.logical_id
            ));
        }
        let has_route = function.events().iter().any(|event| event["Type"] == "HttpApi");
        if has_route && timeout >= GATEWAY_WAITS {
            broken.push(format!("{} may take {timeout:?}, the gateway waits 30 s: lower Timeout", function.logical_id));
        }
    }
    verdict(broken);
}

#[test]
fn the_operator_stops_before_the_lambda_timeout() {
    let template = Template::read();
    let reads = "functions/operator/erase.rs";
    let longest = duration(reads, "LONGEST");
    let timeout = &template.0["Resources"]["OperatorFunction"]["Properties"]["Timeout"];
    let timeout = Duration::from_secs(timeout.as_u64().unwrap_or_default());
    // A page once started is completed: each of its rows is a write, and DynamoDB may be slow.
    assert!(
        timeout >= longest + Duration::from_secs(15),
        "OperatorFunction ends after {timeout:?}, and LONGEST in {reads} is {longest:?}: raise Timeout in template.yaml"
    );
}

#[test]
fn publish_stops_before_the_lambda_timeout() {
    let template = Template::read();
    let handler = "functions/publish/handler.rs";
    let last = duration(handler, "LAST_MAIL_WITHIN");
    let timeout = &template.0["Resources"]["PublishFunction"]["Properties"]["Timeout"];
    let timeout = Duration::from_secs(timeout.as_u64().unwrap_or_default());
    // A mail that is begun is completed: five calls of 2.5 seconds at most.
    assert!(
        timeout >= last + Duration::from_secs(13),
        "PublishFunction ends after {timeout:?}, and begins its last mail after up to {last:?} (LAST_MAIL_WITHIN in {handler}): \
         lower that constant"
    );
}

/// A constant `Duration::from_secs(n)`, or a number of seconds.
fn duration(path: &str, name: &str) -> Duration {
    struct Find<'n> {
        name: &'n str,
        seconds: Option<u64>,
    }
    impl<'a> Visit<'a> for Find<'_> {
        fn visit_item_const(&mut self, item: &'a syn::ItemConst) {
            let value = match &*item.expr {
                syn::Expr::Call(call) => call.args.first(),
                expression => Some(expression),
            };
            if item.ident == self.name
                && let Some(syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Int(number),
                    ..
                })) = value
            {
                self.seconds = number.base10_parse().ok();
            }
            visit::visit_item_const(self, item);
        }
    }
    let mut find = Find { name, seconds: None };
    find.visit_file(&read(path).production());
    let seconds = find.seconds;
    Duration::from_secs(
        seconds.unwrap_or_else(|| panic!("{path} has no {name} = n or Duration::from_secs(n): put it back")),
    )
}

#[test]
fn functions_are_built_for_lambda() {
    let template = Template::read();
    let globals = &template.0["Globals"]["Function"];
    let mut broken = Vec::new();
    for (name, wanted) in [
        ("Runtime", json!("provided.al2023")),
        ("Architectures", json!([{ "!Ref": "Architecture" }])),
        ("CodeUri", json!(".")),
        ("Handler", json!("bootstrap")),
    ] {
        if globals[name] != wanted {
            broken.push(format!("Globals.Function.{name} is {}: write {wanted}", globals[name]));
        }
    }
    for (id, function) in template.resources("AWS::Serverless::Function") {
        if function["Metadata"]["BuildMethod"] != "rust-cargolambda" {
            broken.push(format!("{id} is not built by SAM: write Metadata.BuildMethod: rust-cargolambda"));
        }
        for (name, _) in entries(globals)
            .into_iter()
            // SAM merges a function's own variables with those of Globals.
            .filter(|(name, _)| !["Timeout", "MemorySize", "Environment"].contains(name))
        {
            if function["Properties"].get(name).is_some() {
                broken.push(format!("{id} has its own {name}: declare it in Globals for all of them"));
            }
        }
    }
    verdict(broken);
}
