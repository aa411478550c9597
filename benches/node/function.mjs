// The measured call with the AWS SDK for JavaScript v3, on the smallest loop that speaks the runtime API: Lambda's own
// runtime does more, so this flatters Node.
import { createHash, createHmac, randomInt } from "node:crypto";
import http from "node:http";
import { BatchGetItemCommand, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const KEY = "0123456789abcdefghijklmnopqrstuvwxyz";
const { TOKENS_TABLE, CLIENTS_TABLE, PASSCODES_TABLE } = process.env;
const dynamodb = new DynamoDBClient({});

async function answer(event) {
  const now = Math.floor(event.requestContext.timeEpoch / 1000);
  const [, token] = /^Bearer (.+)$/.exec(event.headers.authorization);
  const client = Buffer.from(token.slice(1).split(".")[0], "base64url").toString();
  const digest = createHash("sha256").update(token).digest();
  const found = await dynamodb.send(
    new BatchGetItemCommand({
      RequestItems: {
        [TOKENS_TABLE]: { Keys: [{ digest: { B: digest } }], ConsistentRead: true },
        [CLIENTS_TABLE]: { Keys: [{ client_id: { S: client } }], ConsistentRead: true },
      },
    }),
  );
  const [row] = found.Responses[TOKENS_TABLE];
  const [owner] = found.Responses[CLIENTS_TABLE];
  if (!row || !owner || Number(row.expires_at.N) <= now || row.generation.N !== owner.token_generation.N) {
    return { statusCode: 401, body: "" };
  }
  const query = event.queryStringParameters;
  if (!row.scopes.S.split(" ").includes("passcode") || query.client_id !== client) return { statusCode: 403, body: "" };

  const passcode = Array.from({ length: 32 }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
  const bound = JSON.stringify([client, query.username, query.purpose, passcode]);
  const handle = Array.from(createHmac("sha256", KEY).update(bound).digest().subarray(0, 16), (b) => CROCKFORD[b % 32]).join("");
  const id = `01KJG00000${handle}`;
  await dynamodb.send(
    new PutItemCommand({
      TableName: PASSCODES_TABLE,
      Item: {
        handle: { S: handle },
        id: { S: id },
        client_id: { S: client },
        issued_at: { N: String(now) },
        expires_at: { N: String(now + 600) },
        ttl: { N: String(now + 87_000) },
      },
      ConditionExpression: "attribute_not_exists(#key) OR #ttl <= :now",
      ExpressionAttributeNames: { "#key": "handle", "#ttl": "ttl" },
      ExpressionAttributeValues: { ":now": { N: String(now) } },
      ReturnValuesOnConditionCheckFailure: "ALL_OLD",
    }),
  );
  console.log(JSON.stringify({ level: "info", route: event.routeKey, status: 200, actor: client, subject: id }));
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return { statusCode: 200, headers, body: JSON.stringify({ id, token: passcode }) };
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
  for (;;) {
    const next = await runtime("GET", "next");
    const reply = await answer(JSON.parse(next.text));
    await runtime("POST", `${next.headers["lambda-runtime-aws-request-id"]}/response`, JSON.stringify(reply));
  }
}
serve();
