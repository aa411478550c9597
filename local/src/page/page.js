// The page GET /_local. It shows what the local cloud has captured and offers the few actions of a user.
//
// The content of messages, rows and answers is untrusted. It enters this page as text only (`textContent`, or an address that
// `webAddress` has accepted), and a mail's HTML only through a sandboxed frame of its own. There is no innerHTML here.

import { $, act, ask, copyButton, feed, h, listen, plural, reconcile, say, scrolling, title, unseen, value } from "./base.js";
import { fillFactorCode, prefill, showEntries, tickEntries } from "./factors.js";
import {
  fillCode, fillLink, fillPasscode, fillToken, showIdentities, writeAccountLines, writeFactorLines, writePasscodeLines,
} from "./requests.js";

const AT_FIRST = 10; // entries of a list shown before "Show all"
const AT_MOST = 1000; // and after it
const ROWS_AT_MOST = 200;

// ---- Messages -----------------------------------------------------------------------------------------------------------

/** The address if it is a complete http or https one, else null. */
function webAddress(text) {
  const address = URL.canParse(text) ? new URL(text) : null;
  return address && /^https?:$/.test(address.protocol) ? address.href : null;
}

const LINK = /https?:\/\/[^\s<>"'`\\]+/gi;

// A mail's HTML is searched as text: it is never parsed outside its frame.
const wordsOf = (html) => html.slice(0, 100_000).replace(/<(head|script|style)\b[^]*?<\/\1\s*>|<[^<>]*>/gi, " ");
const hrefsIn = (html) =>
  [...html.matchAll(/\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')/gi)].map(([, a, b]) => (a ?? b).trim().replaceAll("&amp;", "&"));

function linksIn(words, html) {
  const written = [...words.matchAll(LINK)].map(([link]) => {
    const bare = link.replace(/[.,;:!?]+$/, "");
    return bare.endsWith(")") && !bare.includes("(") ? bare.slice(0, -1) : bare;
  });
  const found = [...written, ...hrefsIn(html)].map(webAddress);
  return [...new Set(found)].filter((link) => link !== null);
}

/** Six to eight digits on their own: not in a link, a phone number, an id or a longer number. */
function codesIn(words) {
  const alone = /(?<![\p{L}\p{N}_+.,/-])[0-9]{6,8}(?![\p{L}\p{N}_/:-]|[.,][0-9])/gu;
  return [...new Set([...words.replace(LINK, " ").matchAll(alone)].map(([code]) => code))];
}

function moment(at) {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return h("span", {}, String(at));
  const text = time.toISOString();
  return h("time", { dateTime: text, title: time.toLocaleString() }, `${text.slice(0, 10)} ${text.slice(11, 19)} UTC`);
}

function messageEntry(message) {
  const { id, channel, to, from, reply_to, subject, text, html, at } = message;
  const who = (said, address) => (address ? [said, h("bdi", {}, address)] : []);
  const words = text || wordsOf(html ?? "");
  const codes = codesIn(`${subject ?? ""}\n${words}`).map((code) => value("div", `code ${code}`, h("code", { className: "code" }, code)));
  const links = linksIn(words, html ?? "").map((href) =>
    value("div", "link", h("a", { href, target: "_blank", rel: "noopener noreferrer", referrerPolicy: "no-referrer" }, href)));
  const box = scrolling(h("div", { className: "text", dir: "auto" }, text ?? ""), `Text of message ${id}`);
  return h("li", {},
    h("h3", { dir: "auto" }, subject || (channel === "sms" ? "Text message" : "(no subject)")),
    h("p", { className: "meta" },
      h("span", { className: "tag" }, channel === "sms" ? "SMS" : "Email"), " to ", h("bdi", {}, to ?? ""),
      ...who(" from ", from), ...who(", replies to ", reply_to), " · ", moment(at)),
    codes.length + links.length ? h("div", { className: "found" }, ...codes, ...links) : null,
    text ? box : null,
    html ? htmlPart(message, !text) : null);
}

function htmlPart({ id, subject }, open) {
  const part = h("details", {}, h("summary", {}, "HTML part"));
  part.addEventListener("toggle", () => {
    if (!part.open || part.querySelector("iframe")) return;
    const frame = h("iframe", { title: `HTML part of “${subject ?? ""}”`, referrerPolicy: "no-referrer" });
    frame.sandbox = "allow-popups allow-popups-to-escape-sandbox"; // before src: the attribute applies when the frame loads
    frame.src = `/_local/messages/${encodeURIComponent(id)}/html`;
    part.append(frame);
  });
  part.open = open;
  return part;
}

// Keyed by the whole message: a restarted server may reuse an old id.
let known = new Set();
let entries = new Map(); // its <li>, kept so that an open part and the focus survive the next message
let allMessages = false;
let unread = 0;

function showMessages(messages, first) {
  const keyed = messages.map((message) => [JSON.stringify(message), message]);
  const arrived = keyed.filter(([key]) => !known.has(key));
  known = new Set(keyed.map(([key]) => key));
  const shown = keyed.slice(allMessages ? -AT_MOST : -AT_FIRST).reverse();
  entries = new Map(shown.map(([key, message]) => [key, entries.get(key) ?? messageEntry(message)]));
  reconcile($("message-list"), [...entries.values()]);
  $("message-count").textContent = messages.length || "";
  $("messages-empty").hidden = messages.length > 0;
  $("clear-messages").hidden = messages.length === 0;
  fillLink(messages);
  fillCode(messages);
  fillFactorCode(messages);
  more($("more-messages"), messages.length, allMessages, "messages", () => ((allMessages = true), showMessages(messages, true)));
  if (first || arrived.length === 0) return;
  for (const [key] of arrived) entries.get(key)?.classList.add("arrived");
  const [, { channel, to, subject }] = arrived.at(-1);
  say(arrived.length > 1 ? `${arrived.length} new messages.` : channel === "sms" ? `New SMS to ${to}.` : `New mail to ${to}: ${subject}.`);
  if (document.hidden) unread += arrived.length;
  document.title = unread ? `(${unread}) ${title}` : title;
}

function more(button, count, all, things, show) {
  button.hidden = all || count <= AT_FIRST;
  button.textContent = `Show ${count > AT_MOST ? `the last ${AT_MOST}` : `all ${count}`} ${things}`;
  button.onclick = show;
}

// ---- Events -------------------------------------------------------------------------------------------------------------

function eventEntry({ id, bus, source, "detail-type": type, detail, resources, time }) {
  return h("li", {},
    h("h3", { dir: "auto" }, type),
    h("p", { className: "meta" },
      h("bdi", {}, source), " on ", h("bdi", {}, bus),
      ...resources.flatMap((resource) => [", about ", h("bdi", {}, resource)]), " · ", moment(time)),
    scrolling(h("pre", { className: "detail" }, JSON.stringify(detail, null, 2)), `Detail of event ${id}`));
}

let knownEvents = new Set();
let eventEntries = new Map(); // its <li>, kept so that the focus survives the next event
let allEvents = false;

function showEvents(events, first) {
  const arrived = events.filter(({ id }) => !knownEvents.has(id));
  knownEvents = new Set(events.map(({ id }) => id));
  const shown = events.slice(allEvents ? -AT_MOST : -AT_FIRST).reverse();
  eventEntries = new Map(shown.map((event) => [event.id, eventEntries.get(event.id) ?? eventEntry(event)]));
  reconcile($("event-list"), [...eventEntries.values()]);
  $("event-count").textContent = events.length || "";
  $("events-empty").hidden = events.length > 0;
  $("clear-events").hidden = events.length === 0;
  more($("more-events"), events.length, allEvents, "events", () => ((allEvents = true), showEvents(events, true)));
  if (first || arrived.length === 0) return;
  for (const { id } of arrived) eventEntries.get(id)?.classList.add("arrived");
  say(arrived.length > 1 ? `${arrived.length} new events.` : `New event: ${arrived[0]["detail-type"]}.`);
}

// ---- Requests -----------------------------------------------------------------------------------------------------------

let allRequests = false;

function requestEntry({ function: name, route, status, cold, ms, calls = [], init_calls = [] }) {
  const call = (when) => ({ service, operation, table }) => h("li", {}, [when, service, operation, table].filter(Boolean).join(" "));
  const spent = typeof ms === "number" ? `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms` : "";
  return h("li", {},
    h("div", { className: "request" },
      h("span", { className: `status ${status < 400 ? "good" : "bad"}` }, unseen("Status "), String(status)),
      h("code", {}, route || name),
      cold ? h("span", { className: "tag cold" }, "cold start") : null,
      h("span", { className: "meta" }, `${route ? `${name} · ` : ""}${spent}`)),
    calls.length + init_calls.length
      ? h("ul", { className: "calls", ariaLabel: "Calls" }, ...init_calls.map(call("while starting:")), ...calls.map(call("")))
      : h("p", { className: "calls" }, "no calls"));
}

function showRequests(requests) {
  const newest = requests.slice(allRequests ? -AT_MOST : -AT_FIRST).reverse();
  $("request-list").replaceChildren(...newest.map(requestEntry));
  $("request-count").textContent = requests.length || "";
  $("requests-empty").hidden = requests.length > 0;
  $("clear-requests").hidden = requests.length === 0;
  more($("more-requests"), requests.length, allRequests, "requests", () => ((allRequests = true), showRequests(requests)));
}

// ---- Tables -------------------------------------------------------------------------------------------------------------

const openTables = new Map(); // table name → its reader, while it is unfolded

function showTables(names) {
  $("tables-empty").hidden = names.length > 0;
  const there = new Map([...$("table-list").children].map((part) => [part.dataset.name, part]));
  reconcile($("table-list"), names.map((name) => there.get(name) ?? tablePart(name)));
}

function tablePart(name) {
  const place = h("div");
  const part = h("details", {}, h("summary", {}, h("code", {}, name)), place);
  part.dataset.name = name;
  const read = feed("tables", `/_local/tables/${encodeURIComponent(name)}`, (rows) => showRows(place, name, rows));
  part.addEventListener("toggle", () => {
    if (!part.open) return openTables.delete(name);
    openTables.set(name, read);
    read();
  });
  return part;
}

function showRows(place, name, rows) {
  if (rows.length === 0) return place.replaceChildren(h("p", { className: "empty" }, "No rows. A request that stores something puts them here."));
  const columns = [...new Set(rows.flatMap(Object.keys))];
  const scrolled = place.querySelector(".rows");
  const box = scrolled ?? h("div", { className: "rows", tabIndex: 0, role: "region", ariaLabel: `Rows of ${name}` });
  box.replaceChildren(h("table", {},
    h("thead", {}, h("tr", {}, ...columns.map((column) => h("th", { scope: "col" }, column)))),
    h("tbody", {}, ...rows.slice(0, ROWS_AT_MOST).map((row) =>
      h("tr", {}, ...columns.map((column) => (column in row ? cell(row[column]) : h("td"))))))));
  const shown = rows.length > ROWS_AT_MOST ? `the first ${ROWS_AT_MOST} of ${rows.length} rows` : plural(rows.length, "row");
  const about = h("p", { className: "about-rows" }, shown, copyButton(`rows of ${name} as JSON`, () => JSON.stringify(rows, null, 2), box));
  place.firstElementChild?.classList.contains("about-rows") ? place.firstElementChild.replaceWith(about) : place.replaceChildren(about, box);
}

function cell(attribute) {
  const plain = unwrapped(attribute);
  const element = h("td", {}, typeof plain === "string" ? plain : JSON.stringify(plain));
  const seconds = Number(attribute.N);
  if (seconds > 1e9 && seconds < 1e11) element.title = new Date(seconds * 1000).toISOString(); // epoch seconds, as TTL requires
  return element;
}

/** DynamoDB JSON without its type letters. */
function unwrapped(attribute) {
  const [[kind, inner]] = Object.entries(attribute);
  if (kind === "NULL") return null;
  if (kind === "L") return inner.map(unwrapped);
  if (kind === "M") return Object.fromEntries(Object.entries(inner).map(([key, each]) => [key, unwrapped(each)]));
  return inner;
}

// ---- Clock --------------------------------------------------------------------------------------------------------------

let clock; // the local time, and this page's monotonic time when it was read

function showClock({ now }) {
  clock = { then: Date.parse(now), at: performance.now() };
  tick();
}

function tick() {
  if (!clock) return;
  const now = new Date(clock.then + performance.now() - clock.at);
  $("now").textContent = `${now.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  $("now").dateTime = now.toISOString();
  const ahead = Math.round((now - Date.now()) / 1000);
  $("offset").textContent = Math.abs(ahead) < 3 ? "real time" : `${span(Math.abs(ahead))} ${ahead > 0 ? "ahead" : "behind"}`;
}

function span(seconds) {
  const parts = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]].map(([unit, size]) => {
    const n = Math.floor(seconds / size);
    seconds -= n * size;
    return n ? `${n} ${unit}` : "";
  });
  return parts.filter(Boolean).slice(0, 2).join(" ");
}

async function advance(seconds) {
  showClock(JSON.parse(await ask("POST", "/_local/clock", { advance_seconds: seconds })));
  return `Moved on by ${span(seconds)}.`;
}

// ---- Start --------------------------------------------------------------------------------------------------------------

const readClock = feed("clock", "/_local/clock", showClock);
const readEntries = feed("factors", "/_local/authenticator", showEntries);
const readTables = feed("tables", "/_local/tables", showTables, []);
const readers = new Map([
  ["messages", feed("messages", "/_local/messages?full=true", showMessages)],
  ["events", feed("events", "/_local/events", showEvents)],
  ["invocations", feed("requests", "/_local/invocations?init=true", showRequests)],
  ["clock", () => (readClock(), readEntries())], // codes follow the clock
  ["authenticator", readEntries],
  ["identities", feed("identities", "/_local/identities", (identities) => (showIdentities(identities), prefill(identities)), null)],
  ["tables", () => (readTables(), openTables.forEach((read) => read()))],
]);

for (const button of document.querySelectorAll("[data-advance]")) {
  button.addEventListener("click", () => act("clock", button, () => advance(Number(button.dataset.advance))));
}
$("advance").addEventListener("submit", (event) => {
  event.preventDefault();
  act("clock", event.submitter, () => advance($("seconds").valueAsNumber));
});
$("sweep").addEventListener("click", () => act("clock", $("sweep"), async () => {
  const { deleted } = JSON.parse(await ask("POST", "/_local/sweep"));
  readers.get("tables")();
  return `Removed ${plural(deleted, "expired row")}.`;
}));
for (const [button, section, path] of [
  ["clear-messages", "messages", "/_local/messages"],
  ["clear-events", "events", "/_local/events"],
  ["clear-requests", "requests", "/_local/invocations"],
]) {
  $(button).addEventListener("click", () => act(section, $(button), async () => {
    await ask("DELETE", path);
    await readers.get(path.split("/").at(-1))();
    $("main").focus(); // the button hides with the last entry
    return "Cleared.";
  }));
}
for (const field of [$("passcode"), $("passcode-id")]) {
  field.addEventListener("input", () => (field.value.trim().startsWith("{") ? fillPasscode(field.value) : writePasscodeLines()));
}
for (const field of [$("login"), $("password"), $("link")]) field.addEventListener("input", writeAccountLines);
$("token").addEventListener("input", () => fillToken($("token").value));
for (const field of [$("otp"), $("phone")]) field.addEventListener("input", writeFactorLines);
document.addEventListener("visibilitychange", () => {
  unread = 0;
  document.title = title;
  if (document.hidden) return;
  readers.get("invocations")();
  readers.get("tables")();
});
setInterval(() => (tick(), tickEntries(readEntries)), 1000);
readers.forEach((read) => read());
listen(readers);
