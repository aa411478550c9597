#!/usr/bin/env python3
"""Tests second factors on the page of a running local cloud (GET /_local) in a real Chromium: the life of an authenticator app.

    pip install -r tests/browser/requirements.txt        # and a Chromium of the system
    cargo local                                          # in another terminal
    python3 tests/browser/second_factors.py [http://127.0.0.1:3000 [CHECK...]]

Starts no server. Exits with 0 if every check passes, 1 if one fails, and 77 if no browser is installed. CHROMIUM names a browser
with an unusual name. It registers users, and advances the local clock by some minutes.
"""

import re
import time

from chromium import accessibility, expect, weak_contrast
from local_cloud import api, clipboard, code_in, local_page, run_chosen, text_messages

PASSWORD = "Quiet-river.73~stone"
RECOVERY_CODE = re.compile(r"^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$")
REFUSED = ["Failed to load resource"]  # Chromium logs every unsuccessful response


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def the_user_registers(page):
    """Registers a user on the page and behind the mailed link; returns the address."""
    api("POST", "/_local/clock", {"advance_seconds": 121})  # the rate limit: one registration in two minutes
    login = f"person{time.time_ns()}"
    page.get_by_label("Login", exact=True).fill(login)
    press(page, "Run Register")
    link = newest_mail(page, login).locator(".found a")
    expect(link).to_have_text(re.compile(r"/app-root#/self_register/[0-9a-f-]{36}$"))
    with page.context.expect_page() as opened:
        link.click()
    form = opened.value
    form.locator("#pwd").fill(PASSWORD)
    form.locator("#pwd").press("Enter")
    expect(form.locator("#login")).to_have_text(login)
    form.close()
    return f"{login}@example.org"


def the_user_logs_in(page, email, asks):
    page.get_by_label("User’s email", exact=True).fill(email)
    page.get_by_label("User’s password", exact=True).fill(PASSWORD)
    press(page, "Log in")
    expect(page.locator("#factor-title")).to_have_text(asks)


def app_code(page):
    """The code that the newest entry of the built-in app shows."""
    shown = page.locator("#authenticator-list > li").first.locator(".code")
    expect(shown).to_have_text(re.compile(r"^\d{6}$"))
    return shown.inner_text()


def use_the_code(page):
    page.locator("#authenticator-list > li").first.get_by_role("button", name="Use this code").click()
    code = page.get_by_label("Code for this step", exact=True)
    expect(code).to_be_focused()
    # The next one may have come in between.
    expect(code).to_have_value(re.compile(r"^\d{6}$"))


def use_the_next_code(page):
    """Moves the clock on, since a code is accepted once, until another one is shown."""
    before = app_code(page)
    while app_code(page) == before:  # two in a row may be equal, once in a million
        page.locator("#authenticator-list > li").first.get_by_role("button", name="Go to the next code").click()
        expect(page.locator("#factors-note")).to_have_text("The clock was moved on.")
        page.wait_for_timeout(500)
    use_the_code(page)


def an_app_is_set_up(page):
    """Sets up the built-in app from the page; returns the secret and the recovery codes that are shown."""
    press(page, "Set up an authenticator app")
    expect(page.locator("#factor-title")).to_have_text("A new authenticator app")
    picture = page.get_by_role("img", name="QR code of the secret")
    expect(picture).to_be_visible()
    page.wait_for_function("document.getElementById('factor-qr').naturalWidth >= 220")
    secret = page.locator("#factor-secret code").inner_text()
    assert re.fullmatch("[A-Z2-7]{32}", secret), secret
    press(page, "Scan it with the built-in app")
    expect(page.locator("#factors-note")).to_have_text("The built-in app shows codes for it.")
    use_the_code(page)
    press(page, "Approve the app")
    expect(page.locator("#factors-note")).to_have_text("The app is set up.")
    expect(page.locator("#factor-title")).to_have_text("Logged in")
    listed = page.locator("#recovery-list > li code")
    expect(listed).to_have_count(10)
    codes = listed.all_inner_texts()
    assert all(RECOVERY_CODE.match(code) for code in codes) and len(set(codes)) == 10, codes
    return secret, codes


def without_entries():
    """Forgets what earlier checks have left in the app."""
    for entry in api("GET", "/_local/authenticator"):
        api("DELETE", f"/_local/authenticator/{entry['id']}")


def newest_mail(page, to):
    return page.locator("#message-list > li").filter(has=page.locator("bdi", has_text=to)).first


