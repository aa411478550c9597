//! Rate limits of text messages per recipient and in total (security.md R30, R31), for all callers.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    clock::DAY,
    factors::person_awaiting_phone,
    login::token_in,
    mithril::{data, refused, too_many_sends},
    people::{PHONE, Person},
    requests::Response,
    words::SMS_UNSENT,
    world::World,
};

/// So many users, each with its own number or all with one.
async fn people(world: &World, count: usize, phone: impl Fn(usize) -> String) -> Vec<Person> {
    let mut people = Vec::new();
    for n in 0..count {
        people.push(world.create_person_with(&format!("person{n}"), &phone(n)).await);
    }
    people
}

/// A login with the right password, whatever the outcome.
async fn sign_in(world: &World, person: &Person) -> Response {
    world.sign_in(person, &person.password).await
}

#[track_caller]
fn not_sent(got: &Response) {
    refused(got, 503, "internal_error", SMS_UNSENT);
    assert!(got.header("retry-after").is_some(), "{got:?}");
}

#[tokio::test]
async fn a_number_gets_three_messages_a_minute_over_all_accounts() {
    let world = World::new().await;
    let shared = "+380881234540";
    let people = people(&world, 20, |_| shared.into()).await;
    for (round, asked) in [(1, 40), (2, 20)] {
        let all = people.iter().cycle().take(asked);
        let got = join_all(all.map(|person| sign_in(&world, person))).await;
        let sent = got.iter().filter(|got| got.status == 201).count();
        assert_eq!((sent, world.sms_to(shared).await.len()), (3, 3 * round));
        for got in got.iter().filter(|got| got.status != 201) {
            too_many_sends(got, 60);
        }
        // A refused send does not count against the user's own limit, or another number's.
        world.begin_login(&world.demo()).await;
        world.advance(61).await;
    }
}

#[tokio::test]
async fn an_attacker_uses_at_most_half_of_the_rate_limit_of_a_number() {
    let world = World::with(&[("SmsPerMinute", "8"), ("SmsPerCountryPerMinute", "8")]).await;
    let demo = world.demo();
    let (mallory, mut login) = person_awaiting_phone(&world, "mallory").await;
    for _ in 0..2 {
        token_in(&world.init_factor(&login, PHONE).await);
        // The login's token was consumed.
        login = token_in(&sign_in(&world, &mallory).await);
    }
    too_many_sends(&world.init_factor(&login, PHONE).await, 60);
    // The owner still gets a code, up to the number's limit.
    token_in(&sign_in(&world, &demo).await);
    too_many_sends(&sign_in(&world, &demo).await, 60);
    // Half of the total quota, too, is reserved for sign-ins, whatever they have used so far.
    let mut sent = 3;
    for n in 0..3 {
        let (_, login) = person_awaiting_phone(&world, &format!("mallory{n}")).await;
        let got = world.init_factor(&login, &format!("+38088123454{n}")).await;
        sent += usize::from(got.status == 201);
    }
    assert_eq!((sent, world.messages().await.len()), (5, 5));
    for n in 0..3 {
        let person = world.create_person_with(&format!("person{n}"), &format!("+38088123455{n}")).await;
        token_in(&sign_in(&world, &person).await);
    }
    let one_more = world.create_person_with("person9", "+380881234559").await;
    too_many_sends(&sign_in(&world, &one_more).await, 70);
}

#[tokio::test]
async fn a_number_has_rate_limits_per_hour_and_per_day() {
    let world = World::with(&[
        ("SmsPerNumberPerHour", "4"),
        ("SmsPerNumberPerDay", "6"),
        ("SmsPerMinute", "100"),
    ])
    .await;
    let shared = "+380881234540";
    let people = people(&world, 3, |_| shared.into()).await;
    let mut turn = people.iter().cycle();
    let mut next = async || sign_in(&world, turn.next().expect("endless")).await;
    for _ in 0..4 {
        token_in(&next().await);
        world.advance(60).await;
    }
    // The first of the four leaves the hour: the window slides, one for one.
    let wait = too_many_sends(&next().await, 3600);
    assert!(wait > 3600 - 300, "{wait}");
    world.advance(wait).await;
    token_in(&next().await);
    let wait = too_many_sends(&next().await, 70);
    world.advance(wait).await;
    token_in(&next().await);
    // Six in a day.
    world.advance(3600).await;
    let wait = too_many_sends(&next().await, DAY);
    world.advance(wait).await;
    token_in(&next().await);
    assert_eq!(world.sms_to(shared).await.len(), 7);
}

