use countersign_shared::domain::{
    crypto::secret::Secret,
    device::{Device, Devices},
    limits::{quota::Quota, rate_limit::Hit},
    otp::Otps,
    people::{factor::Factors, tenant::Domain, unknown::UnknownIdentity, user::User},
    time::Timestamp,
};

/// The rows that a login depends on.
pub struct LoginState {
    pub user: Option<User>,
    /// The failures of the address if no user has it.
    pub unknown: UnknownIdentity,
    pub failures: Vec<Hit>,
    pub factors: Factors,
    pub otps: Otps,
    pub quota: Option<Quota>,
    pub domain: Domain,
    /// The user's known devices, if the request is about devices.
    pub devices: Devices,
}

impl LoginState {
    /// The user, and the known device that the request comes from.
    pub fn known_device(&self, token: Option<&Secret>, now: Timestamp) -> Option<(&User, &Device)> {
        let user = self.user.as_ref()?;
        Some((user, self.devices.known(user, token?, now)?))
    }
}
