#!/usr/bin/env python3
"""Runs the whole life of verifications on a running local cloud with the client `twilio` of PyPI, unchanged but for the base URL.

    pip install -r tests/clients/requirements.txt
    cargo local                                          # in another terminal
    python3 tests/clients/twilio_life.py [http://127.0.0.1:3000 [CHECK...]]

Starts no server. Exits with 0 if every check passes, 1 if one fails, and 77 without the client. It creates services and
advances the local clock by some hours. `twilio.mjs` makes the same checks with the client of npm.
"""

import itertools
import json
import os
import re
import sys
import traceback
import urllib.request
from datetime import datetime, timezone

SKIPPED = 77
BASE = (sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000").rstrip("/")
# No proxy: the server runs on this machine.
os.environ["NO_PROXY"] = "127.0.0.1,localhost"
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))

try:
    import pyotp
    from twilio.base.exceptions import TwilioException, TwilioRestException
    from twilio.rest import Client
except ImportError as missing:
    print(f"SKIPPED: no client of PyPI was tried: no {missing.name}; pip install -r tests/clients/requirements.txt", file=sys.stderr)
    sys.exit(SKIPPED)

# ---- The local cloud ----------------------------------------------------------------------------------------------------


def local(path, body=None):
    return json.load(LOCAL.open(f"{BASE}/_local/{path}", body and json.dumps(body).encode(), timeout=60))


def advance(seconds):
    local("clock", {"advance_seconds": seconds})


def messages_to(to):
    """The texts of all messages to a destination, oldest first."""
    return [message["text"] for message in local("messages") if message["to"] == to]


def code_in(text):
    """The only code of a message: that of the last line of a text message, or the one alone on a line of a mail."""
    codes = set(re.findall(r"(?<![0-9])[0-9]{4,10}(?![0-9])", text))
    equal(len(codes), 1, f"codes in {text!r}")
    return codes.pop()


def code_to(to):
    return code_in(messages_to(to)[-1])


def other_than(code, n=1):
    return f"{(int(code) + n) % 10 ** len(code):0{len(code)}}"


# ---- What checks share --------------------------------------------------------------------------------------------------

VERIFY = local("identities")["verify"]
NUMBERS = itertools.count(int(datetime.now().timestamp()) % 900_000)


def client(user, secret):
    made = Client(user, secret)
    made.verify.base_url = BASE
    return made


V2 = client(VERIFY["account_sid"], VERIFY["auth_token"]).verify.v2


def equal(found, expected, what="value"):
    assert found == expected, f"{what}: {found!r}, not {expected!r}"


def is_sid(text, letters):
    assert re.fullmatch(f"{letters}[0-9a-f]{{32}}", text), f"no SID of {letters}: {text!r}"


def is_now(at):
    now = datetime.fromisoformat(local("clock")["now"].replace("Z", "+00:00"))
    assert at.tzinfo is not None and abs((now - at).total_seconds()) < 60, f"{at} is not {now}"


def raises(status, code, call, /, *arguments, **named):
    """Checks that a call raises the client's typed error; returns its message."""
    try:
        found = call(*arguments, **named)
    except TwilioRestException as error:
        equal((error.status, error.code), (status, code), f"error {error.msg!r}")
        return error.msg
    raise AssertionError(f"{found!r} is no error {code}")


def new_phone():
    """A number without history. An hour has room for three messages that are not verified, so it is another hour."""
    advance(3_700)
    return f"+38050{2_000_000 + next(NUMBERS)}"


def new_address():
    return f"life{next(NUMBERS)}@example.org"


def new_service(name="Example", **options):
    return V2.services.create(friendly_name=name, **options)


def start(service, to, channel=None, **options):
    channel = channel or ("email" if "@" in to else "sms")
    return V2.services(service.sid).verifications.create(to=to, channel=channel, **options)


def check(service, **options):
    return V2.services(service.sid).verification_checks.create(**options)


def states(checked):
    return (checked.status, checked.valid)


WRONG, RIGHT = ("pending", False), ("approved", True)

# ---- Checks -------------------------------------------------------------------------------------------------------------


