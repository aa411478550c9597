//! The table of routes and roles, which tests of roles and of scopes share.

/// Every kind of caller, in the order of the table's letters. A token has every scope unless its role says otherwise.
pub const ROLES: [&str; 15] = [
    "anonymous",
    "the user",
    "another user",
    "an administrator",
    "the user, of another scope",
    "an administrator, of another scope",
    "an administrator of another domain",
    "a login that waits for its code",
    "a phone that waits for its code",
    "an expired token",
    "a revoked token",
    "a blocked administrator",
    "the domain's client",
    "another domain's client",
    "no domain's client",
];

/// A route, and a request for it.
pub struct Row {
    pub route: &'static str,
    pub query: &'static str,
    pub body: Option<(&'static str, &'static str)>,
    /// The status of an authorized request.
    pub passes: u16,
    /// A letter for each role, in the order of `ROLES`: `y` if it is authorized, or else `u` for 401, `f` for 403, `m`
    /// for 404.
    pub who: &'static str,
}

/// A row of the table.
pub const fn row(
    route: &'static str,
    query: &'static str,
    body: Option<(&'static str, &'static str)>,
    passes: u16,
    who: &'static str,
) -> Row {
    Row {
        route,
        query,
        body,
        passes,
        who,
    }
}

/// A body of a wrong media type.
const TEXT: Option<(&str, &str)> = Some(("text/plain", "x"));

/// A form without fields.
const FORM: Option<(&str, &str)> = Some(("application/x-www-form-urlencoded", ""));

/// A JSON body with an unknown field.
const JSON: Option<(&str, &str)> = Some(("application/json", r#"{"no":"such field"}"#));

/// The query of the demo client.
const CLIENT: &str = "?client_id=heatclinic";

/// Every route that needs a token.
pub const TABLE: &[Row] = &[
    row("POST /api/v4/user/support_pin", "", TEXT, 415, "uyyyffyuuuufuuu"),
    row("GET /api/v4/user/support_pin", "?%zz", None, 400, "uyyyffyuuuufuuu"),
    row("GET /api/v4/users/{id}/support_pin", "", None, 200, "uffyffmuuuufuuu"),
    row("POST /api/v4/users/{id}/support_pin/revoke", "", TEXT, 415, "uffyffmuuuufuuu"),
    row("GET /passcode/retrieve", CLIENT, None, 400, "uyyyffyuuuuuyff"),
    row("POST /passcode/consume", CLIENT, FORM, 400, "uyyyffyuuuuuyff"),
    row("GET /passcode/status", CLIENT, None, 400, "uyyyffyuuuuuyff"),
    row("POST /passcode/invalidate", CLIENT, FORM, 400, "uyyyffyuuuuuyff"),
    row("POST /mithril/api/users", "", JSON, 422, "uffyffyuuuuuyyf"),
    row("PATCH /mithril/api/users/{user_id}/actions/block", "", JSON, 422, "uffyffmuuuuuymf"),
    row("PATCH /mithril/api/users/{user_id}/actions/unblock", "", JSON, 422, "uffyffmuuuuuymf"),
    row("PATCH /mithril/api/users/{user_id}/actions/create_otp", "", None, 429, "uuuuuuuyuuuuuuu"),
    row("PATCH /mithril/api/users/actions/init_factor", "", JSON, 422, "uyyyyyyyyuuuuuu"),
    row("PATCH /mithril/api/users/actions/approve_factor", "", JSON, 422, "uuuuuuuuyuuuuuu"),
    row("PATCH /mithril/api/users/actions/recovery_codes", "", JSON, 422, "uyyyyyyuuuuuuuu"),
    row("GET /mithril/api/users/{user_id}/authentication_factors", "?type=x", None, 422, "uyfyffmuuuuuymf"),
    row("POST /mithril/api/users/{user_id}/authentication_factors", "", JSON, 422, "uyfyffmuuuuuymf"),
    row("GET /mithril/api/users/{user_id}/authentication_factors/{id}", "", None, 200, "uyfyffmuuuuuymf"),
    row(
        "PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/reset",
        "",
        JSON,
        422,
        "uffyffmuuuuuymf",
    ),
    row(
        "PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/disable",
        "",
        JSON,
        422,
        "uffyffmuuuuuymf",
    ),
    row(
        "PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/enable",
        "",
        JSON,
        422,
        "uffyffmuuuuuymf",
    ),
    row("GET /mithril/api/users/{user_id}/devices", "", None, 200, "uyfyyymuuuuuymf"),
    row("DELETE /mithril/api/users/{user_id}/devices", "", JSON, 422, "uyfyyymuuuuuymf"),
    row("DELETE /mithril/api/users/{user_id}/devices/{id}", "", JSON, 404, "uyfyyymuuuuuymf"),
];
