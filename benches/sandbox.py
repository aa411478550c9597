"""A Lambda sandbox for one process: the runtime API, DynamoDB and Secrets Manager with canned answers, and the
process's own CPU time and memory as the kernel counts them. The canned answers are recorded: the function is called once in
the local cloud, and its requests and answers there are replayed here. Linux, CPython 3.10 or later."""

import http.client
import json
import os
import selectors
import signal
import socket
import sys
import tempfile
import time
import urllib.parse
import zlib
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "aws"))

from cloud import filled, identities, local_cloud, post

PATIENCE = 60
"""The timeout in seconds for a silent process."""

ENDPOINTS = ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SECRETS_MANAGER"]
"""The endpoints that a function of this bench may call."""


@dataclass
class Exchange:
    """One call to AWS, and its answer."""

    target: str
    request: bytes
    answer: bytes
    content_type: str


@dataclass
class Recording:
    """A function's environment, event and AWS calls: during init, and for one call."""

    environment: dict
    event: bytes
    init: list = field(default_factory=list)
    call: list = field(default_factory=list)

    def requests(self):
        """The requests of init and of the call, a line each: the target and its input."""
        return b"".join(one.target.encode() + b"\t" + one.request + b"\n" for one in self.init + self.call)


def record(function, command):
    """Runs the function on its payload of events/ in a new local cloud, and records its calls."""
    with local_cloud() as port:
        environment = post(f"http://127.0.0.1:{port}/_local/functions/{function}/environment", {})
        recording = Recording(environment, json.dumps(filled(function, identities(port))).encode())
        run(recording, command, elsewhere={name: environment[name] for name in ENDPOINTS if name in environment})
    if not recording.call:
        raise Failed(f"{function} called nothing")
    return recording


class Failed(Exception):
    """The process did not behave as expected."""


@dataclass
class Sample:
    """One process. Times in milliseconds from exec, memory in MB."""

    wall: float
    cpu: float
    init_cpu: float
    resident: float
    peak: float
    warm_cpu: float | None = None
    """CPU of one warm call, in microseconds."""


def variables(recording, port, requests):
    """The variables that Lambda and the template set, and none of the caller's own. Credentials are as long as Lambda's."""
    at = f"127.0.0.1:{port}"
    return {
        **recording.environment,
        "PATH": os.environ.get("PATH", ""),
        "AWS_LAMBDA_RUNTIME_API": at,
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench",
        "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
        **{name: f"http://{at}" for name in ENDPOINTS},
        # The requests that the other programs send in place of the function.
        "BENCH_REQUESTS": requests,
    }


