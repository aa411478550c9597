#!/usr/bin/env python3
"""Measures the cost of one call of each function: CPU time of the first call, from exec on, and of a warm one, and the peak
memory of its process. The real functions run in the local cloud, where users register, log in and change phones. The
duration on Lambda follows from that and MemorySize in template.yaml: 1,769 MB have one vCPU, and less memory has a
smaller share. Plain HTTP on loopback, so the numbers exclude TLS; they also exclude waiting time.

  python3 benches/functions.py                     builds, measures, prints a table
  python3 benches/functions.py --binaries DIR      measures existing binaries

Needs Linux and cargo."""

import argparse
import base64
import hmac
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VCPU = 1769
"""The memory size in MB with one vCPU: "Configure Lambda function memory" in AWS's guide."""

PASSWORD = "correct-horse-Battery-9"
DOMAIN = "pbx.era-platform.ru"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=7, metavar="N", help="rounds, 2 at least; the first is cold, medians of the others are warm (default 7)")
    parser.add_argument("--binaries", type=Path, metavar="DIR", help="where the functions are, instead of building them: NAME, or NAME/bootstrap")
    parser.add_argument("--cloud", type=Path, metavar="FILE", help="the local cloud's program, instead of building it")
    options = parser.parse_args()
    if options.n < 2:
        parser.error("one round has no warm call: -n 2 at least")

    binaries = options.binaries or built("--release", "--bins") / "release"
    cloud = options.cloud or built("--package", "countersign-local") / "debug" / "countersign-local"
    with tempfile.TemporaryFile("w+") as log, tempfile.TemporaryDirectory(dir=binaries) as named:
        command = [cloud, "--port", "0", "--template", ROOT / "template.yaml", "--binaries", by_name(binaries, Path(named))]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            bench = Bench(address(process, log), process.pid)
            for number in range(options.n):
                bench.round(number)
        finally:
            process.terminate()
            process.wait()
    show(bench.costs, memory_sizes())


def built(*what):
    """Builds with cargo; returns its target directory."""
    subprocess.run(["cargo", "build", "--quiet", *what], cwd=ROOT, check=True)
    metadata = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT, check=True, capture_output=True
    )
    return Path(json.loads(metadata.stdout)["target_directory"])


def by_name(binaries, folder):
    """The folder with the functions by name: hard links to the files that cargo-lambda calls `bootstrap`."""
    for bootstrap in binaries.glob("*/bootstrap"):
        os.link(bootstrap, folder / bootstrap.parent.name)
    return folder if any(folder.iterdir()) else binaries


def address(process, log):
    """Waits for the local cloud to print its URL; returns it."""
    for _ in range(600):
        log.seek(0)
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read())
        if found:
            return found[0]
        if process.poll() is not None:
            log.seek(0)
            sys.exit(f"the local cloud did not start:\n{log.read()}")
        time.sleep(0.1)
    sys.exit("the local cloud does not say where it is")


@dataclass
class Cost:
    """CPU time in milliseconds, memory in MB."""

    first: float | None
    """`None` if the process was not new."""
    warm: list[float] = field(default_factory=list)
    peak: float = 0.0


