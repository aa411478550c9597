//! Token requests.

use super::{fields::Fields, presented};
use crate::{
    domain::{crypto::secret::Secret, otp::Submitted, password::Password},
    http::{call::Call, dialects::mithril::Error},
};

/// A token request: the grants of `POST /mithril/api/tokens`.
#[derive(Debug)]
pub enum TokenRequest {
    /// `password`: a user signs in.
    Password {
        /// The mail address, unverified: an invalid one belongs to no user.
        email: String,
        /// The password.
        password: Password,
        /// The client that the token is for, unverified.
        client_id: String,
        /// Names of scopes, separated by spaces.
        scope: String,
        /// The device that the user logs in from.
        device: DeviceFields,
    },
    /// `authorize_2fa_access_token`: a user who signed in submits the code as well.
    Authorize {
        /// The second-factor token, if present.
        token: Option<Secret>,
        /// What is submitted.
        otp: Submitted,
        /// Whether the device becomes a known one, or a known one gets another token.
        device: bool,
    },
    /// `refresh_2fa_access_token`: a user who signed in requests another code.
    Refresh {
        /// The second-factor token, if present.
        token: Option<Secret>,
    },
    /// `client_credentials`: a client, in its own name.
    ClientCredentials {
        /// The client, unverified.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
        /// Names of scopes, separated by spaces.
        scope: String,
    },
}

/// What a login says about its device.
#[derive(Debug, Default)]
pub struct DeviceFields {
    /// The token of a known device, unverified: any other text belongs to an unknown one.
    pub token: Option<Secret>,
    /// Whether the device becomes a known one, or a known one gets another token.
    pub is_wanted: bool,
}

impl TokenRequest {
    /// The type of the grant.
    #[must_use]
    pub fn grant_type(&self) -> GrantType {
        match self {
            Self::Password { .. } => GrantType::Password,
            Self::Authorize { .. } => GrantType::Authorize,
            Self::Refresh { .. } => GrantType::Refresh,
            Self::ClientCredentials { .. } => GrantType::ClientCredentials,
        }
    }
}

/// The grant types, by their names in requests.
#[derive(Clone, Copy, Debug)]
pub enum GrantType {
    /// A user signs in.
    Password,
    /// A user who signed in submits the code as well.
    Authorize,
    /// A user who signed in requests another code.
    Refresh,
    /// A client, in its own name.
    ClientCredentials,
}

impl GrantType {
    const ALL: [Self; 4] = [Self::Password, Self::Authorize, Self::Refresh, Self::ClientCredentials];

    /// The name in requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Authorize => "authorize_2fa_access_token",
            Self::Refresh => "refresh_2fa_access_token",
            Self::ClientCredentials => "client_credentials",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match name {
            // The original's documentation has two names for one grant.
            "resend_otp" => Some(Self::Refresh),
            name => Self::ALL.into_iter().find(|grant_type| grant_type.name() == name),
        }
    }
}

