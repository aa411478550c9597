#!/usr/bin/env python3
"""Tests the page behind mailed links (GET /app-root) in a real Chromium.

    pip install -r tests/browser/requirements.txt        # and a Chromium of the system
    cargo local                                          # in another terminal
    python3 tests/browser/app_root.py http://127.0.0.1:3000 [--login-url URL] [--link LINK --password PASSWORD] [CHECK...]

The page and its content security policy come from the server; the responses to its requests are mocked here, except in the one
check that needs a LINK: it consumes the single-use link, and sets that password. URL is the server's LoginUrl, if it has one. Starts no server.
Exits with 0 if every check passes, 1 if one fails, and 77 if no browser is installed. CHROMIUM names a browser with an unusual name.
"""

import argparse
import json
import sys
import urllib.request
from contextlib import contextmanager
from urllib.parse import urlsplit

from app_root_page import (DONE, LANGUAGES, PAGES, PASSWORD, REGISTER, RESET, SERVER, SIGNS, TAKEN, USED, UUID, WORDS, app_root, field, first, held,
                           refused, save, shown)
from chromium import accessibility, expect, run, weak_contrast


def the_form_comes_from_the_fragment_and_nothing_is_sent(browser):
    for fragment, heading in ((REGISTER, "register_heading"), (RESET, "reset_heading"), (f"{RESET}.", "reset_heading")):
        with app_root(browser, fragment) as page:
            expect(shown(page, "form")).to_have_text(WORDS["en"][heading])
            expect(field(page)).to_have_attribute("autocomplete", "new-password")
            expect(field(page)).to_have_attribute("type", "password")
            page.wait_for_timeout(200)
            assert page.asked == [f"GET {SERVER.base}/app-root"], f"more was asked than the page: {page.asked}"
            # The browser itself cannot submit the form, so no password can get into a URL.
            assert page.locator("form [name]").count() == 0


def the_policy_is_said_in_words_and_belongs_to_the_field(browser):
    with app_root(browser) as page:
        expect(page.get_by_label("Password", exact=True)).to_be_visible()
        for words in ("Usually:", "8 to 128 characters", "English letters, digits and the signs _ - . ~ !"):
            expect(page.locator("#policy")).to_contain_text(words)
        described = field(page).get_attribute("aria-describedby").split()
        assert described == ["pwd-problem", "policy", "strength"], described


def the_strength_follows_what_is_typed(browser):
    with app_root(browser, timers_by_hand=True) as page:
        for typed, level in (("", 0), ("aaaaaaaa", 1), ("password1", 1), ("12345678", 1), ("qwerty2024", 1), ("abababababab", 1),
                             ("kTr2moal", 2), ("correct-horse", 3), ("vQ8_nh3zL.wd", 4), (PASSWORD, 5), ("~" * 5000, 1)):
            field(page).fill(typed)
            expect(page.locator("#meter")).to_have_attribute("data-level", str(level))
            expect(page.locator("#strength")).to_have_text(WORDS["en"].get(f"strength_{level}", ""))
        # This is a strong password in domains that allow these characters.
        field(page).fill("Тихая~река.73/камень")
        expect(page.locator("#strength")).to_have_text(f"{WORDS['en']['strength_5']}. {WORDS['en']['unusual']}")
        field(page).fill(PASSWORD)
        page.clock.run_for(1100)
        expect(page.locator("#news")).to_have_text("Strong")  # announced to screen readers, after a pause


def show_and_hide_keep_the_text(browser):
    with app_root(browser, timers_by_hand=True) as page:
        field(page).fill(PASSWORD)
        page.clock.run_for(950)  # shortly before the strength is announced
        page.get_by_role("button", name="Show password").click()
        expect(field(page)).to_have_attribute("type", "text")
        page.clock.run_for(1200)
        expect(page.locator("#news")).to_have_text("The password is shown.")
        page.get_by_role("button", name="Hide password").click()
        expect(field(page)).to_have_attribute("type", "password")
        expect(field(page)).to_have_value(PASSWORD)


