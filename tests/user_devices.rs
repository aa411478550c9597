//! Listing and ending the known devices of a user (docs/contract.md, Known devices; docs/security.md R73).

use serde_json::{Value, json};

use crate::support::{
    devices::devices_path,
    login::{api_grant, token_in},
    mithril::{forbidden, not_found, refused},
    people::Person,
    requests::Response,
    world::World,
};

impl World {
    /// The ids of a user's devices, as an administrator sees them.
    async fn device_ids(&self, person: &Person) -> Vec<String> {
        let got = self.get(&devices_path(person)).bearer(self.admin()).send().await.ok(200);
        let list = got["data"].as_array().expect("a list");
        list.iter().map(|device| device["id"].as_str().expect("an id").to_owned()).collect()
    }

    async fn end_devices(&self, token: &str, path: &str) -> Response {
        self.request("DELETE", path).bearer(token).send().await
    }

    /// A token of a user with these scopes only.
    async fn token_with(&self, person: &Person, scopes: Value) -> String {
        self.create_token(json!({ "user_id": person.id, "scopes": scopes })).await
    }
}

#[track_caller]
fn ended(got: &Response) {
    assert_eq!((got.status, got.body.as_str()), (204, ""), "{got:?}");
}

/// Asserts that a token has neither `app:authorize` nor that scope.
#[track_caller]
fn too_small(got: &Response, scope: &str) {
    let words = "Your scope does not allow to access this resource. Missing allowances: app:authorize, ";
    refused(got, 403, "forbidden", &format!("{words}{scope}"));
    let challenge = format!(r#"Bearer error="insufficient_scope", scope="app:authorize {scope}""#);
    assert_eq!(got.header("www-authenticate"), Some(challenge.as_str()));
}

#[tokio::test]
async fn a_user_lists_and_ends_known_devices() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    let path = devices_path(&maria);
    let token = world.create_app_token(&maria).await;
    let list = async || world.get(&path).bearer(&token).send().await;
    let empty = json!({ "page_number": 1, "page_size": 50, "total_pages": 1, "total_entries": 0 });
    let got = list().await.ok(200);
    assert_eq!((&got["data"], &got["paging"], &got["meta"]["type"]), (&json!([]), &empty, &json!("list")));
    let (first, second) = (world.add_device(&maria).await, world.add_device(&maria).await);
    let got = list().await;
    let body = got.ok(200);
    assert_eq!(body["paging"]["total_entries"], 2);
    assert!(!got.body.contains(&first) && !got.body.contains(&second), "no secret");
    let device = &body["data"][0];
    let keys: Vec<_> = device.as_object().expect("an object").keys().map(String::as_str).collect();
    let names = [
        "client_id",
        "expires_at",
        "id",
        "inserted_at",
        "last_used_at",
        "remembered_until",
    ];
    assert_eq!(keys, names);
    assert_eq!((&device["client_id"], &device["remembered_until"]), (&json!("heatclinic"), &Value::Null));
    assert_eq!(device["inserted_at"], device["last_used_at"]);
    let head = world.request("HEAD", &path).bearer(&token).send().await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));

    let ids = world.device_ids(&maria).await;
    ended(&world.end_devices(&token, &format!("{path}/{}", ids[0])).await);
    assert_eq!(world.device_ids(&maria).await, ids[1..]);
    not_found(&world.end_devices(&token, &format!("{path}/{}", ids[0])).await);
    not_found(&world.end_devices(&token, &format!("{path}/nothing")).await);
    world.block_by_passwords(&maria).await;
    for (device, status) in [(&first, 401), (&second, 201)] {
        let got = world.sign_in_from(&maria, &maria.password, device).await;
        assert_eq!(got.status, status, "{got:?}");
    }
    world.advance(1).await;
    let unblocked = world.sign_in_from(&maria, &maria.password, &second).await;
    let token = token_in(&unblocked);
    for _ in 0..2 {
        ended(&world.end_devices(&token, &path).await);
    }
    assert!(world.device_ids(&maria).await.is_empty());
    assert!(world.token_works(&token).await, "sessions are not ended");
    assert_eq!(world.sign_in_from(&maria, &maria.password, &second).await.status, 401);
    let log = world.audit_log_of(&format!("user:{}", maria.id)).await;
    let mut ends: Vec<_> =
        log.iter().map(|(what, ..)| what.as_str()).filter(|what| what.starts_with("device")).collect();
    // Those of one second have no order.
    ends.sort_unstable();
    assert_eq!(
        ends,
        [
            "device_added",
            "device_added",
            "device_ended",
            "devices_ended",
            "devices_ended"
        ]
    );
}