class Bench:
    def __init__(self, url, pid):
        self.url, self.pid, self.addresses = url, pid, itertools.count()
        self.costs = {}
        self.ids = self.local("/_local/identities")

    def local(self, path, body=None):
        """The response of one of the cloud's own routes."""
        data = None if body is None else json.dumps(body).encode()
        with OPENER.open(urllib.request.Request(self.url + path, data), timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def call(self, function, method, path, status, headers=None, json_body=None, form=None, what=""):
        """Makes one measured call over HTTP; returns its body. `what` distinguishes the operations of one function."""
        data = None if json_body is None else json.dumps(json_body).encode()
        # A new source address for each call, so that no rate limit per address applies.
        number = next(self.addresses)
        address = f"10.0.{number // 256}.{number % 256}"
        headers = {"content-type": "application/json", "x-local-source-ip": address, **(headers or {})}
        if form is not None:
            data = urllib.parse.urlencode(form).encode()
            headers["content-type"] = "application/x-www-form-urlencoded"
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with Measured(self, function, what):
            try:
                answer = OPENER.open(request, timeout=60)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                text = answer.read().decode()
        if answer.status != status:
            sys.exit(f"{function}: {method} {path} was answered {answer.status}, not {status}: {text}")
        return json.loads(text) if text.startswith(("{", "[")) else text

    def invoke(self, function, payload):
        with Measured(self, function):
            answer = self.local(f"/2015-03-31/functions/{function}/invocations", payload)
        if isinstance(answer, dict) and "errorMessage" in answer:
            sys.exit(f"{function}: {answer}")

    def advance(self, seconds):
        self.local("/_local/clock", {"advance_seconds": seconds})

    def said(self, pattern):
        """The part of the last message that matches."""
        found = re.findall(pattern, json.dumps(self.local("/_local/messages")))
        if not found:
            sys.exit(f"no message has {pattern}")
        return found[-1]

    def totp(self, factor, steps):
        """The code of a new factor (RFC 6238, SHA-1, 30 seconds, 6 digits) at a step, counted from the current one."""
        now = datetime.fromisoformat(self.local("/_local/clock")["now"]).timestamp()
        key = base64.b32decode(factor["binding"]["secret"])
        digest = hmac.digest(key, (int(now) // 30 + steps).to_bytes(8, "big"), "sha1")
        word = int.from_bytes(digest[digest[-1] & 15 :][:4], "big") & 0x7FFFFFFF
        return f"{word % 10**6:06}"

    def round(self, number):
        """Calls every function once, successfully."""
        self.advance(300)
        self.pins()
        self.passcodes()
        self.registration(f"person{number}")
        self.second_factor(f"member{number}", f"+38050{1_000_000 + number}")
        self.verify(f"+14155{550_000 + number}")
        self.call("app-root", "GET", "/app-root", 200)
        self.call("openapi", "GET", "/openapi.json", 200)
        self.call("fallback", "GET", "/nowhere", 404)
        for function in ["cleanup", "delivery-feedback"]:
            self.invoke(function, json.loads((ROOT / f"events/{function}.json").read_text()))
        # What the round has caused so far is delivered before, and not measured.
        self.local("/_local/streams/deliver", {})
        self.invoke("publish", self.notice(number))
        self.invoke("operator", {
            "command": "create_user", "domain": DOMAIN, "email": f"made{number}@example.com", "login": f"made{number}",
            "name": "Made", "password": PASSWORD, "is_admin": False,
        })

    def notice(self, number):
        """An event of the audit log that is mailed and published: a new one, because `publish` passes over the others."""
        payload = json.loads((ROOT / "events/publish.json").read_text())
        image = payload["Records"][0]["dynamodb"]["NewImage"]
        image["subject"]["S"] = f"user:{self.ids['user']['user_id']}"
        image["id"]["B"] = base64.b64encode(number.to_bytes(32, "big")).decode()
        image["at"]["N"] = str(int(datetime.fromisoformat(self.local("/_local/clock")["now"]).timestamp()))
        return payload

    def pins(self):
        user, admin = ({"private-token": self.ids[who]["token"]} for who in ("user", "admin"))
        other = f"/api/v4/users/{self.ids['user']['user_id']}/support_pin"
        self.call("support-pin-create", "POST", "/api/v4/user/support_pin", 201, user)
        self.call("support-pin-show", "GET", "/api/v4/user/support_pin", 200, user)
        self.call("support-pin-show-user", "GET", other, 200, admin)
        self.call("support-pin-revoke", "POST", f"{other}/revoke", 202, admin)

    def passcodes(self):
        client = {"authorization": f"Bearer {self.ids['passcode_token']}"}
        query, what = "client_id=heatclinic", {"purpose": "TEST_PURPOSE", "username": "test@test.com"}
        retrieve = f"/passcode/retrieve?{query}&{urllib.parse.urlencode(what)}"
        made = self.call("passcode-retrieve", "GET", retrieve, 200, client)
        self.call("passcode-status", "GET", f"/passcode/status?passcode_id={made['id']}&{query}", 200, client)
        consumed = {"passcode": made["token"], **what}
        self.call("passcode-consume", "POST", f"/passcode/consume?{query}", 200, client, form=consumed)
        made = self.call("passcode-retrieve", "GET", retrieve, 200, client)
        self.call("passcode-invalidate", "POST", f"/passcode/invalidate?{query}", 200, client, form={"passcode_id": made["id"]})

    def verify(self, number):
        """The administration of services is called once each; the hot routes are a start and a check by text message."""
        verify = self.ids["verify"]
        pair = f"{verify['account_sid']}:{verify['auth_token']}".encode()
        basic = {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
        service = f"/v2/Services/{verify['service_sid']}"
        self.call("verify-services", "GET", service, 200, basic)
        self.call("verify-rate-limits", "GET", f"{service}/RateLimits", 200, basic)
        entity, form = f"{service}/Entities/bench-{number.strip('+')}", {"FriendlyName": "Phone", "FactorType": "totp"}
        factor = self.call("verify-factors", "POST", f"{entity}/Factors", 201, basic, form=form)
        self.call("verify-factors", "POST", f"{entity}/Factors/{factor['sid']}", 200, basic, form={"AuthPayload": self.totp(factor, 0)}, what="verify")
        answer = {"FactorSid": factor["sid"], "AuthPayload": self.totp(factor, 1)}
        self.call("verify-challenges", "POST", f"{entity}/Challenges", 201, basic, form=answer)
        self.call("verify-entities", "GET", entity, 200, basic)
        started = self.call("verification-start", "POST", f"{service}/Verifications", 201, basic, form={"To": number, "Channel": "sms"})
        self.call("verification-show", "GET", f"{service}/Verifications/{started['sid']}", 200, basic)
        code = self.code()
        self.call("verification-check", "POST", f"{service}/VerificationCheck", 200, basic, form={"To": number, "Code": code})
        self.call("verification-start", "POST", f"{service}/Verifications", 201, basic, form={"To": number, "Channel": "sms"}, what="of a known number")
        self.call("verification-update", "POST", f"{service}/Verifications/{number}", 200, basic, form={"Status": "canceled"})
        self.call("verify-attempts", "GET", "/v2/Attempts", 200, basic)

    def registration(self, login):
        base, json_body = "/rest/v1/iam", {"domain": DOMAIN, "login": login, "name": "Person", "email": f"{login}@example.com"}
        self.call("registration-request", "POST", f"{base}/self_register_requests", 200, json_body=json_body)
        uuid = self.said(r"/self_register/([0-9a-f-]{36})")
        self.call("registration-confirm", "PATCH", f"{base}/self_register_requests/{uuid}", 200, json_body={"pwd": PASSWORD})
        self.call("password-reset-request", "POST", f"{base}/pwd_reset_requests", 200, json_body={"key": login, "domain": DOMAIN})
        uuid = self.said(r"/pwd_reset/([0-9a-f-]{36})")
        self.call("password-reset-confirm", "PATCH", f"{base}/pwd_reset_requests/{uuid}", 200, json_body={"pwd": PASSWORD + "0"})
        password = {"grant_type": "password", "client_id": "heatclinic", "scope": "api", "email": f"{login}@example.com", "password": PASSWORD + "0"}
        passwords = {"current_pwd": PASSWORD + "0", "new_pwd": PASSWORD}
        self.call("password-reset-request", "POST", f"{base}/pwd_reset_requests", 200, self.token(password), passwords, what="a change")

    def second_factor(self, login, phone):
        users, admin = "/mithril/api/users", {"authorization": f"Bearer {self.ids['admin']['token']}"}
        email = f"{login}@example.com"
        made = self.call("user-create", "POST", users, 201, admin, {"email": email, "password": PASSWORD, "login": login, "name": "Member"})
        own = f"{users}/{made['data']['id']}"
        factor = self.call("factor-create", "POST", f"{own}/authentication_factors", 201, admin, {"type": "SMS"})
        one = f"{own}/authentication_factors/{factor['data']['id']}"
        password = {"grant_type": "password", "client_id": "heatclinic", "scope": "app:authorize", "email": email, "password": PASSWORD}
        login = self.token(password)
        approval = self.call("factor-init", "PATCH", f"{users}/actions/init_factor", 201, login, {"type": "SMS", "factor": phone})
        approval = {"authorization": f"Bearer {approval['data']['value']}"}
        approved = self.call("factor-approve", "PATCH", f"{users}/actions/approve_factor", 201, approval, {"otp": self.code()})
        access = {"authorization": f"Bearer {approved['data']['value']}"}
        self.call("recovery-codes-replace", "PATCH", f"{users}/actions/recovery_codes", 200, access, {"password": PASSWORD})
        login = self.token(password)
        self.call("otp-create", "PATCH", f"{own}/actions/create_otp", 200, login)
        self.call("factor-list", "GET", f"{own}/authentication_factors", 200, admin)
        self.call("factor-show", "GET", one, 200, admin)
        self.call("user-devices", "GET", f"{own}/devices", 200, admin)
        self.call("user-devices", "DELETE", f"{own}/devices", 204, admin, what="end all")
        for act in ["disable", "enable", "reset"]:
            self.call(f"factor-{act}", "PATCH", f"{one}/actions/{act}", 200, admin)
        for act in ["block", "unblock"]:
            self.call(f"user-{act}", "PATCH", f"{own}/actions/{act}", 200, admin)

    def token(self, grant):
        answer = self.call("token-create", "POST", "/mithril/api/tokens", 201, json_body=grant)
        return {"authorization": f"Bearer {answer['data']['value']}"}

    def code(self):
        return self.said(rf"@{re.escape(DOMAIN)} #(\d+)")


class Measured:
    """Measures what the processes of one function use in a `with` block."""

    def __init__(self, bench, function, what=""):
        self.bench, self.function, self.what = bench, function, what

    def __enter__(self):
        self.before = dict(self.used())

    def __exit__(self, *_):
        spent = sum(cpu - self.before.get(pid, 0.0) for pid, cpu in self.used())
        cost = self.bench.costs.setdefault((self.function, self.what), Cost(first=None if self.before else spent))
        if self.before:
            cost.warm.append(spent)
        for pid, _ in self.used():
            peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
            cost.peak = max(cost.peak, int(peak[1]) / 1024)

    def used(self):
        """The CPU milliseconds of each process of the function so far."""
        children = Path(f"/proc/{self.bench.pid}/task").glob("*/children")
        for pid in itertools.chain.from_iterable(map(int, path.read_text().split()) for path in children):
            if Path(f"/proc/{pid}/exe").readlink().name == self.function:
                # The clock of another process: clock_getcpuclockid(3), as the kernel encodes it.
                yield pid, time.clock_gettime(~pid << 3 | 2) * 1000


def memory_sizes():
    """MemorySize of each function, by its binary's name."""
    text = (ROOT / "template.yaml").read_text()
    default = int(re.search(r"^    MemorySize: (\d+)$", text, re.MULTILINE)[1])
    sizes = {}
    for block in re.split(r"^  (?=\w+:$)", text, flags=re.MULTILINE):
        binary = re.search(r"^        Binary: (\S+)$", block, re.MULTILINE)
        own = re.search(r"^      MemorySize: (\d+)$", block, re.MULTILINE)
        if binary:
            sizes[binary[1]] = int(own[1]) if own else default
    return sizes


def show(costs, sizes):
    missing = sizes.keys() - {function for function, _ in costs}
    if missing:
        sys.exit(f"nobody called {', '.join(sorted(missing))}: add them to round()")
    print("| Function | CPU ms, first call | CPU ms, warm | peak MB | MemorySize | ms, first call | ms, warm |")
    print("|---|---|---|---|---|---|---|")
    for (function, what), cost in sorted(costs.items(), key=lambda one: -statistics.median(one[1].warm)):
        name = f"`{function}`, {what}" if what else f"`{function}`"
        share, warm = sizes[function] / VCPU, statistics.median(cost.warm)
        first = ("", "") if cost.first is None else (f"{cost.first:.1f}", f"{cost.first / share:.0f}")
        print(f"| {name} | {first[0]} | {warm:.1f} | {cost.peak:.0f} | {sizes[function]} | {first[1]} | {warm / share:.0f} |")


if __name__ == "__main__":
    main()
