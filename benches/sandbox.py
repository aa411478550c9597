"""A Lambda sandbox for one process: the runtime API, DynamoDB and Secrets Manager with canned answers, and the
process's own CPU time and memory as the kernel counts them. Linux, CPython 3.10 or later."""

import base64
import hashlib
import json
import os
import selectors
import signal
import socket
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 60
"""Seconds after which a process that says nothing is given up."""

CLIENT = "heatclinic"
TOKEN = "c" + base64.urlsafe_b64encode(CLIENT.encode()).decode().rstrip("=") + "." + "A" * 43
DIGEST = base64.b64encode(hashlib.sha256(TOKEN.encode()).digest()).decode()
NOW = 1_772_230_017
"""The event's time, in seconds. Functions judge by it, so canned rows stay good for ever."""

EVENT = json.dumps({
    "version": "2.0",
    "routeKey": "GET /passcode/retrieve",
    "rawPath": "/passcode/retrieve",
    "rawQueryString": f"client_id={CLIENT}&purpose=TEST_PURPOSE&username=test%40test.com",
    "headers": {
        "accept": "*/*",
        "authorization": f"Bearer {TOKEN}",
        "content-length": "0",
        "host": "api.example.com",
        "user-agent": "curl/8.5.0",
        "x-amzn-trace-id": "Root=1-69a21501-0123456789abcdef01234567",
        "x-forwarded-for": "192.0.2.1",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    },
    "queryStringParameters": {"client_id": CLIENT, "purpose": "TEST_PURPOSE", "username": "test@test.com"},
    "requestContext": {
        "accountId": "123456789012",
        "apiId": "abcdefghij",
        "domainName": "api.example.com",
        "domainPrefix": "api",
        "http": {
            "method": "GET",
            "path": "/passcode/retrieve",
            "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.1",
            "userAgent": "curl/8.5.0",
        },
        "requestId": "JKJaXmPLvHcESHA=",
        "routeKey": "GET /passcode/retrieve",
        "stage": "$default",
        "time": "27/Feb/2026:22:06:57 +0000",
        "timeEpoch": NOW * 1000,
    },
    "isBase64Encoded": False,
}).encode()

CANNED = {
    "DynamoDB_20120810.BatchGetItem": {
        "Responses": {
            "tokens": [{
                "digest": {"B": DIGEST},
                "client_id": {"S": CLIENT},
                "kind": {"S": "access_token"},
                "scopes": {"S": "passcode"},
                "generation": {"N": "0"},
                "issued_at": {"N": str(NOW - 60)},
                "expires_at": {"N": str(NOW + 86_400)},
                "ttl": {"N": str(NOW + 8 * 86_400)},
            }],
            "clients": [{
                "client_id": {"S": CLIENT},
                "secret_digest": {"B": DIGEST},
                "scopes": {"S": "passcode"},
                "token_generation": {"N": "0"},
                "inserted_at": {"N": str(NOW - 3600)},
            }],
        },
        "UnprocessedKeys": {},
    },
    "DynamoDB_20120810.PutItem": {},
    "secretsmanager.GetSecretValue": {
        "ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:passcodes-AbCdEf",
        "Name": "passcodes",
        "VersionId": "00000000-0000-4000-8000-000000000000",
        "SecretString": json.dumps({"1": "0123456789abcdefghijklmnopqrstuvwxyz"}),
        "VersionStages": ["AWSCURRENT"],
        "CreatedDate": NOW - 3600,
    },
}

CALLS = ["DynamoDB_20120810.BatchGetItem", "DynamoDB_20120810.PutItem"]
"""What everybody has to ask for in one call, in this order."""


class Failed(Exception):
    """The process did not do what it is measured for."""


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


def environment(port):
    """The variables that Lambda and the template would set, and nothing of the caller's own."""
    at = f"127.0.0.1:{port}"
    return {
        "PATH": os.environ.get("PATH", ""),
        "AWS_LAMBDA_RUNTIME_API": at,
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench",
        "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "x" * 400,
        "AWS_ENDPOINT_URL_DYNAMODB": f"http://{at}",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://{at}",
        "TOKENS_TABLE": "tokens",
        "USERS_TABLE": "users",
        "CLIENTS_TABLE": "clients",
        "PASSCODES_TABLE": "passcodes",
        "PASSCODE_KEYS_SECRET": "passcodes",
    }


def run(command, calls=1, settle=0):
    """Starts `command`, lets it answer `settle + calls` calls, ends it. With several calls, the CPU time of those after
    the first `settle` is taken too."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener, tempfile.TemporaryFile() as errors:
        sandbox = Sandbox(listener, settle + calls, settle)
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, errors.fileno(), 2),
        ]
        variables = environment(listener.getsockname()[1])
        sandbox.begin = time.perf_counter()
        sandbox.process = os.posix_spawn(command[0], command, variables, file_actions=actions)
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

    def __init__(self, listener, calls, settle):
        self.listener, self.calls, self.settle = listener, calls, settle
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)
        self.buffers = {}
        self.asked = []
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
        if target in CANNED:
            if not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
                raise Failed(f"did not sign {target}")
            self.asked.append(target)
            return aws(CANNED[target])
        if method == "GET" and path.endswith("/invocation/next"):
            return self.next()
        if method == "POST" and path.endswith("/response"):
            self.first_or_later_answer(json.loads(body))
            return http(202, b'{"status":"OK"}', {})
        raise Failed(f"asked for {method} {path}: {body[:400].decode(errors='replace')}")

    def next(self):
        if self.init_cpu is None:
            self.init_cpu = self.cpu()
            self.asked.clear()
        # Between two calls the process sleeps, so its clock stands still here.
        if self.calls > 1 and self.answered == self.settle:
            self.settled = self.cpu()
        if self.answered == self.calls:
            if self.settled is not None:
                self.sample.warm_cpu = (self.cpu() - self.settled) * 1000 / (self.calls - self.settle)
                self.sample.peak = self.memory("VmHWM:", "status")
            self.settled = None
            return None
        return http(200, EVENT, {
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
        if answer.get("statusCode") != 200 or self.asked != CALLS:
            raise Failed(f"answered {answer} after {self.asked}")
        self.asked.clear()
        self.answered += 1

    def cpu(self):
        """User and system time of all of the process's threads, ended ones too, in milliseconds."""
        # The kernel's encoding of "the CPU clock of that process", as clock_getcpuclockid(3) returns it.
        return time.clock_gettime(~self.process << 3 | 2) * 1000

    def memory(self, name, file):
        for line in Path(f"/proc/{self.process}/{file}").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1000 * 1.024
        raise Failed(f"/proc/{self.process}/{file} has no {name}")


def aws(document):
    body = json.dumps(document, separators=(",", ":")).encode()
    return http(200, body, {
        "Server": "Server",
        "Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
        "Content-Type": "application/x-amz-json-1.0",
        "Connection": "keep-alive",
        "x-amzn-RequestId": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGHIJKLMNOP",
        "x-amz-crc32": str(zlib.crc32(body)),
    })


def http(status, body, headers):
    lines = [f"HTTP/1.1 {status} OK", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