def a_wrong_credential_is_a_typed_error():
    for user, secret in [
        (VERIFY["account_sid"], "0" * 32),
        (VERIFY["account_sid"], VERIFY["auth_token"][:-1]),
        ("AC" + "0" * 32, VERIFY["auth_token"]),
        ("SK" + "0" * 32, VERIFY["auth_token"]),
    ]:
        services = client(user, secret).verify.v2.services
        assert "Authenticate" in raises(401, 20003, services(VERIFY["service_sid"]).fetch)
        raises(401, 20003, services(VERIFY["service_sid"]).verifications.create, to="+380501234567", channel="sms")
        # For lists this client has its general error only.
        try:
            raise AssertionError(f"{services.list()}")
        except TwilioException as error:
            assert '"code":20003' in str(error).replace(" ", ""), error


def a_service_is_created_read_changed_and_deleted():
    made = V2.services.create(
        friendly_name="Life of a service",
        code_length=8,
        custom_code_enabled=True,
        psd2_enabled=True,
        do_not_share_warning_enabled=True,
        totp_issuer="Life",
        totp_time_step=40,
        totp_code_length=7,
        totp_skew=2,
    )
    is_sid(made.sid, "VA")
    equal(made.account_sid, VERIFY["account_sid"])
    is_now(made.date_created)
    equal(made.url, f"{BASE}/v2/Services/{made.sid}")
    equal(made.links["verifications"], f"{made.url}/Verifications")
    equal(made.totp, {"issuer": "Life", "time_step": 40, "code_length": 7, "skew": 2})
    read = V2.services(made.sid).fetch()
    for found in [made, read]:
        equal((found.friendly_name, found.code_length), ("Life of a service", 8))
        equal((found.custom_code_enabled, found.psd2_enabled, found.do_not_share_warning_enabled), (True, True, True))
        equal((found.lookup_enabled, found.skip_sms_to_landlines, found.dtmf_input_required), (False, False, True))
    changed = V2.services(made.sid).update(friendly_name="Another name", code_length=4, custom_code_enabled=False)
    equal((changed.friendly_name, changed.code_length, changed.custom_code_enabled), ("Another name", 4, False))
    equal((changed.psd2_enabled, changed.totp, changed.date_created), (True, made.totp, made.date_created))
    equal(V2.services(made.sid).fetch().friendly_name, "Another name")
    equal(V2.services(made.sid).delete(), True)
    assert f"/v2/Services/{made.sid} was not found" in raises(404, 20404, V2.services(made.sid).fetch)
    raises(404, 20404, V2.services(made.sid).delete)
    raises(404, 20404, V2.services(made.sid).update, friendly_name="x")


def services_are_listed_page_by_page():
    made = [new_service(f"Page {n}").sid for n in range(3)]
    everything = [service.sid for service in V2.services.list()]
    assert VERIFY["service_sid"] in everything and set(made) <= set(everything), everything
    for size in [1, 2, len(everything)]:
        equal([service.sid for service in V2.services.list(page_size=size)], everything, f"pages of {size}")
    equal(len(V2.services.list(limit=2)), 2)
    equal(sum(1 for _ in V2.services.stream(limit=3, page_size=1)), 3)
    first = V2.services.page(page_size=1)
    second = first.next_page()
    equal([service.sid for service in second], everything[1:2])
    equal([service.sid for service in second.previous_page()], everything[:1])
    for sid in made:
        V2.services(sid).delete()
    equal(set(made) & {service.sid for service in V2.services.list()}, set())


def a_service_with_invalid_parameters_is_refused():
    for options in [
        {"friendly_name": ""},
        {"friendly_name": "x" * 33},
        {"friendly_name": "two\nlines"},
        {"friendly_name": "x", "code_length": 3},
        {"friendly_name": "x", "code_length": 11},
        {"friendly_name": "x", "totp_skew": 3},
    ]:
        raises(400, 60200, V2.services.create, **options)
    raises(403, 60204, V2.services.create, friendly_name="x", push_apn_credential_sid="CR" + "0" * 32)
    raises(404, 20404, V2.services("VA" + "0" * 32).fetch)


