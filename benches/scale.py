#!/usr/bin/env python3
"""Computes what the family of Verify asks of AWS at a hundred million verifications a day: the hottest partition of each table,
the conflicts of optimistic locking by the number of shards, what shards refuse too early, Lambda's concurrency, and the quotas
to raise. Conflicts and early refusals are simulated, with a fixed seed; the rest is arithmetic on the constants of
benches/scale_model.py.

  python3 benches/scale.py             prints the tables of docs/scale.md
  python3 benches/scale.py --write     puts them into docs/scale.md, between its marks
  python3 benches/scale.py --check     fails if docs/scale.md has others

Needs no AWS and no build."""

import argparse
import json
import math
import re
import sys
from pathlib import Path

from scale_model import (
    APPROVED,
    ATTEMPT_SHARDS,
    CALL_MS,
    CHECKS,
    chosen,
    contend,
    COUNTRIES,
    CPU_MS,
    DEADLINE_MS,
    Draw,
    GATEWAY_REQUESTS,
    LAMBDA_BURST,
    LAMBDA_CONCURRENCY,
    LAMBDA_REQUESTS,
    LARGE,
    LARGEST_COUNTRY,
    LARGEST_TENANT,
    LEAST_MS,
    MOST_MS,
    MOST_SHARDS,
    most_within,
    peak,
    PUBLISH_MS,
    read_units,
    READS_OF_A_PARTITION,
    refusals,
    routes,
    row_bytes,
    SDK_BACKOFF_MS,
    SDK_TRIES,
    SEED,
    SES_MAILS,
    SLOW_PUBLISH_MS,
    SNS_MESSAGES,
    TABLE_UNITS,
    TRANSACTION_MS,
    TRANSACTION_TRIES,
    VOLUMES,
    write_units,
    WRITES_OF_A_PARTITION,
)

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs/scale.md"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def rate(number):
    return f"{number:,.0f}" if number >= 100 else f"{number:,.1f}" if number >= 10 else f"{number:.2f}"


def percent(share):
    return "0 %" if share == 0 else f"{100 * share:.2f} %" if share < 0.01 else f"{100 * share:.1f} %"


def ms(number):
    return "–" if number == math.inf else f"{number:.0f}"


def load():
    rows = []
    for volume in VOLUMES:
        starts, checks = peak(volume), peak(volume) * CHECKS
        texts = [volume / 86_400, starts, checks, starts + checks, starts * LARGEST_COUNTRY, starts * 60]
        rows.append([f"{volume:,}", *map(rate, texts)])
    return table(["a day", "mean a second", "starts", "checks", "requests", "to the largest country", "messages in the busiest minute"], rows)


