//! The quota of text messages in several rows (security.md R31): together they allow no more than one row would.

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    login::{password_grant, token_in},
    mithril::{TOKENS, refused, too_many_sends},
    people::Person,
    requests::Response,
    words::SMS_UNSENT,
    world::World,
};

async fn people(world: &World, count: usize) -> Vec<Person> {
    let mut people = Vec::new();
    for n in 0..count {
        people.push(world.create_person_with(&format!("person{n}"), &format!("+3808812345{n:02}")).await);
    }
    people
}

async fn sign_in(world: &World, person: &Person) -> Response {
    world.sign_in(person, &person.password).await
}

/// The day's messages to 380 in one map of each row of the quota.
async fn counted(world: &World, name: &str) -> Vec<u64> {
    let rows = world.rows("BudgetsTable").await;
    let quotas = rows.iter().filter(|row| row.get("countries").is_some());
    let day = |row: &Value| {
        let day = row[name]["M"]["380"]["L"][1]["S"].as_str().unwrap_or_default().to_owned();
        let counts = day.split_whitespace().map(|slot| slot.split_once(':').expect("slot:count").1.to_owned());
        counts.map(|count| count.parse::<u64>().expect("a number")).sum()
    };
    quotas.map(day).collect()
}

#[tokio::test]
async fn shards_together_send_no_more_than_the_quota() {
    // Two messages a shard.
    let world = World::with(&[
        ("SmsShards", "4"),
        ("SmsPerMinute", "8"),
        ("SmsPerCountryPerMinute", "11"),
    ])
    .await;
    let people = people(&world, 24).await;
    let got = join_all(people.iter().map(|person| sign_in(&world, person))).await;
    let sent = got.iter().filter(|got| got.status == 201).count();
    assert_eq!(world.messages().await.len(), sent);
    let by_row = counted(&world, "countries").await;
    assert!(sent <= 8, "{sent} of 8: {by_row:?}");
    assert_eq!(by_row.iter().sum::<u64>(), u64::try_from(sent).expect("few"), "{by_row:?}");
    assert!(by_row.len() > 1, "24 users are in more than one shard");
    // A user is refused only where the own shard is full.
    assert!(by_row.iter().all(|count| *count <= 2) && by_row.contains(&2), "{by_row:?}");
    let waits = got.iter().filter(|got| got.status != 201).map(|got| too_many_sends(got, 70));
    let wait = waits.max().expect("24 are more than 8");
    world.advance(wait).await;
    let refused = got.iter().position(|got| got.status != 201).expect("some");
    token_in(&sign_in(&world, &people[refused]).await);
}

#[tokio::test]
async fn a_message_is_verified_and_given_back_in_its_own_shard() {
    // A part is larger than the number of users, however they are spread.
    let world = World::with(&[
        ("SmsShards", "4"),
        ("SmsPerMinute", "100"),
        ("SmsPerCountryPerMinute", "100"),
    ])
    .await;
    let people = people(&world, 12).await;
    for person in &people {
        let (token, code) = world.begin_login(person).await;
        token_in(&world.submit_code(&token, &code).await);
    }
    let (sent, verified) = (counted(&world, "countries").await, counted(&world, "verified").await);
    assert!(sent.len() > 1, "12 users are in more than one shard");
    assert_eq!((sent.iter().sum::<u64>(), &verified), (12, &sent));
    world.advance(61).await;
    world.inject(json!({ "service": "sns", "operation": null, "kind": "error", "times": 1000 })).await;
    for person in &people {
        refused(&sign_in(&world, person).await, 503, "internal_error", SMS_UNSENT);
    }
    assert_eq!(counted(&world, "countries").await, sent, "what was not sent counts nowhere");
}

#[tokio::test]
async fn a_quota_of_one_shard_is_the_first_of_several() {
    let world = World::with(&[("SmsShards", "1"), ("SmsPerMinute", "1")]).await;
    let [one, other] = <[Person; 2]>::try_from(people(&world, 2).await).expect("two");
    token_in(&sign_in(&world, &one).await);
    // A version without shards wrote it.
    let rows = world.rows("BudgetsTable").await;
    let quota = rows.iter().find(|row| row.get("countries").is_some()).expect("the quota");
    let subject = quota["subject"]["B"].as_str().expect("a key");
    let subject = Blob::new(STANDARD.decode(subject).expect("base64"));
    let older = world.dynamodb().update_item().table_name("countersign-BudgetsTable");
    let older = older.key("subject", AttributeValue::B(subject));
    older.update_expression("REMOVE sms_shard").send().await.expect("the row is there");
    too_many_sends(&sign_in(&world, &other).await, 70);
    assert_eq!(counted(&world, "countries").await, [1]);
}

#[tokio::test]
async fn more_shards_than_half_of_the_smallest_limit_prevent_the_start() {
    let world = World::with(&[("SmsShards", "5"), ("SmsPerMinute", "8")]).await;
    let demo = world.demo();
    let got = world.post(TOKENS).json(&password_grant(&demo.email, &demo.password)).send_unchecked().await;
    assert!(got.status >= 500, "{got:?}");
    let lines = world.cloud().logs();
    let said = lines
        .iter()
        .any(|line| line.contains("refused_to_start") && line.contains("SMS_SHARDS must be at most 4"));
    assert!(said, "{lines:#?}");
}