#[tokio::test]
async fn a_user_has_rate_limits_per_hour_and_per_day() {
    let world = World::with(&[("OtpSendsPerHour", "4"), ("OtpSendsPerDay", "5")]).await;
    let demo = world.demo();
    for _ in 0..4 {
        token_in(&sign_in(&world, &demo).await);
        world.advance(60).await;
    }
    // Changing the phone does not bypass the limit: it belongs to the user.
    let token = world.create_app_token(&demo).await;
    let first = too_many_sends(&world.init_factor(&token, "+380881234599").await, 3600);
    world.advance(first).await;
    token_in(&world.init_factor(&token, "+380881234599").await);
    world.advance(3600).await;
    let wait = too_many_sends(&sign_in(&world, &demo).await, DAY);
    world.advance(wait).await;
    token_in(&sign_in(&world, &demo).await);
    assert_eq!((world.sms_to(PHONE).await.len(), world.sms_to("+380881234599").await.len()), (5, 1));
}

#[tokio::test]
async fn the_deployment_has_quotas_per_minute_and_per_day() {
    let world = World::with(&[("SmsPerMinute", "5"), ("SmsPerDay", "8")]).await;
    let people = people(&world, 20, |n| format!("+3808812345{}{}", n / 10, n % 10)).await;
    let got = join_all(people.iter().map(|person| sign_in(&world, person))).await;
    let sent = got.iter().filter(|got| got.status == 201).count();
    assert_eq!((sent, world.messages().await.len()), (5, 5), "R31: not one over it, however many at once");
    let waits: Vec<_> = got.iter().filter(|got| got.status != 201).map(|got| too_many_sends(got, 70)).collect();
    assert_eq!(waits.len(), 15);
    // `Retry-After` is correct, unless another caller was faster.
    world.advance(*waits.iter().max().expect("some")).await;
    let got = join_all(people.iter().map(|person| sign_in(&world, person))).await;
    assert_eq!(got.iter().filter(|got| got.status == 201).count(), 3, "the quota of the day is exhausted");
    let refused: Vec<_> = got.iter().filter(|got| got.status != 201).collect();
    let wait = refused.iter().map(|got| too_many_sends(got, DAY + 3600)).max().expect("some");
    assert!(wait > 3600, "{wait}");
    world.advance(wait).await;
    assert_eq!(sign_in(&world, &people[0]).await.status, 201);
    // Refusals are counted by reason, without a number.
    let failures = world.metrics("token-create", "SmsFailed");
    assert_eq!(failures.len(), 32);
    assert!(failures.iter().all(|line| line["Reason"] == "throttled"), "{failures:?}");
}

#[tokio::test]
async fn an_exhausted_quota_of_a_country_does_not_affect_other_countries() {
    let world = World::with(&[("SmsPerCountryPerMinute", "2"), ("SmsPerCountryPerDay", "3")]).await;
    let ukraine = people(&world, 6, |n| format!("+38088123454{n}")).await;
    let got = join_all(ukraine.iter().map(|person| sign_in(&world, person))).await;
    assert_eq!(got.iter().filter(|got| got.status == 201).count(), 2);
    let german = world.create_person_with("german", "+4915112345678").await;
    token_in(&sign_in(&world, &german).await);
    world.advance(70).await;
    let got = join_all(ukraine.iter().map(|person| sign_in(&world, person))).await;
    assert_eq!(got.iter().filter(|got| got.status == 201).count(), 1, "the day's");
    token_in(&sign_in(&world, &german).await);
    world.advance(DAY + 3600).await;
    token_in(&sign_in(&world, &ukraine[0]).await);
    let sent: Vec<Value> =
        world.metrics("token-create", "SmsSent").iter().map(|line| line["Country"].clone()).collect();
    assert_eq!(sent.iter().filter(|country| *country == "49").count(), 2, "{sent:?}");
    assert_eq!(sent.iter().filter(|country| *country == "380").count(), 4, "{sent:?}");
}

