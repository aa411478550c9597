//! `events/` has one payload per function, as AWS sends it: for `sam local invoke`, AWS's emulator, and users.

use countersign_xtask::{
    source::{Source, below, compare, read, verdict},
    template::{Function, Template, entries, list},
};
use serde_json::{Value, json};

#[test]
fn each_function_has_a_payload_and_an_expected_response() {
    let template = Template::read();
    let named = |name: &str| name.to_owned();
    let functions: Vec<String> = template.functions().iter().map(|one| named(one.name)).collect();
    let payloads: Vec<String> = below("events", &[""]).iter().map(|one| named(name(one))).collect();
    let answers = parsed(&read("tests/aws/answers.json").text).expect("the answers are JSON");
    let answered = list(&answers).into_iter().filter_map(|answer| answer["function"].as_str());
    let answered: Vec<String> = answered.map(named).collect();
    let mut broken = Vec::new();
    compare(
        &mut broken,
        &functions,
        &payloads,
        |function| format!("{function} has no payload: write events/{function}.json"),
        |payload| format!("events/{payload} is for no function: remove it, or name it <function>.json"),
    );
    compare(
        &mut broken,
        &functions,
        &answered,
        |function| format!("{function} has no expected response to its payload: add it to tests/aws/answers.json"),
        |function| format!("tests/aws/answers.json has {function}, and there is no such function: remove it"),
    );
    verdict(broken);
}

#[test]
fn a_payload_has_the_format_that_its_function_receives() {
    let template = Template::read();
    let mut broken = Vec::new();
    for function in template.functions() {
        let path = format!("events/{}.json", function.name);
        let Some(payload) = parsed(&read(&path).text) else {
            broken.push(format!("{path} is not JSON: make it JSON"));
            continue;
        };
        let wrong = match function.events().first() {
            // Derived from the example request.
            Some(event) if event["Type"] == "HttpApi" => continue,
            Some(event) if event["Properties"]["Stream"]["!GetAtt"] == "AuditTable.StreamArn" => events(&payload),
            Some(event) if event["Type"] == "DynamoDB" => removals(&payload, &template),
            Some(event) if event["Type"] == "SNS" => notifications(&payload),
            Some(_) => vec!["is of a kind that this rule does not know: teach it".to_owned()],
            None => command(&payload, &function),
        };
        broken.extend(wrong.into_iter().map(|wrong| format!("{path} {wrong}")));
    }
    verdict(broken);
}

/// The problems of a stream batch.
fn removals(batch: &Value, template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    let records = list(&batch["Records"]);
    for record in &records {
        let by_time = json!({ "type": "Service", "principalId": "dynamodb.amazonaws.com" });
        if record["eventName"] != "REMOVE" || record["userIdentity"] != by_time {
            wrong.push("has a record that the template's filter keeps out: let all be removals by time".to_owned());
        }
        let inside = &record["dynamodb"];
        if inside["StreamViewType"] != "KEYS_ONLY" || entries(&inside["Keys"]).is_empty() {
            wrong.push("has a record without keys: the streams hold keys, and nothing else".to_owned());
        }
        let source = record["eventSourceARN"].as_str().unwrap_or_default();
        let tables = template.resources("AWS::DynamoDB::Table");
        let table = tables.iter().find(|(id, _)| source.contains(&format!("table/countersign-{id}-")));
        if table.is_none_or(|(_, table)| table["Properties"].get("StreamSpecification").is_none()) {
            wrong.push(format!("has a record of {source}: let it be the stream of a table of the template"));
        }
    }
    if records.is_empty() {
        wrong.push("holds no record: write some".to_owned());
    }
    wrong
}

/// The problems of a batch of audit events.
fn events(batch: &Value) -> Vec<String> {
    let records = list(&batch["Records"]);
    let is_new = |record: &&Value| {
        let change = &record["dynamodb"];
        let is_published = ["notice", "type"].iter().any(|name| change["NewImage"][*name]["S"].is_string());
        record["eventName"] == "INSERT" && change["StreamViewType"] == "NEW_IMAGE" && is_published
    };
    match records.iter().all(is_new) && !records.is_empty() {
        true => Vec::new(),
        false => vec![
            "has a record that the template's filter keeps out: let all be new events with a type or a notice"
                .to_owned(),
        ],
    }
}

/// The problems of an SNS delivery.
fn notifications(delivery: &Value) -> Vec<String> {
    let records = list(&delivery["Records"]);
    let is_ours = |record: &&Value| {
        let message = record["Sns"]["Message"].as_str().and_then(parsed);
        record["EventSource"] == "aws:sns" && message.is_some_and(|message| message["eventType"].is_string())
    };
    match records.iter().all(is_ours) && !records.is_empty() {
        true => Vec::new(),
        false => vec!["holds no event of SES: let each record's Sns.Message be one, as JSON in a text".to_owned()],
    }
}

/// The problems of a payload for invocation by hand.
fn command(payload: &Value, function: &Function<'_>) -> Vec<String> {
    match payload["command"].is_string() {
        true => Vec::new(),
        false => vec![format!("names no command: {} takes one", function.name)],
    }
}

fn parsed(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// The function that a file in `events/` is for.
fn name(file: &Source) -> &str {
    let name = file.path.trim_start_matches("events/");
    name.strip_suffix(".json").unwrap_or(name)
}
