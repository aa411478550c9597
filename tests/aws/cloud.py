#!/usr/bin/env python3
"""A local cloud, the payloads of events/, and the expected responses of functions. As a program it prints a payload with
the identities of a running local cloud: cloud.py FUNCTION [PORT]

  python3 tests/aws/cloud.py passcode-retrieve | sam local invoke PasscodeRetrieveFunction --event -"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30
"""The timeout in seconds for the start of a function."""
PATIENCE_TO_BUILD = 1800
"""The timeout in seconds for the start of the cloud, which may need a build."""


# No proxy: all servers run on this machine.
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def post(url, payload):
    """Posts JSON; returns the JSON of the response."""
    return json.load(HTTP.open(url, json.dumps(payload).encode(), timeout=60))


def identities(port):
    """The demo tenant of the local cloud on this port: each string by its path, such as user.token."""
    return dict(leaves("", json.load(HTTP.open(f"http://127.0.0.1:{port}/_local/identities", timeout=60))))


def leaves(path, value):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(f"{path}.{name}" if path else name, inner)
    elif isinstance(value, str):
        yield path, value


def filled(function, known):
    """Returns a payload with its placeholders (<user.token>) replaced by identities, and the current time."""
    text = (ROOT / "events" / f"{function}.json").read_text()
    for name, value in known.items():
        text = text.replace(f"<{name}>", value)
    payload = json.loads(text)
    if "requestContext" in payload:
        payload["requestContext"]["timeEpoch"] = time.time_ns() // 1_000_000
    return payload


def answered(answer):
    """Returns a function's response: status and body for HTTP, otherwise the raw output."""
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return {"answer": answer}
    body = answer.get("body") or ""
    try:
        return {"status": answer["statusCode"], "body": json.loads(body)}
    except ValueError:
        return {"status": answer["statusCode"], "body": body}


def fits(said, value):
    """Whether a value matches the expected one; "*" matches any value."""
    if said == "*":
        return True
    if isinstance(said, dict) and isinstance(value, dict):
        return said.keys() == value.keys() and all(fits(said[name], value[name]) for name in said)
    if isinstance(said, list) and isinstance(value, list):
        return len(said) == len(value) and all(map(fits, said, value))
    return type(said) is type(value) and said == value


def answers():
    """The expected responses to the payloads, in the order of the requests."""
    return json.loads((ROOT / "tests/aws/answers.json").read_text())


@contextmanager
def local_cloud():
    """Runs the local cloud on a free port: the program of COUNTERSIGN_LOCAL, or what `cargo local` builds."""
    program = os.environ.get("COUNTERSIGN_LOCAL")
    command = [*([program] if program else ["cargo", "local"]), "--port", "0"]
    with tempfile.NamedTemporaryFile() as output:
        said = lambda: re.search(r"^Ready on http://127\.0\.0\.1:(\d+)", Path(output.name).read_text(), re.MULTILINE)
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stdin=subprocess.DEVNULL)
        try:
            eventually(said, process, PATIENCE_TO_BUILD)
            yield int(said()[1])
        finally:
            process.terminate()
            process.wait(PATIENCE)


def eventually(holds, process, seconds):
    end = time.monotonic() + seconds
    while not holds():
        if process.poll() is not None:
            raise RuntimeError(f"it ended with {process.returncode} before it listened")
        if time.monotonic() > end:
            raise RuntimeError(f"it does not listen after {seconds} seconds")
        time.sleep(0.02)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def target():
    metadata = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    return Path(json.loads(subprocess.run(metadata, cwd=ROOT, check=True, capture_output=True).stdout)["target_directory"])


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    print(json.dumps(filled(sys.argv[1], identities(sys.argv[2] if len(sys.argv) == 3 else 3000)), indent=2))
