"""The model behind benches/scale.py: the load, the calls of each route, and the simulations. The constants are assumptions, except
where their text names a source."""

import heapq
import math
import random
from collections import Counter
from dataclasses import dataclass, field
from functools import cache

SEED = 20261127

# The load.
VOLUMES = [10**4, 10**6, 10**8]
"""Verifications a day."""
PEAK = 3
"""The busiest second of a day against its mean."""
CHECKS = 1.1
"""Checks a verification: one in ten is wrong first."""
APPROVED = 0.85
"""Verifications that end with a right code."""
COUNTRIES = 30
"""Countries with messages in the last day."""
LARGEST_COUNTRY = 0.4
"""Its share of the messages. The others follow Zipf's law."""
LARGEST_TENANT = 0.5
"""Its share of the requests."""

# Latencies in ms.
CALL_MS = 5
"""A call to DynamoDB: WAIT_MS of benches/cost.py."""
TRANSACTION_MS = 10
"""A transaction; for as long it holds its rows."""
PUBLISH_MS, SLOW_PUBLISH_MS = 60, 250
"""SNS accepts a text message, and on a bad day."""
CPU_MS = 0.6
"""A warm call on one vCPU: CPU_MS of benches/cost.py."""
VCPU_MB = 1769
"""The memory size with one full vCPU: "Configure Lambda function memory" in AWS's guide."""
MEMORY_MB = 128
"""MemorySize of template.yaml, unless a function says otherwise."""

# The product's retries.
LEAST_MS, MOST_MS = 25, 500
"""The bounds of the longest wait: LEAST and MOST of shared/src/store/retry.rs."""
TRANSACTION_TRIES = 9
"""TRIES of shared/src/store/table/transaction.rs."""
SDK_TRIES, SDK_BACKOFF_MS = 3, 30
"""The SDK's attempts at a single write that a transaction is in the way of: `retries` in shared/src/runtime/edge.rs."""
DEADLINE_MS = 6000
"""ACT_WITHIN of shared/src/http/serve.rs: what sends a message fails after that, and is undone."""

# DynamoDB.
WRITES_OF_A_PARTITION, READS_OF_A_PARTITION = 1000, 3000
"""Units a second of one partition, and so of one row."""
MOST_SHARDS = 256
"""SMS_SHARDS of shared/src/runtime/settings/numbers.rs."""
ATTEMPT_SHARDS = 16
"""AttemptShards: partitions of one account's attempts."""

# Default quotas of an AWS account.
LAMBDA_CONCURRENCY = 1000
LAMBDA_BURST = 1000
"""Execution environments that one function may gain in ten seconds."""
LAMBDA_REQUESTS = 10
"""Requests a second for each unit of concurrency."""
GATEWAY_REQUESTS = 10_000
TABLE_UNITS = 40_000
"""Read units, and write units, of one on-demand table in a second."""
SNS_MESSAGES = 20
"""Text messages a second, docs/operations.md."""
SES_MAILS = 14
"""Mails a second of an account that has left SES's sandbox; each account has its own."""

LARGE = VOLUMES[-1]


def peak(volume):
    """Verifications started in the busiest second."""
    return volume / 86_400 * PEAK


def shares():
    """The countries' shares of the messages, the largest first."""
    others = [1 / rank for rank in range(1, COUNTRIES)]
    rest = (1 - LARGEST_COUNTRY) / sum(others)
    return [LARGEST_COUNTRY] + [one * rest for one in others]


# The size of a quota's row, in the format of shared/src/store/rows/quota.rs.


def slots(mean, count, digits):
    """Bytes of a text of `slot:count`, for slots with so many messages on average."""
    present = min(1, mean)
    return count * present * (digits + 1 + len(str(max(1, int(mean)))) + 1)


def row_bytes(volume, shards, countries=COUNTRIES):
    """Bytes of one shard's row in the busiest minute. Messages count in the ledger of all and in that of newcomers."""
    whole = 32 + 120
    for share in sorted(shares(), reverse=True)[:countries]:
        a_second = volume / 86_400 * share / shards
        texts = slots(a_second * PEAK * 10, 7, 9) + slots(a_second * 3600, 25, 6)
        entry = 3 + 1 + 3 + 2
        # Two maps with what was sent, and two empty ones of what was verified.
        whole += 4 * entry + 2 * texts
    return whole


def write_units(size):
    return math.ceil(size / 1024)


def read_units(size):
    return math.ceil(size / 4096)


# Simulations.


class Draw:
    """Draws that are the same in every version of Python."""

    def __init__(self, seed):
        self.random = random.Random(seed).random

    def below(self, most):
        return self.random() * most

    def gap(self, a_second):
        """Milliseconds until the next of so many a second."""
        return -math.log(1 - self.random()) / a_second * 1000


