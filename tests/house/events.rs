//! Functions that nobody calls: what feeds them, and what becomes of what they cannot do.

use serde_json::{Value, json};

use super::{
    source::verdict,
    template::{Template, list, texts},
};

/// A removal by time, and nothing else.
const REMOVALS: &str =
    r#"{"eventName":["REMOVE"],"userIdentity":{"type":["Service"],"principalId":["dynamodb.amazonaws.com"]}}"#;

/// What is told of here is not told of again.
const UNTOLD: &str = "AuditTable";

#[test]
fn each_row_that_ends_is_told_of() {
    let template = Template::read();
    let functions = template.functions();
    let mut broken = Vec::new();
    for (id, table) in template.resources("AWS::DynamoDB::Table") {
        let stream = json!({ "!GetAtt": format!("{id}.StreamArn") });
        let events: Vec<_> = functions
            .iter()
            .flat_map(|function| function.events().into_iter().map(move |event| (function.name, event)))
            .filter(|(_, event)| event["Properties"]["Stream"] == stream)
            .collect();
        let ends = table["Properties"].get("TimeToLiveSpecification").is_some() && id != UNTOLD;
        // Keys only: nothing else of a row is needed, and the stream holds nothing else.
        let wanted = ends.then(|| json!({ "StreamViewType": "KEYS_ONLY" }));
        if table["Properties"].get("StreamSpecification") != wanted.as_ref() {
            broken.push(match wanted {
                Some(wanted) => format!("rows of {id} end and nobody is told: add StreamSpecification {wanted}"),
                None => format!("rows of {id} do not end: remove its StreamSpecification"),
            });
        }
        match events.as_slice() {
            [("cleanup", event)] if ends => bounded(id, &event["Properties"], &mut broken),
            [] if !ends => {}
            _ => broken.push(format!(
                "{id} feeds {} functions: a table whose rows end feeds cleanup, by one event; others feed none",
                events.len()
            )),
        }
    }
    verdict(broken);
}

/// One bad record must not stop a shard for a day (security.md R69).
fn bounded(id: &str, event: &Value, broken: &mut Vec<String>) {
    let pattern = event["FilterCriteria"]["Filters"][0]["Pattern"]
        .as_str()
        .unwrap_or_default();
    let says = |text: &str| serde_json::from_str::<Value>(text).ok();
    if list(&event["FilterCriteria"]["Filters"]).len() != 1 || says(pattern) != says(REMOVALS) {
        broken.push(format!(
            "cleanup is called for more than removals by time of {id}: write the filter {REMOVALS}"
        ));
    }
    for (name, wanted) in [
        ("StartingPosition", json!("TRIM_HORIZON")),
        ("BisectBatchOnFunctionError", json!(true)),
        ("FunctionResponseTypes", json!(["ReportBatchItemFailures"])),
        (
            "DestinationConfig",
            json!({ "OnFailure": { "Destination": { "!GetAtt": "DeadLetters.Arn" } } }),
        ),
    ] {
        if event[name] != wanted {
            broken.push(format!(
                "{name} of cleanup's event for {id} is {}: write {wanted}",
                event[name]
            ));
        }
    }
    // A stream keeps a record for a day: what is put aside must still be there to be looked at.
    for (name, most) in [("MaximumRetryAttempts", 100), ("MaximumRecordAgeInSeconds", 43_200)] {
        if !event[name].as_i64().is_some_and(|number| (1..=most).contains(&number)) {
            broken.push(format!(
                "{name} of cleanup's event for {id} is {}: give it 1 to {most}",
                event[name]
            ));
        }
    }
}

#[test]
fn what_cannot_be_done_is_put_aside() {
    let template = Template::read();
    let mut broken = Vec::new();
    let aside = json!({ "!GetAtt": "DeadLetters.Arn" });
    for function in template.functions() {
        for event in function.events().into_iter().filter(|event| event["Type"] == "SNS") {
            let name = function.name;
            if event["Properties"]["RedrivePolicy"]["deadLetterTargetArn"] != aside {
                broken.push(format!(
                    "what SNS cannot hand to {name} is lost: write RedrivePolicy: deadLetterTargetArn: !GetAtt DeadLetters.Arn"
                ));
            }
            let config = &function.properties["EventInvokeConfig"];
            if config["DestinationConfig"]["OnFailure"]["Destination"] != aside {
                broken.push(format!(
                    "what {name} cannot do is lost: let EventInvokeConfig.DestinationConfig.OnFailure name DeadLetters"
                ));
            }
        }
    }
    for (id, queue) in template.resources("AWS::SQS::Queue") {
        for (name, wanted) in [
            ("SqsManagedSseEnabled", json!(true)),
            ("MessageRetentionPeriod", json!(1_209_600)),
        ] {
            if queue["Properties"][name] != wanted {
                broken.push(format!(
                    "{name} of {id} is {}: write {wanted}",
                    queue["Properties"][name]
                ));
            }
        }
        if queue["DeletionPolicy"] != "RetainExceptOnCreate" || queue["UpdateReplacePolicy"] != "Retain" {
            broken.push(format!(
                "{id} would go with the stack, and what was put aside with it: let DeletionPolicy be RetainExceptOnCreate, \
                 UpdateReplacePolicy Retain"
            ));
        }
    }
    verdict(broken);
}

#[test]
fn topics_and_queues_take_from_one_source_each() {
    let template = Template::read();
    let mut broken = Vec::new();
    let policies = ["AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"];
    for (id, policy) in policies.iter().flat_map(|of_type| template.resources(of_type)) {
        for statement in list(&policy["Properties"]["PolicyDocument"]["Statement"]) {
            let service = statement["Principal"]["Service"].as_str().unwrap_or_default();
            if !["ses.amazonaws.com", "sns.amazonaws.com"].contains(&service) {
                broken.push(format!("{id} lets others in than SES and SNS: name the one service"));
            }
            // The ARN names the account, too.
            let condition = &statement["Condition"];
            let by_arn = !condition["ArnEquals"]["aws:SourceArn"].is_null();
            let by_both = ["aws:SourceAccount", "aws:SourceArn"]
                .iter()
                .all(|name| !condition["StringEquals"][name].is_null());
            if !by_arn && !by_both {
                broken.push(format!(
                    "{id} lets anybody's {service} in: let Condition.ArnEquals name the one aws:SourceArn"
                ));
            }
            if texts(statement).iter().any(|text| text.contains('*')) {
                broken.push(format!("{id} has a star: name the action and the resource"));
            }
        }
    }
    verdict(broken);
}
