//! Known devices of users.

use countersign_shared::{
    domain::{
        device::{Device, Devices},
        people::{id::DeviceId, user::User},
        time::Timestamp,
    },
    observe::Outcome,
    store::{
        rows,
        table::{Committed, Transaction},
    },
};
use serde_json::{Value, json};

use crate::{
    handler::Operator,
    outcome::{Failed, Run, done},
};

impl Operator {
    pub async fn list_devices(&self, user_id: &str, run: Run<'_>) -> Result<Value, Failed> {
        let user = self.user(user_id, run).await?;
        let devices = self.devices_of(&user, run).await?;
        let shown: Vec<_> = devices.live(&user, run.now).map(shown).collect();
        Ok(json!({ "devices": shown }))
    }

    /// Ends one device of a user, or all of them; it may be repeated.
    pub async fn end_devices(&self, user_id: &str, device_id: Option<&str>, run: Run<'_>) -> Result<Value, Failed> {
        let user = self.user(user_id, run).await?;
        let devices = self.devices_of(&user, run).await?;
        let (next, what) = match device_id {
            None => (devices.without_all(run.now), Outcome::DevicesEnded),
            Some(text) => {
                let id = DeviceId::parse(text).ok_or(Failed::from("device_id is a UUID"))?;
                (devices.without(id, run.now), Outcome::DeviceEnded)
            }
        };
        let changed = next.list.len() < devices.list.len();
        if !changed || run.dry {
            return Ok(done(changed));
        }
        let mut transaction = Transaction::default();
        let replaced = rows::device::replace(devices.version, &next);
        transaction.update(&self.change_devices, &user.id, replaced);
        transaction.check(&self.depend_on_users, &user.id, rows::user::is_there(&user));
        self.audit.add(&mut transaction, run, what.of_user(&user));
        match transaction.commit().await? {
            Committed::Yes => Ok(done(true)),
            Committed::No(_) => Err("the user or the devices were changed meanwhile: send the command again".into()),
        }
    }

    async fn devices_of(&self, user: &User, run: Run<'_>) -> Result<Devices, Failed> {
        let found = self.read_devices.get(&user.id, run.now).await?;
        Ok(found.unwrap_or_else(|| Devices::none(user.id)))
    }
}

fn shown(device: &Device) -> Value {
    let until = device.remembered.map(|remembered| remembered.until);
    json!({
        "device_id": device.id.text(),
        "client_id": device.client.as_str(),
        "inserted_at": device.added_at.iso(),
        "last_used_at": device.last_used_at.iso(),
        "expires_at": device.token.expires_at.iso(),
        "remembered_until": until.map(Timestamp::iso),
        "failures": device.failures,
    })
}