def said_of(language, word, answer, limit=""):
    """The page's own sentence, and below it the server's unchanged message."""
    words = WORDS[language]
    return [words[word].replace("{limit}", limit), f"{words['server_said']} {answer['json']['error_message']}"]


def a_rule_that_is_broken_is_told_next_to_the_field(browser):
    with app_root(browser, REGISTER, SIGNS, DONE) as page:
        save(page, "пароль-пароль")
        told = page.locator("#pwd-problem")
        expect(told.locator("p")).to_have_text(said_of("en", "rule_signs", SIGNS))
        expect(field(page)).to_have_attribute("aria-invalid", "true")
        expect(field(page)).to_be_focused()
        expect(field(page)).to_have_value("пароль-пароль")
        assert told.bounding_box()["y"] < field(page).bounding_box()["y"] < told.bounding_box()["y"] + 150, "not next to it"
        save(page)
        shown(page, "done")


def rules_that_are_known_are_said_in_the_language_of_the_page_first(browser):
    rules = [(word, limit, refused(412, said, "pwd")) for said, word, limit in (
        ("pwd is too short. Expected: at least 12 characters", "rule_short", "12"),
        ("pwd is too long. Expected: at most 64 characters", "rule_long", "64"),
        ("pwd is one of the most common passwords", "rule_common", ""),
        ("pwd is not what we like", "rule_other", ""))]
    for language in LANGUAGES:
        with app_root(browser, RESET, *[answer for _, _, answer in rules], language=language) as page:
            for word, limit, answer in rules:
                save(page)
                expect(page.locator("#pwd-problem p")).to_have_text(said_of(language, word, answer, limit))
                expect(page.locator("#pwd-problem [lang=en]")).to_have_text(answer["json"]["error_message"])


def a_problem_of_the_field_is_told_to_who_is_in_it(browser):
    """The focus does not move then, so a screen reader does not read the field's description."""
    with app_root(browser, REGISTER, SIGNS, SIGNS, timers_by_hand=True) as page:
        news = page.get_by_role("status")
        page.evaluate("""() => {
          window.heard = [];
          const news = document.querySelector("[role=status]");
          new MutationObserver(() => news.textContent && heard.push(news.textContent)).observe(news, { childList: true });
        }""")
        field(page).focus()
        for times in (1, 2):  # a repeated message is announced again
            field(page).press("Enter")
            page.clock.run_for(100)
            assert page.evaluate("heard") == [WORDS["en"]["empty"]] * times
        for _ in range(2):
            save(page, "not allowed")
            expect(page.locator("#pwd-problem p")).to_have_text(said_of("en", "rule_signs", SIGNS))
            page.clock.run_for(100)
            expect(news).to_have_text(" ".join(said_of("en", "rule_signs", SIGNS)))
            page.evaluate("heard.length = 0")
            page.clock.run_for(1200)  # the strength does not interrupt it
            assert page.evaluate("heard") == []
        # An unrelated button does not announce an unchanged problem again.
        page.evaluate("""() => {
          window.redrawn = 0;
          for (const id of ["problem", "pwd-problem"])
            new MutationObserver(() => redrawn++).observe(document.getElementById(id), { childList: true });
        }""")
        page.get_by_role("button", name="Show password").click()
        page.clock.run_for(100)
        expect(news).to_have_text("The password is shown.")
        assert page.evaluate("redrawn") == 0


def an_empty_password_is_not_sent(browser):
    with app_root(browser) as page:
        page.get_by_role("button", name="Save password").click()
        expect(page.locator("#pwd-problem")).to_have_text("Please enter a password.")
        expect(field(page)).to_be_focused()
        assert page.sent == []


def the_server_decides_what_a_password_may_be(browser):
    odd = " ключ\u0301 🔑 <b>&\"' "
    with app_root(browser, RESET, DONE) as page:
        save(page, odd)
        shown(page, "done")
        request = page.sent[0]
        assert (request.method, request.url) == ("PATCH", f"{SERVER.base}/rest/v1/iam/pwd_reset_requests/{UUID}"), request.url
        assert request.post_data_json == {"pwd": odd}, request.post_data
        headers = request.all_headers()
        assert headers["content-type"] == "application/json" and "referer" not in headers and "cookie" not in headers, headers


