//! Tokens.

use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{
        Object, ObjectBuilder,
        schema::{Array, ArrayBuilder, Type},
    },
};

use super::user::UserShown;
use crate::{
    domain::{
        auth::token::{Kind, Owner, Token},
        crypto::secret::Secret,
        people::{
            factor::{FactorType, Factors},
            user::User,
        },
    },
    http::{
        call::Call,
        dialects::mithril::{body::factor_types, envelope::Meta, named},
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

fn login_factors() -> Array {
    ArrayBuilder::new().items(factor_types()).min_items(Some(1)).build()
}

fn ten_codes() -> Array {
    let code = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$"))
        .examples(["7K2M-9QXC-04TV-H6ZD"]);
    ArrayBuilder::new().items(code).min_items(Some(10)).max_items(Some(10)).build()
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

/// What the holder should do at once, and what is shown only here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Urgent {
    /// The next step of the token's holder: `REQUEST_OTP` (submit the code), `REQUEST_APPS` (continue),
    /// `REQUEST_FACTOR` (set a phone), `APPROVE_FACTOR` (submit the code sent to the new phone).
    #[schema(schema_with = next_steps)]
    next_step: &'static str,
    /// For a user with an authenticator app: the types of factors whose codes complete the login.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, schema_with = login_factors)]
    factors: Vec<&'static str>,
    /// The secret of a new authenticator app.
    #[serde(skip_serializing_if = "Option::is_none")]
    totp: Option<TotpShown>,
    /// New recovery codes: each completes one login in place of a code. They replace all earlier ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, schema_with = ten_codes)]
    recovery_codes: Vec<String>,
    /// The unused recovery codes, after a login with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes_left: Option<usize>,
    /// Identifies a known device in later logins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Password)]
    device_token: Option<String>,
}

/// The secret of a new authenticator app.
#[derive(Debug, Serialize, ToSchema)]
pub struct TotpShown {
    /// 160 bits in base32, to be typed in.
    #[schema(format = Password, example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    /// The same for a QR code.
    #[schema(
        format = Password,
        example = "otpauth://totp/Example:jane%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example&algorithm=SHA1&digits=6&period=30"
    )]
    uri: String,
}

impl From<NextStep> for Urgent {
    fn from(next: NextStep) -> Self {
        Self {
            next_step: next.name(),
            factors: Vec::new(),
            totp: None,
            recovery_codes: Vec::new(),
            recovery_codes_left: None,
            device_token: None,
        }
    }
}

impl Urgent {
    /// With the types of factors whose codes complete the login.
    #[must_use]
    pub fn with_factors(self, factors: &[FactorType]) -> Self {
        Self {
            factors: factors.iter().map(|factor_type| factor_type.name()).collect(),
            ..self
        }
    }

    /// With the secret of a new authenticator app, and its URI.
    #[must_use]
    pub fn with_totp(self, secret: &Secret, uri: &Secret) -> Self {
        let totp = TotpShown {
            secret: secret.expose().to_owned(),
            uri: uri.expose().to_owned(),
        };
        Self {
            totp: Some(totp),
            ..self
        }
    }

    /// With new recovery codes.
    #[must_use]
    pub fn with_recovery_codes(self, codes: &[Secret]) -> Self {
        Self {
            recovery_codes: codes.iter().map(|code| code.expose().to_owned()).collect(),
            ..self
        }
    }

    /// With the number of unused recovery codes, if one was used.
    #[must_use]
    pub fn with_recovery_codes_left(self, left: Option<usize>) -> Self {
        Self {
            recovery_codes_left: left,
            ..self
        }
    }

    /// With the token of a known device, if one is issued.
    #[must_use]
    pub fn with_device(self, token: Option<&Secret>) -> Self {
        Self {
            device_token: token.map(|token| token.expose().to_owned()),
            ..self
        }
    }
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

/// The next step of a login that requests a second factor. Only a user with an authenticator app has a choice.
#[must_use]
pub fn request_otp(factors: &Factors) -> Urgent {
    let urgent = Urgent::from(NextStep::RequestOtp);
    match factors.totp() {
        Some(_) => urgent.with_factors(&factors.methods()),
        None => urgent,
    }
}

/// A user, and new recovery codes.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecoveryCodesAnswer {
    meta: Meta,
    data: UserShown,
    urgent: RecoveryCodesShown,
}

/// New recovery codes.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecoveryCodesShown {
    /// Each completes one login in place of a code. They replace all earlier ones.
    #[schema(schema_with = ten_codes)]
    recovery_codes: Vec<String>,
}

/// 200: new recovery codes, which are returned only here.
#[must_use]
pub fn recovery_codes_answer(call: &Call, outcome: Outcome, user: &User, codes: &[Secret]) -> Answer {
    let urgent = RecoveryCodesShown {
        recovery_codes: codes.iter().map(|code| code.expose().to_owned()).collect(),
    };
    let (meta, data) = (Meta::new(call, 200, "object"), UserShown::new(user, call.now));
    Answer::json(200, outcome, &RecoveryCodesAnswer { meta, data, urgent })
}

/// 201: a new token. Its text is returned only here; `outcome` is the name in the log.
#[must_use]
pub fn token_answer(
    call: &Call,
    outcome: Outcome,
    token: &Token,
    text: &Secret,
    grant_type: &'static str,
    urgent: impl Into<Urgent>,
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
    let urgent = urgent.into();
    let meta = Meta::new(call, 201, "object");
    Answer::json(201, outcome, &TokenAnswer { meta, data, urgent })
}

#[cfg(test)]
mod tests {
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
    use rand::rngs::SysRng;

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
