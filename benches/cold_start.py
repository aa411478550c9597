#!/usr/bin/env python3
"""Measures the cost of a cold start: the same calls (a key from Secrets Manager during init; of DynamoDB, a token check,
a conditional write and its audit event), by

  countersign  the real passcode-retrieve function, as it is deployed
  floor        a Rust loop without SDK that sends the function's requests as canned texts, signed (benches/floor)
  node         Node with the AWS SDK v3, bundled with esbuild (benches/node), which sends the same requests
  python       Python with boto3 (benches/python), which does the same

in one run, in turns, each in a fresh process behind a fake runtime API, against canned responses on loopback. Requests,
responses and environment are recorded first: the function handles its payload of events/ in the local cloud. Plain HTTP
for all four: the function trusts Amazon's roots only, so it cannot use TLS with a local server. Only the function
parses every response strictly and renders its errors; the others are minimal, and run on a bare loop instead of Lambda's
own runtime. A program that this machine cannot run is skipped,
and the output names it. Needs Linux, cargo and CPython 3.10; the SDKs are installed below the target
directory, at the versions that benches/ pins."""

import argparse
import hashlib
import io
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import sandbox

HERE = Path(__file__).resolve().parent
OURS = "countersign"
FUNCTION = "passcode-retrieve"
COLUMNS = [
    ("wall ms", 1, lambda s: s.wall),
    ("CPU ms", 2, lambda s: s.cpu),
    ("of it init", 2, lambda s: s.init_cpu),
    ("resident MB", 1, lambda s: s.resident),
    ("peak MB", 1, lambda s: s.peak),
    ("warm CPU µs", 0, lambda s: s.warm_cpu),
    ("zip MB", 2, lambda s: s.zip),
]


