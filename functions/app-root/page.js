
// The page behind mailed links. The link's secret is in the fragment, which no browser sends. It goes into one
// request, and that only when a person submits the form: programs that read mail open links and run scripts.

// Mail programs take what follows for a part of the link, raw or escaped. It is ignored, unless it could belong to the UUID.
const LINK = /^#\/(self_register|pwd_reset)\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![0-9a-z_-])/i;
// What usual rules accept. A domain may have other ones: this only hints, the server decides.
const USUAL = /^[A-Za-z0-9_\-.~!]*$/;
// The server's messages are English by contract. The rules that are known are said in the page's language too.
const RULES = [
  [/invalid symbols/, "rule_signs"],
  [/too short\D*(\d+)/, "rule_short"],
  [/too long\D*(\d+)/, "rule_long"],
  [/most common/, "rule_common"],
];

const WORDS = JSON.parse(document.getElementById("words").textContent);
const part = (id) => document.getElementById(id);
const field = part("pwd");

// All that the page shows, but for what is typed. Words are drawn from it anew when the language changes.
const state = {
  language: document.documentElement.lang,
  link: null, // { kind, uuid }
  view: "missing", // or "form", "done", "used"
  sending: false,
  revealed: false,
  problem: null, // { field, word, wait, limit, said }
  user: {}, // { login, domain }, when done
  said: "", // the server's message with "done" or "used"
};

const words = (name) => WORDS[state.language][name] ?? "";

function update(changes) {
  Object.assign(state, changes);
  draw();
}

// ---- What is shown ------------------------------------------------------------------------------------------------------

function draw() {
  document.documentElement.lang = state.language;
  for (const one of document.querySelectorAll("[data-words]")) one.textContent = words(one.dataset.words);
  part("languages").setAttribute("aria-label", words("languages"));
  for (const one of part("languages").children) one.setAttribute("aria-pressed", String(one.lang === state.language));

  const kind = state.link?.kind === "pwd_reset" ? "reset" : "register";
  part("form-heading").textContent = words(`${kind}_heading`);
  part("form-intro").textContent = words(`${kind}_intro`);
  part("used-how").textContent = words(`used_${kind}`);
  part("used-said").textContent = state.said;
  part("done-said").textContent = state.said;
  part("login").textContent = state.user.login ?? "";
  part("domain").textContent = state.user.domain ?? "";

  part("save").textContent = words(state.sending ? "saving" : "save");
  // Not `disabled`, which would take the keyboard's place away.
  part("save").setAttribute("aria-disabled", String(state.sending));
  part("reveal").textContent = words(state.revealed ? "hide" : "show");
  field.type = state.revealed ? "text" : "password";
  drawStrength();
  drawProblem();

  for (const one of document.querySelectorAll("[data-view]")) one.hidden = one.dataset.view !== state.view;
  document.title = heading().textContent;
}

const heading = () => document.querySelector(`[data-view="${state.view}"] h1`);

function drawStrength() {
  const level = strengthOf(field.value);
  part("meter").dataset.level = String(level);
  const said = level > 0 ? [words(`strength_${level}`)] : [];
  if (!USUAL.test(field.value)) said.push(words("unusual"));
  part("strength").textContent = said.join(". ");
}

