//! Texts that callers read, each declared once. Only those that tests in several files compare are here.

// Bodies of the GitLab dialect: support PINs, and tokens for them.
pub const UNAUTHORIZED: &str = r#"{"message":"401 Unauthorized"}"#;
pub const FORBIDDEN: &str = r#"{"message":"403 Forbidden"}"#;
pub const NO_PIN: &str = r#"{"message":"404 Support PIN not found or expired Not Found"}"#;
pub const NO_PIN_TO_REVOKE: &str = r#"{"message":"404 Support PIN not found or already expired Not Found"}"#;
pub const INTERNAL_ERROR: &str = r#"{"message":"500 Internal Server Error"}"#;
pub const UNAVAILABLE: &str = r#"{"message":"503 Service Unavailable"}"#;
pub const CREATE_FAILED: &str = r#"{"error":"Failed to create support PIN"}"#;
pub const SHOW_FAILED: &str = r#"{"error":"Error retrieving Support PIN for user."}"#;
pub const REVOKE_FAILED: &str = r#"{"error":"Error revoking Support PIN for user."}"#;
pub const REVOKED: &str =
    r#"{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}"#;
pub const NO_ROUTE: &str = r#"{"error":"404 Not Found"}"#;
pub const NO_METHOD: &str = r#"{"error":"405 Not Allowed"}"#;

// Errors of the passcode dialect.
pub const BAD_REQUEST: &str = "Bad Request";
pub const BAD_MEDIA_TYPE: &str = "Unsupported Media Type";

// Messages of the Era dialect: registrations and passwords.
pub const NO_REQUEST: &str = "request not found or expired";
pub const MALFORMED: &str = "malformed request";
pub const UNSUPPORTED_MEDIA_TYPE: &str = "unsupported media type";
pub const TOO_LARGE: &str = "request body too large";
pub const IN_PROGRESS: &str = "the same request is being processed";
pub const TEMPORARILY_UNAVAILABLE: &str = "temporarily unavailable, try again later";
pub const MAIL_UNSENT: &str = "mail cannot be sent, try again later";
pub const ERA_UNAUTHORIZED: &str = "unauthorized";
pub const ACCOUNT_BLOCKED: &str = "your account has been blocked";
pub const WRONG_PASSWORD: &str = "current_pwd is wrong";
pub const LOGIN_TAKEN: &str = "login already exists";
pub const EMAIL_TAKEN: &str = "email already exists";
pub const LOGIN_SYMBOLS: &str = "login contains invalid symbols";
pub const LOGIN_UNEXPECTED: &str = "login is not expected";
pub const OPTS_UNEXPECTED: &str = "opts is not expected";
pub const IS_ADMIN_UNEXPECTED: &str = "is_admin is not expected";
pub const DOMAIN_REQUIRED: &str = "domain is required";
pub const DOMAIN_NOT_STRING: &str = "domain must be a string";
pub const PASSWORD_REQUIRED: &str = "pwd is required";
pub const PASSWORD_NOT_STRING: &str = "pwd must be a string";
pub const PASSWORD_TOO_SHORT: &str = "pwd is too short. Expected: at least 8 characters";
pub const PASSWORD_OVER_64: &str = "pwd is too long. Expected: at most 64 characters";
pub const PASSWORD_OVER_128: &str = "pwd is too long. Expected: at most 128 characters";
pub const PASSWORD_SYMBOLS: &str = "pwd contains invalid symbols. Expected: A-Za-z0-9_-.~!";
pub const PASSWORD_DIGITS: &str = "pwd contains invalid symbols. Expected: 0-9";
pub const PASSWORD_COMMON: &str = "pwd is one of the most common passwords";

// Bodies of the Era dialect.
pub const ERA_UNAVAILABLE_BODY: &str =
    r#"{"error_code":1503,"error_message":"temporarily unavailable, try again later"}"#;
pub const ERA_TOO_LARGE_BODY: &str = r#"{"error_code":1413,"error_message":"request body too large"}"#;

// Messages of the Mithril dialect: logins, users and second factors.
pub const WRONG_IDENTITY: &str = "Identity, password combination is wrong.";
pub const NO_AUTHORIZATION: &str = "Authorization header required.";
pub const WRONG_CLIENT_SECRET: &str = "Invalid client secret.";
pub const ALLOWED_SCOPES: &str = "Allowed scopes for the token are ";
pub const TOKEN_EXPIRED: &str = "Token expired.";
pub const CODE_EXPIRED: &str = "OTP expired.";
pub const TOO_MANY_SENDS: &str = "Sending OTP timeout. Try later.";
pub const SMS_UNSENT: &str = "SMS not sent. Try later";
pub const SERVICE_UNAVAILABLE: &str = "Service unavailable. Try later.";
pub const SERVICE_UNAVAILABLE_ERROR: &str =
    r#""error":{"type":"internal_error","message":"Service unavailable. Try later."}}"#;
pub const MALFORMED_REQUEST: &str = "Malformed request.";
pub const VALIDATION_FAILED: &str = "Validation failed.";
pub const REQUEST_IN_PROGRESS: &str = "The same request is being processed.";
pub const FACTOR_NOT_SET: &str = "Factor not set";
pub const NO_FACTOR: &str = "Not found authentication factor for user.";
pub const NO_FACTOR_DATA: &str = "Not found 2FA data for user";
pub const FACTOR_EXISTS: &str = "authentication_factor with such type are exist";

// Mithril's messages for an invalid value.
pub const BLANK: &str = "can't be blank";
pub const INVALID: &str = "is invalid";
pub const INVALID_FORMAT: &str = "has invalid format";
pub const TAKEN: &str = "has already been taken";
pub const IMPOSSIBLE_PHONE: &str = "is not a possible phone number";
pub const UNEXPECTED_FIELD: &str = "schema does not allow additional properties";
