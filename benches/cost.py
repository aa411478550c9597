#!/usr/bin/env python3
"""Computes the cost of operations, and prints the tables of docs/cost.md. With --check it verifies that they are up to date.

  python3 benches/cost.py                       with the prices of docs/prices.json
  python3 benches/cost.py --prices FILE         with yours

The figures of an operation are measured: DynamoDB capacity units as reported by an engine that counts like DynamoDB
(ConsumedCapacity of every call, the audit event and writes with a failed condition included), bytes of log lines as
functions print them, CPU time by benches/functions.py. The assumptions are the constants below."""

import argparse
import json
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs/cost.md"

CPU_MS = 0.6
"""CPU time of a warm call."""
HASH_CPU_MS = 30
"""CPU time of a warm call that hashes a password."""
VCPU_MB = 1769
"""The memory size with one full vCPU: "Configure Lambda function memory" in AWS's guide."""
WAIT_MS = 5
"""Latency of one call to DynamoDB, SES or SNS, within a region."""
LAMBDA_LOG_BYTES = 300
"""START, END and REPORT."""
ACCESS_LOG_BYTES = 200
"""The gateway's access log line."""
ENDED_LOG_BYTES = 420
"""The line that cleanup prints for an expired row."""
ENDED_A_BATCH = 10
"""The average number of expired rows per batch of cleanup: at least one, at most a hundred."""
MONTH_HOURS = 730


@dataclass(frozen=True)
class Operation:
    """`ended` is the maximum number of its rows that expire later, and cost an event then. `notices` are mailed by publish."""

    name: str
    function: str
    calls: int
    reads: int
    writes: int
    ended: int
    lines: int
    mails: int = 0
    texts: int = 0
    hashes: bool = False
    notices: int = 0


OPERATIONS = [
    Operation("support PIN: create", "support-pin-create", 2, 2, 6, 1, 554),
    Operation("support PIN: read one's own", "support-pin-show", 2, 3, 0, 0, 342),
    Operation("support PIN: read a user's", "support-pin-show-user", 3, 4, 1, 0, 617),
    Operation("support PIN: revoke", "support-pin-revoke", 2, 3, 4, 0, 416),
    Operation("registration: ask", "registration-request", 10, 10, 11, 9, 889, mails=1),
    Operation("registration: confirm", "registration-confirm", 4, 5, 15, 0, 611, hashes=True),
    Operation("password reset: ask", "password-reset-request", 11, 8, 12, 7, 949, mails=1),
    Operation("password reset: confirm", "password-reset-confirm", 3, 3, 8, 0, 611, hashes=True, notices=1),
    Operation("passcode: retrieve", "passcode-retrieve", 2, 2, 4, 1, 571),
    Operation("passcode: consume", "passcode-consume", 2, 3, 4, 0, 574),
    Operation("passcode: status", "passcode-status", 2, 3, 0, 0, 367),
    Operation("passcode: invalidate", "passcode-invalidate", 2, 3, 4, 0, 381),
    Operation("login: password, no second factor", "token-create", 4, 10, 6, 1, 334, hashes=True),
    Operation("login: password, and a code is sent", "token-create", 6, 10, 11, 3, 883, texts=1, hashes=True),
    Operation("login: wrong password", "token-create", 5, 10, 7, 1, 591, hashes=True),
    Operation("login: code", "token-create", 3, 6, 9, 1, 599),
    Operation("login: wrong code", "token-create", 2, 6, 6, 0, 636),
    Operation("login: password, and an app's code is asked for", "token-create", 4, 10, 6, 1, 400, hashes=True),
    Operation("login: code of an app", "token-create", 2, 6, 8, 1, 599),
    Operation("login: recovery code", "token-create", 2, 7, 10, 1, 620, notices=1),
    Operation("login: another token and code", "token-create", 5, 6, 15, 2, 936, texts=1),
    Operation("code: another one", "otp-create", 4, 6, 9, 1, 953, texts=1),
    Operation("token for a client's secret", "token-create", 2, 1, 4, 1, 343),
    Operation("second factor: init, the first phone", "factor-init", 5, 6, 15, 3, 955, texts=1),
    Operation("second factor: init, another phone", "factor-init", 4, 6, 11, 3, 955, texts=1),
    Operation("second factor: approve", "factor-approve", 3, 6, 11, 1, 616, notices=1),
    Operation("verification: start by text message", "verification-start", 5, 7, 10, 0, 1283, texts=1),
    Operation("verification: start by mail", "verification-start", 5, 7, 9, 0, 1305, mails=1),
    Operation("verification: wrong code", "verification-check", 2, 3, 2, 0, 415),
    Operation("verification: right code", "verification-check", 2, 3, 8, 0, 980),
    Operation("a call without a token", "support-pin-create", 0, 0, 0, 0, 537),
    Operation("a notice", "publish", 4, 4, 1, 0, 342, mails=1),
]