def the_secret_of_the_link_is_in_one_request_only(browser):
    with app_root(browser, REGISTER, TAKEN, DONE) as page:
        save(page)
        expect(page.locator("#problem")).not_to_be_empty()
        save(page)
        shown(page, "done")
        wanted = f"PATCH {SERVER.base}/rest/v1/iam/self_register_requests/{UUID}"
        assert page.asked == [f"GET {SERVER.base}/app-root", wanted, wanted], page.asked
        kept = page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]")
        assert kept == ["", 0, 0], kept


def the_keyboard_alone_is_enough(browser):
    with app_root(browser, REGISTER, SIGNS, DONE) as page:
        reached = []
        for _ in range(6):
            page.keyboard.press("Tab")
            at = page.evaluate("""() => {
              const at = document.activeElement, style = getComputedStyle(at);
              return [at.id || at.lang, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
            }""")
            assert at[1], f"no visible focus on {at[0]}"
            reached.append(at[0])
        assert reached == ["en", "ru", "uk", "pwd", "reveal", "save"], reached
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Space")
        expect(field(page)).to_have_attribute("type", "text")
        page.keyboard.press("Shift+Tab")
        page.keyboard.type("short")
        page.keyboard.press("Enter")
        expect(field(page)).to_have_attribute("aria-invalid", "true")
        page.keyboard.type("-but-longer-now")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(shown(page, "done")).to_be_focused()
        assert page.sent[1].post_data_json == {"pwd": "short-but-longer-now"}
        page.keyboard.press("Tab")
        if ARGUMENTS.login_url:
            expect(page.get_by_role("link", name="Go to the login page")).to_be_focused()


def way_on(part, otherwise):
    """Expects the link to the login page, or the text `otherwise` if there is no login page."""
    link = part.get_by_role("link")
    if ARGUMENTS.login_url:
        expect(link).to_have_text(WORDS["en"]["to_login"])
        expect(link).to_have_attribute("href", ARGUMENTS.login_url)
    else:
        expect(link).to_have_count(0)
        expect(part.get_by_text(WORDS["en"][otherwise], exact=True)).to_be_visible()


def success_names_the_login_and_links_to_where_it_is_used(browser):
    with app_root(browser, REGISTER, DONE) as page:
        save(page)
        expect(shown(page, "done")).to_have_text("Your password is saved")
        part = page.locator("[data-view=done]")
        for words in ("my_login", "pbx.era-platform.ru", "Now login with new password"):
            expect(part).to_contain_text(words)
        way_on(part, "close_done")
        expect(field(page)).to_have_value("")  # it is no longer needed


def a_used_link_says_how_to_get_another(browser):
    for fragment, how in ((REGISTER, "used_register"), (RESET, "used_reset")):
        with app_root(browser, fragment, USED) as page:
            save(page)
            expect(shown(page, "used")).to_be_focused()
            part = page.locator("[data-view=used]")
            for words in (WORDS["en"][how], "request not found or expired"):
                expect(part).to_contain_text(words)
            way_on(part, "close")


