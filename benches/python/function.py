"""The function's own requests with boto3, on a minimal loop over the runtime API: Lambda's own runtime does more, and the
function validates responses, so this favours Python."""

import base64
import http.client
import json
import os
from pathlib import Path

import boto3
from botocore import xform_name

# Clients by the prefix of a target.
CLIENTS = {"DynamoDB_20120810": boto3.client("dynamodb"), "secretsmanager": boto3.client("secretsmanager")}


def values(fields):
    """Binary values are base64 in a request, and bytes in boto3."""
    is_binary = fields.keys() == {"B"} and isinstance(fields["B"], str)
    return {"B": base64.b64decode(fields["B"])} if is_binary else fields


def calls(prefix):
    """Returns the calls of a service. BENCH_REQUESTS has a line per request: the target and its input."""
    lines = (line.split("\t") for line in Path(os.environ["BENCH_REQUESTS"]).read_text().splitlines())
    return [
        (getattr(CLIENTS[prefix], xform_name(target.removeprefix(f"{prefix}."))), json.loads(body, object_hook=values))
        for target, body in lines
        if target.startswith(f"{prefix}.")
    ]


def make(calls):
    for send, given in calls:
        send(**given)


CALLS = calls("DynamoDB_20120810")


def answer(event):
    make(CALLS)
    print(json.dumps({"level": "info", "route": event["routeKey"], "status": 200}), flush=True)
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return {"statusCode": 200, "headers": headers, "body": json.dumps({"token": "A" * 32})}


def serve():
    runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    base = "/2018-06-01/runtime/invocation"
    while True:
        runtime.request("GET", f"{base}/next")
        event = runtime.getresponse()
        request_id = event.headers["Lambda-Runtime-Aws-Request-Id"]
        reply = answer(json.load(event))
        runtime.request("POST", f"{base}/{request_id}/response", json.dumps(reply))
        runtime.getresponse().read()


make(calls("secretsmanager"))
serve()
