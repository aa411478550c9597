//! Permissions are exact. Each role is derived from the fields of its function's struct; these rules cover the rest.

use countersign_xtask::{
    settings::Settings,
    source::{compare, verdict},
    template::{Template, entries, texts},
};
use serde_json::{Value, json};

/// All topics. A phone number is no resource that a statement could name: publishing is allowed on all but these.
const TOPICS: &str = "arn:${AWS::Partition}:sns:*:*:*";

#[test]
fn variables_that_all_functions_read_are_global() {
    let template = Template::read();
    let mut broken = Vec::new();
    // Every function is started by `edge::start`.
    let settings = Settings::read(&mut broken);
    let wanted: Vec<_> = settings.read_by(&["start".to_owned()]).into_iter().collect();
    let given: Vec<_> = entries(&template.0["Globals"]["Function"]["Environment"]["Variables"])
        .into_iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    compare(
        &mut broken,
        &wanted,
        &given,
        |name| format!("every function reads {name}: add it to Globals.Function.Environment in template.yaml"),
        |name| format!("not every function reads {name}: give it to those that do, and not in Globals"),
    );
    verdict(broken);
}

#[test]
fn no_permission_is_a_wildcard() {
    let template = Template::read();
    let mut broken = Vec::new();
    for (id, role) in template.resources("AWS::IAM::Role") {
        for text in texts(&without_phones_and_conditions(&role["Properties"])) {
            // `ListStreams` does not apply to a single stream.
            let lists = text.starts_with("${") && text.ends_with("Table.Arn}/stream/*");
            if text.contains('*') && !lists {
                broken.push(format!("{id} allows {text}: name the actions and the resources one by one"));
            }
        }
        if role["Properties"].get("ManagedPolicyArns").is_some() {
            broken
                .push(format!("{id} takes a managed policy, which allows more than is used: write the statements out"));
        }
    }
    verdict(broken);
}

/// Everything that grants a right besides a role's own statements.
const POLICIES: &[&str] = &[
    "AWS::IAM::GroupPolicy",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::RolePolicy",
    "AWS::IAM::UserPolicy",
];

#[test]
fn only_tracing_is_allowed_outside_of_roles() {
    let template = Template::read();
    // X-Ray has no resources, so this is the one wildcard; it exists while functions are traced, and for all of them.
    let tracing = json!({
        "Type": "AWS::IAM::ManagedPolicy",
        "Condition": "Traced",
        "Properties": {
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
                    "Resource": "*",
                }],
            },
            // Derived: all of them.
            "Roles": template.0["Resources"]["TracingPolicy"]["Properties"]["Roles"],
        },
    });
    let mut broken = Vec::new();
    for (id, policy) in POLICIES.iter().flat_map(|of_type| template.resources(of_type)) {
        if id != "TracingPolicy" {
            broken.push(format!(
                "{id} allows something outside of roles: write its statements in the roles of those who need them"
            ));
        } else if *policy != tracing {
            broken.push(format!("{id} is {policy}: write {tracing}"));
        }
    }
    let globals = &template.0["Globals"]["Function"];
    for (given, wanted) in [
        (&template.0["Conditions"]["Traced"], json!({ "!Equals": [{ "!Ref": "Tracing" }, "Active"] })),
        (&globals["Tracing"], json!({ "!Ref": "Tracing" })),
        (
            &globals["Tags"]["countersign:tracing"],
            json!({ "!If": ["Traced", { "!Ref": "TracingPolicy" }, "none"] }),
        ),
    ] {
        if *given != wanted {
            broken.push(format!(
                "functions are traced, or may be, by {given}: write {wanted}, so that the right is there while, and \
                 before, it is needed"
            ));
        }
    }
    verdict(broken);
}

/// A role's properties without conditions and without the one `NotResource` statement, which allows sending to phones.
fn without_phones_and_conditions(properties: &Value) -> Value {
    let mut properties = properties.clone();
    let phones = json!({ "Effect": "Allow", "Action": "sns:Publish", "NotResource": { "!Sub": TOPICS } });
    for policy in properties["Policies"].as_array_mut().into_iter().flatten() {
        if let Some(statements) = policy["PolicyDocument"]["Statement"].as_array_mut() {
            statements.retain(|statement| *statement != phones);
            for statement in statements {
                // A condition only restricts; `allowed` contains which one it is.
                statement.as_object_mut().map(|entries| entries.remove("Condition"));
            }
        }
    }
    properties
}