def a_phone_is_verified_by_text_message():
    service, phone = new_service("Example"), new_phone()
    begun = start(service, phone)
    is_sid(begun.sid, "VE")
    equal((begun.service_sid, begun.account_sid, begun.to), (service.sid, VERIFY["account_sid"], phone))
    equal((begun.channel, begun.status, begun.valid), ("sms", "pending", False))
    equal((begun.amount, begun.payee, begun.lookup, begun.sna), (None, None, {}, None))
    is_now(begun.date_created)
    equal(len(begun.send_code_attempts), 1)
    is_sid(begun.send_code_attempts[0]["attempt_sid"], "VL")
    equal(begun.url, f"{service.url}/Verifications/{begun.sid}")
    [text] = messages_to(phone)
    code = code_in(text)
    equal(len(code), 6)
    assert "Example" in text, text
    equal(states(check(service, to=phone, code=other_than(code))), WRONG)
    approved = check(service, to=phone, code=code)
    equal(states(approved), RIGHT)
    equal((approved.sid, approved.to, approved.channel, approved.sna_attempts_error_codes), (begun.sid, phone, "sms", []))
    assert "/VerificationCheck was not found" in raises(404, 20404, check, service, to=phone, code=code)
    raises(404, 20404, check, service, verification_sid=begun.sid, code=code)


def an_address_is_verified_by_mail():
    service, address = new_service("Example", code_length=10), new_address()
    begun = start(service, address)
    equal((begun.channel, begun.status, begun.valid, begun.to), ("email", "pending", False, address))
    code = code_to(address)
    equal(len(code), 10)
    equal(states(check(service, to=address, code=other_than(code))), WRONG)
    equal(states(check(service, to=address, code=code)), RIGHT)
    raises(404, 20404, check, service, to=address, code=code)


def the_automatic_channel_follows_the_destination():
    service = new_service()
    for to, channel in [(new_phone(), "sms"), (new_address(), "email")]:
        equal(start(service, to, "auto").channel, channel)
        equal(states(check(service, to=to, code=code_to(to))), RIGHT)


def a_verification_is_read_by_its_sid_and_by_its_destination():
    service = new_service()
    for to in [new_phone(), new_address()]:
        begun = start(service, to)
        for name in [begun.sid, to]:
            read = V2.services(service.sid).verifications(name).fetch()
            equal((read.sid, read.to, read.status, read.valid), (begun.sid, to, "pending", False))
            equal((read.send_code_attempts, read.date_created), (begun.send_code_attempts, begun.date_created))
        equal(states(check(service, verification_sid=begun.sid, code=code_to(to))), RIGHT)
    raises(404, 20404, V2.services(service.sid).verifications("VE" + "0" * 32).fetch)
    raises(404, 20404, V2.services(service.sid).verifications("+380509999999").fetch)
    raises(404, 20404, check, service, to="+380509999999", code="123456")


def a_resend_repeats_the_code_of_the_same_verification():
    service, phone = new_service(), new_phone()
    begun = start(service, phone)
    advance(61)
    again = start(service, phone)
    equal((again.sid, again.date_created, again.status), (begun.sid, begun.date_created, "pending"))
    assert again.date_updated > begun.date_updated
    equal(again.send_code_attempts[0], begun.send_code_attempts[0])
    equal(len({attempt["attempt_sid"] for attempt in again.send_code_attempts}), 2)
    first, second = messages_to(phone)
    equal(code_in(first), code_in(second))
    equal(states(check(service, to=phone, code=code_in(first))), RIGHT)
    # The next one is another verification.
    advance(61)
    next_one = start(service, phone)
    assert next_one.sid != begun.sid and len(next_one.send_code_attempts) == 1
    equal(states(check(service, to=phone, code=code_to(phone))), RIGHT)


def a_verification_expires_after_ten_minutes():
    service, late, early = new_service(), new_address(), new_address()
    for to, seconds in [(early, 590), (late, 610)]:
        begun = start(service, to)
        code = code_to(to)
        advance(seconds)
        if to == early:
            equal(states(check(service, to=to, code=code)), RIGHT)
        else:
            raises(404, 20404, check, service, to=to, code=code)
            raises(404, 20404, check, service, verification_sid=begun.sid, code=code)


def a_verification_is_canceled():
    service, phone = new_service(), new_phone()
    begun = start(service, phone)
    canceled = V2.services(service.sid).verifications(begun.sid).update(status="canceled")
    equal((canceled.sid, canceled.status, canceled.valid), (begun.sid, "canceled", False))
    raises(404, 20404, check, service, to=phone, code=code_to(phone))
    assert start(service, phone).sid != begun.sid
    equal(states(check(service, to=phone, code=code_to(phone))), RIGHT)


