//! Entities of the Verify dialect, with authenticator apps.

use serde_json::{Value, json};

use crate::support::{
    requests::{Request, Response},
    totp,
    verify::Application,
    world::World,
};

/// The identity of most tests.
pub const IDENTITY: &str = "ff483d1f-f591-4898-a994-2916050d2ca3";

/// An authenticator app with a factor of an entity.
pub struct Device {
    /// The path of the entity, below its service.
    pub entity: String,
    pub sid: String,
    pub secret: String,
}

impl Device {
    /// The code of a step, counted from the current one.
    pub async fn code(&self, world: &World, steps: i64) -> String {
        let step = (world.now().await / 30).checked_add_signed(steps).expect("after 1970");
        let code = totp::code(&self.secret, step, 6);
        world.keep_out_of_logs(&code);
        code
    }

    /// The path of the factor, below the service.
    pub fn path(&self) -> String {
        format!("{}/Factors/{}", self.entity, self.sid)
    }

    /// Gives the factor a code.
    pub async fn verify(&self, world: &World, app: &Application, code: &str) -> Response {
        app.request(world, "POST", &self.path()).form(&[("AuthPayload", code)]).send().await
    }

    /// A request to create a challenge, with a code or without one.
    pub fn challenging<'a>(&self, world: &'a World, app: &Application, code: Option<&str>) -> Request<'a> {
        let mut form = vec![("FactorSid", self.sid.as_str())];
        form.extend(code.map(|code| ("AuthPayload", code)));
        app.request(world, "POST", &format!("{}/Challenges", self.entity)).form(&form)
    }

    /// Creates a challenge: its body.
    pub async fn challenge(&self, world: &World, app: &Application, code: Option<&str>) -> Value {
        self.challenging(world, app, code).send().await.ok(201)
    }

    /// A request to answer a challenge.
    pub fn answering<'a>(&self, world: &'a World, app: &Application, challenge: &Value, code: &str) -> Request<'a> {
        let sid = challenge["sid"].as_str().expect("a SID");
        let path = format!("{}/Challenges/{sid}", self.entity);
        app.request(world, "POST", &path).form(&[("AuthPayload", code)])
    }

    /// Answers a challenge.
    pub async fn answer(&self, world: &World, app: &Application, challenge: &Value, code: &str) -> Response {
        self.answering(world, app, challenge, code).send().await
    }
}

impl Application {
    /// Creates a factor of an entity: its body.
    pub async fn create_factor(&self, world: &World, identity: &str, settings: &[(&str, &str)]) -> Value {
        let form = [&[("FriendlyName", "Maria's phone"), ("FactorType", "totp")], settings].concat();
        let path = format!("/Entities/{identity}/Factors");
        let made = self.request(world, "POST", &path).form(&form).send().await.ok(201);
        world.keep_out_of_logs(made["binding"]["secret"].as_str().expect("a secret"));
        made
    }

    /// An app with a new factor of an entity, not verified.
    pub async fn device(&self, world: &World, identity: &str) -> Device {
        let made = self.create_factor(world, identity, &[]).await;
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Device {
            entity: format!("/Entities/{identity}"),
            sid: text(&made["sid"]),
            secret: text(&made["binding"]["secret"]),
        }
    }

    /// An app with a new factor of an entity, verified by the code of the step before the current one.
    pub async fn verified_device(&self, world: &World, identity: &str) -> Device {
        let device = self.device(world, identity).await;
        let code = device.code(world, -1).await;
        assert_eq!(device.verify(world, self, &code).await.ok(200)["status"], "verified");
        device
    }
}

/// The page of a list that has no other.
pub fn only_page(world: &World, path: &str, key: &str) -> Value {
    let page = format!("{}{path}?PageSize=50&Page=0", world.url());
    json!({
        "page": 0, "page_size": 50, "first_page_url": page, "previous_page_url": null, "next_page_url": null,
        "key": key, "url": page,
    })
}

impl World {
    /// The number of codes that were compared with factors and challenges of an identity.
    pub async fn guesses_of(&self, identity: &str) -> usize {
        let rows = self.rows("EntitiesTable").await;
        let row = rows.iter().find(|row| row["identity"]["S"] == identity);
        row.map_or(0, |row| row["guesses"]["L"].as_array().expect("a list").len())
    }
}
