//! Captured mails and text messages, and the links and codes in them.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::world::World;

impl World {
    /// Delivers what streams hold: notices are mailed, and events are published.
    pub async fn deliver_streams(&self) {
        assert!(self.request("POST", "/_local/streams/deliver").send_unchecked().await.status < 300);
    }

    /// All captured messages, oldest first.
    pub async fn messages(&self) -> Vec<Value> {
        self.deliver_streams().await;
        let messages = self.get("/_local/messages").send_local().await;
        messages.as_array().expect("a list").clone()
    }

    /// The mails to an address, oldest first.
    pub async fn mails_to(&self, address: &str) -> Vec<Value> {
        let mut mails = self.messages().await;
        mails.retain(|mail| mail["to"] == address);
        mails
    }

    /// The mails to a mailbox: to its address with or without a `+tag`, in any letter case.
    pub async fn mails_in(&self, mailbox: &str) -> Vec<Value> {
        let mut mails = self.messages().await;
        mails.retain(|mail| {
            let to = mail["to"].as_str().expect("an address").to_ascii_lowercase();
            let (local, domain) = to.split_once('@').expect("an address");
            format!("{}@{domain}", local.split('+').next().expect("a part")) == mailbox
        });
        mails
    }

    /// The id in the newest link that was mailed to an address.
    pub async fn link_to(&self, address: &str) -> String {
        let mails = self.mails_to(address).await;
        let texts = mails.iter().filter_map(|mail| mail["text"].as_str());
        // Notices may be mailed later than a link that was requested after them.
        let text = texts.rev().find(|text| text.contains("://"));
        let id = credential_in(text.unwrap_or_else(|| panic!("no link to {address}: {mails:?}")));
        self.keep_out_of_logs(&id);
        id
    }

    /// The text messages to a number, oldest first.
    pub async fn sms_to(&self, phone: &str) -> Vec<String> {
        let messages = self.messages().await;
        let to = messages.iter().filter(|message| message["to"] == phone);
        to.map(|message| message["text"].as_str().expect("a text").to_owned()).collect()
    }

    /// The code in the newest text message to a number.
    pub async fn code_to(&self, phone: &str) -> String {
        let texts = self.sms_to(phone).await;
        let text = texts.last().unwrap_or_else(|| panic!("no message to {phone}"));
        let (_, code) = text.rsplit_once('#').expect("an origin-bound line");
        self.keep_out_of_logs(code);
        code.to_owned()
    }
}

/// The id in the one link of a text.
pub fn credential_in(text: &str) -> String {
    let links: Vec<_> = text.match_indices("/app-root#/").collect();
    assert_eq!(links.len(), 1, "one link in {text}");
    let rest = &text[links[0].0..];
    let id = rest.split('/').nth(3).expect("a view and an id");
    let id: String = id.chars().take_while(|c| !c.is_whitespace()).collect();
    assert_eq!(id.len(), 36, "{text}");
    id
}

/// Adds an address to the suppression list, after a bounce.
pub async fn suppress(world: &World, address: &str) {
    suppress_for(world, address, "bounce").await;
}

/// Adds an address to the suppression list, for any reason.
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
    put.item("ttl", A::N((now + 86_400).to_string())).send().await.expect("written");
}
