use countersign_shared::{
    domain::{
        audit::pseudonym,
        auth::{
            client::Client,
            token::{Presented, Token},
        },
        crypto::key::{Answers, Factors, OtpCodes, Passcodes, SupportPins, Verifications},
        device::Devices,
        idempotency::IdempotencyRecord,
        mail::{
            sender::MailDomain,
            suppression::{self, Suppression},
        },
        otp::Otps,
        password::Cost,
        password_reset::PasswordResetRequest,
        people::{
            claim::Claim,
            factor::Factor,
            id::{ClientId, UserId},
            name::{DomainName, EmailAddress},
            tenant::Domain,
            unknown::UnknownIdentity,
            user::User,
        },
        registration::RegistrationRequest,
        support_pin::SupportPin,
        verification::{
            account::{Credential, CredentialId},
            service::{Service, ServiceList},
        },
    },
    runtime::{
        edge::{Wire, system_time},
        keys::KeyShelf,
        payload::Payload,
    },
    services::{audit::AuditLog, lockouts::Lockouts},
    start::Background,
    store::{
        rows::rate_limit::Usage,
        table::{Check, Delete, Get, Put, Scan, Table, Update},
    },
};
use serde_json::{Value, json};

use crate::{
    command::{Command, Which, not_a_command},
    outcome::{Failed, Run},
};

/// Executes what only the operator may do: creates, shows and changes domains, clients, users and tokens, deletes
/// suppressions, rotates keys, and erases users. Permission to invoke the function makes the operator: there is no
/// other check.
#[derive(Wire)]
pub struct Operator {
    pub read_domains: Table<Domain, Get>,
    pub domains: Table<Domain, Put>,
    pub read_users: Table<User, Get>,
    pub users: Table<User, Put>,
    pub change_users: Table<User, Update>,
    pub depend_on_users: Table<User, Check>,
    pub erase_users: Table<User, Delete>,
    pub read_claims: Table<Claim, Get>,
    pub claims: Table<Claim, Put>,
    pub erase_claims: Table<Claim, Delete>,
    pub read_factors: Table<Factor, Get>,
    pub factors: Table<Factor, Put>,
    pub change_factors: Table<Factor, Update>,
    pub erase_factors: Table<Factor, Delete>,
    pub read_clients: Table<Client, Get>,
    pub clients: Table<Client, Put>,
    pub change_clients: Table<Client, Update>,
    pub read_tokens: Table<Token, Get>,
    pub tokens: Table<Token, Put>,
    pub change_tokens: Table<Token, Update>,
    pub find_tokens: Table<Token, Scan>,
    pub erase_tokens: Table<Token, Delete>,
    pub read_suppressions: Table<Suppression, Get>,
    pub find_suppressions: Table<Suppression, Scan>,
    pub lift: Table<Suppression, Delete>,
    pub read_otps: Table<Otps, Get>,
    pub erase_otps: Table<Otps, Delete>,
    pub read_devices: Table<Devices, Get>,
    pub change_devices: Table<Devices, Update>,
    pub erase_devices: Table<Devices, Delete>,
    pub read_pins: Table<SupportPin, Get>,
    pub erase_pins: Table<SupportPin, Delete>,
    pub read_rate_limits: Table<Usage, Get>,
    pub erase_rate_limits: Table<Usage, Delete>,
    pub read_unknown: Table<UnknownIdentity, Get>,
    pub erase_unknown: Table<UnknownIdentity, Delete>,
    pub find_resets: Table<PasswordResetRequest, Scan>,
    pub erase_resets: Table<PasswordResetRequest, Delete>,
    pub find_registrations: Table<RegistrationRequest, Scan>,
    pub erase_registrations: Table<RegistrationRequest, Delete>,
    pub find_repetitions: Table<IdempotencyRecord, Scan>,
    pub erase_repetitions: Table<IdempotencyRecord, Delete>,
    pub read_verify_accounts: Table<Credential, Get>,
    pub verify_accounts: Table<Credential, Put>,
    pub change_verify_accounts: Table<Credential, Update>,
    pub end_verify_accounts: Table<Credential, Delete>,
    pub verify_services: Table<Service, Put>,
    pub verify_lists: Table<ServiceList, Put>,
    pub support_pin_keys: KeyShelf<SupportPins>,
    pub passcode_keys: KeyShelf<Passcodes>,
    pub otp_keys: KeyShelf<OtpCodes>,
    pub answer_keys: KeyShelf<Answers>,
    pub verify_keys: KeyShelf<Verifications>,
    pub factor_keys: KeyShelf<Factors>,
    pub lockouts: Lockouts,
    pub audit: AuditLog,
    #[wire(password_cost)]
    pub cost: Cost,
    #[wire(mail_domain_if_any)]
    pub mail_domain: MailDomain,
}

