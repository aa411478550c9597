//! No attacker can lock an owner out for more than four hours (security.md R70).

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    era::CHECK_MAIL,
    login::password_grant,
    messages::credential_in,
    mithril::TOKENS,
    password::RESET,
    people::{DOMAIN, Person},
    registration::REGISTER,
    requests::Request,
    world::World,
};

const DAYS: u64 = 3;
const WINDOW: u64 = 4 * 3600;

/// Reproducible pseudo-random numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn one_of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[usize::try_from(self.roll(list.len() as u64)).expect("few")]
    }

    /// One of the attacker's ten thousand addresses: half of them IPv4, half of them IPv6 networks, many in one /48.
    fn address(&mut self) -> String {
        let n = self.roll(5000);
        match self.roll(3) {
            0 => format!("10.0.{}.{}", n / 250, n % 250),
            1 => format!("2001:db8:bad:{n:x}::1"),
            _ => format!("2001:db8:{n:x}:1::1"),
        }
    }
}

/// Attacks every public route that an owner's recovery could depend on, concurrently.
async fn attack(world: &World, dice: &mut Dice, owner: &Person) {
    let post =
        |path: &str, body: &Value, source: String| world.post(path).json(body).header("x-local-source-ip", &source);
    let mut asks = Vec::new();
    for n in 0..dice.roll(12) {
        let key = dice.one_of(&[
            "maria",
            "maria@example.org",
            "MARIA@example.org",
            "maria+x@example.org",
            "maria+y@example.org",
            "stranger@example.org",
            "nobody",
        ]);
        let domain = dice.one_of(&[DOMAIN, DOMAIN, DOMAIN, "club.example", "nowhere.example"]);
        let body = json!({ "key": key, "domain": domain });
        asks.push(post(RESET, &body, dice.address()));
        if n % 3 == 0 {
            let login = format!("x{}", dice.roll(1_000_000_000));
            let body = json!({ "domain": DOMAIN, "login": login, "name": "x", "email": key });
            asks.push(post(REGISTER, &body, dice.address()));
        }
    }
    for path in [RESET, REGISTER] {
        let unknown = format!("{path}/19738eb3-0183-b148-9420-7cd30a921f58");
        let patch = world.request("PATCH", &unknown).json(&json!({ "pwd": "wrong-horse" }));
        asks.push(patch.header("x-local-source-ip", &dice.address()));
    }
    for got in join_all(asks.into_iter().map(Request::send)).await {
        assert!(got.status < 500, "{got:?}");
    }
    // Four wrong passwords block; unknown tokens and unsolicited codes do nothing.
    for _ in 0..5 {
        let body = password_grant(&owner.email, "wrong-horse");
        assert_eq!(post(TOKENS, &body, dice.address()).send().await.status, 401);
    }
    let body = json!({ "grant_type": "authorize_2fa_access_token", "token": "u.x", "otp": "000000" });
    assert_eq!(post(TOKENS, &body, dice.address()).send().await.status, 401);
}

/// Whether the owner can log in: with the password, or by a mail received in these four hours.
async fn gets_in(world: &World, owner: &mut Person, round: usize, mails_before: usize) -> bool {
    let home = "192.0.2.1";
    let sign_in = async |password: &str| {
        let body = password_grant(&owner.email, password);
        let got = world.post(TOKENS).json(&body).header("x-local-source-ip", home).send().await;
        got.status == 201
    };
    if sign_in(&owner.password).await {
        return true;
    }
    let body = json!({ "key": "maria", "domain": DOMAIN });
    let ask = world.post(RESET).json(&body).header("x-local-source-ip", home);
    ask.send().await.is(200, CHECK_MAIL);
    let mails = world.mails_to(&owner.email).await.split_off(mails_before);
    let next = format!("correct-horse-{round}");
    for mail in mails.iter().rev() {
        let text = mail["text"].as_str().expect("text");
        if !text.contains("pwd_reset") {
            continue;
        }
        let link = credential_in(text);
        world.keep_out_of_logs(&link);
        if world.reset_password(&link, &next).await.status == 200 {
            owner.password = next;
            return sign_in(&owner.password).await;
        }
    }
    false
}

#[tokio::test]
async fn an_owner_under_attack_can_log_in_every_four_hours() {
    let world = World::with(&[("RequestsPerDomainPerMinute", "10"), ("MailsPerDomainPerHour", "30")]).await;
    world.allow_registration("club.example", json!({})).await;
    let mut owner = world.create_person("maria").await;
    let mut dice = Dice(1);
    for round in 0..usize::try_from(DAYS * 86_400 / WINDOW).expect("few") {
        let before = world.mails_to(&owner.email).await.len();
        let mut left = WINDOW - 60;
        // At the worst moments: right after each wait has ended, and just before the owner's login.
        for pause in [0, 121, 3601] {
            let pause = u64::min(pause, left);
            world.advance(pause).await;
            left -= pause;
            attack(&world, &mut dice, &owner).await;
        }
        world.advance(left).await;
        attack(&world, &mut dice, &owner).await;
        world.advance(60).await;
        let is_in = gets_in(&world, &mut owner, round, before).await;
        assert!(is_in, "shut out in the window {round}");
        world.request("DELETE", "/_local/messages").send_unchecked().await;
    }
}
