// The demo shop: choose a shopper, look, click, and see the next ranking know of it.

import { Api, Problem, randomId } from "./api.js";
import { Behavior } from "./behavior.js";
import { Choices } from "./choices.js";
import { duration, el } from "./dom.js";
import { Home } from "./home.js";
import { Items } from "./items.js";
import { known } from "./known.js";
import { counted, language, t, translate } from "./language.js";
import { Results } from "./results.js";
import { Shelf } from "./shelf.js";
import { SearchBox } from "./suggest.js";
import { EVENTS, PROBLEMS } from "./words.js";

const SHELF_ITEMS = 12;
const PATIENCE_MS = 8000; // then the page says that the event has not arrived
const $ = (id) => document.getElementById(id);

translate();
const api = new Api();
const items = new Items(api);
const behavior = new Behavior(api, tellProblem);
const home = new Home($("recommended-title"), new Shelf($("recommended"), items, behavior, onEvent), $("more-shelves"), items, behavior, onEvent);
const found = new Results((fields, signal) => ranking("v1/search", fields, signal), items, behavior, onEvent, attempt);
const searchBox = new SearchBox($("search"), api, search);
const choices = new Choices(api, items, $("choices"), attempt, renew, () => visit.signal);

let interactions = 0; // that the ranking on screen knew of, and those told since
let history = true; // whether answers may use what is known: of this page, nothing is kept of it
let visit = new AbortController(); // ends with the shopper
let following = new AbortController(); // ends with the next event

$("who").addEventListener("submit", (event) => {
  event.preventDefault();
  enter($("shopper").value.trim());
});
$("new-shopper").addEventListener("click", () => attempt(() => arrive()));
window.addEventListener("hashchange", () => {
  const { shopper, query, lang } = address();
  if (lang && lang !== language) location.reload();
  else if (shopper !== null) enter(shopper, query); // else a link within the page
});
$("language").value = language;
$("language").addEventListener("change", () => {
  setAddress(address().query, $("language").value);
  location.reload();
});
for (const button of document.querySelectorAll(".history button")) {
  button.addEventListener("click", () => useHistory(button.value === "used"));
}
$("found-close").addEventListener("click", () => setAddress(""));
if (address().shopper) enter(address().shopper, address().query);
else attempt(() => arrive(address().query));

/** The part after # is not sent to the server: a shopper's id stays out of access logs. */
function address() {
  const told = new URLSearchParams(location.hash.slice(1));
  return { shopper: told.get("shopper"), query: told.get("query") ?? "", lang: told.get("lang") };
}

/** Say in the address who is here and what was searched for; that is no new visit. */
function setAddress(query, lang = address().lang) {
  const told = { shopper: behavior.who.user_id ?? "", ...(query ? { query } : {}), ...(lang ? { lang } : {}) };
  window.history.replaceState(null, "", `#${new URLSearchParams(told)}`);
}

/** Somebody comes whom nobody has met: the demo's server makes an id that it can act for. */
async function arrive(query = "") {
  api.key = $("key").value;
  const { body } = await api.call("POST", "demo/shoppers");
  enter(body.user_id, query);
}

/** Another shopper is here: start anew, with a search for `query` if there is one. */
function enter(shopper, query = "") {
  visit.abort();
  following.abort();
  visit = new AbortController();
  following = new AbortController();
  api.key = $("key").value;
  behavior.become({ ...(shopper ? { user_id: shopper } : {}), session_id: randomId() });
  interactions = 0;
  searchBox.set(query);
  $("shopper").value = shopper;
  home.clear();
  found.clear();
  choices.clear();
  $("problem").hidden = true;
  $("known-body").replaceChildren();
  tellNews();
  const { signal } = visit;
  if (query) search({ query, filters: {} });
  else setAddress("");
  attempt(async () => {
    const shelves = await ask(signal);
    interactions = interactionsIn(shelves);
    home.show(shelves);
    tellNews(el("p", {}, t("Click a product and watch the shelf change.")));
  }, home);
  attempt(() => showKnown(signal));
}