impl Background for Operator {
    /// The command's result, or `{"error":…}`. One log line reports what was done, about whom, and why not, and an
    /// audit event what was changed, without any secret: the request's id leads to the caller, in CloudTrail.
    async fn answer(&self, Payload(event): Payload, request_id: &str) -> Result<Value, lambda_runtime::Error> {
        let now = system_time();
        let (name, about) = match &event {
            Ok(event) => (event["command"].as_str().unwrap_or_default(), about(event)),
            Err(_) => ("", None),
        };
        let name: String = name.chars().take(40).collect();
        let read = match event {
            Ok(event) => Command::read(event),
            Err(twice) => Err(not_a_command(format!("{twice:?} occurs twice"))),
        };
        let dry = read.as_ref().is_ok_and(|(_, dry)| *dry);
        let done = match read {
            Ok((command, dry)) => {
                let run = Run {
                    command: &name,
                    by: request_id,
                    now,
                    dry,
                };
                self.run(command, run).await
            }
            Err(failed) => Err(failed),
        };
        let (level, outcome, answer) = match done {
            Ok(mut result) => {
                if dry {
                    result["dry_run"] = true.into();
                }
                ("info", "done", result)
            }
            Err(Failed::Refused(words)) => ("info", "refused", json!({ "error": words })),
            Err(Failed::Fault(fault)) => ("error", "fault", json!({ "error": fault.to_string() })),
        };
        let made = answer["user_id"].as_str().map(|id| format!("user:{id}"));
        let subject = made.or(about);
        let fault = (outcome == "fault").then(|| answer["error"].clone());
        println!(
            "{}",
            json!({
                "at": now.iso(), "level": level, "request_id": request_id, "command": name, "outcome": outcome,
                "changed": answer["changed"], "dry_run": dry, "subject": subject, "fault": fault,
            })
        );
        Ok(answer)
    }
}

impl Operator {
    async fn run(&self, command: Command, run: Run<'_>) -> Result<Value, Failed> {
        match command {
            Command::SetDomain(form) => self.set_domain(form, run).await,
            Command::CreateClient(new) => self.create_client(new, run).await,
            Command::SetClient(other) => self.set_client(other, run).await,
            Command::SetClientSecret { client_id } => self.set_client_secret(&client_id, run).await,
            Command::CreateUser(new) => self.create_user(new, run).await,
            Command::ShowUser(who) => self.show_user(who, run).await,
            Command::SetAdmin { user_id, is_admin } => self.set_admin(&user_id, is_admin, run).await,
            Command::SetFactor(new) => self.set_factor(new, run).await,
            Command::ResetFactors { user_id } => self.reset_factors(&user_id, run).await,
            Command::BlockUser { user_id } => self.block(&user_id, run).await,
            Command::UnblockUser { user_id } => self.unblock(&user_id, run).await,
            Command::EraseUser(erasure) => self.erase_user(erasure, run).await,
            Command::CreateToken(new) => self.create_token(new, run).await,
            Command::EndTokens { user_id, client_id } => match (user_id, client_id) {
                (Some(id), None) => self.end_tokens_of_user(&id, run).await,
                (None, Some(id)) => self.end_tokens_of_client(&id, run).await,
                _ => Err("end_tokens takes one of user_id and client_id".into()),
            },
            Command::RevokeToken { token } => self.revoke_token(&token, run).await,
            Command::ListDevices { user_id } => self.list_devices(&user_id, run).await,
            Command::EndDevices { user_id, device_id } => self.end_devices(&user_id, device_id.as_deref(), run).await,
            Command::ListSuppressions { limit, after } => self.list_suppressions(limit, after, run).await,
            Command::Suppression { email } => self.suppression(&email, run).await,
            Command::LiftSuppression { email } => self.lift_suppression(&email, run).await,
            Command::CreateVerifyAccount(new) => self.create_verify_account(new, run).await,
            Command::CreateVerifyKey(new) => self.create_verify_key(new, run).await,
            Command::SetVerifyAuthToken { account_sid } => self.set_verify_auth_token(&account_sid, run).await,
            Command::EndVerifyAccount { account_sid } => self.end_verify_account(&account_sid, run).await,
            Command::EndVerifyKey { key_sid } => self.end_verify_key(&key_sid, run).await,
            Command::RotateKey(new) => self.rotate_key(&new, run).await,
            Command::RetireKey(old) => self.retire_key(&old, run).await,
        }
    }
}

/// The user or the thing that a command is about, if given: ids and pseudonyms, never a secret. Other values are not
/// logged.
fn about(event: &Value) -> Option<String> {
    let text = |field: &str| event[field].as_str();
    let user = text("user_id").and_then(UserId::parse).map(|id| id.log_name());
    let client = text("client_id").and_then(ClientId::parse);
    let domain = text("domain").and_then(|text| DomainName::parse(text).ok());
    let keys = text("keys").filter(|name| Which::named(name).is_some());
    let credential = ["account_sid", "key_sid"].into_iter().find_map(|field| CredentialId::parse(text(field)?));
    user.or_else(|| client.map(|id| id.log_name()))
        .or_else(|| credential.map(|id| id.log_name()))
        .or_else(|| domain.map(|name| format!("domain:{}", name.as_str())))
        .or_else(|| keys.map(|name| format!("keys:{name}")))
        .or_else(|| text("token").and_then(Presented::parse).map(|token| token.owner.log_name()))
        .or_else(|| {
            let email = text("email").and_then(|text| EmailAddress::parse(text).ok());
            email.map(|email| pseudonym("Mail", &suppression::subject(&email)))
        })
}
