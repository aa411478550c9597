//! Responses: tokens, users, factors and devices, in the original's form. `outcome` is the name in the log.

mod device;
mod factor;
mod token;
mod user;

pub use self::{
    device::{DeviceList, DeviceShown, device_list},
    factor::{FactorAnswer, FactorList, FactorShown, Paging, factor_answer, factor_list, factor_made},
    token::{
        NextStep, RecoveryCodesAnswer, RecoveryCodesShown, TokenAnswer, TokenDetails, TokenShown, TotpShown, Urgent,
        recovery_codes_answer, request_otp, token_answer,
    },
    user::{UserAnswer, UserShown, user_answer, user_made},
};

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::http::{
        call::{Call, tests::call},
        reply::Answer,
    };

    pub(super) const PATH: &str = "/mithril/api/users/u/authentication_factors";

    /// A whole response: the metadata and the rest.
    pub(super) fn whole(code: u16, r#type: &str, rest: Value) -> Value {
        let mut body = rest;
        body["meta"] = json!({ "code": code, "url": format!("https://d{PATH}"), "type": r#type, "request_id": "r" });
        body
    }

    /// Compares the whole response except its headers.
    pub(super) fn check(answer: impl FnOnce(&Call) -> Answer, status: u16, expected: &Value) -> Answer {
        let answer = answer(&call(&json!({ "rawPath": PATH })));
        let body: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!((answer.status, &body), (status, expected));
        answer
    }
}
