#!/usr/bin/env python3
"""Tests the page of a running local cloud (GET /_local) in a real Chromium.

    pip install -r tests/browser/requirements.txt        # and a Chromium of the system
    cargo local                                          # in another terminal
    python3 tests/browser/local_page.py [http://127.0.0.1:3000 [CHECK...]]

Starts no server. Exits with 0 if every check passes, 1 if one fails, and 77 if no browser is installed.
CHROMIUM names a browser with an unusual name. It advances the local clock by some hours, and creates demo PINs and passcodes.
"""

import json
import re
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta

from chromium import PATIENCE, accessibility, expect, weak_contrast
from local_cloud import BASE, api, clipboard, code_in, copy_curl, in_a_shell, local_page, run_chosen, text_messages

# ---- Shared by all checks -----------------------------------------------------------------------------------------------

LINK = "http://127.0.0.1:3000/app-root#/self_register/3f2b8a10-5a7d-4d55-9d0e-2d1c6c1f9a77"
SMS = {"id": "1", "channel": "sms", "to": "+380501234567", "subject": None, "html": None, "at": "2026-02-27T22:06:57Z",
       "text": "Your code is 042317. Call +38050123456 in case of 20260227/1.\n@demo.example #042317"}
MAIL = {"id": "2", "channel": "email", "to": "ann@demo.example", "subject": "Confirm your registration", "at": "2026-02-27T22:07:00Z",
        "text": f"Hello Ann,\n\nopen {LINK}.", "html": f'<h1>Hello Ann</h1><a href="{LINK}">Choose a password</a>'}
HTML_ONLY = {"id": "3", "channel": "email", "to": "ann@demo.example", "subject": "Your code", "at": "2026-02-27T22:08:00Z", "text": None,
             "html": '<style>p { color: #123456 }</style><p>Use <b>98765432</b> or <a href="https://ok.example/?a=1&amp;b=2">go on</a>.</p>'}
# Fits on a wide screen, and overflows its box on a narrow one.
LONG = {**MAIL, "id": "4", "subject": "News", "html": None, "text": "A sentence of some words. " * 55}
ATTACK = "<script>top.pwned = 1</script><img src='data:,' onerror='top.pwned = 1'>"
HOSTILE = {"id": "../3?x=<b>", "channel": "email", "to": f"{ATTACK}@demo.example", "from": ATTACK + "f" * 3000, "reply_to": ATTACK, "subject": ATTACK + "w" * 3000, "at": ATTACK,
           "text": f"{ATTACK} javascript:top.pwned=1 \u202egnp.exe " + "long" * 2000,
           "html": ATTACK + "<a href='javascript:top.pwned=1'>a</a><a href=' JaVa\tscript:top.pwned=1'>b</a><a href='data:text/html,x'>c</a>"
                            "<a href='/_local/clock'>d</a><a href='https://ok.example/\"onmouseover=top.pwned=1'>e</a>"}

EVENT = {"id": "5", "bus": "countersign-local", "source": "countersign", "detail-type": "User Blocked", "resources": ["user:17"],
         "detail": {"user_id": "17", "reasons": ["wrong password"]}, "time": "2026-02-27T22:09:00Z", "at": "2026-02-27T22:09:01Z"}
HOSTILE_EVENT = {**EVENT, "id": "../5?x=<b>", "bus": ATTACK, "source": ATTACK, "detail-type": ATTACK + "w" * 3000, "resources": [ATTACK + "r" * 3000],
                 "detail": {ATTACK: ATTACK + "long" * 2000}, "time": ATTACK}


