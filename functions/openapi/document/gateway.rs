//! What applies to all responses, including the gateway's own.

use countersign_shared::http::{
    dialects::{era, gitlab::Message, plain},
    reply::{Dialect, JSON},
};
use utoipa::openapi::{Content, Ref, RefOr, ResponseBuilder, path::Operation, schema::Schema};

use super::parts::{any_of, reference, text};

/// The headers of every response of a function. The gateway's own responses have its headers.
pub(super) const ON_EVERY_ANSWER: [(&str, &str); 6] = [
    ("Cache-Control", "`no-store`"),
    ("X-Content-Type-Options", "`nosniff`"),
    ("Strict-Transport-Security", "HTTPS only, for two years"),
    ("Referrer-Policy", "`no-referrer`"),
    ("Content-Security-Policy", "Nothing may be loaded; on a page, what it needs"),
    ("Apigw-Requestid", "The gateway's id of the request"),
];

/// Gives the JSON responses of an operation the media type of the Era dialect.
pub(super) fn name_charset(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response
            && let Some(content) = response.content.shift_remove(JSON)
        {
            response.content.insert(era::Error::MEDIA_TYPE.to_owned(), content);
        }
    }
}

/// Adds the gateway's own responses, whatever the route, and what applies to all operations.
pub(super) fn with_gateway(mut operation: Operation) -> Operation {
    let plain = RefOr::Ref(reference::<plain::Message>());
    let responses = &mut operation.responses.responses;
    for (status, description) in [
        ("413", "The body is too large"),
        ("429", "The route has more calls in this second than the operator lets through"),
        ("500", "A fault of ours"),
        ("503", "A fault of ours that passes: try again later"),
    ] {
        let new = || ResponseBuilder::new().description(description).build().into();
        let RefOr::T(response) = responses.entry(status.to_owned()).or_insert_with(new) else {
            continue;
        };
        let RefOr::T(content) = response.content.entry(JSON.to_owned()).or_insert_with(|| Content::default().into())
        else {
            continue;
        };
        content.schema = match content.schema.take() {
            None => Some(plain.clone()),
            Some(schema) if has_its_form(&schema) => Some(schema),
            Some(schema) => Some(any_of([schema, plain.clone()]).into()),
        };
    }
    // RFC 9110 §12.5.3: tells a client that sent an encoded body which encodings are accepted.
    if let Some(RefOr::T(response)) = responses.get_mut("415") {
        response.headers.insert("Accept-Encoding".to_owned(), RefOr::T(text()));
    }
    for response in responses.values_mut() {
        if let RefOr::T(response) = response {
            for (name, _) in ON_EVERY_ANSWER {
                let header = Ref::new(format!("#/components/headers/{name}"));
                response.headers.insert(name.to_owned(), RefOr::Ref(header));
            }
        }
    }
    // Without its own entry an operation would inherit the document's security, and would not appear as public.
    operation.security.get_or_insert_default();
    operation
}

/// Whether it is the gateway's error, or GitLab's, which has the same form.
fn has_its_form(schema: &RefOr<Schema>) -> bool {
    let same = [reference::<plain::Message>(), reference::<Message>()];
    matches!(schema, RefOr::Ref(reference) if same.contains(reference))
}
