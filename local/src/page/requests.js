// The ready requests and the demo identities of the page GET /_local.

import { $, copyButton, h, unseen, value } from "./base.js";

const shellQuoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function target({ path, query }) {
  return query ? `${path}?${new URLSearchParams(query)}` : path;
}

function curl(request) {
  const { method, headers, form = {}, json } = request;
  return [
    `curl -X ${method} ${shellQuoted(location.origin + target(request))}`,
    ...Object.entries(headers).map(([name, text]) => `-H ${shellQuoted(`${name}: ${text}`)}`),
    ...Object.entries(form).map(([name, text]) => `--data-urlencode ${shellQuoted(`${name}=${text}`)}`),
    ...(json ? [`-d ${shellQuoted(JSON.stringify(json))}`] : []),
  ].join(" \\\n  ");
}

/** One ready request: `request()` is evaluated each time, since the fields above it change it. */
function readyRequest(name, request, then = () => {}) {
  const line = h("code");
  const shown = h("pre", {}, line);
  const answer = h("output", { ariaLabel: `Answer: ${name}` });
  const run = h("button", { type: "button" }, "Run", unseen(` ${name}`));
  run.addEventListener("click", async () => {
    const { method, headers, form, json, ...rest } = request();
    const body = json ? JSON.stringify(json) : form && new URLSearchParams(form);
    try {
      const reply = await fetch(target(rest), { method, headers, body, cache: "no-store", credentials: "omit" });
      const text = await reply.text();
      answer.replaceChildren(
        h("span", { className: `status ${reply.ok ? "good" : "bad"}` }, `${reply.status} ${reply.statusText}`), h("pre", {}, text));
      if (reply.ok) then(text);
    } catch {
      answer.replaceChildren(h("span", { className: "status bad" }, "No answer: is the local cloud still running?"));
    }
  });
  const part = h("div", { className: "ready" },
    h("div", { className: "ready-head" }, h("h4", {}, name), run, copyButton(`curl line: ${name}`, () => line.textContent, shown)),
    shown, answer);
  part.write = () => (line.textContent = curl(request()));
  part.write();
  return part;
}

/** Puts the response of Retrieve into the two fields; leaves them unchanged if `text` is not such a response. */
export function fillPasscode(text) {
  try {
    const { id, token } = JSON.parse(text);
    if (typeof token === "string") $("passcode").value = token;
    if (typeof id === "string") $("passcode-id").value = id;
  } catch { /* no JSON: a passcode typed by hand */ }
  writePasscodeLines();
}

export function writePasscodeLines() {
  for (const part of $("passcode-requests").children) part.write();
}

