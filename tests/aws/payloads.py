#!/usr/bin/env python3
"""Prints a payload of events/ with the identities of a local cloud that runs: payloads.py FUNCTION [PORT]

  python3 tests/aws/payloads.py passcode-retrieve | sam local invoke PasscodeRetrieveFunction --event -"""

import json
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


# No proxy: all of it is on this machine.
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def post(url, payload):
    """The JSON that answers to a POST of JSON."""
    return json.load(HTTP.open(url, json.dumps(payload).encode(), timeout=60))


def identities(port):
    """The demo tenant of the local cloud on this port, each text by its path: user.token."""
    return dict(leaves("", json.load(HTTP.open(f"http://127.0.0.1:{port}/_local/identities", timeout=60))))


def leaves(path, value):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(f"{path}.{name}" if path else name, inner)
    elif isinstance(value, str):
        yield path, value


def filled(function, known):
    """A payload with identities in the places of their names (<user.token>), and the present time."""
    text = (ROOT / "events" / f"{function}.json").read_text()
    for name, value in known.items():
        text = text.replace(f"<{name}>", value)
    payload = json.loads(text)
    if "requestContext" in payload:
        payload["requestContext"]["timeEpoch"] = time.time_ns() // 1_000_000
    return payload


def answered(answer):
    """What a function answered: status and body over HTTP, the answer elsewhere."""
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return {"answer": answer}
    body = answer.get("body") or ""
    try:
        return {"status": answer["statusCode"], "body": json.loads(body)}
    except ValueError:
        return {"status": answer["statusCode"], "body": body}


def fits(said, value):
    """Whether a value is as it is said; "*" stands for any."""
    if said == "*":
        return True
    if isinstance(said, dict) and isinstance(value, dict):
        return said.keys() == value.keys() and all(fits(said[name], value[name]) for name in said)
    if isinstance(said, list) and isinstance(value, list):
        return len(said) == len(value) and all(map(fits, said, value))
    return type(said) is type(value) and said == value


def answers():
    """What functions answer to their payloads, in the order in which they are sent."""
    return json.loads((ROOT / "tests/aws/answers.json").read_text())


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    print(json.dumps(filled(sys.argv[1], identities(sys.argv[2] if len(sys.argv) == 3 else 3000)), indent=2))
