//! What each function says of its route. Written by `cargo xtask generate`.

use countersign_shared::http::route::Route;
use utoipa::openapi::path::OperationBuilder;

#[path = "../../app-root/openapi.rs"]
mod app_root;
#[path = "../../factor-approve/openapi.rs"]
mod factor_approve;
#[path = "../../factor-create/openapi.rs"]
mod factor_create;
#[path = "../../factor-disable/openapi.rs"]
mod factor_disable;
#[path = "../../factor-enable/openapi.rs"]
mod factor_enable;
#[path = "../../factor-init/openapi.rs"]
mod factor_init;
#[path = "../../factor-list/openapi.rs"]
mod factor_list;
#[path = "../../factor-reset/openapi.rs"]
mod factor_reset;
#[path = "../../factor-show/openapi.rs"]
mod factor_show;
#[path = "../../openapi/openapi.rs"]
mod openapi;
#[path = "../../otp-create/openapi.rs"]
mod otp_create;
#[path = "../../passcode-consume/openapi.rs"]
mod passcode_consume;
#[path = "../../passcode-invalidate/openapi.rs"]
mod passcode_invalidate;
#[path = "../../passcode-retrieve/openapi.rs"]
mod passcode_retrieve;
#[path = "../../passcode-status/openapi.rs"]
mod passcode_status;
#[path = "../../password-reset-confirm/openapi.rs"]
mod password_reset_confirm;
#[path = "../../password-reset-request/openapi.rs"]
mod password_reset_request;
#[path = "../../recovery-codes-replace/openapi.rs"]
mod recovery_codes_replace;
#[path = "../../registration-confirm/openapi.rs"]
mod registration_confirm;
#[path = "../../registration-request/openapi.rs"]
mod registration_request;
#[path = "../../support-pin-create/openapi.rs"]
mod support_pin_create;
#[path = "../../support-pin-revoke/openapi.rs"]
mod support_pin_revoke;
#[path = "../../support-pin-show/openapi.rs"]
mod support_pin_show;
#[path = "../../support-pin-show-user/openapi.rs"]
mod support_pin_show_user;
#[path = "../../token-create/openapi.rs"]
mod token_create;
#[path = "../../user-block/openapi.rs"]
mod user_block;
#[path = "../../user-create/openapi.rs"]
mod user_create;
#[path = "../../user-devices/openapi.rs"]
mod user_devices;
#[path = "../../user-unblock/openapi.rs"]
mod user_unblock;
#[path = "../../verification-check/openapi.rs"]
mod verification_check;
#[path = "../../verification-show/openapi.rs"]
mod verification_show;
#[path = "../../verification-start/openapi.rs"]
mod verification_start;
#[path = "../../verification-update/openapi.rs"]
mod verification_update;
#[path = "../../verify-attempts/openapi.rs"]
mod verify_attempts;
#[path = "../../verify-challenges/openapi.rs"]
mod verify_challenges;
#[path = "../../verify-entities/openapi.rs"]
mod verify_entities;
#[path = "../../verify-factors/openapi.rs"]
mod verify_factors;
#[path = "../../verify-rate-limits/openapi.rs"]
mod verify_rate_limits;
#[path = "../../verify-services/openapi.rs"]
mod verify_services;

/// What is said of a route; `None` for one that is not described.
pub fn operation(route: &Route) -> Option<OperationBuilder> {
    let operation = match route.function {
        "app-root" => app_root::operation(route),
        "factor-approve" => factor_approve::operation(route),
        "factor-create" => factor_create::operation(route),
        "factor-disable" => factor_disable::operation(route),
        "factor-enable" => factor_enable::operation(route),
        "factor-init" => factor_init::operation(route),
        "factor-list" => factor_list::operation(route),
        "factor-reset" => factor_reset::operation(route),
        "factor-show" => factor_show::operation(route),
        "openapi" => openapi::operation(route),
        "otp-create" => otp_create::operation(route),
        "passcode-consume" => passcode_consume::operation(route),
        "passcode-invalidate" => passcode_invalidate::operation(route),
        "passcode-retrieve" => passcode_retrieve::operation(route),
        "passcode-status" => passcode_status::operation(route),
        "password-reset-confirm" => password_reset_confirm::operation(route),
        "password-reset-request" => password_reset_request::operation(route),
        "recovery-codes-replace" => recovery_codes_replace::operation(route),
        "registration-confirm" => registration_confirm::operation(route),
        "registration-request" => registration_request::operation(route),
        "support-pin-create" => support_pin_create::operation(route),
        "support-pin-revoke" => support_pin_revoke::operation(route),
        "support-pin-show" => support_pin_show::operation(route),
        "support-pin-show-user" => support_pin_show_user::operation(route),
        "token-create" => token_create::operation(route),
        "user-block" => user_block::operation(route),
        "user-create" => user_create::operation(route),
        "user-devices" => user_devices::operation(route),
        "user-unblock" => user_unblock::operation(route),
        "verification-check" => verification_check::operation(route),
        "verification-show" => verification_show::operation(route),
        "verification-start" => verification_start::operation(route),
        "verification-update" => verification_update::operation(route),
        "verify-attempts" => verify_attempts::operation(route),
        "verify-challenges" => verify_challenges::operation(route),
        "verify-entities" => verify_entities::operation(route),
        "verify-factors" => verify_factors::operation(route),
        "verify-rate-limits" => verify_rate_limits::operation(route),
        "verify-services" => verify_services::operation(route),
        _ => return None,
    };
    Some(operation)
}
