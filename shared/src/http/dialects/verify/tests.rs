//! Every error as it is sent, and pages of lists.

use serde_json::{Value, json};

use super::*;
use crate::{domain::crypto::secret::NoEntropy, http::call::tests::call};

#[test]
fn each_error_has_its_code_and_status() {
    let call = call(&json!({ "rawPath": "/v2/Services/VA1" }));
    let limited = || RateLimited { retry_after: 7 };
    let sms = || Fault::Sms("no".into());
    for (error, status, code, message, retry_after) in [
        (Error::Denied(Denied::NoCredential), 401, 20003, "Authenticate", None),
        (Error::Denied(Denied::UnknownCredential), 401, 20003, "Authenticate", None),
        (Error::Denied(Denied::WrongSecret), 401, 20003, "Authenticate", None),
        (
            Error::Denied(Denied::NoService),
            404,
            20404,
            "The requested resource /v2/Services/VA1 was not found",
            None,
        ),
        (Error::NotFound, 404, 20404, "The requested resource /v2/Services/VA1 was not found", None),
        (
            Error::Denied(Denied::NoEntity),
            404,
            20404,
            "The requested resource /v2/Services/VA1 was not found",
            None,
        ),
        (Refused::TooManyChallenges(limited()).into(), 429, 20429, "Too many requests", Some("7")),
        (Refused::Unreadable.into(), 500, 20500, "Internal server error", None),
        (Error::TooManyRequests(limited()), 429, 20429, "Too many requests", Some("7")),
        (Error::Invalid("To"), 400, 60200, "Invalid parameter: To", None),
        (Error::LimitReached("No more"), 400, 20001, "No more", None),
        (Error::MaxCheckAttempts(limited()), 429, 60202, "Max check attempts reached", Some("7")),
        (Error::MaxSendAttempts(limited()), 429, 60203, "Max send attempts reached", Some("7")),
        (Error::FeatureOff, 403, 60204, "The service does not support this feature", None),
        (
            Error::TooManyConcurrent(limited()),
            429,
            60212,
            "Too many concurrent requests for the phone number",
            Some("7"),
        ),
        (Error::ChannelOff, 400, 60223, "The delivery channel is disabled", None),
        (
            Error::UnverifiedBudget,
            403,
            60410,
            "Messages to this destination are suspended: too many were not verified",
            None,
        ),
        (Error::MalformedVerification, 400, 60425, "The verification SID is not valid", None),
        (Error::CountryNotListed, 403, 60605, "Messages are not sent to this country", None),
        (Error::InvalidChallenge, 400, 60306, "The challenge is not valid", None),
        (
            Error::MaxChallengeAttempts(limited()),
            429,
            60308,
            "Max attempts of the challenge reached",
            Some("7"),
        ),
        (Error::MaxFactorAttempts(limited()), 429, 60310, "Max attempts of the factor reached", Some("7")),
        (Error::FactorNotVerified, 403, 60311, "The factor is not verified", None),
        (Error::ChallengeExpired, 403, 60323, "The challenge has expired", None),
        (Error::NotSent(sms()), 503, 20503, "The message cannot be sent, try again later", Some("5")),
        (Error::Fault(NoEntropy.into()), 503, 20503, "Service unavailable, try again later", Some("5")),
        (Error::Fault(sms()), 500, 20500, "Internal server error", None),
        (Error::Rejected(Rejection::Malformed), 400, 20001, "Malformed request", None),
        (Error::Rejected(Rejection::TooLarge), 413, 20001, "Request body too large", None),
    ] {
        let reply = error.reply(&call);
        let body: Value = serde_json::from_str(&reply.body).expect("JSON");
        let more_info = format!("https://www.twilio.com/docs/errors/{code}");
        let expected = json!({ "code": code, "message": message, "more_info": more_info, "status": status });
        assert_eq!((reply.status, &body), (status, &expected));
        let header = |name| reply.headers.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_str());
        assert_eq!(header("retry-after"), retry_after, "{message}");
        assert_eq!(header("www-authenticate"), (status == 401).then_some(CHALLENGE), "{message}");
    }
}

#[test]
fn a_page_of_a_list_names_its_neighbours() {
    let of = |query: &str| Paging::read(&call(&json!({ "rawQueryString": query })));
    let all: Vec<_> = (0..5).collect();
    let at = |page: usize| format!("u?PageSize=2&Page={page}");
    for (page, on_page, previous, next) in [
        (0, &[0, 1][..], None, Some(at(1))),
        (1, &[2, 3], Some(at(0)), Some(at(2))),
        (2, &[4], Some(at(1)), None),
        (3, &[], Some(at(2)), None),
        (usize::try_from(u32::MAX).expect("64 bits"), &[], Some(at(4_294_967_294)), None),
    ] {
        let paging = of(&format!("PageSize=2&Page={page}")).expect("in range");
        assert_eq!(paging.of(&all), on_page, "{page}");
        let meta = serde_json::to_value(paging.meta("u", "all", all.len())).expect("JSON");
        let expected = json!({
            "page": page, "page_size": 2, "first_page_url": at(0), "previous_page_url": previous,
            "next_page_url": next, "key": "all", "url": at(page),
        });
        assert_eq!(meta, expected, "{page}");
    }
    let whole = of("").expect("the default");
    assert_eq!(whole.of(&all), all);
    let exact = of("PageSize=5").expect("in range").meta("u", "all", all.len());
    assert_eq!(exact.next_page_url, None);
    for (query, name) in [
        ("PageSize=0", "PageSize"),
        ("PageSize=1001", "PageSize"),
        ("PageSize=", "PageSize"),
        ("PageSize=+1", "PageSize"),
        ("Page=-1", "Page"),
        ("Page=4294967296", "Page"),
        ("Page=x", "Page"),
    ] {
        assert!(matches!(of(query), Err(Error::Invalid(found)) if found == name), "{query}");
    }
}