def a_verification_is_approved_by_its_account():
    service, address = new_service(), new_address()
    begun = start(service, address)
    approved = V2.services(service.sid).verifications(address).update(status="approved")
    equal((approved.sid, approved.status, approved.valid), (begun.sid, "approved", True))
    raises(404, 20404, check, service, to=address, code=code_to(address))
    raises(404, 20404, V2.services(service.sid).verifications(address).update, status="canceled")


def a_verification_with_invalid_parameters_is_refused():
    service, address = new_service(), new_address()
    for to, channel in [("", "sms"), ("12", "sms"), ("+380501", "sms"), ("no address", "email"), (address, "sms"), (address, "pigeon")]:
        assert "Invalid parameter: " in raises(400, 60200, start, service, to, channel)
    for channel in ["call", "whatsapp"]:
        raises(400, 60223, start, service, "+380501234567", channel)
    raises(403, 60605, start, service, "+33612345678", "sms")
    raises(403, 60204, start, service, address, custom_code="918273")
    raises(404, 20404, V2.services("VA" + "0" * 32).verifications.create, to=address, channel="email")
    start(service, address)
    for options in [{"code": "123456"}, {"to": address}, {"to": address, "code": ""}, {"to": address, "code": "123"}]:
        raises(400, 60200, check, service, **options)
    raises(400, 60425, check, service, verification_sid="VE123", code="123456")
    raises(400, 60200, V2.services(service.sid).verifications(address).update, status="pending")


def five_wrong_codes_end_a_verification():
    service, address = new_service(), new_address()
    begun = start(service, address)
    code = code_to(address)
    for n in range(1, 6):
        equal(states(check(service, to=address, code=other_than(code, n))), WRONG, f"guess {n}")
    raises(429, 60202, check, service, to=address, code=code)
    raises(429, 60202, check, service, verification_sid=begun.sid, code=code)
    advance(601)
    raises(404, 20404, check, service, to=address, code=code)


def five_messages_are_sent_in_ten_minutes():
    service, address = new_service(), new_address()
    sids = set()
    for n in range(1, 6):
        begun = start(service, address)
        equal(len(begun.send_code_attempts), n)
        sids.add(begun.sid)
        advance(61)
    equal(len(sids), 1)
    raises(429, 60203, start, service, address)
    equal(len(messages_to(address)), 5)
    equal(states(check(service, to=address, code=code_to(address))), RIGHT)
    # The approval does not make room for more.
    raises(429, 60203, start, service, address)


def a_code_of_the_caller_is_sent_and_accepted():
    service, phone = new_service(custom_code_enabled=True), new_phone()
    start(service, phone, custom_code="91827364")
    equal(code_to(phone), "91827364")
    equal(states(check(service, to=phone, code="91827365")), WRONG)
    equal(states(check(service, to=phone, code="91827364")), RIGHT)


def a_payment_is_part_of_its_code():
    service, phone = new_service(psd2_enabled=True), new_phone()
    begun = start(service, phone, amount="€39.99", payee="Acme Inc")
    equal((begun.amount, begun.payee), ("€39.99", "Acme Inc"))
    [text] = messages_to(phone)
    assert "€39.99" in text and "Acme Inc" in text, text
    code = code_in(text)
    equal(states(check(service, to=phone, code=code)), WRONG, "without a payment")
    equal(states(check(service, to=phone, code=code, amount="€39.98", payee="Acme Inc")), WRONG)
    equal(states(check(service, to=phone, code=code, amount="€39.99", payee="Acme")), WRONG)
    approved = check(service, to=phone, code=code, amount="€39.99", payee="Acme Inc")
    equal(states(approved), RIGHT)
    equal((approved.amount, approved.payee), ("€39.99", "Acme Inc"))


def a_message_has_its_language_name_warning_and_app():
    service, phone = new_service("Plain", do_not_share_warning_enabled=True), new_phone()
    hash_of_app = "FA+9qCX9VSu"
    start(service, phone, custom_friendly_name="Special", locale="uk", app_hash=hash_of_app)
    text = messages_to(phone)[-1]
    assert "Special" in text and "Plain" not in text and "ваш код" in text and "Нікому" in text, text
    assert text.endswith(f"\n{hash_of_app}"), text
    advance(61)
    start(service, phone, locale="en", tags='{"order": "17"}', device_ip="192.0.2.1", risk_check="disable")
    text = messages_to(phone)[-1]
    assert "Plain" in text and "Do not share it" in text, text
    equal(states(check(service, to=phone, code=code_in(text))), RIGHT)