@dataclass
class Contention:
    """What happened to requests that change one row."""

    requests: int = 0
    conflicts: int = 0
    writes: int = 0
    failed: int = 0
    added: list = field(default_factory=list)

    def first(self):
        """The share of first writes that lost to another request."""
        return self.conflicts / self.requests

    def each(self):
        return self.writes / self.requests

    def failures(self):
        return self.failed / self.requests

    def mean(self):
        """The mean delay by conflicts, in ms."""
        return sum(self.added) / max(1, len(self.added))

    def delay(self, part):
        """The delay by conflicts that such a part of the requests does not exceed, in ms."""
        return sorted(self.added)[int(part * (len(self.added) - 1))] if self.added else math.inf


def backoff(draw, took, lost):
    """`wait` of shared/src/store/retry.rs."""
    return draw.below(min(max(took * min(lost, 4), LEAST_MS), MOST_MS))


@cache
def contend(sends, approvals=0, requests=20_000):
    """One row that so many sends a second change on condition of its version, and so many approvals in transactions that
    add to it. A send reads the row, commits its transaction, which changes other rows, and then updates this one."""
    draw = Draw(f"{SEED} {sends:.6f} {approvals:.6f}")
    of = {"send": Contention(), "approve": Contention()}
    events, serial, version, held_until = [], 0, 0, 0.0

    def at(moment, what, state):
        nonlocal serial
        serial += 1
        heapq.heappush(events, (moment, serial, what, state))

    end = requests / sends * 1000
    for kind, rate in [("send", sends), ("approve", approvals)]:
        moment = draw.gap(rate) if rate else math.inf
        while moment < end:
            of[kind].requests += 1
            state = {"kind": kind, "tries": 0, "blocked": 0, "since": moment}
            at(moment + CALL_MS / 2, "read" if kind == "send" else "lock", state)
            moment += draw.gap(rate)
    while events:
        now, _, what, state = heapq.heappop(events)
        seen = of[state["kind"]]
        if what == "read":
            state["version"] = version
            state["first"] = now + CALL_MS / 2 + TRANSACTION_MS + CALL_MS / 2
            at(state["first"], "update", state)
            continue
        seen.writes += 1
        is_held = now < held_until
        if what == "lock":
            state.setdefault("first", now)
            if not is_held:
                held_until = now + TRANSACTION_MS
                seen.added.append(now - state["first"])
                continue
            state["tries"] += 1
            seen.conflicts += state["tries"] == 1
            if state["tries"] == TRANSACTION_TRIES:
                seen.failed += 1
                continue
            at(now + TRANSACTION_MS + backoff(draw, TRANSACTION_MS, state["tries"]), "lock", state)
            continue
        if not is_held and state["version"] == version:
            version += 1
            seen.added.append(now - state["first"])
            continue
        seen.conflicts += state["tries"] + state["blocked"] == 0
        if is_held:
            # The SDK repeats the same request.
            state["blocked"] += 1
            if state["blocked"] == SDK_TRIES:
                seen.failed += 1
                continue
            at(now + CALL_MS + draw.below(SDK_BACKOFF_MS * 2 ** (state["blocked"] - 1)), "update", state)
            continue
        state["tries"], state["blocked"], state["version"] = state["tries"] + 1, 0, version
        again = now + CALL_MS + backoff(draw, CALL_MS, state["tries"])
        if again - state["since"] > DEADLINE_MS:
            seen.failed += 1
            continue
        at(again, "update", state)
    return of["send"], of["approve"]


def most_within(share):
    """Messages a second of a shard of which at most that share lose their first write."""
    window = (CALL_MS / 2 + TRANSACTION_MS + CALL_MS / 2) / 1000
    # Arrivals are independent: another write falls into the window between read and write with this probability.
    return -math.log(1 - share) / window


def refusals(part, shards, load, draw):
    """Of a load, as a part of the limit, that is spread by a digest over shards with that part each: how far the load was
    when the first message was refused, and which share is refused in all."""
    counts, first, refused = Counter(), None, 0
    messages = int(part * shards * load)
    for sent in range(messages):
        shard = int(draw.below(shards))
        if counts[shard] == part:
            refused += 1
            first = first if first is not None else sent / (part * shards)
        else:
            counts[shard] += 1
    return first, refused / messages


def chosen(volume):
    """The recommended number of shards: about two messages a second of each, within the setting's range."""
    return min(MOST_SHARDS, 2 ** max(0, math.ceil(math.log2(peak(volume) / 2.5))))


@dataclass(frozen=True)
class Route:
    calls_ms: float
    a_second: float

    def lasts(self):
        """Milliseconds of one request."""
        return self.calls_ms + CPU_MS * VCPU_MB / MEMORY_MB

    def environments(self):
        return self.a_second * self.lasts() / 1000


def routes(volume, publish=PUBLISH_MS):
    starts = peak(volume)
    send, _ = contend(starts / chosen(volume))
    start = CALL_MS + TRANSACTION_MS + CALL_MS + send.mean() + CALL_MS + publish
    return Route(start, starts), Route(CALL_MS + TRANSACTION_MS, starts * CHECKS)