def status_of(path):
    try:
        with urllib.request.urlopen(BASE + path, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


def clock_text(page):
    return datetime.strptime(page.locator("#now").inner_text(), "%Y-%m-%d %H:%M:%S UTC")


def clock_moves(page, at_least, act):
    before = clock_text(page)
    act()
    deadline = time.monotonic() + PATIENCE
    while (clock_text(page) - before).total_seconds() < at_least:
        assert time.monotonic() < deadline, f"the clock stood at {before} and did not move on by {at_least} s"
        page.wait_for_timeout(50)


# ---- The checks ---------------------------------------------------------------------------------------------------------


def loads_without_a_complaint_of_the_browser(browser):
    with local_page(browser) as page:
        expect(page.get_by_role("heading", level=1)).to_contain_text("Countersign")
        page.wait_for_timeout(500)


def has_landmarks_headings_and_names(browser):
    with local_page(browser, messages=[MAIL]) as page:
        expect(page.locator("#message-list li")).to_have_count(1)
        for role in ("banner", "navigation", "main", "contentinfo"):
            expect(page.get_by_role(role)).to_have_count(1)
        problems = page.evaluate("""() => {
          const problems = [];
          let level = 0;
          for (const heading of document.querySelectorAll("h1,h2,h3,h4")) {
            if (!heading.checkVisibility()) continue;
            const now = Number(heading.tagName[1]);
            if (now > level + 1) problems.push(`h${level} is followed by h${now} "${heading.textContent}"`);
            level = now;
          }
          return problems;
        }""")
        assert not problems, problems


def axe_finds_nothing(browser):
    for width, height in ((1280, 900), (390, 844), (320, 640)):
        with local_page(browser, messages=[SMS, MAIL, LONG, HTML_ONLY], events=[EVENT], viewport={"width": width, "height": height}, reduced_motion="reduce") as page:
            expect(page.locator("#message-list li")).to_have_count(4)
            expect(page.locator("#ready-body")).to_be_visible()
            for name in ("Create my PIN", "Retrieve"):
                page.get_by_role("button", name=f"Run {name}", exact=True).click()
                expect(page.get_by_label(f"Answer: {name}", exact=True)).not_to_be_empty()
            for part in page.locator("#table-list > details > summary").all():
                part.click()
            page.wait_for_timeout(500)
            found = accessibility(page)
            assert not found, f"at {width} pixels: {found}"


def a_message_appears_without_a_reload(browser):
    with local_page(browser, messages=[]) as page:
        expect(page.locator("#messages-empty")).to_be_visible()
        page.evaluate("window.notReloaded = true")
        page.arrive(SMS)
        expect(page.locator("#message-list li")).to_have_count(1)
        expect(page.locator("#messages-empty")).to_be_hidden()
        said = page.locator("#news p")
        expect(said).to_have_text(["New SMS to +380501234567."])
        page.arrive(MAIL)
        newest = page.locator("#message-list li").first
        expect(newest.get_by_role("heading")).to_have_text("Confirm your registration")
        expect(newest).to_contain_text("ann@demo.example")
        expect(newest).to_contain_text("2026-02-27 22:07:00 UTC")
        expect(newest.locator(".text")).to_have_text(MAIL["text"])
        # Each is a separate sentence: the next one does not interrupt the screen reader.
        expect(said).to_have_text(["New SMS to +380501234567.", "New mail to ann@demo.example: Confirm your registration."])
        for _ in range(12):
            page.get_by_role("button", name="Copy link").click()
        expect(said).to_have_text(["Copied link."] * 10)
        assert page.evaluate("window.notReloaded"), "the page was loaded anew"


def an_event_appears_without_a_reload(browser):
    with local_page(browser, messages=[]) as page:
        page.emit(EVENT)
        entry = page.locator("#event-list > li")
        expect(entry.get_by_role("heading")).to_have_text("User Blocked")
        expect(entry.locator(".meta")).to_have_text("countersign on countersign-local, about user:17 · 2026-02-27 22:09:00 UTC")
        assert json.loads(entry.locator("pre").inner_text()) == EVENT["detail"]
        expect(page.locator("#news p")).to_have_text(["New event: User Blocked."])
        page.emit(HOSTILE_EVENT)
        expect(entry).to_have_count(2)
        expect(entry.nth(0).get_by_role("heading")).to_have_text(HOSTILE_EVENT["detail-type"])
        assert json.loads(entry.nth(0).locator("pre").inner_text()) == HOSTILE_EVENT["detail"]
        assert not page.evaluate("window.pwned"), "the event ran a script"


def an_open_part_survives_the_next_message(browser):
    with local_page(browser, messages=[MAIL]) as page:
        page.get_by_text("HTML part").click()
        expect(page.frame_locator("iframe").get_by_role("heading")).to_have_text("Hello Ann")
        page.evaluate("""document.querySelector("iframe").contentWindow.location; document.querySelector("iframe").kept = true""")
        page.arrive(SMS)
        expect(page.locator("#message-list li")).to_have_count(2)
        assert page.evaluate("""document.querySelector("iframe")?.kept"""), "the open HTML part was closed by the next message"


def codes_and_links_are_found_and_copied(browser):
    with local_page(browser, messages=[SMS, MAIL]) as page:
        sms, mail = page.locator("#message-list li").nth(1), page.locator("#message-list li").nth(0)
        expect(sms.locator(".code")).to_have_text(["042317"])
        expect(mail.locator(".code")).to_have_count(0)
        page.clock.install(time=0)
        page.clock.pause_at(1)
        sms.get_by_role("button", name="Copy code 042317").click()
        expect(sms.get_by_role("button", name="Copied")).to_be_visible()
        page.clock.run_for(2000)
        expect(sms.get_by_role("button", name="Copied")).to_have_count(0)
        assert clipboard(page) == "042317"
        link = mail.locator(".found a")
        expect(link).to_have_count(1)
        assert link.get_attribute("href") == LINK and link.get_attribute("rel") == "noopener noreferrer"
        mail.get_by_role("button", name="Copy link").click()
        expect(page.locator("#news")).to_contain_text("Copied link.")
        assert clipboard(page) == LINK


def a_mail_with_html_alone_is_read_too(browser):
    with local_page(browser, messages=[HTML_ONLY]) as page:
        entry = page.locator("#message-list li")
        expect(entry.locator(".code")).to_have_text(["98765432"])
        expect(entry.locator(".found a")).to_have_attribute("href", "https://ok.example/?a=1&b=2")
        expect(page.frame_locator("iframe").get_by_text("98765432")).to_be_visible()


def without_a_clipboard_the_text_is_selected(browser):
    with local_page(browser, messages=[SMS]) as page:
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        page.get_by_role("button", name="Copy code 042317").click()
        expect(page.locator("#news")).to_contain_text("is selected")
        assert page.evaluate("getSelection().toString()") == "042317"


def a_hostile_message_is_inert(browser):
    with local_page(browser, messages=[HOSTILE], allowed_errors=["Blocked script execution in"]) as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        entry = page.locator("#message-list li")
        expect(entry.get_by_role("heading")).to_have_text(HOSTILE["subject"])
        expect(entry.locator(".text")).to_have_text(HOSTILE["text"], use_inner_text=False)
        links = entry.locator(".found a").evaluate_all("(links) => links.map((link) => link.href)")
        assert links == ["https://ok.example/%22onmouseover=top.pwned=1"], links
        entry.get_by_text("HTML part").click()
        expect(page.frame_locator("iframe").get_by_text("a", exact=True)).to_be_visible()
        sandbox = page.locator("iframe").get_attribute("sandbox")
        assert sandbox == "allow-popups allow-popups-to-escape-sandbox", sandbox
        page.wait_for_timeout(500)
        assert page.evaluate("window.pwned") is None, "a message's script ran"
        assert entry.locator("script, img").count() == 0, "a message's markup became part of the page"
        assert all(url.startswith(BASE) for url in asked), asked
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "a long word makes the page scroll sideways"


def identities_are_copied_with_one_click(browser):
    identities = api("GET", "/_local/identities")
    client, admin, user = identities["client"], identities["admin"], identities["user"]
    expected = {"Tenant domain": identities["domain"], "Tenant client id": client["client_id"],
                "Tenant client secret": client["client_secret"], "Tenant passcode token": identities["passcode_token"]}
    for name, person in (("Administrator", admin), ("User", user)):
        for key in ("user_id", "email", "login", "password", "token"):
            expected[f"{name} {key.replace('_', ' ')}"] = str(person[key])
    expected["User phone"] = user["phone"]
    with local_page(browser) as page:
        for name, text in expected.items():
            page.get_by_role("button", name=f"Copy {name}", exact=True).click()
            expect(page.locator("#news")).to_contain_text(f"Copied {name}.")
            assert clipboard(page) == text, f"{name}: the clipboard holds {clipboard(page)!r}, not {text!r}"


def the_support_pin_lines_run_in_a_shell(browser):
    with local_page(browser) as page:
        made = in_a_shell(copy_curl(page, "Create my PIN"), 201)
        assert len(made["pin"]) == 6 and made["pin"].isdigit(), made
        assert in_a_shell(copy_curl(page, "Read my PIN"), 200) == made
        assert in_a_shell(copy_curl(page, "Read a user’s PIN as administrator"), 200) == made
        assert in_a_shell(copy_curl(page, "Revoke it as administrator"), 202) == {}
        in_a_shell(copy_curl(page, "Read my PIN"), 404)


def the_passcode_lines_run_in_a_shell(browser):
    with local_page(browser) as page:
        passcode, passcode_id = page.get_by_label("Passcode", exact=True), page.get_by_label("Passcode id")
        made = in_a_shell(copy_curl(page, "Retrieve"), 200)
        passcode.fill(json.dumps(made))  # the whole answer
        expect(passcode).to_have_value(made["token"])
        expect(passcode_id).to_have_value(made["id"])
        assert in_a_shell(copy_curl(page, "Status"), 200) == {"id": made["id"], "valid": True}
        assert in_a_shell(copy_curl(page, "Consume"), 200) == {"id": made["id"]}
        assert in_a_shell(copy_curl(page, "Status"), 200) == {"id": made["id"], "valid": False}

        made = in_a_shell(copy_curl(page, "Retrieve"), 200)
        passcode_id.fill(made["id"])
        assert in_a_shell(copy_curl(page, "Invalidate"), 200) == {"id": made["id"], "valid": False}


def the_account_lines_run_in_a_shell(browser):
    api("POST", "/_local/clock", {"advance_seconds": 121})  # the rate limit: one registration and one reset in two minutes
    user = api("GET", "/_local/identities")["user"]
    login = f"person{time.time_ns()}"
    with local_page(browser, allowed_errors=["Failed to load resource"]) as page:
        link = page.get_by_label("Link", exact=True)
        page.get_by_label("Login", exact=True).fill(login)
        page.get_by_label("Password", exact=True).fill("Other-meadow.88~l'eaf")
        for ask, view in (("Register", "self_register"), ("Ask for a password reset", "pwd_reset")):
            assert in_a_shell(copy_curl(page, ask), 200)["result"] is True
            expect(link).to_have_value(re.compile(rf"/app-root#/{view}/[0-9a-f-]{{36}}$"))
            refused = in_a_shell(copy_curl(page, "Set the password by the link"), 412)  # the quotation mark was sent
            assert refused["error_details"] == {"field": "pwd"}, refused
            page.get_by_label("Password", exact=True).fill("Other-meadow.88~leaf")
            done = in_a_shell(copy_curl(page, "Set the password by the link"), 200)
            assert done["user"]["login"] == login, done
            in_a_shell(copy_curl(page, "Set the password by the link"), 404)
            page.get_by_label("Password", exact=True).fill("Third'lantern.51~fox")
        page.get_by_label("Password", exact=True).fill("Fourth-anchor.62~elm")
        line = copy_curl(page, "Change the demo user’s password")
        assert user["password"] in line and user["token"] in line, line
        refused = in_a_shell(line.replace(user["password"], "not-" + user["password"]), 412)
        assert refused["error_details"] == {"field": "current_pwd"}, refused
        page.get_by_label("Password", exact=True).fill("short")
        page.get_by_role("button", name="Run Change the demo user’s password").click()
        expect(page.get_by_label("Answer: Change the demo user’s password")).to_contain_text("412")


def the_requests_go_on_after_the_demo_user_has_another_password(browser):
    before = api("GET", "/_local/identities")["user"]
    with local_page(browser) as page:
        answer = page.get_by_label("Answer: Change the demo user’s password")
        for password in ("Fourth-anchor.62~elm", f"Fifth-harbour.{time.time_ns()}"):
            page.get_by_label("Password", exact=True).fill(password)
            page.get_by_role("button", name="Run Change the demo user’s password").click()
            shown = page.locator("#identity-list dd", has=page.get_by_role("button", name="Copy User password", exact=True))
            expect(shown.locator("code")).to_have_text(password)
            expect(answer).to_contain_text("200")  # it stays where it is
        page.get_by_role("button", name="Run Create my PIN", exact=True).click()
        expect(page.get_by_label("Answer: Create my PIN", exact=True)).to_contain_text("201")
        api("POST", "/_local/clock", {"advance_seconds": 61})
        page.get_by_role("button", name="Run Log in with the password", exact=True).click()
        expect(page.get_by_label("Answer: Log in with the password", exact=True)).to_contain_text("REQUEST_OTP")
        assert api("GET", "/_local/identities")["user"]["token"] != before["token"]


def identities_that_come_late_are_shown(browser):
    with local_page(browser, messages=[], allowed_errors=["Failed to load resource"]) as page:
        expect(page.locator("#ready-body")).to_be_visible()
        page.route("**/_local/identities", lambda route: route.fulfill(status=404, json={"error": "the demo identities are being made"}))
        page.evaluate("stream.dispatchEvent(new Event('open'))")  # the server has restarted
        expect(page.locator("#identities-empty")).to_be_visible()
        expect(page.locator("#ready-body")).to_be_hidden()
        page.unroute("**/_local/identities")
        page.change("identities")
        expect(page.locator("#identity-list h3")).to_have_text(["Tenant", "Administrator", "User"])
        expect(page.locator("#ready-body")).to_be_visible()


def the_second_factor_lines_run_in_a_shell(browser):
    user = api("GET", "/_local/identities")["user"]
    with local_page(browser, allowed_errors=["Failed to load resource"]) as page:
        token, otp, phone = (page.get_by_label(name, exact=True) for name in ("Token", "Code", "Phone"))

        def does(name, next_step):
            # The rate limit: three messages a minute per user and per number.
            api("POST", "/_local/clock", {"advance_seconds": 61})
            sent = next_step in ("REQUEST_OTP", "APPROVE_FACTOR")
            known = len(text_messages())
            answer = in_a_shell(copy_curl(page, name), 201)
            assert answer["urgent"] == {"next_step": next_step}, answer
            if sent:
                message = text_messages()[known]
                expect(otp).to_have_value(code_in(message))
            token.fill(json.dumps(answer))  # the whole answer
            expect(token).to_have_value(answer["data"]["value"])
            return message["to"] if sent else answer["data"]["name"]

        before = does("Log in with the password", "REQUEST_OTP")
        assert does("Send another code", "REQUEST_OTP") == before
        assert does("Give the code", "REQUEST_APPS") == "access_token"
        for other in ("+380509876543", user["phone"]):
            phone.fill(other)
            assert does("Ask for another phone", "APPROVE_FACTOR") == other
            assert does("Approve it by its code", "REQUEST_APPS") == "access_token"
            shown = page.locator("#identity-list dd", has=page.get_by_role("button", name="Copy User phone", exact=True))
            expect(shown.locator("code")).to_have_text(other)
        refused = in_a_shell(copy_curl(page, "Give the code"), 401)
        assert refused["error"]["message"] == "Invalid token type", refused


def a_mail_says_whom_it_is_from(browser):
    full = {**MAIL, "from": "Example PBX <no-reply@demo.example>", "reply_to": "help@demo.example"}
    with local_page(browser, messages=[SMS, full]) as page:
        told = page.locator("#message-list li .meta")
        expect(told.nth(0)).to_contain_text("to ann@demo.example from Example PBX <no-reply@demo.example>, replies to help@demo.example · 2026")
        expect(told.nth(1)).to_contain_text("to +380501234567 · 2026")


def ready_requests_run_from_the_page(browser):
    with local_page(browser) as page:
        def run(name):
            page.get_by_role("button", name=f"Run {name}", exact=True).click()
            return page.get_by_label(f"Answer: {name}", exact=True)

        expect(run("Create my PIN")).to_contain_text("201")
        expect(run("Read a user’s PIN as administrator")).to_contain_text("200")
        expect(run("Retrieve")).to_contain_text("200")
        expect(page.get_by_label("Passcode id")).not_to_have_value("")
        expect(run("Consume")).to_contain_text("200")
        expect(run("Status")).to_contain_text('false')
        api("POST", "/_local/clock", {"advance_seconds": 61})
        expect(run("Log in with the password")).to_contain_text("REQUEST_OTP")
        expect(page.get_by_label("Token", exact=True)).not_to_have_value("")
        expect(page.get_by_label("Code", exact=True)).to_have_value(re.compile(r"^\d{6}$"))


def a_request_appears_without_a_reload(browser):
    api("POST", "/_local/sweep")  # leaves nothing to the cloud's sweep every minute, whose clean-up would be a request, too
    api("DELETE", "/_local/invocations")
    with local_page(browser) as page:
        expect(page.locator("#requests-empty")).to_be_visible()
        status = status_of("/api/v4/user/support_pin")  # no token: the response does not matter
        first = page.locator("#request-list > li").first
        expect(first).to_contain_text(str(status))
        expect(first).to_contain_text(" ms")
        page.get_by_role("button", name="Clear the requests").click()
        expect(page.locator("#requests-empty")).to_be_visible()


def the_clock_is_shown_and_moved(browser):
    with local_page(browser) as page:
        expect(page.locator("#now")).to_contain_text("UTC")
        clock_moves(page, 60, lambda: page.get_by_role("button", name="+1 min").click())
        expect(page.locator("#clock-note")).to_have_text("Moved on by 1 min.")
        clock_moves(page, 600, lambda: page.get_by_role("button", name="+10 min").click())
        page.get_by_label("Seconds").fill("90")
        clock_moves(page, 90, lambda: page.get_by_label("Seconds").press("Enter"))
        clock_moves(page, 3600, lambda: api("POST", "/_local/clock", {"advance_seconds": 3600}))  # another client moves it
        expect(page.locator("#offset")).to_contain_text("ahead")
        def server():
            return datetime.strptime(api("GET", "/_local/clock")["now"][:19], "%Y-%m-%dT%H:%M:%S")

        # The page is read between two responses of the server. It may be one tick behind, or more on a busy machine.
        tick, deadline = timedelta(seconds=1), time.monotonic() + PATIENCE
        while not (before := server()) - tick <= (shown := clock_text(page)) <= server() + tick:
            assert time.monotonic() < deadline, f"the page shows {shown}, and the server had {before} just before"
            page.wait_for_timeout(50)


def sweep_says_what_it_removed(browser):
    with local_page(browser) as page:
        page.get_by_role("button", name="Sweep now").click()
        expect(page.locator("#clock-note")).to_contain_text("Removed ")


def tables_are_browsed(browser):
    api("POST", "/_local/sweep")  # no row expires during the count
    names = api("GET", "/_local/tables")
    filled = {name: len(api("GET", f"/_local/tables/{name}")) for name in names}
    assert any(filled.values()), "no table has a row: the demo identities should be there"
    with local_page(browser) as page:
        expect(page.locator("#table-list > details > summary")).to_have_text(names)
        for name, rows in filled.items():
            part = page.locator("#table-list > details", has=page.get_by_text(name, exact=True))
            part.locator("summary").click()
            if rows == 0:
                expect(part.locator(".empty")).to_be_visible()
            else:
                expect(part.locator("tbody tr")).to_have_count(min(rows, 200))
                part.get_by_role("button", name="Copy").click()
                expect(page.locator("#news")).to_contain_text(f"rows of {name} as JSON.")
                assert len(json.loads(clipboard(page))) == rows


def the_keyboard_reaches_and_works_everything(browser):
    with local_page(browser, messages=[SMS, MAIL], events=[HOSTILE_EVENT]) as page:
        expect(page.locator("#ready-body")).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        expect(page.locator(".skip")).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()

        page.evaluate("""() => {
          document.activeElement.blur();
          getSelection().removeAllRanges();
          scrollTo(0, 0);
          window.wanted = [...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")]
            .filter((one) => one.checkVisibility() && !one.closest("details:not([open]) > :not(summary)"));
        }""")
        missing = page.evaluate("wanted.length")
        for _ in range(missing + 5):
            page.keyboard.press("Tab")
            ring = page.evaluate("""() => {
              const at = document.activeElement, style = getComputedStyle(at);
              window.wanted = wanted.filter((one) => one !== at);
              return at === document.body || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) ? null : at.outerHTML;
            }""")
            assert ring is None, f"no visible focus on {ring}"
        left = page.evaluate("wanted.map((one) => one.outerHTML)")
        assert not left, f"the keyboard does not reach {left}"

        clock_moves(page, 60, lambda: (page.get_by_role("button", name="+1 min").focus(), page.keyboard.press("Enter")))
        expect(page.get_by_role("button", name="+1 min")).to_be_focused()
        page.get_by_role("button", name="Copy code 042317").focus()
        page.keyboard.press("Space")
        expect(page.locator("#news")).to_contain_text("Copied code 042317.")
        page.get_by_text("HTML part").focus()
        page.keyboard.press("Enter")
        expect(page.locator("iframe")).to_be_visible()


def nothing_scrolls_sideways_at_320_pixels(browser):
    with local_page(browser, messages=[SMS, MAIL, HOSTILE, HTML_ONLY], events=[EVENT, HOSTILE_EVENT], viewport={"width": 320, "height": 640}) as page:
        expect(page.locator("#ready-body")).to_be_visible()
        for part in page.locator("#table-list > details > summary").all():
            part.click()
        page.wait_for_timeout(1000)
        wide = page.evaluate("""[...document.querySelectorAll("body *")]
          .filter((one) => one.checkVisibility() && !one.closest(".rows, .unseen, .skip") && one.getBoundingClientRect().right > 320.5)
          .map((one) => one.outerHTML.slice(0, 120))""")
        assert not wide, f"wider than the screen: {wide}"
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


def contrast_is_enough_in_light_and_dark(browser):
    for scheme, ground in (("light", "rgb(243, 245, 248)"), ("dark", "rgb(17, 22, 29)")):
        with local_page(browser, messages=[SMS, MAIL], events=[EVENT], color_scheme=scheme) as page:
            expect(page.locator("#ready-body")).to_be_visible()
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground, f"not the {scheme} colours"
            page.get_by_role("button", name="Run Read my PIN").click()
            expect(page.get_by_label("Answer: Read my PIN")).not_to_be_empty()
            page.change("invocations")
            page.get_by_role("button", name="Sweep now").click()
            expect(page.locator("#clock-note")).to_contain_text("Removed")
            expect(page.locator("#request-list > li").first).to_be_visible()
            for part in page.locator("#table-list > details > summary").all():
                part.click()
            page.wait_for_timeout(500)
            weak = weak_contrast(page, {"button, input": "borderTopColor"})
            assert not weak, f"{scheme}: too little contrast: {weak}"


def motion_is_left_out_when_unwanted(browser):
    for wish, animation in (("no-preference", "arrive"), ("reduce", "none")):
        with local_page(browser, messages=[], reduced_motion=wish) as page:
            page.arrive(SMS)
            arrived = page.locator("#message-list li.arrived")
            expect(arrived).to_have_count(1)
            assert arrived.evaluate("(one) => getComputedStyle(one).animationName") == animation


def a_server_that_went_away_is_told_and_comes_back(browser):
    with local_page(browser, allowed_errors=["Failed to load resource"]) as page:
        page.route("**/_local/**", lambda route: route.abort("connectionrefused"))
        page.goto("about:blank")
        page.unroute("**/_local/**")
        page.route("**/_local/*", lambda route: route.fallback() if route.request.url.endswith((".js", ".css")) else route.abort("connectionrefused"))
        page.goto(f"{BASE}/_local")
        expect(page.locator("#gone")).to_contain_text("cargo local")
        expect(page.locator("#connection")).to_have_text("Not connected")
        page.get_by_role("button", name="+1 min").click()
        expect(page.locator("#clock-note")).to_have_text("The local cloud does not answer. Nothing was changed.")
        page.unroute("**/_local/*")
        expect(page.locator("#connection")).to_have_text("Live")
        expect(page.locator("#gone")).to_be_hidden()
        expect(page.locator("#now")).to_contain_text("UTC")
        expect(page.locator("#ready-body")).to_be_visible()


CHECKS = [
    loads_without_a_complaint_of_the_browser,
    has_landmarks_headings_and_names,
    axe_finds_nothing,
    a_message_appears_without_a_reload,
    an_event_appears_without_a_reload,
    an_open_part_survives_the_next_message,
    codes_and_links_are_found_and_copied,
    a_mail_with_html_alone_is_read_too,
    without_a_clipboard_the_text_is_selected,
    a_hostile_message_is_inert,
    identities_are_copied_with_one_click,
    the_support_pin_lines_run_in_a_shell,
    the_passcode_lines_run_in_a_shell,
    the_account_lines_run_in_a_shell,
    the_requests_go_on_after_the_demo_user_has_another_password,
    identities_that_come_late_are_shown,
    the_second_factor_lines_run_in_a_shell,
    a_mail_says_whom_it_is_from,
    ready_requests_run_from_the_page,
    a_request_appears_without_a_reload,
    the_clock_is_shown_and_moved,
    sweep_says_what_it_removed,
    tables_are_browsed,
    the_keyboard_reaches_and_works_everything,
    nothing_scrolls_sideways_at_320_pixels,
    contrast_is_enough_in_light_and_dark,
    motion_is_left_out_when_unwanted,
    a_server_that_went_away_is_told_and_comes_back,
]


if __name__ == "__main__":
    run_chosen(CHECKS)
