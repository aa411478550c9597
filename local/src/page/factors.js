// Second factors on the page GET /_local: logins through the product's own routes, as an application makes them, and an
// authenticator app that the local cloud keeps. Tokens and recovery codes are in this page's memory only.

import { $, act, ask, copyButton, h, note, reconcile, say, unseen, value } from "./base.js";
import { filler, mobileCode } from "./requests.js";

// ---- The product's routes -----------------------------------------------------------------------------------------------

/** The words of a refusal of the product, or the error's own. */
function wordsOf(error) {
  try {
    const { type, message, invalid = [] } = JSON.parse(error.body).error;
    const fields = invalid.flatMap(({ entry, rules }) => rules.map(({ description }) => `${entry}: ${description}.`));
    return [`${error.status} ${type}: ${message}`, ...fields].join(" ");
  } catch {
    return error.message;
  }
}

/** Sends the product a request; returns the body of its response. */
async function call(method, path, { token, json } = {}) {
  try {
    const text = await ask(method, `/mithril/api/${path}`, json, token && { authorization: `Bearer ${token}` });
    return text ? JSON.parse(text) : {};
  } catch (error) {
    throw error.body === undefined ? error : new Error(wordsOf(error));
  }
}

const grant = (grant_type, json) => call("POST", "tokens", { json: { grant_type, ...json } });
const change = (action, json) => call("PATCH", `users/actions/${action}`, { token: session.token, json });

// ---- The login ----------------------------------------------------------------------------------------------------------

let ids; // the demo identities
let session = null; // who logs in, the newest token, and what the product asks for next
const deviceTokens = new Map(); // email → the token that makes this browser a known device

/** Puts a demo identity into the two fields. */
function fillIn(who) {
  $("sign-in-email").value = ids[who].email;
  $("sign-in-password").value = ids[who].password;
}

/** The demo user is there from the start, and the fields follow a change of its password. */
export function prefill(identities) {
  const before = ids?.user;
  ids = identities?.user ? identities : undefined;
  $("sign-in").hidden = !ids;
  if (!ids) return;
  const [email, password] = [$("sign-in-email").value, $("sign-in-password").value];
  const untouched = before ? email === before.email && password === before.password : !email && !password;
  if (untouched) fillIn("user");
}

const wantsDevice = () => ($("sign-in-device").checked ? { device: true } : {});

async function signIn() {
  const person = { email: $("sign-in-email").value.trim(), password: $("sign-in-password").value };
  show(null);
  const device_token = deviceTokens.get(person.email);
  const answer = await grant("password", {
    ...person, client_id: ids.client.client_id, scope: "app:authorize", ...(device_token && { device_token }), ...wantsDevice(),
  });
  return next(person, answer);
}

/** Shows what a response asks for; returns the sentence about it. */
async function next(person, { data, urgent }) {
  const { next_step: step, factors, totp, recovery_codes: codes, recovery_codes_left: left, device_token } = urgent;
  if (device_token) deviceTokens.set(person.email, device_token);
  if (codes) showRecovery(person, codes);
  if (totp) await showSecret(totp);
  show({ person, token: data.value, user_id: data.user_id, step, factors });
  if (step !== "REQUEST_APPS") return "";
  // A list that cannot be read does not make the login a failed one.
  await readDevices().catch((error) => showDevices([], error.message));
  return left === undefined ? "Logged in." : `Logged in. Recovery codes left: ${left}.`;
}

const STEPS = {
  REQUEST_OTP: {
    title: "A code is needed",
    text: (factors) => `Enter ${[
      ...(factors.includes("TOTP") ? ["a code of the authenticator app"] : []),
      ...(factors.includes("SMS") ? ["the code of a text message"] : []),
    ].join(", ")} or a recovery code.`,
    button: "Complete the login",
  },
  REQUEST_FACTOR: { title: "A second factor is needed", text: () => "This account requires one and has none. Set up an app, or a phone with the ready requests." },
  APPROVE_FACTOR: { title: "A new authenticator app", text: () => "The secret is shown only here. Scan it, then enter the app’s code.", button: "Approve the app" },
  REQUEST_APPS: { title: "Logged in", text: () => "" },
};

