#!/usr/bin/env python3
"""Writes benches/traffic.csv, the example of `cargo local simulate`: twenty days of text messages, the same every time.

  python3 benches/traffic.py > benches/traffic.csv

380 has real users and a launch on its sixteenth day; 44 has real users and from its thirteenth day a slow attack among
them; 992 has no users, and after fourteen quiet days an attack of two thousand messages in a day. The shares of verified
messages are assumptions."""

import random
import sys
from datetime import datetime, timedelta, timezone

START = datetime(2026, 10, 1, tzinfo=timezone.utc)
DAYS = 20
DAY = 86_400

SEED = 20261001

REAL = {"380": (100, 0.94), "44": (60, 0.92)}
"""Messages a day, and the share of them that is verified."""
LAUNCH_DAY, LAUNCH = 15, 900
"""Messages to 380 on the day of the launch, in place of its usual number."""
PUMPING_DAY, PUMPING = 14, 2000
"""Messages to 992, spread evenly over the day, none verified."""
SLOW_DAYS, SLOW = range(12, 18), 40
"""Messages to 44 besides the real ones, at any time of the day, none verified."""


def by_day(draw):
    """A second between six and midnight, most likely in the afternoon."""
    return int(DAY / 4 + (draw.random() + draw.random()) / 2 * DAY * 3 / 4)


def messages():
    draw = random.Random(SEED)
    for day in range(DAYS):
        for country, (usual, share) in REAL.items():
            count = LAUNCH if country == "380" and day == LAUNCH_DAY else usual
            for _ in range(count):
                yield day * DAY + by_day(draw), country, draw.random() < share
        if day in SLOW_DAYS:
            for _ in range(SLOW):
                yield day * DAY + int(draw.random() * DAY), "44", False
        if day == PUMPING_DAY:
            for number in range(PUMPING):
                yield day * DAY + number * DAY // PUMPING, "992", False


def main():
    rows = ["time,country,verified"]
    for second, country, verified in sorted(messages()):
        at = START + timedelta(seconds=second)
        rows.append(f"{at:%Y-%m-%dT%H:%M:%SZ},{country},{str(verified).lower()}")
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
