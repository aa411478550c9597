//! What is stored: rows of tables, and keys.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::Md5;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::support::world::World;

impl World {
    /// Removes every expired row, as DynamoDB's time to live does; gives how many.
    pub async fn sweep(&self) -> Value {
        self.post("/_local/sweep").send_local().await
    }

    /// The rows of a table, as stored.
    pub async fn rows(&self, table: &str) -> Vec<Value> {
        let rows = self.get(&format!("/_local/tables/{table}")).send_local().await;
        rows.as_array().expect("rows").clone()
    }

    /// Every row of every table.
    pub async fn all_rows(&self) -> String {
        self.rows_of(|_| true).await
    }

    /// Every row but the audit trail's: what a call that changes nothing leaves as it was.
    pub async fn state(&self) -> String {
        self.rows_of(|table| !table.ends_with("AuditTable")).await
    }

    async fn rows_of(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut all = String::new();
        for table in self
            .get("/_local/tables")
            .send_local()
            .await
            .as_array()
            .expect("tables")
        {
            let name = table.as_str().expect("a name");
            if !wanted(name) {
                continue;
            }
            all += &format!("{name}: {}\n", Value::from(self.rows(name).await));
        }
        all
    }

    /// The SDK, past the functions: to look at rows and to damage them.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_dynamodb::config::Credentials::new(
                "test", "test", None, None, "test",
            ))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(self.cloud().endpoint("dynamodb"));
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// The keys of a secret, by their ids.
    pub async fn keys(&self, secret: &str) -> Value {
        let answer = self
            .secrets_manager("GetSecretValue", json!({ "SecretId": secret }))
            .await;
        serde_json::from_str(answer["SecretString"].as_str().unwrap_or_else(|| panic!("{answer}"))).expect("JSON")
    }

    /// Other keys for a secret. Functions that run go on with those that they have.
    pub async fn set_keys(&self, secret: &str, keys: &Value) {
        let keys = keys.to_string();
        self.secrets_manager("PutSecretValue", json!({ "SecretId": secret, "SecretString": keys }))
            .await;
    }

    async fn secrets_manager(&self, operation: &str, body: Value) -> Value {
        let request = self.http().post(self.cloud().endpoint("secretsmanager")).json(&body);
        let request = request.header("x-amz-target", format!("secretsmanager.{operation}"));
        request
            .send()
            .await
            .expect("the cloud answers")
            .json()
            .await
            .expect("JSON")
    }

    /// The user's row, as stored.
    pub async fn user_row(&self, id: &str) -> Value {
        let rows = self.rows("UsersTable").await;
        let row = rows.into_iter().find(|row| row["user_id"]["S"] == id);
        row.expect("the user's row")
    }

    /// The trail without the operator's commands, which made the demo tenant.
    pub async fn audit_rows(&self) -> Vec<Value> {
        let mut rows = self.rows("AuditTable").await;
        rows.retain(|row| row["actor"]["S"] != "operator");
        rows
    }

    /// What the trail has on somebody, in the order of time: the word, the route, and who it was.
    pub async fn trail_of(&self, subject: &str) -> Vec<(String, String, String)> {
        let rows = self.audit_rows().await;
        let mut own: Vec<&Value> = rows.iter().filter(|row| row["subject"]["S"] == subject).collect();
        own.sort_by_key(|row| (row["at"]["N"].to_string(), row["event"]["S"].to_string()));
        let text = |row: &Value, name: &str| row[name]["S"].as_str().unwrap_or_default().to_owned();
        own.iter()
            .map(|row| (text(row, "what"), text(row, "route"), text(row, "actor")))
            .collect()
    }
}

/// That no code lies in the rows as a digest that whoever reads them could come by: of the code and anything that is in
/// the rows, or is known.
pub fn is_unsearchable(rows: &[Value], known: &[&str], codes: &[&str]) {
    let mut all = Vec::new();
    rows.iter().for_each(|row| attributes(row, &mut all));
    let known = known.iter().map(|text| text.as_bytes().to_vec());
    let salts: Vec<_> = all.iter().cloned().chain(known).chain([Vec::new()]).collect();
    // Ten bytes of the digest are in the handle; in Crockford's base32 they are its sixteen characters.
    let targets: BTreeSet<Vec<u8>> = all
        .iter()
        .flat_map(|bytes| [bytes.clone(), crockford(bytes)])
        .filter(|bytes| bytes.len() >= 6)
        .collect();
    // The right code is enough: whoever searches the million comes by it. With it goes every salt, and every two.
    let salts: Vec<Vec<u8>> = salts
        .iter()
        .flat_map(|one| salts.iter().map(move |two| [one.as_slice(), two].concat()))
        .collect();
    for code in codes {
        let code = code.as_bytes();
        for salt in &salts {
            for guess in [[salt.as_slice(), code].concat(), [code, salt.as_slice()].concat()] {
                let digests = [
                    Sha256::digest(&guess).to_vec(),
                    Sha1::digest(&guess).to_vec(),
                    Md5::digest(&guess).to_vec(),
                ];
                for digest in digests {
                    for length in [6, 10, 16, 20, 32] {
                        let start = &digest[..length.min(digest.len())];
                        let hex: String = start.iter().map(|byte| format!("{byte:02x}")).collect();
                        for form in [start.to_vec(), hex.into_bytes(), STANDARD.encode(start).into_bytes()] {
                            assert!(!targets.contains(&form), "a plain digest of a code lies in a table");
                        }
                    }
                }
            }
        }
    }
}

/// Every text, number and binary of the rows: what somebody who reads a table could use as a salt or compare with.
fn attributes(row: &Value, found: &mut Vec<Vec<u8>>) {
    for value in row.as_object().expect("a row").values() {
        if value["M"].is_object() {
            attributes(&value["M"], found);
        }
        if let Some(text) = value["S"].as_str().or(value["N"].as_str()) {
            found.push(text.as_bytes().to_vec());
        }
        if let Some(bytes) = value["B"].as_str() {
            found.push(STANDARD.decode(bytes).expect("base64"));
        }
    }
}

/// What a text of Crockford's base32 stands for, if it is one of 16 characters.
fn crockford(text: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let value = text.iter().try_fold(0_u128, |bits, c| {
        ALPHABET
            .iter()
            .position(|one| one == c)
            .map(|digit| bits << 5 | digit as u128)
    });
    match (text.len(), value) {
        (16, Some(value)) => value.to_be_bytes()[6..].to_vec(),
        _ => Vec::new(),
    }
}
