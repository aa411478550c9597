//! Tokens.

use serde::Serialize;
use utoipa::{ToSchema, openapi::Object};

use crate::{
    domain::{
        auth::token::{Kind, Owner, Token},
        crypto::secret::Secret,
    },
    http::{
        call::Call,
        dialects::mithril::{envelope::Meta, named},
        reply::Answer,
        schema::one_of,
    },
    observe::Outcome,
};

/// A new token.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenAnswer {
    meta: Meta,
    data: TokenShown,
    urgent: Urgent,
}

fn names() -> Object {
    one_of([Kind::Access.name(), Kind::SecondFactor { wanted: Vec::new() }.name()])
}

fn next_steps() -> Object {
    one_of(NextStep::ALL.map(NextStep::name))
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenShown {
    /// The token's id; not a secret.
    id: String,
    /// The type of the token.
    #[schema(schema_with = names)]
    name: &'static str,
    /// The token itself. It is returned only here.
    #[schema(format = Password)]
    value: String,
    /// Expiry, in seconds since the Unix epoch.
    #[schema(example = 1_772_230_017)]
    expires_at: u64,
    /// The user of the token; `null` for a client's own.
    #[schema(required = true)]
    user_id: Option<String>,
    details: TokenDetails,
}

/// How and for whom the token was issued.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenDetails {
    /// The grant type.
    #[schema(example = "password")]
    grant_type: &'static str,
    /// The client of the token.
    client_id: String,
    /// Names of scopes, separated by spaces; empty for a `2fa_access_token`.
    #[schema(example = "app:authorize")]
    scope: String,
}

/// What the holder should do at once.
#[derive(Debug, Serialize, ToSchema)]
pub struct Urgent {
    /// The next step of the token's holder: `REQUEST_OTP` (submit the code), `REQUEST_APPS` (continue),
    /// `REQUEST_FACTOR` (set a phone), `APPROVE_FACTOR` (submit the code sent to the new phone).
    #[schema(schema_with = next_steps)]
    next_step: &'static str,
}

/// The next step of a new token's holder.
#[derive(Clone, Copy, Debug)]
pub enum NextStep {
    /// Submits the code that was sent.
    RequestOtp,
    /// Uses the token.
    RequestApps,
    /// Sets a phone.
    RequestFactor,
    /// Submits the code that was sent to the new phone.
    ApproveFactor,
}

impl NextStep {
    const ALL: [Self; 4] = [
        Self::RequestOtp,
        Self::RequestApps,
        Self::RequestFactor,
        Self::ApproveFactor,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::RequestOtp => "REQUEST_OTP",
            Self::RequestApps => "REQUEST_APPS",
            Self::RequestFactor => "REQUEST_FACTOR",
            Self::ApproveFactor => "APPROVE_FACTOR",
        }
    }
}

/// 201: a new token. Its text is returned only here; `outcome` is the name in the log.
#[must_use]
pub fn token_answer(
    call: &Call,
    outcome: Outcome,
    token: &Token,
    text: &Secret,
    grant_type: &'static str,
    next: NextStep,
) -> Answer {
    let data = TokenShown {
        id: token.id(),
        name: token.kind.name(),
        value: text.expose().to_owned(),
        expires_at: token.expires_at.seconds(),
        user_id: match &token.owner {
            Owner::User(id) => Some(id.text()),
            Owner::Client(_) => None,
        },
        details: TokenDetails {
            grant_type,
            client_id: token.client.as_str().to_owned(),
            scope: named(&token.scopes, " "),
        },
    };
    let urgent = Urgent { next_step: next.name() };
    let meta = Meta::new(call, 201, "object");
    Answer::json(201, outcome, &TokenAnswer { meta, data, urgent })
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;
    use serde_json::json;

    use super::{
        super::tests::{check, whole},
        *,
    };
    use crate::{
        domain::{
            auth::{
                scope::Scope,
                token::{Grant, Kind, tests::grant},
            },
            people::{id::ClientId, user::tests::user},
            time::Timestamp,
        },
        http::dialects::mithril::body::GrantType,
    };

    #[test]
    fn a_token_is_shown_with_the_next_step() {
        let (user, client) = (user(), ClientId::parse("heatclinic").expect("well-formed"));
        let second = Kind::SecondFactor {
            wanted: vec![Scope::AppAuthorize],
        };
        for (owner, kind, scopes, grant_type, next, expected) in [
            (
                Owner::User(user.id),
                second,
                vec![],
                GrantType::Password,
                NextStep::RequestOtp,
                ["2fa_access_token", "password", "", "REQUEST_OTP"],
            ),
            (
                Owner::Client(client),
                Kind::Access,
                vec![Scope::Passcode, Scope::UserBlock],
                GrantType::ClientCredentials,
                NextStep::RequestApps,
                [
                    "access_token",
                    "client_credentials",
                    "passcode user:block",
                    "REQUEST_APPS",
                ],
            ),
        ] {
            let user_id = (owner == Owner::User(user.id)).then(|| user.id.text());
            let grant = Grant {
                kind,
                scopes,
                ..grant(owner)
            };
            let (token, text) = Token::issue(grant, &mut SysRng, Timestamp::from_seconds(0)).expect("entropy");
            let [name, grant_type_name, scope, next_step] = expected;
            let details = json!({ "grant_type": grant_type_name, "client_id": "heatclinic", "scope": scope });
            let data = json!({
                "id": token.id(), "name": name, "value": text.expose(), "expires_at": 60, "user_id": user_id,
                "details": details,
            });
            let rest = json!({ "data": data, "urgent": { "next_step": next_step } });
            check(
                |call| token_answer(call, Outcome::Described, &token, &text, grant_type.name(), next),
                201,
                &whole(201, "object", rest),
            );
        }
    }
}
