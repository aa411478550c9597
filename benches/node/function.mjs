// The function's own requests with the AWS SDK for JavaScript v3, on a minimal loop over the runtime API: Lambda's own
// runtime does more, and the function validates responses, so this favours Node.
import { readFileSync } from "node:fs";
import http from "node:http";
import {
  BatchGetItemCommand,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";

const dynamodb = new DynamoDBClient({});
const secrets = new SecretsManagerClient({});
// Clients and commands by the target of a request.
const COMMANDS = {
  "DynamoDB_20120810.BatchGetItem": [dynamodb, BatchGetItemCommand],
  "DynamoDB_20120810.DeleteItem": [dynamodb, DeleteItemCommand],
  "DynamoDB_20120810.GetItem": [dynamodb, GetItemCommand],
  "DynamoDB_20120810.PutItem": [dynamodb, PutItemCommand],
  "DynamoDB_20120810.TransactWriteItems": [dynamodb, TransactWriteItemsCommand],
  "DynamoDB_20120810.UpdateItem": [dynamodb, UpdateItemCommand],
  "secretsmanager.GetSecretValue": [secrets, GetSecretValueCommand],
};
// A line per request: the target and its input. Binary values are base64 there, and bytes in the SDK.
const bytes = (name, value) => (name === "B" && typeof value === "string" ? Buffer.from(value, "base64") : value);
const REQUESTS = readFileSync(process.env.BENCH_REQUESTS, "utf8")
  .split("\n")
  .filter(Boolean)
  .map((line) => line.split("\t"))
  .map(([target, input]) => [...COMMANDS[target], JSON.parse(input, bytes)]);

async function make(requests) {
  for (const [client, Command, input] of requests) await client.send(new Command(input));
}

async function answer(event) {
  await make(REQUESTS.filter(([client]) => client === dynamodb));
  console.log(JSON.stringify({ level: "info", route: event.routeKey, status: 200 }));
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return { statusCode: 200, headers, body: JSON.stringify({ token: "A".repeat(32) }) };
}

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function runtime(method, path, body = "") {
  return new Promise((resolve, reject) => {
    const headers = body ? { "content-length": Buffer.byteLength(body) } : {};
    const request = http.request({ host, port, method, path: `/2018-06-01/runtime/invocation/${path}`, agent, headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, text: Buffer.concat(chunks).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function serve() {
  await make(REQUESTS.filter(([client]) => client === secrets));
  for (;;) {
    const next = await runtime("GET", "next");
    const reply = await answer(JSON.parse(next.text));
    await runtime("POST", `${next.headers["lambda-runtime-aws-request-id"]}/response`, JSON.stringify(reply));
  }
}
serve();