MONTH = {
    "login: password, and a code is sent": 100_000,
    "login: code": 95_000,
    "login: wrong code": 5_000,
    "login: another token and code": 5_000,
    "login: wrong password": 5_000,
    "password reset: ask": 2_000,
    "password reset: confirm": 1_500,
    "registration: ask": 1_000,
    "registration: confirm": 800,
}
"""An example month with a hundred thousand logins."""

BUSY_SERIES = 30
"""The number of metrics with data in most hours of such a month."""


def memory(function):
    """A function's memory size in MB: its own, or the default."""
    id = "".join(word.capitalize() for word in function.split("-")) + "Function"
    own = re.search(rf"^  {id}:\n((?:    .*\n|\n)+)", template(), re.MULTILINE).group(1)
    found = re.search(r"^ +MemorySize: (\d+)", own, re.MULTILINE) or re.search(r"^    MemorySize: (\d+)", template(), re.MULTILINE)
    return int(found.group(1))


def worked(function, cpu_ms, calls):
    """GB-seconds of one call: less memory means a smaller CPU share."""
    mb = memory(function)
    return mb / 1024 * (cpu_ms * VCPU_MB / mb + WAIT_MS * calls) / 1000


def parts(operation, price):
    """Dollars per thousand operations, by service, without messages."""
    is_request = operation.function != "publish"
    logs = operation.lines + LAMBDA_LOG_BYTES + is_request * ACCESS_LOG_BYTES
    # An expired row costs an audit event, a log line, and its share of an invocation of cleanup.
    swept = operation.ended / ENDED_A_BATCH
    logs += operation.ended * ENDED_LOG_BYTES + swept * LAMBDA_LOG_BYTES
    gb_seconds = worked(operation.function, HASH_CPU_MS if operation.hashes else CPU_MS, operation.calls)
    gb_seconds += swept * worked("cleanup", CPU_MS * ENDED_A_BATCH, ENDED_A_BATCH)
    reads, writes = operation.reads, operation.writes + operation.ended
    return {
        "gateway": is_request * price["http_api_million_requests"] / 1e3,
        "Lambda": (1 + swept) * price["lambda_million_requests"] / 1e3 + gb_seconds * 1e3 * price["lambda_gb_second"],
        "DynamoDB": (reads * price["dynamodb_million_read_units"] + writes * price["dynamodb_million_write_units"]) / 1e3,
        "logs": logs * 1e3 / 1e9 * price["logs_gb"],
    }


def with_notices(operation, price):
    """Dollars per thousand operations, what publish does about them included, without messages."""
    notice = next(one for one in OPERATIONS if one.function == "publish")
    return sum(parts(operation, price).values()) + operation.notices * sum(parts(notice, price).values())


def messages(operation, price):
    return (operation.mails + operation.notices) * price["mail_thousand"] + operation.texts * 1e3 * price["text_message"]


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def a_thousand(price):
    rows = []
    for one in OPERATIONS:
        paid = parts(one, price)
        sent = [f"{one.mails} mail"] * bool(one.mails) + [f"{one.texts} SMS"] * bool(one.texts) + ["a notice"] * one.notices
        units = [str(one.reads), str(one.writes), str(one.ended), ", ".join(sent) or "–"]
        rows.append([one.name, *units, *(f"{part:.4f}" for part in paid.values()), f"**{sum(paid.values()):.4f}**"])
    return table(
        ["Operation", "read units", "write units", "rows that end", "sends", "gateway", "Lambda", "DynamoDB", "logs", "$ per 1,000"], rows
    )


def a_month(price):
    rows, whole, sent = [], 0, 0
    by_name = {one.name: one for one in OPERATIONS}
    for name, count in MONTH.items():
        cost = with_notices(by_name[name], price) * count / 1e3
        rows.append([name, f"{count:,}", f"{cost:.2f}", f"{messages(by_name[name], price) * count / 1e3:,.2f}"])
        whole, sent = whole + cost, sent + messages(by_name[name], price) * count / 1e3
    metrics = BUSY_SERIES * price["metric_month"]
    rows.append([f"{BUSY_SERIES} metrics", "", f"{metrics:.2f}", ""])
    rows.append(["idle, see below", "", f"{idle(price):.2f}", ""])
    rows.append(["**in all**", "", f"**{whole + metrics + idle(price):.2f}**", f"**{sent:,.2f}**"])
    return table(["What", "how often", "$", "$ for messages"], rows)


