//! The form that creates or changes a service.

use rand::TryCryptoRng;
use utoipa::ToSchema;

use crate::{
    domain::{
        time::Timestamp,
        verification::{
            service::{CodeLength, FriendlyName, Service, Skew, TimeStep, TotpCodeLength},
            sid::AccountSid,
        },
    },
    fault::Fault,
    http::{
        call::Call,
        dialects::verify::{Error, Form},
    },
};

/// The settings of a service; omitted ones keep their values.
#[derive(Clone, Debug, ToSchema)]
pub struct ServiceForm {
    /// The name, as messages show it: 1 to 32 characters, required when a service is created.
    #[schema(rename = "FriendlyName", value_type = Option<String>, min_length = 1, max_length = 32, example = "My Shop")]
    friendly_name: Option<FriendlyName>,
    /// The number of digits of codes; 6 by default.
    #[schema(rename = "CodeLength", value_type = Option<u8>, minimum = 4, maximum = 10, example = 6)]
    code_length: Option<CodeLength>,
    /// Whether a verification may bring its own code.
    #[schema(rename = "CustomCodeEnabled")]
    custom_code_enabled: Option<bool>,
    /// Whether a verification may be bound to an amount and a payee (PSD2).
    #[schema(rename = "Psd2Enabled")]
    psd2_enabled: Option<bool>,
    /// Whether text messages warn against sharing the code.
    #[schema(rename = "DoNotShareWarningEnabled")]
    do_not_share_warning_enabled: Option<bool>,
    /// Kept for clients; numbers are not looked up.
    #[schema(rename = "LookupEnabled")]
    lookup_enabled: Option<bool>,
    /// Kept for clients; it needs a lookup.
    #[schema(rename = "SkipSmsToLandlines")]
    skip_sms_to_landlines: Option<bool>,
    /// Whether a call asks for a key press before it says the code; `true` by default.
    #[schema(rename = "DtmfInputRequired")]
    dtmf_input_required: Option<bool>,
    /// The issuer that an authenticator shows; empty: the service's name, the default.
    #[schema(rename = "Totp.Issuer", value_type = Option<String>, max_length = 32, pattern = r"^[^\x00-\x1F\x7F-\x9F]*$", example = "My Shop")]
    totp_issuer: Option<Option<FriendlyName>>,
    /// The lifetime of a time-based code, in seconds; 30 by default.
    #[schema(rename = "Totp.TimeStep", value_type = Option<u8>, minimum = 20, maximum = 60, example = 30)]
    totp_time_step: Option<TimeStep>,
    /// The number of digits of a time-based code; 6 by default.
    #[schema(rename = "Totp.CodeLength", value_type = Option<u8>, minimum = 3, maximum = 8, example = 6)]
    totp_code_length: Option<TotpCodeLength>,
    /// How many time steps before and after the current one are accepted; 1 by default.
    #[schema(rename = "Totp.Skew", value_type = Option<u8>, minimum = 0, maximum = 2, example = 1)]
    totp_skew: Option<Skew>,
}

/// What is not available, and the vendor's default, which is accepted.
const UNAVAILABLE: &[(&str, &str)] = &[
    ("TtsName", ""),
    ("DefaultTemplateSid", ""),
    ("Push.IncludeDate", "false"),
    ("Push.ApnCredentialSid", ""),
    ("Push.FcmCredentialSid", ""),
    ("Whatsapp.MsgServiceSid", ""),
    ("Whatsapp.From", ""),
    ("Passkeys.RelyingParty.Id", ""),
    ("Passkeys.RelyingParty.Name", ""),
    ("Passkeys.RelyingParty.Origins", ""),
    ("Passkeys.AuthenticatorAttachment", ""),
    ("Passkeys.DiscoverableCredentials", ""),
    ("Passkeys.UserVerification", ""),
    ("VerifyEventSubscriptionEnabled", "false"),
];

impl ServiceForm {
    /// Reads the form.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a value is not valid; [`Error::FeatureOff`] for a setting of what is not available; a
    /// malformed request when the body is not a form.
    pub fn read(call: &Call) -> Result<Self, Error> {
        let form = Form::read(call)?;
        let read = Self {
            friendly_name: form.parsed("FriendlyName", FriendlyName::parse)?,
            code_length: form.number("CodeLength", CodeLength::new)?,
            custom_code_enabled: form.flag("CustomCodeEnabled")?,
            psd2_enabled: form.flag("Psd2Enabled")?,
            do_not_share_warning_enabled: form.flag("DoNotShareWarningEnabled")?,
            lookup_enabled: form.flag("LookupEnabled")?,
            skip_sms_to_landlines: form.flag("SkipSmsToLandlines")?,
            dtmf_input_required: form.flag("DtmfInputRequired")?,
            totp_issuer: form.parsed("Totp.Issuer", |text| match text {
                "" => Some(None),
                name => FriendlyName::parse(name).map(Some),
            })?,
            totp_time_step: form.number("Totp.TimeStep", TimeStep::new)?,
            totp_code_length: form.number("Totp.CodeLength", TotpCodeLength::new)?,
            totp_skew: form.number("Totp.Skew", Skew::new)?,
        };
        UNAVAILABLE.iter().try_for_each(|(name, default)| form.only(name, default))?;
        Ok(read)
    }

    /// A new service with these settings.
    ///
    /// # Errors
    /// [`Error::Invalid`] without a name; [`Fault`] when the random generator fails.
    pub fn created(
        mut self,
        account: AccountSid,
        rng: &mut impl TryCryptoRng,
        now: Timestamp,
    ) -> Result<Service, Error> {
        let name = self.friendly_name.take().ok_or(Error::Invalid("FriendlyName"))?;
        let service = Service::new(account, name, rng, now).map_err(Fault::from)?;
        Ok(self.set_on(service))
    }

    /// The service with these settings.
    #[must_use]
    pub fn changed(&self, read: &Service, now: Timestamp) -> Service {
        let next = Service {
            updated_at: now,
            ..read.clone()
        };
        self.clone().set_on(next)
    }

    fn set_on(self, mut service: Service) -> Service {
        set(&mut service.friendly_name, self.friendly_name);
        set(&mut service.code_length, self.code_length);
        set(&mut service.custom_code_enabled, self.custom_code_enabled);
        set(&mut service.psd2_enabled, self.psd2_enabled);
        set(&mut service.do_not_share_warning_enabled, self.do_not_share_warning_enabled);
        set(&mut service.lookup_enabled, self.lookup_enabled);
        set(&mut service.skip_sms_to_landlines, self.skip_sms_to_landlines);
        set(&mut service.dtmf_input_required, self.dtmf_input_required);
        set(&mut service.totp.issuer, self.totp_issuer);
        set(&mut service.totp.time_step, self.totp_time_step);
        set(&mut service.totp.code_length, self.totp_code_length);
        set(&mut service.totp.skew, self.totp_skew);
        service
    }
}

fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}
