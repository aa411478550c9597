//! Mithril's part of the description: tokens, second factors and their users.

use countersign_shared::{
    domain::scope::Needed,
    http::{
        mithril::{
            FACTOR_READ, FACTOR_RESET, FACTOR_WRITE, USER_BLOCK, USER_UNBLOCK, USER_WRITE,
            body::FactorFilter,
            envelope::{Meta, MithrilError, Problem},
            form::{
                AuthorizeGrant, BlockForm, ClientGrant, CodeForm, FactorForm, NewFactorForm, Nothing, OtpForm,
                PasswordGrant, RefreshGrant, UserForm, WrappedGrant, WrappedUser,
            },
            invalid::{Invalid, Rule},
            view::{
                FactorAnswer, FactorList, FactorShown, Paging, TokenAnswer, TokenDetails, TokenShown, Urgent,
                UserAnswer, UserShown,
            },
        },
        route::Route,
    },
};
use utoipa::{
    ToSchema,
    openapi::{
        RefOr, Required, ResponseBuilder, SecurityRequirement,
        path::{OperationBuilder, ParameterBuilder, ParameterIn},
        request_body::RequestBody,
        schema::Schema,
    },
};

use super::{
    FACTOR,
    parts::{
        CHALLENGE, closed, idempotency, json, named, object, one_of, parameters, reference, seconds, text, unavailable,
        uuid, verifies,
    },
};

/// The types that the other functions here refer to.
pub fn schemas() -> Vec<(String, RefOr<Schema>)> {
    fn of<T: ToSchema>() -> (String, RefOr<Schema>) {
        (T::name().into_owned(), T::schema())
    }
    vec![
        closed::<PasswordGrant>(),
        closed::<AuthorizeGrant>(),
        closed::<RefreshGrant>(),
        closed::<ClientGrant>(),
        closed::<WrappedGrant>(),
        closed::<OtpForm>(),
        closed::<CodeForm>(),
        closed::<NewFactorForm>(),
        closed::<FactorForm>(),
        closed::<BlockForm>(),
        closed::<UserForm>(),
        closed::<WrappedUser>(),
        closed::<Nothing>(),
        of::<TokenAnswer>(),
        of::<TokenShown>(),
        of::<TokenDetails>(),
        of::<Urgent>(),
        of::<UserAnswer>(),
        of::<UserShown>(),
        of::<FactorAnswer>(),
        of::<FactorList>(),
        of::<FactorShown>(),
        of::<Paging>(),
        of::<Meta>(),
        of::<MithrilError>(),
        of::<Problem>(),
        of::<Invalid>(),
        of::<Rule>(),
    ]
}

pub fn token_create(route: &Route) -> OperationBuilder {
    let grants = one_of([
        reference::<PasswordGrant>(),
        reference::<AuthorizeGrant>(),
        reference::<RefreshGrant>(),
        reference::<ClientGrant>(),
        reference::<WrappedGrant>(),
    ]);
    let operation = mithril("Give a token: for a password, a code, or a client's secret", route)
        // The 2FA token may be in the header or in the body.
        .security(SecurityRequirement::default())
        .security(any_token())
        .extensions(Some(verifies()))
        .response(
            "201",
            json::<TokenAnswer>("The token, and what to do next with it; a code may be on its way"),
        )
        .response(
            "401",
            denied("The client, the person, the token or the code is not good, or the user is blocked"),
        );
    sends_text(takes(operation, object(grants)))
}

pub fn factor_create(route: &Route) -> OperationBuilder {
    let operation = scoped("Make a second factor for a user, without a value", route, FACTOR_WRITE)
        .response(
            "201",
            json::<FactorAnswer>("The factor; a login asks for it").header("Location", text()),
        )
        .response("404", json::<MithrilError>("No such user"))
        .response(
            "409",
            json::<MithrilError>("The user is blocked, or has a factor of this type"),
        );
    takes(operation, object(reference::<NewFactorForm>()))
}

