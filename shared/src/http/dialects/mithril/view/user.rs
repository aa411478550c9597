//! Users.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        auth::lockout::Why,
        people::{tenant::Opt, user::User},
        time::Timestamp,
    },
    http::{call::Call, dialects::mithril::envelope::Meta, reply::Answer},
    observe::Outcome,
};

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserAnswer {
    meta: Meta,
    data: UserShown,
}

/// A user with an account in one domain.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserShown {
    /// The user's id.
    id: String,
    /// Mail address.
    email: String,
    /// The domain of the account.
    domain: String,
    /// Login name.
    login: String,
    /// Display name.
    name: String,
    /// Whether the user is an administrator of the domain.
    is_admin: bool,
    /// Whether the user is blocked from signing in now.
    is_blocked: bool,
    /// The reason of the block; `null` for a user who is not blocked.
    #[schema(required = true)]
    block_reason: Option<&'static str>,
    /// Custom fields of the account.
    #[schema(value_type = Object)]
    settings: BTreeMap<String, Setting>,
    /// Time of creation: UTC, whole seconds.
    #[schema(format = DateTime)]
    inserted_at: String,
    /// Time of the last change: UTC, whole seconds.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// A custom field of an account.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Setting {
    Flag(bool),
    Number(i64),
    Text(String),
}

/// 200: a user.
#[must_use]
pub fn user_answer(call: &Call, outcome: Outcome, user: &User) -> Answer {
    user_with(200, call, outcome, user)
}

/// 201: a new user.
#[must_use]
pub fn user_made(call: &Call, outcome: Outcome, user: &User) -> Answer {
    user_with(201, call, outcome, user)
}

fn user_with(status: u16, call: &Call, outcome: Outcome, user: &User) -> Answer {
    let (meta, data) = (Meta::new(call, status, "object"), UserShown::new(user, call.now));
    Answer::json(status, outcome, &UserAnswer { meta, data })
}

impl UserShown {
    /// A user, with the block status as of now.
    pub(super) fn new(user: &User, now: Timestamp) -> Self {
        let block = user.lockout.active_block(now);
        let setting = |opt: &Opt| match opt {
            Opt::Flag(flag) => Setting::Flag(*flag),
            Opt::Number(number) => Setting::Number(*number),
            Opt::Text(text) => Setting::Text(text.clone()),
        };
        let settings = user.opts.iter().map(|(name, opt)| (name.clone(), setting(opt)));
        Self {
            id: user.id.text(),
            email: user.email.as_str().to_owned(),
            domain: user.domain.as_str().to_owned(),
            login: user.login.as_str().to_owned(),
            name: user.name.as_str().to_owned(),
            is_admin: user.is_admin,
            is_blocked: block.is_some(),
            block_reason: block.map(|block| match block.why {
                Why::Passwords => "Passed invalid password more than USER_LOGIN_ERROR_MAX",
                Why::Otps => "Passed invalid OTP more than USER_OTP_ERROR_MAX",
                Why::Decision => "Blocked by an administrator",
            }),
            settings: settings.collect(),
            inserted_at: user.inserted_at.iso(),
            updated_at: user.updated_at.iso(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::{
        super::tests::{check, whole},
        *,
    };
    use crate::{
        domain::{
            auth::lockout::{Block, Lockout},
            people::user::tests::user,
        },
        http::call::tests::call,
    };

    /// The expected response for a user.
    pub(in super::super) fn shown(user: &User, block_reason: Option<&str>, is_blocked: bool) -> Value {
        json!({
            "id": user.id.text(), "email": "my.address@yandex.ru", "domain": "pbx.era-platform.ru",
            "login": "my_login", "name": "My Name", "is_admin": false, "is_blocked": is_blocked,
            "block_reason": block_reason, "settings": { "a": true, "b": -1, "c": "x" },
            "inserted_at": "1970-01-01T00:00:00Z", "updated_at": "1970-01-01T00:00:00Z",
        })
    }

    /// A user with custom fields of every type.
    pub(in super::super) fn any_user() -> User {
        let opts = [
            ("a", Opt::Flag(true)),
            ("b", Opt::Number(-1)),
            ("c", Opt::Text("x".into())),
        ];
        User {
            opts: opts.map(|(name, opt)| (name.to_owned(), opt)).into(),
            ..user()
        }
    }

    #[test]
    fn a_user_is_shown_with_the_active_block() {
        let now = call(&json!({})).now;
        let (soon, already) = (now.deadline(1), now.deadline(0));
        for (block, expected) in [
            (None, (None, false)),
            (Some((Why::Decision, None)), (Some("Blocked by an administrator"), true)),
            (
                Some((Why::Passwords, Some(soon))),
                (Some("Passed invalid password more than USER_LOGIN_ERROR_MAX"), true),
            ),
            (Some((Why::Otps, Some(soon))), (Some("Passed invalid OTP more than USER_OTP_ERROR_MAX"), true)),
            (Some((Why::Otps, Some(already))), (None, false)),
        ] {
            let block = block.map(|(why, until)| Block {
                why,
                at: already,
                until,
            });
            let lockout = Lockout {
                block,
                ..Lockout::default()
            };
            let user = User { lockout, ..any_user() };
            let data = json!({ "data": shown(&user, expected.0, expected.1) });
            check(|call| user_answer(call, Outcome::Described, &user), 200, &whole(200, "object", data.clone()));
            check(|call| user_made(call, Outcome::Described, &user), 201, &whole(201, "object", data));
        }
    }
}
