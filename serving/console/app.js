// The console: what experiments find, live, and what an operator decides of them.

import { Api, Problem } from "./api.js";
import { Decide } from "./decide.js";
import { el } from "./dom.js";
import { fill } from "./morph.js";
import { card, nothing, versions } from "./view.js";
import { PROBLEMS } from "./words.js";

const LIVE_MS = 5_000;
const SLOW_MS = 30_000; // each version is asked for a score
const KEPT = "vitrine-console-key"; // in sessionStorage: gone with the tab, and never in an address
const $ = (id) => document.getElementById(id);

const api = new Api();
let shown = null; // {experiments, readings, versions}; a reading stays until there is a newer one
let visit = new AbortController(); // ends with the key
let slowDueMs = 0;
let timer = 0;

const decide = new Decide($("decide"),
  (key, decision) => api.call("POST", `v1/experiments/${encodeURIComponent(key)}/decision`, decision, visit.signal),
  (key, words) => {
    $("news").textContent = words;
    $(`e-${key}`)?.focus(); // the button that asked may be gone
    refresh();
  });

$("who").addEventListener("submit", (event) => {
  event.preventDefault();
  enter($("key").value);
});
$("forget").addEventListener("click", () => {
  leave();
  $("key").focus();
});
$("experiments").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (!button) return;
  const { key } = button.closest("article").dataset;
  const experiment = shown.experiments.find((each) => each.key === key);
  decide.ask(experiment, button.dataset.action, experiment.arms.find((arm) => arm.key === button.dataset.arm));
});
addEventListener("resize", show);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && api.key) refresh();
});
enter(sessionStorage.getItem(KEPT) ?? "");

function enter(key) {
  leave();
  if (!key) return;
  api.key = key;
  $("key").value = key;
  $("forget").hidden = false;
  refresh();
}

/** Nothing of what a key could see stays. */
function leave() {
  visit.abort();
  visit = new AbortController();
  clearTimeout(timer);
  sessionStorage.removeItem(KEPT);
  api.key = "";
  shown = null;
  slowDueMs = 0;
  $("key").value = "";
  $("forget").hidden = true;
  $("problem").hidden = true;
  $("news").textContent = "";
  $("fresh").textContent = "";
  $("versions").replaceChildren();
  $("experiments").replaceChildren(el("p", { class: "quiet" },
    "Enter a key. It stays in this tab. The one of make serve without KEYS is dev."));
}

async function refresh() {
  clearTimeout(timer);
  const { signal } = visit;
  try {
    await load(signal);
    if (signal.aborted) return;
    sessionStorage.setItem(KEPT, api.key); // it has opened the door
    $("problem").hidden = true;
    $("fresh").textContent = `As of ${new Date().toLocaleTimeString()}, asked again every ${LIVE_MS / 1000} s.`;
    show();
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    tell(error);
    if (["unauthenticated", "forbidden", "unusable_key"].includes(error.code)) return;
  }
  timer = setTimeout(() => (document.hidden ? undefined : refresh()), LIVE_MS);
}

async function load(signal) {
  const ask = async (path) => (await api.call("GET", path, null, signal)).body;
  const { experiments } = await ask("v1/experiments");
  const due = Date.now() >= slowDueMs;
  const [readings, told] = await Promise.all([
    Promise.all(experiments.filter((each) => each.read_at).map((each) => reading(ask, each))),
    due ? ask("v1/versions") : shown.versions,
  ]);
  if (signal.aborted) return;
  if (due) slowDueMs = Date.now() + SLOW_MS;
  shown = { experiments, readings: new Map(readings), versions: told };
}

async function reading(ask, { key, read_at: readAt }) {
  const kept = shown?.readings.get(key);
  if (kept?.read_at === readAt) return [key, kept];
  return [key, await ask(`v1/experiments/${encodeURIComponent(key)}/reading`)];
}

function show() {
  if (!shown) return;
  const place = $("experiments");
  const width = Math.max(260, Math.min(place.clientWidth - 44, 900));
  const cards = shown.experiments.map((each) => card(each, shown.readings.get(each.key) ?? null, width, Date.now()));
  fill(place, cards.length ? cards : [nothing()]);
  fill($("versions"), [versions(shown.versions)]);
}

function tell(error) {
  if (["unauthenticated", "forbidden", "unusable_key"].includes(error.code)) {
    const { key } = api;
    leave();
    $("key").value = key;
    $("key").focus();
    $("key").select();
  }
  const { title = "Something went wrong", code, requestId } = error;
  const detail = PROBLEMS[code] ?? error.message;
  $("problem").replaceChildren(
    el("strong", {}, title),
    el("span", {}, `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`),
    el("small", {}, [code, requestId && `request ${requestId}`].filter(Boolean).join(" · ")));
  $("problem").hidden = false;
  if (!(error instanceof Problem)) throw error;
}