const MAILED = /https?:\/\/[^\s"'<>]*\/app-root#\/(self_register|pwd_reset)\/([0-9a-f-]{36})/i;
const BOUND = /^@\S+ #(\d{6,8})$/m; // the line of an SMS that binds its code to a domain

/** Puts what `find` finds in the newest message into its field, once: a user's input there stays until the next message. */
export function filler(field, find, write = () => {}) {
  let newest;
  return (messages) => {
    const found = find(messages.findLast(find) ?? {});
    if (found === undefined || found === newest) return;
    newest = found;
    $(field).value = found;
    write();
  };
}

export const fillLink = filler("link", ({ text, html }) => MAILED.exec(text || html || "")?.[0], writeAccountLines);
export const mobileCode = ({ channel, text }) => (channel === "sms" ? BOUND.exec(text)?.[1] : undefined);
export const fillCode = filler("otp", mobileCode, writeFactorLines);

/** Puts the token of a response into its field; leaves it unchanged if `text` is not such a response. */
export function fillToken(text) {
  try {
    const { value } = JSON.parse(text).data;
    if (typeof value === "string") $("token").value = value;
  } catch { /* no JSON: a token typed by hand */ }
  writeFactorLines();
}

export function writeAccountLines() {
  for (const part of $("account-requests").children) part.write();
}

export function writeFactorLines() {
  for (const part of $("factor-requests").children) part.write();
}

let ids; // the identities that the requests use: some requests change them

function makeAccountRequests() {
  const to = (path) => `/rest/v1/iam/${path}`;
  const headers = { "Content-Type": "application/json" };
  const login = () => $("login").value.trim() || "LOGIN";
  const pwd = () => $("password").value || "PASSWORD";
  const linked = () => {
    const [, view, id] = MAILED.exec($("link").value) ?? [null, "self_register", "LINK_ID"];
    return to(`${view}_requests/${id}`);
  };
  $("account-requests").replaceChildren(
    readyRequest("Register", () => ({ method: "POST", path: to("self_register_requests"), headers,
      json: { domain: ids.domain, login: login(), name: "My Name", email: `${login()}@example.org` } })),
    readyRequest("Ask for a password reset", () => ({ method: "POST", path: to("pwd_reset_requests"), headers, json: { key: login(), domain: ids.domain } })),
    readyRequest("Set the password by the link", () => ({ method: "PATCH", path: linked(), headers, json: { pwd: pwd() } })),
    readyRequest("Change the demo user’s password", () => ({ method: "POST", path: to("pwd_reset_requests"),
      headers: { ...headers, Authorization: `Bearer ${ids.user.token}` }, json: { current_pwd: ids.user.password, new_pwd: pwd() } })));
}

function makeFactorRequests() {
  const api = "/mithril/api";
  const headers = { "Content-Type": "application/json" };
  const token = () => $("token").value.trim() || "TOKEN";
  const otp = () => $("otp").value.trim() || "CODE";
  const grant = (grant_type, fields) => ({ method: "POST", path: `${api}/tokens`, headers, json: { grant_type, ...fields } });
  const change = (action, json) => ({ method: "PATCH", path: `${api}/users/actions/${action}`,
    headers: { ...headers, Authorization: `Bearer ${token()}` }, json });
  const login = ({ client: { client_id }, user: { email, password } }) =>
    grant("password", { email, password, client_id, scope: "app:authorize" });
  $("factor-requests").replaceChildren(
    readyRequest("Log in with the password", () => login(ids), fillToken),
    readyRequest("Give the code", () => grant("authorize_2fa_access_token", { token: token(), otp: otp() }), fillToken),
    readyRequest("Send another code", () => grant("refresh_2fa_access_token", { token: token() }), fillToken),
    readyRequest("Ask for another phone", () => change("init_factor", { type: "SMS", factor: $("phone").value.trim() || "PHONE" }), fillToken),
    readyRequest("Approve it by its code", () => change("approve_factor", { otp: otp() }), fillToken));
}

function makePinRequests() {
  const support = "/api/v4/user/support_pin";
  const ofUser = () => `/api/v4/users/${encodeURIComponent(ids.user.user_id)}/support_pin`;
  const as = ({ token }) => ({ "PRIVATE-TOKEN": token });
  $("pin-requests").replaceChildren(
    readyRequest("Create my PIN", () => ({ method: "POST", path: support, headers: as(ids.user) })),
    readyRequest("Read my PIN", () => ({ method: "GET", path: support, headers: as(ids.user) })),
    readyRequest("Read a user’s PIN as administrator", () => ({ method: "GET", path: ofUser(), headers: as(ids.admin) })),
    readyRequest("Revoke it as administrator", () => ({ method: "POST", path: `${ofUser()}/revoke`, headers: as(ids.admin) })));
}

function makePasscodeRequests() {
  const headers = () => ({ Authorization: `Bearer ${ids.passcode_token}` });
  const client = () => ({ client_id: ids.client.client_id });
  const whose = () => ({ purpose: "TEST_PURPOSE", username: ids.user.email });
  const passcode = () => $("passcode").value.trim() || "PASSCODE";
  const passcode_id = () => $("passcode-id").value.trim() || "PASSCODE_ID";
  const get = (path, query) => ({ method: "GET", path, query: { ...query, ...client() }, headers: headers() });
  const post = (path, form) => ({ method: "POST", path, query: client(), headers: headers(), form });
  $("passcode-requests").replaceChildren(
    readyRequest("Retrieve", () => get("/passcode/retrieve", whose()), fillPasscode),
    readyRequest("Status", () => get("/passcode/status", { passcode_id: passcode_id() })),
    readyRequest("Consume", () => post("/passcode/consume", { passcode: passcode(), ...whose() })),
    readyRequest("Invalidate", () => post("/passcode/invalidate", { passcode_id: passcode_id() })));
}

/** The requests, created once: their responses stay when the identities change. */
function showReadyRequests() {
  const places = [["pin", makePinRequests], ["passcode", makePasscodeRequests], ["account", makeAccountRequests], ["factor", makeFactorRequests]];
  for (const [name, make] of places) {
    const { children } = $(`${name}-requests`);
    if (children.length === 0) make();
    else for (const part of children) part.write();
  }
}

export function showIdentities(identities) {
  const there = identities?.user !== undefined;
  $("identities-empty").hidden = there;
  $("ready-empty").hidden = there;
  $("ready-body").hidden = !there;
  if (!there) return $("identity-list").replaceChildren();
  ids = identities;
  const { domain, client, passcode_token, admin, user } = identities;
  const person = ({ user_id, email, login, password, phone, token }) =>
    ({ "user id": user_id, email, login, password, ...(phone && { phone }), token });
  const groups = [
    ["Tenant", { domain, "client id": client.client_id, "client secret": client.client_secret, "passcode token": passcode_token }],
    ["Administrator", person(admin)],
    ["User", person(user)],
  ];
  $("identity-list").replaceChildren(...groups.map(([name, fields]) =>
    h("div", {}, h("h3", {}, name), h("dl", {}, ...Object.entries(fields).map(([field, text]) =>
      h("div", {}, h("dt", {}, field), value("dd", `${name} ${field}`, h("code", {}, String(text)))))))));
  showReadyRequests();
}