#[tokio::test]
async fn devices_of_others_are_an_administrators_to_list_and_end() {
    let world = World::new().await;
    let (maria, olga) = (world.create_person("maria").await, world.create_person("olga").await);
    world.add_device(&maria).await;
    let path = devices_path(&maria);
    let one = format!("{path}/{}", world.device_ids(&maria).await[0]);
    let own = world.create_app_token(&olga).await;
    forbidden(&world.get(&path).bearer(&own).send().await);
    for path in [&path, &one] {
        forbidden(&world.end_devices(&own, path).await);
    }
    // Another domain's administrator: the user does not exist there.
    let (_, id) = world.new_user_in("other.example", "other", true).await;
    let foreign = world.create_token(json!({ "user_id": id, "scopes": ["app:authorize"] })).await;
    not_found(&world.get(&path).bearer(&foreign).send().await);
    for path in [&path, &one] {
        not_found(&world.end_devices(&foreign, path).await);
    }
    // Another user's device.
    let of_olga = one.replace(&maria.id, &olga.id);
    not_found(&world.end_devices(world.admin(), &of_olga).await);
    not_found(&world.end_devices(&own, &of_olga).await);
    assert_eq!(world.device_ids(&maria).await.len(), 1);
    ended(&world.end_devices(world.admin(), &one).await);
    assert!(world.device_ids(&maria).await.is_empty());
    let unknown = "/mithril/api/users/00000000-0000-4000-8000-000000000000/devices";
    not_found(&world.end_devices(world.admin(), unknown).await);
    for (method, path) in [("GET", &path), ("DELETE", &path), ("DELETE", &one)] {
        let got = world.request(method, path).send().await;
        assert_eq!(got.json()["error"]["type"], "access_denied", "{got:?}");
    }
}

#[tokio::test]
async fn a_scope_that_lists_devices_does_not_end_them() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    world.add_device(&maria).await;
    let path = devices_path(&maria);
    let one = format!("{path}/{}", world.device_ids(&maria).await[0]);
    for scope in world.scopes().await {
        let token = world.token_with(&maria, json!([scope])).await;
        let (reads, writes) = match scope.as_str() {
            "app:authorize" => (true, true),
            "authentication_factor:read" => (true, false),
            "authentication_factor:write" => (false, true),
            _ => (false, false),
        };
        let got = world.get(&path).bearer(&token).send().await;
        match reads {
            true => assert_eq!(got.status, 200, "{scope}: {got:?}"),
            false => too_small(&got, "authentication_factor:read"),
        }
        let missing = format!("{path}/00000000-0000-4000-8000-000000000000");
        for path in [&missing, &one, &path] {
            if !writes {
                too_small(&world.end_devices(&token, path).await, "authentication_factor:write");
            }
        }
        if writes {
            not_found(&world.end_devices(&token, &missing).await);
        }
    }
}

#[tokio::test]
async fn the_operator_lists_and_ends_devices_and_erasure_deletes_them() {
    let world = World::new().await;
    let maria = world.create_person("maria").await;
    let device = world.add_device(&maria).await;
    world.add_device(&maria).await;
    wrong(&world, &maria, &device).await;
    let list = async || world.run_command(json!({ "command": "list_devices", "user_id": maria.id })).await;
    let devices = list().await["devices"].take();
    let failures: Vec<_> = devices.as_array().expect("a list").iter().map(|device| &device["failures"]).collect();
    assert_eq!(failures, [1, 0]);
    let end = async |mut command: Value| {
        (command["command"], command["user_id"]) = ("end_devices".into(), maria.id.clone().into());
        world.run_command(command).await
    };
    let id = devices[0]["device_id"].clone();
    assert_eq!(end(json!({ "device_id": "nothing" })).await["error"], "device_id is a UUID");
    assert_eq!(end(json!({ "device_id": id, "dry_run": true })).await["changed"], true);
    for changed in [true, false] {
        assert_eq!(end(json!({ "device_id": id })).await["changed"], changed);
    }
    assert_eq!(list().await["devices"].as_array().map(Vec::len), Some(1));
    for changed in [true, false] {
        assert_eq!(end(json!({})).await["changed"], changed);
    }
    assert_eq!(list().await["devices"], json!([]));
    // In the audit log, by the operator.
    let rows = world.rows("AuditTable").await;
    let subject = json!(format!("user:{}", maria.id));
    let own = rows.iter().filter(|row| row["subject"]["S"] == subject && row["actor"]["S"] == "operator");
    let mut ends: Vec<_> =
        own.filter_map(|row| row["what"]["S"].as_str()).filter(|what| what.contains("ended")).collect();
    ends.sort_unstable();
    assert_eq!(ends, ["device_ended", "devices_ended"]);
    world.add_device(&maria).await;
    let erased = world.run_command(json!({ "command": "erase_user", "user_id": maria.id })).await;
    assert_eq!(erased["receipt"]["tables"]["DevicesTable"], 1, "{erased}");
    assert!(world.device_rows(&maria).await.is_empty());
}

/// A wrong password from a known device.
async fn wrong(world: &World, person: &Person, device: &str) {
    let mut body = api_grant(person);
    (body["password"], body["device_token"]) = ("wrong".into(), device.into());
    assert_eq!(world.request_token(body).await.status, 401);
}