def other_problems_are_told_above_the_form_and_lose_nothing(browser):
    answers = (  # neighbors differ, so that no check can match the previous message
        (TAKEN, ["Somebody else has taken this login", "login already exists"]),
        (refused(412, "email domain is not allowed", "email"), ["This mail address cannot be used", "email domain is not allowed"]),
        (refused(412, "something else", "name"), ["did not accept", "something else"]),
        (refused(400, "malformed request"), ["did not accept", "malformed request"]),
        (refused(429, "too many requests", headers={"retry-after": "42"}), ["try again in 42 seconds", "is still here", "too many requests"]),
        (refused(429, "too many requests", headers={"retry-after": "3600"}), ["try again in 60 minutes"]),
        (refused(429, "too many requests"), ["try again a little later"]),
        (refused(503, "try again later", headers={"retry-after": "1"}), ["busy", "in 1 second.", "try again later"]),
        (refused(500, "internal error"), ["our side", "internal error"]),
        ({"status": 404, "json": {"message": "Not Found"}}, ["did not accept", "HTTP 404"]),
        ({"status": 200, "body": "null"}, ["did not accept", "HTTP 200"]),
        ({"status": 502, "body": "<html>Bad Gateway</html>", "content_type": "text/html"}, ["our side"]),
        ("connectionrefused", ["cannot be reached"]),
    )
    with app_root(browser, REGISTER, *[answer for answer, _ in answers], DONE) as page:
        field(page).fill(PASSWORD)
        told = page.get_by_role("alert")
        for _, words in answers:
            page.get_by_role("button", name="Save password").click()
            for one in words:
                expect(told).to_contain_text(one)
            expect(field(page)).to_have_value(PASSWORD)
            expect(field(page)).not_to_have_attribute("aria-invalid", "true")
        page.get_by_role("button", name="Save password").click()
        shown(page, "done")


def what_the_server_says_is_text(browser):
    attack = "<img src=x onerror='top.pwned=1'><script>top.pwned=1</script>"
    done = {"status": 200, "json": {**DONE["json"], "result_msg": attack, "user": {"login": attack, "domain": "w" * 3000}}}
    with app_root(browser, REGISTER, refused(412, attack, "pwd"), refused(412, attack, "login"), done) as page:
        save(page)
        expect(page.locator("#pwd-problem [lang=en]")).to_have_text(attack)
        save(page)
        expect(page.locator("#problem")).to_contain_text(attack)
        save(page)
        expect(page.locator("#login")).to_have_text(attack)
        assert page.evaluate("window.pwned") is None and page.locator("main img, main script").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "a long word makes the page scroll sideways"


def it_is_sent_once_while_an_answer_is_awaited(browser):
    with app_root(browser) as page:
        waiting = held(page)
        save(page)
        button = page.get_by_role("button", name="Saving…")
        expect(button).to_have_attribute("aria-disabled", "true")
        button.click(force=True)
        field(page).press("Enter")
        first(page, waiting)
        page.wait_for_timeout(300)
        assert len(waiting) == 1, f"sent {len(waiting)} times"
        waiting[0].fulfill(**SIGNS)
        expect(page.get_by_role("button", name="Save password")).to_have_attribute("aria-disabled", "false")


def a_link_that_is_not_complete_is_explained(browser):
    for fragment in ("", "#", "#/self_register/", "#/self_register/1234", f"#/other/{UUID}", f"#/self_register/{UUID}0",
                     f"#/self_register/{UUID}x", f"#/self_register/{UUID}-", f"#/self_register/{UUID}_", f"#/self_register/%20{UUID}",
                     f"#/self_register/{UUID[:-1]}", f"#/self_register/{UUID[:-1]}>", f"#/self_register/{UUID[:-1]}%3E",
                     "#/self_register/../../../../evil", f"#/self_register/../{UUID}", f"#/pwd_reset//{UUID}", f"#x/pwd_reset/{UUID}"):
        with app_root(browser, fragment) as page:
            expect(shown(page, "missing")).to_have_text("The link is not complete")
            part = page.locator("[data-view=missing]")
            expect(part).to_contain_text("open the link in the mail again")
            way_on(part, "close")


# What mail programs append to a link: the end of a sentence, brackets, quotation marks, parameters of campaigns, raw or escaped.
APPENDED = (">", "%3E", "%3e", ".", ",", ";", ":", "!", "?", ")", "%29", "]", "}", "*", "'", '"', "%22", "%27", "&quot;", "&gt;", "&#39;", "%C2%BB", "\u00bb", "\u201d",
            "\u200b", "%E2%80%8B", "%20", "%0D%0A", "%", "%%", "/", "//", "/../x", "/../../../evil", "?utm_source=a&utm_medium=b", "%3Futm_source%3Da",
            "&utm_source=a", "#", "#top", "=", ">.", "%3E)", "</a>", "<br>", "\\", "|", "~", "%30", "\u0451", "\uff10")


