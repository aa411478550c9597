#!/usr/bin/env node
// Runs the whole life of verifications on a running local cloud with the client `twilio` of npm, unchanged but for the base URL.
//
//     npm ci --prefix tests/clients --ignore-scripts
//     cargo local                                          # in another terminal
//     node tests/clients/twilio.mjs [http://127.0.0.1:3000 [CHECK...]]
//
// Starts no server. Exits with 0 if every check passes, 1 if one fails, and 77 without the client. It creates services and advances
// the local clock by some hours. `twilio_life.py` makes the same checks with the client of PyPI. TWILIO_FOLDER names the folder of
// node_modules, if it is another than this one.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const SKIPPED = 77;
const BASE = (process.argv[2] ?? "http://127.0.0.1:3000").replace(/\/+$/, "");
// No proxy: the server runs on this machine.
for (const name of ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"]) delete process.env[name];

const load = createRequire(process.env.TWILIO_FOLDER ? `${process.env.TWILIO_FOLDER}/` : fileURLToPath(import.meta.url));
let twilio;
try {
  twilio = load("twilio");
} catch (error) {
  if (error.code !== "MODULE_NOT_FOUND") throw error;
  console.error("SKIPPED: no client of npm was tried: npm ci --prefix tests/clients --ignore-scripts");
  process.exit(SKIPPED);
}

// ---- The local cloud ------------------------------------------------------------------------------------------------------

async function local(path, body) {
  const answer = await fetch(`${BASE}/_local/${path}`, body && { method: "POST", body: JSON.stringify(body) });
  return answer.json();
}

const advance = (seconds) => local("clock", { advance_seconds: seconds });

/** The texts of all messages to a destination, oldest first. */
const messagesTo = async (to) => (await local("messages")).filter((message) => message.to === to).map((message) => message.text);

/** The only code of a message: that of the last line of a text message, or the one alone on a line of a mail. */
function codeIn(text) {
  const codes = new Set(text.match(/(?<![0-9])[0-9]{4,10}(?![0-9])/g));
  assert.equal(codes.size, 1, text);
  return [...codes][0];
}

const codeTo = async (to) => codeIn((await messagesTo(to)).at(-1));

const otherThan = (code, n = 1) => String((Number(code) + n) % 10 ** code.length).padStart(code.length, "0");

// ---- What checks share ----------------------------------------------------------------------------------------------------

const VERIFY = (await local("identities")).verify;
let next = Math.floor(Date.now() / 1000) % 900_000;

function client(user, secret, account) {
  const made = twilio(user, secret, account && { accountSid: account });
  made.verify.baseUrl = BASE;
  return made;
}

const V2 = client(VERIFY.account_sid, VERIFY.auth_token).verify.v2;

const isSid = (text, letters) => assert.match(text, new RegExp(`^${letters}[0-9a-f]{32}$`));

async function isNow(at) {
  assert.ok(at instanceof Date, String(at));
  const now = new Date((await local("clock")).now);
  assert.ok(Math.abs(now - at) < 60_000, `${at} is not ${now}`);
}

/** Checks that a call throws the client's typed error; returns its message. */
async function throws(status, code, call) {
  let found;
  try {
    found = await call();
  } catch (error) {
    if (!(error instanceof twilio.RestException)) throw error;
    const moreInfo = `https://www.twilio.com/docs/errors/${code}`;
    assert.deepEqual([error.status, error.code, error.moreInfo], [status, code, moreInfo], error.message);
    return error.message;
  }
  assert.fail(`${JSON.stringify(found)} is no error ${code}`);
}

/** A number without history. An hour has room for three messages that are not verified, so it is another hour. */
async function newPhone() {
  await advance(3_700);
  return `+38050${3_000_000 + next++}`;
}

const newAddress = () => `npm${next++}@example.org`;

const newService = (options = {}) => V2.services.create({ friendlyName: "Example", ...options });

const start = (service, to, options = {}) =>
  V2.services(service.sid).verifications.create({ to, channel: to.includes("@") ? "email" : "sms", ...options });

const check = (service, options) => V2.services(service.sid).verificationChecks.create(options);

async function checks(expected, service, options) {
  const checked = await check(service, options);
  assert.deepEqual([checked.status, checked.valid], expected);
  return checked;
}

const WRONG = ["pending", false];
const RIGHT = ["approved", true];

// ---- Checks ---------------------------------------------------------------------------------------------------------------

async function aWrongCredentialIsATypedError() {
  const none = (letters) => letters + "0".repeat(32);
  for (const wrong of [
    client(VERIFY.account_sid, "0".repeat(32)),
    client(VERIFY.account_sid, VERIFY.auth_token.slice(0, -1)),
    client(none("AC"), VERIFY.auth_token),
    client(none("SK"), VERIFY.auth_token, VERIFY.account_sid),
  ]) {
    const { services } = wrong.verify.v2;
    assert.match(await throws(401, 20003, () => services.list()), /Authenticate/);
    await throws(401, 20003, () => services(VERIFY.service_sid).fetch());
    const to = "+380501234567";
    await throws(401, 20003, () => services(VERIFY.service_sid).verifications.create({ to, channel: "sms" }));
  }
}

async function aServiceIsCreatedReadChangedAndDeleted() {
  const made = await V2.services.create({
    friendlyName: "Life of a service",
    codeLength: 8,
    customCodeEnabled: true,
    psd2Enabled: true,
    doNotShareWarningEnabled: true,
    "totp.issuer": "Life",
    "totp.timeStep": 40,
    "totp.codeLength": 7,
    "totp.skew": 2,
  });
  isSid(made.sid, "VA");
  assert.equal(made.accountSid, VERIFY.account_sid);
  await isNow(made.dateCreated);
  assert.equal(made.url, `${BASE}/v2/Services/${made.sid}`);
  assert.equal(made.links.verifications, `${made.url}/Verifications`);
  assert.deepEqual(made.totp, { issuer: "Life", time_step: 40, code_length: 7, skew: 2 });
  const read = await V2.services(made.sid).fetch();
  for (const found of [made, read]) {
    assert.deepEqual([found.friendlyName, found.codeLength], ["Life of a service", 8]);
    assert.deepEqual([found.customCodeEnabled, found.psd2Enabled, found.doNotShareWarningEnabled], [true, true, true]);
    assert.deepEqual([found.lookupEnabled, found.skipSmsToLandlines, found.dtmfInputRequired], [false, false, true]);
  }
  const changed = await V2.services(made.sid).update({ friendlyName: "Another name", codeLength: 4, customCodeEnabled: false });
  assert.deepEqual([changed.friendlyName, changed.codeLength, changed.customCodeEnabled], ["Another name", 4, false]);
  assert.deepEqual([changed.psd2Enabled, changed.totp, changed.dateCreated], [true, made.totp, made.dateCreated]);
  assert.equal((await V2.services(made.sid).fetch()).friendlyName, "Another name");
  assert.equal(await V2.services(made.sid).remove(), true);
  const missing = await throws(404, 20404, () => V2.services(made.sid).fetch());
  assert.ok(missing.includes(`/v2/Services/${made.sid} was not found`), missing);
  await throws(404, 20404, () => V2.services(made.sid).remove());
  await throws(404, 20404, () => V2.services(made.sid).update({ friendlyName: "x" }));
}

async function servicesAreListedPageByPage() {
  const made = [];
  for (const n of [0, 1, 2]) made.push((await newService({ friendlyName: `Page ${n}` })).sid);
  const sids = (services) => services.map((service) => service.sid);
  const everything = sids(await V2.services.list());
  for (const sid of [VERIFY.service_sid, ...made]) assert.ok(everything.includes(sid), sid);
  for (const pageSize of [1, 2, everything.length]) assert.deepEqual(sids(await V2.services.list({ pageSize })), everything);
  assert.equal((await V2.services.list({ limit: 2 })).length, 2);
  const first = await V2.services.page({ pageSize: 1 });
  const second = await first.nextPage();
  assert.deepEqual(sids(second.instances), everything.slice(1, 2));
  assert.deepEqual(sids((await second.previousPage()).instances), everything.slice(0, 1));
  for (const sid of made) await V2.services(sid).remove();
  assert.ok(!sids(await V2.services.list()).some((sid) => made.includes(sid)));
}

async function aServiceWithInvalidParametersIsRefused() {
  for (const options of [
    { friendlyName: "x".repeat(33) },
    { friendlyName: "two\nlines" },
    { friendlyName: "x", codeLength: 3 },
    { friendlyName: "x", codeLength: 11 },
    { friendlyName: "x", "totp.skew": 3 },
  ])
    await throws(400, 60200, () => V2.services.create(options));
  const push = { friendlyName: "x", "push.apnCredentialSid": "CR" + "0".repeat(32) };
  await throws(403, 60204, () => V2.services.create(push));
  await throws(404, 20404, () => V2.services("VA" + "0".repeat(32)).fetch());
}

async function aPhoneIsVerifiedByTextMessage() {
  const [service, phone] = [await newService(), await newPhone()];
  const begun = await start(service, phone);
  isSid(begun.sid, "VE");
  assert.deepEqual([begun.serviceSid, begun.accountSid, begun.to], [service.sid, VERIFY.account_sid, phone]);
  assert.deepEqual([begun.channel, begun.status, begun.valid], ["sms", "pending", false]);
  assert.deepEqual([begun.amount, begun.payee, begun.lookup, begun.sna], [null, null, {}, null]);
  await isNow(begun.dateCreated);
  assert.equal(begun.sendCodeAttempts.length, 1);
  isSid(begun.sendCodeAttempts[0].attempt_sid, "VL");
  assert.equal(begun.url, `${service.url}/Verifications/${begun.sid}`);
  const texts = await messagesTo(phone);
  assert.equal(texts.length, 1);
  const code = codeIn(texts[0]);
  assert.equal(code.length, 6);
  assert.ok(texts[0].includes("Example"), texts[0]);
  await checks(WRONG, service, { to: phone, code: otherThan(code) });
  const approved = await checks(RIGHT, service, { to: phone, code });
  assert.deepEqual([approved.sid, approved.to, approved.channel], [begun.sid, phone, "sms"]);
  assert.deepEqual(approved.snaAttemptsErrorCodes, []);
  const missing = await throws(404, 20404, () => check(service, { to: phone, code }));
  assert.ok(missing.includes("/VerificationCheck was not found"), missing);
  await throws(404, 20404, () => check(service, { verificationSid: begun.sid, code }));
}

async function anAddressIsVerifiedByMail() {
  const [service, address] = [await newService({ codeLength: 10 }), newAddress()];
  const begun = await start(service, address);
  assert.deepEqual([begun.channel, begun.status, begun.valid, begun.to], ["email", "pending", false, address]);
  const code = await codeTo(address);
  assert.equal(code.length, 10);
  await checks(WRONG, service, { to: address, code: otherThan(code) });
  await checks(RIGHT, service, { to: address, code });
  await throws(404, 20404, () => check(service, { to: address, code }));
}

async function theAutomaticChannelFollowsTheDestination() {
  const service = await newService();
  for (const [to, channel] of [[await newPhone(), "sms"], [newAddress(), "email"]]) {
    assert.equal((await start(service, to, { channel: "auto" })).channel, channel);
    await checks(RIGHT, service, { to, code: await codeTo(to) });
  }
}

async function aVerificationIsReadByItsSidAndByItsDestination() {
  const service = await newService();
  const { verifications } = V2.services(service.sid);
  for (const to of [await newPhone(), newAddress()]) {
    const begun = await start(service, to);
    for (const name of [begun.sid, to]) {
      const read = await verifications(name).fetch();
      assert.deepEqual([read.sid, read.to, read.status, read.valid], [begun.sid, to, "pending", false]);
      assert.deepEqual([read.sendCodeAttempts, read.dateCreated], [begun.sendCodeAttempts, begun.dateCreated]);
    }
    await checks(RIGHT, service, { verificationSid: begun.sid, code: await codeTo(to) });
  }
  await throws(404, 20404, () => verifications("VE" + "0".repeat(32)).fetch());
  await throws(404, 20404, () => verifications("+380509999999").fetch());
  await throws(404, 20404, () => check(service, { to: "+380509999999", code: "123456" }));
}

async function aResendRepeatsTheCodeOfTheSameVerification() {
  const [service, phone] = [await newService(), await newPhone()];
  const begun = await start(service, phone);
  await advance(61);
  const again = await start(service, phone);
  assert.deepEqual([again.sid, again.dateCreated, again.status], [begun.sid, begun.dateCreated, "pending"]);
  assert.ok(again.dateUpdated > begun.dateUpdated);
  assert.deepEqual(again.sendCodeAttempts[0], begun.sendCodeAttempts[0]);
  assert.equal(new Set(again.sendCodeAttempts.map((attempt) => attempt.attempt_sid)).size, 2);
  const codes = (await messagesTo(phone)).map(codeIn);
  assert.deepEqual(codes, [codes[0], codes[0]]);
  await checks(RIGHT, service, { to: phone, code: codes[0] });
  // The next one is another verification.
  await advance(61);
  const other = await start(service, phone);
  assert.ok(other.sid !== begun.sid && other.sendCodeAttempts.length === 1);
  await checks(RIGHT, service, { to: phone, code: await codeTo(phone) });
}

async function aVerificationExpiresAfterTenMinutes() {
  const [service, late, early] = [await newService(), newAddress(), newAddress()];
  await start(service, early);
  await advance(590);
  await checks(RIGHT, service, { to: early, code: await codeTo(early) });
  const begun = await start(service, late);
  const code = await codeTo(late);
  await advance(610);
  await throws(404, 20404, () => check(service, { to: late, code }));
  await throws(404, 20404, () => check(service, { verificationSid: begun.sid, code }));
}

async function aVerificationIsCanceled() {
  const [service, phone] = [await newService(), await newPhone()];
  const begun = await start(service, phone);
  const canceled = await V2.services(service.sid).verifications(begun.sid).update({ status: "canceled" });
  assert.deepEqual([canceled.sid, canceled.status, canceled.valid], [begun.sid, "canceled", false]);
  const code = await codeTo(phone);
  await throws(404, 20404, () => check(service, { to: phone, code }));
  assert.notEqual((await start(service, phone)).sid, begun.sid);
  await checks(RIGHT, service, { to: phone, code: await codeTo(phone) });
}

async function aVerificationIsApprovedByItsAccount() {
  const [service, address] = [await newService(), newAddress()];
  const begun = await start(service, address);
  const named = V2.services(service.sid).verifications(address);
  const approved = await named.update({ status: "approved" });
  assert.deepEqual([approved.sid, approved.status, approved.valid], [begun.sid, "approved", true]);
  const code = await codeTo(address);
  await throws(404, 20404, () => check(service, { to: address, code }));
  await throws(404, 20404, () => named.update({ status: "canceled" }));
}

async function aVerificationWithInvalidParametersIsRefused() {
  const [service, address] = [await newService(), newAddress()];
  for (const [to, channel] of [["12", "sms"], ["+380501", "sms"], ["no address", "email"], [address, "sms"], [address, "pigeon"]])
    assert.match(await throws(400, 60200, () => start(service, to, { channel })), /Invalid parameter: /);
  for (const channel of ["call", "whatsapp"]) await throws(400, 60223, () => start(service, "+380501234567", { channel }));
  await throws(403, 60605, () => start(service, "+33612345678"));
  await throws(403, 60204, () => start(service, address, { customCode: "918273" }));
  await throws(404, 20404, () => start({ sid: "VA" + "0".repeat(32) }, address));
  await start(service, address);
  for (const options of [{ code: "123456" }, { to: address }, { to: address, code: "" }, { to: address, code: "123" }])
    await throws(400, 60200, () => check(service, options));
  await throws(400, 60425, () => check(service, { verificationSid: "VE123", code: "123456" }));
  await throws(400, 60200, () => V2.services(service.sid).verifications(address).update({ status: "pending" }));
}

async function fiveWrongCodesEndAVerification() {
  const [service, address] = [await newService(), newAddress()];
  const begun = await start(service, address);
  const code = await codeTo(address);
  for (const n of [1, 2, 3, 4, 5]) await checks(WRONG, service, { to: address, code: otherThan(code, n) });
  await throws(429, 60202, () => check(service, { to: address, code }));
  await throws(429, 60202, () => check(service, { verificationSid: begun.sid, code }));
  await advance(601);
  await throws(404, 20404, () => check(service, { to: address, code }));
}

async function fiveMessagesAreSentInTenMinutes() {
  const [service, address] = [await newService(), newAddress()];
  const sids = new Set();
  for (const n of [1, 2, 3, 4, 5]) {
    const begun = await start(service, address);
    assert.equal(begun.sendCodeAttempts.length, n);
    sids.add(begun.sid);
    await advance(61);
  }
  assert.equal(sids.size, 1);
  await throws(429, 60203, () => start(service, address));
  assert.equal((await messagesTo(address)).length, 5);
  await checks(RIGHT, service, { to: address, code: await codeTo(address) });
  // The approval does not make room for more.
  await throws(429, 60203, () => start(service, address));
}

async function aCodeOfTheCallerIsSentAndAccepted() {
  const [service, phone] = [await newService({ customCodeEnabled: true }), await newPhone()];
  await start(service, phone, { customCode: "91827364" });
  assert.equal(await codeTo(phone), "91827364");
  await checks(WRONG, service, { to: phone, code: "91827365" });
  await checks(RIGHT, service, { to: phone, code: "91827364" });
}

async function aPaymentIsPartOfItsCode() {
  const [service, phone] = [await newService({ psd2Enabled: true }), await newPhone()];
  const [amount, payee] = ["€39.99", "Acme Inc"];
  const begun = await start(service, phone, { amount, payee });
  assert.deepEqual([begun.amount, begun.payee], [amount, payee]);
  const [text] = await messagesTo(phone);
  assert.ok(text.includes(amount) && text.includes(payee), text);
  const code = codeIn(text);
  await checks(WRONG, service, { to: phone, code });
  await checks(WRONG, service, { to: phone, code, amount: "€39.98", payee });
  await checks(WRONG, service, { to: phone, code, amount, payee: "Acme" });
  const approved = await checks(RIGHT, service, { to: phone, code, amount, payee });
  assert.deepEqual([approved.amount, approved.payee], [amount, payee]);
}

async function aMessageHasItsLanguageNameWarningAndApp() {
  const [service, phone] = [await newService({ friendlyName: "Plain", doNotShareWarningEnabled: true }), await newPhone()];
  const appHash = "FA+9qCX9VSu";
  await start(service, phone, { customFriendlyName: "Special", locale: "uk", appHash });
  const special = (await messagesTo(phone)).at(-1);
  assert.ok(special.includes("Special") && !special.includes("Plain"), special);
  assert.ok(special.includes("ваш код") && special.includes("Нікому"), special);
  assert.ok(special.endsWith(`\n${appHash}`), special);
  await advance(61);
  await start(service, phone, { locale: "en", tags: '{"order": "17"}', deviceIp: "192.0.2.1", riskCheck: "disable" });
  const plain = (await messagesTo(phone)).at(-1);
  assert.ok(plain.includes("Plain") && plain.includes("Do not share it"), plain);
  await checks(RIGHT, service, { to: phone, code: codeIn(plain) });
}

async function aRateLimitHasALifeAndLimitsItsValues() {
  const service = await newService();
  const { rateLimits } = V2.services(service.sid);
  const made = await rateLimits.create({ uniqueName: "end_user_ip", description: "One address" });
  isSid(made.sid, "RK");
  assert.deepEqual([made.uniqueName, made.description, made.serviceSid], ["end_user_ip", "One address", service.sid]);
  assert.equal((await rateLimits(made.sid).update({ description: "The same" })).description, "The same");
  assert.equal((await rateLimits(made.sid).fetch()).description, "The same");
  assert.deepEqual((await rateLimits.list()).map((limit) => limit.sid), [made.sid]);
  const { buckets } = rateLimits(made.sid);
  const bucket = await buckets.create({ max: 2, interval: 60 });
  isSid(bucket.sid, "BL");
  assert.deepEqual([bucket.max, bucket.interval, bucket.rateLimitSid], [2, 60, made.sid]);
  await buckets(bucket.sid).update({ max: 1, interval: 120 });
  assert.equal((await buckets(bucket.sid).fetch()).max, 1);
  assert.deepEqual((await buckets.list()).map((found) => found.interval), [120]);

  const [one, other] = [{ end_user_ip: "192.0.2.1" }, { end_user_ip: "192.0.2.2" }];
  await start(service, newAddress(), { rateLimits: one });
  await throws(429, 20429, () => start(service, newAddress(), { rateLimits: one }));
  await start(service, newAddress(), { rateLimits: other });
  await advance(121);
  await start(service, newAddress(), { rateLimits: one });
  await throws(400, 60200, () => start(service, newAddress(), { rateLimits: { unknown: "x" } }));

  await throws(400, 60200, () => buckets.create({ max: 0, interval: 60 }));
  await throws(400, 60200, () => buckets.create({ max: 1, interval: 0 }));
  assert.equal(await buckets(bucket.sid).remove(), true);
  await throws(404, 20404, () => buckets(bucket.sid).fetch());
  assert.equal(await rateLimits(made.sid).remove(), true);
  await throws(404, 20404, () => rateLimits(made.sid).fetch());
  await throws(400, 60200, () => start(service, newAddress(), { rateLimits: one }));
}

async function attemptsAreListedAndCounted() {
  const [service, phone, address] = [await newService(), await newPhone(), newAddress()];
  const [begun, mailed] = [await start(service, phone), await start(service, address)];
  await checks(RIGHT, service, { to: phone, code: await codeTo(phone) });
  const verifyServiceSid = service.sid;
  const listed = await V2.verificationAttempts.list({ verifyServiceSid });
  assert.deepEqual(listed.map((attempt) => attempt.verificationSid).sort(), [begun.sid, mailed.sid].sort());
  assert.equal((await V2.verificationAttempts.list({ verifyServiceSid, pageSize: 1 })).length, 2);
  const [converted, ...others] = await V2.verificationAttempts.list({ verifyServiceSid, status: "converted" });
  assert.equal(others.length, 0);
  const found = [converted.verificationSid, converted.channel, converted.conversionStatus];
  assert.deepEqual(found, [begun.sid, "sms", "converted"]);
  assert.deepEqual([converted.sid, converted.serviceSid], [begun.sendCodeAttempts[0].attempt_sid, service.sid]);
  assert.equal(converted.channelData.to, phone);
  await isNow(converted.dateCreated);
  const open = await V2.verificationAttempts.list({ verificationSid: mailed.sid });
  assert.deepEqual(open.map((one) => [one.channel, one.conversionStatus]), [["email", "unconverted"]]);
  const read = await V2.verificationAttempts(converted.sid).fetch();
  assert.deepEqual([read.sid, read.conversionStatus, read.url], [converted.sid, "converted", `${BASE}/v2/Attempts/${read.sid}`]);
  await throws(404, 20404, () => V2.verificationAttempts("VL" + "0".repeat(32)).fetch());
  const summary = await V2.verificationAttemptsSummary().fetch({ verifyServiceSid });
  assert.deepEqual([summary.totalAttempts, summary.totalConverted, summary.totalUnconverted], [2, 1, 1]);
  assert.equal(Number(summary.conversionRatePercentage), 50);
  const dateCreatedAfter = new Date("2090-01-01T00:00:00Z");
  assert.deepEqual(await V2.verificationAttempts.list({ verifyServiceSid, dateCreatedAfter }), []);
}

/** The code of a factor at a step, counted from the current one of the local clock (RFC 6238, SHA-1, 30 seconds, 6 digits). */
async function totp({ binding }, steps = 0) {
  const bits = [...binding.secret].map((symbol) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(symbol).toString(2).padStart(5, "0"));
  const key = Buffer.from(bits.join("").match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  const seconds = Math.floor(new Date((await local("clock")).now).getTime() / 1000);
  counter.writeBigUInt64BE(BigInt(Math.floor(seconds / 30) + steps));
  const digest = createHmac("sha1", key).update(counter).digest();
  const word = digest.readUInt32BE(digest.at(-1) & 15) & 0x7fffffff;
  return String(word % 1_000_000).padStart(6, "0");
}

const newIdentity = () => `npm-${String(next++).padStart(8, "0")}`;

async function newFactor(service, identity) {
  const entity = V2.services(service.sid).entities(identity);
  return [entity, await entity.newFactors.create({ friendlyName: "Phone", factorType: "totp" })];
}

async function anEntityHasALife() {
  const [service, identity] = [await newService(), newIdentity()];
  const { entities } = V2.services(service.sid);
  const made = await entities.create({ identity });
  isSid(made.sid, "YE");
  await isNow(made.dateCreated);
  assert.deepEqual([made.identity, made.serviceSid, made.url], [identity, service.sid, `${service.url}/Entities/${identity}`]);
  assert.equal((await entities(identity).fetch()).sid, made.sid);
  await throws(400, 60200, () => entities.create({ identity }));
  const others = [identity];
  for (let n = 0; n < 3; n += 1) others.push((await entities.create({ identity: newIdentity() })).identity);
  for (const pageSize of [1, 3, 50]) {
    assert.deepEqual((await entities.list({ pageSize })).map((found) => found.identity), others.sort());
  }
  assert.equal(await entities(identity).remove(), true);
  await throws(404, 20404, () => entities(identity).fetch());
  assert.equal((await entities.list()).length, 3);
}

async function aFactorIsCreatedVerifiedChangedAndDeleted() {
  const [service, identity] = [await newService({ friendlyName: "Shop" }), newIdentity()];
  const [entity, made] = await newFactor(service, identity);
  isSid(made.sid, "YF");
  assert.deepEqual([made.identity, made.friendlyName, made.factorType, made.status], [identity, "Phone", "totp", "unverified"]);
  assert.deepEqual(made.config, { alg: "sha1", skew: 1, code_length: 6, time_step: 30 });
  assert.ok(made.binding.uri.startsWith(`otpauth://totp/Shop:Phone?secret=${made.binding.secret}&`), made.binding.uri);
  const factor = entity.factors(made.sid);
  assert.equal((await factor.update({ authPayload: otherThan(await totp(made)) })).status, "unverified");
  assert.equal((await factor.update({ authPayload: await totp(made) })).status, "verified");
  await throws(400, 60200, async () => factor.update({ authPayload: await totp(made, 1) }));
  const changed = await factor.update({ friendlyName: "Tablet", "config.skew": 2 });
  assert.equal(changed.friendlyName, "Tablet");
  const read = await factor.fetch();
  assert.deepEqual([read.friendlyName, read.status, read.binding], ["Tablet", "verified", undefined]);
  assert.deepEqual((await entity.factors.list()).map((found) => found.sid), [made.sid]);
  assert.equal(await factor.remove(), true);
  await throws(404, 20404, () => factor.fetch());
  await throws(403, 60204, () => entity.newFactors.create({ friendlyName: "Phone", factorType: "push" }));
}

async function aChallengeIsApprovedOnceByOneCode() {
  const [entity, made] = await newFactor(await newService(), newIdentity());
  const factorSid = made.sid;
  await throws(403, 60311, async () => entity.challenges.create({ factorSid, authPayload: await totp(made) }));
  await entity.factors(factorSid).update({ authPayload: await totp(made, -1) });
  const begun = await entity.challenges.create({ factorSid });
  isSid(begun.sid, "YC");
  assert.deepEqual([begun.factorSid, begun.status, begun.respondedReason], [factorSid, "pending", "none"]);
  assert.equal(begun.expirationDate - begun.dateCreated, 300_000);
  const challenge = entity.challenges(begun.sid);
  assert.equal((await challenge.update({ authPayload: otherThan(await totp(made)) })).status, "pending");
  const authPayload = await totp(made);
  const approved = await challenge.update({ authPayload });
  assert.equal(approved.status, "approved");
  await isNow(approved.dateResponded);
  await throws(400, 60306, () => challenge.update({ authPayload }));
  const replayed = await entity.challenges.create({ factorSid, authPayload });
  assert.equal(replayed.status, "pending");
  assert.equal((await entity.challenges.create({ factorSid, authPayload: await totp(made, 1) })).status, "approved");
  assert.deepEqual((await entity.challenges.list({ status: "pending" })).map((found) => found.sid), [replayed.sid]);
  assert.equal((await entity.challenges.list({ factorSid, order: "desc", pageSize: 1 }))[2].sid, begun.sid);
  await advance(301);
  await throws(403, 60323, async () => entity.challenges(replayed.sid).update({ authPayload: await totp(made) }));
}

// ---- Running them ---------------------------------------------------------------------------------------------------------

const CHECKS = [
  aWrongCredentialIsATypedError,
  aServiceIsCreatedReadChangedAndDeleted,
  servicesAreListedPageByPage,
  aServiceWithInvalidParametersIsRefused,
  aPhoneIsVerifiedByTextMessage,
  anAddressIsVerifiedByMail,
  theAutomaticChannelFollowsTheDestination,
  aVerificationIsReadByItsSidAndByItsDestination,
  aResendRepeatsTheCodeOfTheSameVerification,
  aVerificationExpiresAfterTenMinutes,
  aVerificationIsCanceled,
  aVerificationIsApprovedByItsAccount,
  aVerificationWithInvalidParametersIsRefused,
  fiveWrongCodesEndAVerification,
  fiveMessagesAreSentInTenMinutes,
  aCodeOfTheCallerIsSentAndAccepted,
  aPaymentIsPartOfItsCode,
  aMessageHasItsLanguageNameWarningAndApp,
  aRateLimitHasALifeAndLimitsItsValues,
  attemptsAreListedAndCounted,
  anEntityHasALife,
  aFactorIsCreatedVerifiedChangedAndDeleted,
  aChallengeIsApprovedOnceByOneCode,
];

const wanted = process.argv.length > 3 ? process.argv.slice(3) : CHECKS.map((one) => one.name);
const unknown = wanted.filter((name) => !CHECKS.some((one) => one.name === name));
if (unknown.length > 0) {
  console.error(`no such check: ${unknown.join(", ")}`);
  process.exit(1);
}
let failed = 0;
for (const one of CHECKS.filter((check) => wanted.includes(check.name))) {
  try {
    await one();
    console.log(`ok ${one.name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${one.name}\n${error.stack}`);
  }
}
process.exit(failed === 0 ? 0 : 1);
