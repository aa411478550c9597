//! The permissions that a call needs, and AWS's error when one is missing.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use super::dynamodb;
use super::eventbridge;
use super::query::{self, Form, bare};
use super::secrets::Secrets;
use super::service::{Service, aws_json};
use crate::rights::{NOTHING, Need};
use crate::template::{ACCOUNT, REGION};

/// The permissions that the role must allow.
pub(super) fn needs(service: Service, operation: &str, body: &[u8], secrets: &Secrets) -> Vec<Need> {
    let action = format!("{}:{operation}", service.name());
    match service {
        Service::DynamoDb => dynamodb::needs(operation, body),
        Service::SecretsManager => {
            let request: Value = serde_json::from_slice(body).unwrap_or_default();
            let wanted = request["SecretId"].as_str().unwrap_or(NOTHING);
            vec![Need::new(action, secrets.arn(wanted).unwrap_or(wanted).to_owned())]
        }
        Service::Events => eventbridge::needs(&action, body),
        Service::Ses => {
            let form = Form::parse(body);
            let arn = |what: &str, name: &str| format!("arn:aws:ses:{REGION}:{ACCOUNT}:{what}/{name}");
            let sender = bare(form.get("Source").unwrap_or(NOTHING));
            // SES authorizes a send by the narrowest verified identity: the address, its domain or a parent domain.
            // Here the identities count as verified that the template allows as sender.
            let domain = sender.rsplit_once('@').map_or(sender, |(_, domain)| domain);
            let above = domain.match_indices('.').map(|(dot, _)| &domain[dot + 1..]);
            let identities = [sender, domain].into_iter().chain(above);
            let context = || Some(("ses:FromAddress", sender.to_owned()));
            let mut needs = vec![Need {
                action: action.clone(),
                resources: identities.map(|name| arn("identity", name)).collect(),
                context: context(),
            }];
            if let Some(set) = form.get("ConfigurationSetName") {
                needs.push(Need {
                    context: context(),
                    ..Need::new(action, arn("configuration-set", set))
                });
            }
            needs
        }
        Service::Sns => {
            let form = Form::parse(body);
            let target = ["PhoneNumber", "TopicArn", "TargetArn"].iter().find_map(|name| form.get(name));
            vec![Need::new(action, target.unwrap_or(NOTHING).to_owned())]
        }
    }
}

/// The log line for a denied call. It never contains a phone number.
pub(super) fn log_line(role: &str, need: &Need) -> String {
    let resource = need.resources.first().map_or(NOTHING, String::as_str);
    let shown = if resource.starts_with('+') {
        "a phone number"
    } else {
        resource
    };
    format!("{role} {DENIED}: {} on resource: {shown}", need.action)
}

const DENIED: &str = "is not authorized to perform";

/// The service's own access-denied error.
pub(super) fn denial(service: Service, role: &str, function: &str, need: &Need) -> Response<Body> {
    let user = format!("User: arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{function}");
    let (action, resource) = (&need.action, need.resources.first().map_or(NOTHING, String::as_str));
    let message = format!(
        "{user} {DENIED}: {action} on resource: {resource} because no identity-based policy allows the {action} action"
    );
    let json = |version, name: &str| {
        let body = json!({ "__type": name, "Message": message });
        aws_json(StatusCode::BAD_REQUEST, version, &body)
    };
    match service {
        Service::DynamoDb => json("application/x-amz-json-1.0", "com.amazon.coral.service#AccessDeniedException"),
        Service::SecretsManager => json("application/x-amz-json-1.1", "AccessDeniedException"),
        Service::Events => json(eventbridge::JSON, "AccessDeniedException"),
        Service::Ses => query::SES.refusal(StatusCode::FORBIDDEN, "AccessDenied", &message),
        Service::Sns => query::SNS.refusal(StatusCode::FORBIDDEN, "AuthorizationError", &message),
    }
}