def a_rate_limit_has_a_life_and_limits_its_values():
    service = new_service()
    limits = V2.services(service.sid).rate_limits
    made = limits.create(unique_name="end_user_ip", description="One address")
    is_sid(made.sid, "RK")
    equal((made.unique_name, made.description, made.service_sid), ("end_user_ip", "One address", service.sid))
    equal(limits(made.sid).update(description="The same").description, "The same")
    equal(limits(made.sid).fetch().description, "The same")
    equal([limit.sid for limit in limits.list()], [made.sid])
    buckets = limits(made.sid).buckets
    bucket = buckets.create(max=2, interval=60)
    is_sid(bucket.sid, "BL")
    equal((bucket.max, bucket.interval, bucket.rate_limit_sid), (2, 60, made.sid))
    bucket = buckets(bucket.sid).update(max=1, interval=120)
    equal((buckets(bucket.sid).fetch().max, [found.interval for found in buckets.list()]), (1, [120]))

    one, other = {"end_user_ip": "192.0.2.1"}, {"end_user_ip": "192.0.2.2"}
    start(service, new_address(), rate_limits=one)
    raises(429, 20429, start, service, new_address(), rate_limits=one)
    start(service, new_address(), rate_limits=other)
    advance(121)
    start(service, new_address(), rate_limits=one)
    raises(400, 60200, start, service, new_address(), rate_limits={"unknown": "x"})

    raises(400, 60200, buckets.create, max=0, interval=60)
    raises(400, 60200, buckets.create, max=1, interval=0)
    raises(400, 60200, limits.create, unique_name="")
    equal(buckets(bucket.sid).delete(), True)
    raises(404, 20404, buckets(bucket.sid).fetch)
    equal(limits(made.sid).delete(), True)
    raises(404, 20404, limits(made.sid).fetch)
    raises(400, 60200, start, service, new_address(), rate_limits=one)


def attempts_are_listed_and_counted():
    service, phone, address = new_service(), new_phone(), new_address()
    begun, mailed = start(service, phone), start(service, address)
    equal(states(check(service, to=phone, code=code_to(phone))), RIGHT)
    attempts = V2.verification_attempts
    listed = attempts.list(verify_service_sid=service.sid)
    equal({attempt.verification_sid for attempt in listed}, {begun.sid, mailed.sid})
    equal(len(attempts.list(verify_service_sid=service.sid, page_size=1)), 2)
    [converted] = attempts.list(verify_service_sid=service.sid, status="converted")
    equal((converted.verification_sid, converted.channel, converted.conversion_status), (begun.sid, "sms", "converted"))
    equal((converted.sid, converted.service_sid), (begun.send_code_attempts[0]["attempt_sid"], service.sid))
    equal(converted.channel_data["to"], phone)
    is_now(converted.date_created)
    [open_one] = attempts.list(verification_sid=mailed.sid)
    equal((open_one.channel, open_one.conversion_status), ("email", "unconverted"))
    read = attempts(converted.sid).fetch()
    equal((read.sid, read.conversion_status, read.url), (converted.sid, "converted", f"{BASE}/v2/Attempts/{read.sid}"))
    raises(404, 20404, attempts("VL" + "0" * 32).fetch)
    summary = V2.verification_attempts_summary().fetch(verify_service_sid=service.sid)
    equal((summary.total_attempts, summary.total_converted, summary.total_unconverted), (2, 1, 1))
    equal(float(summary.conversion_rate_percentage), 50.0)
    later = datetime.now(timezone.utc).replace(year=2090)
    equal(attempts.list(verify_service_sid=service.sid, date_created_after=later), [])


def new_identity():
    return f"life-{next(NUMBERS):08}"


def new_factor(service, identity, **options):
    """A factor, and an independent implementation of its app."""
    factors = V2.services(service.sid).entities(identity).new_factors
    made = factors.create(friendly_name="Phone", factor_type="totp", **options)
    return made, pyotp.parse_uri(made.binding["uri"])


def totp(app, steps=0):
    """The code of a step, counted from the current one of the local clock."""
    now = datetime.fromisoformat(local("clock")["now"].replace("Z", "+00:00"))
    return app.at(now, counter_offset=steps)