def what_mail_programs_append_to_a_link_is_ignored(browser):
    with app_root(browser, "") as page:
        page.route("**/rest/**", lambda route: (page.sent.append(route.request), route.fulfill(**SIGNS)))
        for view in ("self_register", "pwd_reset"):
            for appended in APPENDED:
                page.goto(f"{SERVER.base}/app-root#")  # the browser may treat two of them as the same URL, and not load it again
                shown(page, "missing")
                page.goto(f"{SERVER.base}/app-root#/{view}/{UUID}{appended}")
                shown(page, "form")
                save(page)
                expect(page.locator("#pwd-problem")).not_to_be_empty()
                assert [one.url for one in page.sent] == [f"{SERVER.base}/rest/v1/iam/{view}_requests/{UUID}"], f"{appended!r}: {page.sent}"
                page.sent.clear()


def a_link_whose_sign_was_escaped_leads_to_the_form(browser):
    for view in ("self_register", "pwd_reset"):
        for path in (f"%23/{view}/{UUID}", f"%2523/{view}/{UUID}", f"%23%2F{view}%2F{UUID}", f"%23/{view}/{UUID}%3E", f"%23/{view}/{UUID}?utm_source=a"):
            with app_root(browser, path) as page:
                shown(page, "form")
                assert page.url == f"{SERVER.base}/app-root#/{view}/{UUID}", page.url


def another_link_in_the_same_tab_begins_anew(browser):
    with app_root(browser, REGISTER, SIGNS) as page:
        save(page)
        expect(page.locator("#pwd-problem")).not_to_be_empty()
        page.evaluate("(fragment) => { location.hash = fragment }", RESET)
        expect(shown(page, "form")).to_have_text("Choose a new password")
        expect(page.locator("#pwd-problem")).to_be_empty()
        expect(field(page)).to_have_value("")
        page.evaluate("location.hash = ''")
        shown(page, "missing")
        page.go_back()
        expect(shown(page, "form")).to_have_text("Choose a new password")
        # The response for the first link is not shown for the second one.
        waiting = held(page)
        save(page)
        expect(page.get_by_role("button", name="Saving…")).to_be_visible()
        page.evaluate("(fragment) => { location.hash = fragment }", REGISTER)
        expect(shown(page, "form")).to_have_text("Finish your registration")
        first(page, waiting).fulfill(**DONE)
        page.wait_for_timeout(300)
        expect(shown(page, "form")).to_have_text("Finish your registration")


def a_reload_keeps_working(browser):
    with app_root(browser, REGISTER, SIGNS, DONE, USED) as page:
        save(page)
        expect(page.locator("#pwd-problem")).not_to_be_empty()
        page.reload()
        shown(page, "form")
        save(page)
        shown(page, "done")
        page.reload()
        shown(page, "form")
        save(page)
        shown(page, "used")


def it_speaks_three_languages(browser):
    for language in LANGUAGES:
        with app_root(browser, language=f"{language}-XX") as page:
            assert page.evaluate("document.documentElement.lang") == language
            expect(shown(page, "form")).to_have_text(WORDS[language]["register_heading"])
    refusals = [SIGNS, refused(429, "too many requests", headers={"retry-after": "21"}), DONE]
    with app_root(browser, REGISTER, *refusals) as page:
        save(page, "what I typed")
        for language, name in LANGUAGES.items():
            button = page.get_by_role("button", name=name)
            button.focus()
            page.keyboard.press("Enter")
            words = WORDS[language]
            expect(button).to_be_focused()
            expect(button).to_have_attribute("aria-pressed", "true")
            assert page.evaluate("document.documentElement.lang") == language
            expect(shown(page, "form")).to_have_text(words["register_heading"])
            expect(field(page)).to_have_value("what I typed")
            told = page.locator("#pwd-problem")
            expect(told.locator("p")).to_have_text(said_of(language, "rule_signs", SIGNS))
            expect(page.locator("#strength")).to_contain_text(words["unusual"])
            empty = page.evaluate("[...document.querySelectorAll('[data-words]')].filter((one) => !one.textContent).map((one) => one.dataset.words)")
            assert not empty, f"{language} has no words for {empty}"
        save(page)
        expect(page.get_by_role("alert")).to_contain_text("Зачекати потрібно: 21 секунда.")
        save(page)
        expect(shown(page, "done")).to_have_text("Пароль збережено")
        page.get_by_role("button", name="Русский").click()
        expect(shown(page, "done")).to_have_text("Пароль сохранён")
        expect(page.locator("#login")).to_have_text("my_login")