#[tokio::test]
async fn a_day_of_text_messages_costs_no_more_than_its_money() {
    let world = World::with(&[
        ("SmsCountries", "380,49"),
        ("SmsPrices", "380=0.10,49=0.05"),
        ("SmsMoneyPerDay", "0.36"),
    ])
    .await;
    let ukraine = people(&world, 6, |n| format!("+38088123454{n}")).await;
    let got = join_all(ukraine.iter().map(|person| sign_in(&world, person))).await;
    let sent = got.iter().filter(|got| got.status == 201).count();
    assert_eq!((sent, world.messages().await.len()), (3, 3), "not one beyond the money, however many at once");
    // What is left pays for a message to another country.
    let german = world.create_person_with("german", "+4915112345678").await;
    token_in(&sign_in(&world, &german).await);
    too_many_sends(&sign_in(&world, &german).await, DAY + 3600);
    // The reason is another one than that of the other limits.
    let failures = world.metrics("token-create", "SmsFailed");
    assert_eq!(failures.len(), 4);
    assert!(failures.iter().all(|line| line["Reason"] == "money"), "{failures:?}");
    world.advance(DAY + 3600).await;
    token_in(&sign_in(&world, &ukraine[0]).await);
}

#[tokio::test]
async fn nothing_is_sent_if_no_country_is_listed() {
    let world = World::with(&[("SmsCountries", "")]).await;
    let demo = world.demo();
    let (codes, before) = (world.rows("OtpsTable").await, world.rows("TokensTable").await.len());
    for _ in 0..5 {
        not_sent(&sign_in(&world, &demo).await);
    }
    assert_eq!(world.messages().await, [] as [Value; 0]);
    assert_eq!((world.rows("OtpsTable").await, world.rows("TokensTable").await.len()), (codes, before));
    // A user without a second factor signs in as before.
    assert_eq!(sign_in(&world, &world.demo_admin()).await.ok(201)["urgent"]["next_step"], "REQUEST_APPS");
    let failures = world.metrics("token-create", "SmsFailed");
    assert_eq!(
        (failures.len(), &failures[0]["Reason"], &failures[0]["address"]),
        (5, &json!("country"), &json!("+38088*****30"))
    );
}

#[tokio::test]
async fn numbers_of_unlisted_countries_get_no_messages() {
    let world = World::with(&[("SmsCountries", "380,4915,1,!1268")]).await;
    for (n, phone) in [
        "+883510000000",
        "+979123456789",
        "+4917612345678",
        "+33612345678",
        "+3812345678",
        "+12685550123",
    ]
    .iter()
    .enumerate()
    {
        let person = world.create_person_with(&format!("person{n}"), phone).await;
        not_sent(&sign_in(&world, &person).await);
        // Nothing was counted: a refused country uses up no rate limit.
        not_sent(&sign_in(&world, &person).await);
    }
    assert_eq!(world.messages().await, [] as [Value; 0]);
    for (n, phone) in ["+380881234541", "+4915112345678", "+12025550123"].iter().enumerate() {
        let person = world.create_person_with(&format!("near{n}"), phone).await;
        let (token, _) = world.begin_login(&person).await;
        data(&world.resend_code(&person, &token).await, 200);
    }
}

#[tokio::test]
async fn an_opted_out_number_gets_the_same_response() {
    let world = World::new().await;
    let demo = world.demo();
    world.inject(json!({ "service": "sns", "operation": null, "kind": "opted_out", "times": 99 })).await;
    not_sent(&sign_in(&world, &demo).await);
    world.clear_faults().await;
    let failures = world.metrics("token-create", "SmsFailed");
    assert_eq!(
        (failures.len(), &failures[0]["Reason"], &failures[0]["address"]),
        (1, &json!("opted_out"), &json!("+38088*****30"))
    );
    world.inject(json!({ "service": "sns", "operation": null, "kind": "error", "times": 99 })).await;
    not_sent(&sign_in(&world, &demo).await);
    world.clear_faults().await;
    assert_eq!(world.metrics("token-create", "SmsFailed")[1]["Reason"], "failed");
    world.begin_login(&demo).await;
    let [sent] = world.metrics("token-create", "SmsSent").try_into().expect("one");
    assert_eq!(
        (&sent["Country"], &sent["outcome"], &sent["address"]),
        (&json!("380"), &json!("sms_sent"), &json!("+38088*****30"))
    );
}