function drawProblem() {
  const { problem } = state;
  const ofField = problem?.field === "pwd";
  const lines = [];
  if (problem) {
    const wait = problem.wait ? waitWords(problem.wait) : "";
    const known = words(problem.word).replace("{wait}", wait).replace("{limit}", problem.limit);
    // Who has to register anew has nothing to keep.
    const again = !ofField && !problem.word.startsWith("field_");
    lines.push(line(again ? `${known} ${words("kept")}` : known));
    if (problem.said) lines.push(line(`${words("server_said")} `, problem.said));
  }
  put(part("pwd-problem"), ofField ? lines : []);
  put(part("problem"), ofField ? [] : lines);
  if (ofField) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

// What stays the same is left alone: a live region that is written anew is read out anew.
function put(place, lines) {
  if (place.textContent !== lines.map((one) => one.textContent).join("")) place.replaceChildren(...lines);
}

function line(text, english = "") {
  const made = document.createElement("p");
  if (english) made.className = "said";
  const rest = document.createElement("span");
  rest.lang = "en";
  rest.textContent = english;
  made.append(text, ...(english ? [rest] : []));
  return made;
}

function waitWords(seconds) {
  const [count, unit] = seconds < 100 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  return new Intl.NumberFormat(state.language, { style: "unit", unit, unitDisplay: "long" }).format(count);
}

// Says it to who cannot see it. The place is empty before: the same words twice are to be heard twice.
let saying;
function announce(text) {
  clearTimeout(saying);
  part("news").textContent = "";
  if (text) saying = setTimeout(() => (part("news").textContent = text), 100);
}

// A problem of the field. Who is in it already, as after Enter, hears nothing of the focus, which does not move.
function tell() {
  field.focus();
  announce([...part("pwd-problem").children].map((one) => one.textContent).join(" "));
}

let pause; // until the strength is shown

// ---- The request --------------------------------------------------------------------------------------------------------

// What the page shows after the server's answer.
async function ask({ kind, uuid }, pwd) {
  let answer;
  try {
    answer = await fetch(`rest/v1/iam/${kind}_requests/${uuid}`, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ pwd }),
      credentials: "omit",
      redirect: "error",
    });
  } catch {
    return { problem: { word: "unreachable" } };
  }
  const body = Object(await answer.json().catch(() => null));
  const said = typeof body.error_message === "string" ? body.error_message : "";
  const seconds = Number(answer.headers.get("retry-after"));
  const waiting = (word) => ({ problem: seconds > 0 ? { word, wait: seconds, said } : { word: `${word}_soon`, said } });

  if (answer.status === 200 && body.result === true) {
    return { view: "done", user: Object(body.user), said: String(body.result_msg ?? "") };
  }
  if (answer.status === 404 && body.error_code === 1404) return { view: "used", said };
  if (answer.status === 412) return { problem: refusal(body.error_details?.field, said) };
  if (answer.status === 429) return waiting("too_many");
  if (answer.status === 503) return waiting("busy");
  if (answer.status >= 500) return { problem: { word: "ours", said } };
  return { problem: { word: "field_other", said: said || `HTTP ${answer.status}` } };
}

function refusal(name, said) {
  if (name === "pwd") {
    for (const [pattern, word] of RULES) {
      const found = pattern.exec(said);
      if (found) return { field: "pwd", word, limit: found[1], said };
    }
    return { field: "pwd", word: "rule_other", said };
  }
  return { word: name === "login" || name === "email" ? `field_${name}` : "field_other", said };
}

async function submit(event) {
  event.preventDefault();
  if (state.sending) return;
  clearTimeout(pause); // how strong it is would talk over what becomes of it
  const { link } = state;
  const pwd = field.value;
  if (pwd === "") {
    update({ problem: { field: "pwd", word: "empty" } });
    tell();
    return;
  }
  update({ sending: true, problem: null });
  announce(words("saving"));
  const outcome = await ask(link, pwd);
  // Another link came in the meantime: this answer is not about it.
  if (link !== state.link) return;
  announce("");
  if (outcome.view) field.value = "";
  update({ sending: false, ...outcome });
  if (outcome.view) heading().focus();
  else if (state.problem.field === "pwd") tell();
}

// ---- What happens -------------------------------------------------------------------------------------------------------

function readLink() {
  const found = LINK.exec(location.hash);
  const link = found && { kind: found[1].toLowerCase(), uuid: found[2] };
  field.value = "";
  clearTimeout(pause);
  announce("");
  update({ link, view: link ? "form" : "missing", sending: false, revealed: false, problem: null, user: {}, said: "" });
}

field.addEventListener("input", () => {
  drawStrength();
  // Not at every key: who listens wants to hear what is typed.
  clearTimeout(pause);
  pause = setTimeout(() => announce(part("strength").textContent), 1000);
});
part("reveal").addEventListener("click", () => {
  clearTimeout(pause); // the strength would talk over it
  update({ revealed: !state.revealed });
  announce(words(state.revealed ? "shown" : "hidden"));
});
part("languages").addEventListener("click", (event) => {
  const { lang } = event.target;
  if (lang in WORDS) update({ language: lang });
});
part("form").addEventListener("submit", submit);
addEventListener("hashchange", readLink);

part("languages").hidden = false;
readLink();