/** Run `work`; what goes wrong is told, what was given up is not. */
async function attempt(work, shelf) {
  shelf?.busy(true);
  try {
    await work();
  } catch (error) {
    if (error.name !== "AbortError") tellProblem(error);
  } finally {
    shelf?.busy(false);
  }
}

async function ranking(path, fields, signal) {
  const content = { limit: SHELF_ITEMS, ...asking(), ...fields };
  const answer = await api.call("POST", path, content, signal);
  return { ...answer, query: fields.query ?? "", stranger: stranger(path, content, ({ items: ranked }) => ranked, signal) };
}

/** What all requests for a ranking say: who asks, whether that may be used, and what is to be told. */
function asking() {
  const personal = history ? {} : { personalize: false };
  return { ...behavior.who, ...personal, explain: "features", context: { page: "demo", locale: language } };
}

/** A function that asks once where items would stand for somebody whom the shop does not know: words by item. */
function stranger(path, content, itemsOf, signal) {
  let asked;
  return () => (asked ??= api
    .call("POST", path, { ...content, explain: "without_history" }, signal)
    .then(({ body }) => new Map(itemsOf(body).map((item) => [item.item_id, item.explanation?.without_history?.words])))
    .catch(() => new Map())); // a reason less is no fault
}

/** The home page, in one call; of a shop whose rules declare none, one shelf. */
async function ask(signal) {
  let shelves = [];
  try {
    const content = asking();
    const answer = await api.call("POST", "v1/pages/home", content, signal);
    const whole = stranger("v1/pages/home", content, (page) => page.shelves.flatMap((shelf) => shelf.items), signal);
    shelves = answer.body.shelves.map((body) => ({ ...answer, body, query: "", stranger: whole }));
  } catch (error) {
    if (error.code !== "unknown_page") throw error;
  }
  if (!shelves.length) shelves = [await ranking("v1/recommend", {}, signal)];
  await items.load(shelves.flatMap(({ body }) => body.items.map((item) => item.item_id)), signal);
  return shelves;
}

async function search(asked) {
  const { signal } = visit;
  $("problem").hidden = true;
  setAddress(asked.query);
  await found.search(asked, signal);
  if (asked.query) await attempt(() => behavior.tell("search", { query: asked.query }, signal));
}

/** How many interactions the ranker knew of when it made this answer. */
function interactionsIn([{ body }]) {
  const name = behavior.who.user_id ? "user_interactions" : "session_interactions";
  return Math.round(Math.expm1(body.items[0]?.explanation?.features[name] ?? 0));
}

function onEvent(type, shown, card, name) {
  for (const other of document.querySelectorAll(".card.chosen")) other.classList.remove("chosen");
  if (type !== "hide") card.classList.add("chosen");
  $("problem").hidden = true;
  attempt(() => (type === "hide" ? hide(shown, name) : follow(type, shown)), home);
}

/** Tell an event, then ask until a ranking has used it; show that ranking and how long it took. */
async function follow(type, shown) {
  const expected = interactions + 1;
  const { shelves, ms, storedMs, signal } = await until(type, shown, (answer) => interactionsIn(answer) >= expected);
  if (!shelves) return;
  const changed = home.show(shelves);
  const place = shelves[0].body.items.find((item) => item.item_id === shown.item_id)?.position;
  tellNews(...news(type, ms, storedMs, changed, place));
  interactions = Math.max(interactionsIn(shelves), expected);
  await Promise.all([found.again(signal), showKnown(signal)]);
}

/** "Not for me": an item, a brand or a category is to be seen no more. */
async function hide(thing, name) {
  const within = thing.category && `${thing.category} > `;
  const is = (item) =>
    item.item_id === thing.item_id || (thing.brand && item.brand === thing.brand) || (within && `${item.category} > `.startsWith(within));
  const gone = (answer) => !answer.some(({ body }) => body.items.some((ranked) => is(items.get(ranked.item_id))));
  const { shelves, ms, signal } = await until("hide", thing, gone);
  if (!shelves) return;
  home.show(shelves);
  const said = ms === null ? t("No ranking knew of it within {time}.", { time: duration(PATIENCE_MS) }) : "";
  tellNews(el("p", {}, t("“{name}” is not for you: it is shown no more.", { name }), " ", said));
  await Promise.all([found.again(signal), showKnown(signal)]);
}