pub fn factor_list(route: &Route) -> OperationBuilder {
    scoped("List a user's second factors", route, FACTOR_READ)
        .parameters(Some(parameters::<FactorFilter>()))
        .response("200", json::<FactorList>("All that are like this; phones are masked"))
        .response("404", json::<MithrilError>("No such user"))
        .response("422", json::<MithrilError>("A parameter cannot be taken"))
}

pub fn factor_show(route: &Route) -> OperationBuilder {
    scoped("Show a user's second factor", route, FACTOR_READ)
        .response("200", json::<FactorAnswer>("The factor; its phone is masked"))
        .response("404", no_factor())
}

pub fn factor_reset(route: &Route) -> OperationBuilder {
    takes_nothing(scoped(
        "Empty a second factor: it has no phone any more",
        route,
        FACTOR_RESET,
    ))
    .response("200", json::<FactorAnswer>("The factor; a login asks for a new phone"))
    .response("404", no_factor())
}

pub fn factor_disable(route: &Route) -> OperationBuilder {
    takes_nothing(scoped("Let logins not ask for a second factor", route, FACTOR_WRITE))
        .response("200", json::<FactorAnswer>("The factor, disabled"))
        .response("404", no_factor())
        .response("409", json::<MithrilError>("It is disabled already"))
}

pub fn factor_enable(route: &Route) -> OperationBuilder {
    takes_nothing(scoped("Let logins ask for a second factor again", route, FACTOR_WRITE))
        .response("200", json::<FactorAnswer>("The factor, enabled"))
        .response("404", no_factor())
        .response("409", json::<MithrilError>("It is enabled already"))
}

pub fn otp_create(route: &Route) -> OperationBuilder {
    let operation = mithril("Send another code, to the holder of a 2fa_access_token", route)
        // The token may be in the header or in the body.
        .security(SecurityRequirement::default())
        .security(any_token())
        .response(
            "200",
            json::<UserAnswer>("The code is on its way, and earlier ones are gone"),
        )
        .response("401", denied("No token, one that is not good, or the user is blocked"))
        .response("403", json::<MithrilError>("The token is another user's"));
    sends_text(may_take(operation, object(reference::<CodeForm>())))
}

pub fn factor_init(route: &Route) -> OperationBuilder {
    let operation = mithril(
        "Set or change the phone of one's second factor: a code goes there",
        route,
    )
    .security(any_token())
    .response(
        "201",
        json::<TokenAnswer>("A 2fa_access_token, with which the code is to be given"),
    )
    .response(
        "401",
        denied("No token, one that is not good for this, or the user is blocked"),
    )
    .response(
        "403",
        json::<MithrilError>("An access token needs the scope `app:authorize` or `authentication_factor:write`")
            .header(CHALLENGE, text()),
    )
    .response("404", json::<MithrilError>("The user has no active factor"));
    sends_text(takes(operation, object(reference::<FactorForm>())))
}

pub fn factor_approve(route: &Route) -> OperationBuilder {
    let operation = mithril("Give the code that the new phone of one's second factor got", route)
        .security(any_token())
        .extensions(Some(verifies()))
        .response("201", json::<TokenAnswer>("The phone is set; an access token"))
        .response(
            "401",
            denied("No token, one that is not good for this, a wrong code, or the user is blocked"),
        )
        .response("404", json::<MithrilError>("The factor is gone, or disabled"))
        .response("429", too_soon("Too many codes tried"));
    takes(operation, object(reference::<OtpForm>()))
}

pub fn user_block(route: &Route) -> OperationBuilder {
    let operation = scoped("Block a user", route, USER_BLOCK)
        .response("200", json::<UserAnswer>("The user; all tokens have ended"))
        .response("404", json::<MithrilError>("No such user"))
        .response(
            "409",
            json::<MithrilError>("The user is blocked already, by an administrator or by failed attempts"),
        );
    may_take(operation, object(reference::<BlockForm>()))
}

pub fn user_unblock(route: &Route) -> OperationBuilder {
    takes_nothing(scoped("Lift a user's block", route, USER_UNBLOCK))
        .response("200", json::<UserAnswer>("The user; failures count anew"))
        .response("404", json::<MithrilError>("No such user"))
        .response("409", json::<MithrilError>("The user is not blocked"))
}

