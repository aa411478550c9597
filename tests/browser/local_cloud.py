"""The page of a running local cloud (GET /_local), for the checks in local_page.py and second_factors.py."""

import json
import subprocess
import sys
import urllib.request
from contextlib import contextmanager

from chromium import PATIENCE, WATCH, expect, run

BASE = (sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000").rstrip("/")

# Replaces the event stream, so that a check triggers the changes.
FAKE_STREAM = """window.EventSource = class extends EventTarget {
  static CLOSED = 2;
  readyState = 1;
  constructor() { super(); window.stream = this; setTimeout(() => this.dispatchEvent(new Event("open"))); }
}"""


def api(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


def text_messages():
    """Returns the text messages, oldest first. Notices are mails, and arrive between them at any time."""
    return [message for message in api("GET", "/_local/messages") if message["channel"] == "sms"]


def code_in(message):
    return message["text"].rpartition("#")[2]


@contextmanager
def local_page(browser, *, messages=None, events=(), allowed_errors=(), **options):
    """Opens the page. `messages` and `events` replace the server's; `page.arrive(message)` and `page.emit(event)` add one."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=BASE)
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    troubles = []
    page.on("console", lambda said: said.type in ("error", "warning") and troubles.append(f"console {said.type}: {said.text}"))
    page.on("pageerror", lambda error: troubles.append(f"uncaught: {error}"))
    page.on("dialog", lambda dialog: (troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.add_init_script(WATCH)
    if messages is not None:
        page.add_init_script(FAKE_STREAM)
        page.route(f"{BASE}/_local/messages?full=true", lambda route: route.fulfill(json=messages))
        # Without the server's content security policy: the frame's sandbox alone must suffice.
        page.route("**/_local/messages/*/html", lambda route: route.fulfill(content_type="text/html", body=messages[-1]["html"]))

        def change(what):
            page.evaluate("(data) => stream.dispatchEvent(new MessageEvent('change', { data }))", json.dumps({"what": what}))

        def arrive(message):
            messages.append(message)
            change("messages")

        events = list(events)
        page.route(f"{BASE}/_local/events", lambda route: route.fulfill(json=events))

        def emit(event):
            events.append(event)
            change("events")

        page.change, page.arrive, page.emit = change, arrive, emit
    page.goto(f"{BASE}/_local")
    expect(page.locator("#connection")).to_have_text("Live")
    yield page
    troubles += page.evaluate("violations")
    troubles = [trouble for trouble in troubles if not any(allowed in trouble for allowed in allowed_errors)]
    context.close()
    assert not troubles, "the browser complained:\n  " + "\n  ".join(troubles)


def clipboard(page):
    return page.evaluate("navigator.clipboard.readText()")


def copy_curl(page, name):
    page.evaluate("document.getElementById('news').replaceChildren()")
    page.get_by_role("button", name=f"Copy curl line: {name}", exact=True).click()
    # Until then the clipboard may still contain the previous line.
    expect(page.locator("#news")).to_contain_text(f"Copied curl line: {name}.")
    line = clipboard(page)
    assert line.startswith("curl ") and BASE in line, f"the clipboard holds no curl line of this server for {name}: {line!r}"
    return line


def in_a_shell(line, status):
    """Runs a line in a shell, as a user would; returns the response."""
    ran = subprocess.run(["sh", "-c", f"{line} -sS -w '\\n%{{http_code}}'"], capture_output=True, text=True, timeout=60)
    body, _, code = ran.stdout.rpartition("\n")
    assert code == str(status), f"expected {status}, got {code or ran.stderr!r} with {body!r} from:\n{line}"
    return json.loads(body)


def run_chosen(checks):
    """Runs the checks that the command line names, or all."""
    try:
        api("GET", "/_local/clock")
    except OSError as error:
        sys.exit(f"no local cloud answers at {BASE} ({error}). Start it with `cargo local`, or give its address as the first argument.")
    run([check for check in checks if not sys.argv[2:] or check.__name__ in sys.argv[2:]])