def partitions():
    """Tables at the large volume: units of the table in the busiest second, and of its hottest row."""
    starts, checks, approved = peak(LARGE), peak(LARGE) * CHECKS, peak(LARGE) * APPROVED
    requests = starts + checks
    quota = row_bytes(LARGE, MOST_SHARDS)
    send, _ = contend(starts / MOST_SHARDS)
    day_send, day_approve = contend(starts * LARGEST_COUNTRY / MOST_SHARDS, approved * LARGEST_COUNTRY / MOST_SHARDS)
    of_quota = starts * send.each() * write_units(quota)
    of_day = starts * day_send.each() + 2 * approved * day_approve.each()
    day_of_one = (starts * day_send.each() + 2 * approved * day_approve.each()) * LARGEST_COUNTRY / MOST_SHARDS
    tenant = requests * LARGEST_TENANT
    attempts = 2 * (starts + approved)
    lines = [
        # name, reads and writes of the table, the hottest row, its reads and writes
        ("VERIFY_ACCOUNTS", requests, 0, "the credential of the largest tenant", tenant, 0),
        ("VERIFY_SERVICES", requests, 0, "the service of the largest tenant", tenant, 0),
        ("VERIFICATIONS", requests, 2 * (starts + checks), "one destination", 2, 4),
        ("BUDGETS: rate limits of numbers", starts, 2 * starts, "one number", 1, 2),
        (
            "BUDGETS: quota",
            starts * read_units(quota),
            of_quota,
            f"one of {MOST_SHARDS} shards",
            starts * read_units(quota) / MOST_SHARDS,
            of_quota / MOST_SHARDS,
        ),
        (
            "BUDGETS: days of countries",
            2 * starts,
            of_day,
            f"the largest country, one of {MOST_SHARDS} shards",
            2 * starts * LARGEST_COUNTRY / MOST_SHARDS,
            day_of_one,
        ),
        (
            "ATTEMPTS",
            0,
            attempts,
            f"the largest tenant, one of {ATTEMPT_SHARDS} partitions",
            0,
            attempts * LARGEST_TENANT / ATTEMPT_SHARDS,
        ),
        ("AUDIT", 0, 2 * (starts + approved), "one verification", 0, 4),
    ]
    rows = []
    for name, reads, writes, hottest, row_reads, row_writes in lines:
        used = max(row_reads / READS_OF_A_PARTITION, row_writes / WRITES_OF_A_PARTITION)
        least = max(1, math.ceil(max(reads / READS_OF_A_PARTITION, writes / WRITES_OF_A_PARTITION)))
        said = f"**{100 * used:.0f} %**" if used > 1 else f"{100 * used:.0f} %"
        rows.append([name, f"{reads:,.0f}", f"{writes:,.0f}", str(least), hottest, f"{row_reads:,.0f}", f"{row_writes:,.0f}", said])
    head = ["Table", "read units a second", "write units a second", "partitions at least", "hottest row", "its reads", "its writes", "of what a partition takes"]
    return table(head, rows)


def sizes():
    rows = []
    for volume, shards in [(VOLUMES[0], 1), (VOLUMES[1], 16), (VOLUMES[2], MOST_SHARDS)]:
        for countries in [1, 5, COUNTRIES]:
            size = row_bytes(volume, shards, countries)
            most = WRITES_OF_A_PARTITION / write_units(size)
            rows.append([f"{volume:,}", str(shards), str(countries), f"{size / 1024:.1f}", str(write_units(size)), rate(most)])
    return table(["a day", "shards", "countries", "KB of a shard's row", "write units a message", "writes a second that a row takes"], rows)


RATES = [0.5, 1, 2, 5, 10, 20, 30, 40, 60]


def conflicts():
    rows = []
    for a_second in RATES:
        send, _ = contend(a_second)
        rows.append(
            [
                str(a_second),
                percent(send.first()),
                f"{send.each():.2f}",
                ms(send.mean()),
                ms(send.delay(0.99)),
                percent(send.failures()),
            ]
        )
    return table(["messages a second of one shard", "first writes that conflict", "writes a message", "mean delay, ms", "99th percentile, ms", "failed"], rows)


def days():
    rows = []
    for a_second in [0.5, 1, 2, 5, 10, 20]:
        send, approve = contend(a_second, a_second * APPROVED)
        rows.append(
            [
                str(a_second),
                percent(send.first()),
                ms(send.delay(0.99)),
                percent(send.failures()),
                percent(approve.first()),
                ms(approve.delay(0.99)),
                percent(approve.failures()),
            ]
        )
    head = ["messages a second of one shard", "sends that conflict", "99th percentile, ms", "failed", "approvals that conflict", "99th percentile, ms", "failed"]
    return table(head, rows)


