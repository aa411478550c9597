use countersign_shared::{
    domain::{auth::client::GrantType, device::Device, password::Verdict, people::user::User},
    http::{call::Call, dialects::mithril::Error, reply::Answer},
    services::{idempotency::Once, otp_sender::Sending},
    store::table::Committed,
};

use crate::{
    handler::Create,
    login_state::LoginState,
    password::{LoginRequest, PasswordVerifier},
    session::SignIn,
};

impl Create {
    /// A login in the lane of a known device: neither the user's block by failures nor the limit of failed logins of a
    /// network applies, a wrong password counts on the device only, and a right one does not reset the counters of
    /// others. `None` after a concurrent change: a device that has failed too often meanwhile is then an unknown one.
    pub async fn sign_in_from_device(
        &self,
        call: &Call,
        request: &LoginRequest<'_>,
        (user, device, verifier): (&User, &Device, &mut PasswordVerifier<'_>),
        found: &LoginState,
        sending: &mut Sending<'_>,
        once: &Once<'_>,
    ) -> Result<Option<Answer>, Error> {
        call.log_subject(user.id.log_name());
        let verdict = verifier.verify(&user.password);
        match verdict {
            Verdict::Right | Verdict::RightButWeak => {}
            Verdict::Wrong => {
                return match self.verifier.devices.count_wrong(call, user, &found.devices, device.id).await? {
                    Committed::Yes => Err(Error::WrongIdentity),
                    Committed::No(_) => Ok(None),
                };
            }
        }
        let wanted = request.client.allow(GrantType::Password, request.scope).map_err(Error::ScopeNotAllowed)?;
        let sign_in = SignIn {
            client: &request.client,
            user,
            wanted,
            password: verifier.current(&user.password, verdict)?,
            device: Some(device),
            device_token: request.device.token.as_ref(),
            wants_device: request.device.is_wanted,
        };
        self.admit(call, &sign_in, found, sending, once).await
    }
}