def a_user_registers_sets_up_an_app_loses_the_phone_and_sets_up_another(browser):
    without_entries()
    with local_page(browser, allowed_errors=REFUSED) as page:
        email = the_user_registers(page)

        the_user_logs_in(page, email, "Logged in")
        first_secret, codes = an_app_is_set_up(page)
        expect(page.locator("#authenticator-list h4")).to_contain_text([email])
        expect(newest_mail(page, email).get_by_role("heading").first).to_contain_text("authenticator app")
        page.locator("#copy-recovery").get_by_role("button").click()
        expect(page.locator("#news")).to_contain_text("Copied all recovery codes.")
        assert clipboard(page).split("\n") == codes

        # A login with the app: a wrong code is refused, the next one of the app is right.
        the_user_logs_in(page, email, "A code is needed")
        expect(page.locator("#factor-text")).to_have_text("Enter a code of the authenticator app or a recovery code.")
        expect(page.get_by_role("button", name="Send a text message")).to_be_hidden()
        page.get_by_label("Code for this step", exact=True).fill(f"{(int(app_code(page)) + 500_000) % 1_000_000:06}")
        press(page, "Complete the login")
        expect(page.locator("#factors-note")).to_have_text("401 otp_invalid: Invalid OTP code.")
        use_the_next_code(page)
        press(page, "Complete the login")
        expect(page.locator("#factors-note")).to_have_text("Logged in.")
        expect(page.locator("#factor-text")).to_have_text(email)

        # The phone is lost: a recovery code completes the login, once.
        page.locator("#authenticator-list > li").get_by_role("button", name="Lose the phone").click()
        expect(page.locator("#authenticator-list > li")).to_have_count(0)
        expect(page.locator("#authenticator-empty")).to_be_visible()
        press(page, "Log out")
        expect(page.locator("#factor-step")).to_be_hidden()
        press(page, f"Use {codes[0]}")
        expect(page.locator("#factors-note")).to_have_text("No code is asked for at the moment. Log in, or set up an app.")
        the_user_logs_in(page, email, "A code is needed")
        press(page, f"Use {codes[0]}")
        expect(page.get_by_label("Code for this step", exact=True)).to_have_value(codes[0])
        press(page, "Complete the login")
        expect(page.locator("#factors-note")).to_have_text("Logged in. Recovery codes left: 9.")
        expect(page.locator("#recovery-list > li").first).to_have_text(f"{codes[0]}used")
        expect(page.locator("#recovery-list").get_by_role("button")).to_have_count(9)
        expect(newest_mail(page, email).locator(".text")).to_contain_text("Recovery codes left: 9.")

        # Another app: another secret, and other recovery codes.
        second_secret, others = an_app_is_set_up(page)
        assert second_secret != first_secret and not set(others) & set(codes), "the secret and the codes are the old ones"
        the_user_logs_in(page, email, "A code is needed")
        page.get_by_label("Code for this step", exact=True).fill(codes[1])
        press(page, "Complete the login")
        expect(page.locator("#factors-note")).to_have_text("401 otp_invalid: Invalid OTP code.")
        use_the_next_code(page)
        press(page, "Complete the login")
        expect(page.locator("#factors-note")).to_have_text("Logged in.")

        # The app outlives the page, and the recovery codes do not.
        page.reload()
        app_code(page)
        expect(page.locator("#recovery")).to_be_hidden()
        assert others[0] not in page.content()


def new_recovery_codes_replace_the_shown_ones(browser):
    with local_page(browser, allowed_errors=REFUSED) as page:
        email = the_user_registers(page)
        the_user_logs_in(page, email, "Logged in")
        press(page, "Make new recovery codes")
        expect(page.locator("#factors-note")).to_have_text("409 request_conflict: Not found 2FA data for user")
        _, codes = an_app_is_set_up(page)
        press(page, "Make new recovery codes")
        expect(page.locator("#factors-note")).to_have_text("The earlier recovery codes have ended.")
        listed = page.locator("#recovery-list > li code")
        expect(listed).to_have_count(10)
        assert not set(listed.all_inner_texts()) & set(codes), "the codes are the old ones"
        press(page, "Hide the recovery codes")
        expect(page.locator("#recovery")).to_be_hidden()
        expect(listed).to_have_count(0)