def has_landmarks_headings_and_names(browser):
    with app_root(browser, REGISTER, SIGNS) as page:
        save(page)
        expect(page.locator("#pwd-problem")).not_to_be_empty()
        for role in ("banner", "main"):
            expect(page.get_by_role(role)).to_have_count(1)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        expect(page.get_by_role("group", name="Language")).to_be_visible()
        robots = page.locator("meta[name=robots]").get_attribute("content")
        assert robots == "noindex", robots


def axe_finds_nothing(browser):
    for viewport in ({"width": 1280, "height": 900}, {"width": 390, "height": 844}, {"width": 320, "height": 256}):
        for view, answers in VIEWS:
            with app_root(browser, REGISTER, *answers, viewport=viewport, reduced_motion="reduce") as page:
                reach(page, view, answers)
                found = accessibility(page)
                assert not found, f"{viewport}, {view}: {found}"


def without_scripts_it_says_what_is_missing(browser):
    for language in LANGUAGES:
        with without_scripts(browser, language) as page:
            expect(page.locator("noscript p")).to_have_text(WORDS[language]["noscript"])
            expect(page.locator("form:visible, #languages:visible")).to_have_count(0)


@contextmanager
def without_scripts(browser, language):
    context = browser.new_context(java_script_enabled=False, locale=language)
    page = context.new_page()
    page.goto(f"{SERVER.base}/app-root{REGISTER}")
    yield page
    context.close()


VIEWS = [("form", []), ("form", [SIGNS]), ("form", [TAKEN]), ("done", [DONE]), ("used", [USED])]


def reach(page, view, answers, password=PASSWORD):
    """Opens one of the views, with its response rendered."""
    if answers:
        save(page, password)
        expect(page.locator("#pwd-problem > p, #problem > p, [data-view=done]:visible, [data-view=used]:visible")).not_to_have_count(0)
    shown(page, view)


def nothing_scrolls_sideways_on_small_or_magnified_screens(browser):
    # A 1280 px screen at 400 % zoom is also 320 px wide.
    for language in LANGUAGES:
        for view, answers in VIEWS:
            with app_root(browser, REGISTER, *answers, language=language, viewport={"width": 320, "height": 256}) as page:
                reach(page, view, answers, PASSWORD * 10)
                wide = page.evaluate("""[...document.querySelectorAll("body *")]
                  .filter((one) => one.checkVisibility() && !one.closest(".unseen") && one.getBoundingClientRect().right > 320.5)
                  .map((one) => one.outerHTML.slice(0, 120))""")
                assert not wide, f"{language}, {view}: wider than the screen: {wide}"
                assert page.evaluate("document.documentElement.scrollWidth") <= 320
                page.evaluate("document.documentElement.style.fontSize = '200%'")  # larger text only
                assert page.evaluate("document.documentElement.scrollWidth") <= 320, f"{language}, {view}: at twice the size"


MARKS = {"input, .meter, #reveal": "borderTopColor", "#meter": "backgroundColor"}


def contrast_is_enough_in_light_and_dark(browser):
    for scheme, ground in (("light", "rgb(243, 245, 248)"), ("dark", "rgb(17, 22, 29)")):
        for view, answers in VIEWS:
            with app_root(browser, REGISTER, *answers, color_scheme=scheme, reduced_motion="reduce") as page:
                reach(page, view, answers)
                assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground, f"not the {scheme} colours"
                for typed in ("a", "correct-horse", PASSWORD) if view == "form" else ():
                    field(page).fill(typed)
                    weak = weak_contrast(page, MARKS)
                    assert not weak, f"{scheme}, {view}: too little contrast: {weak}"
                weak = weak_contrast(page, MARKS)
                assert not weak, f"{scheme}, {view}: too little contrast: {weak}"