function show(state) {
  session = state;
  $("factor-step").hidden = !state;
  $("sign-out").hidden = !state;
  $("devices").hidden = state?.step !== "REQUEST_APPS";
  // A text message may be here before the response that announces it: its code stays in the field.
  if (state?.step !== "REQUEST_OTP") $("factor-code").value = "";
  if (!state) return;
  const { step, person, factors = ["SMS"] } = state;
  const { title, text, button } = STEPS[step];
  $("factor-title").textContent = title;
  $("factor-text").replaceChildren(step === "REQUEST_APPS" ? h("bdi", {}, person.email) : text(factors));
  $("enrolment").hidden = step !== "APPROVE_FACTOR";
  $("factor-code-form").hidden = !button;
  $("give-code").textContent = button ?? "";
  $("send-code").hidden = step !== "REQUEST_OTP" || !factors.includes("SMS");
  $("signed-in").hidden = Boolean(button);
  $("renew-codes").hidden = step !== "REQUEST_APPS";
  (step === "REQUEST_OTP" ? $("factor-code") : $("factor-title")).focus();
}

async function giveCode() {
  const { person, token, step } = session;
  const otp = $("factor-code").value.trim();
  if (step === "APPROVE_FACTOR") {
    const answer = await change("approve_factor", { otp });
    await next(person, answer);
    return "The app is set up.";
  }
  const answer = await grant("authorize_2fa_access_token", { token, otp, ...wantsDevice() });
  markUsed(person, otp);
  return next(person, answer);
}

async function sendCode() {
  const { person, token } = session;
  $("factor-code").value = "";
  await next(person, await grant("refresh_2fa_access_token", { token }));
  return "A text message was sent. Its code fills the field.";
}

/** Fills the code of the newest text message into the field, where one is asked for. */
export const fillFactorCode = filler("factor-code", mobileCode);

// ---- Setting up an app --------------------------------------------------------------------------------------------------

async function enrol() {
  const { person, step } = session;
  // With an access token the password is required again.
  const again = step === "REQUEST_APPS" ? { password: person.password } : {};
  return next(person, await change("init_factor", { type: "TOTP", ...again }));
}

async function showSecret({ secret, uri }) {
  const svg = await ask("POST", "/_local/qr", { text: uri });
  $("factor-qr").src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  $("factor-secret").replaceChildren(value("div", "secret", h("code", {}, secret)));
  $("scan").uri = uri;
}

async function scan() {
  const entries = JSON.parse(await ask("POST", "/_local/authenticator", { uri: $("scan").uri }));
  showEntries(entries);
  return "The built-in app shows codes for it.";
}

// ---- Recovery codes -----------------------------------------------------------------------------------------------------

function showRecovery({ email }, codes) {
  $("recovery").hidden = false;
  $("recovery").dataset.email = email;
  $("recovery-of").textContent = email;
  $("recovery-list").replaceChildren(...codes.map((code) => {
    const use = h("button", { type: "button" }, "Use", unseen(` ${code}`));
    use.addEventListener("click", () => fill(code));
    const entry = h("li", {}, h("code", {}, code), use);
    entry.dataset.code = code;
    return entry;
  }));
  const all = () => codes.join("\n");
  $("copy-recovery").replaceChildren(copyButton("all recovery codes", all, $("recovery-list")));
}

/** A code that was accepted is struck out, if it is one of the shown codes. */
function markUsed({ email }, code) {
  if ($("recovery").dataset.email !== email) return;
  const used = [...$("recovery-list").children].find((entry) => entry.dataset.code === code);
  used?.replaceChildren(h("s", {}, code), h("span", { className: "tag" }, "used"));
}

async function renewCodes() {
  const { person } = session;
  const { urgent } = await change("recovery_codes", { password: person.password });
  showRecovery(person, urgent.recovery_codes);
  return "The earlier recovery codes have ended.";
}

// ---- Known devices ------------------------------------------------------------------------------------------------------

const day = (at) => String(at).slice(0, 16).replace("T", " ");

const devicesPath = () => `users/${encodeURIComponent(session.user_id)}/devices`;

async function readDevices() {
  const { data } = await call("GET", devicesPath(), { token: session.token });
  showDevices(data, "None. A login with the box above makes this browser one.");
}