def needed():
    """Shards by volume: for one conflict in a hundred, and for a row that DynamoDB takes."""
    rows = []
    for volume in VOLUMES:
        starts = peak(volume)
        one, ten = (math.ceil(starts / most_within(share)) for share in [0.01, 0.1])
        shards = chosen(volume)
        send, _ = contend(starts / shards)
        used = starts / shards * send.each() * write_units(row_bytes(volume, shards)) / WRITES_OF_A_PARTITION
        rows.append([f"{volume:,}", f"{one:,}", f"{ten:,}", f"**{shards}**", rate(starts / shards), percent(send.first()), ms(send.delay(0.99)), percent(used)])
    head = ["a day", "shards for 1 % conflicts", "for 10 %", "`SmsShards`", "messages a second of one", "conflicts", "99th percentile of the delay, ms", "of a row's write units"]
    return table(head, rows)


def early():
    rows = []
    for part in [5, 20, 100, 500]:
        for shards in [4, 16, MOST_SHARDS]:
            draw = Draw(f"{SEED} {part} {shards}")
            rounds = max(1, 100_000 // (part * shards))
            full = [refusals(part, shards, 1, draw) for _ in range(rounds)]
            most = [refusals(part, shards, 0.8, draw)[1] for _ in range(rounds)]
            first = sum(first if first is not None else 1 for first, _ in full) / rounds
            bound = 1 - math.sqrt(2 * math.log(shards) / part)
            line = [f"{part * shards:,}", str(shards), str(part), percent(first), percent(max(0, bound))]
            rows.append([*line, percent(sum(most) / rounds), percent(sum(share for _, share in full) / rounds)])
    return table(["limit", "shards", "a shard's part", "first refusal at", "by the formula", "refused at 80 % of the limit", "refused at 100 %"], rows)


def concurrency():
    start, check = routes(LARGE)
    slow, _ = routes(LARGE, SLOW_PUBLISH_MS)
    rows = []
    for name, route in [
        (f"start, SNS takes {PUBLISH_MS} ms", start),
        (f"start, SNS takes {SLOW_PUBLISH_MS} ms", slow),
        ("check", check),
    ]:
        seconds = 10 * route.environments() / LAMBDA_BURST
        rows.append([name, f"{route.a_second:,.0f}", f"{route.lasts():.0f}", f"{route.environments():,.0f}", f"{seconds:.0f}"])
    return table(["Route", "requests a second", "ms", "execution environments", "seconds from nothing to that"], rows)


def quotas():
    starts = peak(LARGE)
    requests = starts * (1 + CHECKS)
    whole = sum(route.environments() for route in routes(LARGE, SLOW_PUBLISH_MS))
    send, _ = contend(starts / MOST_SHARDS)
    budgets = starts * (2 + send.each() * write_units(row_bytes(LARGE, MOST_SHARDS)) + 1) + 2 * starts * APPROVED
    reads = starts * (1 + read_units(row_bytes(LARGE, MOST_SHARDS)) + 2)
    double = lambda need: f"{math.ceil(2 * need / 1000) * 1000:,}"
    lines = [
        ("SNS, or End User Messaging: text messages a second, and the monthly spend", SNS_MESSAGES, starts),
        ("SES: mails a second, if all of them were mails", SES_MAILS, starts),
        ("API Gateway: requests a second of the account", GATEWAY_REQUESTS, requests),
        ("the stack's own `RequestsPerSecond` of each route, and `SensitiveRequestsPerSecond`", default("SensitiveRequestsPerSecond"), starts * CHECKS),
        ("Lambda: concurrent executions", LAMBDA_CONCURRENCY, whole),
        ("Lambda: requests a second", LAMBDA_CONCURRENCY * LAMBDA_REQUESTS, requests),
        ("DynamoDB: write units of the table BUDGETS", TABLE_UNITS, budgets),
        ("DynamoDB: read units of the table BUDGETS", TABLE_UNITS, reads),
        ("DynamoDB: write units of VERIFICATIONS", TABLE_UNITS, 2 * requests),
        ("DynamoDB: write units of ATTEMPTS, and of AUDIT", TABLE_UNITS, 2 * starts * (1 + APPROVED)),
    ]
    rows = [[name, f"{least:,}", f"{need:,.0f}", double(need) if 2 * need > least else "as it is"] for name, least, need in lines]
    return table(["Quota", "by default", "needed in the busiest second", "raise to"], rows)


def default(parameter):
    template = (ROOT / "template.yaml").read_text()
    return int(re.search(rf"^  {parameter}:\n(?:    .*\n)*?    Default: (\d+)", template, re.MULTILINE).group(1))


def settings():
    rows = []
    for volume in VOLUMES:
        # Half of a window is for established factors, and half as much again is room for a day above the others.
        minute, day = peak(volume) * 60 * 3, volume * 3
        limits = [minute, day, minute * LARGEST_COUNTRY, day * LARGEST_COUNTRY]
        rounded = [math.ceil(limit / 10) * 10 for limit in limits]
        second = max(default("SensitiveRequestsPerSecond"), math.ceil(2 * peak(volume) * CHECKS))
        fewest = max(1, math.ceil(2 * 2 * peak(volume) * (1 + APPROVED) * LARGEST_TENANT / WRITES_OF_A_PARTITION))
        attempts = 2 ** math.ceil(math.log2(fewest))
        rows.append([f"{volume:,}", str(chosen(volume)), *(f"{limit:,}" for limit in rounded), f"{second:,}", str(attempts)])
    head = ["a day", "`SmsShards`", "`SmsPerMinute`", "`SmsPerDay`", "`SmsPerCountryPerMinute`", "`SmsPerCountryPerDay`", "`SensitiveRequestsPerSecond`, `RequestsPerSecond`", "`AttemptShards`"]
    return table(head, rows)


TABLES = {
    "load": load,
    "partitions": partitions,
    "sizes": sizes,
    "conflicts": conflicts,
    "shards": needed,
    "days": days,
    "early refusals": early,
    "concurrency": concurrency,
    "quotas": quotas,
    "settings": settings,
}


def claims():
    """Sentences of docs/scale.md outside the tables that depend on their numbers, each with whether they bear it out."""
    starts = peak(LARGE)
    requests = starts * (1 + CHECKS)
    first, *_ = (contend(a_second)[0] for a_second in RATES)
    ten, twenty, forty = (contend(a_second)[0] for a_second in [10, 20, 40])
    small, middle, large = (contend(peak(volume) / chosen(volume))[0] for volume in VOLUMES)
    start, check = routes(LARGE)
    slow, _ = routes(LARGE, SLOW_PUBLISH_MS)
    some, more = (contend(a_second, a_second * APPROVED)[0] for a_second in [2, 5])
    attempts = 2 * starts * (1 + APPROVED) * LARGEST_TENANT
    spread = [refusals(100, shards, 0.8, Draw(f"{SEED} {shards}"))[1] for shards in [4, 16, MOST_SHARDS]]
    rows = [WRITES_OF_A_PARTITION / write_units(row_bytes(LARGE, MOST_SHARDS, countries)) for countries in [5, COUNTRIES]]
    spent = LARGE * json.loads((ROOT / "docs/prices.json").read_text())["text_message"]
    return [
        ("Less than one request in a hundred meets another one", chosen(VOLUMES[0]) == 1 and small.first() < 0.01),
        ("set `SmsShards` to 16", chosen(VOLUMES[1]) == 16 and peak(VOLUMES[1]) > SNS_MESSAGES and middle.failed == 0),
        ("set `SmsShards` to 256", chosen(LARGE) == MOST_SHARDS == 256 and large.failed == 0),
        ("more than four requests of ten", round(READS_OF_A_PARTITION / requests, 1) == 0.4),
        ("would need six times what a partition takes", round(attempts / WRITES_OF_A_PARTITION) == 6),
        ("thirty countries need four times the shards of five", 4 <= rows[0] / rows[1] < 5),
        ("15 ms in which another message may be faster", CALL_MS + TRANSACTION_MS == 15),
        ("Ten messages a second and shard add 3 ms on average", round(ten.mean()) == 3),
        ("twenty add 8 ms", round(twenty.mean()) == 8),
        ("from forty on most first writes conflict", forty.first() > 0.5),
        ("no request reached its deadline of 6 s", DEADLINE_MS == 6000 and all(contend(one)[0].failed == 0 for one in RATES)),
        ("less than one message a second", first.first() < 0.01 < contend(1)[0].first()),
        ("one start in five is delayed", round(1 / large.first()) == 5),
        ("the aim of 1 % is out of reach of 256 shards", starts / most_within(0.01) > MOST_SHARDS),
        ("From five messages a second on, some starts fail", some.failed == 0 < more.failed),
        ("to about one in a thousand", max(spread) < 0.0015),
        ("holds as long as SNS is fast", start.environments() + check.environments() < LAMBDA_CONCURRENCY < slow.environments() + check.environments()),
        ("millions of dollars a day", 1e6 < spent < 1e7),
    ]


SOURCES = [
    (LEAST_MS, "shared/src/store/retry.rs", r"const LEAST: Duration = Duration::from_millis\((\d+)\)"),
    (MOST_MS, "shared/src/store/retry.rs", r"const MOST: Duration = Duration::from_millis\((\d+)\)"),
    (TRANSACTION_TRIES, "shared/src/store/table/transaction.rs", r"const TRIES: u32 = (\d+)"),
    (SDK_TRIES, "shared/src/runtime/edge.rs", r"with_max_attempts\((\d+)\)"),
    (SDK_BACKOFF_MS, "shared/src/runtime/edge.rs", r"with_initial_backoff\(Duration::from_millis\((\d+)\)"),
    (DEADLINE_MS / 1000, "shared/src/http/serve.rs", r"const ACT_WITHIN: Duration = Duration::from_secs\((\d+)\)"),
    (MOST_SHARDS, "shared/src/runtime/settings/numbers.rs", r'setting\("SMS_SHARDS", 1, 1\.\.=(\d+)\)'),
    (CALL_MS, "benches/cost.py", r"^WAIT_MS = (\d+)"),
    (CPU_MS, "benches/cost.py", r"^CPU_MS = ([\d.]+)"),
]
"""Constants of benches/scale_model.py that are the product's, and where they are."""


def check_sources():
    for value, path, pattern in SOURCES:
        found = re.search(pattern, (ROOT / path).read_text(), re.MULTILINE)
        if not found or float(found.group(1)) != value:
            sys.exit(f"benches/scale_model.py assumes {value}, and {path} says {found.group(1) if found else 'nothing'}")


def place(name):
    return re.compile(rf"(<!-- benches/scale.py: {name} -->\n).*?(<!-- end -->)", re.DOTALL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="print what docs/scale.md lacks, and fail if it lacks something")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scale.md")
    options = parser.parse_args()
    check_sources()
    tables = {name: make() for name, make in TABLES.items()}
    if not options.check and not options.write:
        print("\n\n".join(f"{name}\n\n{text}" for name, text in tables.items()))
        return
    document = DOCUMENT.read_text()
    wanted = document
    for name, text in tables.items():
        wanted, found = place(name).subn(lambda marks: marks.group(1) + text + "\n" + marks.group(2), wanted)
        if found != 1:
            sys.exit(f"docs/scale.md has {found} places for the table {name!r}, and not one")
    plain = " ".join(document.split())
    for sentence, holds in claims():
        if sentence not in plain:
            sys.exit(f"docs/scale.md does not say {sentence!r}: claims() in benches/scale.py says what it may say")
        if not holds:
            sys.exit(f"docs/scale.md says {sentence!r}, and the tables say otherwise")
    if options.write:
        DOCUMENT.write_text(wanted)
    elif wanted != document:
        print("\n\n".join(text for text in tables.values() if text not in document))
        sys.exit("docs/scale.md has not these tables: python3 benches/scale.py --write")


if __name__ == "__main__":
    main()
