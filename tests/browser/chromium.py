"""Shared by the scripts in this folder: finds the system's Chromium, or skips, and runs checks one by one."""

import os
import shutil
import sys
import time
import traceback

SKIPPED = 77
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]

# Records violations of a page's content security policy.
WATCH = """window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));"""

# The contrast of colours: WCAG 2.2, contrast (minimum).
CONTRAST = """(marks) => {
  const channels = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const seen = (one) => {
    for (; one; one = one.parentElement) {
      const [r, g, b, alpha = 1] = channels(getComputedStyle(one).backgroundColor);
      if (alpha === 1) return [r, g, b];
      if (alpha !== 0) throw new Error("a half transparent background needs a better check than this one");
    }
    throw new Error("no background");
  };
  const light = (colour) => colour.slice(0, 3).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const ratio = (one, other) => {
    const [less, more] = [light(one), light(other)].sort((a, b) => a - b);
    return (more + 0.05) / (less + 0.05);
  };
  const weak = [];
  for (const one of document.querySelectorAll("body *")) {
    if (!one.checkVisibility()) continue;
    const style = getComputedStyle(one);
    const check = (found, least, what) => found < least && weak.push(`${found.toFixed(2)} ${what} of ${one.outerHTML.slice(0, 80)}`);
    if ([...one.childNodes].some((child) => child.nodeType === 3 && child.data.trim())) check(ratio(channels(style.color), seen(one)), 4.5, "text");
    for (const [selector, property] of marks)
      if (one.matches(selector)) check(ratio(channels(style[property]), seen(one.parentElement)), 3, property);
  }
  return weak;
}"""


def weak_contrast(page, marks):
    """Returns the elements with too little contrast: texts, and `marks`, selectors with the property of their colour."""
    return page.evaluate(CONTRAST, list(marks.items()))


def skip(why):
    print(f"SKIPPED: nothing was tried in a browser: {why}", file=sys.stderr)
    sys.exit(SKIPPED)


try:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import expect, sync_playwright
except ImportError as missing:
    skip(f"no {missing.name}; pip install -r tests/browser/requirements.txt")

# The rules of WCAG, and the best practices.
AXE = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def accessibility(page):
    """Returns the violations that axe-core finds in a page's current state: rules and elements."""
    found = Axe().run(page, options=AXE).response["violations"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]


# The timeout in seconds. Long, because a busy machine is slow; only failing checks wait for all of it.
PATIENCE = 60
expect.set_options(timeout=PATIENCE * 1000)


def run(checks, clean_up=lambda: None):
    """Runs each check with the browser, and exits with 0 if all pass; calls `clean_up` after a failed check."""
    executable = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        skip(f"none of {', '.join(BROWSERS)} is installed, and CHROMIUM is not set")
    failed = []
    with sync_playwright() as playwright:
        # Chromium's sandbox does not start as root, for example in a container.
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        for check in checks:
            started = time.monotonic()
            try:
                check(browser)
                print(f"ok      {check.__name__} ({time.monotonic() - started:.0f} s)", flush=True)
            except Exception:
                failed.append(check)
                print(f"FAILED  {check.__name__}\n{traceback.format_exc()}")
                clean_up()
                for context in browser.contexts:
                    context.close()
        browser.close()
    print(f"{len(checks) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed or not checks else 0)