/// Reads a token request; `otp_length` is the number of digits of a code. The second-factor token is that of
/// `Authorization: Bearer`, or else the field's.
///
/// # Errors
/// 400 when the body is not an object; [`Error::NoGrantType`]; 422 naming the fields.
pub fn read_grant(call: &Call, otp_length: usize) -> Result<TokenRequest, Error> {
    let body = call.json()?;
    let mut fields = Fields::wrapped(&body, "token");
    let grant_type = fields.word("grant_type").and_then(GrantType::parse);
    match grant_type.ok_or(Error::NoGrantType)? {
        GrantType::Password => {
            let (email, password) = (fields.text("email"), fields.password("password"));
            let (client_id, scope) = (fields.text("client_id"), fields.text("scope"));
            let device = DeviceFields {
                token: fields.given("device_token").cloned(),
                is_wanted: fields.flag("device"),
            };
            fields.end(|| {
                Some(TokenRequest::Password {
                    email: email?.expose().to_owned(),
                    password: password?,
                    client_id: client_id?.expose().to_owned(),
                    scope: scope?.expose().to_owned(),
                    device,
                })
            })
        }
        GrantType::Authorize => {
            let (given, otp) = (fields.given("token"), fields.submitted("otp", otp_length));
            let device = fields.flag("device");
            fields.end(|| {
                Some(TokenRequest::Authorize {
                    token: presented(call, given),
                    otp: otp?,
                    device,
                })
            })
        }
        GrantType::Refresh => {
            let given = fields.given("token");
            fields.end(|| {
                Some(TokenRequest::Refresh {
                    token: presented(call, given),
                })
            })
        }
        GrantType::ClientCredentials => {
            let (client_id, client_secret) = (fields.text("client_id"), fields.text("client_secret"));
            let scope = fields.text("scope");
            fields.end(|| {
                Some(TokenRequest::ClientCredentials {
                    client_id: client_id?.expose().to_owned(),
                    client_secret: client_secret?.clone(),
                    scope: scope?.expose().to_owned(),
                })
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{check, post, refused},
        *,
    };

    fn show_grant(request: TokenRequest) -> String {
        let text = |token: Option<Secret>| token.map_or("none".to_owned(), |token| token.expose().to_owned());
        match request {
            TokenRequest::Password {
                email,
                client_id,
                scope,
                device: DeviceFields { token, is_wanted },
                ..
            } => format!("password {email} {client_id} {scope} {} {is_wanted}", text(token)),
            TokenRequest::Authorize { token, device, .. } => format!("authorize {} {device}", text(token)),
            TokenRequest::Refresh { token } => format!("refresh {}", text(token)),
            TokenRequest::ClientCredentials {
                client_id,
                client_secret,
                scope,
            } => format!("client {client_id} {} {scope}", client_secret.expose()),
        }
    }

    #[test]
    fn grants_are_parsed_flat_and_wrapped() {
        let password = r#""grant_type":"password","email":"a@b.c","password":"x","client_id":"app","scope":"a b""#;
        let client = r#""grant_type":"client_credentials","client_id":"app","client_secret":"s","scope":"passcode""#;
        let authorize = r#""grant_type":"authorize_2fa_access_token""#;
        let refresh = r#""grant_type":"refresh_2fa_access_token""#;
        let long = |length| format!("\"{}\"", "x".repeat(length));
        check(
            |call| read_grant(call, 6),
            show_grant,
            &[
                (&format!("{{{password}}}"), Ok("password a@b.c app a b none false")),
                (&format!(r#"{{"token":{{{password}}}}}"#), Ok("password a@b.c app a b none false")),
                (&format!(r#"{{{password},"device_token":"d","device":true}}"#), Ok("password a@b.c app a b d true")),
                (
                    &format!(r#"{{{password},"device_token":7,"device":"yes"}}"#),
                    Err("$.device_token cast, $.device cast"),
                ),
                (&format!(r#"{{{authorize},"otp":"042317","device":true}}"#), Ok("authorize none true")),
                (&format!("{{{client}}}"), Ok("client app s passcode")),
                (&format!(r#"{{{refresh},"token":"t"}}"#), Ok("refresh t")),
                (&format!(r#"{{"token":{{{refresh},"token":"t"}}}}"#), Ok("refresh t")),
                (&format!("{{{refresh}}}"), Ok("refresh none")),
                (&format!(r#"{{{authorize},"token":"t","otp":"042317"}}"#), Ok("authorize t false")),
                (&format!(r#"{{{authorize},"otp":42317}}"#), Ok("authorize none false")),
                (&format!("{{{authorize}}}"), Err("$.otp required")),
                (&format!(r#"{{{refresh},"token":""}}"#), Ok("refresh none")),
                (&format!(r#"{{{refresh},"token":null}}"#), Ok("refresh none")),
                (&format!(r#"{{{refresh},"token":7}}"#), Err("$.token cast")),
                (&format!(r#"{{{password},"is_admin":true}}"#), Err("$.is_admin additionalProperties")),
                (
                    &format!(r#"{{"token":{{{refresh},"token":{{}}}},"otp":"1","a":1}}"#),
                    Err("$.token cast, $.a additionalProperties, $.otp additionalProperties"),
                ),
                (
                    r#"{"grant_type":"password","email":"","password":null,"client_id":7}"#,
                    Err("$.email required, $.password required, $.client_id cast, $.scope required"),
                ),
                (&format!("{{{}}}", password.replace(r#""x""#, &long(1024))), Ok("password a@b.c app a b none false")),
                (&format!("{{{}}}", password.replace(r#""x""#, &long(1025))), Err("$.password format")),
                (r#"{"grant_type":"resend_otp","token":"t"}"#, Ok("refresh t")),
                (r#"{"token":{"grant_type":"resend_otp","token":"t"}}"#, Ok("refresh t")),
                (r#"{"grant_type":"RESEND_OTP"}"#, Err("NoGrantType")),
                (r#"{"grant_type":["password"]}"#, Err("NoGrantType")),
                (r#"{"grant_type":"Password"}"#, Err("NoGrantType")),
                (r#"{"grant_type":"password","token":{}}"#, Err("NoGrantType")),
                ("{}", Err("NoGrantType")),
                ("[]", Err("Rejected(Malformed)")),
                (r#"{"otp":"1","otp":"2"}"#, Err("Rejected(Malformed)")),
                ("", Err("Rejected(Malformed)")),
            ],
        );
    }

    #[test]
    fn the_token_in_the_header_takes_precedence() {
        let body = r#"{"grant_type":"refresh_2fa_access_token","token":"field"}"#;
        let read = |bearer| read_grant(&post(body, bearer), 6).map(show_grant).map_err(refused);
        assert_eq!(read(Some("header")).as_deref(), Ok("refresh header"));
        assert_eq!(read(None).as_deref(), Ok("refresh field"));
    }
}
