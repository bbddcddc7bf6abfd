// One product on a shelf: what it is, its place, and why it stands there.

import { bar, el, hidden } from "./dom.js";
import { money } from "./items.js";
import { part } from "./words.js";

export class Card {
  #tile = el("div", { class: "tile", "aria-hidden": "true" });
  #place = el("span", { class: "place" });
  #moved = el("span", { class: "moved" });
  #title = el("button", { class: "open", type: "button" });
  #facts = el("p", { class: "facts" });
  #price = el("p", { class: "price" });
  #cart = el("button", { class: "cart", type: "button" });
  #rank = el("div", { class: "rank" }, this.#place, this.#moved);
  #because = el("span", { class: "because" });
  #whyBody = el("div", { class: "why-body" });
  #why = el("details", { class: "why" }, el("summary", {}, el("span", { class: "ask" }, "Why here?"), this.#because), this.#whyBody);

  constructor(onEvent) {
    this.element = el(
      "li", { class: "card" },
      this.#rank,
      this.#tile,
      el("h3", {}, this.#title),
      this.#facts,
      el("div", { class: "buy" }, this.#price, this.#cart),
      this.#why,
    );
    this.#title.addEventListener("click", () => onEvent("click", this.shown, this.element));
    this.#cart.addEventListener("click", () => {
      const value = this.item.price;
      onEvent("add_to_cart", { ...this.shown, ...(value ? { value } : {}) }, this.element);
    });
  }

  /**
   * Show `ranked` of an answer at a place of the shelf; `was` is the place before, null for a
   * newcomer, undefined at first.
   */
  show(item, ranked, { rankingId, scale }, place, was) {
    this.#showItem(item);
    this.place = place;
    this.shown = { item_id: ranked.item_id, ranking_id: rankingId, position: ranked.position };
    this.#place.replaceChildren(hidden("place "), String(place));
    this.#showMove(was, place);
    const { explanation } = ranked;
    const told = explanation?.reasons ?? [];
    this.#because.textContent = told.slice(0, 2).join(" · ");
    this.#whyBody.replaceChildren(...(explanation ? why(explanation, told, ranked.score, scale) : []));
  }

  /** Show an item that no ranking has put anywhere. */
  offer(item) {
    this.#showItem(item);
    this.shown = { item_id: item.item_id };
    this.#rank.hidden = true;
    this.#why.hidden = true;
  }

  focus() {
    this.#title.focus();
  }

  #showItem(item) {
    this.item = item;
    const leaf = item.category.split(">").at(-1).trim();
    this.element.dataset.itemId = item.item_id;
    this.element.style.setProperty("--hue", hue(item.category || item.brand || item.title));
    this.#tile.textContent = Array.from(item.title.trim())[0]?.toUpperCase() ?? "";
    this.#title.textContent = item.title;
    this.#title.title = item.title;
    this.#facts.textContent = [item.brand, leaf].filter(Boolean).join(" · ");
    this.#facts.title = item.category;
    this.#price.textContent = money(item.price, item.currency);
    this.#cart.replaceChildren("Add to cart", hidden(`: ${item.title}`));
  }

  #showMove(was, now) {
    const places = was ? was - now : 0;
    const kind = was === null ? "new" : places > 0 ? "up" : places < 0 ? "down" : "";
    this.#moved.className = `moved ${kind}`;
    if (kind === "new") this.#moved.replaceChildren("new");
    else if (!kind) this.#moved.replaceChildren();
    else {
      const n = Math.abs(places);
      const arrow = el("span", { "aria-hidden": "true" }, `${kind === "up" ? "▲" : "▼"} ${n}`);
      this.#moved.replaceChildren(arrow, hidden(`${kind} ${n} ${n === 1 ? "place" : "places"}`));
    }
  }
}

/** The reasons, and what the score is made of for those who keep the shop. */
function why(explanation, told, score, scale) {
  const { contributions, baseline } = explanation;
  const parts = Object.entries(contributions ?? explanation.parts).filter(([, value]) => Math.abs(value) > 1e-4);
  parts.sort(([, one], [, other]) => Math.abs(other) - Math.abs(one));
  return [
    explanation.known_item ? null : el("p", {}, "The catalogue does not know this item."),
    told.length ? list(told) : el("p", { class: "quiet" }, "Nothing that can be told in words."),
    parts.length
      ? el(
          "details", { class: "made" },
          el("summary", {}, "How it was scored"),
          el("p", { class: "quiet" }, `Score ${score.toFixed(3)}, made of`),
          contributions ? el("p", { class: "quiet" }, `${baseline.toFixed(2)} for an item that nobody knows, and`) : null,
          el("ul", { class: "parts" }, ...parts.slice(0, 6).map(([name, value]) => row(name, value, scale))),
        )
      : null,
  ].filter(Boolean);
}

function row(name, value, scale) {
  const number = `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
  return el("li", {}, el("span", {}, part(name)), bar(value / scale), el("b", {}, number));
}

function list(lines) {
  return el("ul", { class: "lines" }, ...lines.map((line) => el("li", {}, line)));
}

/** A quiet colour of its own for each category, 0 to 360. */
function hue(text) {
  let hash = 0;
  for (const character of text) hash = (hash * 31 + character.codePointAt(0)) % 3600;
  return hash / 10;
}
