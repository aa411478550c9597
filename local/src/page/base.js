// Shared helpers of the page GET /_local: elements, requests, the clipboard.

export const $ = (id) => document.getElementById(id);
export const title = document.title;

/** An element with properties and children; a string child becomes text. */
export function h(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}
export const unseen = (text) => h("span", { className: "unseen" }, text);
export const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Makes a box focusable by keyboard while it scrolls, which depends on the width of the screen. */
export function scrolling(box, name) {
  sizes.observe(box);
  box.dataset.scrolled = name;
  return box;
}
const sizes = new ResizeObserver((changes) => {
  for (const { target: box } of changes) {
    const scrolls = box.scrollHeight > box.clientHeight || box.scrollWidth > box.clientWidth;
    if (scrolls) Object.assign(box, { tabIndex: 0, role: "region", ariaLabel: box.dataset.scrolled });
    else for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
  }
});

/** Makes `wanted` the children of `list` without moving those already in place: moving a frame reloads it. */
export function reconcile(list, wanted) {
  const keep = new Set(wanted);
  for (const child of [...list.children]) if (!keep.has(child)) child.remove();
  wanted.forEach((child, at) => list.children[at] === child || list.insertBefore(child, list.children[at] ?? null));
}

/** Announces a change to screen readers. The sentence is appended, so that the next one does not cut it off. */
export function say(text) {
  const news = $("news");
  news.append(h("p", {}, text));
  while (news.children.length > 10) news.firstChild.remove();
}

export function note(section, text, kind = "bad") {
  const place = $(`${section}-note`);
  place.textContent = text;
  place.dataset.kind = kind;
}

// ---- Requests to the server ---------------------------------------------------------------------------------------------

class Gone extends Error {}
class Refused extends Error {
  constructor(status, body) {
    super(`The local cloud answered ${status}${body ? `: ${body.slice(0, 300)}` : "."}`);
    this.status = status;
    this.body = body;
  }
}

export async function ask(method, path, body, headers = {}) {
  const init = { method, headers, cache: "no-store" };
  if (body !== undefined) Object.assign(init, { body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } });
  let answer, text;
  try {
    answer = await fetch(path, init);
    text = await answer.text();
  } catch {
    throw new Gone("The local cloud does not answer.");
  }
  if (!answer.ok) throw new Refused(answer.status, text);
  return text;
}

/**
 * A reader of `path` that passes its content to `show` when it has changed. Calls during a request are merged into one more,
 * so that a load test does not make the page send a thousand requests.
 */
export function feed(section, path, show, absent) {
  let busy = false;
  let again = false;
  let complained = false; // this reader must not remove a note that a click has left
  let last;
  return async function read() {
    again = true;
    if (busy) return;
    busy = true;
    while (again) {
      again = false;
      const start = performance.now();
      try {
        const text = await ask("GET", path);
        if (text !== last) show(JSON.parse(text), last === undefined);
        last = text;
        if (complained) note(section, "");
        complained = false;
      } catch (error) {
        last = undefined;
        if (error.status === 404 && absent !== undefined) show(absent);
        else if (!(error instanceof Gone)) {
          complained = true; // the banner reports Gone
          note(section, error.message);
        }
      }
      await pause(200 + 2 * (performance.now() - start));
    }
    busy = false;
  };
}

/** Runs a button's action, once at a time, and shows the outcome beside it. */
export async function act(section, button, work) {
  button.disabled = true;
  try {
    note(section, (await work()) ?? "", "good");
  } catch (error) {
    note(section, error instanceof Gone ? `${error.message} Nothing was changed.` : error.message);
  }
  button.disabled = false;
  if (document.activeElement === document.body) button.focus(); // a disabled button loses the focus
}

export function connected(yes) {
  $("connection").dataset.state = yes ? "live" : "gone";
  $("connection").textContent = yes ? "Live" : "Not connected";
  $("gone").hidden = yes;
  $("gone").textContent = yes ? "" : "The local cloud does not answer. Start it with “cargo local”; this page goes on by itself when it is back.";
}

export function listen(readers) {
  const everything = () => readers.forEach((read) => read());
  const source = new EventSource("/_local/changes");
  let absence;
  source.addEventListener("open", () => {
    clearTimeout(absence);
    absence = undefined;
    connected(true);
    everything(); // changes missed while disconnected
  });
  source.addEventListener("change", (event) => {
    const { what } = JSON.parse(event.data);
    if (what !== "invocations") return readers.get(what)?.();
    if (document.hidden) return; // a hidden page does not slow a load test
    readers.get("invocations")();
    readers.get("tables")();
  });
  source.addEventListener("error", () => {
    absence ??= setTimeout(() => connected(false), 700); // a restart is not reported
    if (source.readyState !== EventSource.CLOSED) return; // the browser retries
    setTimeout(() => {
      listen(readers);
      everything();
    }, 2000);
  });
}

// ---- Copying ------------------------------------------------------------------------------------------------------------

/** A button that copies `read()`. Without access to the clipboard, it selects the text in `shown` instead. */
export function copyButton(what, read, shown) {
  const label = document.createTextNode("Copy");
  const button = h("button", { type: "button", className: "copy" }, label, unseen(` ${what}`));
  let back;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(read());
      label.data = "Copied";
      say(`Copied ${what}.`);
    } catch {
      getSelection().selectAllChildren(shown);
      label.data = "Ctrl+C";
      say(`The ${what} is selected. Press Control or Command and C to copy it.`);
    }
    clearTimeout(back);
    back = setTimeout(() => (label.data = "Copy"), 2000);
  });
  return button;
}

export function value(tag, what, shown, text = shown.textContent) {
  return h(tag, { className: "value" }, shown, copyButton(what, () => text, shown));
}
