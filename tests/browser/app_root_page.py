"""Opens the page behind mailed links for the checks in app_root.py: responses are mocked, and its requests are recorded."""

import json
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

from chromium import PATIENCE, WATCH, expect


class SERVER:
    """The base URL of the page's server."""
    base = ""


LANGUAGES = {"en": "English", "ru": "Русский", "uk": "Українська"}
ROOT = Path(__file__).resolve().parents[2]
WORDS = {one: json.loads((ROOT / f"functions/app-root/words/{one}.json").read_text()) for one in LANGUAGES}

# Without a valid version digit, as in the original's own example.
UUID = "3F2b8a10-5a7d-0d55-9d0e-2d1c6c1f9a77"
REGISTER = f"#/self_register/{UUID}"
RESET = f"#/pwd_reset/{UUID}"
PASSWORD = "tidy.Harbour_42~owl"


def refused(status, message, field=None, headers=None):
    body = {"error_code": 1501 if status == 412 else 1000 + status, "error_message": message}
    return {"status": status, "json": body | ({"error_details": {"field": field}} if field else {}), "headers": headers or {}}


DONE = {"status": 200, "json": {"error_code": 0, "result": True, "result_msg": "Now login with new password",
                                "user": {"domain": "pbx.era-platform.ru", "login": "my_login"}}}
SIGNS = refused(412, "pwd contains invalid symbols. Expected: A-Za-z0-9_-.~!", "pwd")
TAKEN = refused(412, "login already exists", "login")
USED = refused(404, "request not found or expired")

PAGES = defaultdict(list)  # a pool of idle pages, by their options: to open a page takes longer than most checks


def blank_page(browser, timers_by_hand, **options):
    opened_with = json.dumps([timers_by_hand, options], sort_keys=True)
    if PAGES[opened_with]:
        return PAGES[opened_with].pop()
    page = browser.new_context(**options).new_page()
    page.opened_with = opened_with
    page.set_default_timeout(PATIENCE * 1000)
    page.add_init_script(WATCH)
    if timers_by_hand:
        page.clock.install(time=0)
        page.clock.pause_at(1)
    return page


@contextmanager
def app_root(browser, fragment=REGISTER, *answers, language="en", timers_by_hand=False, **options):
    """Opens the page. Its requests receive `answers`, one after the other, and are recorded in `page.sent`.
    With `timers_by_hand` its timers advance only by `page.clock.run_for`."""
    page = blank_page(browser, timers_by_hand, **{"viewport": {"width": 1024, "height": 800}, "locale": language, **options})
    page.sent, page.asked, troubles, left = [], [], [], list(answers)

    def answer(route):
        page.sent.append(route.request)
        now = left.pop(0)
        route.abort(now) if isinstance(now, str) else route.fulfill(**now)

    def complain(said):
        # Chromium logs every unsuccessful response.
        if said.type in ("error", "warning") and not said.text.startswith("Failed to load resource"):
            troubles.append(f"console {said.type}: {said.text}")

    listeners = {
        "console": complain,
        "pageerror": lambda error: troubles.append(f"uncaught: {error}"),
        "request": lambda request: page.asked.append(f"{request.method} {request.url}"),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    page.route("**/rest/**", answer)
    page.goto(f"{SERVER.base}/app-root{fragment}")
    yield page
    troubles += page.evaluate("violations")
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    page.unroute_all()
    page.goto("about:blank")
    PAGES[page.opened_with].append(page)
    assert not troubles, "the browser complained:\n  " + "\n  ".join(troubles)
    assert not left, f"{len(left)} requests did not come"


def field(page):
    return page.locator("#pwd")


def shown(page, view):
    """Expects that only this view is visible; returns its heading."""
    expect(page.locator("[data-view]:visible")).to_have_count(1)
    expect(page.locator(f"[data-view={view}]")).to_be_visible()
    heading = page.locator(f"[data-view={view}] h1")
    expect(page).to_have_title(heading.inner_text())
    return heading


def save(page, password=PASSWORD):
    field(page).fill(password)
    field(page).press("Enter")


def held(page):
    """Returns a list that collects the page's requests from now on, all without a response."""
    waiting = []
    page.route("**/rest/**", lambda route: waiting.append(route))
    return waiting


def first(page, waiting):
    """Waits for the first of them: the page shows it as sent before it arrives here."""
    deadline = time.monotonic() + PATIENCE
    while not waiting:
        assert time.monotonic() < deadline, "nothing was sent"
        page.wait_for_timeout(20)
    return waiting[0]
