"""What schemathesis cannot know of a local cloud: a token for each family, and existing users, links, passcodes and codes.
Every call has a new source address, so that no rate limit per address applies. COUNTERSIGN_URL is the URL of the
cloud."""

import base64
import hmac
import itertools
import json
import os
import re
import struct
import urllib.parse
import urllib.request
from datetime import datetime

import schemathesis

URL = os.environ["COUNTERSIGN_URL"]
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))
ADDRESSES = (f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}" for number in itertools.count(1))
TURNS = itertools.count()
PASSWORD = "correct-horse-Battery-9"


def exchange(path, body=None, token=None, method=None):
    headers = {"content-type": "application/json", "x-local-source-ip": next(ADDRESSES)}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    with HTTP.open(urllib.request.Request(URL + path, data, headers, method=method), timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def operator(command, **fields):
    answer = exchange("/2015-03-31/functions/operator/invocations", {"command": command, **fields})
    if "error" in answer or "errorMessage" in answer:
        raise RuntimeError(f"{command}: {answer}")
    return answer


def last_message(pattern):
    return re.findall(pattern, json.dumps(exchange("/_local/messages")))[-1]


IDS = exchange("/_local/identities")
CLIENT = IDS["client"]["client_id"]
OF_ADMIN, OF_CLIENT = f"Bearer {IDS['admin']['token']}", f"Bearer {IDS['passcode_token']}"
OF_APPLICATION = f"Basic {IDS['verify']['basic']}"


class Guest:
    """A user with a phone and both kinds of token. Each call gets a new one: wrong codes lock users out, and a revoked token
    must not affect the next call."""

    numbers = itertools.count()

    def __init__(self):
        number = next(self.numbers)
        self.email, self.phone, self.next_phone = f"guest{number}@example.com", f"+38088{2_000_000 + number}", f"+38088{3_000_000 + number}"
        self.user_id = operator(
            "create_user", domain=IDS["domain"], email=self.email, login=f"guest{number}", name="Guest", password=PASSWORD
        )["user_id"]
        self.factor_id = operator("set_factor", user_id=self.user_id, type="SMS", factor=self.phone)["factor_id"]
        # The operator's function uses the system clock, and the checks advance only the cloud's.
        self.access_token = operator(
            "create_token", user_id=self.user_id, client_id=CLIENT, scopes=["api", "app:authorize"], lifetime_seconds=31_000_000
        )["token"]

    def logged_in(self):
        """Returns a `2fa_access_token`; its code is in the last message."""
        grant = {"grant_type": "password", "client_id": CLIENT, "scope": "app:authorize", "email": self.email, "password": PASSWORD}
        return exchange("/mithril/api/tokens", grant)["data"]["value"]


READ = Guest()


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Responses have exactly the described fields. The document allows others: later versions may add fields."""
    for schema in raw_schema["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    operations = [operation for item in raw_schema["paths"].values() for operation in item.values()]
    # Schemathesis ignores the parameters of a media type, and validates against the last of two that differ by them only.
    for response in (response for operation in operations for response in operation["responses"].values()):
        content = response.get("content", {})
        if len({kind.split(";")[0] for kind in content}) < len(content):
            response["content"] = dict.fromkeys(content, {"schema": {"anyOf": [of["schema"] for of in content.values()]}})
    # Forms that ignore unknown fields refuse one that comes twice, which a list would be.
    for operation in operations:
        for content in operation.get("requestBody", {}).get("content", {}).values():
            if "properties" in content["schema"]:
                content["schema"].setdefault("additionalProperties", {"type": "string"})


@schemathesis.auth(refresh_interval=None)
class Tokens:
    """A token that authorizes the operation. Where the operation needs a guest's token, before_call replaces it."""

    def get(self, case, context):
        path = case.operation.path
        if path.startswith("/api/v4/"):
            return "PRIVATE-TOKEN", IDS["user" if path.startswith("/api/v4/user/") else "admin"]["token"]
        if path.startswith("/passcode/"):
            return "Authorization", OF_CLIENT
        if path.startswith("/mithril/api/users"):
            return "Authorization", OF_ADMIN
        if path.startswith("/v2/"):
            return "Authorization", OF_APPLICATION
        return None

    def set(self, case, data, context):
        name, value = data
        case.headers[name] = value


@schemathesis.hook
def before_call(context, case, kwargs):
    case.headers["x-local-source-ip"] = next(ADDRESSES)
    # A token that schemathesis generated is a test case: leave it.
    made_up = case.headers.get("Authorization", OF_ADMIN) not in (OF_ADMIN, OF_CLIENT, OF_APPLICATION)
    # Half of the valid calls use resources that exist.
    if case.meta is not None and case.meta.generation.mode.is_positive and not made_up and next(TURNS) % 2:
        real = REAL.get((case.operation.method.upper(), case.operation.path))
        if real:
            # Resets the rate limits per minute and per hour.
            exchange("/_local/clock", {"advance_seconds": 3601})
            real(case)


def bearer(case, token):
    case.headers["Authorization"] = f"Bearer {token}"


def own_pin(case):
    exchange("/api/v4/user/support_pin", {}, IDS["user"]["token"])


def users_pin(case):
    own_pin(case)
    case.path_parameters["id"] = IDS["user"]["user_id"]


def passcode(purpose="p", username="u"):
    query = urllib.parse.urlencode({"purpose": purpose, "username": username, "client_id": CLIENT})
    return exchange(f"/passcode/retrieve?{query}", token=IDS["passcode_token"])


def consumed(case):
    case.query["client_id"] = CLIENT
    case.body = {"passcode": passcode()["token"], "purpose": "p", "username": "u"}


def known_passcode(case):
    case.query.update({"client_id": CLIENT, "passcode_id": passcode()["id"]})


def invalidated(case):
    case.query["client_id"] = CLIENT
    case.body = {"passcode_id": passcode()["id"]}


def own_client(case):
    case.query["client_id"] = CLIENT


def registration(case):
    number = next(Guest.numbers)
    case.body = {"domain": IDS["domain"], "login": f"visitor{number}", "name": "Visitor", "email": f"visitor{number}@example.com"}


def registration_link(case):
    number = next(Guest.numbers)
    form = {"domain": IDS["domain"], "login": f"visitor{number}", "name": "Visitor", "email": f"visitor{number}@example.com"}
    exchange("/rest/v1/iam/self_register_requests", form)
    case.path_parameters["uuid"] = last_message(r"/self_register/([0-9a-f-]{36})")
    case.body = {"pwd": PASSWORD}


def reset_link(case):
    exchange("/rest/v1/iam/pwd_reset_requests", {"key": Guest().email, "domain": IDS["domain"]})
    case.path_parameters["uuid"] = last_message(r"/pwd_reset/([0-9a-f-]{36})")
    case.body = {"pwd": PASSWORD}


def changed_password(case):
    bearer(case, Guest().access_token)
    case.body = {"current_pwd": PASSWORD, "new_pwd": PASSWORD + "9"}


def of_guest(case):
    # A read changes nothing, so all reads share one guest.
    guest = READ if case.operation.method.upper() == "GET" else Guest()
    case.path_parameters["user_id"] = guest.user_id
    if "id" in case.path_parameters:
        case.path_parameters["id"] = guest.factor_id
    return guest


def disabled_factor(case):
    guest = of_guest(case)
    disable = f"/mithril/api/users/{guest.user_id}/authentication_factors/{guest.factor_id}/actions/disable"
    exchange(disable, {}, IDS["admin"]["token"], "PATCH")


def blocked_guest(case):
    operator("block_user", user_id=of_guest(case).user_id)


def without_factor(case):
    number = next(Guest.numbers)
    case.path_parameters["user_id"] = operator(
        "create_user", domain=IDS["domain"], email=f"plain{number}@example.com", login=f"plain{number}", name="Plain", password=PASSWORD
    )["user_id"]


def with_device(case):
    number = next(Guest.numbers)
    email = f"known{number}@example.com"
    user = operator("create_user", domain=IDS["domain"], email=email, login=f"known{number}", name="Known", password=PASSWORD)["user_id"]
    grant = {"grant_type": "password", "client_id": CLIENT, "scope": "app:authorize", "email": email, "password": PASSWORD, "device": True}
    exchange("/mithril/api/tokens", grant)
    case.path_parameters["user_id"] = user
    if "{id}" in case.operation.path:
        listed = exchange(f"/mithril/api/users/{user}/devices", token=IDS["admin"]["token"])
        case.path_parameters["id"] = listed["data"][0]["id"]


def new_code(case):
    guest = of_guest(case)
    bearer(case, guest.logged_in())


def new_phone(case):
    guest = Guest()
    bearer(case, guest.access_token)
    case.body = {"type": "SMS", "factor": guest.next_phone}


def approved_phone(case):
    guest = Guest()
    form = {"type": "SMS", "factor": guest.next_phone}
    bearer(case, exchange("/mithril/api/users/actions/init_factor", form, guest.access_token, "PATCH")["data"]["value"])
    case.body = {"otp": last_message(r"#(\d{6})")}


def granted(case):
    """Each grant in turn; every other time in the format of the original's clients."""
    turn = next(TURNS)
    guest = Guest()
    ways = [
        lambda: {"grant_type": "password", "client_id": CLIENT, "scope": "app:authorize", "email": guest.email, "password": PASSWORD},
        lambda: {"grant_type": "authorize_2fa_access_token", "token": guest.logged_in(), "otp": last_message(r"#(\d{6})")},
        lambda: {"grant_type": "refresh_2fa_access_token", "token": guest.logged_in()},
        lambda: {"grant_type": "client_credentials", "scope": "passcode", **IDS["client"]},
    ]
    body = ways[turn // 2 % len(ways)]()
    case.body = {"token": body} if turn % 2 else body


def new_user(case):
    number = next(Guest.numbers)
    case.body = {"email": f"member{number}@example.com", "password": PASSWORD, "2fa_enable": True}


FACTOR = "/mithril/api/users/{user_id}/authentication_factors/{id}"
class Application:
    """An account with a service of its own: the rate limits of an account are few, and a deleted service is gone."""

    numbers = itertools.count()

    def __init__(self, case):
        made = operator("create_verify_account", domain=IDS["domain"], name="Shop")
        pair = f"{made['account_sid']}:{made['auth_token']}".encode()
        self.basic, self.service = f"Basic {base64.b64encode(pair).decode()}", f"/v2/Services/{made['service_sid']}"
        case.headers["Authorization"] = self.basic
        if "{service}" in case.operation.path:
            case.path_parameters["service"] = made["service_sid"]

    def post(self, path, **fields):
        headers = {"authorization": self.basic, "content-type": "application/x-www-form-urlencoded"}
        form = urllib.parse.urlencode(fields).encode()
        with HTTP.open(urllib.request.Request(f"{URL}{self.service}{path}", form, headers), timeout=60) as answer:
            return json.loads(answer.read())

    def started(self):
        return self.post("/Verifications", To=f"someone{next(self.numbers)}@example.com", Channel="email")


def own_service(case):
    Application(case)


def own_rate_limit(case):
    application = Application(case)
    limit = application.post("/RateLimits", UniqueName="end_user_ip")
    case.path_parameters["rate_limit"] = limit["sid"]
    return application.post(f"/RateLimits/{limit['sid']}/Buckets", Max=5, Interval=60)


def own_bucket(case):
    case.path_parameters["bucket"] = own_rate_limit(case)["sid"]


def new_verification(case):
    Application(case)
    case.body = {"To": f"someone{next(Application.numbers)}@example.com", "Channel": "email"}


def open_verification(case):
    case.path_parameters["verification"] = Application(case).started()["sid"]
    if case.method == "POST":
        case.body = {"Status": "canceled"}


def right_code(case):
    started = Application(case).started()
    case.body = {"VerificationSid": started["sid"], "Code": last_message(r"\b(\d{6})\b")}


def own_attempt(case):
    case.path_parameters["attempt"] = Application(case).started()["send_code_attempts"][0]["attempt_sid"]


def totp(secret, step):
    """RFC 6238: SHA-1, 6 digits."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), "sha1")
    word = struct.unpack_from(">I", digest, digest[-1] & 15)[0] & 0x7FFFFFFF
    return f"{word % 10**6:06}"


def step():
    return int(datetime.fromisoformat(exchange("/_local/clock")["now"].replace("Z", "+00:00")).timestamp()) // 30


class Device:
    """An authenticator app with a factor of an entity, in a service of its own."""

    def __init__(self, case, verified=True):
        self.application = Application(case)
        self.identity = f"identity-{next(Application.numbers):06}"
        self.entity = f"/Entities/{self.identity}"
        made = self.application.post(f"{self.entity}/Factors", FriendlyName="Phone", FactorType="totp")
        self.sid, self.secret, self.step = made["sid"], made["binding"]["secret"], step()
        if verified:
            self.application.post(f"{self.entity}/Factors/{self.sid}", AuthPayload=self.code(-1))
        for name, value in [("identity", self.identity), ("factor", self.sid)]:
            if f"{{{name}}}" in case.operation.path:
                case.path_parameters[name] = value

    def code(self, steps=0):
        return totp(self.secret, self.step + steps)


def own_entity(case):
    Device(case, verified=False)


def new_entity(case):
    Application(case)
    case.body = {"Identity": f"identity-{next(Application.numbers):06}"}


def first_code(case):
    case.body = {"AuthPayload": Device(case, verified=False).code()}


def new_challenge(case):
    device = Device(case)
    case.body = {"FactorSid": device.sid, "AuthPayload": device.code()}


def own_challenge(case):
    device = Device(case)
    made = device.application.post(f"{device.entity}/Challenges", FactorSid=device.sid)
    if "challenge" in case.path_parameters:
        case.path_parameters["challenge"] = made["sid"]
    if case.method == "POST":
        case.body = {"AuthPayload": device.code()}


SERVICE, LIMIT, BUCKET = "/v2/Services/{service}", "/v2/Services/{service}/RateLimits/{rate_limit}", "/v2/Services/{service}/RateLimits/{rate_limit}/Buckets/{bucket}"

ENTITIES, ENTITY = f"{SERVICE}/Entities", f"{SERVICE}/Entities/{{identity}}"

REAL = {
    ("GET", ENTITIES): own_entity,
    ("POST", ENTITIES): new_entity,
    **{(method, ENTITY): own_entity for method in ("GET", "DELETE")},
    **{(method, f"{ENTITY}/Factors"): own_entity for method in ("GET", "POST")},
    **{(method, f"{ENTITY}/Factors/{{factor}}"): own_entity for method in ("GET", "DELETE")},
    ("POST", f"{ENTITY}/Factors/{{factor}}"): first_code,
    ("POST", f"{ENTITY}/Challenges"): new_challenge,
    ("GET", f"{ENTITY}/Challenges"): own_challenge,
    **{(method, f"{ENTITY}/Challenges/{{challenge}}"): own_challenge for method in ("GET", "POST")},
    **{(method, SERVICE): own_service for method in ("GET", "POST", "DELETE")},
    **{(method, f"{SERVICE}/RateLimits"): own_service for method in ("GET", "POST")},
    **{(method, LIMIT): own_rate_limit for method in ("GET", "POST", "DELETE")},
    **{(method, f"{LIMIT}/Buckets"): own_rate_limit for method in ("GET", "POST")},
    **{(method, BUCKET): own_bucket for method in ("GET", "POST", "DELETE")},
    ("POST", f"{SERVICE}/Verifications"): new_verification,
    **{(method, f"{SERVICE}/Verifications/{{verification}}"): open_verification for method in ("GET", "POST")},
    ("POST", f"{SERVICE}/VerificationCheck"): right_code,
    ("GET", "/v2/Attempts/{attempt}"): own_attempt,
    ("GET", "/api/v4/user/support_pin"): own_pin,
    ("GET", "/api/v4/users/{id}/support_pin"): users_pin,
    ("POST", "/api/v4/users/{id}/support_pin/revoke"): users_pin,
    ("GET", "/passcode/retrieve"): own_client,
    ("GET", "/passcode/status"): known_passcode,
    ("POST", "/passcode/consume"): consumed,
    ("POST", "/passcode/invalidate"): invalidated,
    ("POST", "/rest/v1/iam/self_register_requests"): registration,
    ("PATCH", "/rest/v1/iam/self_register_requests/{uuid}"): registration_link,
    ("POST", "/rest/v1/iam/pwd_reset_requests"): changed_password,
    ("PATCH", "/rest/v1/iam/pwd_reset_requests/{uuid}"): reset_link,
    ("POST", "/mithril/api/tokens"): granted,
    ("POST", "/mithril/api/users"): new_user,
    ("PATCH", "/mithril/api/users/{user_id}/actions/block"): of_guest,
    ("PATCH", "/mithril/api/users/{user_id}/actions/unblock"): blocked_guest,
    ("PATCH", "/mithril/api/users/{user_id}/actions/create_otp"): new_code,
    ("PATCH", "/mithril/api/users/actions/init_factor"): new_phone,
    ("PATCH", "/mithril/api/users/actions/approve_factor"): approved_phone,
    ("POST", "/mithril/api/users/{user_id}/authentication_factors"): without_factor,
    ("GET", "/mithril/api/users/{user_id}/authentication_factors"): of_guest,
    ("GET", "/mithril/api/users/{user_id}/devices"): with_device,
    ("DELETE", "/mithril/api/users/{user_id}/devices"): with_device,
    ("DELETE", "/mithril/api/users/{user_id}/devices/{id}"): with_device,
    ("GET", FACTOR): of_guest,
    ("PATCH", f"{FACTOR}/actions/reset"): of_guest,
    ("PATCH", f"{FACTOR}/actions/disable"): of_guest,
    ("PATCH", f"{FACTOR}/actions/enable"): disabled_factor,
}
