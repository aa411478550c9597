//! Factors.

use serde::Serialize;
use utoipa::ToSchema;

use super::user::UserShown;
use crate::{
    domain::people::{factor::Factor, user::User},
    http::{
        call::Call,
        dialects::mithril::{body::factor_types, envelope::Meta},
        reply::Answer,
    },
    observe::Outcome,
};

/// A factor.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactorAnswer {
    meta: Meta,
    data: FactorShown,
}

/// The factors of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactorList {
    meta: Meta,
    data: Vec<FactorShown>,
    paging: Paging,
}

/// A second factor of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactorShown {
    /// The factor's id.
    id: String,
    /// The type of the factor.
    #[schema(schema_with = factor_types)]
    r#type: &'static str,
    /// The masked phone, `******` for an authenticator app, the number of unused recovery codes; `null` until its owner
    /// has set it.
    #[schema(required = true, example = "+38088*****30")]
    factor: Option<String>,
    /// Whether logins require it.
    is_active: bool,
    /// The owner.
    user_id: String,
    /// Time of creation: UTC, whole seconds.
    #[schema(format = DateTime)]
    inserted_at: String,
    /// Time of the last change: UTC, whole seconds.
    #[schema(format = DateTime)]
    updated_at: String,
    /// The owner, in the response that creates the factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserShown>,
}

/// The page of a list: all factors or devices of a user fit on one page.
#[derive(Debug, Serialize, ToSchema)]
pub struct Paging {
    #[schema(example = 1)]
    page_number: u64,
    #[schema(example = 50)]
    page_size: u64,
    #[schema(example = 1)]
    total_pages: u64,
    total_entries: usize,
}

/// 200: a factor.
#[must_use]
pub fn factor_answer(call: &Call, outcome: Outcome, factor: &Factor) -> Answer {
    let (meta, data) = (Meta::new(call, 200, "object"), FactorShown::new(factor, None));
    Answer::json(200, outcome, &FactorAnswer { meta, data })
}

/// 201: a new factor and its location.
#[must_use]
pub fn factor_made(call: &Call, outcome: Outcome, factor: &Factor, user: &User) -> Answer {
    let user = UserShown::new(user, call.now);
    let (meta, data) = (Meta::new(call, 201, "object"), FactorShown::new(factor, Some(user)));
    let location = format!("{}/{}", call.path, data.id);
    Answer::json(201, outcome, &FactorAnswer { meta, data }).with_header("location", location)
}

/// 200: the requested factors.
#[must_use]
pub fn factor_list(call: &Call, outcome: Outcome, factors: &[Factor]) -> Answer {
    let paging = Paging::of_all(factors.len());
    let data = factors.iter().map(|factor| FactorShown::new(factor, None)).collect();
    let meta = Meta::new(call, 200, "list");
    Answer::json(200, outcome, &FactorList { meta, data, paging })
}

impl Paging {
    pub(super) fn of_all(total_entries: usize) -> Self {
        Self {
            page_number: 1,
            page_size: 50,
            total_pages: 1,
            total_entries,
        }
    }
}

impl FactorShown {
    fn new(factor: &Factor, user: Option<UserShown>) -> Self {
        Self {
            id: factor.id.text(),
            r#type: factor.factor_type().name(),
            factor: factor.masked(),
            is_active: factor.is_active,
            user_id: factor.user.text(),
            inserted_at: factor.inserted_at.iso(),
            updated_at: factor.updated_at.iso(),
            user,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;
    use serde_json::json;

    use super::{
        super::{
            tests::{PATH, check, whole},
            user::tests::{any_user, shown},
        },
        *,
    };
    use crate::domain::{
        people::{
            factor::{FactorPhone, FactorType, Value},
            phone::Phone,
        },
        time::Timestamp,
    };

    #[test]
    fn a_factor_is_shown_masked() {
        let user = any_user();
        let made = Factor::new(user.id, FactorType::Sms, &mut SysRng, Timestamp::from_seconds(0)).expect("entropy");
        let phone = FactorPhone {
            number: Phone::from_stored("+380881234530").expect("a phone"),
            set_at: None,
            by_operator: false,
        };
        let set = Factor {
            value: Value::Sms(Some(phone)),
            is_active: false,
            ..made.clone()
        };
        let id = made.id.text();
        let factor = |value: Option<&str>, is_active: bool| {
            json!({
                "id": id, "type": "SMS", "factor": value, "is_active": is_active, "user_id": user.id.text(),
                "inserted_at": "1970-01-01T00:00:00Z", "updated_at": "1970-01-01T00:00:00Z",
            })
        };
        let (empty, masked) = (factor(None, true), factor(Some("+38088*****30"), false));
        let one = whole(200, "object", json!({ "data": masked }));
        check(|call| factor_answer(call, Outcome::Described, &set), 200, &one);
        let paging = json!({ "page_number": 1, "page_size": 50, "total_pages": 1, "total_entries": 2 });
        let list = whole(200, "list", json!({ "data": [empty, masked], "paging": paging }));
        check(|call| factor_list(call, Outcome::Described, &[made.clone(), set.clone()]), 200, &list);
        let mut with_user = empty.clone();
        with_user["user"] = shown(&user, None, false);
        let with_user = whole(201, "object", json!({ "data": with_user }));
        let answer = check(|call| factor_made(call, Outcome::Described, &made, &user), 201, &with_user);
        assert_eq!(answer.headers, [("location", format!("{PATH}/{id}"))]);
    }
}
