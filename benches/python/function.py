"""The measured call with boto3, on the smallest loop that speaks the runtime API: Lambda's own runtime does more, so
this flatters Python."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import secrets
import string

import boto3

ALPHABET = string.ascii_letters + string.digits
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
KEY = b"0123456789abcdefghijklmnopqrstuvwxyz"
TOKENS, CLIENTS, PASSCODES = (os.environ[f"{name}_TABLE"] for name in ("TOKENS", "CLIENTS", "PASSCODES"))
dynamodb = boto3.client("dynamodb")


def answer(event):
    now = event["requestContext"]["timeEpoch"] // 1000
    token = event["headers"]["authorization"].removeprefix("Bearer ")
    named = token[1:].split(".")[0]
    client = base64.urlsafe_b64decode(named + "=" * (-len(named) % 4)).decode()
    found = dynamodb.batch_get_item(
        RequestItems={
            TOKENS: {"Keys": [{"digest": {"B": hashlib.sha256(token.encode()).digest()}}], "ConsistentRead": True},
            CLIENTS: {"Keys": [{"client_id": {"S": client}}], "ConsistentRead": True},
        }
    )["Responses"]
    if not found[TOKENS] or not found[CLIENTS]:
        return {"statusCode": 401, "body": ""}
    row, owner = found[TOKENS][0], found[CLIENTS][0]
    if int(row["expires_at"]["N"]) <= now or row["generation"] != owner["token_generation"]:
        return {"statusCode": 401, "body": ""}
    query = event["queryStringParameters"]
    if "passcode" not in row["scopes"]["S"].split() or query["client_id"] != client:
        return {"statusCode": 403, "body": ""}

    passcode = "".join(secrets.choice(ALPHABET) for _ in range(32))
    bound = json.dumps([client, query["username"], query["purpose"], passcode]).encode()
    handle = "".join(CROCKFORD[byte % 32] for byte in hmac.digest(KEY, bound, "sha256")[:16])
    dynamodb.put_item(
        TableName=PASSCODES,
        Item={
            "handle": {"S": handle},
            "id": {"S": f"01KJG00000{handle}"},
            "client_id": {"S": client},
            "issued_at": {"N": str(now)},
            "expires_at": {"N": str(now + 600)},
            "ttl": {"N": str(now + 87_000)},
        },
        ConditionExpression="attribute_not_exists(#key) OR #ttl <= :now",
        ExpressionAttributeNames={"#key": "handle", "#ttl": "ttl"},
        ExpressionAttributeValues={":now": {"N": str(now)}},
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    line = {"level": "info", "route": event["routeKey"], "status": 200, "actor": client, "subject": handle}
    print(json.dumps(line), flush=True)
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    body = json.dumps({"id": f"01KJG00000{handle}", "token": passcode})
    return {"statusCode": 200, "headers": headers, "body": body}


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


serve()
