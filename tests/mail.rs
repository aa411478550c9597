//! Captured mail, and the links in it.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    people::DOMAIN,
    requests::{Ask, Got},
    world::World,
};

pub const REGISTER: &str = "/rest/v1/iam/self_register_requests";
pub const RESET: &str = "/rest/v1/iam/pwd_reset_requests";

/// What both routes answer whatever becomes of the mail.
pub const CHECK_MAIL: &str =
    r#"{"error_code":0,"result":true,"result_msg":"Check your email box for confirmation URL"}"#;

impl World {
    /// Every mail so far to an address, oldest first.
    pub async fn mails_to(&self, address: &str) -> Vec<Value> {
        let mut mails = self.mails().await;
        mails.retain(|mail| mail["to"] == address);
        mails
    }

    /// Every mail so far to a mailbox: to an address with or without a `+tag`, in any letter case.
    pub async fn mails_in(&self, mailbox: &str) -> Vec<Value> {
        let mut mails = self.mails().await;
        mails.retain(|mail| {
            let to = mail["to"].as_str().expect("an address").to_ascii_lowercase();
            let (local, domain) = to.split_once('@').expect("an address");
            format!("{}@{domain}", local.split('+').next().expect("a part")) == mailbox
        });
        mails
    }

    /// Every mail so far, oldest first.
    pub async fn mails(&self) -> Vec<Value> {
        let messages = self.get("/_local/messages").local().await;
        messages.as_array().expect("a list").clone()
    }

    /// The credential of the link in the newest mail to an address.
    pub async fn link_to(&self, address: &str) -> String {
        let mails = self.mails_to(address).await;
        let text = mails.last().and_then(|mail| mail["text"].as_str());
        let id = credential(text.unwrap_or_else(|| panic!("no mail to {address}")));
        self.keep_out_of_logs(&id);
        id
    }

    /// Asks to register in the demo domain, from an address of its own.
    pub fn register(&self, login: &str, email: &str) -> Ask<'_> {
        self.post(REGISTER)
            .json(&json!({ "domain": DOMAIN, "login": login, "name": "My Name", "email": email }))
            .of_a_new_source()
    }

    /// Follows a registration's link.
    pub async fn confirm(&self, id: &str, pwd: &str) -> Got {
        self.keep_out_of_logs(pwd);
        let request = self.ask("PATCH", &format!("{REGISTER}/{id}"));
        request.json(&json!({ "pwd": pwd })).send().await
    }

    /// A new account of the demo domain, by registration.
    pub async fn registered(&self, login: &str, email: &str, pwd: &str) {
        let got = self.register(login, email).send().await;
        assert_eq!((got.status, got.body.as_str()), (200, CHECK_MAIL));
        let got = self.confirm(&self.link_to(email).await, pwd).await;
        assert_eq!(got.status, 200, "{got:?}");
    }

    /// Asks for a password reset in the demo domain, from an address of its own.
    pub fn forgot(&self, key: &str) -> Ask<'_> {
        self.post(RESET)
            .json(&json!({ "key": key, "domain": DOMAIN }))
            .of_a_new_source()
    }

    /// Follows a password reset's link.
    pub async fn reset(&self, id: &str, pwd: &str) -> Got {
        self.keep_out_of_logs(pwd);
        let request = self.ask("PATCH", &format!("{RESET}/{id}"));
        request.json(&json!({ "pwd": pwd })).send().await
    }

    /// Changes a password, signed in.
    pub async fn change_password(&self, token: &str, current: &str, new: &str) -> Got {
        for secret in [current, new] {
            self.keep_out_of_logs(secret);
        }
        let body = json!({ "current_pwd": current, "new_pwd": new });
        self.post(RESET).bearer(token).json(&body).send().await
    }
}

/// The credential of the one link in a mail's text.
pub fn credential(text: &str) -> String {
    let links: Vec<_> = text.match_indices("/app-root#/").collect();
    assert_eq!(links.len(), 1, "one link in {text}");
    let rest = &text[links[0].0..];
    let id = rest.split('/').nth(3).expect("a view and an id");
    let id: String = id.chars().take_while(|c| !c.is_whitespace()).collect();
    assert_eq!(id.len(), 36, "{text}");
    id
}

/// The dialect's refusal of a value.
pub fn bad_value(got: &Got, field: &str, message: &str) {
    let body = format!(r#"{{"error_code":1501,"error_message":"{message}","error_details":{{"field":"{field}"}}}}"#);
    assert_eq!((got.status, got.body.as_str()), (412, body.as_str()));
}

/// The dialect's other refusals.
pub fn said(got: &Got, status: u16, message: &str) {
    let body = format!(r#"{{"error_code":{},"error_message":"{message}"}}"#, 1000 + status);
    assert_eq!((got.status, got.body.as_str()), (status, body.as_str()));
}

/// The dialect's word for a store that failed.
#[track_caller]
pub fn ours(got: &Got) {
    said(got, 503, "temporarily unavailable, try again later");
    assert_eq!(got.header("retry-after"), Some("5"));
}

/// The row of an address whose mail bounced.
pub async fn suppress(world: &World, address: &str) {
    suppress_for(world, address, "bounce").await;
}

/// The row by which nothing is mailed to an address, for that reason.
pub async fn suppress_for(world: &World, address: &str, reason: &str) {
    use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue as A};
    let mut digest = Sha256::new();
    for part in ["suppression", address] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let now = world.now().await;
    let put = world.dynamodb().put_item().table_name("countersign-SuppressionsTable");
    let put = put.item("subject", A::B(Blob::new(digest.finalize().to_vec())));
    let put = put.item("reason", A::S(reason.into()));
    let put = put.item("suppressed_at", A::N(now.to_string()));
    put.item("ttl", A::N((now + 86_400).to_string()))
        .send()
        .await
        .expect("written");
}