def run(recording, command, calls=1, settle=0, elsewhere=None):
    """Starts `command`, lets it answer `settle + calls` calls, ends it. With several calls, the CPU time of those after
    the first `settle` is measured, too. With `elsewhere`, its requests are forwarded there and recorded."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=16) as listener,
        tempfile.TemporaryFile() as errors,
        tempfile.NamedTemporaryFile() as requests,
    ):
        requests.write(recording.requests())
        requests.flush()
        sandbox = Sandbox(recording, listener, settle + calls, settle, elsewhere)
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, errors.fileno(), 2),
        ]
        environment = variables(recording, listener.getsockname()[1], requests.name)
        if not elsewhere:
            environment["AWS_SESSION_TOKEN"] = "x" * 400
        sandbox.begin = time.perf_counter()
        sandbox.process = os.posix_spawn(command[0], command, environment, file_actions=actions)
        try:
            return sandbox.serve()
        except Failed as failure:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()
            raise Failed(f"{failure}\n{said}".strip()) from None
        finally:
            os.kill(sandbox.process, signal.SIGTERM)
            os.waitpid(sandbox.process, 0)
            sandbox.close()


class Sandbox:
    """The other side of a process's sockets."""

    def __init__(self, recording, listener, calls, settle, elsewhere):
        self.recording, self.listener, self.calls, self.settle, self.elsewhere = recording, listener, calls, settle, elsewhere
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)
        self.buffers = {}
        self.expected = list(recording.init)
        self.answered = 0
        self.init_cpu = self.sample = self.settled = self.failure = None

    def serve(self):
        ended = os.pidfd_open(self.process)
        self.selector.register(ended, selectors.EVENT_READ)
        try:
            while self.sample is None or self.answered < self.calls or self.settled is not None:
                ready = self.selector.select(PATIENCE)
                if not ready:
                    raise Failed(f"said nothing for {PATIENCE} seconds")
                for key, _ in ready:
                    if key.fileobj is self.listener:
                        self.accept()
                    elif key.fileobj == ended:
                        raise Failed("ended by itself")
                    else:
                        self.read(key.fileobj)
            return self.sample
        finally:
            os.close(ended)

    def close(self):
        for connection in self.buffers:
            connection.close()
        self.selector.close()

    def accept(self):
        connection, _ = self.listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffers[connection] = b""
        self.selector.register(connection, selectors.EVENT_READ)

    def read(self, connection):
        chunk = connection.recv(65_536)
        if not chunk:
            self.selector.unregister(connection)
            del self.buffers[connection]
            connection.close()
            return
        buffer = self.buffers[connection] + chunk
        head, found, body = buffer.partition(b"\r\n\r\n")
        if found:
            line, *lines = head.decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
            if "transfer-encoding" in headers:
                raise Failed("sends its body in chunks")
            if len(body) >= int(headers.get("content-length", 0)):
                method, path, _ = line.split(" ", 2)
                answer = self.answer(method, path, headers, body)
                if answer is not None:
                    connection.sendall(answer)
                buffer = b""
        self.buffers[connection] = buffer

    def answer(self, method, path, headers, body):
        target = headers.get("x-amz-target")
        if target:
            if not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
                raise Failed(f"did not sign {target}")
            return self.recorded(path, target, headers, body) if self.elsewhere else self.canned(target)
        if method == "GET" and path.endswith("/invocation/next"):
            return self.next()
        if method == "POST" and path.endswith("/response"):
            self.first_or_later_answer(json.loads(body))
            return http_answer(202, b'{"status":"OK"}', {})
        raise Failed(f"asked for {method} {path}: {body[:400].decode(errors='replace')}")

    def canned(self, target):
        for at, one in enumerate(self.expected):
            if one.target == target:
                del self.expected[at]
                return aws(one)
        raise Failed(f"asked for {target}, which the function did not ask for when it was recorded")

    def recorded(self, path, target, headers, body):
        """Forwards to the local cloud, which authenticates the caller by its credentials."""
        service = "SECRETS_MANAGER" if target.startswith("secretsmanager.") else "DYNAMODB"
        url = urllib.parse.urlsplit(self.elsewhere[f"AWS_ENDPOINT_URL_{service}"])
        connection = http.client.HTTPConnection(url.netloc, timeout=PATIENCE)
        passed = {name: value for name, value in headers.items() if name not in ("host", "content-length")}
        connection.request("POST", url.path.rstrip("/") + path, body, passed)
        response = connection.getresponse()
        one = Exchange(target, body, response.read(), response.headers.get("content-type", "application/x-amz-json-1.0"))
        connection.close()
        if response.status != 200:
            raise Failed(f"{target} was answered {response.status}: {one.answer.decode(errors='replace')}")
        (self.recording.init if self.init_cpu is None else self.recording.call).append(one)
        return aws(one)

    def next(self):
        if self.init_cpu is None:
            self.init_cpu = self.cpu()
            self.expect_all()
        # Between two calls the process sleeps, so its CPU clock does not advance here.
        if self.calls > 1 and self.answered == self.settle:
            self.settled = self.cpu()
        if self.answered == self.calls:
            if self.settled is not None:
                self.sample.warm_cpu = (self.cpu() - self.settled) * 1000 / (self.calls - self.settle)
                self.sample.peak = self.memory("VmHWM:", "status")
            self.settled = None
            return None
        self.expected = list(self.recording.call)
        return http_answer(200, self.recording.event, {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": f"8476a536-e9f4-11e8-9739-{self.answered:012}",
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 10_000),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:bench",
            "Lambda-Runtime-Trace-Id": "Root=1-69a21501-0123456789abcdef01234567;Sampled=0",
        })

    def first_or_later_answer(self, answer):
        if self.sample is None:
            wall, cpu = time.perf_counter() - self.begin, self.cpu()
            resident, peak = self.memory("Rss:", "smaps_rollup"), self.memory("VmHWM:", "status")
            self.sample = Sample(wall * 1000, cpu, self.init_cpu, resident, max(resident, peak))
        if answer.get("statusCode") != 200:
            raise Failed(f"answered {answer}")
        self.expect_all()
        self.answered += 1

    def expect_all(self):
        """Every program makes the calls that the function made when it was recorded."""
        unasked = [] if self.elsewhere else [one.target for one in self.expected]
        if unasked:
            raise Failed(f"did not ask for {unasked}")

    def cpu(self):
        """User and system time of all of the process's threads, ended ones too, in milliseconds."""
        # The kernel's encoding of "the CPU clock of that process", as clock_getcpuclockid(3) returns it.
        return time.clock_gettime(~self.process << 3 | 2) * 1000

    def memory(self, name, file):
        for line in Path(f"/proc/{self.process}/{file}").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1000 * 1.024
        raise Failed(f"/proc/{self.process}/{file} has no {name}")


def aws(one):
    return http_answer(200, one.answer, {
        "Server": "Server",
        "Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
        "Content-Type": one.content_type,
        "Connection": "keep-alive",
        "x-amzn-RequestId": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGHIJKLMNOP",
        "x-amz-crc32": str(zlib.crc32(one.answer)),
    })


def http_answer(status, body, headers):
    lines = [f"HTTP/1.1 {status} OK", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