def an_entity_has_a_life():
    service, identity = new_service(), new_identity()
    entities = V2.services(service.sid).entities
    made = entities.create(identity=identity)
    is_sid(made.sid, "YE")
    is_now(made.date_created)
    equal((made.identity, made.service_sid, made.account_sid), (identity, service.sid, VERIFY["account_sid"]))
    equal(made.url, f"{service.url}/Entities/{identity}")
    equal(made.links, {"factors": f"{made.url}/Factors", "new_factors": f"{made.url}/Factors", "challenges": f"{made.url}/Challenges"})
    equal(entities(identity).fetch().sid, made.sid)
    raises(400, 60200, entities.create, identity=identity)
    raises(400, 60200, entities.create, identity="short")
    others = sorted([identity] + [entities.create(identity=new_identity()).identity for _ in range(3)])
    for size in [1, 3, 50]:
        equal([found.identity for found in entities.list(page_size=size)], others, f"pages of {size}")
    equal(len(entities.list(limit=2)), 2)
    equal(entities(identity).delete(), True)
    raises(404, 20404, entities(identity).fetch)
    equal(len(entities.list()), 3)


def a_factor_is_created_verified_changed_and_deleted():
    service, identity = new_service("Shop"), new_identity()
    made, app = new_factor(service, identity)
    entity = V2.services(service.sid).entities(identity)
    is_sid(made.sid, "YF")
    equal((made.entity_sid, made.identity, made.service_sid), (entity.fetch().sid, identity, service.sid))
    equal((made.friendly_name, made.factor_type, made.status), ("Phone", "totp", "unverified"))
    equal(made.config, {"alg": "sha1", "skew": 1, "code_length": 6, "time_step": 30})
    equal((app.secret, app.issuer, app.name, app.digits, app.interval), (made.binding["secret"], "Shop", "Phone", 6, 30))
    equal(entity.factors(made.sid).update(auth_payload=other_than(totp(app))).status, "unverified")
    equal(entity.factors(made.sid).update(auth_payload=totp(app)).status, "verified")
    raises(400, 60200, entity.factors(made.sid).update, auth_payload=totp(app, 1))
    changed = entity.factors(made.sid).update(friendly_name="Tablet", config_skew=2)
    equal((changed.friendly_name, changed.status, changed.config["skew"]), ("Tablet", "verified", 2))
    read = entity.factors(made.sid).fetch()
    equal((read.friendly_name, read.url), ("Tablet", f"{service.url}/Entities/{identity}/Factors/{made.sid}"))
    assert not hasattr(read, "binding")
    equal([factor.sid for factor in entity.factors.list()], [made.sid])
    equal(entity.factors(made.sid).delete(), True)
    raises(404, 20404, entity.factors(made.sid).fetch)
    raises(403, 60204, entity.new_factors.create, friendly_name="Phone", factor_type="push")
    raises(400, 60200, entity.new_factors.create, friendly_name="", factor_type="totp")


def codes_of_every_kind_are_accepted():
    service, identity = new_service(totp_time_step=40, totp_code_length=8, totp_skew=0), new_identity()
    secret = pyotp.random_base32()
    for options in [
        {},
        {"binding_secret": secret},
        {"config_alg": "sha256", "config_time_step": 20},
        {"config_alg": "sha512", "config_code_length": 7},
    ]:
        made, app = new_factor(service, identity, config_skew=1, **options)
        expected = (options.get("config_time_step", 40), options.get("config_code_length", 8))
        equal((made.config["time_step"], made.config["code_length"]), expected)
        equal((app.interval, app.digits), expected)
        equal(made.binding["secret"] == secret, "binding_secret" in options)
        factor = V2.services(service.sid).entities(identity).factors(made.sid)
        equal(factor.update(auth_payload=totp(app)).status, "verified", str(options))
        challenges = V2.services(service.sid).entities(identity).challenges
        equal(challenges.create(factor_sid=made.sid, auth_payload=totp(app, 1)).status, "approved", str(options))


