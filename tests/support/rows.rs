//! Stored data: rows of tables, the audit log, and keys.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::Md5;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::support::world::World;

impl World {
    /// Deletes expired rows as the DynamoDB TTL does, with stream records; the response counts them.
    pub async fn sweep(&self) -> Value {
        self.post("/_local/sweep").send_local().await
    }

    /// The rows of a table, as stored.
    pub async fn rows(&self, table: &str) -> Vec<Value> {
        let rows = self.get(&format!("/_local/tables/{table}")).send_local().await;
        rows.as_array().expect("rows").clone()
    }

    /// The rows of all tables, as one text.
    pub async fn all_rows(&self) -> String {
        self.rows_of(|_| true).await
    }

    /// The rows of all tables but the audit log. A request that changes nothing leaves them as they are.
    pub async fn state(&self) -> String {
        self.rows_of(|table| !table.ends_with("AuditTable")).await
    }

    /// The rows of some tables, as one text.
    async fn rows_of(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut all = String::new();
        let tables = self.get("/_local/tables").send_local().await;
        for table in tables.as_array().expect("tables") {
            let name = table.as_str().expect("a name");
            if !wanted(name) {
                continue;
            }
            all += &format!("{name}: {}\n", Value::from(self.rows(name).await));
        }
        all
    }

    /// A DynamoDB client that bypasses the functions, to read rows and to damage them.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_dynamodb::config::Credentials::new("test", "test", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(self.cloud().endpoint("dynamodb"));
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// The keys of a secret, by key id.
    pub async fn keys(&self, secret: &str) -> Value {
        let answer = self.secrets_manager("GetSecretValue", json!({ "SecretId": secret })).await;
        serde_json::from_str(answer["SecretString"].as_str().unwrap_or_else(|| panic!("{answer}"))).expect("JSON")
    }

    /// Replaces the keys of a secret. Running functions keep the keys that they have read.
    pub async fn set_keys(&self, secret: &str, keys: &Value) {
        let keys = keys.to_string();
        self.secrets_manager("PutSecretValue", json!({ "SecretId": secret, "SecretString": keys })).await;
    }

    /// Calls Secrets Manager.
    async fn secrets_manager(&self, operation: &str, body: Value) -> Value {
        let request = self.http().post(self.cloud().endpoint("secretsmanager")).json(&body);
        let request = request.header("x-amz-target", format!("secretsmanager.{operation}"));
        request.send().await.expect("the cloud answers").json().await.expect("JSON")
    }

    /// The row of a user.
    pub async fn user_row(&self, id: &str) -> Value {
        let rows = self.rows("UsersTable").await;
        let row = rows.into_iter().find(|row| row["user_id"]["S"] == id);
        row.expect("the user's row")
    }

    /// The audit log without the operator's commands, which create the demo tenant.
    pub async fn audit_rows(&self) -> Vec<Value> {
        let mut rows = self.rows("AuditTable").await;
        rows.retain(|row| row["actor"]["S"] != "operator");
        rows
    }

    /// The audit log of a subject, in the order of time: event, route and actor.
    pub async fn audit_log_of(&self, subject: &str) -> Vec<(String, String, String)> {
        let rows = self.audit_rows().await;
        let mut own: Vec<&Value> = rows.iter().filter(|row| row["subject"]["S"] == subject).collect();
        own.sort_by_key(|row| (row["at"]["N"].to_string(), row["event"]["S"].to_string()));
        let text = |row: &Value, name: &str| row[name]["S"].as_str().unwrap_or_default().to_owned();
        own.iter().map(|row| (text(row, "what"), text(row, "route"), text(row, "actor"))).collect()
    }
}

/// The names of acts in an audit log, in the order of the alphabet: those of one second have no order.
pub fn acts_of(log: &[(String, String, String)]) -> Vec<&str> {
    let mut acts: Vec<_> = log.iter().map(|(what, ..)| what.as_str()).collect();
    acts.sort_unstable();
    acts
}

/// Asserts that no row contains a plain digest of a code, which a brute-force search would find: of the code with
/// anything that is in the rows or is known, as a salt.
pub fn is_unsearchable(rows: &[Value], known: &[&str], codes: &[&str]) {
    let mut all = Vec::new();
    rows.iter().for_each(|row| attributes(row, &mut all));
    let known = known.iter().map(|text| text.as_bytes().to_vec());
    let salts: Vec<_> = all.iter().cloned().chain(known).chain([Vec::new()]).collect();
    // Ten bytes of the digest are in the handle, as its sixteen characters of Crockford's base32.
    let targets: BTreeSet<Vec<u8>> = all
        .iter()
        .flat_map(|bytes| [bytes.clone(), crockford(bytes)])
        .filter(|bytes| bytes.len() >= 6)
        .collect();
    // Hashing the right code is enough: a search of the million would find it. Tried with each salt and each pair.
    let salts: Vec<Vec<u8>> =
        salts.iter().flat_map(|one| salts.iter().map(move |two| [one.as_slice(), two].concat())).collect();
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
                            assert!(!targets.contains(&form), "a plain digest of a code is stored in a table");
                        }
                    }
                }
            }
        }
    }
}

/// Adds every text, number and binary of a row: each could be a salt or a digest.
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

/// The bytes of 16 characters of Crockford's base32.
fn crockford(text: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let value = text
        .iter()
        .try_fold(0_u128, |bits, c| ALPHABET.iter().position(|one| one == c).map(|digit| bits << 5 | digit as u128));
    match (text.len(), value) {
        (16, Some(value)) => value.to_be_bytes()[6..].to_vec(),
        _ => Vec::new(),
    }
}