def the_demo_user_logs_in_with_a_text_message(browser):
    api("POST", "/_local/clock", {"advance_seconds": 61})  # the rate limit: three messages in a minute
    user = api("GET", "/_local/identities")["user"]
    with local_page(browser, allowed_errors=REFUSED) as page:
        expect(page.get_by_label("User’s email", exact=True)).to_have_value(user["email"])
        expect(page.get_by_label("User’s password", exact=True)).to_have_value(user["password"])
        code = page.get_by_label("Code for this step", exact=True)
        press(page, "Log in")
        expect(page.locator("#factor-title")).to_have_text("A code is needed")
        expect(code).to_have_value(re.compile(r"^\d{6}$"))
        press(page, "Send a text message")
        expect(page.locator("#factors-note")).to_have_text("A text message was sent. Its code fills the field.")
        expect(code).to_have_value(code_in(text_messages()[-1]))
        press(page, "Complete the login")
        expect(page.locator("#factors-note")).to_have_text("Logged in.")
        press(page, "Fill in the administrator")
        press(page, "Log in")
        expect(page.locator("#factor-text")).to_have_text(api("GET", "/_local/identities")["admin"]["email"])


def the_keyboard_alone_logs_in(browser):
    with local_page(browser, allowed_errors=REFUSED) as page:
        email = the_user_registers(page)
        the_user_logs_in(page, email, "Logged in")
        an_app_is_set_up(page)
        api("POST", "/_local/clock", {"advance_seconds": 60})
        page.get_by_label("User’s email", exact=True).focus()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type(email)
        page.keyboard.press("Enter")
        expect(page.locator("#factor-title")).to_have_text("A code is needed")
        expect(page.get_by_label("Code for this step", exact=True)).to_be_focused()
        page.keyboard.type(api("GET", "/_local/authenticator")[-1]["code"])
        page.keyboard.press("Enter")
        expect(page.locator("#factors-note")).to_have_text("Logged in.")
        expect(page.locator("#factor-title")).to_be_focused()
        lose = page.locator("#authenticator-list > li").first.get_by_role("button", name="Lose the phone")
        lose.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#authenticator-title")).to_be_focused()


def a_known_device_is_listed_and_ended(browser):
    with local_page(browser, allowed_errors=REFUSED) as page:
        email = the_user_registers(page)
        listed = page.locator("#device-list > li")
        the_user_logs_in(page, email, "Logged in")
        expect(page.locator("#devices-empty")).to_have_text("None. A login with the box above makes this browser one.")
        page.get_by_label("Make this browser a known device").check()
        for _ in range(2):  # the second login is that of the same device
            the_user_logs_in(page, email, "Logged in")
            expect(listed).to_have_count(1)
            expect(listed).to_contain_text("heatclinic, since ")
        listed.get_by_role("button", name="End").click()
        expect(page.locator("#factors-note")).to_have_text("Ended.")
        expect(listed).to_have_count(0)
        the_user_logs_in(page, email, "Logged in")
        expect(listed).to_have_count(1)
        press(page, "End all devices")
        expect(page.locator("#devices-empty")).to_be_visible()
        expect(page.get_by_role("button", name="End all devices")).to_be_hidden()


def each_step_is_accessible(browser):
    for scheme, width in (("light", 1280), ("dark", 320)):
        with local_page(browser, allowed_errors=REFUSED, color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": 800}) as page:

            def is_fine(step):
                page.wait_for_timeout(300)
                found = accessibility(page)
                assert not found, f"{step} at {width} pixels: {found}"
                weak = weak_contrast(page, {"button, input": "borderTopColor"})
                assert not weak, f"{step}, {scheme}: too little contrast: {weak}"
                assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{step} is wider than {width} pixels"

            email = the_user_registers(page)
            the_user_logs_in(page, email, "Logged in")
            press(page, "Set up an authenticator app")
            expect(page.get_by_role("img", name="QR code of the secret")).to_be_visible()
            is_fine("the secret")
            _, _ = an_app_is_set_up_again(page, email)
            is_fine("recovery codes")
            the_user_logs_in(page, email, "A code is needed")
            is_fine("the code")


def an_app_is_set_up_again(page, email):
    """Sets up an app by a new login: the earlier attempt is given up."""
    the_user_logs_in(page, email, "Logged in")
    return an_app_is_set_up(page)


CHECKS = [
    a_user_registers_sets_up_an_app_loses_the_phone_and_sets_up_another,
    new_recovery_codes_replace_the_shown_ones,
    the_demo_user_logs_in_with_a_text_message,
    the_keyboard_alone_logs_in,
    a_known_device_is_listed_and_ended,
    each_step_is_accessible,
]

if __name__ == "__main__":
    run_chosen(CHECKS)
