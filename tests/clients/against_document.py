#!/usr/bin/env python3
"""Validates the answers that the official clients get against the vendor's own OpenAPI document.

    cargo local                                          # in another terminal
    python3 tests/clients/against_document.py FILE.json [http://127.0.0.1:3000]

The document (twilio_verify_v2.json of github.com/twilio/twilio-oai) is not part of this repository; VERIFY_DOCUMENT may name it instead
of the argument, and without either the exit code is 77. The clients of twilio_life.py and twilio.mjs run through a proxy that
records each request and its answer. Then each answer must have a status that the document lists, exactly the keys of its schema,
the types, formats, patterns and values of these, and in objects that the schema leaves open the keys of the document's examples.
Exits with 1 if a client fails, if an answer differs, or if a stated exception is not needed.
"""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

SKIPPED = 77
HERE = Path(__file__).resolve().parent

# What the contract decides otherwise: operation and path of the value, a pattern for its difference, and why.
EXCEPTIONS = [
    (
        operation,
        r"\.channel_data\.(carrier|code_length|error_code|locale|mcc|mnc|status|verification_sid): missing",
        "the schema leaves channel_data open, and numbers are not looked up",
    )
    for operation in ["GET /v2/Attempts", "GET /v2/Attempts/{Sid}"]
]

# The operations of the document that this product has, by their paths.
OFFERED = re.compile(r"/v2/(Services(/\{\w+\}(/(Verifications|VerificationCheck|RateLimits|Entities)\b.*)?)?|Attempts.*)(?<!/Notifications)")


class Recorder(BaseHTTPRequestHandler):
    """Passes requests on, and records those of the API. Addresses in answers lead through it, too."""

    protocol_version = "HTTP/1.1"
    upstream, records, lock = None, [], threading.Lock()

    def forward(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "accept-encoding"):
                connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read().replace(f"//{self.upstream}/".encode(), f"//{self.headers['host']}/".encode())
        if self.path.startswith("/v2/"):
            with self.lock:
                self.records.append((self.command, self.path, answer.status, dict(answer.headers), content))
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        if answer.status != 204:
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    do_GET = do_POST = do_DELETE = forward

    def log_message(self, *_):
        pass


class Document:
    def __init__(self, file):
        self.root = json.loads(Path(file).read_text())
        self.operations = []
        for path, item in self.root["paths"].items():
            # A parameter that is a SID has its letters in its pattern; any other text is a name.
            pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))
            for method in item.keys() & {"get", "post", "delete"}:
                self.operations.append((method.upper(), pattern, path, item[method]["responses"]))
        # A path without parameters is meant before one with them: Attempts/Summary.
        self.operations.sort(key=lambda operation: operation[2].count("{"))

    def operation(self, method, path):
        return next(((name, responses) for verb, pattern, name, responses in self.operations if verb == method and pattern.fullmatch(path)), None)

    def resolved(self, schema):
        while "$ref" in schema:
            schema = self.root["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return schema

    def examples(self, content):
        return [example["value"] for example in content.get("examples", {}).values()]


TYPES = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict, "number": (int, float)}


def is_format(name, text):
    if name == "date-time":
        try:
            return bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text)) and bool(datetime.fromisoformat(text[:19]))
        except ValueError:
            return False
    if name == "uri":
        return bool(urlsplit(text).scheme and urlsplit(text).netloc)
    return True


def differences(document, schema, value, examples, at):
    """The ways in which a value differs from a schema, and from the examples where the schema says nothing."""
    schema = document.resolved(schema)
    if value is None:
        if not schema.get("nullable") and schema:
            yield f"{at}: null"
        return
    kind = schema.get("type")
    if kind is None and not schema.get("properties"):
        yield from like_examples(value, examples, at)
        return
    expected = TYPES[kind or "object"]
    if not isinstance(value, expected) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{at}: {value!r} is no {kind}"
        return
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{at}: {value!r} does not match {schema['pattern']}"
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{at}: {len(value)} characters"
        if not is_format(schema.get("format"), value):
            yield f"{at}: {value!r} is no {schema['format']}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if isinstance(value, list):
        inner = [item for example in examples if isinstance(example, list) for item in example]
        for item in value:
            yield from differences(document, schema.get("items", {}), item, inner, f"{at}[]")
    if isinstance(value, dict):
        if schema.get("format") == "uri-map":
            yield from like_examples(value, examples, at)
            yield from (f"{at}.{name}: {text!r} is no uri" for name, text in value.items() if not is_format("uri", text))
        elif "properties" in schema:
            yield from keys(value, schema["properties"], at)
            # Objects of another type have other keys below.
            examples = [one for one in examples if isinstance(one, dict) and one.get("factor_type") == value.get("factor_type")]
            for name in value.keys() & schema["properties"].keys():
                inner = [example[name] for example in examples if isinstance(example, dict) and name in example]
                yield from differences(document, schema["properties"][name], value[name], inner, f"{at}.{name}")
        else:
            yield from like_examples(value, examples, at)