/** Tell an event and ask for the home page until `done` says that an answer knows; ms: null when none did in time. */
async function until(type, fields, done) {
  const startedMs = performance.now();
  following.abort();
  following = new AbortController();
  const signal = AbortSignal.any([visit.signal, following.signal]);
  if (!(await behavior.tell(type, fields, visit.signal))) {
    tellNews(el("p", {}, t("Nothing is kept of it: you asked the shop to learn nothing from what you do.")));
    return {};
  }
  const storedMs = performance.now() - startedMs;
  let shelves = await ask(signal);
  if (shelves[0].body.personal === false) {
    tellNews(el("p", {}, t("The shop has kept it. These answers are everybody's and do not change by it.")));
    return {};
  }
  for (let waitMs = 25; !done(shelves) && performance.now() - startedMs < PATIENCE_MS; waitMs = Math.min(1.5 * waitMs, 400)) {
    await pause(waitMs, signal);
    shelves = await ask(signal);
  }
  return { shelves, ms: done(shelves) ? performance.now() - startedMs : null, storedMs, signal };
}

/** With what is known of the shopper or without it, for what this page asks from now on. */
function useHistory(is) {
  history = is;
  for (const button of document.querySelectorAll(".history button")) button.setAttribute("aria-pressed", String((button.value === "used") === is));
  attempt(() => renew(t(is ? "With your history again." : "As for somebody whom the shop does not know. Marks show what your history does."), visit.signal), home);
}

/** Something was chosen: show all anew, and say `said`. */
async function renew(said, signal) {
  $("problem").hidden = true;
  const shelves = await ask(signal);
  interactions = interactionsIn(shelves);
  home.show(shelves);
  tellNews(el("p", {}, said));
  await Promise.all([found.again(signal), showKnown(signal)]);
}

function news(type, ms, storedMs, changed, place) {
  const stored = t("Stored after {time}.", { time: duration(storedMs) });
  const what = t(EVENTS[type]);
  if (ms === null) {
    const late = t("No ranking knew of it within {time}.", { time: duration(PATIENCE_MS) });
    return [el("p", {}, `${what}${t(": ")}${late}`), el("p", { class: "quiet" }, stored)];
  }
  const moved = changed ? counted(changed, "{n} place of the shelf changed", "{n} places of the shelf changed") : t("The order stayed as it was");
  const own = place ? t("the product is at place {place} now", { place }) : t("the product is not on the shelf now");
  return [
    el("p", {}, t("{what} to new ranking:", { what }), " ", el("b", { class: "measured" }, duration(ms))),
    el("p", { class: "quiet" }, `${moved}${t("; ")}${own}${t(". ")}${stored}`),
  ];
}

async function showKnown(signal) {
  const body = $("known-body");
  const { user_id: user } = behavior.who;
  if (!user) {
    body.replaceChildren(el("p", { class: "quiet" }, t("An anonymous shopper: the ranker knows this visit only.")));
    return;
  }
  const told = await choices.show(user, signal);
  try {
    const { body: features } = await api.call("GET", `v1/users/${encodeURIComponent(user)}/features`, null, signal);
    await items.load([...(features.recent_items ?? []).slice(0, 6), ...(features.bought_items ?? []).slice(0, 5)], signal);
    body.replaceChildren(...known(features, (itemId) => items.get(itemId).title, told));
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "forbidden") throw error;
    body.replaceChildren(el("p", { class: "quiet" }, t("Not shown: {why}.", { why: error.detail ?? error.message })));
  }
}

function tellNews(...content) {
  $("news").replaceChildren(...content);
}

function tellProblem(error) {
  const box = $("problem");
  const { title = "Something went wrong", code, requestId } = error;
  const detail = t(PROBLEMS[code] ?? error.message);
  box.replaceChildren(
    el("strong", {}, t(title)),
    el("span", {}, `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`),
    el("small", {}, [code, requestId && `request ${requestId}`].filter(Boolean).join(" · ")),
  );
  box.hidden = false;
  if (!(error instanceof Problem)) throw error;
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
