#!/usr/bin/env python3
"""Tests in a real Chromium that an open page of the local cloud (GET /_local) recovers from restarts of the cloud.

    pip install -r tests/browser/requirements.txt        # and a Chromium of the system
    cargo build --workspace
    python3 tests/browser/restart.py [PROGRAM]

Starts and kills the server itself: PROGRAM, or target/debug/countersign-local. Exits with 0 if the page recovers each time, 1 if it
does not, and 77 if no browser or no program is found. CHROMIUM names a browser with an unusual name.
"""

import json
import re
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from chromium import PATIENCE, WATCH, expect, run, skip

PROGRAM = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2] / "target/debug/countersign-local")
RESTARTS = 3


@contextmanager
def server(port):
    """Runs an in-memory cloud on this port, or on a free one for 0; yields its URL, and kills it at the end."""
    process = subprocess.Popen([PROGRAM, "--port", str(port)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    too_late = threading.Timer(PATIENCE, process.kill)
    too_late.start()
    try:
        lines = (re.match(r"Ready on (http://127\.0\.0\.1:\d+)", line) for line in process.stdout)
        ready = next(filter(None, lines), None)
        too_late.cancel()
        assert ready, f"the server ended with {process.wait()} before it was ready, or was not ready in {PATIENCE} seconds"
        yield ready[1]
    finally:
        too_late.cancel()
        process.kill()
        process.wait(PATIENCE)
        process.stdout.close()


def identities(base):
    with urllib.request.urlopen(f"{base}/_local/identities", timeout=PATIENCE) as answer:
        return json.loads(answer.read())


def works(page, base):
    """Expects that the page is connected to this server, shows its identities, and uses them in requests."""
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#gone")).to_be_hidden()
    expect(page.locator("#identity-list")).to_contain_text(identities(base)["user"]["token"])
    answer = page.get_by_label("Answer: Create my PIN", exact=True)
    answer.evaluate("(answer) => answer.replaceChildren()")
    page.get_by_role("button", name="Run Create my PIN", exact=True).click()
    expect(answer).to_contain_text("201")


def an_open_page_recovers_from_restarts(browser):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    troubles, loads = [], []
    page.on("pageerror", lambda error: troubles.append(f"uncaught: {error}"))
    page.on("domcontentloaded", lambda loaded: loads.append(loaded.url))
    page.add_init_script(WATCH)
    with server(0) as base:
        page.goto(f"{base}/_local")
        works(page, base)
    for _ in range(RESTARTS):
        expect(page.locator("#connection")).to_have_text("Not connected")
        with server(base.rsplit(":", 1)[1]) as again:
            assert again == base
            works(page, base)
    troubles += page.evaluate("violations")
    context.close()
    assert not troubles, "the browser complained:\n  " + "\n  ".join(troubles)
    assert len(loads) == 1, f"the page was loaded {len(loads)} times"


def main():
    if not PROGRAM.exists():
        skip(f"{PROGRAM} is not built: cargo build --workspace")
    run([an_open_page_recovers_from_restarts])


if __name__ == "__main__":
    main()
