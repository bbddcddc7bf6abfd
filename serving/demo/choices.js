// The side panel: what is known of the shopper in words, and what the shopper decides about it. A
// storefront's server does this in the shopper's name; here it is the demo's (docs/demo.md).

import { Problem } from "./api.js";
import { bar, el, hidden } from "./dom.js";
import { ago, block, percent } from "./known.js";
import { counted, t } from "./language.js";

const SETTLED_MS = 2000; // by then ingest has folded what was chosen
const MOST = 6; // interests of a kind

export class Choices {
  #api;
  #items;
  #body;
  #attempt;
  #onChosen;
  #visit;
  #path = null; // null: of this shopper nothing is told here

  /**
   * `body` shows them; `onChosen(news, signal)` follows a choice; `attempt(work)` tells what goes wrong; `visit()`
   * is the signal that ends with the shopper.
   */
  constructor(api, items, body, attempt, onChosen, visit) {
    this.#api = api;
    this.#items = items;
    this.#body = body;
    this.#attempt = attempt;
    this.#onChosen = onChosen;
    this.#visit = visit;
  }

  clear() {
    this.#path = null;
    this.#body.replaceChildren();
  }

  /** Show what stands for a shopper; returns whether anything may be told of this one. */
  async show(user, signal) {
    const path = `demo/shoppers/${encodeURIComponent(user)}`;
    const { body } = await this.#api.call("GET", path, null, signal);
    this.#path = body.own ? path : null;
    if (body.own) await this.#tell((await this.#api.call("GET", `${path}/preferences`, null, signal)).body, signal);
    else this.#body.replaceChildren(el("p", { class: "quiet" }, t("Only the shop's own server may tell and change what is known of this shopper. Choose “New shopper” to try it.")));
    return body.own;
  }

  /** Change what is known, wait until that shows, and say `news`. */
  #choose(change, news) {
    const signal = this.#visit(); // another than that of what showed the button, which an event ends
    return this.#attempt(async () => {
      const address = `${this.#path}/preferences`;
      const before = JSON.stringify((await this.#api.call("GET", address, null, signal)).body);
      let { body } = await this.#api.call("PUT", address, change, signal);
      const startedMs = performance.now();
      while (JSON.stringify(body) === before && performance.now() - startedMs < SETTLED_MS) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        ({ body } = await this.#api.call("GET", address, null, signal));
      }
      await this.#onChosen(news, signal);
    });
  }

  async #tell(told, signal) {
    await this.#items.load(told.hidden.items, signal);
    const focused = document.activeElement?.dataset.choice;
    this.#body.replaceChildren(
      this.#personal(told),
      ...block("You seem to care for", this.#interests(told)),
      ...block("Not for you", this.#hidden(told.hidden)),
      this.#rest(told),
    );
    if (focused) this.#body.querySelector(`[data-choice="${CSS.escape(focused)}"]`)?.focus();
  }

  #personal({ personal, profiling }) {
    const box = el("input", { type: "checkbox", role: "switch", id: "personal", "data-choice": "personal" });
    box.checked = personal;
    box.addEventListener("change", () =>
      this.#choose({ personal: box.checked }, t(box.checked ? "Answers are yours again." : "From now on answers are everybody's, and nothing is learnt of you.")));
    const words = personal
      ? "The shop uses what it knows of you, and learns from what you do."
      : profiling
        ? "Everybody gets these answers. The shop still learns from what you do."
        : "Everybody gets these answers. The shop learns nothing from what you do.";
    return el("div", { class: "personal" },
      el("label", { for: "personal" }, box, el("span", {}, t("Personal answers"))),
      el("p", { class: "quiet" }, t(words)));
  }

  #interests({ interests, profiling, frozen }) {
    const shown = [...deepest(interests).slice(0, MOST), ...interests.filter(({ kind }) => kind === "brand").slice(0, MOST)];
    if (!shown.length) return el("p", { class: "quiet" }, t("Nothing yet."));
    const most = { category: 0, brand: 0 };
    for (const { kind, share } of shown) most[kind] = Math.max(most[kind], share);
    const rows = shown.map((each) => {
      const name = each.name.split(" > ").at(-1);
      const button = this.#button("✕", `forget:${each.kind}:${each.name}`, { forget: [{ [each.kind]: each.name }] },
        t("“{name}” is forgotten.", { name }), t("Forget “{name}”", { name }));
      button.disabled = !profiling || frozen;
      return el("li", { title: each.name }, el("span", { class: "name" }, name), bar(each.share / most[each.kind]), button, el("small", {}, speaks(each)));
    });
    return el("ul", { class: "interests" }, ...rows);
  }

  #hidden({ items, brands, categories }) {
    const things = [
      ...items.map((itemId) => [{ item_id: itemId }, this.#items.get(itemId).title]),
      ...brands.map((brand) => [{ brand }, t("all of {brand}", { brand })]),
      ...categories.map((category) => [{ category }, t("all of {brand}", { brand: category.split(" > ").at(-1) })]),
    ];
    const rows = things.map(([thing, words]) =>
      el("li", {}, el("span", { class: "name" }, words),
        this.#button(t("Show again"), `show:${words}`, { show: [thing] }, t("“{name}” may be shown again.", { name: words }),
          t("Show “{name}” again", { name: words }))));
    return rows.length ? el("ul", { class: "unwanted" }, ...rows) : null;
  }

  #rest({ profiling, frozen }) {
    const hour = this.#button(t("Forget the last hour"), "hour", { forget_last_hour: true }, t("The last hour is forgotten."));
    hour.disabled = !profiling || frozen;
    const copy = el("button", { type: "button", "data-choice": "copy" }, t("Get a copy"));
    copy.addEventListener("click", () => this.#attempt(() => this.#copy(this.#visit())));
    return el("div", { class: "rest" }, hour, copy);
  }

  async #copy(signal) {
    const { text } = await this.#api.call("GET", `${this.#path}/export`, null, signal);
    if (!/"kind":"end"[^\n]*\n$/.test(text)) throw new Problem(t("The copy broke off"), t("try again"), "cut");
    const link = el("a", { href: URL.createObjectURL(new Blob([text])), download: "vitrine-copy.jsonl" });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  #button(text, choice, change, news, name) {
    const button = el("button", { type: "button", "data-choice": choice, "aria-label": name, title: name }, text);
    button.addEventListener("click", () => this.#choose(change, news));
    return button;
  }
}

/** The deepest categories only: their parents say the same again. */
function deepest(interests) {
  const categories = interests.filter(({ kind }) => kind === "category");
  return categories.filter(({ name }) => !categories.some((other) => other.name.startsWith(`${name} > `)));
}

function speaks({ share, times, last_at: lastAt }) {
  const n = Math.round(times);
  return [
    percent(share),
    n ? counted(n, "{n} time", "{n} times") : null,
    lastAt ? ago((Date.now() - Date.parse(lastAt)) / 1000) : null,
  ].filter(Boolean).join(" · ");
}