class Missing(Exception):
    """This machine cannot run one of the four."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=15, metavar="N", help="cold starts of each (default 15); medians are shown")
    parser.add_argument("--warm", type=int, default=1000, metavar="N", help="warm calls that are measured, after 200 that are not (default 1000)")
    parser.add_argument("--binaries", type=Path, metavar="DIR", help="where the functions are, instead of building one: NAME, or NAME/bootstrap")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=BINARY", help="measure another build of the function too")
    parser.add_argument("--only", metavar="NAMES", help="leave out all but these, separated by commas")
    parser.add_argument("--instructions", action="store_true", help="count instructions of the Rust programs too (valgrind)")
    options = parser.parse_args()

    target = target_directory()
    makers = {OURS: lambda target: countersign(target, options.binaries), "floor": floor, "node": node, "python": python}
    for name, _, path in (one.partition("=") for one in options.also):
        makers[name] = lambda _, path=path: ([str(Path(path).resolve())], path)
    recording = sandbox.record(FUNCTION, makers[OURS](target)[0])
    if options.only:
        makers = {name: make for name, make in makers.items() if name in options.only.split(",")}
    commands, sizes = {}, {}
    for name, make in makers.items():
        try:
            commands[name], files = make(target)
            sizes[name] = zipped(files)
            sandbox.run(recording, commands[name])  # Warms the page cache, and fails early.
        except sandbox.Failed as why:
            sys.exit(f"{name}: {why}")
        except Missing as why:
            if name == OURS:
                sys.exit(f"{name}: {why}")
            print(f"!!! {name} is LEFT OUT: {why}", flush=True)

    cold, warm = measure(recording, commands, options.n, options.warm)
    print(f"\nExec to first answer, medians of {options.n} in turns; a warm call, mean of {options.warm}, median of 3 processes.")
    asked = ", ".join(one.target.rpartition(".")[2] for one in recording.call)
    print(f"{asked} against canned answers, plain HTTP on loopback: no TLS in any of these numbers.\n")
    show(cold, warm, sizes)
    if options.instructions:
        instructions(recording, commands)


def measure(recording, commands, rounds, calls):
    cold, warm = {name: [] for name in commands}, {name: [] for name in commands}
    for turn in range(rounds):
        print(f"\rcold starts: {turn + 1} of {rounds}", end="", file=sys.stderr, flush=True)
        for name, command in commands.items():
            cold[name].append(sandbox.run(recording, command))
    print(file=sys.stderr)
    for turn in range(3):
        print(f"\rwarm calls: {turn + 1} of 3", end="", file=sys.stderr, flush=True)
        for name, command in commands.items():
            warm[name].append(sandbox.run(recording, command, calls, settle=200))
    print(file=sys.stderr)
    return cold, warm


def show(cold, warm, sizes):
    rows = {}
    for name in cold:
        sample = sandbox.Sample(*(statistics.median(values) for values in zip(
            *((s.wall, s.cpu, s.init_cpu, s.resident, s.peak) for s in cold[name])
        )))
        sample.peak = max(s.peak for s in warm[name])
        sample.warm_cpu = statistics.median(s.warm_cpu for s in warm[name])
        sample.zip = sizes[name]
        rows[name] = sample
    width = max(map(len, rows)) + 2
    header = "".join(f"{title:>13}" for title, _, _ in COLUMNS)
    print(" " * width + header)
    for name, sample in rows.items():
        cells = ((value(sample), digits) for _, digits, value in COLUMNS)
        print(f"{name:{width}}" + "".join(f"{'–' if value is None else f'{value:.{digits}f}':>13}" for value, digits in cells))
    if OURS not in rows:
        return
    print(f"\n{'ratio':{width}}" + header)
    for name, sample in rows.items():
        pairs = ((value(sample), value(rows[OURS])) for _, _, value in COLUMNS)
        cells = ("–" if None in pair else f"{pair[0] / pair[1]:.2f}×" for pair in pairs)
        print(f"{name:{width}}" + "".join(f"{cell:>13}" for cell in cells))


def instructions(recording, commands):
    if not shutil.which("valgrind"):
        print("!!! instructions are LEFT OUT: there is no valgrind")
        return
    print("\nInstructions (callgrind): exec to first answer, and a warm call.")
    for name, command in commands.items():
        if name not in ("node", "python"):
            first, many = (counted(recording, command, calls) for calls in (1, 101))
            print(f"{name:14}{first / 1e6:9.2f} M {(many - first) / 100 / 1e3:9.0f} k")


def counted(recording, command, calls):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        valgrind = [shutil.which("valgrind"), "--tool=callgrind", f"--callgrind-out-file={out}"]
        sandbox.run(recording, [*valgrind, *command], calls)
        return int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)[1])


# The four programs


def countersign(target, binaries):
    """Builds as `sam build` would, but for this machine."""
    if not binaries:
        run(["cargo", "build", "--locked", "--release", "--bin", FUNCTION], HERE.parent)
        binaries = target / "release"
    found = next((path for path in [binaries / FUNCTION / "bootstrap", binaries / FUNCTION] if path.is_file()), None)
    if not found:
        raise Missing(f"there is no {FUNCTION} in {binaries}")
    return [str(found.resolve())], found


def floor(target):
    folder = target / "bench" / "floor"
    run(["cargo", "build", "--locked", "--release", "--target-dir", str(folder)], HERE / "floor")
    return [str(folder / "release" / "floor")], folder / "release" / "floor"


def node(target):
    node, npm = (shutil.which(name) for name in ("node", "npm"))
    if not node or not npm:
        raise Missing("there is no node or no npm")
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < 20:
        raise Missing(f"Node is {version}, and the SDK wants 20")
    folder = target / "bench" / "node"
    bundle = folder / "bundle.js"

    def install():
        run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
        esbuild = ["npx", "--no-install", "esbuild", "function.mjs", "--bundle", "--minify", "--platform=node"]
        run([*esbuild, "--target=node20", "--format=cjs", f"--outfile={bundle}"], folder)

    once(folder, ["package.json", "package-lock.json", "function.mjs"], "node", install)
    print(f"node is {version}")
    return [node, str(bundle)], bundle


def python(target):
    folder = target / "bench" / "python"

    def install():
        run([sys.executable, "-m", "venv", "--clear", str(folder / "venv")], folder)
        run([str(folder / "venv/bin/pip"), "install", "--quiet", "--requirement", "requirements.txt"], folder)

    once(folder, ["requirements.txt", "function.py"], "python", install)
    print(f"python is {sys.version.split()[0]}")
    # boto3 is part of Lambda's runtime: it is not uploaded.
    return [str(folder / "venv/bin/python"), str(folder / "function.py")], None


def once(folder, files, source, install):
    """Copies `files` into `folder` and installs, unless exactly these files are installed there."""
    texts = [(HERE / source / file).read_bytes() for file in files]
    stamp = hashlib.sha256(b"\0".join(texts)).hexdigest()
    mark = folder / "installed"
    if mark.exists() and mark.read_text() == stamp:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in zip(files, texts):
        (folder / file).write_bytes(text)
    install()
    mark.write_text(stamp)


def run(command, folder):
    print(f"$ {Path(command[0]).name} {' '.join(command[1:3])} …", flush=True)
    try:
        done = subprocess.run(command, cwd=folder)
    except FileNotFoundError as error:
        raise Missing(f"there is no {command[0]}") from error
    if done.returncode:
        raise Missing(f"{Path(command[0]).name} failed")


def target_directory():
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    try:
        found = subprocess.run(command, cwd=HERE.parent, capture_output=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        sys.exit(f"cargo cannot read the workspace: {error}")
    return Path(json.loads(found)["target_directory"])


def zipped(path):
    """The size of the deployment package in MB; `None` if nothing is uploaded."""
    if path is None:
        return None
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(path, "bootstrap")
    return len(buffer.getvalue()) / 1e6


if __name__ == "__main__":
    main()