def a_challenge_is_approved_once_by_one_code():
    service, identity = new_service(), new_identity()
    made, app = new_factor(service, identity)
    entity = V2.services(service.sid).entities(identity)
    raises(403, 60311, entity.challenges.create, factor_sid=made.sid, auth_payload=totp(app))
    entity.factors(made.sid).update(auth_payload=totp(app, -1))
    begun = entity.challenges.create(factor_sid=made.sid)
    is_sid(begun.sid, "YC")
    equal((begun.factor_sid, begun.identity, begun.factor_type), (made.sid, identity, "totp"))
    equal((begun.status, begun.responded_reason, begun.date_responded), ("pending", "none", None))
    equal((begun.expiration_date - begun.date_created).total_seconds(), 300)
    equal(entity.challenges(begun.sid).update(auth_payload=other_than(totp(app))).status, "pending")
    code = totp(app)
    approved = entity.challenges(begun.sid).update(auth_payload=code)
    equal(approved.status, "approved")
    is_now(approved.date_responded)
    equal(entity.challenges(begun.sid).fetch().status, "approved")
    raises(400, 60306, entity.challenges(begun.sid).update, auth_payload=code)
    replayed = entity.challenges.create(factor_sid=made.sid, auth_payload=code)
    equal(replayed.status, "pending", "a replay")
    equal(entity.challenges.create(factor_sid=made.sid, auth_payload=totp(app, 1)).status, "approved")
    equal([found.sid for found in entity.challenges.list(status="pending")], [replayed.sid])
    equal(len(entity.challenges.list(factor_sid=made.sid, order="desc", page_size=1)), 3)
    equal(entity.challenges.list(order="desc")[2].sid, begun.sid)
    raises(400, 60306, entity.challenges.create, factor_sid="YF" + "0" * 32)
    raises(404, 20404, entity.challenges("YC" + "0" * 32).fetch)
    advance(301)
    raises(403, 60323, entity.challenges(replayed.sid).update, auth_payload=totp(app))


def five_wrong_codes_end_a_challenge():
    service, identity = new_service(), new_identity()
    made, app = new_factor(service, identity)
    entity = V2.services(service.sid).entities(identity)
    for n in range(1, 6):
        equal(entity.factors(made.sid).update(auth_payload=f"{n:08}").status, "unverified", f"guess {n}")
    raises(429, 60310, entity.factors(made.sid).update, auth_payload=totp(app))
    advance(601)
    equal(entity.factors(made.sid).update(auth_payload=totp(app)).status, "verified")
    begun = entity.challenges.create(factor_sid=made.sid, auth_payload="00000000")
    for n in range(2, 6):
        equal(entity.challenges(begun.sid).update(auth_payload=f"{n:08}").status, "pending", f"guess {n}")
    raises(429, 60308, entity.challenges(begun.sid).update, auth_payload=totp(app, 1))
    equal(entity.challenges.create(factor_sid=made.sid, auth_payload=totp(app, 1)).status, "approved")


# ---- Running them -------------------------------------------------------------------------------------------------------

CHECKS = [
    a_wrong_credential_is_a_typed_error,
    a_service_is_created_read_changed_and_deleted,
    services_are_listed_page_by_page,
    a_service_with_invalid_parameters_is_refused,
    a_phone_is_verified_by_text_message,
    an_address_is_verified_by_mail,
    the_automatic_channel_follows_the_destination,
    a_verification_is_read_by_its_sid_and_by_its_destination,
    a_resend_repeats_the_code_of_the_same_verification,
    a_verification_expires_after_ten_minutes,
    a_verification_is_canceled,
    a_verification_is_approved_by_its_account,
    a_verification_with_invalid_parameters_is_refused,
    five_wrong_codes_end_a_verification,
    five_messages_are_sent_in_ten_minutes,
    a_code_of_the_caller_is_sent_and_accepted,
    a_payment_is_part_of_its_code,
    a_message_has_its_language_name_warning_and_app,
    a_rate_limit_has_a_life_and_limits_its_values,
    attempts_are_listed_and_counted,
    an_entity_has_a_life,
    a_factor_is_created_verified_changed_and_deleted,
    codes_of_every_kind_are_accepted,
    a_challenge_is_approved_once_by_one_code,
    five_wrong_codes_end_a_challenge,
]


def main():
    wanted = sys.argv[2:] or [check.__name__ for check in CHECKS]
    unknown = set(wanted) - {check.__name__ for check in CHECKS}
    if unknown:
        sys.exit(f"no such check: {', '.join(sorted(unknown))}")
    failed = 0
    for one in CHECKS:
        if one.__name__ not in wanted:
            continue
        try:
            one()
            print(f"ok {one.__name__}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED {one.__name__}\n{traceback.format_exc()}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
