//! Which tests exercise which route. `house.rs` holds the lists to template.yaml and to the tests that there are.

/// Each route, and a test that exercises it as it is meant to be used.
pub const TESTED: &[(&str, &str)] = &[
    (
        "POST /api/v4/user/support_pin",
        "support_pin::create_gives_a_pin_that_ends_in_24_hours",
    ),
    (
        "GET /api/v4/user/support_pin",
        "support_pin::owner_and_administrator_read_the_same_pin_again_and_again",
    ),
    (
        "GET /api/v4/users/{id}/support_pin",
        "support_pin::owner_and_administrator_read_the_same_pin_again_and_again",
    ),
    (
        "POST /api/v4/users/{id}/support_pin/revoke",
        "support_pin::revoke_ends_the_pin_and_leaves_no_ciphertext",
    ),
    (
        "POST /rest/v1/iam/self_register_requests",
        "curl::seed_001_registration",
    ),
    (
        "PATCH /rest/v1/iam/self_register_requests/{uuid}",
        "curl::seed_001_registration",
    ),
    (
        "POST /rest/v1/iam/pwd_reset_requests",
        "cost::mailed_links_keep_to_their_number_of_calls",
    ),
    (
        "PATCH /rest/v1/iam/pwd_reset_requests/{uuid}",
        "cost::mailed_links_keep_to_their_number_of_calls",
    ),
    (
        "GET /app-root",
        "app_root::the_page_has_every_header_and_a_policy_for_its_own_bytes",
    ),
    (
        "GET /passcode/retrieve",
        "passcode::a_passcode_is_made_consumed_once_and_known_by_its_id",
    ),
    (
        "POST /passcode/consume",
        "passcode::a_passcode_is_made_consumed_once_and_known_by_its_id",
    ),
    (
        "GET /passcode/status",
        "passcode::a_passcode_is_made_consumed_once_and_known_by_its_id",
    ),
    (
        "POST /passcode/invalidate",
        "passcode::invalidation_is_idempotent_and_final",
    ),
    ("POST /mithril/api/tokens", "login::a_login_says_what_comes_next"),
    (
        "PATCH /mithril/api/users/{user_id}/actions/create_otp",
        "otp_create::another_code_takes_the_place_of_the_earlier_one",
    ),
    (
        "PATCH /mithril/api/users/actions/init_factor",
        "factor_phone::the_first_phone_is_set_by_who_knows_the_password",
    ),
    (
        "PATCH /mithril/api/users/actions/approve_factor",
        "factor_phone::the_first_phone_is_set_by_who_knows_the_password",
    ),
    ("POST /mithril/api/users", "users::a_user_is_made_whole_and_can_sign_in"),
    (
        "PATCH /mithril/api/users/{user_id}/actions/block",
        "blocks::a_block_stands_until_it_is_lifted",
    ),
    (
        "PATCH /mithril/api/users/{user_id}/actions/unblock",
        "blocks::a_block_stands_until_it_is_lifted",
    ),
    (
        "POST /mithril/api/users/{user_id}/authentication_factors",
        "factors::a_factor_is_made_active_and_empty",
    ),
    (
        "GET /mithril/api/users/{user_id}/authentication_factors",
        "factors::a_list_holds_what_was_asked_for",
    ),
    (
        "GET /mithril/api/users/{user_id}/authentication_factors/{id}",
        "factors::a_factor_is_made_active_and_empty",
    ),
    (
        "PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/reset",
        "factor_switches::logins_go_by_what_was_switched_last",
    ),
    (
        "PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/disable",
        "factor_switches::logins_go_by_what_was_switched_last",
    ),
    (
        "PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/enable",
        "factor_switches::logins_go_by_what_was_switched_last",
    ),
    (
        "GET /openapi.json",
        "openapi::the_document_has_exactly_the_templates_routes",
    ),
    (
        "$default",
        "transport::unknown_routes_are_404_in_the_dialect_of_their_path",
    ),
];

/// Each route that wants a token, and a test that asks without one.
pub const UNAUTHENTICATED: &[(&str, &str)] = &[
    (
        "POST /api/v4/user/support_pin",
        "support_pin::who_is_not_signed_in_gets_401",
    ),
    (
        "GET /api/v4/user/support_pin",
        "support_pin::who_is_not_signed_in_gets_401",
    ),
    (
        "GET /api/v4/users/{id}/support_pin",
        "support_pin::who_is_not_signed_in_gets_401",
    ),
    (
        "POST /api/v4/users/{id}/support_pin/revoke",
        "support_pin::who_is_not_signed_in_gets_401",
    ),
    (
        "GET /passcode/retrieve",
        "passcode::only_a_passcode_token_of_the_client_opens_the_routes",
    ),
    (
        "POST /passcode/consume",
        "passcode::only_a_passcode_token_of_the_client_opens_the_routes",
    ),
    (
        "GET /passcode/status",
        "passcode::only_a_passcode_token_of_the_client_opens_the_routes",
    ),
    (
        "POST /passcode/invalidate",
        "passcode::only_a_passcode_token_of_the_client_opens_the_routes",
    ),
    (
        "PATCH /mithril/api/users/{user_id}/actions/create_otp",
        "roles::every_route_is_open_to_those_it_is_for_and_to_nobody_else",
    ),
    (
        "PATCH /mithril/api/users/actions/init_factor",
        "roles::every_route_is_open_to_those_it_is_for_and_to_nobody_else",
    ),
    (
        "PATCH /mithril/api/users/actions/approve_factor",
        "roles::every_route_is_open_to_those_it_is_for_and_to_nobody_else",
    ),
    (
        "POST /mithril/api/users",
        "roles::every_route_is_open_to_those_it_is_for_and_to_nobody_else",
    ),
    (
        "PATCH /mithril/api/users/{user_id}/actions/block",
        "roles::every_route_is_open_to_those_it_is_for_and_to_nobody_else",
    ),
    (
        "PATCH /mithril/api/users/{user_id}/actions/unblock",
        "roles::every_route_is_open_to_those_it_is_for_and_to_nobody_else",
    ),
    (
        "POST /mithril/api/users/{user_id}/authentication_factors",
        "roles::every_route_is_open_to_those_it_is_for_and_to_nobody_else",
    ),
    (
        "GET /mithril/api/users/{user_id}/authentication_factors",
        "roles::every_route_is_open_to_those_it_is_for_and_to_nobody_else",
    ),
    (
        "GET /mithril/api/users/{user_id}/authentication_factors/{id}",
        "roles::every_route_is_open_to_those_it_is_for_and_to_nobody_else",
    ),
    (
        "PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/reset",
        "roles::every_route_is_open_to_those_it_is_for_and_to_nobody_else",
    ),
    (
        "PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/disable",
        "roles::every_route_is_open_to_those_it_is_for_and_to_nobody_else",
    ),
    (
        "PATCH /mithril/api/users/{user_id}/authentication_factors/{id}/actions/enable",
        "roles::every_route_is_open_to_those_it_is_for_and_to_nobody_else",
    ),
];

/// The routes that anyone may ask.
pub const PUBLIC: &[&str] = &[
    "POST /rest/v1/iam/self_register_requests",
    "PATCH /rest/v1/iam/self_register_requests/{uuid}",
    "POST /rest/v1/iam/pwd_reset_requests",
    "PATCH /rest/v1/iam/pwd_reset_requests/{uuid}",
    "GET /app-root",
    "POST /mithril/api/tokens",
    "GET /openapi.json",
    "$default",
];
