//! The bodies of services.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::verification::service::Service,
    http::{
        dialects::verify::{PageMeta, Paging, Urls},
        reply::Answer,
    },
    observe::Outcome,
};

/// A service.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceBody {
    /// Its SID.
    #[schema(pattern = "^VA[0-9a-f]{32}$")]
    sid: String,
    /// The account that it belongs to.
    #[schema(pattern = "^AC[0-9a-f]{32}$")]
    account_sid: String,
    /// Its name, as messages show it.
    #[schema(min_length = 1, max_length = 32, example = "My Shop")]
    friendly_name: String,
    /// The number of digits of its codes.
    #[schema(minimum = 4, maximum = 10, example = 6)]
    code_length: u8,
    /// Kept for clients; numbers are not looked up.
    lookup_enabled: bool,
    /// Whether a verification may be bound to an amount and a payee.
    psd2_enabled: bool,
    /// Kept for clients; it needs a lookup.
    skip_sms_to_landlines: bool,
    /// Whether a call asks for a key press before it says the code.
    dtmf_input_required: bool,
    /// Always `null`.
    tts_name: (),
    /// Whether text messages warn against sharing the code.
    do_not_share_warning_enabled: bool,
    /// Whether a verification may bring its own code.
    custom_code_enabled: bool,
    /// Not available: the vendor's defaults.
    push: PushBody,
    /// Settings of time-based codes.
    totp: TotpBody,
    /// Always `null`.
    default_template_sid: (),
    /// Not available: the vendor's defaults.
    whatsapp: WhatsappBody,
    /// Not available: the vendor's defaults.
    passkeys: PasskeysBody,
    /// Always `false`: events are the deployment's.
    verify_event_subscription_enabled: bool,
    /// When it was created.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    date_created: String,
    /// When its settings last changed.
    #[schema(format = DateTime, example = "2026-02-27T22:06:57Z")]
    date_updated: String,
    /// Its address.
    #[schema(format = "uri")]
    url: String,
    /// The addresses of what belongs to it; not all of them are available.
    links: LinksBody,
}

/// Push: not available.
#[derive(Debug, Serialize, ToSchema)]
pub struct PushBody {
    include_date: bool,
    apn_credential_sid: (),
    fcm_credential_sid: (),
}

/// Settings of time-based codes.
#[derive(Debug, Serialize, ToSchema)]
pub struct TotpBody {
    /// The issuer that an authenticator shows.
    issuer: String,
    /// The lifetime of a code, in seconds.
    #[schema(minimum = 20, maximum = 60, example = 30)]
    time_step: u8,
    /// The number of digits.
    #[schema(minimum = 3, maximum = 8, example = 6)]
    code_length: u8,
    /// How many time steps before and after the current one are accepted.
    #[schema(minimum = 0, maximum = 2, example = 1)]
    skew: u8,
}

/// WhatsApp: not available.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhatsappBody {
    msg_service_sid: (),
    from: (),
}

/// Passkeys: not available.
#[derive(Debug, Serialize, ToSchema)]
pub struct PasskeysBody {
    relying_party: RelyingPartyBody,
    authenticator_attachment: (),
    discoverable_credentials: (),
    user_verification: (),
}

/// A relying party: not available.
#[derive(Debug, Serialize, ToSchema)]
pub struct RelyingPartyBody {
    id: (),
    name: (),
    origins: (),
}

/// The addresses of what belongs to a service.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinksBody {
    verification_checks: String,
    verifications: String,
    rate_limits: String,
    messaging_configurations: String,
    entities: String,
    webhooks: String,
    access_tokens: String,
}

impl ServiceBody {
    fn of(service: &Service, urls: &Urls<'_>) -> Self {
        let url = urls.service(service.sid);
        let below = |name: &str| format!("{url}/{name}");
        Self {
            sid: service.sid.as_text(),
            account_sid: service.account.as_text(),
            friendly_name: service.friendly_name.as_str().to_owned(),
            code_length: service.code_length.get(),
            lookup_enabled: service.lookup_enabled,
            psd2_enabled: service.psd2_enabled,
            skip_sms_to_landlines: service.skip_sms_to_landlines,
            dtmf_input_required: service.dtmf_input_required,
            tts_name: (),
            do_not_share_warning_enabled: service.do_not_share_warning_enabled,
            custom_code_enabled: service.custom_code_enabled,
            push: PushBody {
                include_date: false,
                apn_credential_sid: (),
                fcm_credential_sid: (),
            },
            totp: TotpBody {
                issuer: service.totp_issuer().to_owned(),
                time_step: service.totp.time_step.get(),
                code_length: service.totp.code_length.get(),
                skew: service.totp.skew.get(),
            },
            default_template_sid: (),
            whatsapp: WhatsappBody {
                msg_service_sid: (),
                from: (),
            },
            passkeys: PasskeysBody {
                relying_party: RelyingPartyBody {
                    id: (),
                    name: (),
                    origins: (),
                },
                authenticator_attachment: (),
                discoverable_credentials: (),
                user_verification: (),
            },
            verify_event_subscription_enabled: false,
            date_created: service.created_at.iso(),
            date_updated: service.updated_at.iso(),
            links: LinksBody {
                verification_checks: below("VerificationCheck"),
                verifications: below("Verifications"),
                rate_limits: urls.rate_limits(service.sid),
                messaging_configurations: below("MessagingConfigurations"),
                entities: urls.entities(service.sid),
                webhooks: below("Webhooks"),
                access_tokens: below("AccessTokens"),
            },
            url,
        }
    }
}

/// A page of services.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceList {
    services: Vec<ServiceBody>,
    meta: PageMeta,
}

/// A service, with that status.
#[must_use]
pub fn service(status: u16, outcome: Outcome, service: &Service, urls: &Urls<'_>) -> Answer {
    Answer::json(status, outcome, &ServiceBody::of(service, urls))
}

/// 200: the services on a page, of `count` in all.
#[must_use]
pub fn services(page: Paging, on_page: &[Service], count: usize, urls: &Urls<'_>) -> Answer {
    let body = ServiceList {
        services: on_page.iter().map(|service| ServiceBody::of(service, urls)).collect(),
        meta: page.meta(&urls.services(), "services", count),
    };
    Answer::json(200, Outcome::ServicesListed, &body)
}