def keys(value, expected, at):
    yield from (f"{at}.{name}: missing" for name in expected if name not in value)
    yield from (f"{at}.{name}: not in the document" for name in value if name not in expected)


def like_examples(value, examples, at):
    """Compares keys and kinds of values with examples that are objects."""
    known = [example for example in examples if isinstance(example, dict)]
    if not isinstance(value, dict) or not known or not value:
        return
    merged = {name: [example[name] for example in known if name in example] for example in known for name in example}
    yield from keys(value, merged, at)
    for name in value.keys() & merged.keys():
        kinds = {type(found) for found in merged[name] if found is not None}
        if value[name] is not None and kinds and type(value[name]) not in kinds:
            yield f"{at}.{name}: {value[name]!r} is not like {merged[name][0]!r}"
        yield from like_examples(value[name], merged[name], f"{at}.{name}")


def of_error(status, headers, body, at):
    """Errors have no schema but that of one 429: a code, a message, the code's page and the status."""
    names = {name.lower() for name in headers}
    yield from keys(body, ["code", "message", "more_info", "status"], at)
    if body.get("status") != status or not isinstance(body.get("code"), int) or not isinstance(body.get("message"), str):
        yield f"{at}: {body}"
    if body.get("more_info") != f"https://www.twilio.com/docs/errors/{body.get('code')}":
        yield f"{at}.more_info: {body.get('more_info')!r}"
    if status == 429 and "retry-after" not in names:
        yield f"{at}: no Retry-After"
    if status == 401 and "www-authenticate" not in names:
        yield f"{at}: no WWW-Authenticate"


def validated(document, record):
    """The operation of a recorded request, and how its answer differs."""
    method, target, status, headers, content = record
    operation = document.operation(method, urlsplit(target).path)
    if operation is None:
        return f"{method} {target}", ["it is no operation of the document"]
    path, responses = operation
    name = f"{method} {path}"
    if status >= 400:
        return name, list(of_error(status, headers, json.loads(content), f"{status}"))
    if str(status) not in responses:
        return name, [f"{status}: only {sorted(responses)} in the document"]
    if "content" not in responses[str(status)]:
        return name, [f"{status}: a body of {len(content)} bytes"] if content else []
    described = responses[str(status)]["content"]["application/json"]
    kind = headers.get("content-type", headers.get("Content-Type", ""))
    wrong = [] if kind.split(";")[0] == "application/json" else [f"{status}: content type {kind!r}"]
    return name, wrong + list(differences(document, described["schema"], json.loads(content), document.examples(described), str(status)))


def recorded(base):
    """Runs the clients through the proxy; returns the exit codes, and what was recorded."""
    Recorder.upstream = urlsplit(base).netloc
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy = f"http://127.0.0.1:{server.server_port}"
    codes = {"twilio_life.py": subprocess.run([sys.executable, HERE / "twilio_life.py", proxy]).returncode}
    node = shutil.which("node")
    codes["twilio.mjs"] = subprocess.run([node, HERE / "twilio.mjs", proxy]).returncode if node else SKIPPED
    server.shutdown()
    return codes, Recorder.records


def main():
    file, *rest = sys.argv[1:] or [os.environ.get("VERIFY_DOCUMENT")]
    if not file:
        print("SKIPPED: no document was compared: give its path", file=sys.stderr)
        sys.exit(SKIPPED)
    document = Document(file)
    codes, records = recorded(rest[0] if rest else "http://127.0.0.1:3000")
    found, seen = Counter(), Counter()
    for record in records:
        name, wrong = validated(document, record)
        seen[name, record[2]] += 1
        found.update((name, one) for one in wrong)
    excepted = {rule: 0 for rule in EXCEPTIONS}
    failed = False
    for (name, one), times in sorted(found.items()):
        rule = next((rule for rule in EXCEPTIONS if rule[0] == name and re.search(rule[1], one)), None)
        if rule:
            excepted[rule] += times
        else:
            failed = True
            print(f"DIFFERS {name} {one} ({times})")
    for (name, pattern, why), times in excepted.items():
        print(f"{'excepted' if times else 'UNUSED EXCEPTION'} {name} {pattern}: {why} ({times})")
        failed |= not times
    for method, _, path, _ in document.operations:
        if OFFERED.fullmatch(path) and not any(name == f"{method} {path}" and status < 400 for name, status in seen):
            failed = True
            print(f"NOT SEEN {method} {path}")
    for name, code in codes.items():
        print(f"{name}: {({0: 'all checks pass', SKIPPED: 'SKIPPED'}).get(code, 'FAILED')}")
        failed |= code not in (0, SKIPPED)
    print(f"{len(records)} answers of {len({name for name, _ in seen})} operations")
    sys.exit(1 if failed or not records else 0)


if __name__ == "__main__":
    main()