def motion_is_left_out_when_unwanted(browser):
    for wish, seconds in (("no-preference", "0.2s"), ("reduce", "0s")):
        with app_root(browser, reduced_motion=wish) as page:
            assert page.evaluate("getComputedStyle(document.getElementById('meter')).transitionDuration") == seconds


def the_link_of_a_mail_sets_the_password(browser):
    """With the server's own responses: it rejects the first password and accepts the second one, and the link is consumed."""
    fragment = f"#{urlsplit(ARGUMENTS.link).fragment}"
    with app_root(browser, fragment) as page:
        page.unroute("**/rest/**")
        for _ in range(2):  # opening the link does not consume it
            page.reload()
            shown(page, "form")
        save(page, "not allowed")
        expect(page.locator("#pwd-problem")).to_contain_text("pwd ")
        expect(field(page)).to_be_focused()
        expect(field(page)).to_have_value("not allowed")
        save(page, ARGUMENTS.password)
        shown(page, "done")
        expect(page.locator("#login")).not_to_be_empty()
        print(json.dumps({"login": page.locator("#login").inner_text(), "domain": page.locator("#domain").inner_text()}))
        page.reload()
        save(page, ARGUMENTS.password)
        shown(page, "used")
        expect(page.locator("#used-said")).to_have_text("request not found or expired")


CHECKS = [
    the_form_comes_from_the_fragment_and_nothing_is_sent,
    the_policy_is_said_in_words_and_belongs_to_the_field,
    the_strength_follows_what_is_typed,
    show_and_hide_keep_the_text,
    a_rule_that_is_broken_is_told_next_to_the_field,
    rules_that_are_known_are_said_in_the_language_of_the_page_first,
    a_problem_of_the_field_is_told_to_who_is_in_it,
    an_empty_password_is_not_sent,
    the_server_decides_what_a_password_may_be,
    the_secret_of_the_link_is_in_one_request_only,
    the_keyboard_alone_is_enough,
    success_names_the_login_and_links_to_where_it_is_used,
    a_used_link_says_how_to_get_another,
    other_problems_are_told_above_the_form_and_lose_nothing,
    what_the_server_says_is_text,
    it_is_sent_once_while_an_answer_is_awaited,
    a_link_that_is_not_complete_is_explained,
    what_mail_programs_append_to_a_link_is_ignored,
    a_link_whose_sign_was_escaped_leads_to_the_form,
    another_link_in_the_same_tab_begins_anew,
    a_reload_keeps_working,
    it_speaks_three_languages,
    has_landmarks_headings_and_names,
    axe_finds_nothing,
    without_scripts_it_says_what_is_missing,
    nothing_scrolls_sideways_on_small_or_magnified_screens,
    contrast_is_enough_in_light_and_dark,
    motion_is_left_out_when_unwanted,
    the_link_of_a_mail_sets_the_password,
]


def main():
    try:
        urllib.request.urlopen(f"{SERVER.base}/app-root", timeout=30).close()
    except OSError as error:
        sys.exit(f"no page at {SERVER.base}/app-root ({error}). Start it with `cargo local`, and give its address as the first argument.")
    wanted = [check for check in CHECKS if not ARGUMENTS.checks or check.__name__ in ARGUMENTS.checks]
    if not ARGUMENTS.link:
        wanted = [check for check in wanted if check is not the_link_of_a_mail_sets_the_password]
    run(wanted, PAGES.clear)


if __name__ == "__main__":
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("base", metavar="BASE")
    reader.add_argument("--link")
    reader.add_argument("--login-url", default="")
    reader.add_argument("--password", default=PASSWORD)
    reader.add_argument("checks", nargs="*", metavar="CHECK")
    ARGUMENTS = reader.parse_intermixed_args()
    SERVER.base = ARGUMENTS.base.rstrip("/")
    main()
