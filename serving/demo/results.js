// A search and what it found: how many, filters, order, the next page, and what to do about nothing.

import { Card } from "./card.js";
import { el } from "./dom.js";
import { facets } from "./facets.js";
import { counted, t } from "./language.js";
import { Shelf } from "./shelf.js";

const PAGE = 12;
const MOST = 200; // of one answer
const COUNTED = 1000; // when so many are found, there may be more
const FACETS = ["category", "brand", "price"];
// By whether filters are on, and by whether the shop was browsed.
const NOTHING = [
  ["Sorry, there is nothing for “{query}”.", "Sorry, there is nothing in the shop."],
  ["Nothing for “{query}” passes these filters.", "Nothing in the shop passes these filters."],
];
const $ = (id) => document.getElementById(id);

export class Results {
  #section = $("found");
  #ask;
  #items;
  #onEvent;
  #attempt;
  #shelf;
  #asked = null; // {query, filters, sort}; null: there is no search
  #cursor = null;
  #asking = new AbortController();

  /** `ask(fields, signal)` searches; `attempt(work, shelf)` runs work and tells what goes wrong. */
  constructor(ask, items, behavior, onEvent, attempt) {
    this.#ask = ask;
    this.#items = items;
    this.#onEvent = onEvent;
    this.#attempt = attempt;
    this.#shelf = new Shelf(this.#section, items, behavior, onEvent, null);
    this.#section.append($("nothing"), $("more"));
    $("facets").open = !matchMedia("(max-width: 44rem), (max-height: 60rem)").matches; // products come first
    $("sort").addEventListener("change", () => this.#change({ sort: $("sort").value }));
    $("more").addEventListener("click", () => attempt(() => this.#more(), this.#shelf));
    $("found-close").addEventListener("click", () => {
      this.clear();
      $("query").focus();
    });
  }

  /** Back to no search. */
  clear() {
    this.#asking.abort();
    this.#asked = null;
    this.#section.hidden = true;
    this.#empty();
  }

  /** Search anew; without a query the shop is browsed. */
  async search({ query, filters }, signal) {
    this.#asked = { query, filters, sort: "relevance" };
    $("sort").value = "relevance";
    this.#empty();
    this.#section.hidden = false;
    await this.#attempt(() => this.#first(PAGE, signal), this.#shelf);
  }

  /** Ask for all that is shown once more: the shopper has done something. */
  async again(signal) {
    if (!this.#asked) return;
    const shown = Math.max(PAGE, this.#shelf.size);
    await this.#first(Math.min(shown, MOST), signal, !this.#shelf.size);
  }

  #empty() {
    this.#shelf.clear();
    this.#cursor = null;
    $("found-title").textContent = this.#asked ? title(this.#asked) : t("Results");
    $("found-count").textContent = "";
    $("more").hidden = true;
    $("nothing").hidden = true;
    $("facets").hidden = true;
  }

  #change(fields) {
    this.#asked = { ...this.#asked, ...fields };
    this.#attempt(() => this.#first(PAGE), this.#shelf);
  }

  async #first(limit, signal, anew = true) {
    const answer = await this.#answer({ limit, facets: FACETS, suggestions: true }, signal);
    const { body } = answer;
    this.#cursor = body.cursor;
    this.#shelf.show(answer, anew);
    $("found-title").textContent = title(this.#asked);
    $("found-count").textContent = count(body, this.#asked);
    $("more").hidden = !this.#cursor;
    this.#showFacets(body);
    this.#showNothing(body);
  }

  async #more() {
    const answer = await this.#answer({ limit: PAGE, cursor: this.#cursor });
    this.#cursor = answer.body.cursor;
    $("more").hidden = !this.#cursor;
    this.#shelf.append(answer);
  }

  /** One question at a time: an older one is given up. */
  async #answer(fields, signal) {
    this.#asking.abort();
    this.#asking = new AbortController();
    const either = signal ? AbortSignal.any([signal, this.#asking.signal]) : this.#asking.signal;
    const { query, filters, sort } = this.#asked;
    const { brand, ...others } = filters;
    const narrowed = { ...others, ...(brand ? { brand: [brand] } : {}) };
    const answer = await this.#ask({ query, filters: narrowed, sort, ...fields }, either);
    const { items, suggestions } = answer.body;
    await this.#items.load([...items, ...(suggestions ?? [])].map((item) => item.item_id), either);
    return answer;
  }

  #showFacets(body) {
    const focused = document.activeElement?.dataset.facet;
    const first = body.items[0] ?? body.suggestions?.[0];
    const currency = first && this.#items.get(first.item_id).currency;
    const rows = facets(body, this.#asked.filters, currency, (filters) => this.#change({ filters }));
    $("facets").querySelector(".rows").replaceChildren(...rows);
    $("facets").hidden = !rows.length;
    if (Object.values(this.#asked.filters).some((value) => value !== undefined)) $("facets").open = true;
    if (focused) $("facets").querySelector(`[data-facet="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Never a blank page: what was not found, what comes nearest, and a way on. */
  #showNothing({ items, suggestions }) {
    $("nothing").hidden = items.length > 0;
    if (items.length) return;
    const { query, filters } = this.#asked;
    const narrowed = Object.values(filters).some((value) => value !== undefined);
    const nearest = suggestions ?? [];
        const way = narrowed
      ? el("button", { type: "button" }, t("Remove the filters"))
      : el("button", { type: "button" }, t("Browse all products"));
    way.addEventListener("click", () => {
      if (!narrowed) $("query").value = "";
      this.#change(narrowed ? { filters: {} } : { query: "" });
    });
    $("nothing").replaceChildren(
      el("p", {}, t(NOTHING[Number(narrowed)][Number(!query)], { query })),
      el("p", { class: "quiet" }, t(nearest.length ? "This comes nearest:" : "Other words may find it.")),
      el("ol", { class: "cards nearest" }, ...nearest.map(({ item_id: itemId }) => this.#offer(itemId))),
      way,
    );
  }

  #offer(itemId) {
    const card = new Card(this.#onEvent);
    card.offer(this.#items.get(itemId));
    return card.element;
  }
}

function title({ query, filters: { category, brand } }) {
  if (query) return t("Results for “{query}”", { query });
  return category?.split(" > ").at(-1) ?? brand ?? t("All products");
}

function count({ total, items }, { query, sort }) {
  if (!items.length) return t("Nothing found");
  const products = counted(total, "{n} product", "{n} products");
  const found = query && total >= COUNTED ? t("{products} or more", { products }) : products;
  // Another order would lead with what hardly matches.
  return query && sort !== "relevance" ? t("{found}; in this order only those that match well", { found }) : found;
}
