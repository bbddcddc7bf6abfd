// The demo shop: choose a shopper, look, click, and see the next ranking know of it.

import { Api, Problem, randomId } from "./api.js";
import { Behavior } from "./behavior.js";
import { duration, el } from "./dom.js";
import { Home } from "./home.js";
import { Items } from "./items.js";
import { known } from "./known.js";
import { Results } from "./results.js";
import { Shelf } from "./shelf.js";
import { SearchBox } from "./suggest.js";
import { EVENTS, PROBLEMS } from "./words.js";

const SHELF_ITEMS = 12;
const PATIENCE_MS = 8000; // then the page says that the event has not arrived
const $ = (id) => document.getElementById(id);

const api = new Api();
const items = new Items(api);
const behavior = new Behavior(api, tellProblem);
const home = new Home($("recommended-title"), new Shelf($("recommended"), items, behavior, onEvent), $("more-shelves"), items, behavior, onEvent);
const found = new Results((fields, signal) => ranking("v1/search", fields, signal), items, behavior, onEvent, attempt);
const searchBox = new SearchBox($("search"), api, search);

let interactions = 0; // that the ranking on screen knew of, and those told since
let visit = new AbortController(); // ends with the shopper
let following = new AbortController(); // ends with the next event

$("who").addEventListener("submit", (event) => {
  event.preventDefault();
  enter($("shopper").value.trim());
});
$("new-shopper").addEventListener("click", () => enter(`shopper-${randomId(4)}`));
window.addEventListener("hashchange", () => {
  const { shopper, query } = address();
  if (shopper !== null) enter(shopper, query); // else a link within the page
});
$("found-close").addEventListener("click", () => setAddress(""));
enter(address().shopper || `shopper-${randomId(4)}`, address().query);

/** The part after # is not sent to the server: a shopper's id stays out of access logs. */
function address() {
  const told = new URLSearchParams(location.hash.slice(1));
  return { shopper: told.get("shopper"), query: told.get("query") ?? "" };
}

/** Say in the address who is here and what was searched for; that is no new visit. */
function setAddress(query) {
  const told = { shopper: behavior.who.user_id ?? "", ...(query ? { query } : {}) };
  history.replaceState(null, "", `#${new URLSearchParams(told)}`);
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
    tellNews(el("p", {}, "Click a product and watch the shelf change."));
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
  const content = { ...behavior.who, limit: SHELF_ITEMS, explain: "features", context: { page: "demo" }, ...fields };
  const answer = await api.call("POST", path, content, signal);
  return { ...answer, query: fields.query ?? "" };
}

/** The home page, in one call; of a shop whose rules declare none, one shelf. */
async function ask(signal) {
  let shelves = [];
  try {
    const content = { ...behavior.who, explain: "features", context: { page: "demo" } };
    const answer = await api.call("POST", "v1/pages/home", content, signal);
    shelves = answer.body.shelves.map((body) => ({ ...answer, body, query: "" }));
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

function onEvent(type, shown, card) {
  for (const other of document.querySelectorAll(".card.chosen")) other.classList.remove("chosen");
  card.classList.add("chosen");
  $("problem").hidden = true;
  attempt(() => follow(type, shown), home);
}

/** Tell an event, then ask until a ranking has used it; show that ranking and how long it took. */
async function follow(type, shown) {
  const startedMs = performance.now();
  following.abort();
  following = new AbortController();
  const signal = AbortSignal.any([visit.signal, following.signal]);
  await behavior.tell(type, shown, visit.signal);
  const expected = (interactions += 1);
  const storedMs = performance.now() - startedMs;
  let shelves = await ask(signal);
  for (let waitMs = 25; interactionsIn(shelves) < expected; waitMs = Math.min(1.5 * waitMs, 400)) {
    if (performance.now() - startedMs > PATIENCE_MS) break;
    await pause(waitMs, signal);
    shelves = await ask(signal);
  }
  const known = interactionsIn(shelves);
  const changed = home.show(shelves);
  const ms = performance.now() - startedMs;
  const place = shelves[0].body.items.find((item) => item.item_id === shown.item_id)?.position;
  tellNews(...news(type, known >= expected ? ms : null, storedMs, changed, place));
  interactions = Math.max(known, expected);
  await Promise.all([found.again(signal), showKnown(signal)]);
}

function news(type, ms, storedMs, changed, place) {
  const stored = el("p", { class: "quiet" }, `Stored after ${duration(storedMs)}.`);
  if (ms === null) {
    const late = `No ranking knew of it within ${duration(PATIENCE_MS)}.`;
    return [el("p", {}, `${EVENTS[type]}: ${late}`), stored];
  }
  const moved = changed ? `${changed} of ${SHELF_ITEMS} places changed` : "The order stayed as it was";
  const own = place ? `the product is at place ${place} now` : "the product is not on the shelf now";
  return [
    el("p", {}, `${EVENTS[type]} to new ranking: `, el("b", { class: "measured" }, duration(ms))),
    el("p", { class: "quiet" }, `${moved}; ${own}. Stored after ${duration(storedMs)}.`),
  ];
}

async function showKnown(signal) {
  const body = $("known-body");
  const { user_id: user } = behavior.who;
  if (!user) {
    body.replaceChildren(el("p", { class: "quiet" }, "An anonymous shopper: the ranker knows this visit only."));
    return;
  }
  try {
    const { body: features } = await api.call("GET", `v1/users/${encodeURIComponent(user)}/features`, null, signal);
    await items.load([...(features.recent_items ?? []).slice(0, 6), ...(features.bought_items ?? []).slice(0, 5)], signal);
    body.replaceChildren(...known(features, (itemId) => items.get(itemId).title));
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "forbidden") throw error;
    body.replaceChildren(el("p", { class: "quiet" }, `Not shown: ${error.detail}.`));
  }
}

function tellNews(...content) {
  $("news").replaceChildren(...content);
}

function tellProblem(error) {
  const box = $("problem");
  const { title = "Something went wrong", code, requestId } = error;
  const detail = PROBLEMS[code] ?? error.message;
  box.replaceChildren(
    el("strong", {}, title),
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