function showDevices(devices, otherwise) {
  $("devices-empty").hidden = devices.length > 0;
  $("devices-empty").textContent = otherwise;
  $("end-devices").hidden = devices.length === 0;
  $("device-list").replaceChildren(...devices.map(({ id, client_id, inserted_at, last_used_at, expires_at, remembered_until }) => {
    const end = h("button", { type: "button" }, "End", unseen(` the device of ${day(inserted_at)}`));
    end.addEventListener("click", () => act("factors", end, () => endDevices(`/${encodeURIComponent(id)}`)));
    const until = remembered_until ? `, needs no code until ${day(remembered_until)}` : "";
    return h("li", {},
      h("span", {}, `${client_id}, since ${day(inserted_at)}, last used ${day(last_used_at)}, until ${day(expires_at)}${until}`), end);
  }));
}

/** Ends the device at `/{id}`, or all of them. */
async function endDevices(which = "") {
  await call("DELETE", `${devicesPath()}${which}`, { token: session.token });
  await readDevices();
  $("devices-title").focus(); // the button is gone
  return "Ended.";
}

// ---- The authenticator app ----------------------------------------------------------------------------------------------

let entries = new Map(); // id → its <li>, kept so that the focus survives the next code

function appEntry({ id, issuer, account }) {
  const name = [issuer, account].filter(Boolean).join(": ");
  const button = (text, work) => {
    const made = h("button", { type: "button" }, text, unseen(`, ${name}`));
    made.addEventListener("click", () => work(made));
    return made;
  };
  const [code, left] = [h("code", { className: "code" }), h("span", { className: "meta" })];
  const element = h("li", {},
    h("h4", { dir: "auto" }, name), h("p", { className: "value" }, code, left),
    h("div", { className: "buttons" },
      button("Use this code", () => fill(code.textContent)),
      button("Go to the next code", (made) => act("factors", made, async () => {
        await ask("POST", "/_local/clock", { advance_seconds: element.left() });
        return "The clock was moved on.";
      })),
      button("Lose the phone", (made) => act("factors", made, async () => {
        await ask("DELETE", `/_local/authenticator/${encodeURIComponent(id)}`);
        await readEntries();
        $("authenticator-title").focus(); // the button is gone
        return "The app has forgotten this secret. A recovery code still completes a login.";
      }))));
  element.show = (entry) => {
    const at = performance.now();
    element.left = () => Math.max(1, Math.ceil(entry.seconds_left - (performance.now() - at) / 1000));
    element.isOver = () => performance.now() - at >= entry.seconds_left * 1000;
    code.textContent = entry.code;
    element.tick();
  };
  element.tick = () => (left.textContent = `${element.left()} s left`);
  return element;
}

export function showEntries(list) {
  entries = new Map(list.map((entry) => {
    const element = entries.get(entry.id) ?? appEntry(entry);
    element.show(entry);
    return [entry.id, element];
  }));
  reconcile($("authenticator-list"), [...entries.values()].reverse());
  $("authenticator-empty").hidden = entries.size > 0;
}

async function readEntries() {
  showEntries(JSON.parse(await ask("GET", "/_local/authenticator")));
}

/** Counts the seconds down; `read` reads the next codes when they are there. */
export function tickEntries(read) {
  for (const element of entries.values()) element.tick();
  if ([...entries.values()].some((element) => element.isOver())) read();
}

/** Puts a code into the field, if one is asked for. */
function fill(code) {
  if ($("factor-step").hidden || $("factor-code-form").hidden) {
    return note("factors", "No code is asked for at the moment. Log in, or set up an app.");
  }
  note("factors", "");
  $("factor-code").value = code;
  $("factor-code").focus();
  say(`The field has the code ${code}.`);
}

// ---- Start --------------------------------------------------------------------------------------------------------------

for (const button of document.querySelectorAll("[data-who]")) {
  button.addEventListener("click", () => fillIn(button.dataset.who));
}
for (const [form, work] of [["sign-in", signIn], ["factor-code-form", giveCode]]) {
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    act("factors", event.submitter, work);
  });
}
for (const [button, work] of [["send-code", sendCode], ["enrol", enrol], ["scan", scan], ["renew-codes", renewCodes]]) {
  $(button).addEventListener("click", () => act("factors", $(button), work));
}
$("end-devices").addEventListener("click", () => act("factors", $("end-devices"), () => endDevices()));
$("sign-out").addEventListener("click", () => {
  show(null);
  note("factors", "");
  $("sign-in-email").focus();
});
$("hide-recovery").addEventListener("click", () => {
  $("recovery").hidden = true;
  $("recovery-list").replaceChildren();
  $("factors-title").focus();
});
