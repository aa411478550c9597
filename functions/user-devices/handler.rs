use countersign_shared::{
    domain::{
        device::Devices,
        people::{
            id::{DeviceId, UserId},
            user::User,
        },
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::mithril::{DEVICE_READ, DEVICE_WRITE, Error, body::read_nothing, view::device_list},
        reply::Answer,
        serve::Endpoint,
    },
    observe::Outcome,
    runtime::edge::Wire,
    services::{
        audit::AuditLog,
        auth::{self, Callers},
        logins::ROUNDS,
    },
    store::{
        retry::optimistic,
        rows,
        table::{BatchGet, Check, Committed, Table, Transaction, Update},
    },
};

/// Lists and ends the known devices of a user, for the user and for administrators of the user's domain.
#[derive(Wire)]
pub struct UserDevices {
    pub callers: Callers,
    pub devices: Table<Devices, BatchGet>,
    pub change_devices: Table<Devices, Update>,
    pub depend_on_users: Table<User, Check>,
    pub audit: AuditLog,
}

const ALL: &str = "/mithril/api/users/{user_id}/devices";
const ONE: &str = "/mithril/api/users/{user_id}/devices/{id}";

impl Endpoint for UserDevices {
    type Error = Error;

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let (method, path) = call.route.split_once(' ').unwrap_or_default();
        match (method, path) {
            ("GET" | "HEAD", ALL) => self.list(call).await,
            ("DELETE", ALL) => optimistic(ROUNDS, "the devices", async || self.end_all(call).await).await,
            ("DELETE", ONE) => optimistic(ROUNDS, "the devices", async || self.end_one(call).await).await,
            _ => Err(Fault::Bug("the route is not one of the function's".into()).into()),
        }
    }
}

impl UserDevices {
    async fn list(&self, call: &Call) -> Result<Answer, Error> {
        let (user, devices) = self.find(call, false).await?;
        let live: Vec<_> = devices.live(&user, call.now).collect();
        Ok(device_list(call, Outcome::DevicesListed, &live))
    }

    /// Ends all devices, also if there are none. `None` after a concurrent change.
    async fn end_all(&self, call: &Call) -> Result<Option<Answer>, Error> {
        let (user, devices) = self.find(call, true).await?;
        read_nothing(call)?;
        let next = devices.without_all(call.now);
        self.end(call, &user, &devices, &next, Outcome::DevicesEnded).await
    }

    /// Ends one device. `None` after a concurrent change.
    async fn end_one(&self, call: &Call) -> Result<Option<Answer>, Error> {
        let (user, devices) = self.find(call, true).await?;
        let id = DeviceId::parse(call.path_parameter("id")).ok_or(Error::NotFound)?;
        devices.live(&user, call.now).find(|device| device.id == id).ok_or(Error::NotFound)?;
        read_nothing(call)?;
        let next = devices.without(id, call.now);
        self.end(call, &user, &devices, &next, Outcome::DeviceEnded).await
    }

    /// The user that the route names, and the user's devices, for a caller who may read or end them.
    async fn find(&self, call: &Call, ends: bool) -> Result<(User, Devices), Error> {
        let id = UserId::parse(call.path_parameter("user_id"));
        let needed = if ends { DEVICE_WRITE } else { DEVICE_READ };
        let admitted = auth::caller(&self.callers, call, needed, |batch| {
            if let Some(id) = &id {
                batch.want(&self.callers.users, id);
                batch.want(&self.devices, id);
            }
        });
        let (caller, found) = admitted.await??;
        let user = id.map_or(Ok(None), |id| found.take(&self.callers.users, &id, call.now))?;
        let user = caller.require_self_or_admin_of(user)?;
        call.log_subject(user.id.log_name());
        let devices = found.take(&self.devices, &user.id, call.now)?;
        let devices = devices.unwrap_or_else(|| Devices::none(user.id));
        Ok((user, devices))
    }

    async fn end(
        &self,
        call: &Call,
        user: &User,
        read: &Devices,
        next: &Devices,
        outcome: Outcome,
    ) -> Result<Option<Answer>, Error> {
        let mut transaction = Transaction::default();
        transaction.update(&self.change_devices, &user.id, rows::device::replace(read.version, next));
        transaction.check(&self.depend_on_users, &user.id, rows::user::is_there(user));
        self.audit.add(&mut transaction, call, outcome.of_user(user));
        Ok(match transaction.commit().await? {
            Committed::Yes => Some(Answer::empty(outcome)),
            Committed::No(_) => None,
        })
    }
}