pub fn user_create(route: &Route) -> OperationBuilder {
    let operation = scoped("Make a user", route, USER_WRITE)
        .description(Some(
            "An administrator is made by an administrator of the domain, or with the scope `user:admin`",
        ))
        .response("201", json::<UserAnswer>("The user"));
    takes(
        operation,
        object(one_of([reference::<UserForm>(), reference::<WrappedUser>()])),
    )
}

/// What every route of the family has.
fn mithril(summary: &str, route: &Route) -> OperationBuilder {
    let operation = named(summary, route)
        .tag(FACTOR)
        .response("400", json::<MithrilError>("The request cannot be read"))
        .response("413", json::<MithrilError>("The body has more than 16 KiB"))
        .response("415", json::<MithrilError>("The body is encoded"))
        .response("500", json::<MithrilError>("Ours"))
        .response("503", unavailable(reference::<MithrilError>()));
    let of_path = [("user_id", "The user's id"), ("id", "The factor's id")];
    of_path
        .iter()
        .filter(|(name, _)| route.path.contains(&format!("{{{name}}}")))
        .fold(operation, |operation, (name, description)| {
            operation.parameter(
                ParameterBuilder::new()
                    .name(*name)
                    .parameter_in(ParameterIn::Path)
                    .required(Required::True)
                    .description(Some(*description))
                    .schema(Some(uuid())),
            )
        })
}

/// A route for holders of an access token with one of these scopes.
fn scoped(summary: &str, route: &Route, needed: Needed) -> OperationBuilder {
    let scopes = needed.any_of.iter().map(|scope| scope.name());
    mithril(summary, route)
        .security(SecurityRequirement::new("bearer", scopes))
        .response(
            "401",
            denied("No token, one that is not good, or the caller is blocked"),
        )
        .response(
            "403",
            json::<MithrilError>("The scope is too small: then there is a challenge; or it is not the caller's to do")
                .header(CHALLENGE, text()),
        )
}

/// A token that no scope is asked of.
fn any_token() -> SecurityRequirement {
    SecurityRequirement::new("bearer", [] as [&str; 0])
}

fn takes(operation: OperationBuilder, body: RequestBody) -> OperationBuilder {
    operation
        .request_body(Some(body))
        .response("415", json::<MithrilError>("The body is no JSON, or it is encoded"))
        .response(
            "422",
            json::<MithrilError>("Fields are missing, malformed, unknown or taken: all of them are named"),
        )
}

/// A route whose body may be left out.
fn may_take(operation: OperationBuilder, mut body: RequestBody) -> OperationBuilder {
    body.required = Some(Required::False);
    takes(operation, body)
}

/// A route whose body, if there is one, is an object without fields.
fn takes_nothing(operation: OperationBuilder) -> OperationBuilder {
    let mut body = object(reference::<Nothing>());
    body.required = Some(Required::False);
    operation
        .request_body(Some(body))
        .response(
            "415",
            json::<MithrilError>("There is a body, and it is no JSON, or it is encoded"),
        )
        .response("422", json::<MithrilError>("There is a field, where none is known"))
}

/// A route that sends a text message: a repetition sends no second one.
fn sends_text(operation: OperationBuilder) -> OperationBuilder {
    operation
        .parameter(idempotency())
        .response(
            "409",
            json::<MithrilError>(
                "There is no factor that a code could be sent for, or the same call, by its Idempotency-Key, is under way",
            )
            .header("Retry-After", seconds()),
        )
        .response("429", too_soon("Too many codes sent or tried"))
        .response(
            "503",
            json::<MithrilError>("The text message cannot be sent, or something of ours gave no answer; nothing stands in the way of another try")
                .header("Retry-After", seconds()),
        )
}

fn no_factor() -> ResponseBuilder {
    json::<MithrilError>("No such user, or no such factor")
}

fn denied(description: &str) -> ResponseBuilder {
    json::<MithrilError>(description).header(CHALLENGE, text())
}

fn too_soon(description: &str) -> ResponseBuilder {
    json::<MithrilError>(description).header("Retry-After", seconds())
}
