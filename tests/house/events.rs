//! Topics and queues: who may write, and what survives the stack.

use countersign_xtask::{
    source::verdict,
    template::{Template, list, texts},
};
use serde_json::json;

#[test]
fn queues_are_encrypted_and_outlive_the_stack() {
    let template = Template::read();
    let mut broken = Vec::new();
    for (id, queue) in template.resources("AWS::SQS::Queue") {
        for (name, wanted) in [
            ("SqsManagedSseEnabled", json!(true)),
            ("MessageRetentionPeriod", json!(1_209_600)),
        ] {
            if queue["Properties"][name] != wanted {
                broken.push(format!("{name} of {id} is {}: write {wanted}", queue["Properties"][name]));
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
fn topics_and_queues_accept_one_source_each() {
    let template = Template::read();
    let mut broken = Vec::new();
    let policies = ["AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"];
    for (id, policy) in policies.iter().flat_map(|of_type| template.resources(of_type)) {
        for statement in list(&policy["Properties"]["PolicyDocument"]["Statement"]) {
            let service = statement["Principal"]["Service"].as_str().unwrap_or_default();
            if !["ses.amazonaws.com", "sns.amazonaws.com"].contains(&service) {
                broken.push(format!("{id} lets others in than SES and SNS: name the one service"));
            }
            // The ARN also contains the account.
            let condition = &statement["Condition"];
            let by_arn = !condition["ArnEquals"]["aws:SourceArn"].is_null();
            let by_both =
                ["aws:SourceAccount", "aws:SourceArn"].iter().all(|name| !condition["StringEquals"][name].is_null());
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
