//! Floor 2: known devices: issues their tokens, counts their failures, and ends them.

use rand::rngs::SysRng;

use crate::{
    domain::{
        audit::Notice,
        crypto::secret::Secret,
        device::{self, Device, Devices, NewDevice},
        people::{id::DeviceId, user::User},
    },
    fault::Fault,
    http::call::Call,
    observe::Outcome,
    runtime::edge::Wire,
    services::audit::AuditLog,
    store::{
        rows,
        table::{Check, Committed, Table, Transaction, Update},
    },
};

/// Issues the tokens of known devices, and counts what is done with them.
#[derive(Debug, Wire)]
pub struct KnownDevices {
    /// Changes devices.
    pub change: Table<Devices, Update>,
    /// What is written about devices depends on their user.
    pub depend_on_users: Table<User, Check>,
    /// The policy.
    #[wire(device_policy)]
    pub policy: device::Policy,
    /// Records new devices and failures.
    pub audit: AuditLog,
}

impl KnownDevices {
    /// Adds the writes of a device's token to the transaction of the login that is completed, and returns the device's id
    /// and the text, which is shown once. `read` is the record of the user's devices as read. The user is notified of a
    /// device that is new.
    ///
    /// # Errors
    /// [`Fault`] when the random generator fails.
    pub fn issue(
        &self,
        transaction: &mut Transaction,
        call: &Call,
        read: &Devices,
        new: NewDevice<'_>,
    ) -> Result<(DeviceId, Secret), Fault> {
        let (user, is_new) = (new.user, new.renewed.is_none());
        let (device, text) = Device::issue(new, &self.policy, &mut SysRng, call.now)?;
        let id = device.id;
        self.replace(transaction, read, &read.with(device, call.now));
        if is_new {
            let act = Outcome::DeviceAdded.of_user(user).with_notice(Notice::DeviceAdded);
            self.audit.add(transaction, call, act);
        }
        Ok((id, text))
    }

    /// Adds the write that resets a device's failures to the transaction of the login that is completed.
    pub fn complete(&self, transaction: &mut Transaction, call: &Call, read: &Devices, id: DeviceId) {
        self.replace(transaction, read, &read.completed(id, call.now));
    }

    /// Adds the write of a record that replaces the one that was read.
    pub fn replace(&self, transaction: &mut Transaction, read: &Devices, next: &Devices) {
        transaction.update(&self.change, &read.user, rows::device::replace(read.version, next));
    }

    /// Counts a wrong password from a known device on the device only. Not committed after a concurrent change: read and
    /// verify again.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn count_wrong(
        &self,
        call: &Call,
        user: &User,
        read: &Devices,
        id: DeviceId,
    ) -> Result<Committed, Fault> {
        let mut transaction = Transaction::default();
        self.replace(&mut transaction, read, &read.failed(id, call.now));
        transaction.check(&self.depend_on_users, &user.id, rows::user::is_there(user));
        self.audit.add(&mut transaction, call, Outcome::WrongIdentity.of_user(user));
        transaction.commit().await
    }
}