def template():
    return (ROOT / "template.yaml").read_text()


def alarmed():
    """The number of metrics in alarms: one for an alarm without a list of metrics."""
    alarms = re.findall(r"Type: AWS::CloudWatch::Alarm\n(.*?)(?=\n  \w)", template(), re.DOTALL)
    return sum(alarm.count("MetricStat:") or 1 for alarm in alarms)


def secrets():
    return template().count("Type: AWS::SecretsManager::Secret")


def keys():
    return template().count("Type: AWS::KMS::Key")


def idle(price):
    return secrets() * price["secret_month"] + keys() * price["kms_key_month"] + alarmed() * price["alarm_metric_month"] + price["dashboard_month"]


def a_month_of_nothing(price):
    rows = [
        [f"{secrets()} secrets", f"{secrets() * price['secret_month']:.2f}", "always"],
        ["a key for mail events", f"{keys() * price['kms_key_month']:.2f}", "`EncryptMailEvents=false` spares it; it is as much again after a year and after two, when KMS has rotated it"],
        [f"{alarmed()} metrics that alarms look at", f"{alarmed() * price['alarm_metric_month']:.2f}", "`Alarms=false` spares it"],
        ["a dashboard", f"{price['dashboard_month']:.2f}", "`Dashboard=false` spares it; an account's first three are free"],
        ["**in all**", f"**{idle(price):.2f}**", ""],
    ]
    return table(["What", "$ a month", ""], rows)


def default(parameter):
    return int(re.search(rf"^  {parameter}:\n(?:    .*\n)*?    Default: (\d+)", template(), re.MULTILINE).group(1))


def a_day_of_an_attack(price):
    by_name = {one.name: one for one in OPERATIONS}
    routes = template().count("Type: HttpApi")
    strict = template().count("ThrottlingRateLimit: !Ref SensitiveRequestsPerSecond")
    day = 86_400

    def flood(name, rate, routes):
        return sum(parts(by_name[name], price).values()) / 1e3 * rate * day * routes

    open_rate, strict_rate = default("RequestsPerSecond"), default("SensitiveRequestsPerSecond")
    registrations = default("MailsPerDomainPerHour") * 24 * price["mail_thousand"] / 1e3
    resets = strict_rate * day * price["mail_thousand"] / 1e3
    texts = default("SmsPerDay")
    rows = [
        [
            f"floods {routes - strict} routes, with no token",
            f"`RequestsPerSecond` {open_rate}, each",
            f"{flood('a call without a token', open_rate, routes - strict):,.0f}",
        ],
        [
            "floods logins with wrong passwords, from very many addresses",
            f"`SensitiveRequestsPerSecond` {strict_rate}",
            f"{flood('login: wrong password', strict_rate, 1):,.0f}",
        ],
        [
            "makes passcodes, with the token of a client of yours",
            f"`RequestsPerSecond` {open_rate}",
            f"{flood('passcode: retrieve', open_rate, 1):,.0f}",
        ],
        [
            "registers in one domain, from very many addresses",
            f"`MailsPerDomainPerHour` {default('MailsPerDomainPerHour')}",
            f"{registrations + flood('registration: ask', default('MailsPerDomainPerHour') / 3600, 1):,.0f}",
        ],
        [
            "asks for resets, from very many addresses",
            f"`SensitiveRequestsPerSecond` {strict_rate}",
            f"{resets + flood('password reset: ask', strict_rate, 1):,.0f}",
        ],
        [
            "has codes sent, with passwords that are right",
            f"`SmsPerDay` {texts:,}",
            f"{texts * price['text_message']:,.0f}",
        ],
        [
            "the same, and gives every code back: a message then counts half",
            f"`SmsPerDay` {texts:,}",
            f"{2 * texts * price['text_message']:,.0f}",
        ],
    ]
    return table(["Who", "what bounds it", "$ a day at most"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prices", type=Path, default=ROOT / "docs/prices.json", metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print the operations with what they need, and no table")
    parser.add_argument("--check", action="store_true", help="print what docs/cost.md lacks, and fail if it lacks something")
    options = parser.parse_args()
    if options.json:
        print(json.dumps([asdict(one) for one in OPERATIONS]))
        return
    price = json.loads(options.prices.read_text())
    tables = [a_thousand(price), a_month(price), a_month_of_nothing(price), a_day_of_an_attack(price)]
    if options.check:
        text = DOCUMENT.read_text()
        tables = [table for table in tables if table not in text]
    print("\n\n".join(tables))
    if options.check and tables:
        sys.exit("docs/cost.md has not these tables: put them in the place of the old ones")


if __name__ == "__main__":
    main()
