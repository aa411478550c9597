//! The sentences that callers read, where tests of several files compare them.

pub const UNAUTHORIZED: &str = r#"{"message":"401 Unauthorized"}"#;
pub const FORBIDDEN: &str = r#"{"message":"403 Forbidden"}"#;
pub const NO_USER: &str = r#"{"message":"404 User Not Found"}"#;
pub const NO_PIN: &str = r#"{"message":"404 Support PIN not found or expired Not Found"}"#;
pub const NO_PIN_TO_REVOKE: &str = r#"{"message":"404 Support PIN not found or already expired Not Found"}"#;
pub const UNAVAILABLE: &str = r#"{"message":"503 Service Unavailable"}"#;
pub const CREATE_FAILED: &str = r#"{"error":"Failed to create support PIN"}"#;
pub const SHOW_FAILED: &str = r#"{"error":"Error retrieving Support PIN for user."}"#;
pub const REVOKE_FAILED: &str = r#"{"error":"Error revoking Support PIN for user."}"#;
pub const REVOKED: &str =
    r#"{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}"#;
pub const NO_REQUEST: &str = "request not found or expired";
pub const WRONG_PASSWORD: &str = "current_pwd is wrong";
